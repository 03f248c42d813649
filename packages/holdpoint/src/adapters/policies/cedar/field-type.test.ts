import { describe, expect, test } from "vitest";
import type { JsonSchema } from "../../../spec/json.ts";
import { argumentsOf } from "./field-type.ts";

/** What becomes of one field `f`. */
function fieldOf(schema: JsonSchema | boolean, root: JsonSchema = {}) {
	const { type, leftOut } = argumentsOf({ ...root, type: "object", properties: { f: schema }, required: ["f"] });
	const { required: _, ...found } = type.attributes["f"] ?? { required: true };
	return leftOut[0]?.why ?? found;
}
const text = { type: "String" };
const long = { type: "Long" };

describe("what Cedar can express", () => {
	test.each<[string, JsonSchema, object]>([
		["a text", { type: "string", minLength: 1 }, text],
		["a whole number", { type: "integer", minimum: 0 }, long],
		["a number that is a multiple of a whole one", { type: "number", multipleOf: 5 }, long],
		["a number of whole ones", { type: "number", enum: [1, 2] }, long],
		["a boolean", { type: "boolean" }, { type: "Boolean" }],
		["one of several texts", { enum: ["a", "b"] }, text],
		["one text", { const: "a" }, text],
		["one of several numbers", { enum: [1, 2] }, long],
		["a list", { type: "array", items: { type: "string" } }, { type: "Set", element: text }],
		[
			"an object in an object",
			{ type: "object", properties: { a: { type: "integer" } } },
			{ type: "Record", attributes: { a: { ...long, required: false } } },
		],
	])("%s", (_, schema, type) => {
		expect(fieldOf(schema)).toEqual(type);
	});

	test("references, also over several steps", () => {
		const $defs = { a: { $ref: "#/$defs/b" }, b: { type: "integer" } };
		expect(fieldOf({ $ref: "#/$defs/a" }, { $defs })).toEqual(long);
	});
});

describe("what is left out, and why", () => {
	test.each<[string, JsonSchema | boolean, RegExp]>([
		["a number that may be fractional", { type: "number" }, /fractional/],
		["what may be null", { type: ["string", "null"] }, /null/],
		["a union by type", { type: ["string", "integer"] }, /union/],
		["a union", { anyOf: [{ type: "string" }, { type: "null" }] }, /union/],
		["one of several schemas", { oneOf: [{ type: "string" }] }, /union/],
		["a combination", { allOf: [{ type: "string" }] }, /combination/],
		["null", { type: "null" }, /type null/],
		["values of several types", { enum: ["a", 1] }, /several types/],
		["no values", { enum: [] }, /several types/],
		["a fraction among the values", { type: "number", enum: [1, 1.5] }, /fractional/],
		["a free-form map", { type: "object", additionalProperties: { type: "string" } }, /free-form map/],
		["an object of anything", { type: "object" }, /free-form map/],
		["a tuple", { type: "array", prefixItems: [{ type: "string" }] }, /tuple/],
		["a list of anything", { type: "array" }, /list of anything/],
		["a list of fractions", { type: "array", items: { type: "number" } }, /list of what Cedar cannot express/],
		["anything", {}, /anything/],
		["true", true, /anything/],
		["an unknown type", { type: "date" }, /type date/],
		["a reference to nothing", { $ref: "#/$defs/none" }, /names nothing/],
	])("%s", (_, schema, why) => {
		expect(fieldOf(schema)).toMatch(why);
	});

	test("what contains itself, and only that", () => {
		const node = {
			type: "object",
			properties: { name: { type: "string" }, next: { $ref: "#/$defs/node" } },
			required: ["name"],
		};
		const found = argumentsOf({ type: "object", properties: { f: { $ref: "#/$defs/node" } }, $defs: { node } });
		expect(found.type.attributes).toEqual({
			f: { type: "Record", required: false, attributes: { name: { ...text, required: true } } },
		});
		expect(found.leftOut).toEqual([{ field: "f.next", why: "it contains itself" }]);
	});

	test("names that mean something else in Cedar, and what is nested without end", () => {
		const properties = JSON.parse(
			'{"__entity":{"type":"string"},"__proto__":{"type":"string"},"\\ud800":{"type":"string"}}',
		);
		expect(argumentsOf({ type: "object", properties }).leftOut.map(({ field }) => field)).toEqual([
			"__entity",
			"__proto__",
			"\ud800",
		]);
		let deep: JsonSchema = { type: "string" };
		for (let n = 0; n < 100; n++) deep = { type: "array", items: deep };
		expect(fieldOf(deep)).toMatch(/nested deeper/);
	});

	test("arguments that are no object at all", () => {
		expect(argumentsOf({ type: "string" })).toMatchObject({
			type: { attributes: {} },
			leftOut: [{ field: "(all)", why: "the arguments are no object" }],
		});
		expect(argumentsOf({ type: "object" }).leftOut).toEqual([{ field: "(all)", why: "a free-form map" }]);
		expect(argumentsOf({ type: "object", additionalProperties: false }).leftOut).toEqual([]);
	});

	test("keys beside the named ones are noted", () => {
		const note = { field: "(all)", why: expect.stringContaining("not seen") };
		const notesOf = (more: JsonSchema) => argumentsOf({ type: "object", properties: {}, ...more }).notes;
		expect(notesOf({ additionalProperties: { type: "string" } })).toEqual([note]);
		expect(notesOf({ additionalProperties: false, patternProperties: { "^x": { type: "string" } } })).toEqual([note]);
		expect(notesOf({})).toEqual([note]);
		expect(notesOf({ additionalProperties: false })).toEqual([]);
	});
});
