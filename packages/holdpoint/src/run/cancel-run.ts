import { fixedLimits } from "../spec/limits.ts";
import { closeCall } from "./close-call.ts";
import { doneOf } from "./conclude.ts";
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
	closeCalls(segment, reason, { inFlight: false });
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
	closeCalls(segment, reason, { inFlight: true });
	segment.emit({ type: "run.finished", status: "cancelled", done: doneOf(state) });
}

/** The model may not be asked any more, and nothing that was started is open: what is left ends, and the run with it. */
export function giveUp(segment: Segment): void {
	const { usedUp, state } = segment;
	const message = usedUp ?? `The model answered ${state.turns} times without coming to an end (turnsMax)`;
	const code = usedUp === undefined ? "limit.turns" : "limit.budget";
	closeCalls(segment, message, { inFlight: true });
	segment.emit({ type: "run.finished", status: "failed", error: { code, message } });
}

/** Programs come after their calls: their outcome says what these came to. */
function closeCalls(segment: Segment, reason: string, { inFlight }: { readonly inFlight: boolean }): void {
	for (const call of [...segment.state.calls.values()].reverse()) {
		if (inFlight || call.phase !== "started") closeCall(segment, call, reason);
	}
}
