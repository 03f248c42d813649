/**
 * One program's guest as its caller sees it: slices in, slices out, whatever happens to the thread it lives on.
 *
 * Invariants
 * 1. One slice at a time. Once a slice was returned, threw or was stopped, the guest is over and its memory given back.
 * 2. CPU time and console bytes are counted over the whole program, snapshots included.
 * 3. A guest whose worker was ended by another program rejects with `sandbox.fault`; its caller replays it.
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
import { decodeSnapshot, encodeSnapshot } from "./snapshot-header.ts";
import type { WorkerLane } from "./worker-lane.ts";
import type { WorkerReply } from "./worker-messages.ts";
import type { WorkerPool, WorkResult } from "./worker-pool.ts";

/** Time for what the worker does on its own: taking a snapshot, restoring one, cleaning up. */
const choreMs = 30_000;
/** A guest may be this much larger than its program's memory: the engine, the base image, what lies unused between. */
const overheadBytes = 8 * 1_048_576;
const noteBytes = consoleCutNote.length + 2;

type SliceReply = Extract<WorkerReply, { kind: "slice" }>;

let guests = 0;

export class WasmGuest implements Guest {
	readonly #pool: WorkerPool;
	readonly #program: ProgramSpec;
	readonly #number: number = ++guests;
	#lane: WorkerLane | undefined;
	/** Whether the worker keeps memory for it. */
	#held = false;
	#busy = false;
	#over = false;
	#cpuMs = 0;
	#consoleBytes = 0;

	constructor(pool: WorkerPool, program: ProgramSpec) {
		this.#pool = pool;
		this.#program = program;
	}

