import { Validator } from "@cfworker/json-schema";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Json, JsonSchema } from "../spec/json.ts";
import { type Choose, fittingSchema } from "../testing/fitting-schema.ts";
import { schemaValidator } from "./json-schema-validator.ts";
import { type MaybeJson, PartialArray, PartialObject, unknownValue } from "./maybe-json.ts";

const validatorOf = (schema: JsonSchema) => schemaValidator(schema, { formats: true });

function issuesOf(schema: JsonSchema, value: unknown): string[] {
	const check = validatorOf(schema).check(value);
	if (check.kind === "misfit") return check.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
	return [check.kind];
}

describe("a value that is wholly known", () => {
	test.each<[string, JsonSchema, unknown, string]>([
		["type", { type: "string" }, 1, ": expected string, got number"],
		["integer", { type: ["integer", "null"] }, 1.5, ": expected integer or null, got 1.5"],
		["enum", { enum: ["a", "b", null] }, "c", ': expected "a" or "b" or null, got "c"'],
		["const", { const: 1 }, 2, ": expected 1, got 2"],
		["minimum", { minimum: 3 }, 2, ": 2 is less than 3"],
		["multipleOf", { multipleOf: 5 }, 7, ": 7 is no multiple of 5"],
		["pattern", { pattern: "^a$" }, "b", ': "b" does not match the pattern ^a$'],
		["format", { format: "date" }, "2026-02-30", ': "2026-02-30" is no date'],
		["minItems", { minItems: 2 }, [1], ": 1 items, fewer than 2"],
		["uniqueItems", { uniqueItems: true }, [{}, {}], ": has equal items"],
		["items", { items: { type: "number" } }, [1, "a"], "1: expected number, got string"],
		["tuple", { prefixItems: [{ type: "number" }], items: false }, [1, 2], "1: at most 1 items are allowed"],
		["required", { required: ["a"] }, {}, ': the property "a" is missing'],
		["inherited names", { required: ["toString"] }, {}, ': the property "toString" is missing'],
		[
			"additionalProperties",
			{ properties: { a: {}, b: {} }, additionalProperties: false },
			{ c: 1 },
			'c: the property "c" is not known; "a", "b" are',
		],
		[
			"properties",
			{ properties: { a: { properties: { b: { type: "null" } } } } },
			{ a: { b: 1 } },
			"a.b: expected null, got number",
		],
		["ref", { $ref: "#/$defs/a", $defs: { a: { type: "null" } } }, 1, ": expected null, got number"],
		[
			"alternatives by type",
			{ anyOf: [{ type: "string" }, { type: "null" }] },
			1,
			": expected string or null, got number",
		],
		["alternatives by constant", { anyOf: [{ const: "a" }, { const: "b" }] }, "c", ': expected "a" or "b", got "c"'],
		[
			"one of two",
			{ oneOf: [{ minimum: 1 }, { maximum: 9 }] },
			5,
			": fits 2 of the alternatives, of which it must fit one",
		],
		["not", { not: { type: "string" } }, "x", ": is what it must not be"],
		["then", { if: { const: 1 }, else: { const: 2 } }, 3, ": expected 2, got 3"],
		["unevaluated", { properties: { a: {} }, unevaluatedProperties: false }, { b: 1 }, ": does not fit the schema"],
		["nothing", { properties: { a: false } }, { a: 1 }, "a: nothing is allowed here"],
		["what is no JSON", {}, { a: [new Date(0)] }, "a.0: expected JSON, got Date"],
		["what JSON cannot carry", {}, [Number.NaN], "0: expected JSON, got NaN"],
	])("%s", (...[, schema, value, issue]) => {
		expect(issuesOf(schema, value)).toEqual([issue]);
	});

	test("the alternative that the discriminator names is explained", () => {
		const branch = (k: string, v: string) => ({
			type: "object",
			properties: { k: { const: k }, v: { type: v } },
			required: ["k", "v"],
		});
		const schema = { oneOf: [branch("a", "number"), branch("b", "string")] };
		expect(issuesOf(schema, { k: "b", v: 1 })).toEqual(["v: expected string, got number"]);
	});

	test("draft 7 takes a ref alone, 2020-12 what stands beside it too", () => {
		const schema = { $ref: "#/definitions/a", maximum: 1, definitions: { a: { type: "number" } } };
		expect(issuesOf(schema, 2)).toEqual([": 2 is more than 1"]);
		expect(issuesOf({ $schema: "http://json-schema.org/draft-07/schema#", ...schema }, 2)).toEqual(["fits"]);
	});

	test("undefined properties are absent, as they are in JSON", () => {
		expect(issuesOf({ additionalProperties: false }, { a: undefined })).toEqual(["fits"]);
		expect(issuesOf({ required: ["a"] }, { a: undefined })).toEqual([': the property "a" is missing']);
	});

	test("a cycle and a very deep value are no JSON", () => {
		const cycle: unknown[] = [];
		cycle.push(cycle);
		expect(issuesOf({}, cycle)[0]).toContain("more than 64 levels (or a cycle)");
	});

	test("what cannot be decided is unchecked: time, recursion without end, broken names", () => {
		const slow = validatorOf({ pattern: "^(a+)+$" }).check(`${"a".repeat(60)}!`);
		expect(slow).toEqual({ kind: "unchecked", reason: "the schema needs more than 250 ms for this value" });
		expect(validatorOf({ anyOf: [{ $ref: "#" }] }).check(1).kind).toBe("unchecked");
		expect(validatorOf({ additionalProperties: { type: "string" } }).check({ "\ud800": 1 }).kind).toBe("unchecked");
	});

	test("is made once for one schema object", () => {
		const schema = { type: "string" };
		expect(validatorOf(schema)).toBe(validatorOf(schema));
		expect(validatorOf(schema)).not.toBe(schemaValidator(schema, { formats: false }));
	});

	test("says yes and no exactly as the library does with the bare schema", async () => {
		await fc.assert(
			fc.property(fc.gen(), (gen) => {
				const choose: Choose = (below) => gen(fc.nat, { max: below - 1 });
				const schema = anySchema(choose, 0);
				const value = anyValue(choose, 0);
				// The library marks the schema that it is given.
				const bare = new Validator(structuredClone(schema) as object, "2020-12").validate(value).valid;
				expect(validatorOf(schema).check(value).kind, JSON.stringify({ schema, value })).toBe(bare ? "fits" : "misfit");
			}),
			{ numRuns: 2_000 },
		);
	});
});

