/**
 * The one decision of a run: given its state, what can be done now?
 *
 * Pure: no clock, no store, nothing of Node. The driver tells what it is already doing (`busy`) and which programs live
 * in its sandbox (`live`); the same state and the same two sets always give the same steps.
 */
import type { CallState } from "./call-state.ts";
import type { Conversation, Thread } from "./conversation.ts";
import { callOf, isWithin, openConversations, type RunState } from "./run-state.ts";

export type Step =
	| { readonly do: "ask-model"; readonly thread: Thread }
	/** Decide it, start it, or bring what a dead process had started to an end. */
	| { readonly do: "advance-call"; readonly call: CallState }
	/** Start the guest, or deliver what its calls returned. */
	| { readonly do: "advance-program"; readonly call: CallState; readonly answers: readonly string[] }
	| { readonly do: "cancel" }
	/** Models have had all the turns that they may have here, or it is at its end while others are at work. */
	| { readonly do: "give-up"; readonly of: Conversation }
	/** An agent made a handoff, and nothing of it is open. */
	| { readonly do: "hand-on"; readonly thread: Thread }
	/** An agent answered without a call. */
	| { readonly do: "conclude"; readonly thread: Thread }
	/** All who worked beside each other are done. */
	| { readonly do: "join"; readonly of: Conversation };

export interface Doing {
	/** Calls that the driver is working on. */
	readonly busy: ReadonlySet<string>;
	/** Program calls whose guest is in this process. */
	readonly live: { has(call: string): boolean };
	/** Programs that have ended, and wait for what they started. */
	readonly ended: { has(call: string): boolean };
	/** How many more tool calls may run at the same time. */
	readonly room: number;
	/** Conversations that end as soon as nothing is in flight there. */
	readonly endings: { has(of: Conversation): boolean };
	/** Whether it has a question of its own that comes after the one that the user was asked. */
	asksLater(thread: Thread): boolean;
	/** Whether its model may be asked no more. */
	isSpent(thread: Thread): boolean;
	/** Whether all who worked beside each other in one of its teams are done. */
	joins(of: Conversation): boolean;
	/** Whether it is put to an agent. */
	isForAgent(call: CallState): boolean;
	/** How many agents may work for one program at the same time. */
	readonly agentsMax: number;
	readonly now: number;
}

/** No steps and nothing busy: the run waits. */
export function next(state: RunState, doing: Doing): Step[] {
	if (state.status !== "running") return [];
	if (state.cancel) return [{ do: "cancel" }];
	const steps: Step[] = [];
	stepsOfConversation({ state, doing, steps }, state.conversation);
	return steps;
}

/** What is looked at, and what was found so far. */
interface Look {
	readonly state: RunState;
	readonly doing: Doing;
	readonly steps: Step[];
}

function stepsOfConversation(look: Look, of: Conversation): void {
	const { state, doing, steps } = look;
	const first = steps.length;
	let isOver = doing.endings.has(of) || of.stoppedBy !== undefined;
	for (const thread of of.active) {
		for (const id of thread.turn) stepsOfCall(look, callOf(state, id));
		for (const id of thread.late) stepsOfCall(look, callOf(state, id));
		const step = stepOfThread(look, thread);
		if (step?.do === "ask-model" && doing.isSpent(thread)) isOver = true;
		else if (step) steps.push(step);
	}
	if (isOver) steps.push(...lastSteps(look, of, steps.splice(first)));
	else if (of.team && isToJoin(of, doing)) steps.push({ do: "join", of });
}

/** With nobody at work there is nothing else that could be done. */
function isToJoin(of: Conversation, doing: Doing): boolean {
	if (of.team?.asked || doing.busy.has(joinWork(of))) return false;
	return of.active.length === 0 || doing.joins(of);
}

/** The name under which the driver is busy with joining what several said. */
export function joinWork({ call }: Conversation): string {
	return `join ${call ?? ""}`;
}

function stepOfThread({ state, doing }: Look, thread: Thread): Step | undefined {
	if (thread.turn.length > 0 || thread.timer || doing.busy.has(thread.work)) return undefined;
	if (isBeingWritten(state, thread, doing)) return undefined;
	const isOpen = thread.late.length > 0;
	// Whoever handed on says and does nothing more; what it began comes to its end first.
	if (thread.handing) return isOpen ? undefined : { do: "hand-on", thread };
	const { asked } = thread.of.team ?? {};
	// Until the user has replied nobody else asks, and nobody begins anything.
	if (asked && (thread.modelDue ? thread.isCalledUpon : asked.agent === thread.agent || doing.asksLater(thread)))
		return undefined;
	if (thread.modelDue) return { do: "ask-model", thread };
	return isOpen ? undefined : { do: "conclude", thread };
}

