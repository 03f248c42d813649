import type { Ask } from "./ask.ts";
import type { Json } from "./json.ts";
import type { Label } from "./label.ts";
import type { Effect, Labels, Tool } from "./tool.ts";

export type { Ask, Escalation } from "./ask.ts";

/** I4: total and closed. What is not one of these, or does not come, is a `deny`. */
export type Decision =
	| { readonly verdict: "allow"; readonly reason?: string }
	| { readonly verdict: "deny"; readonly reason: string }
	| { readonly verdict: "ask"; readonly reason: string; readonly ask?: Ask };

/** Everything a decision may rest on. */
export interface PolicyRequest {
	readonly run: string;
	readonly call: string;
	/** On whose behalf. */
	readonly principal: string;
	readonly tenant: string | undefined;
	readonly session: string | undefined;
	readonly agent: string;
	/** How many agents put one another to work until this one: 0 for a run that a user started. */
	readonly depth: number;
	readonly provenance: Provenance;
	readonly tool: {
		readonly name: string;
		readonly version: string;
		readonly effect: Effect;
		readonly tags: readonly string[];
		/** What its results are, as its author declares it. */
		readonly labels?: Labels | undefined;
	};
	/** Canonical: what is shown, digested, decided and executed. */
	readonly args: Json;
	/** Of all that whoever made the call had seen by then; undefined: nothing is wrong with it, or labels are not kept. */
	readonly label?: Label | undefined;
	/**
	 * By name, how each budget of the harness stands for this call's run, session, agent, principal or tenant, without what
	 * the call itself holds. Undefined: the policy does not read them (`readsBudgets`).
	 */
	readonly budgets?: BudgetsNow | undefined;
	/** Valid answers so far. A policy may look at them; whether they cover an `ask` is not its business. */
	readonly approvedBy: readonly string[];
}

/** How budgets stand, by their names. */
export interface BudgetsNow {
	readonly [budget: string]: BudgetNow;
}

/** Whole numbers, in the unit of what the budget counts: money in micro-USD, time in milliseconds. */
export interface BudgetNow {
	readonly spent: number;
	/** By calls that go on, or whose outcome nobody knows. */
	readonly held: number;
	readonly max: number;
}

/** Who made the call: the model itself, a program that the model wrote, or an agent that others put to work. */
export type Provenance = (
	| { readonly via: "model" }
	| { readonly via: "program"; readonly program: string }
	| { readonly via: "agent" | "handoff" }
) & {
	/** Agents that handed the work on, the first one first. None: the run's own agent. */
	readonly path?: readonly string[];
};

/** An agent and every tool that it may call, those that Holdpoint gives it included. */
export interface GovernedAgent {
	readonly name: string;
	readonly tools: readonly Tool[];
}

/** What else of the harness a policy may speak of. */
export interface GovernedParts {
	readonly budgets: readonly { readonly name: string }[];
	/** Whether labels are kept: where they are not, none of a call says anything. */
	readonly labels: boolean;
}

/** What is known of a tool before anybody calls it. */
export type ToolFacts = Pick<PolicyRequest, "agent" | "principal" | "tenant" | "tool">;

export interface Policy {
	/** Recorded with every decision, up to 200 characters of it. */
	readonly version: string;
	/** Names a change of it that could not be used, so that this version goes on; undefined: there is none. */
	readonly refused?: string | undefined;
	decide(request: PolicyRequest): Decision | Promise<Decision>;
	/**
	 * Told of all agents of the harness before any of them runs, and of them and every further one before that one runs.
	 * What it throws keeps the added one from running. Errors: `policy.invalid` where it does not fit their tools.
	 */
	ready?(agents: readonly GovernedAgent[], about?: GovernedParts): void | Promise<void>;
	/** False: this tool is denied whatever its arguments, so that the model need not be told of it. */
	declares?(facts: ToolFacts): boolean;
	/**
	 * False: no call of this tool is ever asked for, whatever its arguments. Where it is left out, that is taken to be so
	 * of tools that are `read` or `internal`. It decides where programs run, and never whether a call may be made.
	 */
	mayAsk?(facts: ToolFacts): boolean;
	/**
	 * True: a decision on this tool may rest on how budgets stand, so that `budgets` are looked up for it. Left out or
	 * false: they are not, which costs nothing.
	 */
	readsBudgets?(facts: ToolFacts): boolean;
}
