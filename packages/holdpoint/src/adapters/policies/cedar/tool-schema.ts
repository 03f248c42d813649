/**
 * The Cedar schema of everything that the known agents can call: one action for each tool, with typed arguments.
 *
 * Agents and roles are enumerated types, so that a policy that misspells one fails when it is validated.
 */
import type { StandardJSONSchemaV1 } from "@standard-schema/spec";
import { isRecord } from "../../../kit/json-schema-refs.ts";
import type { Budget } from "../../../spec/budget.ts";
import type { JsonSchema } from "../../../spec/json.ts";
import type { GovernedAgent } from "../../../spec/policy.ts";
import type { Tool } from "../../../spec/tool.ts";
import type { SchemaJson } from "./engine.ts";
import { type Arguments, argumentsOf, type FieldNote, type RecordType } from "./field-type.ts";

export interface ToolSchema {
	readonly json: SchemaJson<string>;
	readonly tools: ReadonlyMap<string, GovernedTool>;
	readonly agents: readonly string[];
	/** Whether the schema was made of this very tool of this agent. */
	isKnown(agent: string, tool: { readonly name: string; readonly version: string }): boolean;
	/** The same, where calls of other tools are told of no budgets. */
	withBudgetsFor(isRead: (tool: string) => boolean): ToolSchema;
}

/** What a schema is made of. */
export interface Governed {
	readonly agents: readonly GovernedAgent[];
	readonly roles: readonly string[];
	readonly budgets: readonly Pick<Budget, "name">[];
	/** Whether they are kept. */
	readonly labels: boolean;
}

export interface GovernedTool extends Arguments {
	readonly name: string;
	readonly effects: readonly string[];
	readonly agents: readonly string[];
	/** Of `context`, but for the approvals. */
	readonly context: RecordType;
}

export const actionOf = (tool: string): string => `call:${tool}`;

const text = { type: "String", required: true } as const;
const texts = { type: "Set", element: { type: "String" }, required: true } as const;
const flag = { type: "Boolean", required: true } as const;
const number = { type: "Long", required: true } as const;
const optional = { required: false } as const;

/** What every call has, beside its arguments. */
const facts: RecordType["attributes"] = {
	user: text,
	tenant: { ...text, ...optional },
	session: { ...text, ...optional },
	depth: number,
	provenance: { type: "Record", attributes: { via: text, path: texts }, required: true },
	tool: {
		type: "Record",
		attributes: {
			name: text,
			version: text,
			effect: text,
			tags: texts,
			integrity: text,
			readers: texts,
			audience: texts,
			declassifies: flag,
		},
		required: true,
	},
};

/** What whoever made the call had read. */
const label = {
	type: "Record",
	attributes: { untrusted: flag, assumed: flag, readers: { ...texts, ...optional } },
	required: true,
} as const;

/** How one budget stands: whole numbers, in the unit of what it counts. */
const budgetNow = { type: "Record", attributes: { spent: number, held: number, max: number }, required: true } as const;

export function toolSchema({ agents, roles, budgets, labels }: Governed): ToolSchema {
	const uses = new Map<string, { readonly agent: string; readonly tool: Tool }[]>();
	for (const agent of agents) {
		for (const tool of agent.tools) {
			const known = uses.get(tool.name);
			if (known) known.push({ agent: agent.name, tool });
			else uses.set(tool.name, [{ agent: agent.name, tool }]);
		}
	}
	// Names that begin so are Cedar's own, and would be read as something else.
	const speakable = budgets.filter(({ name }) => !name.startsWith("__"));
	const named = Object.fromEntries(speakable.map(({ name }) => [name, budgetNow]));
	// Where they are not kept, a rule about them would hold of no call: it is an error instead.
	const kept = labels ? { label } : {};
	const shared: RecordType["attributes"] = {
		...facts,
		...kept,
		budgets: { type: "Record", attributes: named, required: true },
	};
	const tools = new Map([...uses].map(([name, all]) => [name, governedTool(name, all, shared)]));
	const known = new Map(
		agents.map((agent) => [agent.name, new Map(agent.tools.map((tool) => [tool.name, tool.version]))]),
	);
	const names = agents.map((agent) => agent.name);
	const of = (some: ToolSchema["tools"]): ToolSchema => ({
		json: schemaJson([...some.values()], names, roles),
		tools: some,
		agents: names,
		isKnown: (agent, { name, version }) => known.get(agent)?.get(name) === version,
		withBudgetsFor: (isRead) =>
			of(new Map([...some].map(([name, tool]) => [name, isRead(name) ? tool : withoutBudgets(tool)]))),
	});
	return of(tools);
}

