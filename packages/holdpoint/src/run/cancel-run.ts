import { counted } from "../kit/counted.ts";
import { fixedLimits } from "../spec/limits.ts";
import { closeCall } from "./close-call.ts";
import { doneOf } from "./conclude.ts";
import type { Conversation } from "./conversation.ts";
import { writeEnd } from "./route.ts";
import { callOf, isWithin } from "./run-state.ts";
import type { Segment } from "./segment.ts";

/**
 * Brings a run to its end at once: open approvals close, guests are dropped, calls in flight are aborted and end as
 * known or `unknown` (I7), and the run ends `cancelled` with the list of what was done.
 */
export async function cancelRun(segment: Segment): Promise<void> {
	const { state } = segment;
	const reason = state.cancel?.reason ?? `cancelled by ${state.cancel?.by ?? "somebody"}`;
	segment.abort.abort(new Error(reason));
	segment.dropGuests();
	closeCalls(segment, reason, { inFlight: false, of: state.conversation });
	// A tool that was aborted says itself what became of it, in most cases at once.
	let isOver = false;
	const grace = setTimeout(() => {
		isOver = true;
		segment.wake();
	}, fixedLimits.cancelGraceMs);
	while (segment.busy.size > 0 && !isOver) await segment.changed();
	clearTimeout(grace);
	segment.check();
	// The model may have answered just then, and asked for more.
	closeCalls(segment, reason, { inFlight: true, of: state.conversation });
	segment.emit({ type: "run.finished", status: "cancelled", done: doneOf(state) });
}

/** Models may not be asked any more, and nothing that was started is open: what is left ends, and the run or the call with it. */
export function giveUp(segment: Segment, of: Conversation): void {
	if (of.call !== undefined && of.stoppedBy !== undefined) return stop(segment, of, of.call);
	const ending = segment.endings.get(of) ?? { error: { code: "limit.turns", message: turnsReason(segment, of) } };
	const reason = "error" in ending ? ending.error.message : `The work of ${of.name} came to its end without it`;
	closeCalls(segment, reason, { inFlight: true, of });
	writeEnd(segment, of, ending);
}

/** Its caller is told what it had done. */
function stop(segment: Segment, of: Conversation, call: string): void {
	const reason = `stopped by ${of.stoppedBy}`;
	for (const [id, { guest }] of segment.live) {
		if (!isWithin(segment.state, callOf(segment.state, id), of)) continue;
		guest.dispose();
		segment.live.delete(id);
	}
	closeCalls(segment, reason, { inFlight: true, of });
	closeCall(segment, callOf(segment.state, call), reason);
}

function turnsReason(segment: Segment, of: Conversation): string {
	const { turnsMax } = segment.readyFor(of).limits;
	const spent = of.turns >= turnsMax ? undefined : of.active.find((thread) => segment.isSpent(thread));
	if (spent) return `${spent.agent} answered ${counted(spent.answers, "time")} without coming to an end (turnsMax)`;
	return `The model answered ${counted(of.turns, "time")} without coming to an end (turnsMax)`;
}

interface Closing {
	readonly inFlight: boolean;
	readonly of: Conversation;
}

/** Programs, and calls that were put to agents, come after their own calls: their outcome says what these came to. */
function closeCalls(segment: Segment, reason: string, { inFlight, of }: Closing): void {
	const { state } = segment;
	for (const call of [...state.calls.values()].reverse()) {
		if (!isWithin(state, call, of)) continue;
		if (inFlight || call.phase !== "started") closeCall(segment, call, reason);
	}
}
