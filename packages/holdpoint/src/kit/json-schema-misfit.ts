/**
 * Why a value does not fit: one descent over value and schema together, for values that are known wholly or in part.
 *
 * 1. An oracle judges what is wholly known; this file only finds where and why, so it never accuses a valid value.
 * 2. What is not known fits everything.
 * 3. Issues and steps are bounded; whoever runs out of steps says less, never more.
 */
import type { CleanedSchema, CleanSchema } from "./json-schema-clean.ts";
import { isWhollyKnown, jsonTypeOf, type MaybeJson, PartialArray, PartialObject } from "./maybe-json.ts";

export interface SchemaIssue {
	readonly path: readonly (string | number)[];
	/** The rule that was broken. */
	readonly keyword: string;
	readonly message: string;
}

/** Is this value, which is wholly known, valid? */
export type Oracle = (value: unknown, schema: CleanSchema) => boolean;

export interface MisfitTools {
	readonly schema: CleanedSchema;
	readonly oracle: Oracle;
}

type SchemaObject = Exclude<CleanSchema, boolean>;
type Path = readonly (string | number)[];

const issuesMax = 20;
const stepsMax = 5_000;

/** Empty where the value fits, or may fit. */
export function explainMisfit(value: MaybeJson, tools: MisfitTools): readonly SchemaIssue[] {
	return new Search(tools).explain(value, tools.schema.root, []).slice(0, issuesMax);
}

class Search {
	readonly #schema: CleanedSchema;
	readonly #oracle: Oracle;
	#steps = 0;

	constructor(tools: MisfitTools) {
		this.#schema = tools.schema;
		this.#oracle = tools.oracle;
	}

