/**
 * A program over a wait: every guest becomes a row, and later a guest again, from its snapshot or replayed from its
 * start with the deliveries that the journal has.
 *
 * 1. A replayed program must ask for what the journal says that it asked for; otherwise it has diverged and stops.
 * 2. A snapshot that fails its seal is an error and never replayed silently.
 */
import { canonicalJson } from "../kit/canonical-json.ts";
import { digest } from "../kit/digest.ts";
import { HoldpointError, isHoldpointError } from "../spec/errors.ts";
import type { ProgramSuspended } from "../spec/events.ts";
import type { Ask, Guest, ProgramSpec, SandboxProvider, Slice } from "../spec/sandbox.ts";
import type { CallState, ProgramState } from "./call-state.ts";
import { deliveryOf, limitsOf, programOf, sandboxOf, specOf } from "./program-guest.ts";
import { askedWith, takeSlice } from "./program-slice.ts";
import { callOf } from "./run-state.ts";
import type { Segment } from "./segment.ts";
import type { LiveProgram } from "./segment-start.ts";

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
	if (!bytes || bytes.length >= limitsOf(segment, call).snapshotBytesMax) return { ...place, ...said };
	const sandbox = await sandboxOf(segment, program);
	const snapshot = {
		digest: digest(bytes),
		bytes: bytes.length,
		provider: sandbox.name,
		guest: sandbox.guest,
		format: sandbox.format,
	};
	segment.keep({ kind: "blob", digest: snapshot.digest, body: bytes });
	return { ...place, ...said, snapshot };
}

/** Undefined where it is too large to be kept, or the guest was lost: the program is replayed then. */
async function snapshotOf(guest: Guest): Promise<Uint8Array | undefined> {
	try {
		return await guest.snapshot();
	} catch (error) {
		if (isHoldpointError(error) && (error.code === "snapshot.refused" || error.code === "sandbox.fault"))
			return undefined;
		throw error;
	}
}

/** The guest as it was: from its snapshot, or replayed from the start; then the deliveries that came after. */
export async function bringBack(segment: Segment, call: CallState): Promise<LiveProgram | undefined> {
	const program = programOf(call);
	const restored = await restore(segment, call, program);
	const guest = restored.guest;
	// Whoever ended the run meanwhile gave back the guests that were there then.
	if (segment.isOver) {
		guest.dispose();
		return undefined;
	}
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
		const early = delivery.answers.find((id) => program.asks.indexOf(id) >= live.asked);
		if (early) throw diverged(segment, call, `it has not asked for ${early} yet, and the journal has its answer here`);
		slice = await guest.advance(deliveryOf(segment, program, delivery), segment.abort.signal);
	}
}

/** A copy of a program that waits, for a rehearsal; or why there can be none. It is the caller's to give back. */
export async function forkOf(segment: Segment, call: CallState): Promise<Guest | string> {
	const program = programOf(call);
	const sandbox = await sandboxOf(segment, program);
	const spec = specOf(segment, call, program);
	const live = segment.live.get(call.id);
	if (live) {
		const bytes = await snapshotOf(live.guest);
		return bytes ? sandbox.restore(bytes, spec) : "its sandbox cannot copy it";
	}
	const found = await tryRestore(segment, { program, sandbox, spec });
	if (typeof found === "string") return found;
	if (found.delivered === program.deliveries.length) return found.guest;
	found.guest.dispose();
	return "it went on since its snapshot";
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
	const sandbox = await sandboxOf(segment, program);
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
	// Not the provider: those that run the same guest restore each other's snapshots.
	if (reference.guest !== sandbox.guest) {
		const other = `${reference.provider} ${reference.guest.slice(0, 12)}`;
		return `the snapshot is of another guest build (${other}); this host has ${sandbox.name} ${sandbox.guest.slice(0, 12)}`;
	}
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
		if (isHoldpointError(error) && error.code === "snapshot.refused") return error.message;
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
	const asks = slice.asks.filter((ask) => {
		live.asked = ask.n;
		const known = program.asks[ask.n - 1];
		if (known === undefined) return true;
		compare(segment, { program: call, known: callOf(segment.state, known), ask });
		return false;
	});
	if (last) {
		if (live.asked < program.asks.length) {
			throw diverged(segment, call, `it asked for ${live.asked} calls, and the journal has ${program.asks.length}`);
		}
		return takeSlice(segment, call, { live, slice: { ...slice, asks } });
	}
	const [more] = asks;
	if (more) throw diverged(segment, call, `it asks for ${more.tool}, and the journal has no such call`);
	if (slice.state.kind !== "open") {
		throw diverged(segment, call, `it ended, and the journal has ${program.deliveries.length} deliveries`);
	}
	live.console += slice.console;
}

interface Compared {
	readonly program: CallState;
	readonly known: CallState;
	readonly ask: Ask;
}

/** What the program asked with counts, not what an approver made of it. */
function compare(segment: Segment, { program, known, ask }: Compared): void {
	const { args, unreadable } = askedWith(segment, program, ask);
	const isSame =
		unreadable === undefined
			? known.asked !== undefined && canonicalJson(known.asked) === canonicalJson(args)
			: known.asked === undefined;
	if (known.tool === ask.tool && isSame) return;
	const asked = `${ask.tool} ${ask.args.slice(0, 200)}`;
	throw diverged(segment, known, `call ${known.id} was ${known.tool} with other arguments, now it is ${asked}`);
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
