/** The state of a run, as `state.ts` folds it from its journal. Types and look-ups only. */
import type { RunFinished, RunStarted } from "../spec/events.ts";
import type { Json } from "../spec/json.ts";
import type { CallState } from "./call-state.ts";
import { type Conversation, type Message, newConversation, type Thread } from "./conversation.ts";

export interface RunState {
	readonly run: string;
	started: RunStarted | undefined;
	status: "running" | "completed" | "failed" | "cancelled";
	finished: RunFinished | undefined;
	/** Of the run's own agent, or its team. */
	conversation: Conversation;
	/** What the session said before it. */
	readonly before: Before;
	readonly calls: Map<string, CallState>;
	/** Calls that people are asked about, or were, and that did not go on since. */
	readonly asking: Set<string>;
	/** Calls that were put to agents and are open: looking for them among all calls would make a run of n calls cost n². */
	readonly delegated: Set<CallState>;
	/** Calls that models themselves made: the next one is `c<n+1>`. */
	directCalls: number;
	/** Answers of models. */
	turns: number;
	readonly usage: { inputTokens: number; outputTokens: number };
	/** What was last said by anybody. */
	text: string;
	cancel: { readonly by: string; readonly reason: string | undefined } | undefined;
	/** Signals that became events: a second delivery means nothing. */
	readonly signals: Set<string>;
	readonly tools: Map<string, string>;
	/** Values that lie beside the journal, by digest. */
	readonly blobs: Map<string, Json>;
}

/** What a session's run goes on from: the messages of a single agent, or the conversation of a team. */
export type Before = readonly Message[] | Conversation;

export function emptyState(run: string, before: Before, blobs: Map<string, Json>): RunState {
	return {
		run,
		started: undefined,
		status: "running",
		finished: undefined,
		// Nobody is at work before it begins.
		conversation: newConversation({ call: undefined, name: "", isTeam: false }),
		before,
		calls: new Map(),
		asking: new Set(),
		delegated: new Set(),
		directCalls: 0,
		turns: 0,
		usage: { inputTokens: 0, outputTokens: 0 },
		text: "",
		cancel: undefined,
		signals: new Set(),
		tools: new Map(),
		blobs,
	};
}

/** The thread at work in the run's own conversation; the first one where several are. */
export function mainThread({ conversation }: Pick<RunState, "conversation">): Thread {
	const [thread] = conversation.active;
	if (!thread) throw new Error("Holdpoint bug: it should hold that somebody is at work in a conversation");
	return thread;
}

/** The value of a successful call, wherever it lies. */
export function valueOf(state: Pick<RunState, "blobs">, call: CallState): Json {
	const outcome = call.outcome;
	if (outcome && "ok" in outcome) return outcome.ok;
	if (outcome && "blob" in outcome) return state.blobs.get(outcome.blob) ?? null;
	return null;
}

export function callOf(state: Pick<RunState, "calls" | "run">, id: string): CallState {
	const call = state.calls.get(id);
	if (!call) throw new Error(`Holdpoint bug: it should hold that call ${id} is in the journal of ${state.run}`);
	return call;
}

/** Every conversation of the run: its own, and those inside of calls that are open. */
export function* openConversations(state: RunState): Generator<Conversation> {
	yield state.conversation;
	for (const { inside } of state.delegated) if (inside) yield inside;
}

export function threadsAtWork(state: RunState): readonly Thread[] {
	// Asked at every step, and nearly always only the run's own is there.
	if (state.delegated.size === 0) return state.conversation.active;
	return [...openConversations(state)].flatMap(({ active }) => active);
}

/** Whether a call was made in this conversation, or inside of a call that was. */
export function isWithin(state: RunState, { thread }: CallState, of: Conversation): boolean {
	for (let at = thread.of; at !== of; at = callOf(state, at.call).thread.of) if (at.call === undefined) return false;
	return true;
}

/** Who wants that the work there ends, or the work that it is part of. */
export function stopperOf(state: RunState, of: Conversation): string | undefined {
	for (let at = of; at.call !== undefined; at = callOf(state, at.call).thread.of) {
		if (at.stoppedBy !== undefined) return at.stoppedBy;
	}
	return undefined;
}

/** Nobody waits for what is said and done there. */
export function isInBackground(state: RunState, of: Conversation): boolean {
	for (let at = of; at.call !== undefined; ) {
		const call = callOf(state, at.call);
		if (call.isInBackground) return true;
		at = call.thread.of;
	}
	return false;
}

const nobody: readonly Thread[] = [];

/** Agents whose calls an agent works inside of, the nearest first. */
export function callersOf(state: RunState, { of }: Thread): readonly Thread[] {
	if (of.call === undefined) return nobody;
	const callers: Thread[] = [];
	for (let at = of; at.call !== undefined; ) {
		const { thread } = callOf(state, at.call);
		callers.push(thread);
		at = thread.of;
	}
	return callers;
}

/** Of the call that is made next: what a run may make is bounded between two words of a team's user. */
export function nextOrdinal({ calls, conversation }: Pick<RunState, "calls" | "conversation">): number {
	return calls.size + 1 - (conversation.team?.callsBefore ?? 0);
}

/** The call that an agent works inside of was ended. */
export function isClosed(state: RunState, { of: { call } }: Thread): boolean {
	return call !== undefined && callOf(state, call).phase !== "started";
}
