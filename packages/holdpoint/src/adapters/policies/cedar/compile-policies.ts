/**
 * From texts and tools to a set of policies that can decide, or to the list of everything that is wrong with them.
 *
 * Invariant: what is compiled was validated, strictly, against the schema that its requests are validated against. Cedar
 * skips a policy that fails while it is evaluated, so that a `forbid` that reads a missing argument would forbid nothing.
 */
import { digest } from "../../../kit/digest.ts";
import type { CedarEngine } from "./engine.ts";
import { type PolicyProblem, problemAt, problemIn } from "./policy-problem.ts";
import { concernsTool, type PolicyRule, policyRule, readsBudgets } from "./policy-rule.ts";
import type { PolicyText } from "./policy-source.ts";
import { splitPolicies } from "./split-policies.ts";
import { type Governed, type ToolSchema, toolSchema } from "./tool-schema.ts";

/** Part of every set, and shown like any other: tools that change only the run's own journal. */
export const internalPermit: PolicyText = {
	name: "holdpoint",
	text: '@id("holdpoint-internal")\npermit(principal, action, resource)\nwhen { context.tool.effect == "internal" };\n',
};

export interface CompiledPolicies {
	readonly engine: CedarEngine;
	readonly version: string;
	readonly rules: ReadonlyMap<string, PolicyRule>;
	readonly schema: ToolSchema;
	/** Under which name the engine has the set, and its schema. */
	readonly slot: string;
}

export interface Compiling extends Omit<Governed, "roles"> {
	readonly engine: CedarEngine;
	readonly texts: readonly PolicyText[];
	/** Undefined: those that the policies ask for. */
	readonly roles: readonly string[] | undefined;
	readonly slot: string;
}

export interface Understood {
	readonly rules: readonly PolicyRule[];
	readonly schema: ToolSchema;
	readonly problems: readonly PolicyProblem[];
	/** What Cedar finds odd, but can decide by. */
	readonly warnings: readonly PolicyProblem[];
}

/** Either what can decide, or problems; never both. */
export function compilePolicies(compiling: Compiling): CompiledPolicies | readonly PolicyProblem[] {
	const { engine, texts, slot } = compiling;
	const { rules, schema: whole, problems } = understand(compiling);
	if (problems.length > 0) return problems;
	// What no policy reads is not sent: it costs nothing, and no decision that is remembered depends on it.
	const readers = rules.filter(readsBudgets);
	const schema = whole.withBudgetsFor((tool) => readers.some((rule) => concernsTool(rule, tool)));
	const staticPolicies = Object.fromEntries(rules.map((rule) => [rule.id, rule.statement.text]));
	const answers = [engine.preparseSchema(slot, schema.json), engine.preparsePolicySet(slot, { staticPolicies })];
	const failed = answers.flatMap((answer) => (answer.type === "failure" ? answer.errors : []));
	if (failed.length > 0) return failed.map(({ message }) => ({ file: texts[0]?.name ?? "policy", message }));
	const all = JSON.stringify([rules.map((rule) => [rule.id, rule.statement.text]), schema.json]);
	const version = `cedar:${digest(all).slice(0, 12)}`;
	return { engine, version, rules: new Map(rules.map((rule) => [rule.id, rule])), schema, slot };
}

/** Reads and validates. Nothing is kept in the engine. */
export function understand({ engine, texts, agents, roles, budgets, labels }: Omit<Compiling, "slot">): Understood {
	const found = [internalPermit, ...texts]
		.flatMap(({ name, text }) => splitPolicies(name, text))
		.map((statement) => policyRule(engine, statement));
	const rules = found.filter((one) => !Array.isArray(one)) as PolicyRule[];
	const problems = found.flatMap((one) => (Array.isArray(one) ? (one as readonly PolicyProblem[]) : []));
	if (found.length === 1) {
		const places = texts.map(({ name }) => name).join(", ");
		problems.push({
			file: places || "policy",
			message: "there is no policy in it, so that everything would be denied",
		});
	}
	const asked = rules.flatMap(({ approval }) => approval?.role ?? []);
	const schema = toolSchema({ agents, roles: roles ?? asked, budgets, labels });
	problems.push(...ruleProblems(rules, roles));
	if (problems.length > 0) return { rules, schema, problems: problems.toSorted(byPlace), warnings: [] };
	return { rules, schema, ...validated(engine, rules, schema) };
}

