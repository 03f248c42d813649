/**
 * Makes a JSON Schema from outside safe to work with: an MCP server, a generator or a person wrote it, and a validator
 * that trusts its shape throws on `required: true`, reads `Object.prototype` for a property named `constructor`, or
 * fetches what a `$ref` names.
 *
 * 1. The result holds only keywords that we know, each of the shape that it must have, in objects without prototype.
 *    A keyword dropped for its shape is listed in `problems`; dropping one only ever makes a schema take more.
 * 2. Every `$ref` of it is a key of `parts`. Targets are resolved inside the document and nowhere else.
 * 3. Depth and size are bounded.
 */
import type { JsonSchema } from "../spec/json.ts";
import { isRecord, type SchemaNode, schemaDepthMax, schemaRefs } from "./json-schema-refs.ts";

export type CleanSchema = boolean | { readonly [keyword: string]: unknown };

export interface CleanedSchema {
	readonly root: CleanSchema;
	/** What `$ref`s name. */
	readonly parts: { readonly [name: string]: CleanSchema };
	/** Draft 7 takes `$ref` alone and ignores what stands beside it. */
	readonly draft: "7" | "2020-12";
	/** What had to be dropped, each with its place. */
	readonly problems: readonly string[];
}

export interface CleanOptions {
	/** Is `format` a rule (true) or a note (false)? */
	readonly formats: boolean;
}

const nodesMax = 20_000;
const problemsMax = 10;

export const schemaKeywords = [
	"additionalItems",
	"additionalProperties",
	"contains",
	"else",
	"if",
	"items",
	"not",
	"propertyNames",
	"then",
	"unevaluatedItems",
	"unevaluatedProperties",
] as const;
export const schemaListKeywords = ["allOf", "anyOf", "items", "oneOf", "prefixItems"] as const;
export const schemaMapKeywords = ["dependencies", "dependentSchemas", "patternProperties", "properties"] as const;

/** Left out: `url` and whatever else is no format of the standard; unknown formats are notes. */
const formats: ReadonlySet<unknown> = new Set(
	(
		"date date-time duration email hostname ipv4 ipv6 json-pointer regex relative-json-pointer time uri uri-reference " +
		"uri-template uuid"
	).split(" "),
);
const types: ReadonlySet<unknown> = new Set(["array", "boolean", "integer", "null", "number", "object", "string"]);

const isNumber = (value: unknown) => typeof value === "number";
const isStrings = (value: unknown) => Array.isArray(value) && value.every((item) => typeof item === "string");
const isPattern = (value: unknown) => typeof value === "string" && compiles(value);

const valueKeywords: Readonly<Record<string, (value: unknown) => boolean>> = {
	const: (value) => value !== undefined,
	dependentRequired: (value) => isRecord(value) && Object.values(value).every(isStrings),
	enum: (value) => Array.isArray(value) && value.length > 0,
	exclusiveMaximum: isNumber,
	exclusiveMinimum: isNumber,
	maxContains: isNumber,
	maxItems: isNumber,
	maxLength: isNumber,
	maxProperties: isNumber,
	maximum: isNumber,
	minContains: isNumber,
	minItems: isNumber,
	minLength: isNumber,
	minProperties: isNumber,
	minimum: isNumber,
	multipleOf: (value) => typeof value === "number" && value > 0,
	pattern: isPattern,
	required: isStrings,
	type: (value) =>
		types.has(value) || (Array.isArray(value) && value.length > 0 && value.every((one) => types.has(one))),
	uniqueItems: (value) => typeof value === "boolean",
};

export function cleanSchema(schema: JsonSchema, options: CleanOptions): CleanedSchema {
	const cleaner = new Cleaner(schema, options);
	const declared = schema["$schema"];
	const old = typeof declared === "string" && /draft-0[4-7]/.test(declared);
	return { root: cleaner.part(schema), parts: cleaner.parts, draft: old ? "7" : "2020-12", problems: cleaner.problems };
}

class Cleaner {
	readonly parts: Record<string, CleanSchema> = Object.create(null);
	readonly problems: string[] = [];
	readonly #names = new Map<SchemaNode, string>();
	readonly #find: (ref: string) => SchemaNode | undefined;
	readonly #formats: boolean;
	#nodes = 0;

	constructor(root: JsonSchema, options: CleanOptions) {
		this.#find = schemaRefs(root);
		this.#formats = options.formats;
	}

