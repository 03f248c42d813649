/**
 * The workers of one sandbox, and what waits for them.
 *
 * Owns: when a thread is started, which lane gets which work, the queues, cancelling what waits in them.
 * Does not own: what the work means (worker-seat.ts).
 *
 * Invariants
 * 1. A guest lives on one lane: its later work goes there and nowhere else.
 * 2. New guests wait in one queue for whichever lane is free first; work of guests that exist goes before them.
 */
import { HoldpointError } from "../../../spec/errors.ts";
import { WorkerLane } from "./worker-lane.ts";
import type { WorkerReply, WorkerRequest } from "./worker-messages.ts";

export interface Work {
	readonly request: WorkerRequest;
	/** How long the worker may take. Milliseconds. */
	readonly timeMs: number;
	readonly signal?: AbortSignal | undefined;
}

/** What became of some work. `lost`: the lane ended; with it all its guests. */
export type WorkResult =
	| { readonly kind: "reply"; readonly reply: WorkerReply; readonly lane: WorkerLane }
	| { readonly kind: "lost"; readonly lane: WorkerLane; readonly running: boolean }
	| { readonly kind: "cancelled" };

interface Job extends Work {
	/** Where its guest lives; undefined for a new guest. */
	readonly lane: WorkerLane | undefined;
	runsOn: WorkerLane | undefined;
	readonly settle: (result: WorkResult) => void;
	readonly fail: (error: unknown) => void;
}

export class WorkerPool {
	readonly #workersMax: number;
	readonly #warm: number;
	readonly #lanes: WorkerLane[] = [];
	#waiting: Job[] = [];
	#closed = false;

	constructor(workersMax: number, warm: number) {
		this.#workersMax = workersMax;
		this.#warm = warm;
	}

	/** Starts the first worker where there is none. Errors: `sandbox.unavailable`. */
	async open(): Promise<void> {
		this.#assertOpen();
		const lane = this.#lanes[0] ?? this.#addLane();
		try {
			await lane.ready;
		} catch (cause) {
			throw unavailable(cause);
		}
	}

	/** Runs work on the lane of its guest, or on any lane for a new guest. */
	async run(work: Work, lane?: WorkerLane): Promise<WorkResult> {
		this.#assertOpen();
		if (lane?.lost) return { kind: "lost", lane, running: false };
		const { promise, resolve, reject } = Promise.withResolvers<WorkResult>();
		const job: Job = { ...work, lane, runsOn: undefined, settle: resolve, fail: reject };
		const free = lane ?? this.#idlest();
		if (free?.idle) void this.#dispatch(free, job);
		else this.#enqueue(job);
		if (!work.signal) return promise;
		const abort = () => this.#abort(job);
		work.signal.addEventListener("abort", abort, { once: true });
		try {
			return await promise;
		} finally {
			work.signal.removeEventListener("abort", abort);
		}
	}

	async close(): Promise<void> {
		this.#closed = true;
		for (const job of this.#waiting.splice(0)) job.fail(closed());
		await Promise.all(this.#lanes.splice(0).map((lane) => lane.close()));
	}

	#assertOpen(): void {
		if (this.#closed) throw closed();
	}

	#addLane(): WorkerLane {
		const lane = new WorkerLane(this.#warm, (lost) => this.#forget(lost));
		this.#lanes.push(lane);
		lane.ready.then(
			() => this.#next(lane),
			() => undefined,
		);
		return lane;
	}

	#idlest(): WorkerLane | undefined {
		let best: WorkerLane | undefined;
		for (const lane of this.#lanes) if (lane.idle && (!best || lane.guests.size < best.guests.size)) best = lane;
		return best;
	}

	#enqueue(job: Job): void {
		this.#waiting.push(job);
		if (!job.lane && this.#lanes.length < this.#workersMax) this.#addLane();
	}

	#abort(job: Job): void {
		const at = this.#waiting.indexOf(job);
		if (at < 0) return job.runsOn?.cancel();
		this.#waiting.splice(at, 1);
		job.settle({ kind: "cancelled" });
	}

	async #dispatch(lane: WorkerLane, job: Job): Promise<void> {
		job.runsOn = lane;
		lane.guests.add(job.request.guest);
		const reply = await lane.run(job.request, job.timeMs);
		job.runsOn = undefined;
		job.settle(reply ? { kind: "reply", reply, lane } : { kind: "lost", lane, running: true });
		this.#next(lane);
	}

	/** Gives a lane its next work: that of its own guests first. */
	#next(lane: WorkerLane): void {
		if (!lane.idle || this.#waiting.length === 0) return;
		const own = this.#waiting.findIndex((job) => job.lane === lane);
		const at = own >= 0 ? own : this.#waiting.findIndex((job) => !job.lane);
		const [job] = at < 0 ? [] : this.#waiting.splice(at, 1);
		if (job) void this.#dispatch(lane, job);
	}

	/** A lane ended: what waited for its guests is lost, what waited for any lane gets a new one. */
	#forget(lane: WorkerLane): void {
		const at = this.#lanes.indexOf(lane);
		if (at >= 0) this.#lanes.splice(at, 1);
		const orphans = this.#waiting.filter((job) => job.lane === lane);
		this.#waiting = this.#waiting.filter((job) => job.lane !== lane);
		for (const job of orphans) job.settle({ kind: "lost", lane, running: false });
		if (this.#closed || this.#lanes.length > 0) return;
		if (lane.booted) {
			if (this.#waiting.length > 0) this.#addLane();
			return;
		}
		// A worker that never came up would not come up the next time either.
		for (const job of this.#waiting.splice(0)) job.fail(unavailable(lane.lossCause));
	}
}

function closed(): HoldpointError {
	return new HoldpointError("sandbox.unavailable", "The sandbox was closed", { hint: "Create a new one." });
}

function unavailable(cause: unknown): HoldpointError {
	const reason = cause instanceof Error ? cause.message : String(cause);
	return new HoldpointError("sandbox.unavailable", `The wasm sandbox cannot start: ${reason}`, { cause });
}
