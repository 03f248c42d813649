/**
 * A program (CodeAct): a call whose inside is calls.
 *
 * Owns: the life of a guest: start, deliveries, suspension, restoring, the end. Its calls are calls of the run like any
 * other; they go through `decide-call.ts` and `execute-call.ts` and are merely delivered here.
 *
 * 1. What enters a guest is an event before it enters (`program.delivered`), and durable before the next effect, so that
 *    a replay delivers exactly so.
 * 2. A replayed program must ask for what the journal says that it asked for; otherwise it has diverged and stops.
 * 3. A program ends only when every call that it started has an outcome.
 */
import { canonicalJson, parseJson } from "../kit/canonical-json.ts";
import { digest } from "../kit/digest.ts";
import { sourceColumn } from "../sandbox/source-column.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { FailureCode, Outcome, ProgramSuspended } from "../spec/events.ts";
import type { Json } from "../spec/json.ts";
import { defaultProgramLimits } from "../spec/limits.ts";
import type {
	Answer,
	Ask,
	Delivery,
	Guest,
	ProgramError,
	ProgramSpec,
	SandboxProvider,
	Slice,
	SliceState,
} from "../spec/sandbox.ts";
import type { CallState, ProgramState } from "./call-state.ts";
import { keepBeside } from "./keep-beside.ts";
import { failureText } from "./messages.ts";
import type { LiveProgram, Segment } from "./segment.ts";
import { callOf, valueOf } from "./state.ts";

/** Pre-flight, then the first slice. */
export async function startProgram(segment: Segment, call: CallState): Promise<void> {
	const source = codeOf(call);
	const { prepareProgram, formatProblems } = await import("../sandbox/prepare-program.ts");
	const limits = limitsOf(segment);
	const tools = programTools(segment);
	const argumentsMayChange = segment.ready.agent.middleware.some((layer) => layer.prepareCall !== undefined);
	const prepared = await prepareProgram(source, tools, { ...limits, argumentsMayChange });
	if (!prepared.ok) {
		return end(segment, call, { failed: formatProblems(source, prepared.problems), code: "program.invalid" });
	}
	const sandbox = await sandboxOf(segment);
	const seed = Buffer.from(digest(`seed\n${segment.state.run}\n${call.id}`), "base64url").readUInt32BE(0);
	const { body } = prepared;
	segment.emit({
		type: "program.started",
		call: call.id,
		provider: sandbox.name,
		guest: sandbox.guest,
		seed,
		clock: segment.ports.clock.now(),
		...(body === source ? {} : { body }),
	});
	const program = programOf(call);
	const guest = await sandbox.start(specOf(segment, call, program));
	const live: LiveProgram = { guest, console: "", asked: 0, ending: undefined };
	segment.live.set(call.id, live);
	const slice = await guest.advance({ answers: [], clockMs: program.clock }, segment.abort.signal);
	takeSlice(segment, call, { live, slice, known: 0 });
}

/** Delivers what the program's calls returned; first brings the guest back where it is not in this process. */
export async function advanceProgram(segment: Segment, call: CallState, answers: readonly string[]): Promise<void> {
	const program = programOf(call);
	const live = segment.live.get(call.id) ?? (await bringBack(segment, call));
	// Bringing it back may have found its end.
	if (segment.state.cancel || call.phase !== "started") return;
	if (live.ending) return tryToEnd(segment, call, live);
	if (answers.length === 0) return;
	const clock = segment.ports.clock.now();
	segment.emit({ type: "program.delivered", call: call.id, answers, clock });
	const slice = await live.guest.advance(deliveryOf(segment, program, { answers, clock }), segment.abort.signal);
	takeSlice(segment, call, { live, slice, known: program.asks.length });
}

function codeOf(call: CallState): string {
	const args = call.args as { readonly code?: string } | undefined;
	return args?.code ?? "";
}

function programOf(call: CallState): ProgramState {
	if (!call.program) throw new Error(`Holdpoint bug: it should hold that ${call.id} is a started program`);
	return call.program;
}

function limitsOf(segment: Segment) {
	return { ...defaultProgramLimits, ...segment.ready.agent.programs?.limits };
}

function programTools(segment: Segment) {
	return [...segment.ready.programTools].flatMap((name) => segment.ready.tools.get(name) ?? []);
}

