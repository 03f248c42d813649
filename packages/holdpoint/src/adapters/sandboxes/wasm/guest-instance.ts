/**
 * A guest: one engine instance whose memory starts as the base image.
 *
 * Owns: running one slice within its budget, what a slice left behind, the reset in place.
 * Does not own: which guest runs when (worker.ts), what the outbox means (spec/guest-messages.ts).
 *
 * Invariants
 * 1. Once a slice was stopped, no code of the program runs again in this guest: the stop cannot be caught.
 * 2. Any exception that is not the guest's own breaks the instance for good; so does a stack that was not unwound.
 * 3. After a reset every byte of memory equals the base image: nothing of a program reaches the next one.
 */
import type { ProgramStop } from "../../../spec/sandbox.ts";
import { type BaseImage, mailboxBytes } from "./base-image.ts";
import { type Engine, instantiate } from "./engine.ts";
import type { WasmModule } from "./webassembly.ts";

export interface SliceBudget {
	/** What `Date.now()` says during the slice. Milliseconds since 1970. */
	readonly clockMs: number;
	/** CPU time left to the program. Milliseconds. */
	readonly cpuMs: number;
	/** Wall time of this slice. Milliseconds. */
	readonly sliceMs: number;
	readonly memoryBytesMax: number;
	/** Asked while the guest runs: whoever waits for this slice has given up. */
	cancelled(): boolean;
}

export interface SliceEnd {
	/** Text of the prelude's `drain()`, UTF-8. Where the slice was stopped: what it had printed, as far as it could be read. */
	readonly outbox: Uint8Array;
	readonly stop: ProgramStop | undefined;
	/** Number of an answer that answers no open call; nothing was delivered then. */
	readonly unknownCall: number;
	readonly cpuMs: number;
}

/** How long a stopped guest may take to hand over what it printed. */
const lastWordsMs = 20;
const jobsPerCheck = 1_024;
const addressSpaceBytes = 2 ** 32 - 1;
const nothing = new Uint8Array(0);
const zeros = Buffer.alloc(16_384);

/** Ends a slice from within our own code; never crosses guest code. */
class Stopped {
	readonly limit: ProgramStop;
	constructor(limit: ProgramStop) {
		this.limit = limit;
	}
}

/**
 * CPU time of this thread during a slice. Reading it costs as much as a short slice and is coarse on some machines, so
 * wall time stands for it until the slice has run long enough to be interrupted once.
 */
class CpuMeter {
	readonly startedAt: number = performance.now();
	#readAt = 0;
	#usage: NodeJS.CpuUsage | undefined;

