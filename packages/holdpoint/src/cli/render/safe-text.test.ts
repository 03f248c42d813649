import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { escapeUnseen } from "../../kit/escape-unseen.ts";
import { inlineText, jsonLine, proseText, visibleText } from "./safe-text.ts";

/** Anything that a terminal would act on, or a reader would not see. */
const dangerous = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\u200b\u2028\u2029\ufeff]/u;

/** Text as an attacker would write it: sequences, halves of them, and ordinary words in between. */
const hostile = fc
	.array(
		fc.oneof(
			fc.constantFrom(
				"\u001b[2J",
				"\u001b]0;title\u0007",
				"\u001b]8;;http://x\u001b\\",
				"\u009b31m",
				"\u001b",
				"\u001bP",
				"\u202e",
				"\u0007",
				"\r",
				"\u200b",
				"\ufeff",
				"\u001b[",
				"\ud83d",
			),
			fc.string(),
			fc.string({ unit: "binary" }),
		),
		{ maxLength: 12 },
	)
	.map((parts) => parts.join(""));

describe("text of others", () => {
	test("whole sequences go, the words stay", () => {
		expect(proseText("a\u001b[31mred\u001b[0m b\u001b]0;owned\u0007 c\u001b]8;;http://evil\u001b\\link", 100)).toBe(
			"ared b clink",
		);
		expect(proseText("one\r\ntwo\tthree\u0007\u0000", 100)).toBe("one\ntwo  three");
		expect(inlineText("  one\n\n two\u202e ", 100)).toBe("one two");
	});

	test("a family of emoji stays one", () => {
		expect(proseText("👩‍👩‍👧 ok", 100)).toBe("👩‍👩‍👧 ok");
	});

	test("nothing that a terminal acts on is left, and nothing is endless", () => {
		fc.assert(
			fc.property(hostile, fc.integer({ min: 1, max: 200 }), (text, charsMax) => {
				for (const safe of [proseText(text, charsMax), inlineText(text, charsMax), visibleText(text, charsMax)]) {
					expect(safe).not.toMatch(dangerous);
					expect(safe.length).toBeLessThanOrEqual(charsMax);
				}
				expect(inlineText(text, charsMax)).not.toContain("\n");
			}),
		);
	});

	test("where somebody decides, nothing disappears: what cannot be seen is written out", () => {
		expect(visibleText("pay\u202e001\u001b[2K", 100)).toBe("pay\\u{202e}001\\u{1b}[2K");
		expect(escapeUnseen("a\nb\u200bc")).toBe("a\nb\\u{200b}c");
	});

	test("a line of JSON is safe on a terminal, and still the same value", () => {
		fc.assert(
			fc.property(fc.json(), hostile, (json, text) => {
				const value: unknown = [JSON.parse(json), text.toWellFormed()];
				const line = jsonLine(value);
				expect(line).not.toMatch(dangerous);
				expect(line).not.toContain("\n");
				expect(JSON.parse(line)).toEqual(JSON.parse(JSON.stringify(value)));
			}),
		);
	});
});
