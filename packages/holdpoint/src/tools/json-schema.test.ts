import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import { describe, expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import { type ErrorCode, HoldpointError } from "../spec/errors.ts";
import type { JsonSchema } from "../spec/json.ts";
import { jsonSchema, toJsonSchema } from "./json-schema.ts";

function errorOf(job: () => unknown): { code: ErrorCode; message: string; hint: string } {
	try {
		job();
	} catch (error) {
		if (error instanceof HoldpointError) return error;
		throw error;
	}
	throw new Error("it did not throw");
}

const order: JsonSchema = {
	type: "object",
	properties: { id: { type: "string" }, lines: { type: "array", items: { type: "integer" } } },
	required: ["id"],
};

describe("jsonSchema", () => {
	test("is a Standard Schema with a Standard JSON Schema, and carries its type", () => {
		const schema = jsonSchema<{ id: string }>(order);
		expectTypeOf(schema).toExtend<StandardSchemaV1<{ id: string }> & StandardJSONSchemaV1<{ id: string }>>();
		expectTypeOf<StandardSchemaV1.InferOutput<typeof schema>>().toEqualTypeOf<{ id: string }>();
		expect(schema["~standard"]).toMatchObject({ version: 1, vendor: "holdpoint" });
	});

	test("gives a valid value back as it is, synchronously", () => {
		const value = { id: "a", extra: true };
		const result = jsonSchema(order)["~standard"].validate(value);
		expect(result).toEqual({ value });
		expect((result as { value: unknown }).value).toBe(value);
	});

	test("tells each issue with its path", () => {
		expect(jsonSchema(order)["~standard"].validate({ id: 1, lines: [1, 2.5] })).toEqual({
			issues: [
				{ message: "expected string, got number", path: ["id"] },
				{ message: "expected integer, got 2.5", path: ["lines", 1] },
			],
		});
	});

	test("a value that cannot be decided about is refused", () => {
		const result = jsonSchema({ pattern: "^(a+)+$" })["~standard"].validate(`${"a".repeat(60)}!`);
		expect(result).toEqual({
			issues: [{ message: "could not be validated: the schema needs more than 250 ms for this value" }],
		});
	});

	test("a later change of the given object changes nothing", () => {
		const given = structuredClone(order) as { required: string[] };
		const schema = jsonSchema(given as JsonSchema);
		given.required.push("nope");
		const shown = schema["~standard"].jsonSchema.input({ target: "draft-2020-12" });
		expect(shown).toEqual(order);
		(shown as { required: string[] }).required.push("nope");
		expect(schema["~standard"].validate({ id: "a" })).toEqual({ value: { id: "a" } });
		expect(schema["~standard"].jsonSchema.output({ target: "draft-07" })).toEqual(order);
	});

	test("an unsupported target is refused", () => {
		const { jsonSchema: convert } = jsonSchema(order)["~standard"];
		expect(() => convert.input({ target: "openapi-3.0" })).toThrow("The target openapi-3.0 is not supported");
	});

	test.each<[string, unknown, string]>([
		["a ref to nothing", { $ref: "#/x" }, '#/$ref names "#/x", which this document does not hold'],
		["a broken pattern", { properties: { a: { pattern: "(" } } }, "#/properties/a/pattern has a wrong value"],
		["a boolean", true, "A JSON Schema is a JSON object"],
		["a list", [], "A JSON Schema is a JSON object"],
		["a bigint inside", { const: 1n }, "The JSON Schema is no JSON"],
		["a huge one", { description: "x".repeat(1_100_000) }, "characters; the limit is 1048576"],
	])("%s is no schema", (...[, schema, message]) => {
		const error = errorOf(() => jsonSchema(schema as JsonSchema));
		expect(error.code).toBe("tool.invalid");
		expect(error.message).toContain(message);
	});
});

describe("toJsonSchema", () => {
	test("reads zod 4, the input and the output apart", () => {
		const schema = z.object({ n: z.string().default("x"), when: z.iso.date().optional() });
		expect(toJsonSchema(schema, "input")).toMatchObject({ type: "object", properties: { n: { type: "string" } } });
		expect(toJsonSchema(schema, "input")["required"]).toBeUndefined();
		expect(toJsonSchema(schema, "output")["required"]).toEqual(["n"]);
	});

	test("reads its own", () => {
		expect(toJsonSchema(jsonSchema(order), "input")).toEqual(order);
	});

	test("what zod gives is taken by jsonSchema, recursion included", () => {
		const Tree = z.object({
			name: z.string().min(1),
			get kids() {
				return z.array(Tree).optional();
			},
		});
		const schema = jsonSchema(toJsonSchema(Tree, "input"));
		expect(schema["~standard"].validate({ name: "a", kids: [{ name: "b" }] })).toHaveProperty("value");
		expect(schema["~standard"].validate({ name: "a", kids: [{ name: "" }] })).toEqual({
			issues: [{ message: "0 characters, fewer than 1", path: ["kids", 0, "name"] }],
		});
	});

	test("a schema without a JSON Schema is refused with a hint", () => {
		const bare: StandardSchemaV1 = {
			"~standard": { version: 1, vendor: "other", validate: (value) => ({ value }) },
		};
		const error = errorOf(() => toJsonSchema(bare, "output"));
		expect(error).toMatchObject({
			code: "tool.invalid",
			message: "The output schema (other) offers no JSON Schema, which the model is shown",
			hint: "Use zod 4, another library with Standard JSON Schema, or `jsonSchema({...})`.",
		});
		expect(errorOf(() => toJsonSchema(undefined as unknown as StandardSchemaV1, "input")).code).toBe("tool.invalid");
	});

	test("what cannot be written as JSON Schema is refused with the library's reason", () => {
		expect(errorOf(() => toJsonSchema(z.object({ at: z.date() }), "input"))).toMatchObject({
			code: "tool.invalid",
			message: "The input schema cannot be written as JSON Schema: Date cannot be represented in JSON Schema",
		});
	});
});