	explain(value: MaybeJson, schema: CleanSchema, path: Path): SchemaIssue[] {
		if (schema === true || jsonTypeOf(value) === "unknown") return [];
		if (schema === false) return [{ path, keyword: "false", message: "nothing is allowed here" }];
		const known = isWhollyKnown(value);
		if (known && this.#oracle(value, schema)) return [];
		if (++this.#steps > stepsMax) return known ? [misfit(path)] : [];
		const issues = this.#reasons(value, schema, path);
		return issues.length === 0 && known ? [misfit(path)] : issues;
	}

	#reasons(value: MaybeJson, schema: SchemaObject, path: Path): SchemaIssue[] {
		const ref = schema["$ref"];
		const issues: SchemaIssue[] = [];
		if (typeof ref === "string") {
			issues.push(...this.explain(value, this.#schema.parts[ref] ?? true, path));
			if (this.#schema.draft === "7") return issues;
		}
		const wrongType = typeIssue(value, schema, path);
		if (wrongType) return [...issues, wrongType];
		issues.push(...this.#rules(value, schema, path));
		if (jsonTypeOf(value) === "object") issues.push(...this.#properties(value, schema, path));
		if (jsonTypeOf(value) === "array") issues.push(...this.#items(value, schema, path));
		for (const part of listOf(schema["allOf"])) issues.push(...this.explain(value, part, path));
		for (const keyword of ["anyOf", "oneOf"]) issues.push(...this.#alternatives(value, { schema, keyword, path }));
		issues.push(...this.#condition(value, schema, path));
		return issues;
	}

	/** Rules that look at the whole value at once: each is put to the oracle alone. */
	#rules(value: MaybeJson, schema: SchemaObject, path: Path): SchemaIssue[] {
		if (!isWhollyKnown(value)) return [];
		const issues: SchemaIssue[] = [];
		for (const [keyword, [companions, say]] of Object.entries(rules)) {
			if (schema[keyword] === undefined) continue;
			const alone: Record<string, unknown> = Object.create(null);
			for (const name of [keyword, ...companions]) if (schema[name] !== undefined) alone[name] = schema[name];
			if (!this.#oracle(value, alone)) issues.push({ path, keyword, message: say(schema[keyword], value) });
		}
		return issues;
	}

	#properties(value: MaybeJson, schema: SchemaObject, path: Path): SchemaIssue[] {
		const entries = value instanceof PartialObject ? value.entries : new Map(Object.entries(value as object));
		const complete = !(value instanceof PartialObject) || value.complete;
		const issues: SchemaIssue[] = [];
		for (const name of complete ? ((schema["required"] ?? []) as string[]) : []) {
			if (entries.has(name)) continue;
			issues.push({ path, keyword: "required", message: `the property ${quote(name)} is missing` });
		}
		for (const [name, item] of entries) {
			if (issues.length >= issuesMax) break;
			issues.push(...this.#property(name, item, { schema, path: [...path, name] }));
		}
		return issues;
	}

	#property(name: string, item: MaybeJson, at: { readonly schema: SchemaObject; readonly path: Path }): SchemaIssue[] {
		const { properties, patternProperties, additionalProperties } = at.schema as SchemaMaps;
		const applied: CleanSchema[] = [];
		if (properties?.[name] !== undefined) applied.push(properties[name]);
		for (const [pattern, schema] of Object.entries(patternProperties ?? {})) {
			if (new RegExp(pattern, "u").test(name)) applied.push(schema);
		}
		if (applied.length > 0) return applied.flatMap((schema) => this.explain(item, schema, at.path));
		if (additionalProperties === undefined) return [];
		if (additionalProperties !== false) return this.explain(item, additionalProperties, at.path);
		const known = Object.keys(properties ?? {});
		const list =
			known.length === 0 ? "no property is" : `${bounded(known.map(quote), 12)} ${known.length > 1 ? "are" : "is"}`;
		return [
			{ path: at.path, keyword: "additionalProperties", message: `the property ${quote(name)} is not known; ${list}` },
		];
	}

	#items(value: MaybeJson, schema: SchemaObject, path: Path): SchemaIssue[] {
		const partial = value instanceof PartialArray ? value : new PartialArray(value as readonly MaybeJson[], [], true);
		const issues: SchemaIssue[] = [];
		const list = Array.isArray(schema["items"]) ? schema["items"] : listOf(schema["prefixItems"]);
		const rest = (Array.isArray(schema["items"]) ? schema["additionalItems"] : schema["items"]) as
			| CleanSchema
			| undefined;
		for (let i = 0; i < partial.items.length && issues.length < issuesMax; i++) {
			const item = partial.items[i] as MaybeJson;
			const applied = (list[i] ?? rest ?? true) as CleanSchema;
			if (applied === false)
				issues.push({ path: [...path, i], keyword: "items", message: `at most ${i} items are allowed` });
			else issues.push(...this.explain(item, applied, [...path, i]));
		}
		// Items whose place is not known can be judged only where each place has the same rule.
		for (const item of list.length === 0 ? partial.rest : []) {
			const found = this.explain(item, rest ?? true, path);
			issues.push(...found.map((issue) => ({ ...issue, message: `an item after the spread: ${issue.message}` })));
		}
		return issues;
	}

	#alternatives(
		value: MaybeJson,
		at: { readonly schema: SchemaObject; readonly keyword: string; readonly path: Path },
	): SchemaIssue[] {
		const branches = listOf(at.schema[at.keyword]);
		if (branches.length === 0) return [];
		const constants = branches.map((branch) => (typeof branch === "object" ? branch["const"] : undefined));
		if (constants.every((constant) => constant !== undefined)) {
			return this.explain(value, { enum: constants }, at.path);
		}
		const explained = branches.map((branch) => this.explain(value, branch, at.path));
		const fitting = explained.filter((issues) => issues.length === 0).length;
		if (fitting > 1 && at.keyword === "oneOf" && isWhollyKnown(value)) {
			return [
				{ path: at.path, keyword: "oneOf", message: `fits ${fitting} of the alternatives, of which it must fit one` },
			];
		}
		if (fitting > 0) return [];
		const depth = at.path.length;
		const nearest = explained.reduce((best, one) => (distance(one, depth) < distance(best, depth) ? one : best));
		if (branches.length === 1 || distance(nearest, depth) < constantDistance) return nearest;
		if (distance(nearest, depth) < wrongTypeDistance)
			return nearest.map((issue) => ({
				...issue,
				message: `${issue.message} (in the nearest of ${branches.length} alternatives)`,
			}));
		const types = new Set(branches.flatMap((branch) => this.#typesOf(branch)));
		const message = types.size > 0 ? expected([...types], value) : `fits none of the ${branches.length} alternatives`;
		return [{ path: at.path, keyword: at.keyword, message }];
	}

	#typesOf(schema: CleanSchema): string[] {
		if (typeof schema === "boolean") return [];
		const target = typeof schema["$ref"] === "string" ? this.#schema.parts[schema["$ref"]] : undefined;
		const types = schema["type"] ?? (typeof target === "object" ? target["type"] : undefined);
		return types === undefined ? [] : ([types].flat() as string[]);
	}

	#condition(value: MaybeJson, schema: SchemaObject, path: Path): SchemaIssue[] {
		const condition = schema["if"] as CleanSchema | undefined;
		if (condition === undefined || !isWhollyKnown(value)) return [];
		const branch = schema[this.#oracle(value, condition) ? "then" : "else"] as CleanSchema | undefined;
		return branch === undefined ? [] : this.explain(value, branch, path);
	}
}

interface SchemaMaps {
	readonly properties?: Readonly<Record<string, CleanSchema>>;
	readonly patternProperties?: Readonly<Record<string, CleanSchema>>;
	readonly additionalProperties?: CleanSchema;
}

const wrongTypeDistance = 1_000;
const constantDistance = 20;

/** How far is the value from an alternative? Another type is farthest, then another constant (a discriminator). */
function distance(issues: readonly SchemaIssue[], depth: number): number {
	let sum = 0;
	for (const { keyword, path } of issues) {
		if (keyword === "type" && path.length === depth) return wrongTypeDistance;
		sum += keyword === "const" || keyword === "enum" ? constantDistance : 1;
	}
	return Math.min(sum, wrongTypeDistance - 1);
}

function typeIssue(value: MaybeJson, schema: SchemaObject, path: Path): SchemaIssue | undefined {
	const types = schema["type"] === undefined ? [] : ([schema["type"]].flat() as string[]);
	const actual = jsonTypeOf(value);
	if (types.length === 0 || types.includes(actual)) return undefined;
	if (types.includes("integer") && Number.isInteger(value)) return undefined;
	return { path, keyword: "type", message: expected(types, value) };
}

function expected(types: readonly string[], value: MaybeJson): string {
	const fraction = types.includes("integer") && typeof value === "number" && !Number.isInteger(value);
	return `expected ${types.join(" or ")}, got ${fraction ? value : jsonTypeOf(value)}`;
}

function misfit(path: Path): SchemaIssue {
	return { path, keyword: "schema", message: "does not fit the schema" };
}

function listOf(value: unknown): readonly CleanSchema[] {
	return Array.isArray(value) ? value : [];
}

type Rule = readonly [companions: readonly string[], say: (rule: unknown, value: MaybeJson) => string];

const rules: Readonly<Record<string, Rule>> = {
	const: [[], (rule, value) => `expected ${show(rule)}, got ${show(value)}`],
	enum: [[], (rule, value) => `expected ${bounded((rule as unknown[]).map(show), 12, " or ")}, got ${show(value)}`],
	minimum: [[], (rule, value) => `${show(value)} is less than ${rule}`],
	maximum: [[], (rule, value) => `${show(value)} is more than ${rule}`],
	exclusiveMinimum: [[], (rule, value) => `${show(value)} is not more than ${rule}`],
	exclusiveMaximum: [[], (rule, value) => `${show(value)} is not less than ${rule}`],
	multipleOf: [[], (rule, value) => `${show(value)} is no multiple of ${rule}`],
	minLength: [[], (rule, value) => `${(value as string).length} characters, fewer than ${rule}`],
	maxLength: [[], (rule, value) => `${(value as string).length} characters, more than ${rule}`],
	pattern: [[], (rule, value) => `${show(value)} does not match the pattern ${cut(String(rule), 100)}`],
	format: [[], (rule, value) => `${show(value)} is no ${rule}`],
	minItems: [[], (rule, value) => `${(value as unknown[]).length} items, fewer than ${rule}`],
	maxItems: [[], (rule, value) => `${(value as unknown[]).length} items, more than ${rule}`],
	uniqueItems: [[], () => "has equal items"],
	minProperties: [[], (rule) => `has fewer than ${rule} properties`],
	maxProperties: [[], (rule) => `has more than ${rule} properties`],
	contains: [["minContains", "maxContains"], () => "does not hold the items that it must"],
	propertyNames: [[], () => "has a property name that is not allowed"],
	dependentRequired: [[], () => "lacks a property that another one needs"],
	dependentSchemas: [[], () => "does not fit what one of its properties asks for"],
	dependencies: [[], () => "does not fit what one of its properties asks for"],
	not: [[], () => "is what it must not be"],
};

function bounded(texts: readonly string[], max: number, separator = ", "): string {
	const shown = texts.slice(0, max).join(separator);
	return texts.length > max ? `${shown} (and ${texts.length - max} more)` : shown;
}

function quote(name: string): string {
	return JSON.stringify(cut(name, 60));
}

function show(value: unknown): string {
	return cut(JSON.stringify(value) ?? String(value), 80);
}

function cut(text: string, max: number): string {
	return text.length > max ? `${text.slice(0, max)}…` : text;
}
