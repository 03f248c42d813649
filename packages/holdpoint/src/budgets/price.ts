/** What models cost. The table is a start: providers change their prices, and `prices` goes before it. */
import type { Price, Prices } from "../spec/budget.ts";
import type { ModelUsage } from "../spec/model.ts";

/**
 * USD per million tokens, standard tier, as the providers' public price pages said in March 2026. What a provider asks
 * besides (writing to its cache, long contexts, tools of its own, tiers) is not in it.
 */
const table: Prices = {
	"claude-opus-4-6": { input: 5, output: 25, cachedInput: 0.5 },
	"claude-opus-4-5": { input: 5, output: 25, cachedInput: 0.5 },
	"claude-opus-4-1": { input: 15, output: 75, cachedInput: 1.5 },
	"claude-sonnet-4-6": { input: 3, output: 15, cachedInput: 0.3 },
	"claude-sonnet-4-5": { input: 3, output: 15, cachedInput: 0.3 },
	"claude-haiku-4-5": { input: 1, output: 5, cachedInput: 0.1 },
	"gpt-5.1": { input: 1.25, output: 10, cachedInput: 0.125 },
	"gpt-5": { input: 1.25, output: 10, cachedInput: 0.125 },
	"gpt-5-mini": { input: 0.25, output: 2, cachedInput: 0.025 },
	"gpt-5-nano": { input: 0.05, output: 0.4, cachedInput: 0.005 },
	"gpt-4.1": { input: 2, output: 8, cachedInput: 0.5 },
	"gpt-4.1-mini": { input: 0.4, output: 1.6, cachedInput: 0.1 },
	"gpt-4.1-nano": { input: 0.1, output: 0.4, cachedInput: 0.025 },
	"gpt-4o": { input: 2.5, output: 10, cachedInput: 1.25 },
	"gpt-4o-mini": { input: 0.15, output: 0.6, cachedInput: 0.075 },
};

/** Undefined: nobody said what it costs. A model named with its date has the price of its name. */
export function priceOf(
	{ provider, modelId }: { readonly provider: string; readonly modelId: string },
	prices: Prices,
): Price | undefined {
	const undated = modelId.replace(/-(\d{8}|\d{4}-\d{2}-\d{2})$/, "");
	for (const name of [`${provider}/${modelId}`, modelId]) if (Object.hasOwn(prices, name)) return prices[name];
	for (const name of [modelId, undated]) if (Object.hasOwn(table, name)) return table[name];
	return undefined;
}

/** Rounded up, in micro-USD. */
export function costOf(price: Price, { inputTokens, outputTokens, cachedInputTokens = 0 }: ModelUsage): number {
	const cached = Math.min(cachedInputTokens, inputTokens);
	const input = (inputTokens - cached) * price.input + cached * (price.cachedInput ?? price.input);
	return roundedUp(input + outputTokens * price.output);
}

/** For whoever only reports it; undefined where nobody said what the model costs. */
export function usdOf(prices: Prices) {
	return (model: Parameters<typeof priceOf>[0], usage: ModelUsage): number | undefined => {
		const price = priceOf(model, prices);
		return price && costOf(price, usage) / 1e6;
	};
}

/** A hair above a whole number is the arithmetic's, and nobody's money. */
export function roundedUp(amount: number): number {
	return Math.min(Math.ceil(amount - 1e-6), Number.MAX_SAFE_INTEGER);
}
