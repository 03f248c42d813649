/**
 * The host's half of the protocol with a guest: the texts that go in, and what came out, checked.
 *
 * Invariant: whatever the guest wrote, `readOutbox` returns values within the program's limits or throws. A text of the
 * guest is hostile even though the prelude wrote it: the engine's memory is the program's. So each limit that the
 * prelude keeps is kept here once more; whoever is over one here has another prelude than ours. The work is bounded by
 * those limits and not by the length of what came: no text is parsed that is longer than an honest one can be.
 */
import { consoleCutNote, thrownCharsMax } from "./guest.ts";
import type { ProgramLimits } from "./limits.ts";
import type { Answer, Ask, ProgramError, ProgramSpec, ProgramStop, SliceState } from "./sandbox.ts";

/** Asked like tools, answered by the host, granted to every program. */
export const guestBuiltins = ["$search", "$describe"] as const;

/** What the prelude's `start` takes, as JSON text. Lengths are UTF-16 units, so never stricter than the byte limits. */
interface GuestStart {
	readonly source: string;
	readonly tools: readonly string[];
	readonly seed: number;
	readonly limits: { readonly calls: number; readonly open: number; readonly value: number; readonly console: number };
}

/** What a stop says to the model and to people. The guest words its own: calls, openCalls, value. */
export const stopMessages: Readonly<Record<ProgramStop, string>> = {
	cpu: "The program used all of its CPU time",
	slice: "The program ran too long without waiting for a tool",
	memory: "The program used more memory than it may",
	calls: "The program made too many tool calls",
	openCalls: "Too many tool calls were open at the same time",
	value: "A value is larger than it may be",
	stack: "The program exhausted the stack of its host",
	fault: "The guest broke and was thrown away",
	cancelled: "The program was cancelled",
};

/**
 * The slice of a program that was stopped from outside: what it had printed is kept, it asks for nothing. The prelude
 * writes what was printed first, so nothing is read beyond that.
 * Errors: an Error where more was printed than the program may print.
 */
export function stoppedOutbox(limit: ProgramStop, outbox: string, limits: ProgramLimits): Outbox {
	let printed = "";
	for (const line of linesOf(outbox)) {
		if (!line.startsWith("c ")) break;
		printed += readPrinted(line, consoleCharsMax(limits) - printed.length);
	}
	return { asks: [], console: printed, state: { kind: "stopped", limit, message: stopMessages[limit] } };
}

/** What the host knows of a guest when it reads its outbox, whatever the guest says. */
export interface GuestFacts {
	/** Calls that it asked before this slice. */
	readonly asked: number;
	/** Those of them that have no answer yet. */
	readonly open: number;
	/** Lines of its program. */
	readonly lines: number;
}

/** With every line end that there is in JavaScript. */
export function lineCount(source: string): number {
	return (source.match(/\r\n|[\n\r\u2028\u2029]/g)?.length ?? 0) + 1;
}

/** What one `drain()` held, checked. A stopped program asks for nothing. */
export interface Outbox {
	readonly asks: readonly Ask[];
	readonly console: string;
	readonly state: SliceState;
}

/** The text that loads and starts a program. */
export function startMessage(program: ProgramSpec): string {
	const { callsMax, openCallsMax, valueBytesMax, consoleBytesMax } = program.limits;
	return JSON.stringify({
		source: program.source,
		tools: [...program.tools, ...guestBuiltins],
		seed: program.seed,
		limits: { calls: callsMax, open: openCallsMax, value: valueBytesMax, console: consoleBytesMax },
	} satisfies GuestStart);
}

/** The text that delivers answers, in their order. A result over the limit reaches the program as a failed call. */
export function deliveryMessage(answers: readonly Answer[], limits: ProgramLimits): string {
	const header: number[] = [];
	let payloads = "";
	for (const answer of answers) {
		const large = "ok" in answer && isTooLarge(answer.ok, limits.valueBytesMax);
		const payload = "ok" in answer && !large ? answer.ok : faultText("ok" in answer ? tooLarge(limits) : answer.error);
		header.push(answer.n, kindOf(answer, large), payload.length);
		payloads += payload;
	}
	return `${JSON.stringify(header)}\n${payloads}`;
}

