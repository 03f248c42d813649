import { expect, test } from "vitest";
import { prepareProgram } from "./prepare-program.ts";
import { sourceColumn } from "./source-column.ts";

/** Each program fails at `here`. */
test.each([
	["a last expression", "const a = 1;\n\there.b;\n"],
	["later in it", "const a = 1;\na + here"],
	["before it, on its line", "f(here); a"],
	["on its line, behind another return", "if (b) return 1; here"],
	["with a return inside", "a.map(() => { return here })"],
	["a function", "// why\nasync () => { return here }"],
	["a function of several lines", "async () => {\n\treturn here\n}"],
	["a function that is declared", "function main() { return here }"],
	["an object", "const a = 1;\n{ a, b: here }"],
	["a return of its own", "const a = 1;\nreturn here"],
	["with types", "let a: string; let b: Map<string, number>; f(a as any, here)"],
	["in a Markdown block", "```ts\nlet a: string;\nhere\n```"],
])("%s", async (...[, source]) => {
	const prepared = await prepareProgram(source, [], { sourceBytesMax: 1_000 });
	if (!prepared.ok) throw new Error(JSON.stringify(prepared.problems));
	const lines = prepared.body.split("\n");
	const line = lines.findIndex((text) => text.includes("here")) + 1;
	const column = (lines[line - 1] ?? "").indexOf("here") + 1;
	const code = source.startsWith("`") ? source.split("\n").slice(1) : source.split("\n");
	const written = (code[line - 1] ?? "").indexOf("here") + 1;
	expect(sourceColumn(source, prepared.body, { line, column })).toBe(written);
});

test("the inserted word itself is where the expression begins, and an unknown place stays", () => {
	expect(sourceColumn("a; b", "a; return b", { line: 1, column: 4 })).toBe(4);
	expect(sourceColumn("a; b", "a; return b", { line: 1, column: 8 })).toBe(4);
	expect(sourceColumn("a; b", "a; return b", { line: 9, column: 8 })).toBe(8);
	expect(sourceColumn("a; b", "a; return b", { line: 0, column: 0 })).toBe(0);
});
