import type { Approver } from "./approver.ts";
import type { ContextCompacted, ContextProvided, ModeChanged, TodosSet } from "./context-events.ts";
import type { ErrorCode, FailureCode } from "./errors.ts";
import type { Mode, OfAgent, Spent } from "./event-parts.ts";
import type { GrantTerms } from "./governance.ts";
import type { Json } from "./json.ts";
import type { Label } from "./label.ts";
import type { ProgramLimits } from "./limits.ts";
import type { ToolMarks } from "./marks.ts";
import type { AnswerPart, ModelUsage } from "./model.ts";

/**
 * The vocabulary of the journal. A run is an append-only list of these; everything else is a reader of it.
 * Old journals must always fold: fields are added as optional, meanings never change, `journalVersion` counts.
 */
export const journalVersion = 1;

export type { Approver } from "./approver.ts";
export type { ContextCompacted, ContextProvided, ModeChanged, TodosSet } from "./context-events.ts";
export type { Mode, OfAgent, Spent, Todo } from "./event-parts.ts";

export type RunEvent =
	| RunStarted
	| RunResumed
	| MessageReceived
	| RunHanded
	| AgentContinued
	| AgentDone
	| UserAsked
	| ModelAnswered
	| ModelUnanswered
	| OutputRejected
	| ContextProvided
	| ContextCompacted
	| TodosSet
	| ModeChanged
	| CallAsked
	| CallDecided
	| ApprovalRequested
	| ApprovalResolved
	| ApprovalRefused
	| GrantGiven
	| ApprovalEscalated
	| ApprovalClosed
	| CallStarted
	| AgentStarted
	| CallFinished
	| CallSettled
	| ProgramStarted
	| ProgramDelivered
	| ProgramSuspended
	| RehearsalRequested
	| ProgramRehearsed
	| ProgramRestored
	| TimerSet
	| TimerFired
	| CancelRequested
	| SignalIgnored
	| RunFinished;

/** The first event: who asked which agent for what. */
export interface RunStarted {
	readonly type: "run.started";
	/** Journal version. */
	readonly v: number;
	/** Version of Holdpoint that began it. */
	readonly lib: string;
	/** The agent's name, and a digest of its definition. */
	readonly agent: { readonly name: string; readonly digest: string };
	/** Version of each tool at the start. */
	readonly tools: { readonly [name: string]: string };
	/** Places of arguments and results that a tool's schemas mark as sensitive: whoever only looks on does not see them. */
	readonly marks?: { readonly [tool: string]: ToolMarks };
	/** On whose behalf it runs. */
	readonly principal: string;
	/** Whose data it may touch, where the caller keeps several apart. */
	readonly tenant?: string;
	/** Its place in a conversation; left out where it belongs to none. */
	readonly session?: SessionPlace;
	/** Of a team: who begins. `agent` names the team then. */
	readonly team?: TeamStart;
	/** In which mode it begins, where its agent has modes. */
	readonly mode?: Mode;
	/** What the agent was asked. */
	readonly input: string;
	/** What guest programs will run in, where the agent writes programs. */
	readonly sandbox?: string;
	/** Labels are kept from here on. */
	readonly labels?: true;
	/** Of what the session said before, and of what users say where the rules name its readers. */
	readonly label?: Label;
}

/** Who begins in a team: one agent, or several beside each other. */
export interface TeamStart {
	/** Names of agents. */
	readonly start: readonly string[];
}

/** A session is a chain of runs; this run goes on where `after` ended. */
export interface SessionPlace {
	/** The session's name. */
	readonly id: string;
	/** The run before it; left out for the first one. */
	readonly after?: string;
	/** Messages that the run before ended without reading: the input says them. */
	readonly read?: readonly string[];
	/** Where its history begins; left out where that is the session's first run. What is older is folded into a summary. */
	readonly from?: SessionFrom;
}

