import { describe, expect, test } from "vitest";
import { z } from "zod";
import { defineTool } from "./define-tool.ts";
import { jsonSchema } from "./json-schema.ts";
import { marksOf, withoutMarks } from "./sensitive-marks.ts";

const secret = { type: "string", sensitive: "secret" };
const personal = { type: "string", sensitive: "personal" };

describe("marks of a schema", () => {
	test.each([
		["none", { type: "object", properties: { a: { type: "string" } } }, undefined],
		["a property", { properties: { a: personal, b: { type: "string" } } }, { "/a": "personal" }],
		["a property named sensitive", { properties: { sensitive: { type: "string" } } }, undefined],
		["the whole", { sensitive: "secret", properties: { a: personal } }, { "": "secret" }],
		[
			"items and other properties",
			{ properties: { l: { items: secret }, m: { additionalProperties: personal } } },
			{ "/l/*": "secret", "/m/*": "personal" },
		],
		["a tuple", { prefixItems: [{ type: "string" }, secret] }, { "/*": "secret" }],
		["a key with a slash", { properties: { "a/b~c": secret } }, { "/a~1b~0c": "secret" }],
		[
			"alternatives, the stronger mark",
			{ anyOf: [{ properties: { a: personal } }, { properties: { a: secret } }] },
			{ "/a": "secret" },
		],
		["a part that is named", { $defs: { X: secret }, properties: { a: { $ref: "#/$defs/X" } } }, { "/a": "secret" }],
		["a condition", { if: { properties: { a: secret } } }, { "/a": "secret" }],
		["a mark that is taken back", { properties: { a: { sensitive: false } } }, undefined],
	])("%s", (_, schema, marks) => {
		expect(marksOf(schema as never, "x")).toEqual(marks);
	});

	test("a schema that leads back to itself ends, and what lies deeper is hidden as a whole", () => {
		const schema = { $defs: { N: { properties: { v: secret, next: { $ref: "#/$defs/N" } } } }, $ref: "#/$defs/N" };
		const marks = marksOf(schema as never, "x") ?? {};
		expect(marks["/v"]).toBe("secret");
		expect(marks["/next/next/v"]).toBe("secret");
		expect(Object.keys(marks).length).toBeLessThan(20);
		expect(Object.keys(marks).some((place) => /^(\/next)+$/.test(place))).toBe(true);
	});

	test("a mark that is none is refused: it would protect nothing", () => {
		const define = (mark: unknown) =>
			defineTool({
				name: "t",
				description: "d",
				input: jsonSchema({ type: "object", properties: { a: { type: "string", sensitive: mark as never } } }),
				execute: () => null,
			});
		for (const mark of ["privat", true, 1, null])
			expect(() => define(mark)).toThrow(expect.objectContaining({ code: "tool.invalid" }));
	});

	test("are not shown to the model; a property of the same name is", () => {
		const properties = { sensitive: { type: "string", sensitive: "secret", default: { sensitive: "secret" } } };
		expect(withoutMarks({ type: "object", properties, required: ["sensitive"] })).toEqual({
			type: "object",
			properties: { sensitive: { type: "string", default: { sensitive: "secret" } } },
			required: ["sensitive"],
		});
	});

	test("zod's .meta passes through, optional, nullable and named parts included", () => {
		const tool = defineTool({
			name: "t",
			description: "d",
			input: z.object({
				a: z.string().meta({ sensitive: "personal" }),
				b: z.string().optional().meta({ sensitive: "secret" }),
				c: z.string().nullable().meta({ sensitive: "personal" }),
				d: z.string().meta({ id: "Iban", sensitive: "secret" }),
				e: z.array(z.string().meta({ sensitive: "secret" })),
				f: z.record(z.string(), z.string().meta({ sensitive: "personal" })),
				g: z.string(),
			}),
			output: z.string().meta({ sensitive: "personal" }),
			execute: () => "x",
		});
		expect(tool.marks).toEqual({
			args: {
				"/a": "personal",
				"/b": "secret",
				"/c": "personal",
				"/d": "secret",
				"/e/*": "secret",
				"/f/*": "personal",
			},
			result: { "": "personal" },
		});
	});
});
