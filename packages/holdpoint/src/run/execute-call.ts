/**
 * Runs one call whose intent is durable, and writes down what became of it.
 *
 * 1. A tool that threw has failed: the outcome is known, and it is never run again.
 * 2. Started and not known (time-out, abort, lost connection, `OutcomeUnknown`): repeated where the tool says that it may be, otherwise
 *    `unknown`, never `failed` (I7). A `read` changes nothing, so that its time-out is a known failure.
 * 3. The result of a call that changes something is durable before the model sees it.
 */

import { callDigest } from "../approvals/approvals.ts";
import { assert } from "../kit/assert.ts";
import { canonicalJson } from "../kit/canonical-json.ts";
import { timerMsMax } from "../kit/clock.ts";
import { digest } from "../kit/digest.ts";
import { isThenable } from "../kit/is-thenable.ts";
import { reasonOf } from "../kit/reason-of.ts";
import type { CallInfo } from "../spec/agent.ts";
import type { Outcome } from "../spec/events.ts";
import type { Json } from "../spec/json.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { DoneInRun, Tool, ToolContext } from "../spec/tool.ts";
import { isLostConnection, isOutcomeUnknown } from "../tools/outcome-unknown.ts";
import { validate } from "../tools/validate.ts";
import { leavesPlanUnasked } from "./around-call.ts";
import { beginAgent, stopAgent } from "./begin-agent.ts";
import type { CallState } from "./call-state.ts";
import { callingRun } from "./calling-run.ts";
import { executeCodeName } from "./execute-code-name.ts";
import { startProgram } from "./execute-program.ts";
import { failedWith } from "./failed-with.ts";
import { keepBeside } from "./keep-beside.ts";
import { lookUp, lookUpUnknown } from "./look-up.ts";
import { onceOnly } from "./once-only.ts";
import type { Segment } from "./segment.ts";

export async function executeCall(segment: Segment, call: CallState): Promise<void> {
	if (call.tool === executeCodeName) return startProgram(segment, call);
	const tool = segment.toolOf(call);
	assert(tool, `the tool ${call.tool} of a started call is known`);
	const args = call.args ?? null;
	const bound = {
		run: segment.state.run,
		call: call.id,
		tool: tool.name,
		version: tool.version,
		args: canonicalJson(args),
	};
	assert(callDigest(bound) === call.digest, "what runs is what was decided");
	if (tool.agent) return beginAgent(segment, call, tool);
	const began = segment.ports.clock.now();
	segment.running++;
	let outcome: Outcome | undefined;
	let done: DoneInRun | undefined;
	try {
		outcome = await attempt(segment, call, { tool, text: bound.args, onDone: (did) => (done = did) });
		if (await mayRepeat(segment, call, { tool, outcome })) return;
	} finally {
		segment.running--;
	}
	// Cancelled meanwhile: its outcome was written by whoever cancelled, or will be where nobody knows it.
	if (call.phase !== "started" || (segment.state.cancel && "unknown" in outcome)) return;
	const ms = segment.ports.clock.now() - began;
	writeOutcome(segment, call, { tool, outcome, done, ms });
	if (!isHarmless(tool)) await segment.flush();
}

interface Came {
	readonly tool: Tool;
	readonly outcome: Outcome;
	readonly done: DoneInRun | undefined;
	readonly ms: number;
}

/** What works within the run does so with its outcome, in one commit: what was not done has no outcome, and is begun again. */
function writeOutcome(segment: Segment, call: CallState, { tool, outcome, done, ms }: Came): void {
	const isUndone = isHarmless(tool) || tool.inRun !== undefined;
	let known = "unknown" in outcome && isUndone ? failedWith("tool.timed_out", outcome.unknown) : outcome;
	if (done && leavesPlanUnasked(segment, call, done)) {
		known = failedWith("tool.threw", "Plan mode was entered meanwhile: ask again to leave it");
	}
	const kept = "ok" in known || "blob" in known ? done : undefined;
	const edge = segment.readyOf(call.thread).handoffs.get(call.tool);
	const hands = edge && "ok" in known ? { handsTo: edge.to } : {};
	const label = kept?.label ? { label: kept.label } : {};
	segment.emit({ type: "call.finished", call: call.id, outcome: known, ms, ...hands, ...label });
	if (!kept) return;
	segment.emit(...(kept.events ?? []));
	for (const write of kept.writes ?? []) segment.keep(write);
	for (const id of kept.stops ?? []) stopAgent(segment, call, id);
}

