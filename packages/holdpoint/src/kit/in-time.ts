import { timerMsMax } from "./clock.ts";

/** How long something may take, and what ends the wait for it before that. */
export interface Patience {
	readonly timeoutMs: number;
	readonly signal?: AbortSignal;
}

/**
 * What `work` gives, unless it takes too long or the signal comes first; what it does after that is heard by nobody.
 * Errors: those of `work`; the signal's reason; one that says that `what` did not answer.
 */
export async function inTime<T>(work: PromiseLike<T>, what: string, { timeoutMs, signal }: Patience): Promise<T> {
	const ended = Promise.withResolvers<never>();
	const onAbort = () => ended.reject(signal?.reason);
	const onLate = () => ended.reject(new Error(`${what} did not answer within ${timeoutMs} ms`));
	const timer = setTimeout(onLate, Math.min(timeoutMs, timerMsMax));
	signal?.addEventListener("abort", onAbort, { once: true });
	if (signal?.aborted) onAbort();
	try {
		return await Promise.race([work, ended.promise]);
	} finally {
		clearTimeout(timer);
		signal?.removeEventListener("abort", onAbort);
	}
}
