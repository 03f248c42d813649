/** Events of a run that are no spans: what is noted of them, and on which span. */
import type { RunEvent } from "../spec/events.ts";
import type { Attributes, AttributeValue } from "../spec/trace.ts";
import { attr, spanEvents } from "./conventions.ts";
import { short } from "./open-span.ts";

export interface Note {
	readonly name: string;
	readonly attributes: Attributes;
	/** A call, an approval where it is open here, or the conversation in a call; else the run's own. */
	readonly on: { readonly call?: string; readonly approval?: string; readonly in?: string | undefined };
}

/** The events of every call: they are spans, and asked about far more often than any other. */
const neverNoted: ReadonlySet<string> = new Set(["model.answered", "call.decided", "call.started", "call.finished"]);

/** `isSaid`: what was said may be recorded. Undefined: nothing is noted. */
export function notesOf(event: RunEvent, isSaid: boolean): Note | undefined {
	if (neverNoted.has(event.type)) return undefined;
	return noteOfProgram(event) ?? noteOfApproval(event) ?? noteOfRun(event, isSaid) ?? noteOfCompaction(event);
}

function noteOfProgram(event: RunEvent): Note | undefined {
	switch (event.type) {
		case "program.started":
			return { name: spanEvents.started, attributes: { [attr.sandbox]: event.provider }, on: { call: event.call } };
		case "program.suspended": {
			const { snapshot } = event;
			const attributes = snapshot
				? { [attr.sandbox]: snapshot.provider, [attr.snapshotBytes]: snapshot.bytes }
				: { [attr.guestFrom]: "start" };
			return { name: spanEvents.suspended, attributes, on: { call: event.call } };
		}
		case "program.restored":
			return { name: spanEvents.restored, attributes: { [attr.guestFrom]: event.from }, on: { call: event.call } };
		case "program.rehearsed": {
			const attributes = { [attr.rows]: event.rows.length, [attr.ended]: event.end };
			return { name: spanEvents.rehearsed, attributes, on: { call: event.call } };
		}
		default:
			return undefined;
	}
}

function noteOfApproval(event: RunEvent): Note | undefined {
	switch (event.type) {
		case "approval.escalated":
			return { name: spanEvents.escalated, attributes: {}, on: { approval: event.approval } };
		case "approval.refused":
			return { name: spanEvents.refused, attributes: {}, on: { approval: event.approval } };
		case "grant.given":
			return { name: spanEvents.granted, attributes: {}, on: { approval: event.approval } };
		default:
			return undefined;
	}
}

function noteOfRun(event: RunEvent, isSaid: boolean): Note | undefined {
	const noted = (name: string, attributes: Attributes = {}, inside?: string): Note => ({
		name,
		attributes,
		on: { in: inside },
	});
	switch (event.type) {
		case "run.handed": {
			const attributes = { [attr.handoffFrom]: short(event.from), [attr.handoffTo]: short(event.to) };
			const why = isSaid && event.reason !== undefined ? { [attr.reason]: short(event.reason) } : {};
			return noted(spanEvents.handoff, { ...attributes, ...why }, event.in);
		}
		case "run.resumed":
			return noted(spanEvents.resumed);
		case "message.received":
			return noted(spanEvents.message);
		case "user.asked":
			return noted(spanEvents.user, { [attr.agentName]: short(event.agent) });
		case "output.rejected":
			return noted(spanEvents.rejected, {}, event.in);
		case "model.unanswered":
			return noted(spanEvents.unanswered);
		case "timer.set":
			return noted(spanEvents.timerSet, {}, event.in);
		case "timer.fired":
			return noted(spanEvents.timerFired);
		case "cancel.requested":
			return noted(spanEvents.cancel);
		case "signal.ignored":
			return noted(spanEvents.ignored);
		default:
			return undefined;
	}
}

/** By its name alone, so that a journal with fields that are not known here is traced as well: its numbers are noted. */
function noteOfCompaction(event: { readonly type: string }): Note | undefined {
	if (event.type !== "context.compacted") return undefined;
	const numbers = Object.entries(event).flatMap(([name, value]): [string, AttributeValue][] =>
		typeof value === "number" ? [[`${spanEvents.compaction}.${name}`, value]] : [],
	);
	const { in: inside } = event as { readonly in?: unknown };
	const on = { in: typeof inside === "string" ? inside : undefined };
	return { name: spanEvents.compaction, attributes: Object.fromEntries(numbers), on };
}
