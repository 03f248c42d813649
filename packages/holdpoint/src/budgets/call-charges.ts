/** What one tool call takes of each budget. Pure: known from its canonical arguments, before it starts. */
import type { Budget } from "../spec/budget.ts";
import type { Hold } from "../spec/events.ts";
import { isJsonObject, type Json } from "../spec/json.ts";
import type { Effect } from "../spec/tool.ts";
import { type Account, accountOf, isAccountOf, type Place, renewalOf, scopesOf, unitOf } from "./account.ts";

export interface ChargedCall extends Place {
	readonly tool: { readonly name: string; readonly effect: Effect };
	readonly args: Json;
	/** How long it may take. Milliseconds. */
	readonly timeoutMs: number;
	/** Of an attempt before this one: what that holds stays where it is. */
	readonly holds: readonly Hold[];
}

/** One account that a call needs something of. */
export interface Charge extends Account {
	readonly budget: Budget;
	readonly amount: number;
	/** So much of it is time that the attempt may take. Milliseconds. */
	readonly timeMs?: number;
	/** An attempt before this one holds so much there. */
	readonly before: number;
}

/** The call cannot be counted: closed. */
export interface Uncountable {
	readonly budget: Budget;
	readonly problem: string;
}

/** `used`: what others use of accounts that were found to have not enough left. */
export function callCharges(
	budgets: readonly Budget[],
	call: ChargedCall,
	{ now, used }: { readonly now: number; readonly used: ReadonlyMap<string, number> },
): readonly (Charge | Uncountable)[] {
	return budgets.flatMap((budget): readonly (Charge | Uncountable)[] => {
		if (!concerns(budget, call)) return [];
		const known = call.holds.find(({ account }) => isAccountOf(budget, call, account));
		const fresh = accountOf(budget, call, now);
		const account = known ? { account: known.account, until: fresh.until } : fresh;
		const before = known?.amount ?? 0;
		if (budget.counts === "wallMs") {
			const left = budget.max - (used.get(account.account) ?? 0) - before;
			const timeMs = Math.max(1, Math.min(call.timeoutMs, left));
			return [{ budget, ...account, amount: before + timeMs, timeMs, before }];
		}
		const amount = typeof budget.counts === "string" ? 1 : sumOf(call.args, budget.counts.sum);
		if (typeof amount === "string") return [{ budget, problem: amount }];
		return amount === 0 ? [] : [{ budget, ...account, amount, before }];
	});
}

function concerns({ counts, tools }: Budget, { tool }: ChargedCall): boolean {
	if (typeof counts === "object") return counts.tool === tool.name;
	if (counts !== "calls" && counts !== "wallMs") return false;
	return tools ? tools.includes(tool.name) : tool.effect !== "internal";
}

/** A text says why there is none. */
function sumOf(args: Json, path: string): number | string {
	let value: Json | undefined = args;
	for (const field of path.split(".")) {
		value = isJsonObject(value) && Object.hasOwn(value, field) ? value[field] : undefined;
	}
	if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
	const shown = value === undefined ? "is not there" : `is ${JSON.stringify(value).slice(0, 100)}`;
	return `${path} ${shown}, and only whole numbers from 0 on can be added up`;
}

export function isCharge(one: Charge | Uncountable): one is Charge {
	return "account" in one;
}

/** Why a call that cannot be counted is not made. */
export function uncountableReason({ budget, problem }: Uncountable): string {
	return `The budget ${budget.name} cannot count this call: ${problem}.`;
}

/** Why it is too much. `used`: by others, be it spent or held. */
export function overReason(budget: Budget, needs: number, { used, now }: { used: number; now: number }): string {
	const { name, max } = budget;
	const left = Math.max(0, max - used);
	return `The budget ${name} allows ${quantity(budget)}: ${left} of ${max} is left, and this needs ${needs}. ${renewalOf(budget, now)}`;
}

/** `50000 of refund_order.amountCents per principal and day`. */
export function quantity(budget: Pick<Budget, "counts" | "per" | "window" | "max">): string {
	const { counts, max, window } = budget;
	const of = typeof counts === "object" ? `of ${unitOf(counts)}` : words[counts];
	const each = [...scopesOf(budget), ...(window ? [window] : [])];
	return `${max} ${of}${each.length > 0 ? ` per ${each.join(" and ")}` : ""}`;
}

const words: { readonly [Counts in Extract<Budget["counts"], string>]: string } = {
	calls: "calls",
	tokens: "tokens",
	inputTokens: "input tokens",
	outputTokens: "output tokens",
	money: "micro-USD",
	wallMs: "ms of work",
};
