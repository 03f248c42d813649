import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { JsonSchema } from "../spec/json.ts";
import type { AnySchema } from "../spec/tool.ts";
import { jsonSchema } from "../tools/json-schema.ts";
import { type PreparedProgram, prepareProgram } from "./prepare-program.ts";
import type { ProgramTool } from "./program-tool.ts";

const limits = { sourceBytesMax: 262_144 };
const user: JsonSchema = {
	type: "object",
	properties: {
		id: { type: "string" },
		limit: { type: "integer", minimum: 1 },
		tags: { type: "array", items: { type: "string" } },
		address: {
			anyOf: [
				{ type: "object", properties: { zip: { type: "string" } }, required: ["zip"], additionalProperties: false },
				{ type: "null" },
			],
		},
	},
	required: ["id"],
	additionalProperties: false,
};
const tools: readonly ProgramTool[] = [
	{ name: "get_user", description: "", inputSchema: user },
	{ name: "list-all", description: "", inputSchema: { type: "object" } },
];

const prepare = (source: string, given = tools) => prepareProgram(source, given, limits);

/** Each problem as `line:column code message`. */
async function problemsOf(source: string, given = tools): Promise<string[]> {
	return listed(await prepare(source, given));
}

function listed(prepared: PreparedProgram): string[] {
	if (prepared.ok) return [];
	return prepared.problems.map(({ line, column, code, message }) => `${line}:${column} ${code} ${message}`);
}

