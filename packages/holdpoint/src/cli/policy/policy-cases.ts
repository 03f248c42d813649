/** The file of cases: YAML from outside, looked at by hand before it is believed. */
import { readFileSync } from "node:fs";
import { canonicalJson } from "../../kit/canonical-json.ts";
import { isRecord } from "../../kit/json-schema-refs.ts";
import { reasonOf } from "../../kit/reason-of.ts";
import { HoldpointError } from "../../spec/errors.ts";
import type { Json } from "../../spec/json.ts";
import type { Label } from "../../spec/label.ts";

export const verdicts = ["allow", "ask", "deny", "failed"] as const;
export type CaseVerdict = (typeof verdicts)[number];

/** One call, and what is to become of it. */
export interface PolicyCase extends CaseFacts {
	readonly line: number;
	readonly name: string;
	/** Name of the tool. */
	readonly call: string;
	readonly args: Json;
	/** Of what whoever makes the call has read. */
	readonly label?: Label;
	/** What is used of budgets; of those that are left out: nothing. */
	readonly budgets?: { readonly [name: string]: { readonly spent?: number; readonly held?: number } };
	/** Roles whose people have all said yes. */
	readonly approvals: readonly string[];
	readonly expect: CaseVerdict;
	/** Who must be asked still. Undefined: anybody. */
	readonly roles?: readonly string[];
	/** Policies that must be among those that determine it. */
	readonly policies?: readonly string[];
}

interface CaseFacts {
	readonly agent?: string;
	readonly principal?: string;
	readonly tenant?: string;
	readonly session?: string;
	readonly via?: string;
}

const bytesMax = 4 * 1_048_576;
const factNames = ["agent", "principal", "tenant", "session", "via"] as const;
const ownNames = ["name", "call", "args", "label", "budgets", "approvals", "expect", "roles", "policies"];
const caseNames: ReadonlySet<string> = new Set([...ownNames, ...factNames]);

/** Errors: `policy.invalid` with file and line. */
export async function readCases(path: string, name: string): Promise<readonly PolicyCase[]> {
	let text: string;
	try {
		text = readFileSync(path, "utf8");
	} catch (cause) {
		throw new HoldpointError("policy.invalid", `The cases cannot be read: ${reasonOf(cause)}`, { cause, hint });
	}
	if (Buffer.byteLength(text) >= bytesMax) throw wrong(name, 1, `it has more than ${bytesMax} bytes`);
	const { isMap, isSeq, LineCounter, parseDocument } = await import("yaml");
	const lines = new LineCounter();
	const document = parseDocument(text, { lineCounter: lines });
	const [error] = document.errors;
	if (error) throw wrong(name, error.linePos?.[0].line ?? 1, error.message.split("\n")[0] ?? "it is no YAML");
	const content = document.contents;
	const list = isMap(content) ? content.get("cases", true) : undefined;
	const value = toValue(() => document.toJS({ maxAliasCount: 100 }), name);
	if (!isRecord(value) || !isSeq(list)) throw wrong(name, 1, "it has no list `cases`");
	const unknown = Object.keys(value).find((key) => key !== "cases" && key !== "defaults");
	if (unknown !== undefined)
		throw wrong(name, 1, `it has ${JSON.stringify(unknown)}, which is neither cases nor defaults`);
	const defaults = value["defaults"] ?? {};
	if (!isRecord(defaults)) throw wrong(name, 1, "its `defaults` are no map");
	const misplaced = Object.keys(defaults).find((key) => !(factNames as readonly string[]).includes(key));
	if (misplaced !== undefined)
		throw wrong(name, 1, `its defaults set ${misplaced}; they may set ${factNames.join(", ")}`);
	const cases = value["cases"] as readonly unknown[];
	if (cases.length === 0) throw wrong(name, 1, "it has no cases, so that nothing would be tested");
	return cases.map((one, at) => {
		const start = (list.items[at] as { range?: readonly number[] } | undefined)?.range?.[0] ?? 0;
		const { line } = lines.linePos(start);
		return policyCase(isRecord(one) ? { ...defaults, ...one } : one, { name, line, at });
	});
}

interface Place {
	readonly name: string;
	readonly line: number;
	readonly at: number;
}

function policyCase(value: unknown, { name, line, at }: Place): PolicyCase {
	const check = (isRight: boolean, message: string): void => {
		if (!isRight) throw wrong(name, line, message);
	};
	if (!isRecord(value)) throw wrong(name, line, "a case is a map: call, args, expect, …");
	const unknown = Object.keys(value).find((key) => !caseNames.has(key));
	check(unknown === undefined, `there is no field ${JSON.stringify(unknown)}; there are ${[...caseNames].join(", ")}`);
	const { call, args = {}, expect, approvals = [], roles, policies } = value;
	check(typeof call === "string", "`call` names the tool");
	check(verdicts.includes(expect as CaseVerdict), `\`expect\` is one of ${verdicts.join(", ")}`);
	check(areNames(approvals), "`approvals` is a list of roles");
	check(
		roles === undefined || (areNames(roles) && expect === "ask"),
		"`roles` is a list of roles, where `ask` is expected",
	);
	check(policies === undefined || areNames(policies), "`policies` is a list of ids");
	for (const fact of ["name", ...factNames]) {
		check(value[fact] === undefined || typeof value[fact] === "string", `\`${fact}\` is a text`);
	}
	check(isJson(args), "`args` are no JSON: dates and keys that are no texts are none");
	const label = labelIn(value["label"]);
	check(label !== "wrong", "`label` is a map of `untrusted` (true or false) and `readers` (a list of names)");
	check(
		areUsed(value["budgets"]),
		"`budgets` is a map of names to what is `spent` and `held`, whole numbers from 0 on",
	);
	const shown = String(value["name"] ?? `case ${at + 1}`);
	return { ...(value as object), line, name: shown, args, approvals, label } as PolicyCase;
}

function labelIn(value: unknown): Label | "wrong" | undefined {
	if (value === undefined) return undefined;
	if (!isRecord(value)) return "wrong";
	const { untrusted = false, readers, ...others } = value;
	const isRight = typeof untrusted === "boolean" && (readers === undefined || areNames(readers));
	if (!isRight || Object.keys(others).length > 0) return "wrong";
	return { ...(untrusted ? { untrusted: "(a case)" } : {}), ...(readers ? { readers } : {}) };
}

function areUsed(value: unknown): boolean {
	if (value === undefined) return true;
	const isUse = (use: unknown) =>
		isRecord(use) &&
		Object.entries(use).every(
			([key, amount]) => ["spent", "held"].includes(key) && Number.isSafeInteger(amount) && (amount as number) >= 0,
		);
	return isRecord(value) && Object.values(value).every(isUse);
}

function areNames(value: unknown): value is readonly string[] {
	return Array.isArray(value) && value.every((name) => typeof name === "string" && name !== "");
}

function isJson(value: unknown): boolean {
	try {
		canonicalJson(value);
		return true;
	} catch {
		return false;
	}
}

/** Aliases upon aliases are refused by the library. */
function toValue(make: () => unknown, name: string): unknown {
	try {
		return make();
	} catch (error) {
		throw wrong(name, 1, reasonOf(error));
	}
}

const hint = "It looks like: cases: [{ call: refund_order, args: { amountCents: 5000 }, expect: allow }].";

function wrong(name: string, line: number, message: string): HoldpointError {
	return new HoldpointError("policy.invalid", `${name}:${line}: ${message}`, { hint });
}
