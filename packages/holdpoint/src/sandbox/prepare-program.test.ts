import { runInThisContext } from "node:vm";
import { describe, expect, test } from "vitest";
import type { JsonSchema } from "../spec/json.ts";
import { formatProblems, type PreparedProgram, prepareProgram } from "./prepare-program.ts";
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

async function bodyOf(source: string): Promise<string> {
	const prepared = await prepare(source);
	if (!prepared.ok) throw new Error(formatProblems(source, prepared.problems));
	return prepared.body;
}

/** Each problem as `line:column code message`. */
async function problemsOf(source: string, given = tools): Promise<string[]> {
	return listed(await prepare(source, given));
}

function listed(prepared: PreparedProgram): string[] {
	if (prepared.ok) return [];
	return prepared.problems.map(({ line, column, code, message }) => `${line}:${column} ${code} ${message}`);
}

/** What the program returns, run as the guest runs it. */
async function valueOf(source: string): Promise<unknown> {
	const body = await bodyOf(source);
	return await runInThisContext(`(async () => {${body}\n})`)();
}

describe("the value of a program", () => {
	test.each<[string, string, unknown]>([
		["what it returns", "const a = 1;\nreturn a + 1;\n2", 2],
		["its last expression", "const a = 1;\na + 1", 2],
		["with a comment behind it", "3 // three\n/* end */ ;;\n", 3],
		["over several lines", "[1, 2]\n\t.map((n) => n * 2)\n\t.join()", "2,4"],
		["awaited", "await Promise.resolve(4)", 4],
		["a promise", "Promise.resolve(5)", 5],
		["a sequence", "1, 6", 6],
		["an object in parentheses", "({ a: 1 })", { a: 1 }],
		["an object that looks like a block", "const a = 1, b = 2;\n{ a, b }", { a: 1, b: 2 }],
		["an object that looks like a labelled block", "const f = () => 7;\n{ a: f() }", { a: 7 }],
		["an object that cannot be a block", "const a = 1;\n{ a, b: [2], ...{ c: 3 } };\n// end", { a: 1, b: [2], c: 3 }],
		["an object that cannot be a block, alone", '{ "a": 1, b: 2 }', { a: 1, b: 2 }],
		["a template", `\`a\${1}\``, "a1"],
		["a directive", '"use strict"', "use strict"],
		["an expression before functions", "f();\nfunction f() { return 8 }", 8],
		["an async arrow function", "async () => { return 9 }", 9],
		["an async arrow function with a comment", "// main\nasync () => 9; // end", 9],
		["an arrow function in parentheses", "(async () => { return 10 })", 10],
		["a function without a name", "async function () { return 11 }", 11],
		["one declared function", "async function main() { return 12 }", 12],
		["a function that is called", "(async () => 13)()", 13],
		["TypeScript", "const a: number = 14;\na as unknown", 14],
		["TypeScript with a return", "interface A { b: string }\nconst a = {} as A;\nreturn a satisfies A", {}],
		["TypeScript in an arrow function", "async (): Promise<number> => { const a: number = 15; return a }", 15],
		["a generic call", "return [1, 2].reduce<number>((a, b) => a + b, 12)", 15],
		["a generic construction", "new Set<string>(['a', 'a']).size", 1],
		["nested type arguments", "const m = [new Map<string, Array<number>>([['a', [16]]])];\nm[0].get('a')", [16]],
		["a tag with type arguments", "const tag = (parts) => parts[0];\ntag<string>`17`", "17"],
		["comparisons that TypeScript takes for such", "const i = 1;\ni < 2 && 3 > (2)", true],
		["a Markdown block", "```ts\nconst a: number = 16;\nreturn a;\n```\n", 16],
		["a Markdown block with other line ends", "\n~~~js\r\nreturn 17\r\n~~~", 17],
		["none after a declaration", "const a = 1", undefined],
		["none after an if", "if (true) { 1 }", undefined],
		["none after a try", "try { 1 } catch { 2 }", undefined],
		["none of a block of statements", "{ let a = 1; a }", undefined],
		["none of a block with a call", "{ String(1) }", undefined],
		["none of an empty block", "{}", undefined],
		["none of nothing", "", undefined],
	])("%s", async (...[, source, value]) => {
		expect(await valueOf(source)).toEqual(value);
	});

	test("lines stay where they are", async () => {
		const source = "const a: {\n\tb: number;\n} = { b: 1 };\n\na\n\t.b\n// end";
		const body = await bodyOf(source);
		expect(body.split("\n")).toHaveLength(source.split("\n").length);
		expect(body.split("\n")[4]).toBe("return a");
		expect(await bodyOf("return 1")).toBe("return 1");
	});

	test("a call with type arguments is a call, with a last line that is no statement too", async () => {
		const source = "const user = await tools.get_user<User>({ id: 'a' });\nreturn user";
		expect(await prepare(source)).toMatchObject({ ok: true, calls: ["get_user"] });
		expect(await problemsOf("return tools.get_user<User>({ id: 1 })")).toEqual([
			"1:35 argument tools.get_user: args.id: expected string, got number",
		]);
		expect((await problemsOf("const n = f<number>(1);\n{ n, b: 2, ...c }"))[0]).toContain("syntax");
		expect(await problemsOf("const n = '<b>(';\n{ n, b: 2, ...c }")).toEqual([]);
	});

	test("a function that takes parameters is a value and not the program", async () => {
		expect(await bodyOf("async (a) => a")).toBe("return async (a) => a");
		expect(await bodyOf("function f(a) { return a }")).toBe("function f(a) { return a }");
	});
});

