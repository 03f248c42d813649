import type { Ask } from "./ask.ts";

/** A bound on what runs spend together, held before and settled after. */
export interface Budget {
	/** Shape: letters, digits, `_`, `.` and `-`, at most 60. */
	readonly name: string;
	/** Each of these has an account of its own; several: each combination. Left out: one for the whole store. */
	readonly per?: BudgetScope | readonly BudgetScope[];
	/** In UTC. Left out: for ever; where it is per run or session, until 30 days after it was last used, when it may be forgotten. */
	readonly window?: BudgetWindow;
	readonly counts: Counted;
	/** Of calls and wall time: only these tools. */
	readonly tools?: readonly string[];
	/** May be used up to the last unit. Units: those of what it counts. */
	readonly max: number;
	/** What a call beyond it meets. Only for calls and sums. Default: `deny`. */
	readonly over?: "deny" | Ask;
}

/** A run outside of a session is a session of its own; runs without a tenant share one account. */
export type BudgetScope = "run" | "session" | "agent" | "principal" | "tenant";

export type BudgetWindow = "hour" | "day" | "month";

export type Counted =
	/** Tool calls that were done; what changes only the run's own journal counts where `tools` names it. */
	| "calls"
	/** Of models, in and out. */
	| "tokens"
	| "inputTokens"
	| "outputTokens"
	/** Of models, by the price table. Units: micro-USD. */
	| "money"
	/** In tools and models; with `tools`, in these alone. Units: milliseconds. */
	| "wallMs"
	| ArgumentSum;

/** The sum over one argument of one tool: whole numbers from 0 on. */
export interface ArgumentSum {
	readonly tool: string;
	/** Name of the field; dots lead into objects. */
	readonly sum: string;
}

/** USD per million tokens, which is micro-USD per token. */
export interface Price {
	readonly input: number;
	readonly output: number;
	/** Input that the provider had in its cache. Default: as `input`. */
	readonly cachedInput?: number;
}

/** By `provider/model`, or by the model alone. */
export interface Prices {
	readonly [model: string]: Price;
}

/** How a budget stands. */
export interface BudgetStatus {
	readonly budget: Budget;
	readonly accounts: readonly BudgetAccount[];
}

export interface BudgetAccount {
	/** Its name in the store. */
	readonly account: string;
	/** Whose it is. Undefined: of whoever has none; a value that is too long stands as `#` and its digest. */
	readonly of: { readonly [Scope in BudgetScope]?: string | undefined };
	/** Milliseconds since 1970. */
	readonly window: { readonly from: number; readonly until: number } | undefined;
	readonly isCurrent: boolean;
	readonly spent: number;
	/** Of calls whose outcome is not known yet, and of model calls that go on. */
	readonly held: number;
	readonly left: number;
	/** What is used above `max`: by what people approved, or because a provider counted more than was held for it. */
	readonly overdrawn: number;
}
