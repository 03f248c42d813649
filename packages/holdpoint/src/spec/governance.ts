import type { Approver } from "./approver.ts";
import type { Budget } from "./budget.ts";
import type { Json } from "./json.ts";
import type { Marks } from "./marks.ts";

/** What people have laid down for every run of a store, in one sealed document. */
export interface Standing {
	readonly grants: readonly Grant[];
	readonly switches: readonly Switch[];
	/** The policy that decides, and the budgets: as the audit log was told last. Left out where none is kept. */
	readonly policy?: LaidPolicy;
	readonly budgets?: LaidBudgets;
}

export interface LaidPolicy extends Laying {
	readonly version: string;
	/** Names a change of it that could not be used since, so that this one goes on. */
	readonly refused?: string;
}

export interface LaidBudgets extends Laying {
	readonly budgets: readonly Budget[];
}

/** Whose process it was that first had it, and when. */
interface Laying {
	readonly by: string;
	/** Milliseconds since 1970. */
	readonly at: number;
}

/**
 * A standing permission: it answers an `ask` in the place of the people who gave it, and never turns a `deny` into
 * anything.
 */
export interface Grant {
	readonly id: string;
	readonly tool: string;
	/** Of the tool: one that changed is not covered any more. */
	readonly version: string;
	/** Arguments that it covers; those that it does not name must be what was shown. */
	readonly args: GrantedArguments;
	/** What its tool marked as sensitive in arguments: nobody who lists grants sees it. */
	readonly marks?: Marks;
	readonly scope: GrantScope;
	/** Who gave it: it fills the seats of these people and no others. */
	readonly by: readonly Approver[];
	/** The approval with whose answer it was given. */
	readonly approval: string;
	/** Milliseconds since 1970. */
	readonly at: number;
	/** From then on it covers nothing. Milliseconds since 1970. */
	readonly expiresAt: number;
	/** How many calls it may cover; undefined: any number until it expires. */
	readonly usesMax?: number;
	/** Asks that it answers besides those of the policy. */
	readonly answers?: readonly ("limit" | "label")[];
	/** Somebody took it back. */
	readonly revoked?: { readonly by: string; readonly at: number };
}

/** What is covered, by the name of a field of the arguments. */
export interface GrantedArguments {
	readonly [field: string]: GrantedValue;
}

export type GrantedValue =
	/** Only this value. */
	| { readonly is: Json }
	/** One of these values. */
	| { readonly in: readonly Json[] }
	/** A number from `min` to `max`, both included. */
	| { readonly min?: number; readonly max: number }
	/** Any value, or none. */
	| "any";

/** Where it holds; a call must match each part. */
export interface GrantScope {
	readonly agent: string;
	/** On whose behalf. Left out: whoever the agent works for, of this tenant. */
	readonly principal?: string;
	readonly tenant?: string;
	/** Left out: in every session, and outside of them. */
	readonly session?: string;
}

/** What is written down when standing is changed. */
export type StandingEvent =
	| { readonly type: "grant.given"; readonly grant: Grant }
	| {
			readonly type: "grant.revoked";
			readonly grant: string;
			readonly by: string;
			readonly at: number;
			readonly reason?: string;
	  }
	/** The run with whose call it was given was erased: it ends, and what it covered is known no more. */
	| { readonly type: "grant.erased"; readonly grant: string; readonly by: string; readonly at: number }
	| ({ readonly type: "switch.thrown" } & Switch)
	| {
			readonly type: "switch.released";
			readonly of: Switch["of"];
			readonly name: string;
			readonly by: string;
			readonly at: number;
	  }
	/** A process decides by another policy than the one that was written down last. */
	| ({ readonly type: "policy.changed"; readonly version: string } & Laying)
	/** A changed policy cannot be used: the one of this version goes on. */
	| ({ readonly type: "policy.refused"; readonly version: string; readonly refused: string } & Laying)
	/** A process counts by other budgets than those that were written down last. */
	| ({ readonly type: "budgets.changed"; readonly budgets: readonly Budget[] } & Laying);

/** What an approver says besides yes: always, within these bounds. */
export interface GrantTerms {
	/**
	 * `session`: only in the session of the call, where it has one. `principal`: wherever this agent works for this
	 * principal. `agent`: whoever this agent works for, of the same tenant.
	 */
	readonly scope: "session" | "principal" | "agent";
	/** Fields that may differ from what was shown. Default: none. */
	readonly args?: GrantedArguments;
	/** Default 24 h, at most 90 days. Milliseconds. */
	readonly expiresInMs?: number;
	readonly usesMax?: number;
	readonly answers?: readonly ("limit" | "label")[];
}

/** From the narrowest to the widest. */
export const grantScopes = ["session", "principal", "agent"] as const satisfies readonly GrantTerms["scope"][];

/** A kill switch: whatever it names is denied from the next decision on. */
export interface Switch {
	readonly of: "tool" | "agent" | "tenant" | "all";
	/** Name of the tool, agent or tenant; empty for all. */
	readonly name: string;
	readonly reason: string;
	readonly by: string;
	/** Milliseconds since 1970. */
	readonly at: number;
}
