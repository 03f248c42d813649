import { describe, expect, test } from "vitest";
import { programLines } from "./program-text.ts";
import { createStyle } from "./style.ts";

const style = createStyle(false);
const source = Array.from({ length: 12 }, (_, at) => `step(${at + 1});`).join("\n");

describe("a program", () => {
	test("has the asking line marked, with the lines around it", () => {
		expect(programLines({ source, marked: [6], context: 1, style, width: 80 })).toEqual([
			"   5 │ step(5);",
			"▶  6 │ step(6);",
			"   7 │ step(7);",
		]);
	});

	test("shows several asking lines with a gap between them", () => {
		expect(programLines({ source, marked: [2, 9], context: 0, style, width: 80 })).toEqual([
			"▶  2 │ step(2);",
			"     ⋮",
			"▶  9 │ step(9);",
		]);
	});

	test("has the lines that the engine counts", () => {
		const ends = "a();\r\nb();\rc('\u2028');\nd();";
		expect(programLines({ source: ends, style, width: 80 })).toEqual([
			"  1 │ a();",
			"  2 │ b();",
			"  3 │ c('\\u{2028}');",
			"  4 │ d();",
		]);
	});

	test("in a Markdown fence is shown without it, as its lines count", () => {
		const fenced = `\`\`\`ts\n${source}\n\`\`\``;
		expect(programLines({ source: fenced, marked: [6], context: 0, style, width: 80 })).toEqual(["▶  6 │ step(6);"]);
	});

	test("is shown whole without a context, and nothing is marked that is not there", () => {
		const lines = programLines({ source, marked: [0, 99], style, width: 80 });
		expect(lines).toHaveLength(12);
		expect(lines.join("\n")).not.toContain("▶");
	});

	test("a long line is broken and shown to its end", () => {
		const lines = programLines({ source: `pay("${"x".repeat(60)}", 9674)`, marked: [1], context: 2, style, width: 40 });
		expect(lines.length).toBeGreaterThan(1);
		expect(lines.map((line) => line.slice(6)).join("")).toBe(`pay("${"x".repeat(60)}",9674)`);
		for (const line of lines) expect(line.length).toBeLessThanOrEqual(40);
	});

	test("a long line is broken at spaces where it has some", () => {
		const line = "  const details = await Promise.all(recent.map(({ id }) => tools.get_order({ orderId: id })));";
		const lines = programLines({ source: line, style, width: 41 });
		expect(lines.map((text) => text.slice(6).trim())).toEqual([
			"const details = await",
			"Promise.all(recent.map(({ id }) =>",
			"tools.get_order({ orderId: id })));",
		]);
		for (const text of lines) expect(text.length).toBeLessThanOrEqual(41);
	});

	test("cannot hide a line with control characters", () => {
		const lines = programLines({ source: "refund(1);\rrefund(9);\n\u001b[1A\u001b[2Kharmless();", style, width: 80 });
		expect(lines).toEqual(["  1 │ refund(1);", "  2 │ refund(9);", "  3 │ \\u{1b}[1A\\u{1b}[2Kharmless();"]);
	});

	test("of endless length is cut and says so", () => {
		const lines = programLines({ source: "x\n".repeat(5_000), style, width: 80 });
		expect(lines.length).toBeLessThan(250);
		expect(lines.at(-1)).toMatch(/… 4,\d{3} more lines/);
	});
});