function byPlace(one: PolicyProblem, other: PolicyProblem): number {
	if (one.file !== other.file) return one.file < other.file ? -1 : 1;
	return (one.line ?? 0) - (other.line ?? 0) || (one.column ?? 0) - (other.column ?? 0);
}

function ruleProblems(rules: readonly PolicyRule[], roles: readonly string[] | undefined): PolicyProblem[] {
	const firsts = new Map<string, PolicyRule>();
	return rules.flatMap((rule) => {
		const { id, statement, approval } = rule;
		const problems: PolicyProblem[] = [];
		const first = firsts.get(id);
		if (first) {
			const place = `${first.statement.file}:${first.statement.line}`;
			problems.push(problemIn(statement, `another policy has this id, at ${place}`, id));
		} else firsts.set(id, rule);
		if (approval && roles && !roles.includes(approval.role)) {
			const known = roles.length > 0 ? roles.slice(0, 20).join(", ") : "none";
			problems.push(problemIn(statement, `there is no role ${JSON.stringify(approval.role)}; there are: ${known}`, id));
		}
		return problems;
	});
}

type Found = Pick<Understood, "problems" | "warnings">;

function validated(engine: CedarEngine, rules: readonly PolicyRule[], schema: ToolSchema): Found {
	const staticPolicies = Object.fromEntries(rules.map((rule) => [rule.id, rule.statement.text]));
	const answer = engine.validate({
		schema: schema.json,
		policies: { staticPolicies },
		validationSettings: { mode: "strict" },
	});
	if (answer.type === "failure") {
		return { problems: answer.errors.map(({ message }) => ({ file: "policy", message })), warnings: [] };
	}
	const ruleOf = new Map(rules.map((rule) => [rule.id, rule]));
	const located = ({ policyId, error }: (typeof answer.validationErrors)[number]): PolicyProblem => {
		const rule = ruleOf.get(policyId);
		if (!rule) return { file: "policy", policy: policyId, message: error.message };
		const problem = problemAt(rule.statement, error, policyId);
		return { ...problem, message: problem.message + noteFor(problem.message, schema) };
	};
	// A policy that can never apply protects nothing, whatever its author meant. Where there are no tools, none can.
	const [impossible, odd] = [true, false].map((wanted) =>
		answer.validationWarnings.filter(({ error }) => error.message.includes("policy is impossible") === wanted),
	);
	const pointless = schema.tools.size > 0 ? (impossible ?? []) : [];
	const wrong = answer.validationErrors.length > 0 ? answer.validationErrors : pointless;
	const isShipped = ({ policyId }: { readonly policyId: string }) =>
		ruleOf.get(policyId)?.statement.file === internalPermit.name;
	return {
		problems: wrong
			.filter((one) => !isShipped(one))
			.map(located)
			.toSorted(byPlace),
		warnings: (odd ?? []).filter((one) => !isShipped(one)).map(located),
	};
}

/** What is there, but not here, or not for Cedar, is not what was misspelt. */
function noteFor(message: string, { tools, agents }: ToolSchema): string {
	if (message.includes("unrecognized action") || message.includes("`H::Agent::")) {
		return `; known are the tools of ${agents.join(", ") || "no agent"}: an agent that comes later belongs in createHarness({ agents })`;
	}
	if (message.includes("attribute `label` in context")) {
		return "; labels are not kept here, so that it would hold of no call: createHarness({ labels: true })";
	}
	const [, path, action] = /attribute `args\.([^`]+)` in context for H::Action::"call:([^"]+)"/.exec(message) ?? [];
	const found = tools.get(action ?? "")?.leftOut.find(({ field }) => field === path || path?.startsWith(`${field}.`));
	return found ? `; ${found.field} is left out, because Cedar cannot express it: ${found.why}` : "";
}
