/** The calls of one slice: their deadlines, the signal that ends them, and what stopped them. */
import { reasonOf } from "../../../kit/reason-of.ts";
import type { ProgramStop } from "../../../spec/sandbox.ts";
import type { SliceOrder } from "../guest-image/guest-seat.ts";
import { handlerName } from "./guest-script.ts";
import type { LoadedSandbox } from "./host-api.ts";

type Call = readonly ["start" | "deliver", string, number] | readonly ["part", string] | readonly ["drain" | "more"];

/** A kill is forgotten when the guest is not in its machine at that moment, so it is repeated. Milliseconds. */
const killAgainMs = 10;
const timeoutMsMax = 3_600_000;

/** How Hyperlight says that a promise was not settled when no job was left. Nothing that a program throws looks so. */
const noJobLeft =
	/^\[ERR_INTERNAL\] Guest error occurred GuestError: Error: Runtime error: Error\(\s*WouldBlock,?\s*\)\s*$/;
/** Codes of its guest: no memory for the engine's allocator or for another page; the end of its stack. */
const abortStops: { readonly [code: string]: ProgramStop } = { 13: "memory", 9: "stack" };

/** Ends a slice without a word of Hyperlight's. */
export class Stop extends Error {
	readonly limit: ProgramStop;
	constructor(limit: ProgramStop) {
		super(limit);
		this.limit = limit;
	}
}

export class SliceCalls {
	/** CPU time so far. Milliseconds. */
	cpuMs = 0;
	readonly #sandbox: LoadedSandbox;
	readonly #order: SliceOrder;
	readonly #endsAtMs: number;
	#killing: NodeJS.Timeout | undefined;

	constructor(sandbox: LoadedSandbox, order: SliceOrder) {
		this.#sandbox = sandbox;
		this.#order = order;
		this.#endsAtMs = performance.now() + order.sliceMs;
		order.signal?.addEventListener("abort", this.#kill);
	}

	/** Errors: `Stop`, an Error of Hyperlight's. */
	async make(call: Call): Promise<unknown> {
		const { signal, cpuMs } = this.#order;
		const wallLeftMs = this.#endsAtMs - performance.now();
		const cpuLeftMs = cpuMs - this.cpuMs;
		if (signal?.aborted) throw new Stop("cancelled");
		if (cpuLeftMs <= 0) throw new Stop("cpu");
		if (wallLeftMs <= 0) throw new Stop("slice");
		try {
			return await this.#sandbox.callHandler(handlerName, call, {
				wallClockTimeoutMs: timeoutOf(wallLeftMs),
				cpuTimeoutMs: timeoutOf(cpuLeftMs),
				gc: false,
			});
		} finally {
			this.cpuMs += this.#sandbox.lastCallStats?.cpuTimeMs ?? 0;
		}
	}

	/** Runs until nothing in the guest can move; the number of a call that is not open, and then nothing ran. 0: well. */
	async begin(call: Call): Promise<number> {
		try {
			const unknown = await this.make(call);
			if (Number.isSafeInteger(unknown) && Number(unknown) > 0) return Number(unknown);
		} catch (error) {
			if (noJobLeft.test(reasonOf(error))) return 0;
			throw error;
		}
		throw new Error("the guest settled a promise that nothing can settle");
	}

	/** What an error of these calls is to the program. */
	stopOf(error: unknown): ProgramStop {
		if (error instanceof Stop) return error.limit;
		if (this.#order.signal?.aborted) return "cancelled";
		const [, code, rest = ""] = /^\[(ERR_\w+)\] (.*)$/s.exec(reasonOf(error)) ?? [];
		if (code === "ERR_CANCELLED") return this.#sandbox.lastCallStats?.terminatedBy === "cpu-time" ? "cpu" : "slice";
		const aborted = code === "ERR_GUEST_ABORT" ? /^Guest aborted: (\d+)/.exec(rest)?.[1] : undefined;
		return (aborted && abortStops[aborted]) || "fault";
	}

	/** No call is made after it. */
	end(): void {
		clearInterval(this.#killing);
		this.#order.signal?.removeEventListener("abort", this.#kill);
	}

	readonly #kill = (): void => {
		const kill = (): void => this.#sandbox.interruptHandle.kill();
		kill();
		this.#killing = setInterval(kill, killAgainMs);
	};
}

function timeoutOf(leftMs: number): number {
	return Math.min(timeoutMsMax, Math.ceil(leftMs));
}