/** A call that has its outcome, and is busy still: the model sees that outcome, and the agent ends, when it is durable. */
function isBeingWritten(state: RunState, thread: Thread, { busy }: Doing): boolean {
	for (const id of busy) {
		const call = state.calls.get(id);
		if (call?.phase === "finished" && call.thread === thread) return true;
	}
	return false;
}

/** Models are asked no more: nothing starts, and what was started is brought to an outcome, or waited for (I7). */
function lastSteps({ state, doing }: Look, of: Conversation, steps: readonly Step[]): readonly Step[] {
	const begun = steps.filter((step) => step.do === "advance-call" && step.call.attempt > 0);
	if (begun.length > 0 || isBusyWithin({ state, doing }, of)) return begun;
	const calls = [...state.calls.values()].filter((call) => isWithin(state, call, of));
	const isOpen = calls.some((call) => call.attempt > 0 && !call.program && !call.inside && call.phase !== "finished");
	return isOpen ? [] : [{ do: "give-up", of }];
}

/** What works in a call ends while others go on; a run ends when nothing is in flight. */
function isBusyWithin({ state, doing: { busy } }: Pick<Look, "state" | "doing">, of: Conversation): boolean {
	if (of.call === undefined) return busy.size > 0;
	for (const conversation of openConversations(state)) {
		if (!isInside(state, conversation, of)) continue;
		if (busy.has(joinWork(conversation))) return true;
		for (const { work } of conversation.threads.values()) if (busy.has(work)) return true;
	}
	for (const id of busy) {
		const call = state.calls.get(id);
		if (call && isWithin(state, call, of)) return true;
	}
	return false;
}

function isInside(state: RunState, conversation: Conversation, of: Conversation): boolean {
	return (
		conversation === of || (conversation.call !== undefined && isWithin(state, callOf(state, conversation.call), of))
	);
}

function stepsOfCall(look: Look, call: CallState): void {
	const { doing, steps } = look;
	const { program, inside } = call;
	if (inside && call.phase === "started") return stepsOfConversation(look, inside);
	// A program's calls come first: what they return is what it can go on with.
	if (program && call.phase === "started") {
		stepsOfProgramCalls(look, program.open);
		if (!doing.busy.has(call.id)) programStep(look, call);
		return;
	}
	if (doing.busy.has(call.id) || !canMove(call, doing)) return;
	if (steps.length < doing.room) steps.push({ do: "advance-call", call });
}

/** Those that are put to agents beyond their number wait until one of the others has answered. */
function stepsOfProgramCalls(look: Look, open: Iterable<string>): void {
	const { state, doing } = look;
	const calls = [...open].map((id) => callOf(state, id));
	let room = doing.agentsMax - calls.filter((call) => call.phase === "started" && call.inside).length;
	for (const call of calls) {
		const isToBegin = canMove(call, doing) && !call.inside && doing.isForAgent(call);
		if (isToBegin && --room < 0) continue;
		stepsOfCall(look, call);
	}
}

function canMove(call: CallState, doing: Doing): boolean {
	switch (call.phase) {
		case "asked":
		case "answered":
		// Started and not busy: by a process that died.
		case "started":
			return true;
		case "held":
			return call.approval !== undefined && doing.now >= call.approval.expiresAt;
		case "unknown":
		case "finished":
			return false;
	}
}

function programStep({ state, doing, steps }: Look, call: CallState): void {
	const program = call.program;
	if (!program) return;
	if (doing.ended.has(call.id)) {
		const isOver = [...program.open].every((id) => callOf(state, id).phase === "finished");
		if (isOver) steps.push({ do: "advance-program", call, answers: [] });
		return;
	}
	const answers = [...program.settled];
	// A guest that is neither here nor quiet died in mid-slice: it must be replayed to learn what it asked.
	const lost = !doing.live.has(call.id) && !program.quiet;
	if (answers.length > 0 || lost) steps.push({ do: "advance-program", call, answers });
}