/** What is known of a session before one of its runs, without what was said there. */
export interface SessionFrom {
	/** The first run of the history. */
	readonly run: string;
	/** Messages before it. */
	readonly messages: number;
	/** The run whose input the session began with. */
	readonly first?: string;
	/** The run that set the todos. */
	readonly todos?: string;
	/** In which mode its agent was, where it has modes. */
	readonly mode?: Mode;
	/** By how much the provider counted more than is estimated. */
	readonly ratio?: number;
	/** What a prompt may have, as the last answer before it said. Tokens. */
	readonly budget?: number;
}

/** Somebody went on with it, and something was not as it had been. */
export interface RunResumed {
	readonly type: "run.resumed";
	/** It goes on with these changes. Where nothing changed there is no such event, and where it cannot go on neither. */
	readonly verdict: "compatible";
	/** What is not as it was, a sentence each. */
	readonly changes?: readonly string[];
	/** Version of Holdpoint that goes on. */
	readonly lib?: string;
	/** Digest of the agent's definition from here on. */
	readonly agent?: string;
	/** Version of each tool from here on. */
	readonly tools?: { readonly [name: string]: string };
	/** What is marked as sensitive from here on. */
	readonly marks?: { readonly [tool: string]: ToolMarks };
}

/** A message reached a run that had begun. */
export interface MessageReceived {
	readonly type: "message.received";
	/** What was said. */
	readonly text: string;
	/** Id of the stored signal that this event used up. */
	readonly signal: string;
	/** `turn`: answered now, held calls read as pending. `queue`: read after the held calls. */
	readonly mode: "turn" | "queue";
}

/** An agent of a team handed the work on, or the team's order did. */
export interface RunHanded {
	readonly type: "run.handed";
	/** The call inside of which the team works. */
	readonly in?: string;
	/** Who worked. */
	readonly from: string;
	/** Who works from here on. */
	readonly to: string;
	/** Others that work beside it. */
	readonly beside?: readonly string[];
	/** The handoff; left out where the team's order says who is next. */
	readonly call?: string;
	/** Why, in the words of whoever handed on. */
	readonly reason?: string;
	/** What the next one is to know. */
	readonly summary?: string;
	/** Calls whose results the next one is told, oldest first. */
	readonly results?: readonly string[];
	/** So many results it is not told: they did not fit. */
	readonly leftOut?: number;
	/** The next one may use these tools of its own, and no others. */
	readonly only?: readonly string[];
	/** What ways to teams leave to whoever works in them, by the team's name: it holds until the work leaves that team. */
	readonly onlyIn?: { readonly [team: string]: readonly string[] };
	/** Whose way or order it was, where that is a team inside the one that was asked. */
	readonly team?: string;
	/** Participants that worked beside each other, and whose answers are joined here. */
	readonly joined?: readonly string[];
}

/** An agent that works by itself answered without handing on, and goes on. */
export interface AgentContinued extends OfAgent {
	readonly type: "agent.continued";
	/** What it was told. */
	readonly prompt: string;
	/** Participants that worked beside each other, and whose answers are joined here. */
	readonly joined?: readonly string[];
}

/** One of those who work beside each other is done. */
export interface AgentDone extends OfAgent {
	readonly type: "agent.done";
	/** The participant whose part it was, where that is a team that the agent is in. */
	readonly as?: string;
	/** Its answer, where that is not what the agent last said. */
	readonly answer?: string;
	/** Participants that worked beside each other inside of it, and whose answers are joined here. */
	readonly joined?: readonly string[];
}

/** An agent answered, and waits for what the user says to that. */
export interface UserAsked {
	readonly type: "user.asked";
	/** Who asks; the text is its last answer. Of a team whose agents worked beside each other: its name. */
	readonly agent: string;
	/** Who reads the reply, where that is another one. */
	readonly replyTo?: string;
	/** Others that read it, too, and work beside that one. */
	readonly beside?: readonly string[];
	/** What is asked, where that is not what the agent last said. */
	readonly text?: string;
	/** Participants that worked beside each other, and whose answers are joined here. */
	readonly joined?: readonly string[];
}

