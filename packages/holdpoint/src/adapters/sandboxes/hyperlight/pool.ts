/**
 * The machines of one Hyperlight sandbox, and what waits for them.
 *
 * Invariants
 * 1. Never more than `machinesMax`. What finds none waits in one queue and is served in its order.
 * 2. Nothing waits for ever: a slice has a deadline, and a guest that rests between two slices is moved out of its machine
 *    (its memory is kept here) where somebody waits for one.
 * 3. Whoever takes a machine resets it before use: it is as its last guest left it.
 */
import { reasonOf } from "../../../kit/reason-of.ts";
import { HoldpointError } from "../../../spec/errors.ts";
import { type HostApi, loadHostApi, type MemorySnapshot } from "./host-api.ts";
import { HyperlightMachine } from "./machine.ts";

/** A guest between two slices. */
export interface Resting {
	/** Gives its machine back. Never rejects. */
	moveOut(): Promise<void>;
}

interface Waiting {
	readonly memoryMiB: number;
	readonly settle: (machine: HyperlightMachine | Promise<HyperlightMachine> | undefined) => void;
}

/** Idle machines go after this long: each keeps the process alive. Milliseconds. */
const idleMs = 2_000;
/** Guests whose memory is kept outside of a machine; one beyond is replayed. */
const movedMax = 32;

export class HyperlightPool {
	readonly #load: () => Promise<HostApi>;
	readonly #machinesMax: number;
	#api: Promise<HostApi> | undefined;
	/** What machines of a size are before any program, by mebibytes: it is large, and one serves them all. */
	readonly #bases = new Map<number, MemorySnapshot>();
	/** Machines that there are, with those that boot. */
	#count = 0;
	#idle: HyperlightMachine[] = [];
	#idleTimer: NodeJS.Timeout | undefined;
	readonly #used = new Set<HyperlightMachine>();
	/** The one that has rested longest first. */
	readonly #resting = new Set<Resting>();
	readonly #waiting: Waiting[] = [];
	#leaving = 0;
	#moved = 0;
	readonly #closing = new AbortController();

	constructor(machinesMax: number, load: () => Promise<HostApi> = loadHostApi) {
		this.#machinesMax = machinesMax;
		this.#load = load;
	}

	/** Aborted when the sandbox is closed. */
	get closing(): AbortSignal {
		return this.#closing.signal;
	}

	/** Errors: `sandbox.unavailable`. What is missing now may be there at the next try. */
	open(): Promise<HostApi> {
		if (this.closing.aborted) return Promise.reject(closedError());
		this.#api ??= this.#load().catch((error: unknown) => {
			this.#api = undefined;
			throw error;
		});
		return this.#api;
	}

	/** A machine that is not reset yet; undefined where the signal came first. Errors: `sandbox.unavailable`. */
	async take(memoryMiB: number, signal: AbortSignal): Promise<HyperlightMachine | undefined> {
		if (this.closing.aborted) throw closedError();
		if (signal.aborted) return undefined;
		const { promise, resolve } = Promise.withResolvers<HyperlightMachine | undefined>();
		const waiting: Waiting = { memoryMiB, settle: resolve };
		const leave = (): void => {
			const at = this.#waiting.indexOf(waiting);
			if (at < 0) return;
			this.#waiting.splice(at, 1);
			resolve(undefined);
		};
		signal.addEventListener("abort", leave);
		this.#waiting.push(waiting);
		this.#serve();
		try {
			const machine = await promise;
			if (machine) this.#used.add(machine);
			if (!this.closing.aborted) return machine;
			if (machine) this.end(machine);
			throw closedError();
		} finally {
			signal.removeEventListener("abort", leave);
		}
	}

	give(machine: HyperlightMachine): void {
		if (!this.#used.delete(machine)) return;
		if (this.closing.aborted) return this.#drop(machine);
		this.#idle.push(machine);
		this.#serve();
		clearTimeout(this.#idleTimer);
		this.#idleTimer = setTimeout(() => this.#endIdle(), idleMs).unref();
	}

	/** For a machine that cannot be reset. */
	end(machine: HyperlightMachine): void {
		if (!this.#used.delete(machine)) return;
		this.#drop(machine);
		this.#serve();
	}

	rest(guest: Resting): void {
		this.#resting.add(guest);
		this.#makeRoom();
	}

	wake(guest: Resting): void {
		this.#resting.delete(guest);
	}

	/** False: no more may be kept. */
	keepMoved(): boolean {
		if (this.#moved >= movedMax) return false;
		this.#moved++;
		return true;
	}

	dropMoved(): void {
		this.#moved--;
	}

	async close(): Promise<void> {
		this.#closing.abort();
		clearTimeout(this.#idleTimer);
		for (const { settle } of this.#waiting.splice(0)) settle(undefined);
		const machines = [...this.#idle.splice(0), ...this.#used];
		this.#used.clear();
		this.#resting.clear();
		await Promise.all(machines.map((machine) => machine.dispose()));
	}

	#serve(): void {
		for (let first = this.#waiting[0]; first; first = this.#waiting[0]) {
			const machine = this.#find(first.memoryMiB);
			if (!machine) break;
			this.#waiting.shift();
			first.settle(machine);
		}
		this.#makeRoom();
	}

	/** One that lies idle, or a new one where there may be one more. */
	#find(memoryMiB: number): HyperlightMachine | Promise<HyperlightMachine> | undefined {
		const at = this.#idle.findLastIndex((machine) => machine.memoryMiB === memoryMiB);
		if (at >= 0) return this.#idle.splice(at, 1)[0];
		if (this.#count >= this.#machinesMax) {
			const other = this.#idle.shift();
			if (!other) return undefined;
			this.#drop(other);
		}
		this.#count++;
		return this.#boot(memoryMiB);
	}

	async #boot(memoryMiB: number): Promise<HyperlightMachine> {
		try {
			const machine = await HyperlightMachine.boot(await this.open(), memoryMiB, this.#bases.get(memoryMiB));
			this.#bases.set(memoryMiB, machine.base);
			return machine;
		} catch (cause) {
			this.#count--;
			this.#serve();
			if (cause instanceof HoldpointError) throw cause;
			const reason = reasonOf(cause).slice(0, 500);
			throw new HoldpointError("sandbox.unavailable", `Hyperlight starts no guest here: ${reason}`, {
				cause,
				hint: bootHint,
			});
		}
	}

	/** As many guests are on their way out as there are waiting for a machine. */
	#makeRoom(): void {
		for (const guest of this.#resting) {
			if (this.#leaving >= this.#waiting.length) return;
			this.#resting.delete(guest);
			this.#leaving++;
			void guest.moveOut().then(() => {
				this.#leaving--;
				this.#makeRoom();
			});
		}
	}

	#endIdle(): void {
		for (const machine of this.#idle.splice(0)) this.#drop(machine);
	}

	#drop(machine: HyperlightMachine): void {
		this.#count--;
		void machine.dispose();
	}
}

const bootHint =
	"It needs Linux on x86-64 with a /dev/kvm of AMD's or Intel's own virtualization that your user may use. A KVM inside a cloud machine that has neither (pvm) runs the micro-VM, and not Hyperlight.";

export function closedError(): HoldpointError {
	return new HoldpointError("sandbox.unavailable", "The sandbox hyperlight was closed");
}
