/** What `holdpoint policy check` and `explain` show. */
import { countOfRole } from "../../../spec/ask.ts";
import type { Decision } from "../../../spec/policy.ts";
import type { Understood } from "./compile-policies.ts";
import type { Evaluated } from "./evaluate.ts";
import type { FieldNote, FieldType } from "./field-type.ts";
import type { PolicyProblem } from "./policy-problem.ts";
import type { PolicyRule } from "./policy-rule.ts";

export interface PolicyCheck {
	/** Undefined where the policy cannot be used. */
	readonly version: string | undefined;
	readonly problems: readonly PolicyProblem[];
	readonly warnings: readonly PolicyProblem[];
	readonly rules: readonly RuleFacts[];
	readonly tools: readonly ToolFacts[];
	readonly shadow?: { readonly version: string | undefined; readonly problems: readonly PolicyProblem[] };
}

export interface RuleFacts {
	readonly id: string;
	readonly effect: "permit" | "forbid";
	/** Shape: file:line. */
	readonly place: string;
	readonly approval?: { readonly role: string; readonly count: number; readonly expiresInMs?: number };
}

export interface ToolFacts {
	readonly name: string;
	readonly agents: readonly string[];
	readonly effects: readonly string[];
	/** What a policy can name, as `context.args.<field>`. */
	readonly fields: readonly { readonly field: string; readonly type: string; readonly isOptional: boolean }[];
	readonly leftOut: readonly FieldNote[];
	readonly notes: readonly FieldNote[];
}

export interface PolicyExplanation {
	readonly version: string;
	readonly decision: Decision;
	/** The policies that determined it. Empty: none permits it. */
	readonly rules: readonly RuleFacts[];
	/** What would lift a denial or an ask, in a sentence. */
	readonly lift?: string;
}

export function factsOf({ id, effect, statement, approval }: PolicyRule): RuleFacts {
	const { role = "", count = 1, expiresInMs } = approval ?? {};
	return {
		id,
		effect,
		place: `${statement.file}:${statement.line}`,
		...(approval ? { approval: { role, count, ...(expiresInMs === undefined ? {} : { expiresInMs }) } } : {}),
	};
}

export function checkOf({ rules, schema, problems, warnings }: Understood): Omit<PolicyCheck, "version"> {
	const tools = [...schema.tools.values()].map(({ name, agents, effects, type, leftOut, notes }) => {
		return { name, agents, effects, fields: fieldsOf(type, ""), leftOut, notes };
	});
	return { problems, warnings, rules: rules.map(factsOf), tools };
}

function fieldsOf(type: FieldType, path: string): ToolFacts["fields"] {
	if (type.type !== "Record") return [];
	return Object.entries(type.attributes).flatMap(([name, attribute]) => {
		const field = path === "" ? name : `${path}.${name}`;
		const inner = attribute.type === "Record" ? fieldsOf(attribute, field) : [];
		return [{ field, type: shownType(attribute), isOptional: !attribute.required }, ...inner];
	});
}

function shownType(type: FieldType): string {
	return type.type === "Set" ? `Set<${shownType(type.element)}>` : type.type;
}

export function explanationOf(version: string, { decision, rules, remaining }: Evaluated): PolicyExplanation {
	const lift = liftOf(decision, rules, remaining);
	return { version, decision, rules: rules.map(factsOf), ...(lift === undefined ? {} : { lift }) };
}

function liftOf(decision: Decision, rules: readonly PolicyRule[], remaining: readonly PolicyRule[] | undefined) {
	if (decision.verdict === "allow") return undefined;
	if (decision.verdict === "ask") {
		const { roles = [], ...counts } = decision.ask ?? {};
		const shown = roles.map((role) => ({ role, count: countOfRole(counts, role) }));
		return `a yes of ${shown.map(({ role, count }) => (count === 1 ? role : `${count} × ${role}`)).join(" and ")}`;
	}
	if (remaining?.length === 0) return "a permit that applies to it; no approval is enough";
	const final = (remaining ?? rules).filter(({ approval }) => !approval || remaining);
	if (final.length === 0) return undefined;
	return `nothing but a change of ${final.map(({ id }) => id).join(", ")}, or other arguments`;
}
