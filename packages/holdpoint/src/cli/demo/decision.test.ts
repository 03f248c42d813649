import { expect, test } from "vitest";
import { centsOf } from "./decision.ts";

test("an amount has one spelling", () => {
	expect(["60", "60.00", " 0.01 ", "999999.99"].map(centsOf)).toEqual([6_000, 6_000, 1, 99_999_999]);
	expect(["", "0", "0.00", "-1", "1.5", "1e3", "1,00", "sixty"].map(centsOf)).toEqual(
		Array.from({ length: 8 }, () => undefined),
	);
});
