import type { Clock } from "../kit/clock.ts";

export interface AttemptOptions {
	readonly timeoutMs: number;
	readonly clock: Clock;
	/** The caller's own; its reason is what the attempt rejects with. */
	readonly signal: AbortSignal | undefined;
}

/** The provider took longer than one attempt may take. */
export class AttemptTimedOut extends Error {
	constructor(timeoutMs: number) {
		super(`no answer within ${timeoutMs} ms`);
		this.name = "AttemptTimedOut";
	}
}

/** Runs one attempt and settles when it does, when its time is over, or when the caller aborts: the first of them. */
export function runAttempt<T>(options: AttemptOptions, work: (attempt: Attempt) => PromiseLike<T>): Promise<T> {
	return new Promise((resolve, reject) => {
		const attempt = new Attempt(options, reject);
		work(attempt).then(
			(value) => {
				attempt.end();
				resolve(value);
			},
			(error) => {
				attempt.end();
				reject(error);
			},
		);
	});
}

/**
 * The time and the cancellation of one attempt. Neither timer nor listener is set up before the attempt has outlived
 * a turn of the event loop: a model that answers at once pays for none of them.
 */
export class Attempt {
	/** Over for whoever waits for it; work that goes on regardless must have no effect any more. */
	over = false;
	/** Called once when the attempt is stopped from outside. */
	onStop: (() => void) | undefined;
	readonly #options: AttemptOptions;
	readonly #reject: (reason: unknown) => void;
	readonly #controller = new AbortController();
	readonly #arm: NodeJS.Immediate;
	#timer: AbortController | undefined;
	#heldMs = 0;
	#heldSince: number | undefined;

	constructor(options: AttemptOptions, reject: (reason: unknown) => void) {
		this.#options = options;
		this.#reject = reject;
		this.#arm = setImmediate(() => this.#armNow());
	}

	/** For the model. */
	get signal(): AbortSignal {
		return this.#controller.signal;
	}

	/** Waits for the reader of the deltas. That time is the reader's own and not counted against the provider. */
	async hold(wait: PromiseLike<void>): Promise<void> {
		const { clock } = this.#options;
		const since = clock.now();
		this.#heldSince = since;
		try {
			await wait;
		} finally {
			this.#heldMs += clock.now() - (this.#heldSince ?? since);
			this.#heldSince = undefined;
		}
	}

	/** Tells the model that nobody wants the rest. */
	abort(reason: unknown): void {
		this.#controller.abort(reason);
	}

	end(): void {
		this.over = true;
		clearImmediate(this.#arm);
		if (this.#timer === undefined) return;
		this.#timer.abort();
		this.#options.signal?.removeEventListener("abort", this.#onAbort);
	}

	#armNow(): void {
		const { signal } = this.#options;
		if (signal?.aborted) return this.#onAbort();
		signal?.addEventListener("abort", this.#onAbort, { once: true });
		this.#timer = new AbortController();
		this.#watchTime(this.#timer.signal).catch((error: unknown) => {
			if (!this.over) this.#stop(error);
		});
	}

	async #watchTime(ended: AbortSignal): Promise<void> {
		const { clock, timeoutMs } = this.#options;
		for (let leftMs = timeoutMs; leftMs > 0; leftMs = this.#takeHeld()) await clock.sleep(leftMs, ended);
		if (!this.over) this.#stop(new AttemptTimedOut(timeoutMs));
	}

	#takeHeld(): number {
		let heldMs = this.#heldMs;
		this.#heldMs = 0;
		if (this.#heldSince !== undefined) {
			const now = this.#options.clock.now();
			heldMs += now - this.#heldSince;
			this.#heldSince = now;
		}
		return heldMs;
	}

	readonly #onAbort = (): void => this.#stop(this.#options.signal?.reason);

	#stop(reason: unknown): void {
		this.end();
		this.#reject(reason);
		this.#controller.abort(reason);
		this.onStop?.();
	}
}
