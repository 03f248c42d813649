/** Makes up a value for a JSON Schema: the plainest one that most likely fits. */
import type { Json, JsonObject, JsonSchema } from "../spec/json.ts";
import { isJsonObject } from "../spec/json.ts";

const depthMax = 8;

/** Undefined: none was found. Whoever uses it checks that it fits. */
export function sampleOf(schema: JsonSchema): Json | undefined {
	return sample(schema, { root: schema, depth: 0 });
}

interface Place {
	readonly root: JsonSchema;
	readonly depth: number;
}

function sample(schema: Json | undefined, place: Place): Json | undefined {
	if (schema === true || schema === undefined) return null;
	if (!isJsonObject(schema) || place.depth > depthMax) return undefined;
	const { const: only, enum: list, default: usual, examples, $ref, allOf } = schema;
	if (only !== undefined) return only;
	if (usual !== undefined) return usual;
	if (Array.isArray(examples) && examples[0] !== undefined) return examples[0] as Json;
	if (Array.isArray(list)) return list[0] as Json | undefined;
	const inner = { ...place, depth: place.depth + 1 };
	if (typeof $ref === "string") return sample(named(place.root, $ref), inner);
	for (const choices of [schema["anyOf"], schema["oneOf"]]) {
		if (!Array.isArray(choices)) continue;
		for (const choice of choices) {
			const made = sample(choice as Json, inner);
			if (made !== undefined) return made;
		}
	}
	if (Array.isArray(allOf))
		return sample(Object.assign({}, schema, { allOf: undefined }, ...allOf) as JsonSchema, inner);
	return typed(schema, inner);
}

function named(root: JsonSchema, ref: string): Json | undefined {
	if (!ref.startsWith("#")) return undefined;
	let found: Json | undefined = root;
	for (const part of ref.slice(1).split("/").slice(1)) {
		const name = decoded(part)?.replaceAll("~1", "/").replaceAll("~0", "~");
		if (name === undefined) return undefined;
		found = isJsonObject(found) && Object.hasOwn(found, name) ? found[name] : undefined;
	}
	return found;
}

function decoded(part: string): string | undefined {
	try {
		return decodeURIComponent(part);
	} catch {
		return undefined;
	}
}

function typed(schema: JsonObject, place: Place): Json | undefined {
	const { type } = schema;
	const one = Array.isArray(type) ? type[0] : (type ?? (schema["properties"] ? "object" : undefined));
	switch (one) {
		case "object":
			return objectOf(schema, place);
		case "array":
			return arrayOf(schema, place);
		case "string":
			return "x".repeat(Math.min(numberIn(schema, "minLength") ?? 0, 1_000));
		case "integer":
		case "number":
			return numeric(schema, one);
		case "boolean":
			return false;
		case "null":
		case undefined:
			return null;
		default:
			return undefined;
	}
}

function numberIn(schema: JsonObject, name: string): number | undefined {
	const value = schema[name];
	return typeof value === "number" ? value : undefined;
}

function numeric(schema: JsonObject, type: "integer" | "number"): number {
	const above = numberIn(schema, "exclusiveMinimum");
	const least = Math.max(
		numberIn(schema, "minimum") ?? Number.NEGATIVE_INFINITY,
		above === undefined ? Number.NEGATIVE_INFINITY : above + 1,
	);
	const most = Math.min(
		numberIn(schema, "maximum") ?? Number.POSITIVE_INFINITY,
		(numberIn(schema, "exclusiveMaximum") ?? Number.POSITIVE_INFINITY) - 1,
	);
	const near = Math.min(Math.max(0, least), most);
	return type === "integer" ? Math.ceil(near) : near;
}

function objectOf(schema: JsonObject, place: Place): Json | undefined {
	const { properties, required } = schema;
	const made: Record<string, Json> = {};
	for (const name of Array.isArray(required) ? required : []) {
		if (typeof name !== "string" || name === "__proto__") return undefined;
		const value = sample(isJsonObject(properties) ? properties[name] : undefined, place);
		if (value === undefined) return undefined;
		made[name] = value;
	}
	return made;
}

function arrayOf(schema: JsonObject, place: Place): Json | undefined {
	const count = Math.min(numberIn(schema, "minItems") ?? 0, 100);
	if (count === 0) return [];
	const item = sample(schema["items"], place);
	return item === undefined ? undefined : Array<Json>(count).fill(item);
}
