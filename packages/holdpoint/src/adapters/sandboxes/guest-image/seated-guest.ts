/**
 * One program's guest as its caller sees it: slices in, slices out, whatever happens to the seat that it lives on.
 *
 * Invariants
 * 1. One slice at a time. Once a slice was returned, threw or was stopped, the guest is over and its memory given back.
 * 2. CPU time, console bytes and calls are counted here over the whole program, snapshots included: what the guest says
 *    of them counts for nothing.
 * 3. A guest that was lost by no fault of its program rejects with `sandbox.fault`; its caller replays it.
 */
import { assert } from "../../../kit/assert.ts";
import { HoldpointError, isHoldpointError } from "../../../spec/errors.ts";
import { consoleCutNote } from "../../../spec/guest.ts";
import {
	deliveryMessage,
	lineCount,
	type Outbox,
	readOutbox,
	startMessage,
	stopMessages,
	stoppedOutbox,
} from "../../../spec/guest-messages.ts";
import type { Delivery, Guest, ProgramSpec, ProgramStop, Slice } from "../../../spec/sandbox.ts";
import type { GuestSeat, SliceEnd } from "./guest-seat.ts";
import { decodeSnapshot, encodeSnapshot } from "./snapshot-header.ts";

/** A guest may be this much larger than its program's memory: the engine, the base image, what lies unused between. */
export const overheadBytes: number = 8 * 1_048_576;
const cutNote = `\n${consoleCutNote}\n`;

type WholeSlice = Exclude<SliceEnd, { readonly gone: ProgramStop }>;

export class SeatedGuest implements Guest {
	readonly #seat: GuestSeat;
	readonly #program: ProgramSpec;
	#started = false;
	#busy = false;
	#over = false;
	#cpuMs = 0;
	#consoleBytes = 0;
	readonly #lines: number;
	#callsAsked = 0;
	/** Numbers of the calls that have no answer yet. */
	#openCalls = new Set<number>();

	constructor(seat: GuestSeat, program: ProgramSpec) {
		this.#seat = seat;
		this.#program = program;
		this.#lines = lineCount(program.source);
	}

