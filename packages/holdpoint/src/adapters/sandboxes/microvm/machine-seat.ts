/**
 * A guest's place in a virtual machine: which one it is in, or what it was when it was moved out of the last.
 *
 * Invariants
 * 1. A guest holds its machine from its first slice to its end, except where it rested and another one needed it.
 * 2. Whatever the machine dies of while the program runs is the program's fault, unless somebody killed the process. Where
 *    two machines in a row are killed under a program that begins, it is the program's fault too: the kernel that needs
 *    memory takes whoever takes most, and would be given the same to do again and again.
 */
import { HoldpointError, isHoldpointError } from "../../../spec/errors.ts";
import type { ProgramLimits } from "../../../spec/limits.ts";
import type { ProgramStop } from "../../../spec/sandbox.ts";
import type { GuestSeat, SliceEnd, SliceOrder } from "../guest-image/guest-seat.ts";
import { packPages, unpackPages } from "../guest-image/page-delta.ts";
import { overheadBytes } from "../guest-image/seated-guest.ts";
import type { GuestImage } from "../guest-image/snapshot-header.ts";
import type { Machine } from "./machine.ts";
import type { MachineNeed, MachinePool, Resting } from "./machine-pool.ts";
import {
	type MicrovmBudget,
	MicrovmdLost,
	type MicrovmSlice,
	type MicrovmStop,
	messageBytesMax,
} from "./microvmd-client.ts";

/** Time for what is no slice: taking a snapshot, restoring one, cleaning up. */
const choreMs = 30_000;
/** The longest slice, and the most CPU time, of native/protocol.h. */
const budgetMsMax = 3_600_000;
const mebibyte = 1_048_576;
const memoryMiBMax = 2_048;
/** How many machines may turn out to be dead before one is found that takes a guest in. */
const triesMax = 8;
/** Enough for a program with the default limits. */
export const memoryMiBUsual = 80;

export class MachineSeat implements GuestSeat, Resting {
	readonly #pool: MachinePool;
	readonly #need: MachineNeed;
	readonly #imageBytesMax: number;
	#machine: Machine | undefined;
	/** The guest, where it was moved out. */
	#image: GuestImage | undefined;
	#moving: Promise<void> | undefined;
	/** Why its guest is gone, where that came between two slices. */
	#loss: HoldpointError | undefined;

