/** What is told of a segment beside its events. */
import type { Who } from "./who.ts";

export interface SegmentBegin {
	readonly epoch: number;
	readonly at: number;
	/** Epoch of the segment before that left something in the journal. */
	readonly previous: number | undefined;
}

export interface Commit {
	/** When it began. */
	readonly at: number;
	readonly end: number;
	/** What it took; finer than the times. Milliseconds. */
	readonly ms: number;
	readonly events: number;
	readonly kind: "create" | "advance" | "release";
}

/** What the journal does not have of a model that was asked. */
export interface ModelCall extends Who {
	/** As the AI SDK has it. */
	readonly provider: string;
	readonly modelId: string;
	/** When it was first asked, and when it was over. */
	readonly at: number;
	readonly end: number;
	/** How often it was asked again. */
	readonly retries: number;
	/** It did not answer. */
	readonly failed?: { readonly type: string; readonly message: string };
}

export interface SegmentEnd {
	readonly at: number;
	/** `waiting`, or how the run ended. */
	readonly status?: string;
	/** What killed the segment. */
	readonly error?: { readonly type: string; readonly message: string };
}
