import * as fc from "fast-check";
import { expect, test } from "vitest";
import { round2 } from "../round2.ts";
import { calculate } from "./calculate.ts";
import type { RetailDb } from "./records.ts";

const noDb = {} as RetailDb;
const evaluate = (expression: string) => calculate.run(noDb, { expression });

/* Right-hand sides are what Python 3.11 prints for `str(round(float(eval(expression)), 2))`. */
test.each([
	["4", "4.0"],
	["3131.1 + 4777.75 + 367.38", "8276.23"],
	["135.24 - 153.23", "-17.99"],
	["0", "0.0"],
	["-0.001", "-0.0"],
	["0.0 * -1", "-0.0"],
	["1000", "1000.0"],
	["(12.5 + 3) * 2", "31.0"],
	["2 + 3 * 4 - 6 / 3", "12.0"],
	["10 - 4 - 3", "3.0"],
	["100 / 10 / 4", "2.5"],
	["- - 3 + +2", "5.0"],
	["2 ** 3 ** 2", "512.0"],
	["-2 ** 2", "-4.0"],
	["2 ** -1", "0.5"],
	["-7 // 2", "-4.0"],
	["7.5 // -2", "-4.0"],
	["0.125 + 0", "0.12"],
	["0.375 + 0", "0.38"],
	["2.625", "2.62"],
	["-2.675", "-2.67"],
	["2.675", "2.67"],
	[".5 + 5.", "5.5"],
	["007.5 + 00", "7.5"],
	["9007199254740993 - 9007199254740992", "1.0"],
	["10 ** 16", "1e+16"],
	["123456789 * 1000000000", "1.23456789e+17"],
	["9999999999999998", "9999999999999998.0"],
	["10 ** 300 / 10 ** 298", "100.0"],
	["(2 ** 70 + 1) / 2 ** 70", "1.0"],
])("%s is %s", (expression, result) => {
	expect(evaluate(expression)).toEqual({ result });
});

test.each([
	["1 + x", "invalid_argument", "Invalid characters in expression"],
	["1\t+ 1", "invalid_argument", "Invalid characters in expression"],
	["", "invalid_argument", ""],
	["   ", "invalid_argument", ""],
	["1 +", "invalid_argument", ""],
	["(1", "invalid_argument", ""],
	["1)", "invalid_argument", ""],
	["1 2", "invalid_argument", ""],
	["1.2.3", "invalid_argument", ""],
	[".", "invalid_argument", ""],
	["2 * * 3", "invalid_argument", ""],
	["* 3", "invalid_argument", ""],
	["007", "invalid_argument", ""],
	["1 / 0 + (", "invalid_argument", ""],
	["(".repeat(3000), "invalid_argument", ""],
	["-".repeat(3000), "invalid_argument", ""],
	["1+".repeat(3000), "invalid_argument", ""],
	["1 / 0", "arithmetic", "division by zero"],
	["1.0 // 0.0", "arithmetic", "division by zero"],
	["0 ** -1", "arithmetic", ""],
	["(-8) ** 0.5", "arithmetic", ""],
	["2(3)", "arithmetic", ""],
	["(2) (3)", "arithmetic", ""],
	["2()", "arithmetic", ""],
	["1 + ()", "arithmetic", ""],
	["9 ** 9 ** 9", "arithmetic", ""],
	["10 ** 309", "arithmetic", ""],
	["10.0 ** 309", "arithmetic", ""],
])("%s is refused as %s", (expression, category, text) => {
	expect(evaluate(expression)).toMatchObject({ category, error: expect.stringContaining(text) });
});

test("a long sum of plain numbers is left to right in doubles, as written", async () => {
	const price = fc.integer({ min: 0, max: 999_999 }).map((cents) => cents / 100);
	await fc.assert(
		fc.property(fc.array(price, { minLength: 1, maxLength: 50 }), (prices) => {
			const sum = round2(prices.reduce((left, right) => left + right));
			const result = Number.isInteger(sum) ? `${sum}.0` : String(sum);
			expect(evaluate(prices.join(" + "))).toEqual({ result });
		}),
	);
});

test("round2 is the nearest two-decimal number, ties going to the even one", async () => {
	await fc.assert(
		fc.property(fc.integer({ min: -(2 ** 40), max: 2 ** 40 }), (eighths) => {
			// Exact in whole numbers: eighths / 8 is 25 * eighths / 2 cents.
			const halfCents = 25 * eighths;
			const down = Math.floor(halfCents / 2);
			const tie = halfCents % 2 !== 0;
			const cents = tie && down % 2 !== 0 ? down + 1 : down;
			expect(round2(eighths / 8) + 0).toBe(cents / 100);
		}),
	);
});