function anySchema(choose: Choose, depth: number): JsonSchema {
	const inner = () => (choose(8) === 0 ? choose(2) === 0 : anySchema(choose, depth + 1));
	const simple: (() => JsonSchema)[] = [
		() => ({ type: ["string", "number", "integer", "object", "array", "null", "boolean"][choose(7)] ?? "null" }),
		() => ({ enum: [anyValue(choose, 2), anyValue(choose, 2)] }),
		() => ({ minimum: choose(5) - 2 }),
		() => ({ maxLength: choose(4) }),
		() => ({ minItems: choose(3), uniqueItems: choose(2) === 0 }),
		() => ({ required: ["a", "b", "c"].slice(choose(3)) }),
	];
	const nested: (() => JsonSchema)[] = [
		() => ({ properties: { a: inner(), b: inner() } }),
		() => ({ properties: { a: inner() }, additionalProperties: inner() }),
		() => ({ patternProperties: { "^[ab]": inner() }, unevaluatedProperties: inner() }),
		() => ({ prefixItems: [inner()], items: inner() }),
		() => ({ items: inner() }),
		() => ({ contains: inner(), minContains: choose(3) }),
		() => ({ anyOf: [inner(), inner()] }),
		() => ({ oneOf: [inner(), inner()] }),
		() => ({ allOf: [inner(), inner()] }),
		() => ({ not: inner() }),
		() => Object.fromEntries(["if", "then", "else"].map((keyword) => [keyword, inner()])),
		() => ({ dependentSchemas: { a: inner() } }),
	];
	const makers = depth > 2 ? simple : [...simple, ...nested];
	return Object.assign({}, ...Array.from({ length: 1 + choose(3) }, () => makers[choose(makers.length)]?.()));
}

