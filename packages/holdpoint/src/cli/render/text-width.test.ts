import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createStyle } from "./style.ts";
import { clip, padEnd, piecesAtSpaces, piecesOf, widthOf, wrap } from "./text-width.ts";

describe("width", () => {
	test("counts columns, not code units, and not colours", () => {
		expect(widthOf("abc")).toBe(3);
		expect(widthOf("日本")).toBe(4);
		expect(widthOf("e\u0301")).toBe(1);
		expect(widthOf(createStyle(true).marked("abc"))).toBe(3);
		expect(padEnd("日", 4)).toBe("日  ");
	});

	const line = fc.string({ unit: fc.constantFrom("a", "b", " ", "日", "é", "-"), maxLength: 120 });

	test("clipped text fits", () => {
		fc.assert(
			fc.property(line, fc.integer({ min: 2, max: 60 }), (text, columns) => {
				expect(widthOf(clip(text, columns))).toBeLessThanOrEqual(columns);
			}),
		);
	});

	test("wrapped text fits and loses no letter", () => {
		fc.assert(
			fc.property(line, fc.integer({ min: 8, max: 60 }), (text, columns) => {
				const lines = wrap(text, columns);
				for (const one of lines) expect(widthOf(one)).toBeLessThanOrEqual(columns);
				expect(lines.join("").replaceAll(" ", "")).toBe(text.replaceAll(" ", ""));
			}),
		);
	});

	test("broken text is the same text", () => {
		fc.assert(
			fc.property(line, fc.integer({ min: 2, max: 60 }), (text, columns) => {
				expect(piecesOf(text, columns).join("")).toBe(text);
			}),
		);
	});
});

test("pieces at spaces hold the whole text, and an indent is no line of its own", () => {
	const text = `    one two  ${"x".repeat(20)} three ${" ".repeat(30)}end`;
	const pieces = piecesAtSpaces(text, 12);
	expect(pieces.join("")).toBe(text);
	for (const piece of pieces) expect(widthOf(piece.trimEnd())).toBeLessThanOrEqual(12);
	expect(pieces.slice(0, 2)).toEqual(["    one two  ", "x".repeat(12)]);
});
