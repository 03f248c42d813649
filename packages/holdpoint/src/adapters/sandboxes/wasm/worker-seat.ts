import { assert } from "../../../kit/assert.ts";
import { HoldpointError } from "../../../spec/errors.ts";
import type { GuestSeat, SliceEnd, SliceOrder } from "../guest-image/guest-seat.ts";
import type { GuestImage } from "../guest-image/snapshot-header.ts";
import type { WorkerLane } from "./worker-lane.ts";
import type { WorkerReply } from "./worker-messages.ts";
import type { WorkerPool, WorkResult } from "./worker-pool.ts";

/** Time for what the worker does on its own: taking a snapshot, restoring one, cleaning up. */
const choreMs = 30_000;

let guests = 0;

/** A guest's place in a worker thread. A worker that another program ended takes its guests with it. */
export class WorkerSeat implements GuestSeat {
	readonly #pool: WorkerPool;
	readonly #number: number = ++guests;
	#lane: WorkerLane | undefined;
	/** Whether the worker keeps memory for it. */
	#held = false;

	constructor(pool: WorkerPool) {
		this.#pool = pool;
	}

	async run({ isFirst, message, signal, ...budget }: SliceOrder): Promise<SliceEnd> {
		const request = { op: isFirst ? "start" : "deliver", guest: this.#number, body: message, ...budget } as const;
		const result = await this.#pool.run({ request, timeMs: budget.sliceMs, signal }, this.#lane);
		if (result.kind === "cancelled") return { gone: "cancelled" };
		if (result.kind === "lost" && result.running && result.lane.lost !== "closed") {
			// The worker ignored its deadline, or the program broke it.
			if (signal?.aborted) return { gone: "cancelled" };
			return { gone: result.lane.lost === "overdue" ? "slice" : "fault" };
		}
		const reply = this.#replyOf(result);
		assert(reply.kind === "slice", "a slice is answered by what it left");
		this.#held = reply.kept;
		return reply;
	}

	async snapshot(): Promise<GuestImage> {
		const request = { op: "snapshot", guest: this.#number } as const;
		const reply = this.#replyOf(await this.#pool.run({ request, timeMs: choreMs }, this.#lane));
		assert(reply.kind === "image", "a guest that waits has an image");
		return reply;
	}

	async restore(image: GuestImage): Promise<void> {
		const request = { op: "restore", guest: this.#number, ...image } as const;
		this.#replyOf(await this.#pool.run({ request, timeMs: choreMs }));
		this.#held = true;
	}

	release(): void {
		const lane = this.#lane;
		if (!lane) return;
		lane.guests.delete(this.#number);
		if (!this.#held || lane.lost) return;
		this.#held = false;
		const request = { op: "release", guest: this.#number } as const;
		// Fails only where the sandbox was closed, which released everything.
		this.#pool.run({ request, timeMs: choreMs }, lane).catch(() => undefined);
	}

	#replyOf(result: WorkResult): WorkerReply {
		if (result.kind === "reply") {
			this.#lane = result.lane;
			if (result.reply.kind !== "refused") return result.reply;
			throw new Error(result.reply.reason);
		}
		const why = result.kind === "lost" ? result.lane.lost : "cancelled";
		const message = `The worker thread of this program was ended (${why})`;
		throw new HoldpointError(why === "closed" ? "sandbox.unavailable" : "sandbox.fault", message, {
			cause: result.kind === "lost" ? result.lane.lossCause : undefined,
		});
	}
}
