import { describe, expect, test } from "vitest";
import { argumentFields, jsonText } from "./json-text.ts";

describe("values", () => {
	test("are written as JavaScript on one line", () => {
		expect(jsonText({ orderId: "O-1", amountCents: 490, "a-b": [true, null] }, 100)).toBe(
			'{orderId: "O-1", amountCents: 490, "a-b": [true, null]}',
		);
	});

	test("of any size cost only what is shown", () => {
		const huge = Array.from({ length: 100_000 }, (_, at) => ({ at }));
		expect(jsonText(huge, 40)).toHaveLength(40);
	});

	test("cannot move the cursor", () => {
		expect(jsonText({ note: "\u001b[2J\u009b\u202e" }, 100)).toBe('{note: "\\u001b[2J\\u{9b}\\u{202e}"}');
	});
});

describe("arguments that somebody decides about", () => {
	test("are a field a line", () => {
		expect(argumentFields({ orderId: "O-1", amountCents: 9674, tags: ["a"] })).toEqual([
			["orderId", "O-1"],
			["amountCents", "9674"],
			["tags", '[ "a" ]'],
		]);
	});

	test("show the difference between a number and a text", () => {
		expect(argumentFields({ a: 5, b: "5", c: " x", d: "", e: "true" })).toEqual([
			["a", "5"],
			["b", '"5"'],
			["c", '" x"'],
			["d", '""'],
			["e", '"true"'],
		]);
	});

	test("show the lines of a file as lines, and what stands at its end", () => {
		expect(argumentFields({ text: "# Plan\n\n1. Go\n", one: "Go\n", two: "a\nb\n\n", lead: "\na\nb\n" })).toEqual([
			["text", "# Plan\n\n1. Go\n[ends with a line break]"],
			["one", '"Go\\n"'],
			["two", '"a\\nb\\n\\n"'],
			["lead", '"\\na\\nb\\n"'],
		]);
	});

	test("say when they are cut", () => {
		const [[, text] = ["", ""]] = argumentFields({ body: "x".repeat(5_000) });
		expect(text).toMatch(/more characters; --json shows all\]$/);
		expect(text.length).toBeLessThan(2_100);
	});

	test("keep what cannot be seen, written out", () => {
		expect(argumentFields({ "to\u202e": "bank\u200b1" })).toEqual([["to\\u{202e}", "bank\\u{200b}1"]]);
	});
});
