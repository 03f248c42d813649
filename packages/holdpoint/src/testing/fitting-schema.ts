import type { Json, JsonObject, JsonSchema } from "../spec/json.ts";

/** A whole number from 0 up to, and without, `below`. */
export type Choose = (below: number) => number;

/**
 * Any JSON Schema that the value fits, of every shape that a generator or a person writes: for property tests of what
 * must never refuse a valid value.
 */
export function fittingSchema(value: Json, choose: Choose): JsonSchema {
	const $defs: Record<string, JsonSchema> = {};
	const schema = fitting(value, { choose, $defs, depth: 0 });
	return { ...schema, ...(Object.keys($defs).length > 0 ? { $defs } : {}) };
}

interface Making {
	readonly choose: Choose;
	readonly $defs: Record<string, JsonSchema>;
	readonly depth: number;
}

const strangers: readonly JsonSchema[] = [
	{ type: "null" },
	{ type: "integer", minimum: 1_000 },
	{ type: "object", properties: { zip: { type: "string" } }, required: ["zip"], additionalProperties: false },
	{ type: "array", items: { type: "boolean" }, minItems: 3 },
	{ enum: ["x", 7] },
];

function fitting(value: Json, making: Making): JsonSchema {
	const { choose } = making;
	const inner = { ...making, depth: making.depth + 1 };
	switch (making.depth > 3 ? 9 : choose(12)) {
		case 0:
			return {};
		case 1:
			return { const: value };
		case 2:
			return { enum: [null, value, "other"] };
		case 3:
			return { anyOf: shuffled([fitting(value, inner), strangers[choose(strangers.length)] ?? {}], choose) };
		case 4:
			return { allOf: [fitting(value, inner), fitting(value, inner)] };
		case 5: {
			const name = `d${Object.keys(making.$defs).length}`;
			making.$defs[name] = {};
			making.$defs[name] = fitting(value, inner);
			return { $ref: `#/$defs/${name}`, description: "a part */ of it" };
		}
		default:
			return { ...typed(value, inner), ...(choose(6) === 0 ? { description: "text", nullable: true } : {}) };
	}
}

function typed(value: Json, making: Making): JsonSchema {
	const type = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
	const base: JsonSchema = making.choose(8) === 0 ? {} : { type: making.choose(5) === 0 ? [type, "null"] : type };
	if (Array.isArray(value)) return { ...base, ...arrayRules(value, making) };
	if (typeof value === "object" && value !== null) return { ...base, ...objectRules(value as JsonObject, making) };
	if (typeof value === "string") return { ...base, maxLength: [...value].length, pattern: "^[^]*$" };
	if (typeof value === "number") return { ...base, minimum: value, exclusiveMaximum: value + 1 + Math.abs(value) };
	return base;
}

function arrayRules(value: readonly Json[], making: Making): JsonSchema {
	const { choose } = making;
	if (choose(2) === 0) return { prefixItems: value.map((item) => fitting(item, making)), items: false };
	const [first] = value;
	const alike = first !== undefined && value.every((item) => JSON.stringify(item) === JSON.stringify(first));
	return { minItems: value.length - choose(2), ...(alike ? { items: fitting(first, making) } : {}) };
}

function objectRules(value: JsonObject, making: Making): JsonSchema {
	const { choose } = making;
	const names = Object.keys(value);
	const told = names.filter(() => choose(4) > 0);
	const entries = told.map((name) => [name, fitting(value[name] ?? null, making)] as const);
	return {
		properties: Object.fromEntries([...entries, ["never", { type: "string" }]]),
		...(choose(3) > 0 ? { required: names.filter(() => choose(2) === 0) } : {}),
		...(told.length === names.length && choose(2) === 0 ? { additionalProperties: false } : {}),
		...(choose(4) === 0 ? { patternProperties: { "^zzz": { type: "null" } } } : {}),
		...(choose(4) === 0 ? { propertyNames: {}, minProperties: names.length } : {}),
	};
}

function shuffled<T>(items: readonly T[], choose: Choose): T[] {
	return choose(2) === 0 ? [...items] : items.toReversed();
}