/** A call is put to an agent, or to a team: what they do is inside of it. */
export interface AgentStarted {
	readonly type: "agent.started";
	/** The call. */
	readonly call: string;
	/** Name of the agent or the team. */
	readonly agent: string;
	/** Of a team: who begins. */
	readonly team?: TeamStart;
	/** What it was asked. */
	readonly input: string;
	/** Whoever made the call goes on meanwhile. */
	readonly background?: true;
	/** In which mode it begins, where the agent has modes. */
	readonly mode?: Mode;
}

/** One answer of the model, whole. */
export interface ModelAnswered extends OfAgent {
	readonly type: "model.answered";
	/** `provider/model`, or `middleware` where a layer answered itself; left out where it is that of the answer before. */
	readonly model?: string;
	/** What the model said and which calls it asked for, in its order. */
	readonly content: readonly AnswerPart[];
	/** Why the model stopped: `stop`, `tool-calls`, `length`, … */
	readonly finish: string;
	/** Tokens of this answer. */
	readonly usage: ModelUsage;
	/** From the request to the whole answer. Milliseconds. */
	readonly ms: number;
	/** Of what the provider's own tools brought into it. */
	readonly label?: Label;
	/** How many messages came while it answered: they stand after its answer, and it is asked again. */
	readonly unheard?: number;
	/** What it took of budgets. */
	readonly spent?: readonly Spent[];
	/**
	 * Digest of who was asked, and with what beside the messages; there where budgets count tokens, and what the provider
	 * reported holds for all messages so far.
	 */
	readonly counted?: string;
	/** What the prompt was estimated at, where it is kept within a window. Tokens. */
	readonly estimate?: number;
	/** What the prompt may have; left out: as at the answer before. Tokens. */
	readonly budget?: number;
}

/** A model was asked, and what it took of budgets is spent though no answer of it stands in the journal. */
export interface ModelUnanswered {
	readonly type: "model.unanswered";
	/** What it took of budgets; what else it held is given back. */
	readonly spent: readonly Spent[];
}

/** The final answer did not fit the agent's output schema. */
export interface OutputRejected extends OfAgent {
	readonly type: "output.rejected";
	/** What did not fit; the model reads it. */
	readonly issues: string;
}

/** A program asked for a call. Calls of the model itself are in `model.answered`. */
export interface CallAsked {
	readonly type: "call.asked";
	/** Id of the call: the program's id, a dot, and its number there. */
	readonly call: string;
	/** The program that asked: a call too. */
	readonly parent: string;
	/** Name of the tool. */
	readonly tool: string;
	/** The arguments as the program gave them. */
	readonly args: Json;
	/** Why what the program wrote could not be read as arguments; `args` is null then. */
	readonly unreadable?: string;
	/** Line of the program that asked, from 1; 0 where it is not known. */
	readonly line: number;
}

/** What the policy said about a call. */
export interface CallDecided {
	readonly type: "call.decided";
	/** Which call. */
	readonly call: string;
	/** What the policy said. */
	readonly verdict: "allow" | "deny" | "ask";
	/** Why, in the policy's words. */
	readonly reason?: string;
	/** Version of the policy that decided. */
	readonly policy: string;
	/** Digest of (run, call, tool, tool version, canonical arguments). */
	readonly digest: string;
	/** Of an `ask`: whose yes it needed. Left out in journals of before it was written down. */
	readonly ask?: DecidedAsk;
	/** Whose valid answers were there when it was decided. */
	readonly approvedBy?: readonly string[];
	/** Their roles by then, in the same order; left out where these are the ones with which they answered. */
	readonly approvedAs?: readonly (readonly string[])[];
	/** Grants that answered in the place of people. */
	readonly grants?: readonly string[];
	/** Canonical arguments where they differ from what was asked. */
	readonly args?: Json;
}

/** Whose yes a decision needed. */
export interface DecidedAsk {
	/** Roles whose people must answer; left out where anybody may. */
	readonly roles?: readonly string[];
	/** How many people, of each role where roles are named; default 1. */
	readonly count?: number;
	/** Of these roles other counts. */
	readonly counts?: { readonly [role: string]: number };
	/** How many people in all, where that is more than the roles need. */
	readonly people?: number;
	/** The yes of the run's principal counted for nothing. */
	readonly fourEyes?: boolean;
	/** Roles whose people could answer in everybody's place. */
	readonly substitutes?: readonly string[];
}

