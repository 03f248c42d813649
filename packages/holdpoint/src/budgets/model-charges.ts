/** What one model call takes of each budget: what it may take at most is held before, and what it took is spent after. */
import type { Budget, Price } from "../spec/budget.ts";
import type { ModelUsage } from "../spec/model.ts";
import { type Account, accountOf, type Place } from "./account.ts";
import { costOf, roundedUp } from "./price.ts";

/** What it may take, and what it takes. */
export interface Share {
	readonly inputTokens: number;
	readonly outputTokens: number;
	/** Milliseconds. */
	readonly ms: number;
}

export interface ModelCharge extends Account {
	readonly budget: Budget;
}

/** Budgets that a model call counts in. */
export function modelCharges(budgets: readonly Budget[], place: Place, now: number): readonly ModelCharge[] {
	return budgets
		.filter(({ counts, tools }) => typeof counts === "string" && counts !== "calls" && tools === undefined)
		.map((budget) => ({ budget, ...accountOf(budget, place, now) }));
}

/** How much of a budget this share is. Money needs the price. */
export function amountOf({ counts }: Budget, share: Share, price: Price | undefined): number {
	switch (counts) {
		case "tokens":
			return share.inputTokens + share.outputTokens;
		case "inputTokens":
			return share.inputTokens;
		case "outputTokens":
			return share.outputTokens;
		case "money":
			return price ? roundedUp(share.inputTokens * price.input + share.outputTokens * price.output) : 0;
		case "wallMs":
			return share.ms;
		default:
			return 0;
	}
}

/** How much of it was used in the end. The time that was held is all that can be used. */
export function usedOf({ counts }: Budget, usage: ModelUsage, { price, ms }: { price: Price | undefined; ms: number }) {
	if (counts === "money") return price ? costOf(price, usage) : 0;
	return amountOf({ counts } as Budget, { ...usage, ms }, price);
}

/** The share cut to what is left; undefined: not even the input and one token of an answer, or one millisecond, fit. */
export function cutTo(left: number, budget: Budget, { share, price }: { share: Share; price: Price | undefined }) {
	if (amountOf(budget, share, price) <= left) return share;
	if (budget.counts === "wallMs") return left >= 1 ? { ...share, ms: left } : undefined;
	let outputTokens = share.outputTokens;
	if (budget.counts === "tokens") outputTokens = left - share.inputTokens;
	else if (budget.counts === "outputTokens") outputTokens = left;
	else if (budget.counts === "money" && price && price.output > 0) {
		outputTokens = Math.floor((left - share.inputTokens * price.input) / price.output);
	} else return undefined;
	return outputTokens >= 1 ? { ...share, outputTokens } : undefined;
}
