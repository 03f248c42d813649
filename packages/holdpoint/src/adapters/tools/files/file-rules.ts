import { canonicalJson } from "../../../kit/canonical-json.ts";
import { digest } from "../../../kit/digest.ts";
import type { AskedCalls } from "../../../policy/asked-calls.ts";
import type { ToolRules } from "../../../policy/ruled-policy.ts";
import type { Json } from "../../../spec/json.ts";
import type { Decision } from "../../../spec/policy.ts";
import type { Tool } from "../../../spec/tool.ts";
import { loosePattern, type PathPattern, pathPattern } from "./path-pattern.ts";

export type FileVerdict = "allow" | "ask" | "deny";

/** What holds for some paths. */
export interface FileRule {
	/**
	 * Below the root: `*` is any part of a name, `?` one character of it, `**` any number of folders. What denies or asks
	 * holds for every way of writing a name, and for all below a folder that it fits.
	 */
	readonly path: string;
	/** Of reading, listing and searching. Left out: this rule does not speak of it. */
	readonly read?: FileVerdict;
	/** Of writing, editing and deleting. Left out: this rule does not speak of it. */
	readonly write?: FileVerdict;
}

export type FileAccess = "read" | "write";

interface Compiled {
	readonly rule: FileRule;
	readonly exact: PathPattern;
	readonly loose: PathPattern;
}

/** Rules in their order: the first one that speaks of a path decides about it. */
export class FileRules {
	readonly #rules: readonly Compiled[];
	readonly version: string;

	/** Errors: one that names what is no rule. */
	constructor(rules: readonly FileRule[]) {
		for (const rule of rules) checkRule(rule);
		this.#rules = rules.map((rule) => ({ rule, exact: pathPattern(rule.path), loose: loosePattern(rule.path) }));
		this.version = `files:${digest(canonicalJson(rules as unknown as Json)).slice(0, 8)}`;
	}

	/** Undefined: no rule speaks of it. Only what is allowed must be named exactly, and by itself. */
	verdictOf(segments: readonly string[], access: FileAccess): FileVerdict | undefined {
		for (const { rule, exact, loose } of this.#rules) {
			const verdict = rule[access];
			if (!verdict) continue;
			if ((verdict === "allow" ? exact : loose).matches(segments)) return verdict;
		}
		return undefined;
	}

	mayAsk(access: FileAccess): boolean {
		return this.#rules.some(({ rule }) => rule[access] === "ask");
	}
}

const verdicts: ReadonlySet<unknown> = new Set([undefined, "allow", "ask", "deny"]);

function checkRule(rule: FileRule): void {
	const { path, read, write, ...others } = rule as FileRule & Record<string, unknown>;
	const isRule = typeof path === "string" && path !== "" && verdicts.has(read) && verdicts.has(write);
	if (isRule && /\\|(^|\/)\.\.(\/|$)/.test(path))
		throw new Error(
			`${JSON.stringify(rule)} fits nothing: paths are below the root, and have neither ".." nor "\\" in them`,
		);
	if (isRule && (read ?? write) !== undefined && Object.keys(others).length === 0) return;
	throw new Error(`${JSON.stringify(rule)} is no rule: { path, read?, write? }, each "allow", "ask" or "deny"`);
}

/** What a policy is to know of the tools. */
export interface RuledTools {
	readonly tools: readonly Tool[];
	/** What each of them does, the main thing first. */
	readonly access: ReadonlyMap<string, readonly FileAccess[]>;
	/** Told of every call that a rule asks about. */
	readonly asked: AskedCalls;
	/** Errors: where a path is none, or is forbidden. */
	placeOf(path: string, access: FileAccess): readonly string[];
}

/** The rules as a policy sees them. */
export function fileToolRules(rules: FileRules, { tools, access, asked, placeOf }: RuledTools): ToolRules {
	const accessOf = (tool: string): readonly FileAccess[] => access.get(tool) ?? ["write"];
	return {
		version: rules.version,
		tools: new Set(access.keys()),
		isOwn: ({ name, execute }) => tools.some((tool) => tool.name === name && tool.execute === execute),
		mayAsk: (tool) => accessOf(tool).some((each) => rules.mayAsk(each)),
		decide({ tool, args, run, call }): Decision | undefined {
			const [main = "write", ...others] = accessOf(tool.name);
			const path = (args as { readonly path?: unknown } | null)?.path ?? ".";
			if (typeof path !== "string") return { verdict: "deny", reason: "The path is no text" };
			let segments: readonly string[];
			try {
				segments = placeOf(path, main);
			} catch (error) {
				// Nobody is asked about what could only fail.
				return { verdict: "deny", reason: (error as Error).message };
			}
			const said = [main, ...others].map((kind) => [rules.verdictOf(segments, kind), kind] as const);
			const strict = ["deny", "ask"].flatMap((verdict) => said.filter(([each]) => each === verdict));
			const [verdict, kind] = strict[0] ?? said[0] ?? [];
			if (verdict === "ask") asked.add({ run, call });
			const reason = `A rule of files says ${verdict} to ${kind === "read" ? "reading" : "changing"} ${path}`;
			return verdict && { verdict, reason };
		},
	};
}