/** A call is held until people have answered. */
export interface ApprovalRequested {
	readonly type: "approval.requested";
	/** Id of the question; people may shorten it. */
	readonly approval: string;
	/** The held call. */
	readonly call: string;
	/** Roles whose people must answer; left out where anybody may. */
	readonly roles?: readonly string[];
	/** How many people must say yes, of each role where roles are named; default 1. */
	readonly count?: number;
	/** Of these roles other counts. */
	readonly counts?: { readonly [role: string]: number };
	/** How many people in all, where that is more than the roles need. */
	readonly people?: number;
	/** Whose yes counts for nothing: four eyes. */
	readonly except?: readonly string[];
	/** From when on no answer counts. Milliseconds since 1970. */
	readonly expiresAt: number;
	/** The program is to be rehearsed before people decide. */
	readonly rehearse?: true;
	/** When others may answer in their place, and of which roles. */
	readonly escalation?: { readonly at: number; readonly roles: readonly string[] };
	/** People whose answers to the call's approval before count here too, or those to the row that foresaw it. */
	readonly carries?: readonly string[];
	/** That row of its program's rehearsal, from 0. */
	readonly row?: number;
	/** What asks beside the policy: an answer covers what its giver was shown. */
	readonly sources?: readonly AskSource[];
}

/** What may ask beside the policy: a budget, what labels say, or the end of plan mode. */
export type AskSource = "limit" | "label" | "mode";

/** A person's answer that counts. */
export interface ApprovalResolved {
	readonly type: "approval.resolved";
	/** The question that was answered. */
	readonly approval: string;
	/** The held call. */
	readonly call: string;
	/** Yes, no, or yes with other arguments. */
	readonly answer: "approve" | "deny" | "edit";
	/** Who answered. */
	readonly by: Approver;
	/** When the person answered. */
	readonly at: number;
	/** What the person said about it; after a denial the model reads it. */
	readonly reason?: string;
	/** The new canonical arguments of an edit. */
	readonly args?: Json;
	/** Digest of the call with the new arguments of an edit. */
	readonly digest?: string;
	/** A standing grant that goes with it, where the call is approved. */
	readonly always?: GrantTerms;
	/** Rows of the program's rehearsal that were answered with it, from 0. */
	readonly rows?: readonly number[];
	/** These rows hold in this order only. */
	readonly inOrder?: true;
	/** Version of the approvers port that gave this person a say, where there is one. */
	readonly approvers?: string;
	/** More answers are needed. */
	readonly open?: true;
	/** Id of the stored signal that this event used up. */
	readonly signal: string;
}

/** An answer that was worth nothing; nothing was executed because of it. */
export interface ApprovalRefused {
	readonly type: "approval.refused";
	/** The question that the answer named. */
	readonly approval: string;
	/** Who had answered, where that is known. */
	readonly by?: string;
	/** Why it was worth nothing. */
	readonly why: string;
	/** Id of the stored signal that this event used up. */
	readonly signal: string;
}

/** What was said with an approval holds for later calls, too. */
export interface GrantGiven {
	readonly type: "grant.given";
	/** Id of the grant. */
	readonly grant: string;
	/** The approval with whose answer it was given. */
	readonly approval: string;
	/** The call of that approval. */
	readonly call: string;
	/** Who gave it. */
	readonly by: Approver;
}

/** Nobody answered for so long that others may, in everybody's place. */
export interface ApprovalEscalated {
	readonly type: "approval.escalated";
	/** The question. */
	readonly approval: string;
	/** The held call. */
	readonly call: string;
	/** Roles whose people may answer from here on. */
	readonly roles: readonly string[];
}

/** A question that is over without an answer. */
export interface ApprovalClosed {
	readonly type: "approval.closed";
	/** The question that is over. */
	readonly approval: string;
	/** The held call. */
	readonly call: string;
	/** `expired`: no answer was read in time. `cancelled`: the call is not made any more. */
	readonly why: "expired" | "cancelled";
}

