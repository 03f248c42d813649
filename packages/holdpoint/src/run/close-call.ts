import type { Outcome } from "../spec/events.ts";
import { type CallEnd, endOf } from "./call-end.ts";
import type { CallState } from "./call-state.ts";
import type { Conversation } from "./conversation.ts";
import { callOf } from "./run-state.ts";
import type { Segment } from "./segment.ts";

/**
 * Ends a call that is not carried on: its program ended, its run is cancelled or may not go on. What never started is
 * cancelled; of what was started nobody knows (I7), unless it changes nothing.
 */
export function closeCall(segment: Segment, call: CallState, reason: string): void {
	if (call.phase === "finished" || call.phase === "unknown") return;
	if (call.phase === "held" && call.approval) {
		segment.emit({ type: "approval.closed", approval: call.approval.id, call: call.id, why: "cancelled" });
	}
	const snapshot = call.program?.suspended?.snapshot;
	if (snapshot) segment.keep({ kind: "blob.drop", digest: snapshot.digest });
	segment.emit({ type: "call.finished", call: call.id, outcome: closedOutcome(segment, call, reason) });
}

function closedOutcome(segment: Segment, call: CallState, reason: string): Outcome {
	if (call.program) return { cancelled: `${reason}. ${doneBefore(segment, call.program.asks)}` };
	if (call.inside) return { cancelled: `${reason}. ${doneBefore(segment, callsIn(segment, call.inside))}` };
	const effect = segment.toolOf(call)?.effect;
	if (call.attempt === 0 || effect === "read" || effect === "internal") return { cancelled: reason };
	return { unknown: `it was started before its outcome could be known: ${reason}` };
}

function callsIn({ state }: Segment, of: Conversation): string[] {
	return [...state.calls.values()].flatMap((call) => (call.thread.of === of ? call.id : []));
}

const listedMax = 50;

/** Without it a model might do again what a program that was stopped had done. */
function doneBefore(segment: Segment, asks: readonly string[]): string {
	const begun = asks.map((id) => callOf(segment.state, id)).filter(({ attempt }) => attempt > 0);
	if (begun.length === 0) return "None of its calls was executed";
	const all = begun.slice(0, listedMax).map((call) => `${call.tool} (${call.id}): ${words[endOf(call)]}`);
	if (begun.length > listedMax) all.push(`and ${begun.length - listedMax} more`);
	return `Its calls until then: ${all.join("; ")}`;
}

const words: { readonly [End in CallEnd]: string } = {
	ok: "done",
	failed: "failed",
	denied: "denied",
	cancelled: "stopped",
	unknown: "nobody knows",
	open: "nobody knows",
};