/** 0: a value. 1: a fault. 2: the value of a call whose arguments were changed by an approver. */
function kindOf(answer: Answer, large: boolean): 0 | 1 | 2 {
	if (!("ok" in answer) || large) return 1;
	return answer.edited ? 2 : 0;
}

type Fault = Extract<Answer, { readonly error: unknown }>["error"];

function faultText({ name, message, code = null }: Omit<Fault, "code"> & { readonly code?: string | null }): string {
	return JSON.stringify({ name, message, code });
}

/** The call was executed: a program that only read "failed" might well repeat it. */
function tooLarge({ valueBytesMax }: ProgramLimits): Fault {
	const message = `It ran, but its result has ${valueBytesMax} bytes or more, and so many may not enter a program (valueBytesMax)`;
	return { name: "ToolFailed", message, code: "tool.result_too_large" };
}

/**
 * Reads what the guest wrote.
 * Errors: an Error that names the line, where the text is none that the prelude writes.
 */
export function readOutbox(text: string, program: ProgramSpec, facts: GuestFacts): Outbox {
	const asks: Ask[] = [];
	let printed = "";
	let state: SliceState | undefined;
	for (const line of linesOf(text)) {
		// The state is the last line.
		if (state) throw unreadable(line);
		if (line.startsWith("c ")) printed += readPrinted(line, consoleCharsMax(program.limits) - printed.length);
		else if (line.startsWith("a ")) asks.push(readAsk(line, program, { ...facts, asked: facts.asked + asks.length }));
		else state = readState(line, program.limits, facts);
	}
	if (!state) throw unreadable(text);
	checkOpenCalls(state, facts.open + asks.length, program.limits);
	const large = asks.find((ask) => isTooLarge(ask.args, program.limits.valueBytesMax));
	if (!large) return { asks: state.kind === "stopped" ? [] : asks, console: printed, state };
	const message = `An argument of tools.${large.tool} has ${program.limits.valueBytesMax} bytes or more`;
	return { asks: [], console: printed, state: { kind: "stopped", limit: "value", message } };
}

/** What is stopped may have had any number of them. */
function checkOpenCalls({ kind }: SliceState, open: number, { openCallsMax }: ProgramLimits): void {
	if (kind === "stopped") return;
	if (open > openCallsMax) throw new Error(`The guest has ${open} calls open at the same time`);
	if (kind === "open" && open === 0) throw new Error("The guest waits, and no call of it is open");
}

/** One by one: a text of nothing but line ends is given up at the first of them, before there are millions of texts. */
function* linesOf(text: string): Generator<string, void> {
	for (let from = 0; from <= text.length; ) {
		const end = text.indexOf("\n", from);
		yield text.slice(from, end < 0 ? text.length : end);
		if (end < 0) return;
		from = end + 1;
	}
}

const askLine = /^a (\d{1,9}) (\d{1,9}) ("(?:[^"\\]|\\.)*") (.*)$/s;

function readAsk(line: string, program: ProgramSpec, { asked, lines }: GuestFacts): Ask {
	const found = askLine.exec(line);
	const [n, at, args] = [Number(found?.[1]), Number(found?.[2]), found?.[4]];
	if (!found?.[3] || args === undefined) throw unreadable(line);
	const tool = readString(found[3], found[3].length);
	const granted = program.tools.includes(tool) || (guestBuiltins as readonly string[]).includes(tool);
	if (!granted || n !== asked + 1 || n > program.limits.callsMax) throw unreadable(line);
	return { n, tool, args, line: knownLine(at, lines) };
}

/** The line, or 0 where the program has none of that number: a text that it evaluates has lines of its own. */
function knownLine(line: number, lines: number): number {
	return line <= lines ? line : 0;
}

function readState(line: string, limits: ProgramLimits, facts: GuestFacts): SliceState {
	const body = line.slice(2);
	switch (line.slice(0, 2)) {
		case "o":
			return { kind: "open" };
		case "r ":
			if (!isTooLarge(body, limits.valueBytesMax)) return { kind: "returned", value: body };
			return {
				kind: "stopped",
				limit: "value",
				message: `The program's value has ${limits.valueBytesMax} bytes or more`,
			};
		case "t ":
			return readThrown(body, facts);
		case "s ":
			return readStopped(body);
		default:
			throw unreadable(line);
	}
}