/** Before the run waits for a person: what the tools themselves can say. Returns whether anything was found out. */
export function lookUpWaiting(segment: Segment): Promise<boolean> {
	return lookUpUnknown(segment, async (call, tool, why) => {
		const context = new Attempt(segment, call, tool);
		const toValue = (value: unknown) => toOutcome(segment, { call, tool, value, keep: keepBeside });
		try {
			return await lookUp({ tool, text: canonicalJson(call.args ?? null), why, context, toOutcome: toValue });
		} finally {
			context.end();
		}
	});
}

function isHarmless({ effect }: Tool): boolean {
	return effect === "read" || effect === "internal";
}

interface Execution {
	readonly tool: Tool;
	/** Canonical text; each attempt gets a copy of its own. */
	readonly text: string;
	/** What becomes of a large value. */
	readonly keep?: typeof keepBeside;
	/** Told what a tool of Holdpoint's own did within the run. */
	readonly onDone?: (done: DoneInRun) => void;
}

/** After a pause the call is left as it is, started and without an outcome: it is decided anew, and begun again. */
async function mayRepeat(segment: Segment, call: CallState, did: { tool: Tool; outcome: Outcome }): Promise<boolean> {
	const { signal } = segment.abort;
	const { attemptsMax } = segment.readyOf(call.thread).limits;
	if (!("unknown" in did.outcome) || did.tool.repeat === "once" || call.attempt >= attemptsMax) return false;
	if (signal.aborted) return false;
	await segment.ports.clock.sleep(100 * 2 ** call.attempt, signal).catch(() => undefined);
	return call.phase === "started" && !signal.aborted;
}

/** One attempt of a call, whatever is written down of it. Never rejects. */
export async function attempt(
	segment: Segment,
	call: CallState,
	{ tool, text, keep = keepBeside, onDone }: Execution,
): Promise<Outcome> {
	const limited = new Attempt(segment, call, tool);
	const inFlight = { of: call.thread.of, stop: (why: string) => limited.stop(why) };
	segment.attempts.add(inFlight);
	const did: Did = { call, text, ran: false };
	const execute = () => {
		const input = JSON.parse(text) as Json;
		if (!tool.inRun) return tool.execute(input, limited);
		const done = tool.inRun(input, callingRun(segment, call, limited));
		return done instanceof Promise ? done.then((late) => valueOfDone(late, onDone)) : valueOfDone(done, onDone);
	};
	try {
		const returned = throughMiddleware(segment, did, execute);
		const value = isThenable(returned) ? await limited.inTime(returned) : returned;
		did.ran = true;
		return await toOutcome(segment, { call, tool, value, keep });
	} catch (error) {
		// Whatever failed since, what the tool does is done: known, and nothing to be repeated.
		if (did.ran && tool.inRun) return failedWith("tool.threw", `Nothing of it was kept: ${lossOf(error)}`);
		if (did.ran)
			return failedWith("tool.result_invalid", `${tool.name} ran, but its result was lost: ${lossOf(error)}`);
		return outcomeOfError(error, limited);
	} finally {
		segment.attempts.delete(inFlight);
		limited.end();
	}
}

function valueOfDone(done: DoneInRun, onDone: Execution["onDone"]): Json {
	onDone?.(done);
	return done.value;
}

/** One attempt of a call on its way through the middleware. */
interface Did {
	readonly call: CallState;
	readonly text: string;
	/** The tool came to its end, whatever became of its result. */
	ran: boolean;
}

function lossOf(error: unknown): string {
	return reasonOf(error).slice(0, fixedLimits.errorCharsMax) || "an error without a message";
}

function outcomeOfError(error: unknown, limited: Attempt): Outcome {
	if (limited.stopped) return { unknown: limited.stopped };
	const message = reasonOf(error);
	if (isOutcomeUnknown(error) || isLostConnection(error)) return { unknown: message };
	return {
		failed: message.slice(0, fixedLimits.errorCharsMax) || "The tool threw an error without a message",
		code: "tool.threw",
	};
}

/**
 * One attempt's context and its limits; what costs is made only when it is asked for. A tool is handed this object, so
 * that whatever leads to the run's ports is really private.
 */
class Attempt implements ToolContext {
	readonly run: string;
	readonly call: string;
	readonly attempt: number;
	readonly principal: string;
	readonly session: string | undefined;
	/** Why it was given up. */
	stopped: string | undefined;
	readonly #segment: Segment;
	readonly #timeoutMs: number;
	#controller: AbortController | undefined;
	#timer: NodeJS.Timeout | undefined;
	#onAbort: (() => void) | undefined;
	#ask: ((why: string) => void) | undefined;

