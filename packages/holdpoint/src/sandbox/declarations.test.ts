import * as fc from "fast-check";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import type { Json, JsonSchema } from "../spec/json.ts";
import { type Choose, fittingSchema } from "../testing/fitting-schema.ts";
import { declareTools, describeTool, type ProgramTool } from "./declarations.ts";

const tool = (name: string, more: Partial<ProgramTool> = {}): ProgramTool => ({
	name,
	description: "",
	inputSchema: {},
	...more,
});
const typeOf = (schema: JsonSchema) =>
	/\(args\??: (.*)\): Promise/.exec(describeTool(tool("t", { inputSchema: schema })))?.[1];

/** Syntax errors of a TypeScript text. */
function faultsOf(text: string): readonly string[] {
	const { diagnostics = [] } = ts.transpileModule(text, {
		reportDiagnostics: true,
		compilerOptions: { target: ts.ScriptTarget.ESNext },
	});
	return diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
}

describe("the type of a schema", () => {
	test.each<[string, JsonSchema, string]>([
		["nothing said", {}, "unknown"],
		["simple types", { type: ["string", "null"] }, "string | null"],
		["integer", { type: "integer" }, "number"],
		["const and enum", { anyOf: [{ const: "a" }, { enum: [1, null, true] }] }, '"a" | 1 | null | true'],
		[
			"objects",
			{ properties: { a: { type: "string" }, "b-c": {} }, required: ["a", "z"] },
			'{ a: string; "b-c"?: unknown; z: unknown }',
		],
		[
			"nested",
			{ type: "object", properties: { a: { type: "object", properties: { b: { type: "null" } } } } },
			"{ a?: { b?: null } }",
		],
		["maps", { type: "object", additionalProperties: { type: "number" } }, "Record<string, number>"],
		[
			"maps with names",
			{ type: "object", properties: { a: { type: "string" } }, patternProperties: { "^x": { type: "number" } } },
			"{ a?: string } & Record<string, number>",
		],
		["arrays", { type: "array", items: { type: ["string", "number"] } }, "(string | number)[]"],
		["tuples", { prefixItems: [{ type: "string" }, {}], items: { type: "null" } }, "[string, unknown, ...null[]]"],
		["tuples of draft 7", { items: [{ type: "string" }], additionalItems: false }, "[string]"],
		[
			"allOf",
			{ allOf: [{ type: "object", properties: { a: {} } }, { anyOf: [{ const: 1 }, { const: 2 }] }] },
			"{ a?: unknown } & (1 | 2)",
		],
		["oneOf that says nothing", { type: "string", oneOf: [{ minLength: 1 }, { const: "" }] }, "string"],
		["nullable", { type: "string", nullable: true }, "string | null"],
		["ref", { $ref: "#/$defs/a%20b", $defs: { "a b": { type: "boolean" } } }, "boolean"],
		["ref to nothing", { properties: { a: { $ref: "http://x.example" } } }, "{ a?: unknown }"],
		[
			"recursion",
			{
				$ref: "#/$defs/t",
				$defs: { t: { type: "object", properties: { kids: { type: "array", items: { $ref: "#/$defs/t" } } } } },
			},
			"{ kids?: unknown[] }",
		],
		["never", { type: "object", properties: { a: false } }, "{ a?: never }"],
	])("%s", (...[, schema, type]) => {
		expect(typeOf(schema)).toBe(type);
	});

	test("notes are short, and only where there is something to say", () => {
		const schema: JsonSchema = {
			properties: {
				a: { type: "string", description: "Who\n  it is" },
				b: { type: "string", format: "date-time" },
				c: { type: "number", default: 5, description: "How many" },
				d: { type: "string", description: "x".repeat(500) },
			},
		};
		expect(typeOf(schema)).toBe(
			`{ /** Who it is */ a?: string; /** date-time */ b?: string; /** How many (default 5) */ c?: number; /** ${"x".repeat(119)}… */ d?: string }`,
		);
	});

	test("a long enum is told by its base and a few values", () => {
		const type = typeOf({ enum: Array.from({ length: 200 }, (_, i) => `value-${i}`) });
		expect(type).toMatch(/^string \/\* one of 200: "value-0", "value-1", .*… \*\/$/);
		expect(type?.length).toBeLessThan(200);
	});

	test("a hostile schema stays bounded", () => {
		const wide = {
			type: "object",
			properties: Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`p${i}`, { type: "string" }])),
		};
		let deep: JsonSchema = {};
		for (let i = 0; i < 2_000; i++) deep = { type: "object", properties: { a: deep, b: deep } };
		for (const schema of [wide, deep, { type: "object", properties: { ["x".repeat(100_000)]: {} } }]) {
			expect(describeTool(tool("t", { inputSchema: schema })).length).toBeLessThan(9_000);
		}
	});
});