describe("syntax", () => {
	test.each<[string, string, string]>([
		["an open end", "if (a) {", "1:9 syntax Unexpected end of the program"],
		["an unfinished text", "const a = `x\n", "1:12 syntax Unterminated template"],
		["a wrong token", "const a = 1;\nconst b = 1 +;", "2:14 syntax Expression expected"],
		["a name declared twice", "let a;\n  let a;", "2:7 syntax Identifier 'a' has already been declared"],
		[
			"await in a plain function",
			"function f() { await g() }",
			"1:16 syntax await isn't allowed in non-async function",
		],
		["more closed than opened", "}; (() => {", "1:1 syntax Unexpected token"],
		["in a Markdown block", "```ts\nlet a: string;\nlet b = ;\n```", "2:9 syntax Expression expected"],
		[
			"an enum",
			"let a = 1;\nenum E { A }",
			"2:1 syntax TypeScript enum is not supported here. Only types that can simply be left out are accepted: write it in plain JavaScript",
		],
		["a deep nest", `${"[".repeat(100_000)}`, "syntax It is nested too deeply"],
	])("%s", async (...[, source, problem]) => {
		const problems = await problemsOf(source);
		expect(problems).toHaveLength(1);
		expect(problems[0]).toContain(problem);
	});

	test("a program that breaks the type stripper is refused, and the next one is not", async () => {
		expect((await problemsOf(`let a: string; ${"a=>".repeat(3_000)}1`))[0]).toContain(
			"as TypeScript it cannot be read: it is nested too deeply or too long",
		);
		expect(await valueOf("const a: number = 1; a")).toBe(1);
	});

	test("a deep tree is no problem of ours", async () => {
		expect(await problemsOf(`let a = ${"1 + ".repeat(2_000)}1; tools.get_user({ id: 1 })`)).toHaveLength(1);
	});
});

describe("size", () => {
	test("is counted in bytes, and stays below the limit", async () => {
		const tooLong = ["1:1 too-long The program has 11 bytes as it runs; fewer than 11 are allowed (sourceBytesMax)"];
		const sized = async (source: string, sourceBytesMax: number) =>
			listed(await prepareProgram(source, tools, { sourceBytesMax }));
		expect(await sized("return 'é'", 11)).toEqual(tooLong);
		expect(await sized("return 'é'", 12)).toEqual([]);
		// What runs is counted: with the `return` that is added, without the fence that is taken away.
		expect(await sized("'é'", 11)).toEqual(tooLong);
		expect(await sized("'é'", 12)).toEqual([]);
		expect(await sized("```ts\nreturn 'é'\n```", 12)).toEqual([]);
	});

	test("a text that the parser would read for minutes is given up", async () => {
		const names = Array.from({ length: 400_000 }, (_, i) => `a${i}`).join(",");
		const prepared = await prepareProgram(`let ${names};`, tools, { sourceBytesMax: 4_000_000 });
		expect(listed(prepared)[0]).toContain("1:1 too-long It takes more than 1000 ms to read");
	});

	describe("of a short text that the parser would read for half a minute", () => {
		// Each alternative doubles what the check for groups of one name compares.
		const endless = `/${"(?:".repeat(640)}(?<a>x)${"|(?<a>y))".repeat(640)}/`;
		const tooLong = "1:1 too-long It takes more than 1000 ms to read";

		test.each([
			["as a script", `return 1; ${endless}`, tooLong],
			["as TypeScript", `let a: string; ${endless}`, tooLong],
			["as an object that ends it", `{ a: 1, b: ${endless} }`, "syntax"],
			["as a function without a name", `function () { ${endless} }`, "syntax"],
		])("%s", async (...[, source, problem]) => {
			expect((await problemsOf(source))[0]).toContain(problem);
		});
	});

	test("a fence of endless blanks is read at once", async () => {
		const blanks = " ".repeat(250_000);
		expect(await problemsOf(`\`\`\`${blanks}!\n\`\`\``)).toEqual([]);
	});

	test("what is reported of a long expression is short", async () => {
		const [problem] = await problemsOf(`/${"a".repeat(100_000)}(/`);
		expect(problem).toContain("1:2 syntax Invalid regular expression: /aaaa");
		expect(problem?.length).toBeLessThan(400);
	});
});

