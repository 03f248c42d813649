import { HoldpointError } from "../../../spec/errors.ts";
import { guestDigest } from "../guest-image/guest-digest.ts";
import { MicrovmdClient, type MicrovmdLost } from "./microvmd-client.ts";
import type { BinaryPaths } from "./private-binaries.ts";

/** How long a process may take to notice a deadline, or that it is to stop, by itself. */
const graceMs = 500;
/** A timer that is set later than this fires at once. */
const timerMaxMs = 2 ** 31 - 1;

/**
 * One virtual machine in its process, with the deadlines that the process cannot ignore. The process of this library
 * stays alive for it only while something is asked of it.
 */
export class Machine {
	readonly memoryMiB: number;
	/** On whose behalf it ran. Once set it never changes: no machine ever serves another principal. */
	principal: string | undefined;
	programs = 0;
	#isOverdue = false;
	#isClosed = false;
	#timer: NodeJS.Timeout | undefined;
	readonly #client: MicrovmdClient;

	private constructor(client: MicrovmdClient, memoryMiB: number) {
		this.#client = client;
		this.memoryMiB = memoryMiB;
	}

	/** Errors: an Error that says why there is no machine, or not the right one. */
	static async boot(binaries: BinaryPaths, memoryMiB: number): Promise<Machine> {
		const booting = MicrovmdClient.spawn({ executable: binaries.microvmd, guest: binaries.guest, memoryMiB });
		const client = await booting;
		if (client.hello.guestDigest === guestDigest) {
			client.keepsAlive = false;
			return new Machine(client, memoryMiB);
		}
		client.kill();
		throw new Error(`its guest is ${client.hello.guestDigest}, this version of Holdpoint needs ${guestDigest}`);
	}

	get isolation(): MicrovmdClient["hello"]["isolation"] {
		return this.#client.hello.isolation;
	}

	get pid(): number | undefined {
		return this.#client.pid;
	}

	get lost(): MicrovmdLost | undefined {
		return this.#client.lost;
	}

	/** Whether it was ended because it ignored its deadline. */
	get isOverdue(): boolean {
		return this.#isOverdue;
	}

	/** Settles when the process is gone. */
	get gone(): Promise<void> {
		return this.#client.gone;
	}

	/** Asks one thing of it. Errors: those of the client; `MicrovmdLost` also where it takes longer than that time. */
	async ask<T>(work: (client: MicrovmdClient) => Promise<T>, timeMs: number): Promise<T> {
		this.#client.keepsAlive = true;
		this.#watch(timeMs + graceMs);
		try {
			return await work(this.#client);
		} finally {
			clearTimeout(this.#timer);
			this.#client.keepsAlive = false;
		}
	}

	/** Ends the slice that runs; the whole machine where it does not end. */
	cancel(): void {
		this.#client.cancel();
		this.#watch(graceMs);
	}

	end(): Promise<void> {
		this.#client.kill();
		return this.#client.gone;
	}

	/** For good: with the sandbox. */
	async close(): Promise<void> {
		this.#isClosed = true;
		await this.end();
	}

	/** What the loss of this machine is to a guest that it takes along. */
	lossError(cause: unknown): HoldpointError {
		if (this.#isClosed) return closedError();
		const reason = cause instanceof Error ? cause.message : String(cause);
		return new HoldpointError("sandbox.fault", `The virtual machine of this program was ended: ${reason}`, { cause });
	}

	#watch(timeMs: number): void {
		clearTimeout(this.#timer);
		const overdue = () => {
			this.#isOverdue = true;
			this.#client.kill();
		};
		// This thread may have been the one that was late: what has come meanwhile is read first.
		const afterInput = () => {
			this.#timer = setTimeout(overdue, 1);
		};
		this.#timer = setTimeout(afterInput, Math.min(timerMaxMs, timeMs));
	}
}

export function closedError(): HoldpointError {
	return new HoldpointError("sandbox.unavailable", "The sandbox was closed", { hint: "Create a new one." });
}