/** I1: durable before the tool runs. The idempotency key follows from run and call. */
export interface CallStarted {
	readonly type: "call.started";
	/** Which call. */
	readonly call: string;
	/** 1, and one more for each repetition. */
	readonly attempt: number;
	/** Row of its program's rehearsal whose approval it spends, from 0. */
	readonly row?: number;
	/** What it holds of shared accounts until its outcome is known. */
	readonly holds?: readonly Hold[];
}

/** An amount of a shared account. */
export interface Hold {
	/** Name of the account. */
	readonly account: string;
	/** Whole, in the account's own unit. */
	readonly amount: number;
	/** It is spent by the attempt, whatever came of it; otherwise a call that failed or was not made gives it back. */
	readonly evenIfFailed?: true;
	/** So much of it is time that the attempt may take: what it does not take of that is given back. Milliseconds. */
	readonly timeMs?: number;
}

/** What came of a call. */
export interface CallFinished {
	readonly type: "call.finished";
	/** Which call. */
	readonly call: string;
	/** What came of it. */
	readonly outcome: Outcome;
	/** How long it took. Milliseconds; left out where nothing ran. */
	readonly ms?: number;
	/** Of what whoever made the call reads of it. */
	readonly label?: Label;
	/** What they had seen before counts as this from here on. */
	readonly declassifies?: true;
	/** It is a handoff: to whom. */
	readonly handsTo?: string;
}

/** What came of a call. `edited`: it was executed with arguments that a person changed. */
export type Outcome =
	/** The value that the tool returned. */
	| { readonly ok: Json; readonly edited?: true }
	/** The value lies beside the journal. */
	| { readonly blob: string; readonly bytes: number; readonly edited?: true }
	/** Why it failed, as the model reads it. */
	| { readonly failed: string; readonly code: FailureCode }
	/** Why it was denied, and by whom: a person or the policy. */
	| { readonly denied: string; readonly by?: string }
	/** Why it is not done any more. */
	| { readonly cancelled: string }
	/** I7: started, and nobody knows. A wait, until it is settled. */
	| { readonly unknown: string };

/** Somebody found out what became of a call with an unknown outcome. */
export interface CallSettled {
	readonly type: "call.settled";
	/** Which call. */
	readonly call: string;
	/** What was found out. */
	readonly outcome: Outcome;
	/** Who says so. */
	readonly by: Approver;
	/** Of what whoever made the call reads of it. */
	readonly label?: Label;
	/** Id of the stored signal that this event used up; left out where the tool itself looked it up. */
	readonly signal?: string;
}

/** A program begins, with all that a replay needs. */
export interface ProgramStarted {
	readonly type: "program.started";
	/** The call that is the program. */
	readonly call: string;
	/** Sandbox that runs it. */
	readonly provider: string;
	/** Build of what runs inside the sandbox: a snapshot fits only this one. */
	readonly guest: string;
	/** What its random numbers are made of, so that it can be replayed. */
	readonly seed: number;
	/** What its clock says at its start. Milliseconds since 1970. */
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
	/** The program. */
	readonly call: string;
	/** Ids of the calls whose outcomes enter it, in this order. */
	readonly answers: readonly string[];
	/** What its clock says from here on. Milliseconds since 1970. */
	readonly clock: number;
}

/** A program is frozen: nothing in it can move before somebody answers. */
export interface ProgramSuspended {
	readonly type: "program.suspended";
	/** The program. */
	readonly call: string;
	/** Deliveries made before the snapshot. */
	readonly delivered: number;
	/** Calls asked before the snapshot. */
	readonly asked: number;
	/** Where the frozen guest lies; left out where it is replayed instead. */
	readonly snapshot?: SnapshotReference;
	/** Console output so far. */
	readonly console?: string;
}

/** A frozen guest, which lies beside the journal. */
export interface SnapshotReference {
	/** Of its bytes, as they are stored. */
	readonly digest: string;
	/** Size as it is stored. */
	readonly bytes: number;
	/** Sandbox that made it. */
	readonly provider: string;
	/** Build of the guest that it fits. */
	readonly guest: string;
	/** Version of its format. */
	readonly format: number;
}

