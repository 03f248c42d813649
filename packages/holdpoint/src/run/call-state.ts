import type { Need } from "../approvals/need.ts";
import type {
	Approver,
	AskSource,
	CallDecided,
	Hold,
	Outcome,
	ProgramRehearsed,
	ProgramSuspended,
} from "../spec/events.ts";
import type { GrantTerms } from "../spec/governance.ts";
import type { Json } from "../spec/json.ts";
import type { Label } from "../spec/label.ts";
import type { ProgramLimits } from "../spec/limits.ts";
import type { Conversation, Thread } from "./conversation.ts";

/** A call as the fold of its events. */
export interface CallState {
	readonly id: string;
	readonly tool: string;
	/** The program that made it. */
	readonly parent: string | undefined;
	/** Of the agent that made it, or whose program did. */
	readonly thread: Thread;
	/** Which of the run's calls it is: 1, 2, …; in a team since the user's last words. */
	readonly ordinal: number;
	/** Which of its agent's calls here. */
	readonly ordinalOfAgent: number;
	readonly line: number;
	/** Of all that whoever made it had seen by then. */
	readonly label?: Label | undefined;
	/** The id under which the model knows the call. */
	readonly modelId: string;
	/** What was asked; undefined where it is no JSON: `input` has the model's text, or says what was wrong with a program's. */
	readonly asked: Json | undefined;
	readonly input: string;
	/** Canonical arguments, once decided. */
	args: Json | undefined;
	digest: string;
	phase: "asked" | "held" | "answered" | "started" | "unknown" | "finished";
	verdict: (Pick<CallDecided, "verdict" | "policy"> & { readonly reason: string }) | undefined;
	/** Grants that its last decision rests on. */
	grants?: readonly string[];
	approval: ApprovalState | undefined;
	/** How many approvals this call has had. */
	approvals: number;
	attempt: number;
	/** Row of its program's rehearsal whose approval it spends. */
	row?: number;
	/** What it holds of shared accounts, or held. */
	holds?: readonly Hold[];
	edited: boolean;
	outcome: Outcome | undefined;
	/** Of what it returned. */
	resultLabel?: Label;
	program: ProgramState | undefined;
	/** It is a handoff that was made: to whom. */
	handsTo?: string;
	/** Where the call is put to an agent: what goes on there. */
	inside: Conversation | undefined;
	/** Whoever made it goes on meanwhile. */
	isInBackground?: true;
}

interface NewCall extends Pick<CallState, "id" | "ordinal" | "ordinalOfAgent" | "tool" | "thread"> {
	readonly parent?: string;
	readonly line?: number;
	readonly label?: Label | undefined;
	readonly modelId?: string;
	readonly input?: string;
	readonly asked: Json | undefined;
}

/** A call that was asked for, and of which nothing is decided. */
export function newCall(call: NewCall): CallState {
	return {
		id: call.id,
		ordinal: call.ordinal,
		ordinalOfAgent: call.ordinalOfAgent,
		tool: call.tool,
		parent: call.parent,
		thread: call.thread,
		line: call.line ?? 0,
		...(call.label ? { label: call.label } : {}),
		modelId: call.modelId ?? call.id,
		asked: call.asked,
		input: call.input ?? "",
		args: undefined,
		digest: "",
		phase: "asked",
		verdict: undefined,
		approval: undefined,
		approvals: 0,
		attempt: 0,
		edited: false,
		outcome: undefined,
		program: undefined,
		inside: undefined,
	};
}

export interface ApprovalState extends Need {
	readonly id: string;
	/** There once it was escalated. */
	substitutes?: readonly string[] | undefined;
	readonly expiresAt: number;
	readonly escalation?: { readonly at: number; readonly roles: readonly string[] } | undefined;
	readonly answers: ApprovalAnswer[];
	/** So many of them, the first ones, were given to the approval before this one. */
	readonly carried: number;
	/** What asks beside the policy, as its givers were shown. */
	readonly sources?: readonly AskSource[];
	/** The program is to be rehearsed before people decide. */
	readonly rehearse?: true;
	/** People whose answers gave a standing grant, and it was given. */
	granted?: readonly string[];
	denied: ApprovalAnswer | undefined;
	/** Why it is over without an answer. */
	closed: "expired" | "cancelled" | undefined;
}

export interface ApprovalAnswer {
	readonly by: Approver;
	readonly at: number;
	readonly reason: string | undefined;
	readonly always?: GrantTerms;
}

/** The last rehearsal of a program, and what people said of its rows. */
export interface RehearsalState {
	readonly event: ProgramRehearsed;
	/** By row. */
	readonly rows: RowState[];
	/** Rows hold in their order only. */
	inOrder: boolean;
}

export interface RowState {
	readonly answers: ApprovalAnswer[];
	denied?: ApprovalAnswer;
	/** The call that spent it. */
	spent?: string;
}

export interface ProgramState {
	readonly provider: string;
	readonly guest: string;
	readonly seed: number;
	readonly clock: number;
	readonly body: string | undefined;
	/** Undefined in journals of before they were written down. */
	readonly tools: readonly string[] | undefined;
	readonly limits: Partial<ProgramLimits> | undefined;
	/** Of all that it has seen. */
	label?: Label | undefined;
	/** Ids of the calls it made, in its own order: index n - 1. */
	readonly asks: string[];
	/** Those of them whose outcome it has not been given. */
	readonly open: Set<string>;
	/** Those of the open ones that have an outcome, in the order in which they got it: so they are delivered. */
	readonly settled: Set<string>;
	readonly deliveries: { readonly answers: readonly string[]; readonly clock: number }[];
	/** Somebody wants it rehearsed. */
	rehearse?: true;
	/** How often it was. */
	rehearsals?: number;
	rehearsal?: RehearsalState;
	suspended: ProgramSuspended | undefined;
	/** Nothing moved since the snapshot. */
	quiet: boolean;
}
