/**
 * Drives a run until it finishes or waits: does what `next` says, writes down what came of it, asks again.
 *
 * Owns: the order of doing and writing. Does not own: what to do (`next.ts`), what a call may do (`decide-call.ts`), how
 * it is done (`execute-call.ts`, `execute-program.ts`, `ask-model.ts`).
 *
 * 1. Waiting is a return value (I2): when nothing can move, programs are snapshotted, the lease is let go, it returns.
 * 2. Whatever throws here is about the run's world (store, model, sandbox), never about a tool: the run keeps what is
 *    durable, and can be resumed.
 */
import { fixedLimits } from "../spec/limits.ts";
import type { RunResult } from "../spec/result.ts";
import { agentsAround } from "./around-call.ts";
import { askModel } from "./ask-model.ts";
import type { CallState } from "./call-state.ts";
import { cancelRun, giveUp } from "./cancel-run.ts";
import { conclude, resultOf, waitsOf } from "./conclude.ts";
import type { Thread } from "./conversation.ts";
import { decideCall } from "./decide-call.ts";
import { executeCall, lookUpWaiting } from "./execute-call.ts";
import { advanceProgram } from "./execute-program.ts";
import { switchedOff } from "./judge-call.ts";
import { joinWork, next, type Step } from "./next.ts";
import { rehearsePrograms } from "./rehearse-program.ts";
import { suspendPrograms } from "./restore-program.ts";
import { handOn, joinAnswers } from "./route.ts";
import type { Segment } from "./segment.ts";
import { takeSignals } from "./take-signals.ts";

export async function drive(segment: Segment): Promise<RunResult> {
	try {
		for (;;) {
			segment.check();
			checkThatItMoves(segment);
			if (segment.paced) await heldBack(segment);
			// After its last event a run writes nothing more; what is left unread then is somebody else's.
			if (segment.state.status === "running") await takeSignals(segment, "moving");
			const steps = next(segment.state, segment.doing);
			if (steps.length > 0) await begin(segment, steps);
			// Its calls have an outcome each; whatever did not stop within the grace is not waited for.
			else if (segment.state.finished?.status === "cancelled") break;
			else if (segment.busy.size > 0) await segment.changed();
			else if (segment.state.status !== "running") break;
			else if (!(await takeSignals(segment, "waiting")) && !(await learnMore(segment))) {
				segment.check();
				return await wait(segment);
			}
		}
		await segment.release(segment.state.status, undefined);
		return resultOf(segment.state);
	} catch (error) {
		await segment.abandon(error);
		// What killed it first, and not what came of that.
		segment.check();
		throw error;
	} finally {
		segment.dropGuests();
	}
}

/** I8: whoever looked on for ever would keep every timer, and every other run of the process, from theirs. */
function checkThatItMoves(segment: Segment): void {
	if (++segment.looks <= fixedLimits.looksMax) return;
	throw new Error(`Holdpoint bug: it should hold that run ${segment.state.run} moves, or waits`);
}

/** Before a person is waited for: what can be found out without one. Returns whether anything was. */
async function learnMore(segment: Segment): Promise<boolean> {
	return (await lookUpWaiting(segment)) || (await rehearsePrograms(segment));
}

/** While a slow reader catches up. Whoever stops or cancels the run does not wait for that reader. */
async function heldBack(segment: Segment): Promise<void> {
	for (let held = segment.paced?.(); held && !segment.isCalled; held = segment.paced?.()) {
		segment.beat();
		await Promise.race([held, segment.alarmed()]);
	}
}

async function begin(segment: Segment, steps: readonly Step[]): Promise<void> {
	const calls: CallState[] = [];
	for (const step of steps) {
		switch (step.do) {
			case "ask-model":
				void inFlight(segment, step.thread.work, () => askModel(segment, step.thread));
				break;
			case "conclude":
				await concluding(segment, step.thread);
				break;
			case "hand-on":
				handOn(segment, step.thread);
				break;
			case "join":
				void inFlight(segment, joinWork(step.of), () => joinAnswers(segment, step.of));
				break;
			case "cancel":
				await cancelRun(segment);
				break;
			case "give-up":
				giveUp(segment, step.of);
				break;
			case "advance-program":
				void inFlight(segment, step.call.id, () => advanceProgram(segment, step.call, step.answers));
				break;
			case "advance-call":
				calls.push(step.call);
		}
	}
	if (calls.length > 0) await advanceCalls(segment, calls);
}

