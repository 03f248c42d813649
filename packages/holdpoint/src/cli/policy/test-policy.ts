import { resolve } from "node:path";
import { isCedarPolicy } from "../../adapters/policies/cedar/cedar-policy.ts";
import { counted, numberText } from "../../kit/counted.ts";
import { decide } from "../../policy/decide.ts";
import { canonicalArguments } from "../../run/canonical-arguments.ts";
import { isHoldpointError } from "../../spec/errors.ts";
import { defaultLimits } from "../../spec/limits.ts";
import type { BudgetsNow, Decision } from "../../spec/policy.ts";
import { exitCodes, type Invocation } from "../command.ts";
import { usageInvalid } from "../parse-arguments.ts";
import { inlineText } from "../render/safe-text.ts";
import { tableLines } from "../render/table.ts";
import {
	agentNamed,
	budgetsWith,
	type OwnPolicy,
	ownPolicy,
	provenanceOf,
	requestOf,
	toolNamed,
} from "./own-policy.ts";
import { type CaseVerdict, type PolicyCase, readCases } from "./policy-cases.ts";

/** Decides every case of a file, and says which of them is decided otherwise than it expects. */
export async function testPolicy(invocation: Invocation): Promise<number> {
	const { host, terminal, positionals } = invocation;
	const [, file = "cases.yaml", extra] = positionals;
	if (extra !== undefined) throw usageInvalid("policy test takes one file of cases");
	const cases = await readCases(resolve(host.cwd, file), file);
	const own = await ownPolicy(invocation);
	await own.policy.ready?.(own.agents, own);
	const results: CaseResult[] = [];
	for (const one of cases) results.push(await caseResult(own, one));
	const failed = results.filter(({ isPassed }) => !isPassed);
	const isWell = failed.length === 0;
	const counts = { passed: results.length - failed.length, failed: failed.length };
	terminal.answer({ ok: isWell, version: own.policy.version, ...counts, cases: results }, () => [
		...caseTable(results, invocation),
		...failed.flatMap((result) => ["", ...differenceLines(result, file, invocation)]),
		"",
		isWell
			? `${terminal.style.green("✓")} ${counted(counts.passed, "case is", "cases are")} decided as expected  ${terminal.style.dim(own.policy.version)}`
			: `${terminal.style.red("✗")} ${numberText(counts.failed)} of ${counted(results.length, "case")} ${counts.failed === 1 ? "is" : "are"} decided otherwise`,
	]);
	return isWell ? exitCodes.done : exitCodes.failed;
}

interface Got {
	readonly verdict: CaseVerdict;
	/** Who must be asked still. */
	readonly roles: readonly string[];
	readonly reason?: string;
	/** Which policies determined it, where the policy can tell. */
	readonly policies?: readonly string[];
}

interface CaseResult {
	readonly name: string;
	readonly line: number;
	readonly isPassed: boolean;
	readonly expected: {
		readonly verdict: CaseVerdict;
		readonly roles?: readonly string[];
		readonly policies?: readonly string[];
	};
	readonly got: Got;
}

async function caseResult(own: OwnPolicy, one: PolicyCase): Promise<CaseResult> {
	const { name, line, expect: verdict, roles, policies } = one;
	const got = await outcomeOf(own, one);
	const isPassed =
		got.verdict === verdict &&
		(roles === undefined || isSameSet(roles, got.roles)) &&
		(policies === undefined || policies.every((id) => got.policies?.includes(id)));
	const expected = { verdict, ...(roles ? { roles } : {}), ...(policies ? { policies } : {}) };
	return { name, line, isPassed, expected, got };
}

function isSameSet(one: readonly string[], other: readonly string[]): boolean {
	return JSON.stringify([...new Set(one)].sort()) === JSON.stringify([...new Set(other)].sort());
}