function readStopped(body: string): SliceState {
	const space = body.indexOf(" ");
	const limit = (["calls", "openCalls", "value"] satisfies ProgramStop[]).find((name) => name === body.slice(0, space));
	if (!limit) throw unreadable(body);
	return { kind: "stopped", limit, message: readString(body.slice(space + 1), thrownCharsMax) };
}

/** Names, and three texts of which each character is escaped. */
const thrownBodyCharsMax = '{"name":,"message":,"stack":}'.length + 3 * jsonCharsMax(thrownCharsMax);

function readThrown(body: string, facts: GuestFacts): SliceState {
	if (body.length > thrownBodyCharsMax) throw tooLong(body);
	const thrown = JSON.parse(body) as Record<string, unknown> | null;
	const name = shortText(thrown?.["name"]);
	const message = shortText(thrown?.["message"]);
	const stack = shortText(thrown?.["stack"]);
	if (name === "InternalError" && message === "out of memory") {
		return { kind: "stopped", limit: "memory", message: stopMessages.memory };
	}
	return { kind: "threw", error: programError({ name, message, stack }, facts) };
}

/** Errors: where it is no text, or a longer one than the prelude passes on. */
function shortText(value: unknown): string {
	if (typeof value !== "string") throw new Error(`The guest tells a ${typeof value} of its end, which is no text`);
	if (value.length > thrownCharsMax) throw tooLong(value);
	return value;
}

interface Thrown {
	readonly name: string;
	readonly message: string;
	readonly stack: string;
}

/** The engine calls the program's text `<input>`; the first line has our wrapper before it. */
const wrapperColumns = "(async () => {".length;

function programError({ name, message, stack }: Thrown, { lines }: GuestFacts): ProgramError {
	const frames = stack.split("\n").filter((frame) => frame.includes("<input>:"));
	const place = /<input>:(\d{1,9}):(\d{1,9})/.exec(frames[0] ?? "");
	const line = knownLine(Number(place?.[1] ?? 0), lines);
	const column = line === 0 ? 0 : Math.max(0, Number(place?.[2] ?? 0) - (line === 1 ? wrapperColumns : 0));
	const trace = frames.map((frame) => frame.trim().replaceAll("<input>:", "program:")).join("\n");
	return { name, message, line, column, ...(trace ? { stack: trace } : {}) };
}

/** What an honest guest has printed at most, with the ends of its lines: each line takes one, so there are no more lines. */
function consoleCharsMax({ consoleBytesMax }: ProgramLimits): number {
	return consoleBytesMax + `\n${consoleCutNote}\n`.length;
}

/** The text of a console line, with its end. Errors: where both have more characters than are left. */
function readPrinted(line: string, charsLeft: number): string {
	if (charsLeft < 1) throw tooLong(line);
	return `${readString(line.slice(2), charsLeft - 1)}\n`;
}

/** Errors: where it is no string, or has more characters; of a longer text nothing is parsed. */
function readString(json: string, charsMax: number): string {
	if (json.length > jsonCharsMax(charsMax)) throw tooLong(json);
	const value: unknown = JSON.parse(json);
	if (typeof value !== "string") throw unreadable(json);
	if (value.length > charsMax) throw tooLong(json);
	return value;
}

/** A string of so many characters as JSON: the quotes, and each character as \uXXXX. */
function jsonCharsMax(chars: number): number {
	return 2 + 6 * chars;
}

function tooLong(text: string): Error {
	return new Error(`The guest wrote a longer text than its prelude writes: ${JSON.stringify(text.slice(0, 80))}`);
}

function unreadable(line: string): Error {
	return new Error(`The guest wrote a line that its prelude does not write: ${JSON.stringify(line.slice(0, 80))}`);
}

/** Whether the text has `bytesMax` UTF-8 bytes or more; counts only where its length leaves that open. */
function isTooLarge(text: string, bytesMax: number): boolean {
	if (text.length * 3 < bytesMax) return false;
	let bytes = text.length;
	for (let i = 0; i < text.length && bytes < bytesMax; i++) {
		const code = text.charCodeAt(i);
		if (code > 0x7f) bytes += code > 0x7ff && (code & 0xf800) !== 0xd800 ? 2 : 1;
	}
	return bytes >= bytesMax;
}
