/** Time as a port, so that tests own it. */
export interface Clock {
	/** Milliseconds since 1970. */
	now(): number;
	/** Rejects with the signal's reason when aborted. */
	sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The longest that a timer can be set to; one that is longer would be over at once. Milliseconds. */
export const timerMsMax = 2 ** 31 - 1;

export const systemClock: Clock = {
	now: () => Date.now(),
	sleep: (ms, signal) =>
		new Promise((resolve, reject) => {
			if (signal?.aborted) return reject(signal.reason);
			const onAbort = () => {
				clearTimeout(timer);
				reject(signal?.reason);
			};
			const timer = setTimeout(
				() => {
					signal?.removeEventListener("abort", onAbort);
					resolve();
				},
				Math.min(ms, timerMsMax),
			);
			signal?.addEventListener("abort", onAbort, { once: true });
		}),
};