async function sandboxOf(segment: Segment): Promise<SandboxProvider> {
	const { sandbox } = segment.ports;
	if (!sandbox)
		throw new HoldpointError("sandbox.unavailable", "This harness has no sandbox, and its agent writes programs");
	return sandbox();
}

function specOf(segment: Segment, call: CallState, program: ProgramState): ProgramSpec {
	return {
		source: program.body ?? codeOf(call),
		tools: [...segment.ready.programTools],
		seed: program.seed,
		clockMs: program.clock,
		limits: limitsOf(segment),
		principal: segment.info.principal,
	};
}

function deliveryOf(
	segment: Segment,
	program: ProgramState,
	delivery: { answers: readonly string[]; clock: number },
): Delivery {
	const answers = delivery.answers.map((id) =>
		answerFor(segment, callOf(segment.state, id), program.asks.indexOf(id) + 1),
	);
	return { answers, clockMs: delivery.clock };
}

function answerFor(segment: Segment, child: CallState, n: number): Answer {
	const { outcome } = child;
	if (!outcome || "ok" in outcome || "blob" in outcome) {
		const ok = JSON.stringify(valueOf(segment.state, child));
		return child.edited ? { n, ok, edited: true } : { n, ok };
	}
	const message = failureText(child);
	if ("failed" in outcome) return { n, error: { name: "ToolFailed", message, code: outcome.code } };
	return { n, error: { name: "ToolDenied", message } };
}

interface TakenSlice {
	readonly live: LiveProgram;
	readonly slice: Slice;
	/** How many of the program's calls the journal has already. */
	readonly known: number;
}

/** Writes down what a slice asked, and ends the program where it is over. */
function takeSlice(segment: Segment, call: CallState, { live, slice, known }: TakenSlice): void {
	if (segment.state.cancel) return;
	live.console += slice.console;
	for (const ask of slice.asks) {
		if (ask.n > known) segment.emit(askedEvent(segment, call, ask));
	}
	if (slice.state.kind === "open") return;
	live.ending = slice.state;
	tryToEnd(segment, call, live);
}

/** What a program asked with; a call without arguments means an object without fields where the tool takes an object. */
function askedWith(segment: Segment, ask: Ask): Json {
	const args = readableJson(ask.args, limitsOf(segment).valueBytesMax);
	return args === null && segment.ready.tools.get(ask.tool)?.inputSchema["type"] === "object" ? {} : args;
}

/** The guest is hostile: what is no JSON fits no schema, and the program reads that. */
function readableJson(text: string, bytesMax: number): Json {
	try {
		return parseJson(text, bytesMax);
	} catch {
		return null;
	}
}

function askedEvent(segment: Segment, call: CallState, ask: Ask) {
	return {
		type: "call.asked",
		call: `${call.id}.${ask.n}`,
		parent: call.id,
		tool: ask.tool,
		args: askedWith(segment, ask),
		line: ask.line,
	} as const;
}

/** Calls that nobody awaits any more: unstarted ones are dropped, started ones are waited for. */
function tryToEnd(segment: Segment, call: CallState, live: LiveProgram): void {
	const program = programOf(call);
	for (const id of program.open) {
		const child = callOf(segment.state, id);
		if (child.phase === "held" && child.approval) {
			segment.emit({ type: "approval.closed", approval: child.approval.id, call: id, why: "cancelled" });
		}
		if (child.phase === "asked" || child.phase === "held" || child.phase === "answered") {
			segment.emit({
				type: "call.finished",
				call: id,
				outcome: { cancelled: "the program ended without waiting for it" },
			});
		}
	}
	const open = [...program.open].some((id) => callOf(segment.state, id).phase !== "finished");
	if (open || !live.ending) return;
	const outcome = outcomeOf(segment, call, { console: live.console, ending: live.ending });
	live.guest.dispose();
	segment.live.delete(call.id);
	end(segment, call, outcome);
}

function end(segment: Segment, call: CallState, outcome: Outcome): void {
	const snapshot = call.program?.suspended?.snapshot;
	if (snapshot) segment.keep({ kind: "blob.drop", digest: snapshot.digest });
	segment.emit({ type: "call.finished", call: call.id, outcome });
}

interface Ended {
	readonly console: string;
	readonly ending: Exclude<SliceState, { kind: "open" }>;
}

