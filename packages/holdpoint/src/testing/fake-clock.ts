import type { Clock } from "../kit/clock.ts";

export interface FakeClockOptions {
	/** Milliseconds since 1970. Default: the start of 2030. */
	readonly startMs?: number;
	/** Sleeps up to this long are over at once and move the time on by their length. Default: 0, none. */
	readonly skipMs?: number;
}

/** A clock that stands still until a test moves it. */
export interface FakeClock extends Clock {
	/** Moves the time on, and wakes whoever's sleep is over by then, the earliest first. */
	advance(ms: number): void;
	/** How many sleep now. */
	readonly sleeping: number;
	/** Every sleep that was asked for, in order. Units: milliseconds. */
	readonly sleeps: readonly number[];
}

interface Sleeper {
	readonly until: number;
	readonly wake: () => void;
}

/** Makes a clock that a test moves. */
export function fakeClock(options: FakeClockOptions = {}): FakeClock {
	const { startMs = Date.UTC(2030, 0, 1), skipMs = 0 } = options;
	const sleepers = new Set<Sleeper>();
	const sleeps: number[] = [];
	let nowMs = startMs;

	function sleep(ms: number, signal?: AbortSignal): Promise<void> {
		sleeps.push(ms);
		if (signal?.aborted) return Promise.reject(signal.reason);
		if (ms <= skipMs) {
			nowMs += ms;
			return Promise.resolve();
		}
		return new Promise((resolve, reject) => {
			const sleeper = { until: nowMs + ms, wake };
			sleepers.add(sleeper);
			signal?.addEventListener("abort", onAbort, { once: true });
			function wake(): void {
				sleepers.delete(sleeper);
				signal?.removeEventListener("abort", onAbort);
				resolve();
			}
			function onAbort(): void {
				sleepers.delete(sleeper);
				reject(signal?.reason);
			}
		});
	}

	function advance(ms: number): void {
		if (!(ms >= 0)) throw new RangeError(`Time cannot move by ${ms} ms`);
		nowMs += ms;
		const due = [...sleepers].filter((sleeper) => sleeper.until <= nowMs).sort((a, b) => a.until - b.until);
		for (const sleeper of due) sleeper.wake();
	}

	return {
		now: () => nowMs,
		sleep,
		advance,
		get sleeping() {
			return sleepers.size;
		},
		sleeps,
	};
}
