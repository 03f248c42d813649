import { accessSync, constants, statSync } from "node:fs";
import { basename, delimiter, isAbsolute, join } from "node:path";
import { canonicalJson } from "../../../kit/canonical-json.ts";
import { digest } from "../../../kit/digest.ts";
import type { AskedCalls } from "../../../policy/asked-calls.ts";
import type { ToolRules } from "../../../policy/ruled-policy.ts";
import type { Decision } from "../../../spec/policy.ts";
import type { Tool } from "../../../spec/tool.ts";
import { isWithin, wayTo } from "../rooted/places.ts";

/** A command that may be run. */
export interface CommandRule {
	/** Its words, exactly: `["git", "status"]`. A `"*"` at the end stands for any further ones: `["ls", "*"]`. */
	readonly command: readonly string[];
	/** Left out: the effect class decides, which for a shell is `destructive`. */
	readonly verdict?: "allow" | "ask" | "deny";
}

export interface RuledCommand {
	readonly verdict: CommandRule["verdict"];
	/** The program itself. Shape: an absolute path. */
	readonly executable: string;
}

interface Compiled extends RuledCommand {
	readonly words: readonly string[];
	readonly isOpen: boolean;
}

export interface CommandRulesOptions {
	readonly searchPath: string;
	/** Nothing is run that lies in it, or is found over a link in it: the agent may have written that. Shape: a real path. */
	readonly folder: string;
}

/** The commands that there are; the longest rule that fits decides. What none of them names is not run. */
export class CommandRules {
	readonly #rules: readonly Compiled[];
	readonly version: string;

	/** Errors: one that names the rule. */
	constructor(rules: readonly CommandRule[], options: CommandRulesOptions) {
		checkThatTheyAgree(rules);
		this.#rules = rules
			.map((rule) => compiled(rule, options))
			.toSorted((a, b) => b.words.length - a.words.length || Number(a.isOpen) - Number(b.isOpen));
		this.version = `shell:${digest(canonicalJson(rules.map(({ command, verdict }) => [...command, verdict ?? ""]))).slice(0, 8)}`;
	}

	find(command: readonly string[]): RuledCommand | undefined {
		return this.#rules.find(({ words, isOpen }) => {
			const hasLength = isOpen ? command.length >= words.length : command.length === words.length;
			return hasLength && words.every((word, at) => word === command[at]);
		});
	}

	get mayAsk(): boolean {
		return this.#rules.some(({ verdict }) => verdict === "ask");
	}

	/** What a model is told: `git status`, `ls *`. */
	get text(): string {
		return this.#rules
			.filter(({ verdict }) => verdict !== "deny")
			.map(({ words, isOpen }) => [...words, ...(isOpen ? ["*"] : [])].map(shown).join(" "))
			.toSorted()
			.join(", ");
	}
}

/** Which one of two that name the same command decides could only be guessed. */
function checkThatTheyAgree(rules: readonly CommandRule[]): void {
	const said = new Map<string, CommandRule["verdict"]>();
	for (const { command, verdict } of rules) {
		const words = JSON.stringify(command);
		if (said.has(words) && said.get(words) !== verdict)
			throw new Error(`two rules say different things of ${command.map(shown).join(" ")}`);
		said.set(words, verdict);
	}
}

function shown(word: string): string {
	return /^[\w@%+=:,./*-]+$/.test(word) ? word : JSON.stringify(word);
}

const verdicts: ReadonlySet<unknown> = new Set([undefined, "allow", "ask", "deny"]);

function compiled(rule: CommandRule, options: CommandRulesOptions): Compiled {
	const { command, verdict, ...others } = rule;
	const isList = Array.isArray(command) && command.every((word) => typeof word === "string" && !word.includes("\0"));
	const isOpen = command?.at(-1) === "*";
	const words = isOpen ? command.slice(0, -1) : command;
	const [program] = isList ? words : [];
	if (!program || !verdicts.has(verdict) || Object.keys(others).length > 0) {
		throw new Error(`${JSON.stringify(rule)} is no rule: { command: ["git", "log", "*"], verdict? }`);
	}
	if (words.includes("*"))
		throw new Error(`${JSON.stringify(rule)} is no rule: "*" stands for further words only at the end`);
	return { words, isOpen, verdict, executable: executableOf(program, options) };
}

function executableOf(program: string, { searchPath, folder }: CommandRulesOptions): string {
	if (/^holdpoint(\.|$)/i.test(basename(program))) {
		throw new Error(`${program} answers approvals, and is no command of an agent's`);
	}
	if (program.includes("/") && !isAbsolute(program))
		throw new Error(`${program} is neither a name nor an absolute path`);
	const places = isAbsolute(program) ? [program] : searchPath.split(delimiter).map((place) => join(place, program));
	const found = places.find(isExecutable);
	if (!found)
		throw new Error(`there is no program ${program} (looked in ${isAbsolute(program) ? program : searchPath})`);
	const { end, links } = wayTo(found);
	if ([end, ...links].some((place) => isWithin(folder, place))) {
		throw new Error(
			`${found} lies in the folder of the agent, or is found over a link there: a command could put another one into its place`,
		);
	}
	return found;
}

function isExecutable(path: string): boolean {
	try {
		accessSync(path, constants.X_OK);
		return isAbsolute(path) && statSync(path).isFile();
	} catch {
		return false;
	}
}

/** The rules as a policy sees them. `asked` is told of every call that a rule asks about. */
export function shellRules(rules: CommandRules, tool: Tool, asked: AskedCalls): ToolRules {
	return {
		version: rules.version,
		tools: new Set([tool.name]),
		isOwn: ({ execute }) => execute === tool.execute,
		mayAsk: () => rules.mayAsk,
		decide({ args, run, call }): Decision | undefined {
			const command = (args as { readonly command?: unknown } | null)?.command;
			const words = Array.isArray(command) ? command.map(String) : [];
			const rule = rules.find(words);
			// Nobody is asked about what could only fail.
			if (!rule) return { verdict: "deny", reason: notAllowed(rules) };
			const { verdict } = rule;
			if (verdict === "ask") asked.add({ run, call });
			return (
				verdict && {
					verdict,
					reason: `A rule of commands says ${verdict} to ${words.map(shown).join(" ").slice(0, 200)}`,
				}
			);
		},
	};
}

export function notAllowed({ text }: CommandRules): string {
	return `No rule allows this command. Allowed: ${text || "none"}`;
}
