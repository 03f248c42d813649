/** Whose event it is, where that does not go without saying. */
export interface OfAgent {
	/** The call inside of which the agent works; left out in the run's own conversation. */
	readonly in?: string;
	/** Name of the agent, in a team. */
	readonly agent?: string;
}

/** An amount of a shared account that was held, and is spent now. */
export interface Spent {
	/** Name of the account. */
	readonly account: string;
	/** Whole, in the account's own unit. */
	readonly amount: number;
	/** Under which it was held. */
	readonly holder: string;
	/** By so much the provider counted more than was held for it. */
	readonly overdrawn?: number;
}

/** One thing that an agent has to do. */
export interface Todo {
	/** What it is, in the agent's words. */
	readonly text: string;
	/** How it stands. */
	readonly status: "open" | "doing" | "done";
}

/** What agents may do. */
export type Mode = "plan" | "execute";
