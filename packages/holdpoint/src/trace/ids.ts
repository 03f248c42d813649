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

/** `what`: unique in its trace. 16 hexadecimal digits, never all zero. */
export function spanIdOf(traceId: string, what: string): string {
	let [one, other] = [0x9747b28c, 0x5bd1e995];
	const text = traceId + what;
	// Two 32-bit mixtures side by side: within one trace that is enough, and a tenth of what a digest costs.
	for (let at = 0; at < text.length; at++) {
		const code = text.charCodeAt(at);
		one = Math.imul(one ^ code, 0x85ebca6b);
		other = Math.imul(other ^ code, 0xc2b2ae35);
	}
	one = mixed(one, other);
	other = mixed(other, one);
	return hex(one === 0 && other === 0 ? 1 : one) + hex(other);
}

/** Every bit of both comes to bear on every bit of the first. */
function mixed(one: number, other: number): number {
	const half = Math.imul(one ^ (one >>> 16) ^ other, 0x21f0aaad);
	const whole = Math.imul(half ^ (half >>> 15), 0x735a2d97);
	return whole ^ (whole >>> 15);
}

const bytes = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** By table: a number of 32 bits is slow to turn into text, and every span has two. */
function hex(bits: number): string {
	const at = (shift: number): string => bytes[(bits >>> shift) & 255] as string;
	return at(24) + at(16) + at(8) + at(0);
}

export const rootName = "segment";