	start(now: number): void {
		if (this.#usage) return;
		this.#usage = process.threadCpuUsage();
		this.#readAt = now;
	}

	usedMs(): number {
		if (!this.#usage) return performance.now() - this.startedAt;
		const { user, system } = process.threadCpuUsage(this.#usage);
		return this.#readAt - this.startedAt + (user + system) / 1_000;
	}
}

export class GuestInstance {
	readonly #base: BaseImage;
	readonly #engine: Engine;
	#bytes: Uint8Array;
	#stop: ProgramStop | undefined;
	#broken = false;

	constructor(module: WasmModule, base: BaseImage) {
		this.#base = base;
		this.#engine = instantiate(module);
		const { memory } = this.#engine.exports;
		memory.grow((base.memory.length - memory.buffer.byteLength) / 65_536);
		this.#bytes = new Uint8Array(memory.buffer);
		this.#setContent();
		if (this.#engine.table.length !== base.tableLength) this.#broken = true;
	}

	/** Loads a program and runs it until nothing in it can move. `message` is a `startMessage`. */
	start(message: Uint8Array, budget: SliceBudget): SliceEnd {
		return this.#slice(this.#base.start, message, budget);
	}

	/** Delivers answers and runs on. `message` is a `deliveryMessage`. */
	deliver(message: Uint8Array, budget: SliceBudget): SliceEnd {
		return this.#slice(this.#base.deliver, message, budget);
	}

	/** The memory between two slices, without the rest of messages in it. */
	memory(): Uint8Array {
		const memory = this.#memory();
		memory.fill(0, this.#base.mailbox, this.#base.mailbox + mailboxBytes);
		return memory;
	}

	/** Grows the memory of a fresh guest and hands it out to be filled from a snapshot. */
	memoryToRestore(bytes: number): Uint8Array {
		const { memory } = this.#engine.exports;
		if (bytes > memory.buffer.byteLength) memory.grow((bytes - memory.buffer.byteLength) / 65_536);
		return this.#memory();
	}

	/** Makes a fresh guest of it. False where it must be thrown away instead. */
	reset(): boolean {
		const memory = this.#memory();
		if (this.#broken || memory.length !== this.#base.memory.length) return false;
		if (this.#engine.table.length !== this.#base.tableLength) return false;
		let zeroFrom = 0;
		for (const { from, to } of this.#base.content) {
			clear(memory, zeroFrom, from);
			zeroFrom = to;
		}
		clear(memory, zeroFrom, memory.length);
		this.#setContent();
		this.#engine.stackPointer.value = this.#base.stackPointer;
		this.#stop = undefined;
		return true;
	}

	#setContent(): void {
		const { memory, content } = this.#base;
		for (const { from, to } of content) this.#bytes.set(memory.subarray(from, to), from);
	}

	/** The view of the memory; growing it detaches the old one. */
	#memory(): Uint8Array {
		if (this.#bytes.length === 0) this.#bytes = new Uint8Array(this.#engine.exports.memory.buffer);
		return this.#bytes;
	}

	#slice(entry: number, message: Uint8Array, budget: SliceBudget): SliceEnd {
		const meter = new CpuMeter();
		let outbox: Uint8Array = nothing;
		let unknownCall = 0;
		try {
			this.#arm(budget, meter);
			unknownCall = this.#enter(entry, message);
			if (unknownCall === 0) {
				this.#runJobs();
				outbox = this.#drain();
			}
		} catch (thrown) {
			this.#stop = this.#diagnose(thrown);
			outbox = this.#lastWords();
		}
		return { outbox, stop: this.#stop, unknownCall, cpuMs: meter.usedMs() };
	}

	#arm(budget: SliceBudget, meter: CpuMeter): void {
		const { exports, hooks } = this.#engine;
		const memoryMax = this.#base.memory.length + budget.memoryBytesMax;
		const wallUntil = meter.startedAt + budget.sliceMs;
		// CPU time never passes faster than wall time, so the dearer clock is read only when it may have run out.
		let cpuCheckAt = meter.startedAt + budget.cpuMs;
		exports.qjs_set_memory_limit(Math.min(budget.memoryBytesMax, addressSpaceBytes));
		hooks.clockMs = budget.clockMs;
		hooks.interrupt = () => {
			const now = performance.now();
			meter.start(now);
			if (this.#stop) return true;
			if (exports.memory.buffer.byteLength > memoryMax) this.#stop = "memory";
			else if (budget.cancelled()) this.#stop = "cancelled";
			else if (now >= wallUntil) this.#stop = "slice";
			else if (now >= cpuCheckAt) {
				const left = budget.cpuMs - meter.usedMs();
				if (left <= 0) this.#stop = "cpu";
				cpuCheckAt = now + left;
			}
			return this.#stop !== undefined;
		};
	}

	/** Calls one of the prelude's functions with one text. */
	#enter(entry: number, message: Uint8Array): number {
		const { exports } = this.#engine;
		const inMailbox = message.length <= mailboxBytes;
		const address = inMailbox ? this.#base.mailbox : exports.wasm_malloc(message.length);
		if (address === 0) throw new Stopped("memory");
		this.#memory().set(message, address);
		const text = exports.qjs_new_string(address, message.length);
		if (!inMailbox) exports.wasm_free(address);
		this.#check(text);
		this.#view().setUint32(this.#base.cell, text, true);
		const result = exports.qjs_call(entry, this.#base.undefined, 1, this.#base.cell);
		exports.qjs_free_value(text);
		this.#check(result);
		const unknownCall = exports.qjs_get_float64(result);
		exports.qjs_free_value(result);
		return Number.isInteger(unknownCall) ? unknownCall : 0;
	}

	#runJobs(): void {
		const { exports, hooks } = this.#engine;
		// An interrupt may have ended up in a promise, so what ended the last step is read from its own flag.
		for (let done = 1; !this.#stop; done++) {
			const ran = exports.qjs_execute_pending_job();
			if (ran === 0) break;
			// A job that threw is the program's own affair, as an unhandled rejection is.
			if (ran < 0) exports.qjs_free_value(exports.qjs_get_exception());
			if (done % jobsPerCheck === 0) hooks.interrupt();
		}
		// A guest may have grown past its memory since the last check.
		hooks.interrupt();
		if (this.#stop) throw new Stopped(this.#stop);
	}

	#drain(): Uint8Array {
		const { exports } = this.#engine;
		const text = exports.qjs_call(this.#base.drain, this.#base.undefined, 0, 0);
		this.#check(text);
		const address = exports.qjs_get_string_len(text, this.#base.cell);
		if (address === 0) throw new Stopped("memory");
		const length = this.#view().getUint32(this.#base.cell, true);
		const outbox = this.#memory().slice(address, address + length);
		exports.qjs_free_cstring(address);
		exports.qjs_free_value(text);
		if (this.#engine.stackPointer.value !== this.#base.stackPointer) throw new Stopped("fault");
		return outbox;
	}

	/** Throws where a value of the engine is an exception: its own code never throws, so the guest is out of something. */
	#check(value: number): void {
		const { exports } = this.#engine;
		if (value === 0) throw new Stopped("memory");
		if (exports.qjs_is_exception(value) === 0) return;
		if (this.#stop) throw new Stopped(this.#stop);
		exports.qjs_free_value(exports.qjs_get_exception());
		throw new Stopped("memory");
	}

	#diagnose(thrown: unknown): ProgramStop {
		if (thrown instanceof Stopped) {
			if (thrown.limit === "fault") this.#broken = true;
			return thrown.limit;
		}
		this.#broken = true;
		if (this.#stop) return this.#stop;
		return thrown instanceof RangeError ? "stack" : "fault";
	}

	/** What a stopped program had printed: the model mends an endless loop more easily when it sees its output. */
	#lastWords(): Uint8Array {
		if (this.#broken) return nothing;
		const until = performance.now() + lastWordsMs;
		this.#engine.hooks.interrupt = () => performance.now() >= until;
		try {
			return this.#drain();
		} catch {
			this.#broken = true;
			return nothing;
		}
	}

	#view(): DataView {
		const { buffer, byteOffset, length } = this.#memory();
		return new DataView(buffer, byteOffset, length);
	}
}

/** Zeros a range. Most of it was never written, and writing it would make the machine give real memory to it. */
function clear(memory: Uint8Array, from: number, to: number): void {
	const bytes = Buffer.from(memory.buffer, memory.byteOffset, memory.length);
	for (let at = from; at < to; at += zeros.length) {
		const end = Math.min(at + zeros.length, to);
		if (zeros.compare(bytes, at, end, 0, end - at) !== 0) bytes.fill(0, at, end);
	}
}
