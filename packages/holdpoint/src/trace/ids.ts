/**
 * Ids of spans follow from what they are of: whoever derives a trace again gets the same ones, and a segment links to the
 * one before it without any state.
 */
import { hash } from "node:crypto";

export interface SegmentPlace {
	/** Id of the store. */
	readonly store: string;
	readonly run: string;
	/** Of the lease. */
	readonly epoch: number;
}

/** 32 hexadecimal digits. */
export function traceIdOf({ store, run, epoch }: SegmentPlace): string {
	return hash("sha256", `holdpoint trace\n${store}\n${run}\n${epoch}`, "hex").slice(0, 32);
}

/** `what`: unique in its trace. 16 hexadecimal digits. */
export function spanIdOf(traceId: string, what: string): string {
	return hash("sha256", `${traceId}\n${what}`, "hex").slice(0, 16);
}

export const rootName = "segment";
