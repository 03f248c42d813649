import { reasonOf } from "../../../kit/reason-of.ts";
import { fixedLimits } from "../../../spec/limits.ts";
import { liftProblem } from "./approval-lift.ts";
import type { CedarEngine, PolicyJson } from "./engine.ts";
import { type PolicyProblem, problemAt, problemIn, type Statement } from "./policy-problem.ts";
import { actionOf } from "./tool-schema.ts";

/** One policy, as far as it can be understood without the tools. */
export interface PolicyRule {
	readonly id: string;
	readonly effect: "permit" | "forbid";
	readonly statement: Statement;
	/** Who can lift it; undefined: nobody. */
	readonly approval: RuleApproval | undefined;
	readonly json: PolicyJson;
}

export interface RuleApproval {
	readonly role: string;
	readonly count: number;
	/** Units: milliseconds. */
	readonly expiresInMs: number | undefined;
}

/** What annotations may be called: one that is misspelt would be one that says nothing. */
const annotationNames: ReadonlySet<string> = new Set(["id", "description", "approval", "count", "ttl"]);

/** The rule, or everything that is wrong with it. */
export function policyRule(engine: CedarEngine, statement: Statement): PolicyRule | readonly PolicyProblem[] {
	let answer: ReturnType<CedarEngine["policyToJson"]>;
	try {
		answer = engine.policyToJson(statement.text);
	} catch (error) {
		return [problemIn(statement, `Cedar cannot read it: ${reasonOf(error)}`)];
	}
	if (answer.type === "failure") {
		const clean = (message: string) => message.replace(/^failed to parse policy (with id `[^`]*` )?from string: /, "");
		return answer.errors.map((error) => problemAt(statement, { ...error, message: clean(error.message) }));
	}
	const { json } = answer;
	const annotations = json.annotations ?? {};
	const { file, line, column } = statement;
	const id = annotations["id"] ?? `${file}:${line}${column === 1 ? "" : `:${column}`}`;
	const problems = annotationProblems(json).map((message) => problemIn(statement, message, id));
	if (problems.length > 0) return problems;
	const role = annotations["approval"];
	const approval =
		role === undefined
			? undefined
			: { role, count: Number(annotations["count"] ?? 1), expiresInMs: durationOf(annotations["ttl"]) };
	return { id, effect: json.effect, statement, approval, json };
}

/** Whether it may apply to calls of this tool. */
export function concernsTool({ json: { action } }: PolicyRule, tool: string): boolean {
	return action.op === "All" || JSON.stringify(action).includes(JSON.stringify(actionOf(tool)));
}

/** Whether a decision by it may rest on how budgets stand. */
export function readsBudgets({ json }: PolicyRule): boolean {
	return looksAtBudgets(json.conditions);
}

/** Whatever is done with `context` but to name another field of it. */
function looksAtBudgets(part: unknown): boolean {
	if (typeof part !== "object" || part === null) return false;
	const { ".": access, has = access, Var } = part as { readonly [operator: string]: Access | string | undefined };
	if (Var === "context") return true;
	if (typeof has === "object" && isContext(has.left)) return has.attr === undefined || has.attr === "budgets";
	return Object.values(part).some(looksAtBudgets);
}

interface Access {
	readonly left?: { readonly Var?: string };
	readonly attr?: string;
}

function isContext(left: Access["left"]): boolean {
	return left?.Var === "context";
}

function annotationProblems(json: PolicyJson): string[] {
	const annotations: Readonly<Record<string, string | null>> = json.annotations ?? {};
	const { approval, count, ttl, id } = annotations;
	const problems = Object.keys(annotations)
		.filter((name) => !annotationNames.has(name))
		.map(
			(name) => `there is no annotation @${name}; there are ${[...annotationNames].map((one) => `@${one}`).join(", ")}`,
		);
	if (id === "" || id === null) problems.push("its @id is empty");
	if (approval === undefined) {
		if (count !== undefined) problems.push("@count stands without @approval, which it counts");
		if (ttl !== undefined) problems.push("@ttl stands without @approval, whose time it limits");
		return problems;
	}
	if (json.effect === "permit") problems.push("@approval belongs on a forbid: it says who can lift it");
	if (!approval) problems.push('@approval names no role; such as @approval("manager")');
	else if (json.effect === "forbid") problems.push(...[liftProblem(json, approval)].filter((one) => one !== undefined));
	if (count !== undefined && !isCount(count)) {
		problems.push(`@count is ${shown(count)}; it is a whole number of people, at most ${fixedLimits.askPeopleMax}`);
	}
	if (ttl !== undefined && durationOf(ttl) === undefined) {
		problems.push(`@ttl is ${shown(ttl)}; it is a time such as "30m", "72h" or "7d"`);
	}
	return problems;
}

const shown = (value: string | null): string => JSON.stringify(value ?? "").slice(0, 80);

function isCount(text: string | null): boolean {
	return /^[1-9]\d{0,8}$/.test(text ?? "") && Number(text) <= fixedLimits.askPeopleMax;
}

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `72h` in milliseconds; undefined where it is no time, or longer than an ask may be open. */
export function durationOf(text: string | null | undefined): number | undefined {
	const [, number = "", unit = ""] = /^([1-9]\d{0,8})(s|m|h|d)$/.exec(text ?? "") ?? [];
	const ms = Number(number) * (unitMs[unit] ?? 0);
	return ms > 0 && ms <= fixedLimits.askExpiryMsMax ? ms : undefined;
}
