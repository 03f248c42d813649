import type { ProgramLimits } from "./limits.ts";

/**
 * The sandbox port. A guest is a JavaScript engine with nothing but CPU, bounded memory and tool calls; it is driven
 * in slices. `advance` delivers answers, lets the guest run until nothing in it can move, and returns what it asked.
 * Between two slices the guest holds no thread and may be snapshotted. The host never calls back into a slice.
 */
export interface SandboxProvider {
	/** `wasm`, `microvm`, `hyperlight`, … Recorded in every snapshot. */
	readonly name: string;
	/** Digest of the guest build and its prelude: two hosts with the same one can restore each other's snapshots. */
	readonly guest: string;
	/** Version of the snapshot format. */
	readonly format: number;
	/**
	 * Left out: guests can be snapshotted. Otherwise what becomes of a program that may call a tool which may be held:
	 * `refuse`, or the provider that runs it instead. Where such a call was not foreseen, and the program waits for a
	 * person all the same, its guest is dropped and the program replayed later.
	 */
	readonly whenHeld?: "refuse" | SandboxProvider;
	/** Really boots a guest and evaluates `1+2`. */
	probe(): Promise<SandboxProbe>;
	/** A fresh guest with the program loaded, not yet run. */
	start(program: ProgramSpec): Promise<Guest>;
	/**
	 * The guest as it was when `snapshot()` was taken.
	 * Errors: `snapshot.refused` (other format, damaged), `sandbox.unavailable`.
	 */
	restore(snapshot: Uint8Array, program: ProgramSpec): Promise<Guest>;
	close(): Promise<void>;
}

export type Isolation = "svm" | "vmx" | "pvm" | "wasm";

export type SandboxProbe =
	| {
			readonly ok: true;
			readonly provider: string;
			readonly isolation: Isolation;
			readonly startMs: number;
			readonly guest: string;
	  }
	| { readonly ok: false; readonly provider: string; readonly reason: string; readonly hint: string };

export interface ProgramSpec {
	/** Plain JavaScript: the body of an async function (TypeScript was stripped, the last expression is returned). */
	readonly source: string;
	/** Names of the tools under `tools.<name>`. */
	readonly tools: readonly string[];
	/** Seed of `Math.random`. Shape: unsigned 32-bit integer. */
	readonly seed: number;
	/** What `Date.now()` says until the first delivery. Milliseconds since 1970. */
	readonly clockMs: number;
	readonly limits: ProgramLimits;
	/** On whose behalf, tenant included. Guests are not shared between principals without a full reset. */
	readonly principal: string;
}

export interface Guest {
	/** Answers in this order, then runs until nothing can move. The first call has no deliveries: it starts the program. */
	advance(delivery: Delivery, signal?: AbortSignal): Promise<Slice>;
	/** The state between two slices. Compressed; not authenticated (the journal does that). */
	snapshot(): Promise<Uint8Array>;
	/** Gives the guest back. Idempotent; it must not be used afterwards. */
	dispose(): void;
}

export interface Delivery {
	readonly answers: readonly Answer[];
	/** `Date.now()` from here on. Milliseconds. */
	readonly clockMs: number;
}

/** What became of one call that the guest asked. `n` is the guest's own number of that call. */
export type Answer =
	| { readonly n: number; readonly ok: string /* JSON text */; readonly edited?: boolean }
	| {
			readonly n: number;
			readonly error: { readonly name: "ToolDenied" | "ToolFailed"; readonly message: string; readonly code?: string };
	  };

/** A tool call that left the guest. */
export interface Ask {
	/** 1, 2, 3 … in the order in which the program made them. */
	readonly n: number;
	readonly tool: string;
	/** Arguments as JSON text, empty where the program gave none. Hostile: not validated. */
	readonly args: string;
	/** Line in the program's source, 1-based; 0 where unknown. */
	readonly line: number;
}

export interface Slice {
	readonly asks: readonly Ask[];
	/** Console text that came in this slice. */
	readonly console: string;
	/** CPU time of this slice. Milliseconds. */
	readonly cpuMs: number;
	readonly state: SliceState;
}

export type SliceState =
	/** Waits for answers. */
	| { readonly kind: "open" }
	/** Returned. `value` is JSON text. */
	| { readonly kind: "returned"; readonly value: string }
	/** Threw, or nothing that it awaits can ever settle. */
	| { readonly kind: "threw"; readonly error: ProgramError }
	/** Stopped by a limit, or the guest broke: not catchable by the program. The guest is gone. */
	| { readonly kind: "stopped"; readonly limit: ProgramStop; readonly message: string };

export type ProgramStop =
	| "cpu"
	| "slice"
	| "memory"
	| "calls"
	| "openCalls"
	| "value"
	| "stack"
	| "fault"
	| "cancelled";

export interface ProgramError {
	readonly name: string;
	readonly message: string;
	/** 1-based; 0 where unknown. */
	readonly line: number;
	readonly column: number;
	readonly stack?: string;
}
