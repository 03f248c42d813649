import { fixedLimits } from "../spec/limits.ts";
import type { CallState } from "./call-state.ts";
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
	for (const call of state.calls.values()) closeUnstarted(segment, call, reason);
	// A tool that was aborted says itself what became of it, in most cases at once.
	const deadline = AbortSignal.timeout(fixedLimits.cancelGraceMs);
	deadline.addEventListener("abort", () => segment.wake(), { once: true });
	while (segment.busy.size > 0 && !deadline.aborted) await segment.changed();
	segment.check();
	for (const call of state.calls.values()) {
		// The model may have answered just then, and asked for more.
		closeUnstarted(segment, call, reason);
		closeStarted(segment, call, reason);
	}
	segment.emit({ type: "run.finished", status: "cancelled", done: doneOf(state) });
}

/** A run that ends while calls are open: none of them starts any more. Those in flight end by themselves. */
export function closeOpenCalls(segment: Segment, reason: string): void {
	for (const call of segment.state.calls.values()) {
		closeUnstarted(segment, call, reason);
		if (call.program && !segment.busy.has(call.id)) closeStarted(segment, call, reason);
	}
}

function closeUnstarted(segment: Segment, call: CallState, reason: string): void {
	if (call.phase !== "asked" && call.phase !== "held" && call.phase !== "answered") return;
	if (call.phase === "held" && call.approval) {
		segment.emit({ type: "approval.closed", approval: call.approval.id, call: call.id, why: "cancelled" });
	}
	segment.emit({ type: "call.finished", call: call.id, outcome: { cancelled: reason } });
}

function closeStarted(segment: Segment, call: CallState, reason: string): void {
	if (call.phase !== "started") return;
	const effect = segment.ready.tools.get(call.tool)?.effect;
	const harmless = effect === "read" || effect === "internal";
	const snapshot = call.program?.suspended?.snapshot;
	if (snapshot) segment.keep({ kind: "blob.drop", digest: snapshot.digest });
	const outcome = harmless
		? { cancelled: reason }
		: { unknown: `it was in flight when the run was cancelled: ${reason}` };
	segment.emit({ type: "call.finished", call: call.id, outcome });
}
