/** A guest's place in a machine of Hyperlight's: it stays there between slices until somebody else needs the machine. */
import { reasonOf } from "../../../kit/reason-of.ts";
import { HoldpointError } from "../../../spec/errors.ts";
import type { GuestSeat, SliceEnd, SliceOrder } from "../guest-image/guest-seat.ts";
import type { GuestImage } from "../guest-image/snapshot-header.ts";
import type { MemorySnapshot } from "./host-api.ts";
import type { HyperlightMachine } from "./machine.ts";
import { closedError, type HyperlightPool, type Resting } from "./pool.ts";

export class HyperlightSeat implements GuestSeat, Resting {
	readonly #pool: HyperlightPool;
	readonly #memoryMiB: number;
	#machine: HyperlightMachine | undefined;
	/** The guest's memory while it has no machine; undefined before its first slice, too. */
	#kept: MemorySnapshot | undefined;
	#moving: Promise<void> | undefined;
	#loss: HoldpointError | undefined;
	#isReleased = false;

	constructor(pool: HyperlightPool, memoryMiB: number) {
		this.#pool = pool;
		this.#memoryMiB = memoryMiB;
	}

	async run(order: SliceOrder): Promise<SliceEnd> {
		const { closing } = this.#pool;
		const signal = order.signal ? AbortSignal.any([order.signal, closing]) : closing;
		const machine = await this.#enter(signal);
		if (!machine) return { gone: "cancelled" };
		const end = await machine.slice({ ...order, signal });
		if (closing.aborted) throw closedError();
		if (!("gone" in end)) this.#pool.rest(this);
		return end;
	}

	snapshot(): Promise<GuestImage> {
		return Promise.reject(unwritable());
	}

	restore(): Promise<void> {
		return Promise.reject(unwritable());
	}

	release(): void {
		this.#isReleased = true;
		this.#pool.wake(this);
		if (this.#moving) return;
		this.#forget();
		const machine = this.#machine;
		this.#machine = undefined;
		if (machine) this.#pool.give(machine);
	}

	async moveOut(): Promise<void> {
		this.#moving = this.#leave();
		await this.#moving;
		this.#moving = undefined;
		if (this.#isReleased) this.#forget();
	}

	async #leave(): Promise<void> {
		const machine = this.#machine;
		if (!machine) return;
		try {
			const kept = await machine.snapshot();
			if (this.#pool.keepMoved()) this.#kept = kept;
			else this.#loss = lost("too many other programs wait beside it");
		} catch (error) {
			this.#loss = lost(reasonOf(error));
		}
		this.#machine = undefined;
		this.#pool.give(machine);
	}

	/** The guest's machine, at rest no longer. Undefined where the signal came first. */
	async #enter(signal: AbortSignal): Promise<HyperlightMachine | undefined> {
		// Not a moment passes between this look and the waking below: a guest that rests may be moved at any.
		while (this.#moving) await this.#moving;
		if (this.#pool.closing.aborted) throw closedError();
		if (this.#loss) throw this.#loss;
		this.#pool.wake(this);
		if (this.#machine) return this.#machine;
		const machine = await this.#pool.take(this.#memoryMiB, signal);
		if (!machine) return undefined;
		try {
			await machine.reset(this.#kept);
		} catch (error) {
			this.#pool.end(machine);
			throw lost(reasonOf(error));
		}
		this.#machine = machine;
		this.#forget();
		return machine;
	}

	#forget(): void {
		if (this.#kept) this.#pool.dropMoved();
		this.#kept = undefined;
	}
}

function unwritable(): HoldpointError {
	return new HoldpointError("snapshot.refused", "Hyperlight keeps its guests in its own process", {
		hint: "The program is replayed instead.",
	});
}

function lost(reason: string): HoldpointError {
	return new HoldpointError("sandbox.fault", `A guest of Hyperlight's was lost: ${reason.slice(0, 500)}`);
}