/** Somebody wants to know what a program would do before they decide. */
export interface RehearsalRequested {
	readonly type: "rehearsal.requested";
	/** The program. */
	readonly call: string;
	/** Who wants it. */
	readonly by: string;
	/** Id of the stored signal that this event used up. */
	readonly signal: string;
}

/** A copy of a held program went on without any effect: what it would do. */
export interface ProgramRehearsed {
	readonly type: "program.rehearsed";
	/** The program. */
	readonly call: string;
	/** How many calls it had asked for when it was held. */
	readonly asked: number;
	/** Calls that are no reads, in the order in which it would make them. */
	readonly rows: readonly RehearsedCall[];
	/** Reads that were really made for it. */
	readonly reads: number;
	/** Whether it came to its end, and what kept it from that. */
	readonly end: "returned" | "threw" | "stopped" | "limit";
	/** Of a program that would throw, or did not come to its end: why. */
	readonly why?: string;
}

/** A call that a program would make. */
export interface RehearsedCall {
	/** The call, where it is asked already. */
	readonly call?: string;
	/** Name of the tool. */
	readonly tool: string;
	/** Of the tool. */
	readonly version: string;
	/** Canonical arguments. */
	readonly args: Json;
	/** Line of the program, from 1; 0 where it is not known. */
	readonly line: number;
	/** What the policy says of it now. */
	readonly verdict: "allow" | "ask" | "deny";
	/** Why, in the policy's words. */
	readonly reason?: string;
	/** What asks beside the policy. */
	readonly sources?: readonly AskSource[];
	/** Budgets of which not enough would be left by then, so that it would be refused: their names. */
	readonly refusedBy?: readonly string[];
	/** The tool says that the call would fail: why. */
	readonly fails?: string;
	/** It rests on a value that was made up from a schema, so that it may come otherwise. */
	readonly uncertain?: true;
}

/** A frozen program goes on. */
export interface ProgramRestored {
	readonly type: "program.restored";
	/** The program. */
	readonly call: string;
	/** `snapshot`: it goes on where it was frozen. `start`: it is replayed with the recorded answers. */
	readonly from: "snapshot" | "start";
	/** Why it was replayed although there is a snapshot. */
	readonly why?: string;
}

/** A durable wait for time. */
export interface TimerSet extends OfAgent {
	readonly type: "timer.set";
	/** Id of the wait. */
	readonly timer: string;
	/** Until when. Milliseconds since 1970. */
	readonly dueAt: number;
	/** What is waited for. */
	readonly why: string;
}

/** A durable wait is over. */
export interface TimerFired {
	readonly type: "timer.fired";
	/** Which wait is over. */
	readonly timer: string;
}

/** Somebody asked the run to end. */
export interface CancelRequested {
	readonly type: "cancel.requested";
	/** Who asked for it. */
	readonly by: string;
	/** Why. */
	readonly reason?: string;
	/** Id of the stored signal that this event used up. */
	readonly signal: string;
}

/** A signal that meant nothing any more: a forged one, a second cancel, one that was taken before. */
export interface SignalIgnored {
	readonly type: "signal.ignored";
	/** Id of the stored signal that this event used up. */
	readonly signal: string;
	/** Why it meant nothing. */
	readonly why: string;
}

/** The last event. */
export interface RunFinished {
	readonly type: "run.finished";
	/** How it ended. */
	readonly status: "completed" | "failed" | "cancelled";
	/** Of a completed run: its text, or the value that fits the agent's output schema. */
	readonly output?: Json;
	/** Of a failed run: why. */
	readonly error?: { readonly code: RunFailureCode | ErrorCode; readonly message: string };
	/** Of a cancelled run: what was done, and what nobody knows. */
	readonly done?: readonly { readonly call: string; readonly tool: string; readonly outcome: "ok" | "unknown" }[];
}

/** Why a run failed, where no error of the registry says it. */
export type RunFailureCode =
	| "limit.turns"
	| "limit.budget"
	| "limit.context"
	| "limit.handoffs"
	| "output.invalid"
	| "model.answered_nothing";