function withoutBudgets(tool: GovernedTool): GovernedTool {
	const { budgets: _, ...attributes } = tool.context.attributes;
	return { ...tool, context: { type: "Record", attributes } };
}

function schemaJson(tools: readonly GovernedTool[], agents: readonly string[], roles: readonly string[]) {
	const approvals = { type: "Set", element: { type: "Entity", name: "H::Role" }, required: true };
	const actions = tools.map(({ name, context }) => [
		actionOf(name),
		{
			appliesTo: {
				principalTypes: ["Agent"],
				resourceTypes: ["Tenant"],
				context: { type: "Record", attributes: { ...context.attributes, approvals } },
			},
		},
	]);
	const entityTypes = { Agent: oneOf(agents), Role: oneOf(roles), Tenant: {} };
	return { H: { entityTypes, actions: Object.fromEntries(actions) } } as SchemaJson<string>;
}

/** An enumeration has at least one name; none is ever this one. */
function oneOf(names: readonly string[]): { readonly enum: string[] } {
	return { enum: names.length > 0 ? [...new Set(names)].sort() : ["(none)"] };
}

function governedTool(
	name: string,
	uses: readonly { readonly agent: string; readonly tool: Tool }[],
	facts: RecordType["attributes"],
): GovernedTool {
	const different = [...new Map(uses.map(({ tool }) => [JSON.stringify(schemaOf(tool)), tool])).values()];
	const shared = different.map((tool) => argumentsOf(schemaOf(tool))).reduce(inBoth);
	return {
		...shared,
		name,
		effects: [...new Set(uses.map(({ tool }) => tool.effect))],
		agents: uses.map(({ agent }) => agent),
		context: {
			type: "Record",
			attributes: {
				...facts,
				args: { ...shared.type, required: true },
			},
		},
	};
}

/** What the schema makes of the arguments is what is decided, where it can say so; otherwise what goes into it. */
function schemaOf({ input, inputSchema }: Tool): JsonSchema {
	const { jsonSchema } = input["~standard"] as Partial<StandardJSONSchemaV1.Props>;
	try {
		const output = jsonSchema?.output({ target: "draft-2020-12" });
		return isRecord(output) ? (output as JsonSchema) : inputSchema;
	} catch {
		return inputSchema;
	}
}

/** Agents may have different tools of one name: a policy for that name can speak of what they have in common. */
function inBoth(one: Arguments, other: Arguments): Arguments {
	const left: FieldNote[] = [];
	const attributes: [string, RecordType["attributes"][string]][] = [];
	const names = new Set([...Object.keys(one.type.attributes), ...Object.keys(other.type.attributes)]);
	for (const name of names) {
		const [a, b] = [one, other].map(({ type }) =>
			Object.hasOwn(type.attributes, name) ? type.attributes[name] : undefined,
		);
		const isSame = a && b && JSON.stringify({ ...a, ...optional }) === JSON.stringify({ ...b, ...optional });
		if (isSame) attributes.push([name, { ...a, required: a.required && b.required }]);
		else left.push({ field: name, why: "agents have different tools of this name, and this field is not the same" });
	}
	return {
		type: { type: "Record", attributes: Object.fromEntries(attributes) },
		leftOut: [...one.leftOut, ...other.leftOut, ...left],
		notes: [...one.notes, ...other.notes],
	};
}