describe("describeTool", () => {
	test("tells how to call it, what comes back, and that it may be held", () => {
		const told = describeTool(
			tool("get-user", {
				description: "Finds a user.\n\nBy id.",
				inputSchema: { type: "object", properties: { id: { type: "string" } }, required: ["id"] },
				outputSchema: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
				held: true,
			}),
		);
		expect(told).toBe(
			'/** Finds a user. By id. Held for approval. */\ntools["get-user"](args: { id: string }): Promise<{ name: string }>',
		);
	});

	test("arguments are optional where none is required, and left out where there are none", () => {
		const args = (inputSchema: JsonSchema) => describeTool(tool("t", { inputSchema }));
		expect(args({ type: "object", properties: { a: {} } })).toBe("tools.t(args?: { a?: unknown }): Promise<unknown>");
		expect(args({ type: "object", properties: {}, additionalProperties: false })).toBe("tools.t(): Promise<unknown>");
		expect(args({ type: "object" })).toBe("tools.t(): Promise<unknown>");
		expect(args({ type: "object", additionalProperties: {} })).toBe(
			"tools.t(args?: Record<string, unknown>): Promise<unknown>",
		);
	});

	test("words of others cannot leave their comment, hide, or turn the text around", () => {
		const told = describeTool(
			tool('a"]; evil(); //', {
				description: "x */ evil(); /*\u2028\u202e\u200b\u{e0041} y",
				inputSchema: { properties: { "*/": { description: "**//\r\nz", enum: ["*/\u2029\u202e"] } } },
			}),
		);
		expect(told).toBe(
			'/** x * / evil(); /* y */\ntools["a\\"]; evil(); //"](args?: { /** ** // z */ "*/"?: "*/\\u2029\\u202e" }): Promise<unknown>',
		);
	});
});

describe("declareTools", () => {
	const many = (count: number): ProgramTool[] =>
		Array.from({ length: count }, (_, i) =>
			tool(`tool_${i}`, {
				description: `Does the thing number ${i}. And more about it, at some length.`,
				inputSchema: {
					type: "object",
					properties: { id: { type: "string", description: "Which one" } },
					required: ["id"],
				},
			}),
		);

	test("is TypeScript that a program can be checked against", () => {
		const { text, mode } = declareTools([
			...many(2),
			tool("a-b", { inputSchema: { type: "object", properties: { n: { type: "number" } } } }),
		]);
		expect(mode).toBe("full");
		const program = `${text}\nasync function f() { await tools.tool_1({ id: "x" }); await tools["a-b"](); await tools["a-b"]({ n: "x" }); tools.nope(); }`;
		const options: ts.CompilerOptions = {
			noEmit: true,
			strict: true,
			target: ts.ScriptTarget.ESNext,
			lib: ["lib.esnext.d.ts"],
			types: [],
		};
		const host = ts.createCompilerHost(options);
		const { getSourceFile } = host;
		host.getSourceFile = (name, language) =>
			name === "program.ts" ? ts.createSourceFile(name, program, language) : getSourceFile.call(host, name, language);
		const checked = ts.createProgram(["program.ts"], options, host);
		const messages = ts
			.getPreEmitDiagnostics(checked)
			.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, " "));
		expect(messages).toEqual([
			"Type 'string' is not assignable to type 'number'.",
			expect.stringContaining("Property 'nope' does not exist"),
		]);
	});

	test("past the budget the notes go first, then it is an index, then only names, then only some of them", () => {
		const tools = many(40);
		const at = (tokensMax: number) => {
			const told = declareTools(tools, { tokensMax });
			expect(told.text.length).toBeLessThanOrEqual(tokensMax * 4);
			return told;
		};
		expect(at(3_000)).toMatchObject({ mode: "full", text: expect.stringContaining("/** Which one */") });
		expect(at(1_250)).toMatchObject({ mode: "full", text: expect.not.stringContaining("/** Which one */") });
		const index = at(700);
		expect(index.mode).toBe("index");
		expect(index.text.split("\n")).toHaveLength(41);
		expect(index.text).toContain("tools.$search(");
		expect(index.text).toContain("tools.$describe(");
		expect(index.text).toContain("\ntool_7 — Does the thing number 7.\n");
		expect(at(200).text.split("\n")[8]).toBe("tool_7");
		const some = at(100).text.split("\n");
		expect(some.length).toBeLessThan(30);
		expect(some.at(-1)).toBe('… and more: await tools.$search("words") finds them.');
	});

	test("the budget is 3,000 tokens where none is given", () => {
		expect(declareTools(many(60)).mode).toBe("full");
		expect(declareTools(many(400)).mode).toBe("index");
		expect(declareTools(many(400)).text.length).toBeLessThanOrEqual(12_000);
	});

	test("no tools are no declarations", () => {
		expect(declareTools([])).toEqual({ text: "declare const tools: {\n};", mode: "full" });
	});

	test("whatever the schemas, it is deterministic TypeScript", async () => {
		const hostile = fc.constantFrom("*/", "//", "`", '"', "\u2028", "\\", "${", "a", "__proto__", "-", "}");
		const texts = fc.array(hostile, { maxLength: 5 }).map((parts) => parts.join(""));
		const value = fc.letrec<{ any: Json }>((tie) => ({
			any: fc.oneof(
				{ depthSize: "small" },
				texts,
				fc.integer(),
				fc.constant(null),
				fc.array(tie("any"), { maxLength: 3 }),
				fc.dictionary(texts, tie("any"), { maxKeys: 3 }),
			),
		}));
		await fc.assert(
			fc.property(value.any, texts, fc.gen(), (json, text, gen) => {
				const choose: Choose = (below) => gen(fc.nat, { max: below - 1 });
				const made = tool(text, {
					description: text,
					inputSchema: fittingSchema(json, choose),
					outputSchema: fittingSchema(json, choose),
				});
				const { text: told } = declareTools([made]);
				expect(faultsOf(told), told).toEqual([]);
				expect(declareTools([structuredClone(made)]).text).toBe(told);
			}),
			{ numRuns: 300 },
		);
	});
});
