import { withinDeadline } from "../kit/within-deadline.ts";

/** Units: milliseconds. */
export const readingMsMax = 1_000;
/**
 * Up to here the parser needs milliseconds whatever the text says, named groups apart: names that are declared in one
 * scope cost it quadratic time, and `(?:…(?<a>x)|(?<a>y))…` in 4 KB keeps it busy for seconds.
 */
const quickChars = 8_192;

export type Read<T> = { readonly done: true; readonly value: T } | { readonly done: false };

/** The time that one program may keep this thread for being read, all attempts at it together. */
export class ReadingTime {
	#leftMs = readingMsMax;

	/** Runs a job that reads this text. A deadline costs more than reading an ordinary program, which gets none. */
	read<T>(text: string, job: () => T): Read<T> {
		if (text.length <= quickChars && !text.includes("(?<")) return { done: true, value: job() };
		const startedAt = performance.now();
		try {
			return withinDeadline(job, Math.max(1, Math.ceil(this.#leftMs)));
		} finally {
			this.#leftMs -= performance.now() - startedAt;
		}
	}
}