/** The same way that the call would take in a run: schema, then policy, then what the answers cover. */
async function outcomeOf({ policy, agents, budgets, policyTimeoutMs }: OwnPolicy, one: PolicyCase): Promise<Got> {
	const { call, principal = "somebody", tenant, session, via = "model", label, line } = one;
	const { policyTimeoutMs: patienceMs, validationTimeoutMs, argsBytesMax } = defaultLimits;
	const { agent, tool } = atLine(line, () => {
		const named = agentNamed(agents, one.agent);
		return { agent: named, tool: toolNamed(named, call) };
	});
	const provenance = atLine(line, () => provenanceOf(via));
	const used = atLine(line, () => usedIn(one, budgets));
	const limits = { bytesMax: argsBytesMax, patience: { timeoutMs: validationTimeoutMs } };
	const parsed = await canonicalArguments(tool, one.args, limits);
	if (!parsed.ok) return { verdict: "failed", roles: [], reason: parsed.message };
	const { args } = parsed;
	const facts = { agent: agent.name, principal, tenant, session, provenance, label };
	const request = requestOf(tool, { ...facts, budgets: used, args });
	const decision = await decide(policy, request, policyTimeoutMs ?? patienceMs);
	const policies = isCedarPolicy(policy) ? { policies: policy.explain(request).rules.map(({ id }) => id) } : {};
	return { ...covered(decision, one.approvals), ...policies };
}

/** Errors: `usage.invalid` where there is no such budget. */
function usedIn({ budgets: said = {} }: PolicyCase, budgets: OwnPolicy["budgets"]): BudgetsNow {
	const used = Object.entries(said).map(([name, { spent = 0, held = 0 }]) => {
		const known = budgets.find((budget) => budget.name === name);
		const names = budgets.map((budget) => budget.name).join(", ");
		if (!known) throw usageInvalid(`There is no budget ${JSON.stringify(name)}`, `Of the config: ${names || "none"}.`);
		return [name, { spent, held, max: known.max }] as const;
	});
	return budgetsWith(budgets, Object.fromEntries(used));
}

function covered(decision: Decision, approvals: readonly string[]): Got {
	const { verdict, reason } = decision;
	const why = reason === undefined ? {} : { reason };
	if (verdict !== "ask") return { verdict, roles: [], ...why };
	const roles = decision.ask?.roles ?? [];
	const missing = roles.filter((role) => !approvals.includes(role));
	const isCovered = roles.length > 0 && missing.length === 0;
	return isCovered ? { verdict: "allow", roles: [], ...why } : { verdict, roles: missing, ...why };
}

function atLine<T>(line: number, find: () => T): T {
	try {
		return find();
	} catch (error) {
		if (!isHoldpointError(error)) throw error;
		throw usageInvalid(`The case at line ${line}: ${error.message}`, error.hint);
	}
}

function shown({ verdict, roles = [] }: { readonly verdict: string; readonly roles?: readonly string[] }): string {
	return roles.length === 0 ? verdict : `${verdict} ${roles.map((role) => inlineText(role, 60)).join(" + ")}`;
}

function caseTable(results: readonly CaseResult[], { terminal }: Invocation): string[] {
	const { style, width } = terminal;
	const rows = results.map(({ isPassed, expected, got, name }) => [
		{ text: isPassed ? "✓" : "✗", colour: isPassed ? style.green : style.red },
		{ text: shown(expected) },
		{ text: shown(got) },
		{ text: inlineText(name, 200) },
	]);
	return tableLines(rows, { style, width, head: ["", "expected", "decided", "case"] });
}

function differenceLines({ name, line, expected, got }: CaseResult, file: string, { terminal }: Invocation): string[] {
	const { style } = terminal;
	const policies = (list: readonly string[] | undefined) =>
		list ? ` by ${inlineText(list.join(", ") || "none", 300)}` : "";
	return [
		`${style.red("✗")} ${style.bold(inlineText(name, 200))}  ${style.dim(`${file}:${line}`)}`,
		`  - ${shown(expected)}${policies(expected.policies)}`,
		`  + ${shown(got)}${policies(expected.policies && got.policies)}`,
		...(got.reason === undefined ? [] : [`    ${inlineText(got.reason, 400)}`]),
	];
}
