/**
 * The parent's half of the frames: one `microvmd` process, one request at a time.
 *
 * Owns: the process, the frames, their bounds. Does not own: what the messages say, pools, what follows a fault.
 *
 * Invariants
 * 1. What comes from the process is checked before it is used: it may be what a guest made of it.
 * 2. Every request is answered exactly once: by its reply, or by a `MicrovmdLost` when the process is gone.
 * 3. Nothing of this process's environment or files reaches the other one.
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import type { Writable } from "node:stream";

/** Of native/protocol.h. */
export const protocolVersion = 1;
export const messageBytesMax = 64 * 1_048_576;

/** The words of `enum stop`, in its order. */
export const microvmStops = ["none", "cpu", "slice", "memory", "stack", "fault", "cancelled", "value"] as const;
export type MicrovmStop = (typeof microvmStops)[number];

/** The words of `enum isolation`, in its order. */
export const microvmIsolations = ["unknown", "svm", "vmx", "pvm"] as const;

const request = { start: 1, deliver: 2, snapshot: 3, restore: 4, reset: 5, ping: 6, cancel: 7 } as const;
const reply = { hello: 1, slice: 2, image: 3, done: 4, refused: 5, fault: 6 } as const;
const headBytes = 8;
const sliceRequestBytes = 32;
const sliceReplyBytes = 16;
const helloBytes = 56;
const pageBytes = 4_096;
const nanosecondsPerMicrosecond = 1_000n;
const errorTextMax = 4_096;
/** How long a process that was killed is waited for. Milliseconds. */
const goneMs = 10_000;
/** Nothing that a guest does to its process ends it by one of these. */
const fromOutside: readonly NodeJS.Signals[] = ["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"];

export interface MicrovmdOptions {
	readonly executable: string;
	/** Path of guest.elf. */
	readonly guest: string;
	/** Largest linear memory. MiB. */
	readonly memoryMiB: number;
	/** How long it may take to say hello. 15,000. Milliseconds. */
	readonly bootMs?: number;
}

export interface MicrovmHello {
	readonly isolation: (typeof microvmIsolations)[number];
	/** Shape: 64 hexadecimal digits. */
	readonly guestDigest: string;
	/** Linear memory of the base image. Bytes. */
	readonly memoryBytes: number;
	/** What it can grow to. Bytes. */
	readonly memoryBytesMax: number;
	readonly bootMs: number;
	/** Whether the kernel says which pages were written; otherwise all of them are compared. */
	readonly hasPageScan: boolean;
}

export interface MicrovmBudget {
	/** What `Date.now()` says during the slice. Milliseconds since 1970. */
	readonly clockMs: number;
	/** CPU time left to the program. Milliseconds. */
	readonly cpuMs: number;
	/** Wall time of this slice. Milliseconds. */
	readonly sliceMs: number;
	readonly memoryBytesMax: number;
}

export interface MicrovmSlice {
	readonly stop: MicrovmStop;
	/** Number of an answer that answers no open call; nothing was delivered then. */
	readonly unknownCall: number;
	readonly cpuMs: number;
	/** Text of the prelude's `drain()`, UTF-8. Where the slice was stopped: what the program had printed. */
	readonly outbox: Uint8Array;
}

/** What differs from the base image: a snapshot before its compression. */
export interface MicrovmImage {
	readonly memoryBytes: number;
	readonly pageCount: number;
	/** Numbers of the pages, then their words, as holdpoint's page-delta.ts lays them out. */
	readonly pages: Uint8Array;
}

/** The process is gone; nothing that was in it is left. */
export class MicrovmdLost extends Error {
	override readonly name = "MicrovmdLost";
	/** Of what the guest died, where it said so. */
	readonly stop: MicrovmStop | undefined;
	/** Ended from outside, by a kill or for want of memory on the host: its guest had no part in it. */
	readonly wasKilled: boolean;
	constructor(message: string, { stop, wasKilled = false }: { stop?: MicrovmStop; wasKilled?: boolean } = {}) {
		super(message);
		this.stop = stop;
		this.wasKilled = wasKilled;
	}
}

/** The process cannot do that now; the guest is what it was. */
export class MicrovmdRefused extends Error {
	override readonly name = "MicrovmdRefused";
}

