import type { Approver, Outcome, ProgramSuspended } from "../spec/events.ts";
import type { Json } from "../spec/json.ts";

/** A call as the fold of its events. */
export interface CallState {
	readonly id: string;
	readonly tool: string;
	readonly parent: string | undefined;
	/** Which of the run's calls it is: 1, 2, … */
	readonly ordinal: number;
	readonly line: number;
	/** The id under which the model knows the call. */
	readonly modelId: string;
	/** What was asked; undefined where the model's text is no JSON (`input` has it). */
	readonly asked: Json | undefined;
	readonly input: string;
	/** Canonical arguments, once decided. */
	args: Json | undefined;
	digest: string;
	phase: "asked" | "held" | "answered" | "started" | "unknown" | "finished";
	verdict: { readonly verdict: "allow" | "deny" | "ask"; readonly reason: string } | undefined;
	approval: ApprovalState | undefined;
	/** How many approvals this call has had. */
	approvals: number;
	attempt: number;
	edited: boolean;
	outcome: Outcome | undefined;
	program: ProgramState | undefined;
}

export interface ApprovalState {
	readonly id: string;
	readonly roles: readonly string[];
	readonly count: number;
	readonly expiresAt: number;
	readonly answers: ApprovalAnswer[];
	denied: ApprovalAnswer | undefined;
	/** Why it is over without an answer. */
	closed: "expired" | "lapsed" | "voided" | "cancelled" | undefined;
}

export interface ApprovalAnswer {
	readonly by: Approver;
	readonly at: number;
	readonly reason: string | undefined;
}

export interface ProgramState {
	readonly provider: string;
	readonly guest: string;
	readonly seed: number;
	readonly clock: number;
	readonly body: string | undefined;
	/** Ids of the calls it made, in its own order: index n - 1. */
	readonly asks: string[];
	/** Those of them whose outcome it has not been given. */
	readonly open: Set<string>;
	readonly deliveries: { readonly answers: readonly string[]; readonly clock: number }[];
	suspended: ProgramSuspended | undefined;
	/** Nothing moved since the snapshot. */
	quiet: boolean;
}