	constructor(pool: MachinePool, limits: ProgramLimits, principal: string | undefined) {
		const mebibytes = Math.ceil((limits.memoryBytesMax + overheadBytes) / mebibyte);
		this.#pool = pool;
		this.#imageBytesMax = limits.snapshotBytesMax;
		this.#need = {
			principal,
			memoryMiB: Math.min(memoryMiBMax, Math.max(memoryMiBUsual, mebibytes)),
		};
	}

	async run(order: SliceOrder): Promise<SliceEnd> {
		const message = Buffer.from(order.message);
		if (message.length > messageBytesMax) return { gone: "value" };
		return order.isFirst ? this.#begin(order, message) : this.#run(order, message);
	}

	/** A program whose machine was killed before it asked for anything begins once more, in one that is seen to live. */
	async #begin(order: SliceOrder, message: Uint8Array): Promise<SliceEnd> {
		try {
			return await this.#run(order, message);
		} catch (error) {
			if (!isLost(error)) throw error;
		}
		await this.#settleIn(undefined, order.signal);
		try {
			return await this.#run(order, message);
		} catch (error) {
			if (!isLost(error)) throw error;
			return { gone: "fault" };
		}
	}

	async #run(order: SliceOrder, message: Uint8Array): Promise<SliceEnd> {
		const machine = await this.#enter(order.signal);
		// The signal may have come just as the machine did; whoever gives the guest back gives that back too.
		if (!machine || order.signal?.aborted) return { gone: "cancelled" };
		const cancel = () => machine.cancel();
		order.signal?.addEventListener("abort", cancel, { once: true });
		try {
			return this.#keep(machine, await slice(machine, order, message));
		} catch (error) {
			this.#machine = undefined;
			return { gone: this.#faultOf(error, machine, order.signal) };
		} finally {
			order.signal?.removeEventListener("abort", cancel);
		}
	}

	async snapshot(): Promise<GuestImage> {
		while (this.#moving) await this.#moving;
		if (this.#loss) throw this.#loss;
		if (this.#image) return this.#image;
		const machine = await this.#enter(undefined);
		if (!machine) throw new Error("a snapshot is not cancelled");
		try {
			return await this.#imageOf(machine);
		} catch (error) {
			throw this.#lose(error, machine);
		} finally {
			if (this.#machine) this.#pool.rest(this);
		}
	}

	async restore(image: GuestImage): Promise<void> {
		await this.#settleIn(image, undefined);
		this.#pool.rest(this);
	}

	async moveOut(): Promise<void> {
		this.#moving = this.#leave();
		await this.#moving;
		this.#moving = undefined;
	}

	release(): void {
		this.#forgetImage();
		if (this.#moving) return void this.#moving.then(() => this.release());
		this.#pool.wake(this);
		const machine = this.#machine;
		this.#machine = undefined;
		if (machine && !machine.lost)
			this.#pool.give(
				machine,
				machine.ask((client) => client.reset(), choreMs),
			);
	}

	async #leave(): Promise<void> {
		const machine = this.#machine;
		if (!machine) return;
		try {
			this.#keepImage(await this.#imageOf(machine));
			this.#pool.give(machine);
		} catch (error) {
			this.#loss = machine.lossError(error);
			if (!machine.lost) void machine.end();
		} finally {
			this.#machine = undefined;
		}
	}

	/** The guest's machine, at rest no longer. Undefined where the signal came first. */
	async #enter(signal: AbortSignal | undefined): Promise<Machine | undefined> {
		// Not a moment passes between this look and the waking below: a guest that rests may be moved at any.
		while (this.#moving) await this.#moving;
		if (this.#loss) throw this.#loss;
		const there = this.#machine;
		if (there) {
			this.#pool.wake(this);
			if (there.lost) throw this.#lose(there.lost, there);
			return there;
		}
		try {
			// Who begins looks at no machine beforehand: that one is dead is found out soon enough.
			if (this.#image) await this.#settleIn(this.#image, signal);
			else this.#machine = await this.#take(signal);
		} catch (error) {
			throw isHoldpointError(error) ? error : movedError(error);
		}
		return this.#machine;
	}

	/** A guest in a machine that is larger than it needs may say that it fills that; the next may be smaller. */
	async #imageOf(machine: Machine): Promise<GuestImage> {
		const image = await imageOf(machine);
		if (image.memoryBytes <= this.#need.memoryMiB * mebibyte) return image;
		throw new Error(`its guest has ${image.memoryBytes} bytes, more than its program can use`);
	}

	async #take(signal: AbortSignal | undefined): Promise<Machine | undefined> {
		const machine = await this.#pool.take(this.#need, signal);
		if (machine) machine.programs++;
		return machine;
	}

	/** Takes a machine that lives and makes its guest that of the image; without one, that is left to the first slice. */
	async #settleIn(image: GuestImage | undefined, signal: AbortSignal | undefined): Promise<void> {
		await again(async () => {
			const machine = await this.#take(signal);
			if (!machine) return;
			if (image) await this.#fill(machine, image);
			else
				await machine
					.ask((client) => client.ping(), choreMs)
					.catch((error) => Promise.reject(this.#lose(error, machine)));
			this.#machine = machine;
			this.#forgetImage();
		});
	}

	/** A guest that would take too much of this process's memory is lost: a replay costs time alone. */
	#keepImage(image: GuestImage): void {
		const { length } = image.body;
		if (length < this.#imageBytesMax && this.#pool.keepImage(length)) this.#image = image;
		else this.#loss = movedError(new Error(`its ${length} bytes are more than may be kept`));
	}

	#forgetImage(): void {
		if (this.#image) this.#pool.dropImage(this.#image.body.length);
		this.#image = undefined;
	}

	async #fill(machine: Machine, image: GuestImage): Promise<void> {
		try {
			const { memoryBytes } = image;
			const pages = await unpackPages(image);
			await machine.ask((client) => client.restore({ memoryBytes, ...pages }), choreMs);
		} catch (error) {
			if (error instanceof MicrovmdLost) throw this.#lose(error, machine);
			this.#pool.give(machine);
			throw error;
		}
	}

	/** A program that waits rests in its machine; every other one is over, and its machine cleans itself. */
	#keep(machine: Machine, { stop, unknownCall, cpuMs, outbox }: MicrovmSlice): SliceEnd {
		const text = Buffer.from(outbox.buffer, outbox.byteOffset, outbox.length).toString();
		const isOpen = unknownCall !== 0 || text === "o" || text.endsWith("\no");
		if (stop === "none" && isOpen) this.#pool.rest(this);
		else {
			this.#machine = undefined;
			this.#pool.give(machine);
		}
		return { stop: programStop(stop), unknownCall, cpuMs, outbox: text };
	}

	#faultOf(error: unknown, machine: Machine, signal: AbortSignal | undefined): ProgramStop {
		if (!(error instanceof MicrovmdLost)) throw this.#lose(error, machine);
		if (machine.isOverdue) return signal?.aborted ? "cancelled" : "slice";
		if (error.wasKilled) throw machine.lossError(error);
		return error.stop === "stack" ? "stack" : "fault";
	}

	/** A machine that refuses what it should do is not what this code takes it for: it ends too. */
	#lose(error: unknown, machine: Machine): HoldpointError {
		this.#machine = undefined;
		if (!machine.lost) void machine.end();
		return machine.lossError(error);
	}
}

function movedError(cause: unknown): HoldpointError {
	const reason = cause instanceof Error ? cause.message : String(cause);
	return new HoldpointError("sandbox.fault", `The program could not be moved to another machine: ${reason}`, { cause });
}

function isLost(error: unknown): boolean {
	return isHoldpointError(error) && error.code === "sandbox.fault";
}

/**
 * Nothing of a guest is lost with a machine that died before the guest was in it: another one is taken. Of those that
 * are there, each may turn out to be dead.
 */
async function again<T>(work: () => Promise<T>): Promise<T> {
	for (let tries = 1; ; tries++) {
		try {
			return await work();
		} catch (error) {
			if (!isLost(error) || tries >= triesMax) throw error;
		}
	}
}

function slice(machine: Machine, order: SliceOrder, message: Uint8Array): Promise<MicrovmSlice> {
	const budget: MicrovmBudget = {
		clockMs: order.clockMs,
		cpuMs: Math.min(order.cpuMs, budgetMsMax),
		sliceMs: Math.min(order.sliceMs, budgetMsMax),
		memoryBytesMax: order.memoryBytesMax,
	};
	// A machine may hold what it was moved out of or what was given up: it is made fresh in the same request.
	const resets = true;
	return machine.ask(
		(client) => (order.isFirst ? client.start(message, budget, resets) : client.deliver(message, budget)),
		budget.sliceMs,
	);
}

async function imageOf(machine: Machine): Promise<GuestImage> {
	const { memoryBytes, ...pages } = await machine.ask((client) => client.snapshot(), choreMs);
	return { memoryBytes, ...(await packPages(pages)) };
}

function programStop(stop: MicrovmStop): ProgramStop | undefined {
	return stop === "none" ? undefined : stop;
}
