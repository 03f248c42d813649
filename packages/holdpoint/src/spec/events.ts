import type { ErrorCode, FailureCode } from "./errors.ts";
import type { Json } from "./json.ts";
import type { ProgramLimits } from "./limits.ts";
import type { AnswerPart, ModelUsage } from "./model.ts";

/**
 * The vocabulary of the journal. A run is an append-only list of these; everything else is a reader of it.
 * Old journals must always fold: fields are added as optional, meanings never change, `journalVersion` counts.
 */
export const journalVersion = 1;

export type RunEvent =
	| RunStarted
	| RunResumed
	| MessageReceived
	| ModelAnswered
	| OutputRejected
	| CallAsked
	| CallDecided
	| ApprovalRequested
	| ApprovalResolved
	| ApprovalRefused
	| ApprovalClosed
	| CallStarted
	| CallFinished
	| CallSettled
	| ProgramStarted
	| ProgramDelivered
	| ProgramSuspended
	| ProgramRestored
	| TimerSet
	| TimerFired
	| CancelRequested
	| SignalIgnored
	| RunFinished;

export interface RunStarted {
	readonly type: "run.started";
	/** Journal version. */
	readonly v: number;
	readonly lib: string;
	readonly agent: { readonly name: string; readonly digest: string };
	/** Version of each tool at the start. */
	readonly tools: { readonly [name: string]: string };
	readonly principal: string;
	readonly tenant?: string;
	readonly session?: SessionPlace;
	readonly input: string;
	/** What guest programs will run in, where the agent writes programs. */
	readonly sandbox?: string;
}

/** A session is a chain of runs; this run goes on where `after` ended. */
export interface SessionPlace {
	readonly id: string;
	readonly after?: string;
	/** Messages that the run before ended without reading: the input says them. */
	readonly read?: readonly string[];
}

export interface RunResumed {
	readonly type: "run.resumed";
	/** What changed since the run was last advanced, and whether it can go on. */
	readonly verdict: "same" | "compatible";
	readonly changes?: readonly string[];
	readonly lib?: string;
	readonly agent?: string;
	readonly tools?: { readonly [name: string]: string };
}

export interface MessageReceived {
	readonly type: "message.received";
	readonly text: string;
	readonly signal: string;
	/** `turn`: answered now, held calls read as pending. `queue`: read after the held calls. */
	readonly mode: "turn" | "queue";
}

export interface ModelAnswered {
	readonly type: "model.answered";
	/** `provider/model`, or `middleware` where a layer answered itself; left out where it is that of the answer before. */
	readonly model?: string;
	readonly content: readonly AnswerPart[];
	readonly finish: string;
	readonly usage: ModelUsage;
	readonly ms: number;
	/** How many messages came while it answered: they stand after its answer, and it is asked again. */
	readonly unheard?: number;
}

/** The final answer did not fit the agent's output schema. */
export interface OutputRejected {
	readonly type: "output.rejected";
	readonly issues: string;
}

/** A program asked for a call. Calls of the model itself are in `model.answered`. */
export interface CallAsked {
	readonly type: "call.asked";
	readonly call: string;
	readonly parent: string;
	readonly tool: string;
	readonly args: Json;
	/** Why what the program wrote could not be read as arguments; `args` is null then. */
	readonly unreadable?: string;
	readonly line: number;
}

export interface CallDecided {
	readonly type: "call.decided";
	readonly call: string;
	readonly verdict: "allow" | "deny" | "ask";
	readonly reason?: string;
	readonly policy: string;
	/** Digest of (run, call, tool, tool version, canonical arguments). */
	readonly digest: string;
	/** Whose valid answers were there when it was decided. */
	readonly approvedBy?: readonly string[];
	/** Canonical arguments where they differ from what was asked. */
	readonly args?: Json;
}

export interface ApprovalRequested {
	readonly type: "approval.requested";
	readonly approval: string;
	readonly call: string;
	readonly roles?: readonly string[];
	readonly count?: number;
	readonly expiresAt: number;
	/** People whose answers to the call's approval before count here too. */
	readonly carries?: readonly string[];
}

export interface Approver {
	readonly id: string;
	/** How the identity is known: `os`, `library`, … */
	readonly via: string;
	readonly roles?: readonly string[];
}