	/** Cleans what a `$ref` names, once, and files it under a name of our own. */
	part(target: SchemaNode, depth = 0): CleanSchema {
		const name = `p${this.#names.size}`;
		this.#names.set(target, name);
		const clean = this.#clean(target, depth, "#");
		this.parts[name] = clean;
		return clean;
	}

	#clean(node: unknown, depth: number, path: string): CleanSchema {
		if (typeof node === "boolean") return node;
		if (!isRecord(node)) return this.#drop(path, "is no schema");
		if (depth > schemaDepthMax) return this.#drop(path, `is nested deeper than ${schemaDepthMax} levels`);
		if (++this.#nodes > nodesMax) return this.#drop(path, `comes after the ${nodesMax} parts that are looked at`);
		const out: Record<string, unknown> = Object.create(null);
		this.#copyValues(node, out, path);
		this.#copyRef(node, out, { depth, path });
		this.#copySchemas(node, out, { depth: depth + 1, path });
		return node["nullable"] === true ? orNull(out) : out;
	}

	#copyValues(node: Readonly<Record<string, unknown>>, out: Record<string, unknown>, path: string): void {
		for (const keyword of Object.keys(node)) {
			const isRight = Object.hasOwn(valueKeywords, keyword) ? valueKeywords[keyword] : undefined;
			if (isRight?.(node[keyword])) out[keyword] = node[keyword];
			else if (isRight) this.#drop(`${path}/${keyword}`, "has a wrong value");
		}
		if (this.#formats && formats.has(node["format"])) out["format"] = node["format"];
	}

	#copyRef(node: Readonly<Record<string, unknown>>, out: Record<string, unknown>, at: Place): void {
		const ref = node["$ref"];
		if (ref === undefined) return;
		const target = typeof ref === "string" ? this.#find(ref) : undefined;
		if (target === undefined) {
			this.#drop(`${at.path}/$ref`, `names ${JSON.stringify(ref)?.slice(0, 200)}, which this document does not hold`);
			return;
		}
		if (!this.#names.has(target)) this.part(target, at.depth + 1);
		out["$ref"] = this.#names.get(target);
	}

	#copySchemas(node: Readonly<Record<string, unknown>>, out: Record<string, unknown>, at: Place): void {
		for (const keyword of schemaListKeywords) {
			const list = node[keyword];
			if (!Array.isArray(list)) continue;
			const path = `${at.path}/${keyword}`;
			if (list.length > 0) out[keyword] = list.map((item, i) => this.#clean(item, at.depth, `${path}/${i}`));
			else if (keyword !== "items" && keyword !== "prefixItems") this.#drop(path, "is empty");
		}
		for (const keyword of schemaKeywords) {
			const value = node[keyword];
			if (value === undefined || (keyword === "items" && Array.isArray(value))) continue;
			out[keyword] = this.#clean(value, at.depth, `${at.path}/${keyword}`);
		}
		for (const keyword of schemaMapKeywords) {
			if (node[keyword] !== undefined) this.#copyMap(keyword, node[keyword], { out, ...at });
		}
	}

	#copyMap(keyword: string, map: unknown, at: Place & { readonly out: Record<string, unknown> }): void {
		const path = `${at.path}/${keyword}`;
		if (!isRecord(map)) {
			this.#drop(path, "has a wrong value");
			return;
		}
		const copy: Record<string, unknown> = Object.create(null);
		for (const [key, value] of Object.entries(map)) {
			const place = `${path}/${key.slice(0, 60)}`;
			if (keyword === "patternProperties" && !compiles(key)) this.#drop(place, "is no regular expression");
			else if (keyword === "dependencies" && isStrings(value)) copy[key] = value;
			else copy[key] = this.#clean(value, at.depth, place);
		}
		at.out[keyword] = copy;
	}

	#drop(path: string, reason: string): true {
		if (this.problems.length < problemsMax) this.problems.push(`${path.slice(0, 300)} ${reason}`);
		return true;
	}
}

interface Place {
	readonly depth: number;
	readonly path: string;
}

/** OpenAPI 3.0's `nullable`, which many generators still write. */
function orNull(schema: CleanSchema): CleanSchema {
	return Object.assign(Object.create(null), { anyOf: [schema, Object.assign(Object.create(null), { type: "null" })] });
}

function compiles(pattern: string): boolean {
	try {
		return new RegExp(pattern, "u") instanceof RegExp;
	} catch {
		return false;
	}
}
