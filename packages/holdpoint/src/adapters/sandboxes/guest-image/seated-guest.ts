/**
 * One program's guest as its caller sees it: slices in, slices out, whatever happens to the seat that it lives on.
 *
 * Invariants
 * 1. One slice at a time. Once a slice was returned, threw or was stopped, the guest is over and its memory given back.
 * 2. CPU time and console bytes are counted over the whole program, snapshots included.
 * 3. A guest that was lost by no fault of its program rejects with `sandbox.fault`; its caller replays it.
 */
import { assert } from "../../../kit/assert.ts";
import { HoldpointError, isHoldpointError } from "../../../spec/errors.ts";
import { consoleCutNote } from "../../../spec/guest.ts";
import {
	deliveryMessage,
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
const noteBytes = consoleCutNote.length + 2;

type WholeSlice = Exclude<SliceEnd, { readonly gone: ProgramStop }>;

export class SeatedGuest implements Guest {
	readonly #seat: GuestSeat;
	readonly #program: ProgramSpec;
	#started = false;
	#busy = false;
	#over = false;
	#cpuMs = 0;
	#consoleBytes = 0;
	/** Calls that this object saw asked and not answered; those of before a snapshot are not among them. */
	readonly #openCalls = new Set<number>();

	constructor(seat: GuestSeat, program: ProgramSpec) {
		this.#seat = seat;
		this.#program = program;
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
		const { size } = new Set(delivery.answers.map((answer) => answer.n));
		assert(size === delivery.answers.length, "a delivery answers each call once");
		if (signal?.aborted) return this.#stopped("cancelled");
		const { limits } = this.#program;
		if (!this.#started && Buffer.byteLength(this.#program.source) >= limits.sourceBytesMax) {
			return this.#stopped("value", `The program's text has ${limits.sourceBytesMax} bytes or more`);
		}
		if (this.#cpuMs >= limits.cpuMs) return this.#stopped("cpu");
		return this.#alone(async () => this.#sliceOf(await this.#run(delivery, signal), delivery));
	}

	async snapshot(): Promise<Uint8Array> {
		assert(
			this.#started && !this.#over && !this.#busy,
			"a snapshot is taken between two slices of a program that waits",
		);
		const image = await this.#alone(() => this.#asked(this.#seat.snapshot()));
		const used = { cpuMs: this.#cpuMs, consoleBytes: this.#consoleBytes };
		const bytes = encodeSnapshot({ ...image, ...used }, this.#program);
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

	#sliceOf(end: SliceEnd, { answers }: Delivery): Slice {
		if ("gone" in end) return this.#stopped(end.gone);
		this.#started = true;
		if (end.unknownCall !== 0) return this.#withUnknownCall(end, answers);
		for (const { n } of answers) this.#openCalls.delete(n);
		this.#cpuMs += end.cpuMs;
		const outbox = this.#read(end);
		if (outbox.state.kind !== "open") this.#over = true;
		for (const { n } of outbox.asks) this.#openCalls.add(n);
		return { ...outbox, console: this.#keptOf(outbox.console), cpuMs: end.cpuMs };
	}

	/** The caller's mistake, where it can be: a guest may say so of what is open, or was never answered. */
	#withUnknownCall({ unknownCall, stop }: WholeSlice, answers: Delivery["answers"]): Slice {
		const isAnswered = stop === undefined && answers.some(({ n }) => n === unknownCall);
		assert(!isAnswered || this.#openCalls.has(unknownCall), `call ${unknownCall} is open when it is answered`);
		return this.#stopped("fault");
	}

	#read(end: WholeSlice): Outbox {
		try {
			return end.stop ? stoppedOutbox(end.stop, end.outbox) : readOutbox(end.outbox, this.#program);
		} catch (error) {
			const message = error instanceof Error ? error.message : String(error);
			return { asks: [], console: "", state: { kind: "stopped", limit: "fault", message } };
		}
	}

	/** Console text up to the limit in bytes: the guest counts characters, and only roughly enough to stop itself. */
	#keptOf(text: string): string {
		if (text === "") return text;
		const left = Math.max(0, this.#program.limits.consoleBytesMax - this.#consoleBytes);
		const bytes = Buffer.from(text);
		this.#consoleBytes += bytes.length;
		if (bytes.length <= left + noteBytes) return text;
		// Streaming leaves out a character that was cut in two.
		return left === 0
			? ""
			: `${new TextDecoder().decode(bytes.subarray(0, left), { stream: true })}\n${consoleCutNote}\n`;
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
