/**
 * What Cedar can express of a tool's arguments. Cedar has texts, 64-bit integers, booleans, sets and records: no
 * fractions, no null, no unions, no free-form maps, and no lists with an order. What it cannot express is left out, by
 * name and with the reason, so that a policy that needs it fails when it is validated and not when it is evaluated.
 */
import { isRecord, isSchemaNode, type SchemaNode, schemaRefs } from "../../../kit/json-schema-refs.ts";
import type { JsonSchema } from "../../../spec/json.ts";

/** As in Cedar's JSON schema format. */
export type FieldType = ScalarType | SetType | RecordType;
export interface ScalarType {
	readonly type: "String" | "Long" | "Boolean";
}
export interface SetType {
	readonly type: "Set";
	readonly element: FieldType;
}
export interface RecordType {
	readonly type: "Record";
	readonly attributes: { readonly [name: string]: FieldType & { readonly required: boolean } };
}

/** A field that no policy can name, or not in every respect. */
export interface FieldNote {
	/** Shape: a path such as `customer.address`. */
	readonly field: string;
	readonly why: string;
}

export interface Arguments {
	readonly type: RecordType;
	readonly leftOut: readonly FieldNote[];
	/** Expressed, but not wholly. */
	readonly notes: readonly FieldNote[];
}

const depthMax = 32;

export function argumentsOf(schema: JsonSchema): Arguments {
	const walk: Walk = { resolve: schemaRefs(schema), leftOut: [], notes: [] };
	const found = typeOf(schema, { walk, path: "", refs: [], depth: 0 });
	const { leftOut, notes } = walk;
	if (typeof found !== "string" && found.type === "Record") return { type: found, leftOut, notes };
	const why = typeof found === "string" ? found : "the arguments are no object";
	return { type: { type: "Record", attributes: {} }, leftOut: [{ field: "(all)", why }], notes: [] };
}

interface Walk {
	readonly resolve: (ref: string) => SchemaNode | undefined;
	readonly leftOut: FieldNote[];
	readonly notes: FieldNote[];
}

interface Place {
	readonly walk: Walk;
	readonly path: string;
	/** References on the way here. */
	readonly refs: readonly string[];
	readonly depth: number;
}

/** The type, or why there is none. */
function typeOf(node: SchemaNode, place: Place): FieldType | string {
	if (typeof node === "boolean") return "anything";
	if (place.depth >= depthMax) return `nested deeper than ${depthMax} levels`;
	const { type } = node;
	if (Array.isArray(type)) return type.includes("null") ? "it may be null" : "a union of types";
	if (typeof type === "string") return typeNamed(type, node, place);
	const values = "const" in node ? [node["const"]] : node["enum"];
	if (Array.isArray(values)) return typeOfValues(values);
	if (typeof node["$ref"] === "string") return typeReferred(node["$ref"], place);
	if ("anyOf" in node || "oneOf" in node) return "a union of types (null may be one of them)";
	return "allOf" in node ? "a combination of schemas" : "anything";
}

function typeNamed(type: string, node: JsonSchema, place: Place): FieldType | string {
	switch (type) {
		case "string":
			return { type: "String" };
		case "boolean":
			return { type: "Boolean" };
		case "integer":
			return { type: "Long" };
		case "number":
			return isWhole(node) ? { type: "Long" } : "a number that may be fractional; use whole minor units (integer)";
		case "array":
			return setType(node, place);
		case "object":
			return recordType(node, place);
		default:
			return `the type ${type}`;
	}
}

function isWhole({ multipleOf, enum: values }: JsonSchema): boolean {
	if (Array.isArray(values)) return values.every((value) => Number.isSafeInteger(value));
	return Number.isSafeInteger(multipleOf) && multipleOf !== 0;
}

function typeOfValues(values: readonly unknown[]): FieldType | string {
	if (values.length > 0 && values.every((value) => typeof value === "string")) return { type: "String" };
	if (values.length > 0 && values.every((value) => Number.isSafeInteger(value))) return { type: "Long" };
	if (values.length > 0 && values.every((value) => typeof value === "boolean")) return { type: "Boolean" };
	return "values of several types";
}

function typeReferred(ref: string, place: Place): FieldType | string {
	if (place.refs.includes(ref)) return "it contains itself";
	const target = place.walk.resolve(ref);
	if (target === undefined) return `the reference ${ref} names nothing`;
	return typeOf(target, { ...place, refs: [...place.refs, ref], depth: place.depth + 1 });
}

function setType(node: JsonSchema, place: Place): FieldType | string {
	const { items } = node;
	if ("prefixItems" in node || Array.isArray(items)) return "a tuple";
	if (!isSchemaNode(items)) return "a list of anything";
	const element = typeOf(items as SchemaNode, { ...place, path: `${place.path}[]`, depth: place.depth + 1 });
	if (typeof element === "string") return `a list of what Cedar cannot express: ${element}`;
	place.walk.notes.push({ field: place.path, why: "a set: order and repetitions are not seen" });
	return { type: "Set", element };
}

function recordType(node: JsonSchema, place: Place): FieldType | string {
	const { properties, required = [] } = node;
	if (!isRecord(properties)) {
		const isClosed = node["additionalProperties"] === false && place.path === "";
		return isClosed ? { type: "Record", attributes: {} } : "a free-form map";
	}
	const attributes: [string, FieldType & { required: boolean }][] = [];
	for (const [name, property] of Object.entries(properties)) {
		const path = place.path === "" ? name : `${place.path}.${name}`;
		const type = propertyType(name, property, { ...place, path, depth: place.depth + 1 });
		if (typeof type === "string") place.walk.leftOut.push({ field: path, why: type });
		else attributes.push([name, { ...type, required: Array.isArray(required) && required.includes(name) }]);
	}
	if ("patternProperties" in node || node["additionalProperties"] !== false) {
		place.walk.notes.push({ field: place.path || "(all)", why: "keys beside the named ones are not seen" });
	}
	return { type: "Record", attributes: Object.fromEntries(attributes) };
}

function propertyType(name: string, property: unknown, place: Place): FieldType | string {
	// Cedar's JSON reads `__entity` and `__extn` as something else than a field.
	if (name.startsWith("__")) return "names that begin with __ are Cedar's own";
	if (!name.isWellFormed()) return "its name is no valid Unicode";
	return isSchemaNode(property) ? typeOf(property as SchemaNode, place) : "no schema";
}
