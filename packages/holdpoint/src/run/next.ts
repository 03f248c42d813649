/**
 * The one decision of a run: given its state, what can be done now?
 *
 * Pure: no clock, no store, nothing of Node. The driver tells what it is already doing (`busy`) and which programs live
 * in its sandbox (`live`); the same state and the same two sets always give the same steps.
 */
import type { CallState } from "./call-state.ts";
import { callOf, type RunState } from "./state.ts";

export type Step =
	| { readonly do: "ask-model" }
	/** Decide it, start it, or bring what a dead process had started to an end. */
	| { readonly do: "advance-call"; readonly call: CallState }
	/** Start the guest, or deliver what its calls returned. */
	| { readonly do: "advance-program"; readonly call: CallState; readonly answers: readonly string[] }
	| { readonly do: "cancel" }
	/** The model has had all the turns that it may have. */
	| { readonly do: "give-up" }
	| { readonly do: "finish" };

/** The name under which the driver is busy with the model. */
export const modelWork = "model";

export interface Doing {
	/** Calls that the driver is working on. */
	readonly busy: ReadonlySet<string>;
	/** Program calls whose guest is in this process. */
	readonly live: { has(call: string): boolean };
	/** Programs that have ended, and wait for what they started. */
	readonly ended: { has(call: string): boolean };
	/** How many more tool calls may run at the same time. */
	readonly room: number;
	readonly turnsMax: number;
	readonly now: number;
}

/** No steps and nothing busy: the run waits. */
export function next(state: RunState, doing: Doing): Step[] {
	if (state.status !== "running") return [];
	if (state.cancel) return [{ do: "cancel" }];
	const steps: Step[] = [];
	const look = { state, doing, steps };
	if (state.turn.length > 0 || state.late.length > 0 || doing.busy.size > 0) {
		for (const id of state.turn) stepsOfCall(look, callOf(state, id));
		for (const id of state.late) stepsOfCall(look, callOf(state, id));
	}
	if (state.turn.length > 0 || state.timer || doing.busy.has(modelWork)) return steps;
	if (isBeingWritten(state, doing)) return steps;
	if (state.modelDue && state.turns >= doing.turnsMax) return lastSteps(look);
	if (state.modelDue) steps.push({ do: "ask-model" });
	else if (state.late.length === 0 && steps.length === 0) steps.push({ do: "finish" });
	return steps;
}

/** A call that has its outcome, and is busy still: the model sees that outcome, and the run ends, when it is durable. */
function isBeingWritten(state: RunState, { busy }: Doing): boolean {
	for (const id of busy) if (state.calls.get(id)?.phase === "finished") return true;
	return false;
}

/** What is looked at, and what was found so far. */
interface Look {
	readonly state: RunState;
	readonly doing: Doing;
	readonly steps: Step[];
}

/** The model is asked no more: nothing starts, and what was started is brought to an outcome, or waited for (I7). */
function lastSteps({ state, doing, steps }: Look): Step[] {
	const begun = steps.filter((step) => step.do === "advance-call" && step.call.attempt > 0);
	if (begun.length > 0 || doing.busy.size > 0) return begun;
	const calls = [...state.calls.values()];
	const isOpen = calls.some((call) => call.attempt > 0 && !call.program && call.phase !== "finished");
	return isOpen ? [] : [{ do: "give-up" }];
}

function stepsOfCall(look: Look, call: CallState): void {
	const { state, doing, steps } = look;
	const program = call.program;
	// A program's calls come first: what they return is what it can go on with.
	if (program && call.phase === "started") {
		for (const id of program.open) stepsOfCall(look, callOf(state, id));
		if (!doing.busy.has(call.id)) programStep(look, call);
		return;
	}
	if (doing.busy.has(call.id) || !canMove(call, doing)) return;
	if (steps.length < doing.room) steps.push({ do: "advance-call", call });
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