function anyValue(choose: Choose, depth: number): Json {
	const simple: Json[] = [null, true, 0, 1, -2, 2.5, "", "abcd"];
	const kind = depth > 2 ? 0 : choose(3);
	if (kind === 0) return simple[choose(simple.length)] ?? null;
	const items = Array.from({ length: choose(4) }, () => anyValue(choose, depth + 1));
	return kind === 1 ? items : Object.fromEntries(items.map((item, i) => ["abc"[i] ?? "d", item]));
}

describe("a value that is known in part", () => {
	const partly = (schema: JsonSchema, value: MaybeJson) => {
		const check = validatorOf(schema).checkPartly(value);
		return check.kind === "misfit"
			? check.issues.map(({ path, message }) => `${path.join(".")}: ${message}`)
			: [check.kind];
	};
	const object = (entries: Record<string, MaybeJson>, complete = true) =>
		new PartialObject(new Map(Object.entries(entries)), complete);

	test("what is not known fits everything but `type`s that it cannot be", () => {
		expect(partly({ type: "string" }, unknownValue)).toEqual(["fits"]);
		expect(partly({ type: "string" }, object({ a: unknownValue }))).toEqual([": expected string, got object"]);
		expect(partly({ enum: [{ a: 1 }], minProperties: 2, not: {} }, object({ a: unknownValue }))).toEqual(["fits"]);
	});

	test("names and known properties are judged", () => {
		const schema = {
			properties: { a: { type: "string" }, b: { type: "string" } },
			required: ["b"],
			additionalProperties: false,
		};
		expect(partly(schema, object({ a: unknownValue, b: 1 }))).toEqual(["b: expected string, got number"]);
		expect(partly(schema, object({ a: unknownValue }))).toEqual([': the property "b" is missing']);
		expect(partly(schema, object({ a: unknownValue }, false))).toEqual(["fits"]);
		expect(partly(schema, object({ c: unknownValue }, false))[0]).toContain('"c" is not known');
	});

	test("an alternative is refused only where each of them is", () => {
		const schema = { anyOf: [{ type: "object", properties: { a: { type: "string" } } }, { type: "null" }] };
		expect(partly(schema, object({ a: unknownValue }))).toEqual(["fits"]);
		expect(partly(schema, object({ a: 1, b: unknownValue }))).toEqual(["a: expected string, got number"]);
	});

	test("items behind a spread are judged where each place has the same rule", () => {
		const value = new PartialArray([unknownValue, 1], ["x"], false);
		expect(partly({ items: { type: "number" } }, value)).toEqual([
			": an item after the spread: expected number, got string",
		]);
		expect(partly({ prefixItems: [{ type: "number" }], items: { type: "number" } }, value)).toEqual(["fits"]);
	});

	test("a valid value fits whatever is hidden of it", async () => {
		await fc.assert(
			fc.property(fc.jsonValue({ maxDepth: 3 }), fc.gen(), (any, gen) => {
				const choose: Choose = (below) => gen(fc.nat, { max: below - 1 });
				// Infinity and -0 are none of JSON's.
				const value = JSON.parse(JSON.stringify(any)) as Json;
				const schema = fittingSchema(value, choose);
				// The construction itself is sound, or the test proves nothing.
				expect(validatorOf(schema).check(value), JSON.stringify(schema)).toEqual({ kind: "fits" });
				expect(validatorOf(schema).checkPartly(hide(value, choose)), JSON.stringify(schema)).toEqual({ kind: "fits" });
			}),
			{ numRuns: 1_000 },
		);
	});
});

/** Some parts of the value made unknown. */
function hide(value: Json, choose: Choose): MaybeJson {
	if (choose(5) === 0) return unknownValue;
	if (Array.isArray(value)) {
		const items = value.map((item) => hide(item, choose));
		const spread = choose(items.length + 1);
		return choose(2) === 0
			? new PartialArray(items.slice(0, spread), items.slice(spread), false)
			: new PartialArray(items, [], true);
	}
	if (typeof value !== "object" || value === null) return value;
	const entries = Object.entries(value).map(([key, item]) => [key, hide(item, choose)] as const);
	const complete = choose(2) === 0;
	return new PartialObject(new Map(complete ? entries : entries.filter(() => choose(2) === 0)), complete);
}
