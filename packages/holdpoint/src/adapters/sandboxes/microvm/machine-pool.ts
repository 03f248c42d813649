/**
 * The virtual machines of one sandbox, and what waits for them.
 *
 * Owns: when a process is started and ended, which guest gets which machine, the queue. Does not own: what is done in a
 * machine (machine-seat.ts).
 *
 * Invariants
 * 1. A machine serves one principal, ever. One that nobody has used yet may become anybody's.
 * 2. Never more than `machinesMax` processes. What finds none waits in one queue and is served strictly in its order.
 * 3. Nothing can wait for ever: every machine boots, runs a slice, is cleaned or moved out of, all of which have a
 *    deadline; or it cannot be booted, and whoever waits is served by what there is or fails; or it is idle, and is
 *    given or replaced; or the guest in it rests between two slices, and is moved out of it (its image is kept here, and
 *    put into some machine at its next slice). So a program that waits for another one, which finds all machines taken
 *    by programs that wait, is served too.
 * 4. A machine whose process died, for whatever reason, is never used again.
 */
import { HoldpointError } from "../../../spec/errors.ts";
import { closedError, type Machine } from "./machine.ts";

/** What a guest needs of its machine. */
export interface MachineNeed {
	/** Undefined for a program of this library's own, after which the machine may still become anybody's. */
	readonly principal: string | undefined;
	readonly memoryMiB: number;
}

/** A guest between two slices. */
export interface Resting {
	/** Takes the guest out of its machine and gives that back. Never rejects. */
	moveOut(): Promise<void>;
}

export interface PoolOptions {
	readonly machinesMax: number;
	/** Idle machines that are booted ahead of the programs that will want them. */
	readonly warm: number;
	/** Programs that one machine runs in its life. */
	readonly programsMax: number;
	/** Memory of a machine that is booted before anybody needs it. */
	readonly memoryMiB: number;
	/** Images of guests that were moved out. Bytes. */
	readonly movedBytesMax: number;
	readonly boot: (memoryMiB: number) => Promise<Machine>;
}

interface Waiting extends MachineNeed {
	readonly settle: (machine: Machine | undefined) => void;
	readonly fail: (error: unknown) => void;
	/** Whether a machine was booted for it after one that it had waited for did not come. */
	isRetried: boolean;
}

export class MachinePool {
	readonly #options: PoolOptions;
	readonly #machines = new Set<Machine>();
	/** The one that was used last at the end. */
	#idle: Machine[] = [];
	/** The one that has rested longest first. */
	readonly #resting = new Set<Resting>();
	readonly #waiting: Waiting[] = [];
	readonly #boots = new Set<Promise<Machine>>();
	/** Machines that are about to be free: cleaned, moved out of, ended. */
	#coming = 0;
	/** Bytes of images of guests that were moved out. */
	#movedBytes = 0;
	#closed = false;

	constructor(options: PoolOptions) {
		this.#options = options;
	}

	/** Processes that live. */
	get size(): number {
		return this.#machines.size;
	}

