/** Where a guest lives, as the program that it runs sees it: a worker thread, a virtual machine. */
import type { ProgramStop } from "../../../spec/sandbox.ts";
import type { GuestImage } from "./snapshot-header.ts";

export interface SliceOrder {
	/** A `startMessage` for the first slice, a `deliveryMessage` for every other. */
	readonly message: string;
	readonly isFirst: boolean;
	/** What `Date.now()` says during the slice. Milliseconds since 1970. */
	readonly clockMs: number;
	/** CPU time left to the program. Milliseconds. */
	readonly cpuMs: number;
	/** Wall time of this slice. Milliseconds. */
	readonly sliceMs: number;
	readonly memoryBytesMax: number;
	readonly signal: AbortSignal | undefined;
}

/** What a slice left, or why it left nothing: the guest is gone then. */
export type SliceEnd =
	| {
			readonly stop: ProgramStop | undefined;
			readonly cpuMs: number;
			/** Number of an answer that answers no open call; nothing was delivered then. */
			readonly unknownCall: number;
			readonly outbox: string;
	  }
	| { readonly gone: ProgramStop };

/**
 * One request at a time.
 * Errors: `sandbox.unavailable` where the sandbox was closed or cannot start, `sandbox.fault` where the guest was lost
 * without a fault of its program.
 */
export interface GuestSeat {
	run(order: SliceOrder): Promise<SliceEnd>;
	snapshot(): Promise<GuestImage>;
	/** Makes a fresh guest the one of the image. Errors: also an Error that says what is wrong with the image. */
	restore(image: GuestImage): Promise<void>;
	/** Idempotent. */
	release(): void;
}