	/** Makes it the guest that the snapshot holds. Errors: `snapshot.refused`, `sandbox.unavailable`. */
	async restore(snapshot: Uint8Array): Promise<void> {
		try {
			const memoryBytesMax = this.#program.limits.memoryBytesMax + overheadBytes;
			const image = decodeSnapshot(snapshot, this.#program, memoryBytesMax);
			await this.#seat.restore(image);
			this.#started = true;
			this.#cpuMs = image.cpuMs;
			this.#consoleBytes = image.consoleBytes;
			this.#callsAsked = image.asked;
			this.#openCalls = new Set(image.open);
		} catch (error) {
			this.#over = true;
			this.#seat.release();
			if (isHoldpointError(error)) throw error;
			throw refused(error instanceof Error ? error.message : String(error));
		}
	}

	async advance(delivery: Delivery, signal?: AbortSignal): Promise<Slice> {
		assert(!this.#over && !this.#busy, "a guest runs one slice at a time, and none after its last");
		assert(this.#started || delivery.answers.length === 0, "the first slice of a program has no answers");
		const answered = new Set(delivery.answers.map(({ n }) => n));
		assert(answered.size === delivery.answers.length, "a delivery answers each call once");
		for (const n of answered) assert(this.#openCalls.has(n), `call ${n} is open when it is answered`);
		if (signal?.aborted) return this.#stopped("cancelled");
		const { limits } = this.#program;
		if (!this.#started && Buffer.byteLength(this.#program.source) >= limits.sourceBytesMax) {
			return this.#stopped("value", `The program's text has ${limits.sourceBytesMax} bytes or more`);
		}
		if (this.#cpuMs >= limits.cpuMs) return this.#stopped("cpu");
		return this.#alone(async () => this.#sliceOf(await this.#run(delivery, signal), answered));
	}

	async snapshot(): Promise<Uint8Array> {
		assert(
			this.#started && !this.#over && !this.#busy,
			"a snapshot is taken between two slices of a program that waits",
		);
		const image = await this.#alone(() => this.#asked(this.#seat.snapshot()));
		const counts = {
			cpuMs: this.#cpuMs,
			consoleBytes: this.#consoleBytes,
			asked: this.#callsAsked,
			open: [...this.#openCalls],
		};
		const bytes = encodeSnapshot({ ...image, ...counts }, this.#program);
		const { snapshotBytesMax } = this.#program.limits;
		if (bytes.length < snapshotBytesMax) return bytes;
		throw refused(
			`it has ${bytes.length} bytes, and the limit is ${snapshotBytesMax}`,
			"The program is replayed instead.",
		);
	}

	/** A slice that still runs goes on to its end or its limits, and nobody hears of it. */
	dispose(): void {
		this.#over = true;
		if (!this.#busy) this.#seat.release();
	}

	async #alone<T>(work: () => Promise<T>): Promise<T> {
		this.#busy = true;
		try {
			return await work();
		} finally {
			this.#busy = false;
			if (this.#over) this.#seat.release();
		}
	}

	/** A seat that fails has lost its guest. */
	async #asked<T>(work: Promise<T>): Promise<T> {
		try {
			return await work;
		} catch (error) {
			this.#over = true;
			throw error;
		}
	}

	#run(delivery: Delivery, signal: AbortSignal | undefined): Promise<SliceEnd> {
		const program = this.#program;
		const { limits } = program;
		const isFirst = !this.#started;
		const order = {
			isFirst,
			message: isFirst ? startMessage(program) : deliveryMessage(delivery.answers, limits),
			clockMs: isFirst ? program.clockMs : delivery.clockMs,
			cpuMs: limits.cpuMs - this.#cpuMs,
			sliceMs: limits.sliceMs,
			memoryBytesMax: limits.memoryBytesMax,
			signal,
		};
		return this.#asked(this.#seat.run(order));
	}

	#sliceOf(end: SliceEnd, answered: ReadonlySet<number>): Slice {
		if ("gone" in end) return this.#stopped(end.gone);
		this.#started = true;
		// Only open calls are answered: a guest that knows one of them not has broken.
		if (end.unknownCall !== 0) return this.#stopped("fault");
		for (const n of answered) this.#openCalls.delete(n);
		this.#cpuMs += end.cpuMs;
		const outbox = this.#read(end);
		if (outbox.state.kind !== "open") this.#over = true;
		this.#callsAsked += outbox.asks.length;
		for (const { n } of outbox.asks) this.#openCalls.add(n);
		return { ...outbox, console: this.#keptOf(outbox.console), cpuMs: end.cpuMs };
	}

	#read(end: WholeSlice): Outbox {
		try {
			if (end.stop) return stoppedOutbox(end.stop, end.outbox, this.#program.limits);
			const facts = { asked: this.#callsAsked, open: this.#openCalls.size, lines: this.#lines };
			return readOutbox(end.outbox, this.#program, facts);
		} catch (error) {
			const message = error instanceof Error ? error.message : String(error);
			return { asks: [], console: "", state: { kind: "stopped", limit: "fault", message } };
		}
	}

	/** Console text up to the limit in bytes, then one note: the guest counts characters, which is enough to stop itself. */
	#keptOf(text: string): string {
		const left = this.#program.limits.consoleBytesMax - this.#consoleBytes;
		if (text === "" || left < 0) return "";
		const bytes = Buffer.from(text);
		this.#consoleBytes += bytes.length;
		const isNoted = text.endsWith(cutNote) && bytes.length <= left + cutNote.length;
		if (bytes.length <= left || isNoted) return text;
		// Streaming leaves out a character that was cut in two.
		return `${new TextDecoder().decode(bytes.subarray(0, left), { stream: true })}${cutNote}`;
	}

	#stopped(limit: ProgramStop, message: string = stopMessages[limit]): Slice {
		this.#over = true;
		if (!this.#busy) this.#seat.release();
		return { asks: [], console: "", cpuMs: 0, state: { kind: "stopped", limit, message } };
	}
}

function refused(reason: string, hint?: string): HoldpointError {
	return new HoldpointError("snapshot.refused", `The snapshot was refused: ${reason}`, {
		details: { reason },
		...(hint ? { hint } : {}),
	});
}
