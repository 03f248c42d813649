/**
 * One worker thread as the host sees it: takes one request at a time and settles it, whatever becomes of the thread.
 *
 * Owns: the thread's life, the host's half of the channel, the deadline that the worker cannot ignore.
 * Does not own: what is sent next and to which lane (worker-pool.ts).
 *
 * Invariants
 * 1. The host's thread never blocks: it polls between the turns of its event loop, then waits for a message.
 * 2. A request that outlives its time ends the thread. `lost` says why, and every guest of the lane is gone then.
 * 3. The process is kept alive by a lane only while a request is in flight.
 */
import { Worker } from "node:worker_threads";
import { guestDigest } from "../guest-image/guest-digest.ts";
import { askForWake, channelBytes, control, controlWords, Slot, takeWake } from "./channel.ts";
import {
	readReply,
	type WorkerData,
	type WorkerGreeting,
	type WorkerReply,
	type WorkerRequest,
	writeRequest,
} from "./worker-messages.ts";

const pollMs = 0.15;
/** How long a worker may take to notice a deadline by itself. */
const graceMs = 500;
const bootMs = 30_000;
/** A timer that is set later than this fires at once. */
const timerMaxMs = 2 ** 31 - 1;

/** Why a lane ended before it replied. */
export type LaneLoss = "overdue" | "crashed" | "closed";

interface Flight {
	readonly settle: (reply: WorkerReply | undefined) => void;
	readonly pollUntil: number;
	timer: NodeJS.Timeout | undefined;
	overdueAt: number;
}

export class WorkerLane {
	/** Settles once the worker serves. Rejects where it cannot. */
	readonly ready: Promise<void>;
	/** Numbers of the guests that live here. */
	readonly guests: Set<number> = new Set();
	readonly #worker: Worker;
	readonly #words: Int32Array<SharedArrayBuffer>;
	readonly #requests: Slot;
	readonly #replies: Slot;
	readonly #onLost: (lane: WorkerLane) => void;
	#replied = 0;
	/** A body that did not fit the slot; it may come before or after its reply was noticed. */
	#large: Buffer | undefined;
	#flight: Flight | undefined;
	#loss: LaneLoss | undefined;
	#lossCause: unknown;
	#isReady = false;

	constructor(warm: number, onLost: (lane: WorkerLane) => void) {
		const channel = new SharedArrayBuffer(channelBytes);
		this.#onLost = onLost;
		this.#words = controlWords(channel);
		this.#requests = new Slot(channel, "request");
		this.#replies = new Slot(channel, "reply");
		this.#worker = new Worker(workerUrl(), {
			name: "holdpoint-wasm",
			workerData: { channel, guestDigest, warm } satisfies WorkerData,
			env: {},
			execArgv: [],
		});
		this.ready = this.#boot();
	}

	get lost(): LaneLoss | undefined {
		return this.#loss;
	}

	/** What the thread died of, where it crashed. */
	get lossCause(): unknown {
		return this.#lossCause;
	}

	/** Whether the worker ever served. */
	get booted(): boolean {
		return this.#isReady;
	}

	get idle(): boolean {
		return this.#isReady && this.#flight === undefined && this.#loss === undefined;
	}

	/** Sends one request to an idle lane. Undefined where the lane was lost meanwhile. */
	run(request: WorkerRequest, timeMs: number): Promise<WorkerReply | undefined> {
		const { promise, resolve } = Promise.withResolvers<WorkerReply | undefined>();
		const now = performance.now();
		this.#flight = { settle: resolve, pollUntil: now + pollMs, timer: undefined, overdueAt: now + timeMs + graceMs };
		Atomics.store(this.#words, control.cancel, 0);
		const large = writeRequest(this.#requests, request);
		if (large) this.#worker.postMessage(large, [large.buffer]);
		Atomics.add(this.#words, control.request, 1);
		if (Atomics.load(this.#words, control.workerAsleep) === 1) Atomics.notify(this.#words, control.request);
		setImmediate(this.#poll);
		return promise;
	}

	/** Asks the running slice to stop; ends the thread where it does not. */
	cancel(): void {
		if (!this.#flight) return;
		Atomics.store(this.#words, control.cancel, 1);
		this.#flight.overdueAt = Math.min(this.#flight.overdueAt, performance.now() + graceMs);
		if (this.#flight.timer) this.#watch(this.#flight);
	}

	async close(): Promise<void> {
		this.#lose("closed");
		await this.#worker.terminate();
	}

	async #boot(): Promise<void> {
		const { promise, resolve, reject } = Promise.withResolvers<void>();
		const timer = setTimeout(() => reject(new Error(`The worker did not start within ${bootMs} ms`)), bootMs);
		this.#worker.once("message", (greeting: WorkerGreeting) => {
			if (greeting.ready) resolve();
			else reject(new Error(greeting.reason));
		});
		this.#worker.on("error", (error) => {
			reject(error);
			this.#lossCause = error;
			this.#lose("crashed");
		});
		this.#worker.on("exit", (code) => {
			reject(new Error(`The worker ended with code ${code}`));
			this.#lose("crashed");
		});
		try {
			await promise;
			this.#isReady = true;
			this.#worker.on("message", this.#onMessage);
			this.#worker.unref();
		} catch (error) {
			this.#lossCause = error;
			this.#lose("crashed");
			throw error;
		} finally {
			clearTimeout(timer);
		}
	}

	readonly #poll = (): void => {
		const flight = this.#flight;
		if (!flight) return;
		if (this.#hasReply()) return this.#finish();
		if (performance.now() < flight.pollUntil) return void setImmediate(this.#poll);
		this.#worker.ref();
		this.#watch(flight);
		const request = Atomics.load(this.#words, control.request);
		askForWake(this.#words, request);
		// It may have replied in between.
		if (this.#hasReply() && takeWake(this.#words, request)) this.#finish();
	};

	/** A body that did not fit the slot, or the wake that was asked for. */
	readonly #onMessage = (body: Uint8Array<ArrayBuffer> | null): void => {
		if (body) this.#large = Buffer.from(body.buffer);
		if (this.#flight && this.#hasReply()) this.#finish();
	};

	#hasReply(): boolean {
		return Atomics.load(this.#words, control.reply) !== this.#replied;
	}

	#finish(): void {
		const body = this.#replies.body() ?? this.#large;
		if (!body) return this.#worker.ref();
		this.#large = undefined;
		this.#replied = Atomics.load(this.#words, control.reply);
		this.#settle(readReply(this.#replies, body));
	}

	#settle(reply: WorkerReply | undefined): void {
		const flight = this.#flight;
		if (!flight) return;
		this.#flight = undefined;
		clearTimeout(flight.timer);
		this.#worker.unref();
		flight.settle(reply);
	}

	#watch(flight: Flight): void {
		clearTimeout(flight.timer);
		const overdue = () => {
			// This thread may have been the one that was late.
			if (this.#hasReply()) this.#finish();
			else this.#lose("overdue");
		};
		flight.timer = setTimeout(overdue, Math.min(timerMaxMs, Math.max(0, flight.overdueAt - performance.now())));
	}

	#lose(loss: LaneLoss): void {
		if (this.#loss) return;
		this.#loss = loss;
		void this.#worker.terminate();
		this.#settle(undefined);
		this.#onLost(this);
	}
}

/** The sources run as they are; a bundle has the worker beside its main file. */
function workerUrl(): URL {
	return new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./wasm-worker.js", import.meta.url);
}