/** Whether an answer is the end of a loop may take a model: others go on meanwhile. */
function concluding(segment: Segment, thread: Thread): Promise<void> | undefined {
	if (!segment.readyOf(thread).agent.features?.loop) return conclude(segment, thread);
	void inFlight(segment, thread.work, () => conclude(segment, thread));
	return undefined;
}

/** Decides every call, makes the intents durable in one commit (I1), then starts what may start. */
async function advanceCalls(segment: Segment, calls: readonly CallState[]): Promise<void> {
	await segment.ports.standing.refreshIfStale();
	const decisions = calls.map((call) => decideCall(segment, call));
	const pending = decisions.filter((decision) => decision instanceof Promise);
	if (pending.length > 0) await Promise.all(pending);
	const starting = calls.filter((call) => call.phase === "started");
	const inside = (call: CallState) => segment.toolOf(call)?.effect === "internal";
	// A held call is shown while others go on; when nothing else moves, the wait itself is about to be written.
	const shown = calls.some((call) => call.phase === "held") && (starting.length > 0 || segment.busy.size > 0);
	if (!starting.every(inside) || shown) await segment.flush();
	// Without a commit nothing was heard of the kill switches.
	else if (starting.length > 0) await segment.ports.standing.refresh();
	// Stopped while that was written: nothing begins any more.
	segment.check();
	await stopForbidden(segment, starting);
	for (const call of starting) {
		if (call.phase === "started") void inFlight(segment, call.id, () => executeCall(segment, call));
	}
}

/** A kill switch that was thrown, or a grant that was revoked, while the intents were written is heard before anything begins. */
async function stopForbidden(segment: Segment, starting: readonly CallState[]): Promise<void> {
	await segment.ports.standing.refreshIfStale();
	for (const call of starting) {
		const { id, phase, attempt } = call;
		const off = phase === "started" ? forbiddenSince(segment, call) : undefined;
		if (off === undefined) continue;
		// An attempt before this one may have been made: of that nobody knows more than before.
		const outcome =
			attempt === 1 ? { denied: off, by: "policy" } : { unknown: `it was started before, and now: ${off}` };
		segment.emit({ type: "call.finished", call: id, outcome });
	}
}

function forbiddenSince(segment: Segment, { tool, thread, grants = [] }: CallState): string | undefined {
	const { standing } = segment.ports.standing;
	const { tenant } = segment.state.started ?? {};
	const off = switchedOff(segment, { tool: { name: tool }, agents: agentsAround(segment, thread), tenant });
	if (off !== undefined || grants.length === 0) return off;
	const now = segment.ports.clock.now();
	const isOpen = (id: string) =>
		standing.grants.some((grant) => grant.id === id && !grant.revoked && now < grant.expiresAt);
	return grants.every(isOpen) ? undefined : "The grant that answered for it was revoked or ended meanwhile";
}

/** Runs one thing beside the loop. Its failure is the segment's: there is no promise whose rejection nobody hears. */
async function inFlight(segment: Segment, id: string, work: () => Promise<void>): Promise<void> {
	segment.busy.add(id);
	segment.beat();
	try {
		await work();
	} catch (error) {
		// What is aborted because the run is cancelled fails as it likes.
		if (!segment.state.cancel || !segment.abort.signal.aborted) segment.stop(error);
	} finally {
		segment.busy.delete(id);
		segment.wake();
	}
}

async function wait(segment: Segment): Promise<RunResult> {
	await suspendPrograms(segment);
	const waits = waitsOf(segment.state);
	const due = waits.flatMap((wait) => {
		if (wait.kind === "unknown" || wait.kind === "user") return [];
		return wait.kind === "timer" ? wait.dueAt : (wait.escalatesAt ?? wait.expiresAt);
	});
	await segment.release("waiting", due.length > 0 ? Math.min(...due) : undefined);
	return resultOf(segment.state);
}