	/** Some machine that runs, booting the first where there is none. Errors: `sandbox.unavailable`. */
	async open(): Promise<Machine> {
		if (this.#closed) throw closedError();
		const [underWay] = this.#boots;
		// That one may have been booted for somebody else's need, or be killed together with all others.
		if (this.#machines.size === 0) await underWay?.catch(() => undefined);
		if (this.#closed) throw closedError();
		const [machine] = this.#machines;
		if (machine) return machine;
		const [next] = this.#boots;
		try {
			return await (next ?? this.#bootFor(this.#options.memoryMiB));
		} catch (cause) {
			throw unavailable(cause);
		}
	}

	/** A machine whose next program may be this one. Undefined where the signal came first. Errors: `sandbox.unavailable`. */
	async take(need: MachineNeed, signal?: AbortSignal): Promise<Machine | undefined> {
		if (this.#closed) throw closedError();
		if (signal?.aborted) return undefined;
		const { promise, resolve, reject } = Promise.withResolvers<Machine | undefined>();
		const job: Waiting = { ...need, settle: resolve, fail: reject, isRetried: false };
		this.#waiting.push(job);
		this.#serve();
		if (!signal) return promise;
		const abort = () => this.#forgetWaiting(job);
		signal.addEventListener("abort", abort, { once: true });
		try {
			return await promise;
		} finally {
			signal.removeEventListener("abort", abort);
		}
	}

	/** Takes a machine back whose program is over or was moved out. `cleaning` settles when its guest is a fresh one. */
	give(machine: Machine, cleaning?: Promise<unknown>): void {
		if (machine.lost) return;
		if (!cleaning) return this.#put(machine);
		this.#coming++;
		const arrived = () => {
			this.#coming--;
			// Somebody may have counted on it, and been passed over when its end was heard of.
			if (machine.lost) this.#serve();
			else this.#put(machine);
		};
		cleaning.then(arrived, arrived);
	}

	rest(guest: Resting): void {
		this.#resting.add(guest);
		if (this.#waiting.length > 0) this.#serve();
	}

	/** Whether it still rested. */
	wake(guest: Resting): boolean {
		return this.#resting.delete(guest);
	}

	/** Makes room for the image of a guest that is moved out. False where there is none. */
	keepImage(bytes: number): boolean {
		if (this.#movedBytes + bytes >= this.#options.movedBytesMax) return false;
		this.#movedBytes += bytes;
		return true;
	}

	dropImage(bytes: number): void {
		this.#movedBytes -= bytes;
	}

	async close(): Promise<void> {
		this.#closed = true;
		for (const job of this.#waiting.splice(0)) job.fail(closedError());
		await Promise.allSettled(this.#boots);
		await Promise.all([...this.#machines].map((machine) => machine.close()));
	}

	#put(machine: Machine): void {
		if (machine.lost || this.#closed) return;
		if (machine.programs >= this.#options.programsMax) return this.#end(machine);
		this.#idle.push(machine);
		this.#serve();
	}

	#forgetWaiting(job: Waiting): void {
		const at = this.#waiting.indexOf(job);
		if (at < 0) return;
		this.#waiting.splice(at, 1);
		job.settle(undefined);
	}

	/** Gives what is there to whoever waits, first come first served, and sees to it that more comes. */
	#serve(): void {
		if (this.#closed) return;
		for (let job = this.#waiting[0]; job; job = this.#waiting[0]) {
			const machine = this.#fitting(job);
			if (!machine) break;
			this.#waiting.shift();
			machine.principal = job.principal;
			job.settle(machine);
		}
		for (const job of this.#waiting.slice(this.#boots.size + this.#coming)) if (!this.#makeRoom(job)) break;
		this.#keepWarm();
	}

	/** The one that its principal used last, else one that nobody used. */
	#fitting(need: MachineNeed): Machine | undefined {
		const isOwn = (machine: Machine) => machine.principal === need.principal;
		const at = this.#idle.findLastIndex((machine) => isOwn(machine) && fits(machine, need));
		const fresh = () => this.#idle.findIndex((machine) => fits(machine, need));
		const found = at >= 0 ? at : fresh();
		return found < 0 ? undefined : this.#idle.splice(found, 1)[0];
	}

	/** False where all machines are at work. */
	#makeRoom(need: MachineNeed): boolean {
		if (this.#machines.size + this.#boots.size < this.#options.machinesMax) {
			void this.#bootFor(need.memoryMiB);
			return true;
		}
		const useless = this.#idle.shift();
		if (useless) {
			this.#end(useless);
			return true;
		}
		const [guest] = this.#resting;
		if (!guest) return false;
		this.#resting.delete(guest);
		this.#coming++;
		guest.moveOut().then(() => {
			this.#coming--;
			this.#serve();
		});
		return true;
	}

	#keepWarm(): void {
		const { warm, machinesMax, memoryMiB } = this.#options;
		if (this.#waiting.length > 0) return;
		const wanted = Math.min(
			warm - this.#idle.length - this.#coming - this.#boots.size,
			machinesMax - this.#machines.size - this.#boots.size,
		);
		for (let i = 0; i < wanted; i++) void this.#bootFor(memoryMiB);
	}

	/** Ends a machine; its place is free when its process is gone. */
	#end(machine: Machine): void {
		this.#coming++;
		void machine.end().then(() => {
			this.#coming--;
			this.#serve();
		});
	}

	/** Of those that wait for the same boot, the pool hears first. */
	#bootFor(memoryMiB: number): Promise<Machine> {
		const booting = this.#bootUnlessClosed(memoryMiB);
		this.#boots.add(booting);
		const arrived = (machine: Machine) => {
			this.#boots.delete(booting);
			this.#machines.add(machine);
			void machine.gone.then(() => this.#forget(machine));
			this.#put(machine);
		};
		const failed = (cause: unknown) => {
			this.#boots.delete(booting);
			this.#doWithout(cause);
		};
		booting.then(arrived, failed);
		return booting;
	}

	/**
	 * A machine could not be had. One that is of use to nobody may hold what it takes; else whoever comes first goes
	 * without, unless something is under way that will be looked at when it is there.
	 */
	#doWithout(cause: unknown): void {
		const [first] = this.#waiting;
		if (!first || this.#closed) return;
		const at = this.#idle.findIndex((machine) => !this.#waiting.some((job) => fits(machine, job)));
		const [useless] = at < 0 ? [] : this.#idle.splice(at, 1);
		if (useless) return this.#end(useless);
		const atWork = this.#machines.size - this.#idle.length - this.#resting.size;
		if (atWork > 0 || this.#boots.size > 0 || this.#coming > 0) return;
		if (!first.isRetried) {
			// That one may have been booted for somebody else, or killed with the machine that this job had before.
			first.isRetried = true;
			void this.#bootFor(first.memoryMiB);
			return;
		}
		const failed = this.#waiting.splice(0, this.#machines.size > 0 ? 1 : this.#waiting.length);
		for (const job of failed) job.fail(unavailable(cause));
		this.#serve();
	}

	async #bootUnlessClosed(memoryMiB: number): Promise<Machine> {
		const machine = await this.#options.boot(memoryMiB);
		if (!this.#closed) return machine;
		await machine.close();
		throw closedError();
	}

	#forget(machine: Machine): void {
		this.#machines.delete(machine);
		this.#idle = this.#idle.filter((each) => each !== machine);
		this.#serve();
	}
}

/** One that nobody has used yet is anybody's. */
function fits(machine: Machine, need: MachineNeed): boolean {
	const { principal } = machine;
	return machine.memoryMiB >= need.memoryMiB && (principal === undefined || principal === need.principal);
}

function unavailable(cause: unknown): HoldpointError {
	const reason = cause instanceof Error ? cause.message : String(cause);
	return new HoldpointError("sandbox.unavailable", `The microvm sandbox cannot start: ${reason}`, { cause });
}