function outcomeOf(segment: Segment, call: CallState, { console, ending }: Ended): Outcome {
	const said = console === "" ? {} : { console };
	const edited = editedCalls(segment, call);
	switch (ending.kind) {
		case "returned":
			return returned(segment, { ...said, ...edited }, ending.value);
		case "threw":
			return failure("program.threw", describeError(call, ending.error), { console, edited });
		case "stopped":
			return failure("program.stopped", `The program was stopped (${ending.limit}): ${ending.message}`, {
				console,
				edited,
			});
	}
}

function returned(segment: Segment, around: object, valueText: string): Outcome {
	const { resultBytesMax, inlineBytesMax } = segment.ready.limits;
	let value: Json;
	try {
		value = parseJson(valueText, resultBytesMax);
	} catch (error) {
		const why = error instanceof Error ? error.message : String(error);
		return { failed: `The program's value cannot be used: ${why}`, code: "tool.result_too_large" };
	}
	const whole = { value, ...around } as Json;
	const text = JSON.stringify(whole);
	return text.length < inlineBytesMax ? { ok: whole } : keepBeside(segment, text, whole);
}

function failure(
	code: FailureCode,
	message: string,
	extra: { readonly console: string; readonly edited: object },
): Outcome {
	const said = extra.console === "" ? "" : `\nConsole before that:\n${extra.console}`;
	const edited = "edited" in extra.edited ? `\nChanged by approvers: ${JSON.stringify(extra.edited.edited)}` : "";
	return { failed: message + said + edited, code };
}

function describeError(call: CallState, error: ProgramError): string {
	const { body } = programOf(call);
	const column = body === undefined ? error.column : sourceColumn(codeOf(call), body, error);
	const place = error.line > 0 ? ` (line ${error.line}${column > 0 ? `, column ${column}` : ""})` : "";
	return `The program threw ${error.name}: ${error.message}${place}`;
}

/** An approver's changes are told, whatever the program made of them. */
function editedCalls(segment: Segment, call: CallState): object {
	const edited = programOf(call).asks.flatMap((id) => {
		const child = callOf(segment.state, id);
		return child.edited ? [{ tool: child.tool, asked: child.asked ?? null, executedWith: child.args ?? null }] : [];
	});
	return edited.length > 0 ? { edited } : {};
}

// ---------------------------------------------------------------------------------------------------- suspension

/** Before the run waits: every guest becomes a row. */
export async function suspendPrograms(segment: Segment): Promise<void> {
	for (const [id, live] of segment.live) {
		const call = callOf(segment.state, id);
		const program = programOf(call);
		if (!program.quiet) segment.emit(await suspendedEvent(segment, call, live));
	}
	segment.dropGuests();
}

async function suspendedEvent(segment: Segment, call: CallState, live: LiveProgram): Promise<ProgramSuspended> {
	const program = programOf(call);
	const said = live.console === "" ? {} : { console: live.console };
	const place = {
		type: "program.suspended",
		call: call.id,
		delivered: program.deliveries.length,
		asked: program.asks.length,
	} as const;
	const before = program.suspended?.snapshot;
	if (before) segment.keep({ kind: "blob.drop", digest: before.digest });
	// A program that is over has nothing to go on with; its end is found again by replaying it.
	if (live.ending) return { ...place, ...said };
	const bytes = await snapshotOf(live.guest);
	if (!bytes || bytes.length >= limitsOf(segment).snapshotBytesMax) return { ...place, ...said };
	const sandbox = await sandboxOf(segment);
	const snapshot = {
		digest: digest(bytes),
		bytes: bytes.length,
		provider: program.provider,
		guest: sandbox.guest,
		format: sandbox.format,
	};
	segment.keep({ kind: "blob", digest: snapshot.digest, body: bytes });
	return { ...place, ...said, snapshot };
}

/** Undefined where it is too large to be kept: the program is replayed then. */
async function snapshotOf(guest: Guest): Promise<Uint8Array | undefined> {
	try {
		return await guest.snapshot();
	} catch (error) {
		if (error instanceof HoldpointError && error.code === "snapshot.refused") return undefined;
		throw error;
	}
}

/** The guest as it was: from its snapshot, or replayed from the start; then the deliveries that came after. */
async function bringBack(segment: Segment, call: CallState): Promise<LiveProgram> {
	const program = programOf(call);
	const restored = await restore(segment, call, program);
	const guest = restored.guest;
	const live: LiveProgram = { guest, console: restored.console, asked: restored.asked, ending: undefined };
	segment.live.set(call.id, live);
	segment.emit({
		type: "program.restored",
		call: call.id,
		from: restored.from,
		...(restored.why ? { why: restored.why } : {}),
	});
	let slice: Slice | undefined;
	if (restored.from === "start")
		slice = await guest.advance({ answers: [], clockMs: program.clock }, segment.abort.signal);
	for (let i = restored.delivered; ; i++) {
		if (slice) replayed(segment, call, { live, slice, last: i === program.deliveries.length });
		const delivery = program.deliveries[i];
		if (!delivery || live.ending) return live;
		slice = await guest.advance(deliveryOf(segment, program, delivery), segment.abort.signal);
	}
}

