import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Budget, Price } from "../spec/budget.ts";
import { amountOf, cutTo, usedOf } from "./model-charges.ts";
import { costOf, priceOf } from "./price.ts";

const usage = { inputTokens: 1_000, outputTokens: 100 };

describe("prices", () => {
	test("those that are given go before the table, by provider and model or by the model alone", () => {
		const [one, two] = [
			{ input: 1, output: 1 },
			{ input: 2, output: 2 },
		];
		const model = { provider: "openai.responses", modelId: "gpt-5" };
		expect(priceOf(model, { "gpt-5": one, "openai.responses/gpt-5": two })).toBe(two);
		expect(priceOf(model, { "gpt-5": one })).toBe(one);
		expect(priceOf(model, {})).toMatchObject({ input: 1.25, output: 10 });
	});

	test("a model that is named with its date has the price of its name; any other that is not there has none", () => {
		const price = (modelId: string) => priceOf({ provider: "p", modelId }, {});
		expect(price("claude-sonnet-4-5-20250929")).toEqual(price("claude-sonnet-4-5"));
		expect(price("gpt-5-mini-2025-08-07")).toEqual(price("gpt-5-mini"));
		for (const unknown of ["gpt-5-ultra", "gpt", "toString", "__proto__", ""]) expect(price(unknown)).toBeUndefined();
	});

	test("what the provider had in its cache costs what that costs", () => {
		expect(costOf({ input: 3, output: 15, cachedInput: 0.3 }, { ...usage, cachedInputTokens: 900 })).toBe(2_070);
		expect(costOf({ input: 3, output: 15 }, { ...usage, cachedInputTokens: 900 })).toBe(4_500);
		expect(costOf({ input: 0.1, output: 0 }, { inputTokens: 1, outputTokens: 0 })).toBe(1);
		expect(costOf({ input: 0.1, output: 0.2 }, { inputTokens: 1, outputTokens: 1 })).toBe(1);
		expect(costOf({ input: 0.1, output: 0.2 }, { inputTokens: 10, outputTokens: 10 })).toBe(3);
	});
});

describe("a share of a budget", () => {
	const counts = fc.constantFrom<Budget["counts"]>("tokens", "inputTokens", "outputTokens", "money", "wallMs");
	const number = fc.double({ min: 0, max: 100, noNaN: true });
	const price: fc.Arbitrary<Price> = fc.record({ input: number, output: number });
	const share = fc.record({
		inputTokens: fc.nat({ max: 10_000 }),
		outputTokens: fc.integer({ min: 1, max: 10_000 }),
		ms: fc.integer({ min: 1, max: 10_000 }),
	});

	test("that is cut fits into what is left, and could not have been a token or a millisecond more", () =>
		fc.assert(
			fc.property(counts, fc.nat({ max: 500_000 }), share, price, (kind, left, full, price) => {
				const budget: Budget = { name: "b", counts: kind, max: 1 };
				const cut = cutTo(left, budget, { share: full, price });
				const more = (extra: number) => {
					const { outputTokens, ms } = cut ?? { outputTokens: 0, ms: 0 };
					return amountOf(budget, { ...full, outputTokens: outputTokens + extra, ms: ms + extra }, price);
				};
				if (cut) expect(amountOf(budget, cut, price)).toBeLessThanOrEqual(left);
				if (!cut) expect(more(1)).toBeGreaterThan(left);
				else if (cut !== full) expect(more(1)).toBeGreaterThan(left);
			}),
		));

	test("holds at least what is used of it", () =>
		fc.assert(
			fc.property(counts, share, price, fc.nat(), (kind, held, price, cached) => {
				const budget: Budget = { name: "b", counts: kind, max: 1 };
				const used = usedOf(budget, { ...held, cachedInputTokens: cached }, { price, ms: held.ms });
				expect(used).toBeLessThanOrEqual(amountOf(budget, held, price));
			}),
		));
});
