/**
 * What a slice of a program left: the calls that it asked become calls of the run, and where the program is over, its
 * end becomes the outcome of its call.
 */
import { parseJson } from "../kit/canonical-json.ts";
import { reasonOf } from "../kit/reason-of.ts";
import { sourceColumn } from "../sandbox/source-column.ts";
import type { FailureCode } from "../spec/errors.ts";
import type { Outcome } from "../spec/events.ts";
import type { Json } from "../spec/json.ts";
import type { Ask, ProgramError, Slice, SliceState } from "../spec/sandbox.ts";
import type { CallState } from "./call-state.ts";
import { closeCall } from "./close-call.ts";
import { failedWith } from "./failed-with.ts";
import { keepBeside } from "./keep-beside.ts";
import { codeOf, limitsOf, programOf } from "./program-guest.ts";
import { callOf } from "./run-state.ts";
import type { Segment } from "./segment.ts";
import type { LiveProgram } from "./segment-start.ts";

/** Writes down what a slice asked, and ends the program where it is over. */
export function takeSlice(
	segment: Segment,
	call: CallState,
	{ live, slice }: { live: LiveProgram; slice: Slice },
): void {
	if (segment.state.cancel) return;
	const program = programOf(call);
	live.console += slice.console;
	const miscounted = slice.asks.find((ask, i) => ask.n !== program.asks.length + i + 1);
	if (!miscounted) for (const ask of slice.asks) segment.emit(askedEvent(segment, call, ask));
	live.ending = endOf(slice.state, { miscounted, isWaiting: program.open.size > 0 });
	if (live.ending) tryToEnd(segment, call, live);
}

/** The guest is hostile: one that counts wrongly, or waits for nothing, would let its run wait for ever. */
function endOf(
	state: SliceState,
	{ miscounted, isWaiting }: { miscounted: Ask | undefined; isWaiting: boolean },
): LiveProgram["ending"] {
	const broken = (message: string) => ({ kind: "stopped", limit: "fault", message }) as const;
	if (miscounted)
		return broken(`The guest asked for a call under the number ${miscounted.n}, which is not the next one`);
	if (state.kind !== "open") return state;
	return isWaiting ? undefined : broken("The guest waits, and no call of it is open");
}

/** What a program asked with, or why it cannot be read. */
interface AskedArguments {
	readonly args: Json;
	readonly unreadable?: string;
}

/** A call without arguments means an object without fields where the tool takes an object. */
export function askedWith(segment: Segment, call: CallState, ask: Ask): AskedArguments {
	if (ask.args === "")
		return { args: segment.readyOf(call.thread).tools.get(ask.tool)?.inputSchema["type"] === "object" ? {} : null };
	try {
		return { args: parseJson(ask.args, limitsOf(segment, call).valueBytesMax) };
	} catch (error) {
		return { args: null, unreadable: reasonOf(error) };
	}
}

function askedEvent(segment: Segment, call: CallState, ask: Ask) {
	return {
		type: "call.asked",
		call: `${call.id}.${ask.n}`,
		parent: call.id,
		tool: ask.tool,
		...askedWith(segment, call, ask),
		line: ask.line,
	} as const;
}

/** Calls that nobody awaits any more: unstarted ones are dropped, started ones are waited for. */
export function tryToEnd(segment: Segment, call: CallState, live: LiveProgram): void {
	const program = programOf(call);
	for (const id of program.open) {
		const child = callOf(segment.state, id);
		if (child.phase !== "started") closeCall(segment, child, "the program ended without waiting for it");
	}
	const open = [...program.open].some((id) => callOf(segment.state, id).phase !== "finished");
	if (open || !live.ending) return;
	const outcome = outcomeOf(segment, call, { console: live.console, ending: live.ending });
	live.guest.dispose();
	segment.live.delete(call.id);
	end(segment, call, outcome);
}

export function end(segment: Segment, call: CallState, outcome: Outcome): void {
	const snapshot = call.program?.suspended?.snapshot;
	if (snapshot) segment.keep({ kind: "blob.drop", digest: snapshot.digest });
	segment.emit({ type: "call.finished", call: call.id, outcome });
}

interface Ended {
	readonly console: string;
	readonly ending: Exclude<SliceState, { kind: "open" }>;
}

function outcomeOf(segment: Segment, call: CallState, { console, ending }: Ended): Outcome {
	const extra = { console, edited: editedCalls(segment, call) };
	switch (ending.kind) {
		case "returned":
			return returned(segment, call, { extra, valueText: ending.value });
		case "threw":
			return failure("program.threw", describeError(call, ending.error), extra);
		case "stopped":
			return failure("program.stopped", `The program was stopped (${ending.limit}): ${ending.message}`, extra);
	}
}

function returned(
	segment: Segment,
	call: CallState,
	{ extra, valueText }: { readonly extra: Extra; readonly valueText: string },
): Outcome {
	const { resultBytesMax, inlineBytesMax } = segment.readyOf(call.thread).limits;
	if (Buffer.byteLength(valueText) >= resultBytesMax) {
		const message = `The program's value has ${resultBytesMax} bytes or more (resultBytesMax)`;
		return failure("tool.result_too_large", message, extra);
	}
	let value: Json;
	try {
		value = parseJson(valueText, resultBytesMax);
	} catch (error) {
		return failure("tool.result_invalid", `The program's value cannot be used: ${reasonOf(error)}`, extra);
	}
	const { console, edited } = extra;
	const whole = { value, ...(console === "" ? {} : { console }), ...edited } as Json;
	const text = JSON.stringify(whole);
	return text.length < inlineBytesMax ? { ok: whole } : keepBeside(segment, text, whole);
}

interface Extra {
	readonly console: string;
	readonly edited: { readonly edited?: readonly object[] };
}

function failure(code: FailureCode, message: string, { console, edited }: Extra): Outcome {
	const said = console === "" ? "" : `\nConsole before that:\n${console}`;
	const changed = edited.edited ? `\nChanged by approvers: ${JSON.stringify(edited.edited)}` : "";
	const more = said + changed;
	return failedWith(code, more === "" ? message : `${message}${more}\n`);
}

function describeError(call: CallState, error: ProgramError): string {
	const { body } = programOf(call);
	const column = body === undefined ? error.column : sourceColumn(codeOf(call), body, error);
	const place = error.line > 0 ? ` (line ${error.line}${column > 0 ? `, column ${column}` : ""})` : "";
	return `The program threw ${error.name}: ${error.message}${place}`;
}

/** An approver's changes are told, whatever the program made of them. */
function editedCalls(segment: Segment, call: CallState): Extra["edited"] {
	const edited = programOf(call).asks.flatMap((id) => {
		const child = callOf(segment.state, id);
		return child.edited && child.attempt > 0
			? [{ tool: child.tool, asked: child.asked ?? null, executedWith: child.args ?? null }]
			: [];
	});
	return edited.length > 0 ? { edited } : {};
}
