import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { memoryWords, searchTerms, timesIn } from "./memory-words.ts";

describe("the words of a text", () => {
	test("are without case, accents and compatibility forms, in any script", () => {
		const expected: Record<string, readonly string[]> = {
			"Größe, ÉCOLE; ﬁne ＷＩＤＥ": ["große", "ecole", "fine", "wide"],
			"orders/A-17_b": ["orders", "a", "17", "b"],
			"İstanbul Ångström ½": ["istanbul", "angstrom", "1", "2"],
			"한국어 हिन्दी": ["한국어", "हिन्दी"],
			"返金 API": ["返", "金", "api"],
			"!!! \n": [],
		};
		for (const [text, words] of Object.entries(expected)) expect(memoryWords(text), text).toEqual(words);
	});

	test("have nothing in them that could end a word in an index: no space, no quote, no ASCII sign", () => {
		void fc.assert(
			fc.property(fc.string({ unit: "binary" }), (text) => {
				for (const word of memoryWords(text)) expect(word).toMatch(/^[a-z0-9\u0080-\u{10ffff}]{1,128}$/u);
			}),
			{ numRuns: 500 },
		);
	});

	test("and are found by themselves", () => {
		void fc.assert(
			fc.property(fc.string({ unit: "grapheme" }), (text) => {
				const words = memoryWords(text);
				for (const term of searchTerms(text)) expect(timesIn(words, term)).toBeGreaterThan(0);
			}),
			{ numRuns: 500 },
		);
	});
});

test("a query has a bounded number of terms, each once", () => {
	expect(searchTerms("tea TEA téa")).toEqual([{ words: ["tea"], isPrefix: true }]);
	expect(searchTerms("a 返金は x1")).toEqual([
		{ words: ["a"], isPrefix: false },
		{ words: ["返", "金", "は"], isPrefix: false },
		{ words: ["x1"], isPrefix: false },
	]);
	expect(searchTerms(Array.from({ length: 1_000 }, (_, n) => `w${n}`).join(" "))).toHaveLength(32);
});