describe("arguments", () => {
	test.each<[string, string, string]>([
		[
			"a wrong literal",
			"tools.get_user({ id: 1 })",
			"1:22 argument tools.get_user: args.id: expected string, got number",
		],
		[
			"a wrong literal by text",
			'tools["get_user"]({ "id": -1 })',
			"1:27 argument tools.get_user: args.id: expected string, got number",
		],
		[
			"beside what is computed",
			"tools.get_user({ id, limit: 0 })",
			"1:29 argument tools.get_user: args.limit: 0 is less than 1",
		],
		[
			"inside",
			"tools.get_user({ id, tags: ['a', 2, b] })",
			"1:34 argument tools.get_user: args.tags[1]: expected string, got number",
		],
		[
			"inside an alternative",
			"tools.get_user({ id, address: { zip: 1 } })",
			"1:38 argument tools.get_user: args.address.zip: expected string, got number",
		],
		[
			"an unknown name",
			"tools.get_user({ id, [`limit`]: 1, Limit: a })",
			'1:36 argument tools.get_user: args.Limit: the property "Limit" is not known; "id", "limit", "tags", "address" are',
		],
		[
			"a missing property",
			"tools.get_user({ limit: a })",
			'1:16 argument tools.get_user: the property "id" is missing',
		],
		["no argument", "tools.get_user()", '1:7 argument tools.get_user: the property "id" is missing'],
		["a wrong kind", "tools.get_user('u1')", "1:16 argument tools.get_user: expected object, got string"],
		["a wrong kind, computed", "tools.get_user([a])", "1:16 argument tools.get_user: expected object, got array"],
		["in TypeScript", "const a: string = '';\ntools.get_user(<any>{ id: 1 } as any)", "2:16 syntax"],
		[
			"in TypeScript that can be stripped",
			"const a: string = '';\ntools.get_user({ id: 1 as any })",
			"2:22 argument tools.get_user: args.id: expected string, got number",
		],
	])("%s", async (...[, source, problem]) => {
		const [first, ...more] = await problemsOf(source);
		expect(first?.slice(0, problem.length)).toBe(problem);
		expect(more).toEqual([]);
	});

	test.each([
		"tools.get_user(a)",
		"tools.get_user(...a)",
		"tools.get_user(f())",
		"tools.get_user({ ...a })",
		"tools.get_user({ id: 1, ...a })",
		"tools.get_user({ id: 1, [a]: 'b' })",
		"tools.get_user({ id: 1, id: 'b' })",
		"tools.get_user({ id: a, extra: undefined, other: b ? 1 : undefined, f() {} })",
		`tools.get_user({ id: \`a\${b}\`, limit: +'1', tags: [...a, b] })`,
		"tools.get_user({ __proto__: a })",
		"tools.get_user({ toJSON: () => ({ id: 'a' }) })",
		"tools.get_user({ get id() { return 'a' } })",
		"tools.get_user({ id: 'a', address: null })",
		"tools.get_user({ id: 'a', address: cond ? null : { zip: 1 } })",
		"tools['list-all']()",
		"tools['list-all']({ anything: [1n, /x/, NaN] })",
		"const f = (tools) => tools.get_user(1)",
	])("no false alarm: %s", async (source) => {
		expect(await problemsOf(source)).toEqual([]);
	});

	test("a format is no reason to refuse, since a server may take more than the format says", async () => {
		const dated = {
			name: "t",
			description: "",
			inputSchema: { properties: { at: { type: "string", format: "date-time" } } },
		};
		expect(await problemsOf("tools.t({ at: '2026-11-01T10:00:00' })", [dated])).toEqual([]);
	});

	test("a tool that takes null may be called with nothing", async () => {
		const nullish = { name: "t", description: "", inputSchema: { type: "null" } };
		expect(await problemsOf("tools.t()", [nullish])).toEqual([]);
	});

	test("schemas as zod writes them", async () => {
		const inputSchema = z
			.object({
				kind: z.discriminatedUnion("type", [
					z.object({ type: z.literal("card"), last4: z.string().length(4) }),
					z.object({ type: z.literal("cash") }),
				]),
				note: z.string().nullish(),
			})
			["~standard"].jsonSchema.input({ target: "draft-2020-12" }) as JsonSchema;
		const pay = [{ name: "pay", description: "", inputSchema }];
		expect(await problemsOf("tools.pay({ kind: { type: 'cash' }, note: null })", pay)).toEqual([]);
		expect(await problemsOf("tools.pay({ kind: { type: 'card', last4: last } })", pay)).toEqual([]);
		expect(await problemsOf("tools.pay({ kind: { type: 'card', last4: 4242 } })", pay)).toEqual([
			"1:42 argument tools.pay: args.kind.last4: expected string, got number",
		]);
	});

	describe("a tool with a validator of its own", () => {
		const described = {
			name: "t",
			description: "",
			inputSchema: { type: "object", properties: { n: { type: "number" } }, required: ["n"] },
		};
		const given = (validate: AnySchema["~standard"]["validate"], vendor = "test") => [
			{ ...described, input: { "~standard": { version: 1 as const, vendor, validate } } },
		];
		const refuse = { issues: [{ message: "no" }] };
		const wrong = "1:14 argument tools.t: args.n: expected number, got string";

		test("is believed where it accepts and where it refuses", async () => {
			expect(
				await problemsOf(
					"tools.t({ n: '1' })",
					given((value) => ({ value })),
				),
			).toEqual([]);
			expect(
				await problemsOf(
					"tools.t({ n: '1' })",
					given(() => refuse),
				),
			).toEqual([wrong]);
			expect(
				await problemsOf(
					"tools.t()",
					given(() => refuse),
				),
			).toHaveLength(1);
		});

		test("gets what the program would send", async () => {
			const got: unknown[] = [];
			const noted = given((value) => {
				got.push(value);
				return refuse;
			});
			await problemsOf("tools.t({ n: 'a', m: [{}] }); tools.t()", noted);
			expect(got).toEqual([{ n: "a", m: [{}] }, {}, null]);
			expect(Object.getPrototypeOf(got[0])).toBe(Object.prototype);
		});

		test.each([
			["answers later", given(async () => refuse)],
			["rejects", given(() => Promise.reject(new Error("offline")))],
			[
				"throws",
				given(() => {
					throw new Error("offline");
				}),
			],
			[
				"never ends",
				given(() => {
					for (;;);
				}),
			],
		])("is no reason to refuse where it %s", async (...[, lenient]) => {
			expect(await problemsOf("tools.t({ n: '1' }); tools.t({ n: '2' })", lenient)).toEqual([]);
		});

		test("is not asked again once it has accepted what its schema refuses", async () => {
			let asked = 0;
			const counted = given((value) => ({ value, asked: asked++ }));
			await problemsOf("tools.t({ n: '1' });".repeat(1_000), counted);
			expect(asked).toBe(1);
		});

		test("is not judged by half an argument, unless it is its schema", async () => {
			const half = "tools.t({ n: '1', m: a }); tools.t({ m: a })";
			expect(
				await problemsOf(
					half,
					given(() => refuse),
				),
			).toEqual([]);
			expect(await problemsOf(half, [described])).toHaveLength(2);
			const input = jsonSchema(described.inputSchema);
			expect(await problemsOf(half, [{ ...described, input }])).toHaveLength(2);
		});
	});

	test("none at all are an object without fields; null is null", async () => {
		const all = [{ name: "t", description: "", inputSchema: { type: "object", properties: { n: {} } } }];
		expect(await problemsOf("tools.t()", all)).toEqual([]);
		expect(await problemsOf("tools.t(null)", all)).toHaveLength(1);
	});

	test("are not judged where they may be replaced before anybody validates them; names are", async () => {
		const source = "tools.get_user({}); tools.get_usr()";
		const prepared = await prepareProgram(source, tools, { ...limits, argumentsMayChange: true });
		expect(listed(prepared)).toEqual([
			"1:27 unknown-tool tools.get_usr is not a tool of this program. Did you mean tools.get_user?",
		]);
	});

	test("a schema that cannot be used, or needs too long, stops nobody", async () => {
		const given = (inputSchema: JsonSchema) => [{ name: "t", description: "", inputSchema }];
		const slow = given({ properties: { a: { pattern: "^(a+)+$" } } });
		const text = JSON.stringify(`${"a".repeat(60)}!`);
		expect(await problemsOf(`for (;;) { tools.t({ a: ${text} }); tools.t({ a: ${text} }) }`, slow)).toEqual([]);
		const broken = JSON.parse(
			'{"type":"any","required":true,"properties":{"a":{"$ref":"#/x","format":"__proto__"},"constructor":{"type":"string"}}}',
		);
		expect(await problemsOf("tools.t({ a: 1 })", given(broken))).toEqual([]);
		expect(await problemsOf("tools.t({ a: 1 })", given({ anyOf: [{ $ref: "#" }] }))).toEqual([]);
	});
});
