import { expect, test } from "vitest";
import { amountProblem, centsOf } from "./decision.ts";

test("an amount has one spelling", () => {
	expect(["60", "60.00", " 0.01 ", "999999.99"].map(centsOf)).toEqual([6_000, 6_000, 1, 99_999_999]);
	expect(["", "0", "0.00", "-1", "1.5", "1e3", "1,00", "sixty"].map(centsOf)).toEqual(
		Array.from({ length: 8 }, () => undefined),
	);
});

test("an amount is no more than can be refunded", () => {
	expect(amountProblem("60.00", 6_000)).toBeUndefined();
	expect(amountProblem("60.01", 6_000)).toBe("Only €60.00 of this order can still be refunded.");
	expect(amountProblem("lots", 6_000)).toBe("An amount such as 60.00.");
});
