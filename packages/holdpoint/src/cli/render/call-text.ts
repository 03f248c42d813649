import type { CallState } from "../../run/call-state.ts";
import type { Outcome, RunEvent } from "../../spec/events.ts";
import { byteSize } from "./duration.ts";
import { jsonText } from "./json-text.ts";
import { inlineText, proseText } from "./safe-text.ts";

/** `refund_order {orderId: "O-1", …`, within so many columns. */
export function callText(call: CallState | undefined, columns: number): string {
	if (!call) return "a call";
	const name = inlineText(call.tool, Math.max(8, Math.min(60, columns)));
	const room = columns - name.length - 1;
	return room < 8 ? name : `${name} ${jsonText(call.args ?? call.asked ?? null, room)}`;
}

export function outcomeText(outcome: Outcome, charsMax: number): string {
	if ("ok" in outcome) return jsonText(outcome.ok, charsMax);
	if ("blob" in outcome) return `${byteSize(outcome.bytes)} beside the journal`;
	return proseText(sentence(outcome), charsMax);
}

function sentence(outcome: Exclude<Outcome, { readonly ok: unknown } | { readonly blob: string }>): string {
	if ("failed" in outcome) return `failed (${outcome.code}): ${outcome.failed}`;
	if ("denied" in outcome) return `denied${outcome.by ? ` by ${outcome.by}` : ""}: ${outcome.denied}`;
	if ("cancelled" in outcome) return `cancelled: ${outcome.cancelled}`;
	return `nobody knows whether it happened: ${outcome.unknown}`;
}

/** The lines of each program on which a held call was asked for. */
export function heldLinesOf(events: readonly { readonly event: RunEvent }[]): Map<string, number[]> {
	const asked = new Map<string, { parent: string; line: number }>();
	const lines = new Map<string, number[]>();
	for (const { event } of events) {
		if (event.type === "call.asked") asked.set(event.call, event);
		if (event.type !== "approval.requested") continue;
		const call = asked.get(event.call);
		if (call && call.line > 0) lines.set(call.parent, [...(lines.get(call.parent) ?? []), call.line]);
	}
	return lines;
}
