/**
 * A program (CodeAct): a call whose inside is calls.
 *
 * Owns: the start of a guest and what enters it. Its calls are calls of the run like any other: they go through
 * `decide-call.ts` and `execute-call.ts` and are merely delivered here. What a slice left is taken in `program-slice.ts`,
 * waits are the affair of `restore-program.ts`.
 *
 * 1. What enters a guest is an event before it enters (`program.delivered`), and durable before the next effect, so that
 *    a replay delivers exactly so.
 * 2. A program ends only when every call that it started has an outcome.
 */
import { digest } from "../kit/digest.ts";
import { isHoldpointError } from "../spec/errors.ts";
import { defaultProgramLimits, fixedLimits } from "../spec/limits.ts";
import type { CallState } from "./call-state.ts";
import { failedWith } from "./failed-with.ts";
import { codeOf, deliveryOf, programOf, sandboxOf, specOf } from "./program-guest.ts";
import { roomFor } from "./program-room.ts";
import { end, takeSlice, tryToEnd } from "./program-slice.ts";
import { bringBack } from "./restore-program.ts";
import type { ReadyAgent } from "./run-ports.ts";
import type { Segment } from "./segment.ts";
import type { LiveProgram } from "./segment-start.ts";

/** Pre-flight, then the first slice. */
export async function startProgram(segment: Segment, call: CallState): Promise<void> {
	const source = codeOf(call);
	const { prepareProgram, formatProblems } = await import("../sandbox/prepare-program.ts");
	const ready = segment.readyOf(call.thread);
	const { middleware, programs } = ready.agent;
	const own = programs?.limits;
	const argumentsMayChange = middleware.some((layer) => layer.prepareCall !== undefined);
	const limits = { ...defaultProgramLimits, ...own, argumentsMayChange };
	const prepared = await prepareProgram(source, programTools(ready), limits);
	if (!prepared.ok) {
		return end(segment, call, failedWith("program.invalid", `${formatProblems(source, prepared.problems)}\n`));
	}
	const sandbox = roomFor(segment, await sandboxOf(segment), { call, program: prepared });
	if ("refused" in sandbox) return end(segment, call, failedWith("program.refused", sandbox.refused));
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
		tools: [...ready.programTools],
		...(own ? { limits: own } : {}),
	});
	await withGuest(segment, call, () => firstSlice(segment, call));
}

async function firstSlice(segment: Segment, call: CallState): Promise<void> {
	const program = programOf(call);
	const guest = await (await sandboxOf(segment, program)).start(specOf(segment, call, program));
	// Whoever ended the run meanwhile gave back the guests that were there then.
	if (segment.isOver) return guest.dispose();
	const live: LiveProgram = { guest, console: "", asked: 0, ending: undefined };
	segment.live.set(call.id, live);
	const slice = await guest.advance({ answers: [], clockMs: program.clock }, segment.abort.signal);
	takeSlice(segment, call, { live, slice });
}

/** Delivers what the program's calls returned; first brings the guest back where it is not in this process. */
export async function advanceProgram(segment: Segment, call: CallState, answers: readonly string[]): Promise<void> {
	await withGuest(segment, call, () => nextSlice(segment, call, answers));
}

/** A guest that was lost is let go; `next` finds its program without one, and has it replayed. */
async function withGuest(segment: Segment, call: CallState, work: () => Promise<void>): Promise<void> {
	try {
		await work();
	} catch (error) {
		const losses = (segment.losses.get(call.id) ?? 0) + 1;
		if (!isHoldpointError(error) || error.code !== "sandbox.fault" || losses > fixedLimits.guestLossesMax) throw error;
		segment.losses.set(call.id, losses);
		segment.live.get(call.id)?.guest.dispose();
		segment.live.delete(call.id);
	}
}

async function nextSlice(segment: Segment, call: CallState, answers: readonly string[]): Promise<void> {
	const program = programOf(call);
	const live = segment.live.get(call.id) ?? (await bringBack(segment, call));
	if (!live) return;
	// Bringing it back may have found its end.
	if (segment.state.cancel || call.phase !== "started") return;
	if (live.ending) return tryToEnd(segment, call, live);
	if (answers.length === 0) return;
	const clock = segment.ports.clock.now();
	segment.emit({ type: "program.delivered", call: call.id, answers, clock });
	const slice = await live.guest.advance(deliveryOf(segment, program, { answers, clock }), segment.abort.signal);
	takeSlice(segment, call, { live, slice });
}

function programTools({ programTools: names, tools }: ReadyAgent) {
	return [...names].flatMap((name) => tools.get(name) ?? []);
}