export interface ApprovalResolved {
	readonly type: "approval.resolved";
	readonly approval: string;
	readonly call: string;
	readonly answer: "approve" | "deny" | "edit";
	readonly by: Approver;
	/** When the person answered. */
	readonly at: number;
	readonly reason?: string;
	/** The new canonical arguments of an edit, and their digest. */
	readonly args?: Json;
	readonly digest?: string;
	/** More answers are needed. */
	readonly open?: true;
	readonly signal: string;
}

/** An answer that was worth nothing; nothing was executed because of it. */
export interface ApprovalRefused {
	readonly type: "approval.refused";
	readonly approval: string;
	readonly by?: string;
	readonly why: string;
	readonly signal: string;
}

export interface ApprovalClosed {
	readonly type: "approval.closed";
	readonly approval: string;
	readonly call: string;
	readonly why: "expired" | "lapsed" | "voided" | "cancelled";
}

/** I1: durable before the tool runs. The idempotency key follows from run and call. */
export interface CallStarted {
	readonly type: "call.started";
	readonly call: string;
	readonly attempt: number;
}

export interface CallFinished {
	readonly type: "call.finished";
	readonly call: string;
	readonly outcome: Outcome;
	readonly ms?: number;
}

export type Outcome =
	| { readonly ok: Json; readonly edited?: true }
	/** The value lies beside the journal. */
	| { readonly blob: string; readonly bytes: number; readonly edited?: true }
	| { readonly failed: string; readonly code: FailureCode }
	| { readonly denied: string; readonly by?: string }
	| { readonly cancelled: string }
	/** I7: started, and nobody knows. A wait, until it is settled. */
	| { readonly unknown: string };

/** Somebody found out what became of a call with an unknown outcome. */
export interface CallSettled {
	readonly type: "call.settled";
	readonly call: string;
	readonly outcome: Outcome;
	readonly by: Approver;
	readonly signal: string;
}

export interface ProgramStarted {
	readonly type: "program.started";
	readonly call: string;
	readonly provider: string;
	readonly guest: string;
	readonly seed: number;
	readonly clock: number;
	/** The plain JavaScript that runs; left out where it is the call's own text. */
	readonly body?: string;
	/** Names under `tools`, in their order: the program has these for good, whatever the agent has later. */
	readonly tools?: readonly string[];
	/** The limits that the agent set itself. */
	readonly limits?: Partial<ProgramLimits>;
}

/** Journaled before it is made: which answers enter the guest, in which order, at what guest time. */
export interface ProgramDelivered {
	readonly type: "program.delivered";
	readonly call: string;
	readonly answers: readonly string[];
	readonly clock: number;
}

export interface ProgramSuspended {
	readonly type: "program.suspended";
	readonly call: string;
	/** Deliveries made before the snapshot. */
	readonly delivered: number;
	/** Calls asked before the snapshot. */
	readonly asked: number;
	readonly snapshot?: SnapshotReference;
	/** Console output so far. */
	readonly console?: string;
}

export interface SnapshotReference {
	readonly digest: string;
	readonly bytes: number;
	readonly provider: string;
	readonly guest: string;
	readonly format: number;
}

export interface ProgramRestored {
	readonly type: "program.restored";
	readonly call: string;
	readonly from: "snapshot" | "start";
	/** Why it was replayed although there is a snapshot. */
	readonly why?: string;
}

/** A durable wait for time. */
export interface TimerSet {
	readonly type: "timer.set";
	readonly timer: string;
	readonly dueAt: number;
	readonly why: string;
}

export interface TimerFired {
	readonly type: "timer.fired";
	readonly timer: string;
}

export interface CancelRequested {
	readonly type: "cancel.requested";
	readonly by: string;
	readonly reason?: string;
	readonly signal: string;
}

/** A signal that meant nothing any more: a forged one, a second cancel, one that was taken before. */
export interface SignalIgnored {
	readonly type: "signal.ignored";
	readonly signal: string;
	readonly why: string;
}

export interface RunFinished {
	readonly type: "run.finished";
	readonly status: "completed" | "failed" | "cancelled";
	readonly output?: Json;
	readonly error?: { readonly code: RunFailureCode | ErrorCode; readonly message: string };
	/** Of a cancelled run: what was done, and what nobody knows. */
	readonly done?: readonly { readonly call: string; readonly tool: string; readonly outcome: "ok" | "unknown" }[];
}

export type RunFailureCode = "limit.turns" | "output.invalid" | "model.answered_nothing";