describe("line ends", () => {
	const refused = (code: string) => `forbidden U+${code} ends a line without showing it: use an ordinary line end`;

	test.each([
		["between statements", "f();\u2028g()", [`1:5 ${refused("2028")}`]],
		["behind a comment", "// why\u2029g()", [`1:7 ${refused("2029")}`]],
		["in a comment", "/* \u2028 */ g()", [`1:4 ${refused("2028")}`]],
		["inside a template, in an expression", `\`\u2028\${\u2028a}\``, [`1:5 ${refused("2028")}`]],
		["in texts", `['\u2028', \`\u2029\${'\u2028'}\u2028\`, { '\u2028': 1 }]`, []],
		["in a text that is a type", "let a: string = '\u2028'; a as '\u2028'", [`1:28 ${refused("2028")}`]],
		["in an object that ends the program", "f('\u2028');\n{ '\u2028': 1, b: 2 }", []],
	])("that cannot be seen, %s", async (...[, source, problems]) => {
		expect(await problemsOf(source)).toEqual(problems);
	});

	test("of any kind are counted, and those in texts are not", async () => {
		expect(await problemsOf("f('\u2028');\r\n1;\r2;\n  tools.nope()")).toEqual([
			"4:9 unknown-tool tools.nope is not a tool of this program. It has get_user, list-all",
		]);
		expect(await problemsOf("f('\u2028');\r\n1;\r2;\n  let a: string = ;")).toEqual([
			"4:19 syntax Expression expected",
		]);
		expect(await bodyOf("1;\r2;\r\n`\r`")).toBe("1;\n2;\r\nreturn `\n`");
	});
});

describe("modules", () => {
	const refused = "forbidden Modules cannot be loaded: a program has plain JavaScript and its tools, nothing else";

	test.each([
		["import a from 'b'", "1:1"],
		["1;\nexport const a = 1", "2:1"],
		["export default async () => 1", "1:1"],
		["const a = await import('a')", "1:17"],
		["const { a } = require('a')", "1:15"],
		["import.meta.url", "1:1"],
		["import type { A } from 'a';\nlet a: A", "1:1"],
	])("%s", async (source, place) => {
		expect(await problemsOf(source)).toEqual([`${place} ${refused}`]);
	});

	test("a `require` of the program's own is its own", async () => {
		expect(await problemsOf("const require = (name) => name; require('a'); ({ require: 1 }).require")).toEqual([]);
	});
});