	/** Makes it the guest that the snapshot holds. Errors: `snapshot.refused`, `sandbox.unavailable`. */
	async restore(snapshot: Uint8Array): Promise<void> {
		try {
			const memoryBytesMax = this.#program.limits.memoryBytesMax + overheadBytes;
			const image = decodeSnapshot(snapshot, this.#program, memoryBytesMax);
			const request = { op: "restore", guest: this.#number, ...image } as const;
			const result = await this.#pool.run({ request, timeMs: choreMs });
			this.#replyOf(result);
			this.#held = true;
			this.#cpuMs = image.cpuMs;
			this.#consoleBytes = image.consoleBytes;
		} catch (error) {
			this.#over = true;
			this.#giveBack();
			if (isHoldpointError(error)) throw error;
			throw refused(error instanceof Error ? error.message : String(error));
		}
	}

	async advance(delivery: Delivery, signal?: AbortSignal): Promise<Slice> {
		assert(!this.#over && !this.#busy, "a guest runs one slice at a time, and none after its last");
		assert(this.#lane || delivery.answers.length === 0, "the first slice of a program has no answers");
		const { size } = new Set(delivery.answers.map((answer) => answer.n));
		assert(size === delivery.answers.length, "a delivery answers each call once");
		if (signal?.aborted) return this.#stopped("cancelled");
		const { limits } = this.#program;
		if (!this.#lane && Buffer.byteLength(this.#program.source) >= limits.sourceBytesMax) {
			return this.#stopped("value", `The program's text has ${limits.sourceBytesMax} bytes or more`);
		}
		if (this.#cpuMs >= limits.cpuMs) return this.#stopped("cpu");
		this.#busy = true;
		try {
			return this.#sliceOf(await this.#run(delivery, signal), signal);
		} finally {
			this.#busy = false;
			if (this.#over) this.#giveBack();
		}
	}

	async snapshot(): Promise<Uint8Array> {
		assert(this.#lane && !this.#over && !this.#busy, "a snapshot is taken between two slices of a program that waits");
		this.#busy = true;
		try {
			const request = { op: "snapshot", guest: this.#number } as const;
			const reply = this.#replyOf(await this.#pool.run({ request, timeMs: choreMs }, this.#lane));
			assert(reply.kind === "image", "a guest that waits has an image");
			const used = { cpuMs: this.#cpuMs, consoleBytes: this.#consoleBytes };
			const bytes = encodeSnapshot({ ...reply, ...used }, this.#program);
			const { snapshotBytesMax } = this.#program.limits;
			if (bytes.length < snapshotBytesMax) return bytes;
			throw refused(
				`it has ${bytes.length} bytes, and the limit is ${snapshotBytesMax}`,
				"The program is replayed instead.",
			);
		} finally {
			this.#busy = false;
			if (this.#over) this.#giveBack();
		}
	}

	/** A slice that still runs goes on to its end or its limits, and nobody hears of it. */
	dispose(): void {
		this.#over = true;
		if (!this.#busy) this.#giveBack();
	}

	#run(delivery: Delivery, signal: AbortSignal | undefined): Promise<WorkResult> {
		const program = this.#program;
		const { limits } = program;
		const first = !this.#lane;
		const budget = {
			clockMs: first ? program.clockMs : delivery.clockMs,
			cpuMs: limits.cpuMs - this.#cpuMs,
			sliceMs: limits.sliceMs,
			memoryBytesMax: limits.memoryBytesMax,
		};
		const body = first ? startMessage(program) : deliveryMessage(delivery.answers, limits);
		const request = { op: first ? "start" : "deliver", guest: this.#number, body, ...budget } as const;
		return this.#pool.run({ request, timeMs: limits.sliceMs, signal }, this.#lane);
	}

	#sliceOf(result: WorkResult, signal: AbortSignal | undefined): Slice {
		if (result.kind === "cancelled") return this.#stopped("cancelled");
		if (result.kind === "lost" && result.running && result.lane.lost !== "closed") {
			// The worker ignored its deadline, or the program broke it.
			if (signal?.aborted) return this.#stopped("cancelled");
			return this.#stopped(result.lane.lost === "overdue" ? "slice" : "fault");
		}
		const reply = this.#replyOf(result);
		assert(reply.kind === "slice", "a slice is answered by what it left");
		this.#held = reply.kept;
		assert(reply.unknownCall === 0, `call ${reply.unknownCall} is open when it is answered`);
		this.#cpuMs += reply.cpuMs;
		const outbox = this.#read(reply);
		if (outbox.state.kind !== "open") this.#over = true;
		return { ...outbox, console: this.#keptOf(outbox.console), cpuMs: reply.cpuMs };
	}

	#read(reply: SliceReply): Outbox {
		try {
			return reply.stop ? stoppedOutbox(reply.stop, reply.outbox) : readOutbox(reply.outbox, this.#program);
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
		if (!this.#busy) this.#giveBack();
		return { asks: [], console: "", cpuMs: 0, state: { kind: "stopped", limit, message } };
	}

	#replyOf(result: WorkResult): WorkerReply {
		if (result.kind === "reply") {
			this.#lane = result.lane;
			if (result.reply.kind !== "refused") return result.reply;
			throw new Error(result.reply.reason);
		}
		this.#over = true;
		const why = result.kind === "lost" ? result.lane.lost : "cancelled";
		const message = `The worker thread of this program was ended (${why})`;
		throw new HoldpointError(why === "closed" ? "sandbox.unavailable" : "sandbox.fault", message, {
			cause: result.kind === "lost" ? result.lane.lossCause : undefined,
		});
	}

	#giveBack(): void {
		const lane = this.#lane;
		if (!lane) return;
		lane.guests.delete(this.#number);
		if (!this.#held || lane.lost) return;
		this.#held = false;
		const request = { op: "release", guest: this.#number } as const;
		// Fails only where the sandbox was closed, which released everything.
		this.#pool.run({ request, timeMs: choreMs }, lane).catch(() => undefined);
	}
}

function refused(reason: string, hint?: string): HoldpointError {
	return new HoldpointError("snapshot.refused", `The snapshot was refused: ${reason}`, {
		details: { reason },
		...(hint ? { hint } : {}),
	});
}
