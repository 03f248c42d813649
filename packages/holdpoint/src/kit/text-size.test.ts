import fc from "fast-check";
import { expect, test } from "vitest";
import { endWithin, sizeOf, startWithin, wholeFrom } from "./text-size.ts";

const texts = fc.string({ unit: fc.constantFrom("a", "é", "ж", "去", "—", "😀"), maxLength: 60 });

test("from a place on, as much as there is room for, and no sign is torn apart", () => {
	fc.assert(
		fc.property(texts, fc.nat(70), fc.nat(200), (text, at, sizeMax) => {
			const from = wholeFrom(text, at);
			const end = endWithin(text, from, sizeMax);
			const start = startWithin(text, sizeMax);
			for (const part of [text.slice(from, end), text.slice(start)]) {
				expect(part.isWellFormed()).toBe(true);
				expect(sizeOf(part)).toBeLessThanOrEqual(sizeMax);
			}
			// One sign more is too much.
			if (end < text.length) expect(sizeOf(text.slice(from, end)) + 8).toBeGreaterThan(sizeMax);
			if (start > 0) expect(sizeOf(text.slice(start)) + 8).toBeGreaterThan(sizeMax);
		}),
	);
});

test("Latin script is as large as it has characters", () => {
	expect([sizeOf("naïve café"), sizeOf("да"), sizeOf("去"), sizeOf("😀")]).toEqual([10, 4, 4, 8]);
});