interface Restored {
	readonly guest: Guest;
	readonly from: "snapshot" | "start";
	readonly delivered: number;
	readonly asked: number;
	readonly console: string;
	readonly why?: string;
}

async function restore(segment: Segment, call: CallState, program: ProgramState): Promise<Restored> {
	const sandbox = await sandboxOf(segment);
	const spec = specOf(segment, call, program);
	const why = await tryRestore(segment, { program, sandbox, spec });
	if (typeof why !== "string") return why;
	const guest = await sandbox.start(spec);
	return { guest, from: "start", delivered: 0, asked: 0, console: "", ...(program.suspended?.snapshot ? { why } : {}) };
}

interface Restoring {
	readonly program: ProgramState;
	readonly sandbox: SandboxProvider;
	readonly spec: ProgramSpec;
}

/** The restored guest, or why there is none. A snapshot that fails its seal is an error and never replayed silently. */
async function tryRestore(segment: Segment, { program, sandbox, spec }: Restoring): Promise<Restored | string> {
	const { suspended } = program;
	const reference = suspended?.snapshot;
	if (!reference) return "there is no snapshot";
	if (reference.provider !== sandbox.name)
		return `the snapshot is of provider ${reference.provider}; this host has ${sandbox.name}`;
	if (reference.guest !== sandbox.guest) return "the snapshot is of another guest build";
	if (reference.format !== sandbox.format)
		return `the snapshot has format ${reference.format}; this host knows ${sandbox.format}`;
	const bytes = await segment.ports.store.blob(segment.state.run, reference.digest);
	if (!bytes) return "the snapshot is lost";
	if (digest(bytes) !== reference.digest) {
		throw new HoldpointError("snapshot.tampered", `The snapshot of ${segment.state.run} does not match its seal`, {
			details: { run: segment.state.run, digest: reference.digest },
		});
	}
	try {
		const guest = await sandbox.restore(bytes, spec);
		const { delivered, asked, console = "" } = suspended;
		return { guest, from: "snapshot", delivered, asked, console };
	} catch (error) {
		if (error instanceof HoldpointError && error.code === "snapshot.refused") return error.message;
		throw error;
	}
}

/** One slice of a replay: what it asks must be what the journal says it asked; only the last may ask for more. */
function replayed(
	segment: Segment,
	call: CallState,
	{ live, slice, last }: { live: LiveProgram; slice: Slice; last: boolean },
): void {
	const program = programOf(call);
	for (const ask of slice.asks) {
		live.asked = ask.n;
		const known = program.asks[ask.n - 1];
		if (known !== undefined) compare(segment, callOf(segment.state, known), ask);
		else if (!last) throw diverged(segment, call, `it asks for ${ask.tool}, and the journal has no such call`);
	}
	const over = slice.state.kind !== "open";
	if (over && !last)
		throw diverged(segment, call, `it ended, and the journal has ${program.deliveries.length} deliveries`);
	if (last && live.asked < program.asks.length) {
		throw diverged(segment, call, `it asked for ${live.asked} calls, and the journal has ${program.asks.length}`);
	}
	takeSlice(segment, call, { live, slice, known: program.asks.length });
}

function compare(segment: Segment, known: CallState, ask: Ask): void {
	// What the program asked with, not what an approver made of it.
	const same = known.tool === ask.tool && canonicalJson(known.asked ?? null) === canonicalJson(askedWith(segment, ask));
	if (!same)
		throw diverged(
			segment,
			known,
			`call ${known.id} was ${known.tool} with other arguments, now it is ${ask.tool} ${ask.args.slice(0, 200)}`,
		);
}

function diverged(segment: Segment, call: CallState, what: string): HoldpointError {
	return new HoldpointError(
		"program.diverged",
		`Replaying the program ${call.parent ?? call.id} of ${segment.state.run} went another way: ${what}`,
		{
			details: { run: segment.state.run, call: call.id },
		},
	);
}