describe("unknown tools", () => {
	const unknown = (name: string, hint: string) => `unknown-tool ${name} is not a tool of this program. ${hint}`;
	const few = "It has get_user, list-all";

	test.each<[string, string, string]>([
		["a call", "await tools.nope({})", `1:13 ${unknown("tools.nope", few)}`],
		["a call by text", "tools['nope']()", `1:7 ${unknown("tools.nope", few)}`],
		["a call by template", "tools[`nope`]()", `1:7 ${unknown("tools.nope", few)}`],
		["an optional call", "tools?.nope?.()", `1:8 ${unknown("tools.nope", few)}`],
		["another case", "tools.getUser({})", `1:7 ${unknown("tools.getUser", "Did you mean tools.get_user?")}`],
		["a slip", "tools.list_al()", `1:7 ${unknown("tools.list_al", 'Did you mean tools["list-all"]?')}`],
		["a reference", "[1].map(tools.nope)", `1:15 ${unknown("tools.nope", few)}`],
		["a name taken out", "const { nope } = tools;", `1:9 ${unknown("tools.nope", few)}`],
		[
			"inside a function that has another parameter",
			"const f = (tool) => tools.nope(tool)",
			`1:27 ${unknown("tools.nope", few)}`,
		],
		[
			"beside a function with tools of its own",
			"const f = (tools) => tools.a();\ntools.nope()",
			`2:7 ${unknown("tools.nope", few)}`,
		],
	])("%s", async (...[, source, problem]) => {
		expect(await problemsOf(source)).toEqual([problem]);
	});

	test.each([
		"const f = (tools) => tools.nope()",
		"function f({ tools }) { return () => tools.nope() }",
		"const { a: [tools = {}] } = b; tools.nope()",
		"try { f() } catch (tools) { tools.nope() }",
		"function tools() {} tools.nope()",
		"class tools { static nope() {} } tools.nope()",
		"const name = 'nope'; tools[name]()",
		"if ('nope' in tools) tools.nope()",
		"const { nope, ...rest } = tools",
		"if (Object.keys(tools).includes('nope')) tools.nope()",
		"a.tools.nope(); ({ tools: { nope() {} } }).tools.nope()",
		"tools.nope = 1; delete tools.nope; [tools.nope] = [1]",
		"tools.then; tools.toJSON",
		"with (a) tools.nope()",
	])("no false alarm: %s", async (source) => {
		expect(await problemsOf(source)).toEqual([]);
	});

	test("a large set is not listed, and a program without tools is told so", async () => {
		const many = Array.from({ length: 50 }, (_, i) => ({
			name: `very_long_name_${i}`,
			description: "",
			inputSchema: {},
		}));
		expect((await problemsOf("tools.nope()", many))[0]).toMatch(/It has very_long_name_0, .* and 38 more$/);
		const search = { name: "$search", description: "", inputSchema: {} };
		expect((await problemsOf("tools.nope()", [...many, search]))[0]).toContain(
			'tools.$search("words") finds those that are',
		);
		expect((await problemsOf("tools.nope()", []))[0]).toContain("It has none");
	});

	test("what every program may ask is known, in whatever form", async () => {
		const search = { name: "$search", description: "", inputSchema: { type: "object", required: ["text"] } };
		expect(await problemsOf("await tools.$search('refund'); await tools.$describe('a')", [search])).toEqual([]);
	});

	test("calls are the tools that the text names, once, in its order", async () => {
		const prepared = await prepare(
			"await tools['list-all'](); const { get_user: g } = tools; tools['list-all']; tools.$search('')",
		);
		expect(prepared).toMatchObject({ ok: true, calls: ["list-all", "get_user"] });
	});
});

describe("problems", () => {
	test("are sorted, and at most ten", async () => {
		const source = `${"tools.get_user({ id: 1 }); tools.nope();\n".repeat(20)}import("a")`;
		const problems = await problemsOf(source);
		expect(problems).toHaveLength(10);
		expect(problems.map((problem) => problem.split(" ").slice(0, 2).join(" "))).toEqual(
			[1, 2, 3, 4, 5].flatMap((line) => [`${line}:22 argument`, `${line}:34 unknown-tool`]),
		);
	});

	test("are shown with their line and a caret, tabs and long lines included", async () => {
		const source = `\`\`\`js\n\tawait tools.nope();\nconst a = "${"x".repeat(200)}"; tools.get_user({ limit: 1 }); const b = "${"y".repeat(200)}";\n\`\`\``;
		const prepared = await prepare(source);
		if (prepared.ok) throw new Error("it was accepted");
		const text = formatProblems(source, prepared.problems);
		expect(text).toBe(
			[
				"The program was not run: 2 problems.",
				"",
				"1:14 tools.nope is not a tool of this program. It has get_user, list-all",
				"    \tawait tools.nope();",
				"    \t            ^",
				"",
				'2:230 tools.get_user: the property "id" is missing',
				`    …${"x".repeat(42)}"; tools.get_user({ limit: 1 }); const b = "${"y".repeat(34)}…`,
				`    ${" ".repeat(61)}^`,
			].join("\n"),
		);
	});

	test("one that has no line is shown without", () => {
		const problem = { line: 9, column: 1, code: "syntax", message: "no" } as const;
		expect(formatProblems("a", [problem])).toBe("The program was not run: 1 problem.\n\n9:1 no");
	});
});