interface Frame {
	readonly kind: number;
	readonly body: Buffer;
}

interface Waiting {
	readonly resolve: (frame: Frame) => void;
	readonly reject: (error: Error) => void;
}

/** Frames of a stream of chunks. A body is put together once, whatever its chunks. */
class FrameReader {
	readonly #bodyBytesMax: number;
	#chunks: Buffer[] = [];
	#bytes = 0;

	constructor(bodyBytesMax: number) {
		this.#bodyBytesMax = bodyBytesMax;
	}

	/** The next frame, if it is complete. Errors: an Error where it is longer than any can be. */
	add(chunk: Buffer): Frame | undefined {
		this.#chunks.push(chunk);
		this.#bytes += chunk.length;
		if (this.#bytes < headBytes) return undefined;
		const head = this.#joined(headBytes);
		const bodyBytes = head.readUInt32LE(0);
		if (bodyBytes > this.#bodyBytesMax) throw new Error(`a frame of ${bodyBytes} bytes`);
		if (this.#bytes < headBytes + bodyBytes) return undefined;
		if (this.#bytes > headBytes + bodyBytes) throw new Error("more than one frame at a time");
		const bytes = this.#joined(this.#bytes);
		this.#chunks = [];
		this.#bytes = 0;
		return { kind: bytes.readUInt32LE(4), body: bytes.subarray(headBytes) };
	}

	#joined(bytes: number): Buffer {
		const [first] = this.#chunks;
		if (first && first.length >= bytes) return first;
		const all = Buffer.concat(this.#chunks);
		this.#chunks = [all];
		return all;
	}
}

export class MicrovmdClient {
	readonly #process: ChildProcess;
	readonly #input: Writable | null;
	readonly #reader: FrameReader;
	#waiting: Waiting | undefined;
	#lost: MicrovmdLost | undefined;
	/** It is to be gone, or about to be: whoever waits for that must not end before. */
	#isEnding = false;
	#stderr = "";
	#hello: MicrovmHello | undefined;
	readonly #gone: Promise<void>;
	readonly #settleGone: () => void;
	#isGone = false;
	#burial: NodeJS.Timeout | undefined;

	private constructor(options: MicrovmdOptions) {
		const { executable, guest, memoryMiB } = options;
		// In a session of its own: an interrupt at the terminal is for this process to deal with.
		const how = { env: {}, cwd: "/", detached: true } as const;
		const child = spawn(executable, [guest, String(memoryMiB)], { ...how, stdio: ["pipe", "pipe", "pipe"] });
		this.#process = child;
		const { stdin, stdout, stderr } = child as ChildProcess;
		this.#input = stdin;
		this.#reader = new FrameReader(Math.max(messageBytesMax, memoryMiB * 1_048_576) * 1.01 + 4_096);
		// Before anything else: where this process has no more files there is a child without pipes, and only this event.
		const { promise, resolve } = Promise.withResolvers<void>();
		this.#gone = promise;
		this.#settleGone = resolve;
		child.on("error", (error) => {
			this.#lose(error.message);
			// With a process there is more to come: that it could not be killed does not say that it is gone.
			if (child.pid === undefined) this.#bury();
		});
		child.on("close", (code, signal) => {
			const reason = this.#stderr.trim() || `microvmd ended with ${signal ?? code}`;
			this.#lose(reason, { wasKilled: signal !== null && fromOutside.includes(signal) });
			this.#bury();
		});
		stdin?.on("error", () => undefined);
		stdout?.on("data", (chunk: Buffer) => this.#receive(chunk));
		stderr?.setEncoding("utf8").on("data", (text: string) => {
			this.#stderr = (this.#stderr + text).slice(0, errorTextMax);
		});
		(stdin as Socket | null)?.unref();
	}

	/** Whether this process stays alive for the other one: so long as nobody says no, and for one that is about to end. */
	set keepsAlive(isNeeded: boolean) {
		const { stdout, stderr } = this.#process;
		for (const handle of [this.#process, stdout as Socket | null, stderr as Socket | null]) {
			if (isNeeded || this.#isEnding) handle?.ref();
			else handle?.unref();
		}
	}

	/** What became of the process, where it is gone. */
	get lost(): MicrovmdLost | undefined {
		return this.#lost;
	}

	/** Starts a process and waits for its guest. Errors: `MicrovmdLost` with what the process said of itself. */
	static async spawn(options: MicrovmdOptions): Promise<MicrovmdClient> {
		const client = new MicrovmdClient(options);
		const { bootMs = 15_000 } = options;
		const overdue = () => {
			client.#lose(`microvmd did not boot within ${bootMs} ms`);
			client.kill();
		};
		const timer = setTimeout(overdue, bootMs);
		try {
			client.#hello = readHello(await client.#reply());
			return client;
		} catch (error) {
			client.kill();
			throw error;
		} finally {
			clearTimeout(timer);
		}
	}

	get hello(): MicrovmHello {
		if (!this.#hello) throw new Error("a client is handed out after its hello");
		return this.#hello;
	}

	get pid(): number | undefined {
		return this.#process.pid;
	}

	/** Settles when the process is gone, or was killed so long ago that nobody waits for it any more. */
	get gone(): Promise<void> {
		return this.#gone;
	}

	/** Loads a program into a fresh guest and runs it until nothing in it can move. `resets` makes the guest fresh first. */
	start(message: Uint8Array, budget: MicrovmBudget, resets = false): Promise<MicrovmSlice> {
		return this.#slice(request.start, message, sliceRequest(budget, resets));
	}

	/** Delivers answers to the program that waits and runs on. */
	deliver(message: Uint8Array, budget: MicrovmBudget): Promise<MicrovmSlice> {
		return this.#slice(request.deliver, message, sliceRequest(budget, false));
	}

	/** Ends the slice that runs, if one does: it is answered as cancelled. */
	cancel(): void {
		if (this.#waiting && !this.#lost) this.#send(request.cancel, []);
	}

	async snapshot(): Promise<MicrovmImage> {
		const { body } = await this.#request(request.snapshot, [], reply.image);
		if (body.length < 8) throw this.#broken("an image without a head");
		const [memoryBytes, pageCount] = [body.readUInt32LE(0), body.readUInt32LE(4)];
		const pages = body.subarray(8);
		if (pages.length !== pageCount * (4 + pageBytes)) throw this.#broken("an image of another size than it says");
		return { memoryBytes, pageCount, pages };
	}

	/** Makes the guest the one of the image. Errors: `MicrovmdRefused`; the guest is a fresh one then. */
	async restore(image: MicrovmImage): Promise<void> {
		const head = Buffer.alloc(8);
		head.writeUInt32LE(image.memoryBytes, 0);
		head.writeUInt32LE(image.pageCount, 4);
		await this.#request(request.restore, [head, image.pages], reply.done);
	}

	async reset(): Promise<void> {
		await this.#request(request.reset, [], reply.done);
	}

	async ping(): Promise<void> {
		await this.#request(request.ping, [], reply.done);
	}

	/** Lets the process end by itself. */
	async close(): Promise<void> {
		this.#awaitEnd();
		this.#input?.end();
		await this.#gone;
	}

	kill(): void {
		this.#awaitEnd();
		this.#process.kill("SIGKILL");
		// Where the signal does not reach it, the end of its input does; never before, or it would seem to end by itself.
		this.#input?.destroy();
		if (!this.#isGone) this.#burial ??= setTimeout(() => this.#abandon(), goneMs);
	}

	/** The kernel keeps it, or another process has its pipes: neither is a reason for this one to wait. */
	#abandon(): void {
		const { stdout, stderr } = this.#process;
		stdout?.destroy();
		stderr?.destroy();
		this.#process.unref();
		this.#bury();
	}

	#bury(): void {
		this.#isGone = true;
		clearTimeout(this.#burial);
		this.#settleGone();
	}

	#awaitEnd(): void {
		this.#isEnding = true;
		this.keepsAlive = true;
	}

	async #slice(kind: number, message: Uint8Array, head: Buffer): Promise<MicrovmSlice> {
		const { body } = await this.#request(kind, [head, message], reply.slice);
		const stop = body.length < sliceReplyBytes ? undefined : microvmStops[body.readUInt32LE(0)];
		if (stop === undefined) throw this.#broken("a slice that ended in no known way");
		return {
			stop,
			unknownCall: body.readUInt32LE(4),
			cpuMs: Number(body.readBigUInt64LE(8)) / 1_000,
			outbox: body.subarray(sliceReplyBytes),
		};
	}

	async #request(kind: number, parts: readonly Uint8Array[], expected: number): Promise<Frame> {
		if (this.#lost) throw this.#lost;
		if (this.#waiting) throw new Error("microvmd serves one request at a time");
		this.#send(kind, parts);
		const frame = await this.#reply();
		if (frame.kind === reply.refused) throw new MicrovmdRefused(frame.body.toString("latin1", 0, errorTextMax));
		if (frame.kind !== expected) throw this.#broken(`a reply of the kind ${frame.kind}`);
		return frame;
	}

	#send(kind: number, parts: readonly Uint8Array[]): void {
		const head = Buffer.allocUnsafe(headBytes);
		head.writeUInt32LE(
			parts.reduce((sum, part) => sum + part.length, 0),
			0,
		);
		head.writeUInt32LE(kind, 4);
		const small = parts.every((part) => part.length < 65_536);
		if (small) this.#input?.write(Buffer.concat([head, ...parts]));
		else for (const part of [head, ...parts]) this.#input?.write(part);
	}

	#reply(): Promise<Frame> {
		return new Promise((resolve, reject) => {
			if (this.#lost) reject(this.#lost);
			else this.#waiting = { resolve, reject };
		});
	}

	#receive(chunk: Buffer): void {
		let frame: Frame | undefined;
		try {
			frame = this.#reader.add(chunk);
		} catch (error) {
			this.#broken(error instanceof Error ? error.message : String(error));
			return;
		}
		if (!frame) return;
		if (frame.kind === reply.fault) {
			const isStack = frame.body.length >= 4 && microvmStops[frame.body.readUInt32LE(0)] === "stack";
			this.#lose(frame.body.toString("latin1", 4, 4 + errorTextMax), { stop: isStack ? "stack" : "fault" });
			// It says that it ends; what a guest made of it may not.
			this.kill();
			return;
		}
		const waiting = this.#waiting;
		this.#waiting = undefined;
		if (waiting) waiting.resolve(frame);
		else this.#broken("a reply that nothing asked for");
	}

	/** The process is not what it should be: it is ended. */
	#broken(what: string): MicrovmdLost {
		const error = this.#lose(`microvmd sent ${what}`);
		this.kill();
		return error;
	}

	#lose(reason: string, how?: { stop?: MicrovmStop; wasKilled?: boolean }): MicrovmdLost {
		this.#lost ??= new MicrovmdLost(reason, how);
		this.#awaitEnd();
		const waiting = this.#waiting;
		this.#waiting = undefined;
		waiting?.reject(this.#lost);
		return this.#lost;
	}
}

function sliceRequest(budget: MicrovmBudget, resets: boolean): Buffer {
	const bytes = Buffer.alloc(sliceRequestBytes);
	bytes.writeUInt32LE(resets ? 1 : 0, 0);
	bytes.writeUInt32LE(Math.min(budget.memoryBytesMax, 0xffff_ffff), 4);
	bytes.writeBigUInt64LE(microseconds(budget.cpuMs), 8);
	bytes.writeBigUInt64LE(microseconds(budget.sliceMs), 16);
	bytes.writeBigUInt64LE(microseconds(budget.clockMs) * nanosecondsPerMicrosecond, 24);
	return bytes;
}

function microseconds(ms: number): bigint {
	return BigInt(Math.trunc(ms * 1_000));
}

function readHello({ kind, body }: Frame): MicrovmHello {
	if (kind !== reply.hello || body.length !== helloBytes) throw new MicrovmdLost("microvmd did not say hello");
	const version = body.readUInt32LE(0);
	if (version !== protocolVersion) {
		throw new MicrovmdLost(`microvmd speaks version ${version} of the protocol, this client speaks ${protocolVersion}`);
	}
	return {
		isolation: microvmIsolations[body.readUInt32LE(4)] ?? "unknown",
		guestDigest: body.toString("hex", 8, 40),
		memoryBytes: body.readUInt32LE(40),
		memoryBytesMax: body.readUInt32LE(44),
		bootMs: body.readUInt32LE(48) / 1_000,
		hasPageScan: body.readUInt32LE(52) === 1,
	};
}