	constructor(segment: Segment, call: CallState, tool: Tool) {
		const info = segment.info;
		this.#segment = segment;
		this.run = info.run;
		this.call = call.id;
		this.attempt = call.attempt;
		this.principal = info.principal;
		this.session = info.session;
		const heldMs = (call.holds ?? []).map(({ timeMs = timerMsMax }) => timeMs);
		this.#timeoutMs = Math.min(
			tool.timeoutMs ?? segment.readyOf(call.thread).limits.toolTimeoutMs,
			timerMsMax,
			...heldMs,
		);
	}

	get idempotencyKey(): string {
		const tenant = this.#segment.state.started?.tenant ?? "";
		return digest(canonicalJson(["idempotency", this.#segment.ports.storeId, tenant, this.run, this.call]));
	}

	get signal(): AbortSignal {
		this.#controller ??= new AbortController();
		if (this.stopped) this.#controller.abort(new Error(this.stopped));
		return this.#controller.signal;
	}

	/** Whoever listens is told to stop; others come to their end, or to that of their time. */
	stop(why: string): void {
		if (this.#controller) this.#ask?.(why);
	}

	inTime(work: PromiseLike<unknown>): Promise<unknown> {
		return new Promise((resolve, reject) => {
			const tell = (why: string): Error => {
				this.stopped ??= why;
				const reason = new Error(this.stopped);
				this.#controller?.abort(reason);
				return reason;
			};
			const stop = (why: string) => reject(tell(why));
			// It listens: what it says within the grace of a cancellation is what became of it.
			const ask = (why: string) => {
				const reason = tell(why);
				clearTimeout(this.#timer);
				this.#timer = setTimeout(reject, fixedLimits.cancelGraceMs, reason);
			};
			this.#ask = ask;
			this.#timer = setTimeout(() => stop(`it did not answer within ${this.#timeoutMs} ms`), this.#timeoutMs);
			this.#onAbort = () => {
				const why = "it was in flight when the run was stopped";
				if (!this.#controller || !this.#segment.state.cancel) return stop(why);
				ask(why);
			};
			this.#segment.abort.signal.addEventListener("abort", this.#onAbort, { once: true });
			work.then(resolve, reject);
			if (this.#segment.abort.signal.aborted) this.#onAbort();
		});
	}

	end(): void {
		if (this.#timer) clearTimeout(this.#timer);
		if (this.#onAbort) this.#segment.abort.signal.removeEventListener("abort", this.#onAbort);
	}
}

/** Each layer is given a copy of the arguments: what was decided is what runs, whatever a layer does to its own. */
function throughMiddleware(segment: Segment, did: Did, execute: () => unknown): unknown {
	const { call, text } = did;
	const onion = segment.readyOf(call.thread).agent.middleware.filter((layer) => layer.call);
	if (onion.length === 0) return execute();
	const layer = async (index: number): Promise<unknown> => {
		const outer = onion[index];
		if (!outer?.call) {
			const value = await execute();
			did.ran = true;
			return value;
		}
		const info: CallInfo = { call: call.id, tool: call.tool, parent: call.parent, args: JSON.parse(text) as Json };
		return outer.call(
			info,
			onceOnly(outer.name, () => layer(index + 1)),
			segment.infoOf(call.thread),
		);
	};
	return layer(0);
}

interface Returned {
	readonly call: CallState;
	readonly tool: Tool;
	readonly value: unknown;
	readonly keep: typeof keepBeside;
}

/** The effect has happened by now, so that an unusable result is a known failure of the result and says so. */
async function toOutcome(segment: Segment, { call, tool, value, keep }: Returned): Promise<Outcome> {
	let checked = value;
	if (tool.output) {
		const result = await validate(tool.output, value, segment.parsingFor(call.thread).patience);
		if (!result.ok)
			return failedWith(
				"tool.result_invalid",
				`${tool.name} ran, but its result does not fit its output schema: ${result.issues}`,
			);
		checked = result.value;
	}
	let text: string | undefined;
	try {
		text = JSON.stringify(checked);
	} catch (error) {
		return failedWith("tool.result_invalid", `${tool.name} ran, but its result is no JSON: ${reasonOf(error)}`);
	}
	const { resultBytesMax, inlineBytesMax } = segment.readyOf(call.thread).limits;
	const edited = call.edited ? ({ edited: true } as const) : {};
	if (text === undefined) return { ok: null, ...edited };
	const bytes = Buffer.byteLength(text);
	if (bytes >= resultBytesMax) {
		return failedWith(
			"tool.result_too_large",
			`${tool.name} ran, but its result has ${bytes} bytes; the limit is ${resultBytesMax} (resultBytesMax)`,
		);
	}
	const plain = JSON.parse(text) as Json;
	return bytes < inlineBytesMax ? { ok: plain, ...edited } : { ...keep(segment, text, plain), ...edited };
}
