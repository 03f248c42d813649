/**
 * Entry of a worker thread: boots the engine, then serves one request after another until the host ends the thread.
 *
 * It never returns to its event loop: it spins for a moment after each reply, tidies up, then sleeps on the channel.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { applyDelta, encodeDelta } from "../guest-image/page-delta.ts";
import { type BaseImage, bootBaseImage } from "./base-image.ts";
import { control, controlWords, Slot, takeWake } from "./channel.ts";
import type { SliceBudget } from "./guest-instance.ts";
import { GuestShelf } from "./guest-shelf.ts";
import { Module } from "./webassembly.ts";
import {
	type ReceivedRequest,
	readRequest,
	type SentReply,
	type WorkerData,
	type WorkerGreeting,
	writeReply,
} from "./worker-messages.ts";

const spinMinMs = 0.04;
const spinMaxMs = 0.25;

const { channel, guestDigest, warm } = workerData as WorkerData;
const words = controlWords(channel);
const requests = new Slot(channel, "request");
const replies = new Slot(channel, "reply");

function boot(): GuestShelf {
	const bytes = readFileSync(createRequire(import.meta.url).resolve("quickjs-wasi/quickjs.wasm"));
	const module = new Module(bytes);
	const base: BaseImage = bootBaseImage(bytes, module);
	if (base.digest !== guestDigest) {
		throw new Error(`The guest build is ${base.digest}, this version of Holdpoint needs ${guestDigest}`);
	}
	return new GuestShelf(module, base, warm);
}

function serve(shelf: GuestShelf): never {
	for (let served = 0; ; ) {
		awaitRequest(shelf, served);
		served = Atomics.load(words, control.request);
		const body = requests.body() ?? receiveBody();
		send(served, handle(shelf, readRequest(requests, body)));
	}
}

/**
 * How long to spin. Sleeping costs the next slice two wakes, so the worker spins longer while requests come quickly:
 * otherwise one late reply would put both sides to sleep at every call from then on.
 */
let spinMs = spinMinMs;

function awaitRequest(shelf: GuestShelf, served: number): void {
	const from = performance.now();
	rest(shelf, served, from + spinMs);
	const isQuick = performance.now() - from < spinMaxMs;
	spinMs = isQuick ? Math.min(spinMaxMs, spinMs * 2) : Math.max(spinMinMs, spinMs / 2);
}

function rest(shelf: GuestShelf, served: number, spinUntil: number): void {
	const arrived = () => Atomics.load(words, control.request) !== served;
	// With nothing ready the next program would wait for the cleaning anyway.
	if (!shelf.hasReady) shelf.tidy();
	while (performance.now() < spinUntil) if (arrived()) return;
	while (shelf.tidy()) if (arrived()) return;
	Atomics.store(words, control.workerAsleep, 1);
	while (!arrived()) Atomics.wait(words, control.request, served);
	Atomics.store(words, control.workerAsleep, 0);
}

function receiveBody(): Uint8Array {
	if (!parentPort) throw new Error("This file is the entry of a worker thread");
	return (receiveMessageOnPort(parentPort) as { message: Uint8Array }).message;
}

function send(request: number, reply: SentReply): void {
	const large = writeReply(replies, reply);
	if (large) parentPort?.postMessage(large, [large.buffer]);
	Atomics.add(words, control.reply, 1);
	if (takeWake(words, request)) parentPort?.postMessage(null);
}

function handle(shelf: GuestShelf, request: ReceivedRequest): SentReply {
	switch (request.op) {
		case "start":
		case "deliver":
			return runSlice(shelf, request);
		case "restore":
			return restore(shelf, request);
		case "snapshot": {
			const memory = shelf.find(request.guest)?.memory();
			if (!memory) return { kind: "refused", reason: "the guest is gone" };
			const delta = encodeDelta(memory, shelf.base.memory, shelf.base.stackPointer);
			return { kind: "image", memoryBytes: memory.length, ...delta };
		}
		case "release":
			shelf.release(request.guest);
			return { kind: "done" };
	}
}

function runSlice(shelf: GuestShelf, request: Extract<ReceivedRequest, { op: "start" | "deliver" }>): SentReply {
	const guest = request.op === "start" ? shelf.take(request.guest) : shelf.find(request.guest);
	if (!guest) return { kind: "refused", reason: "the guest is gone" };
	const budget: SliceBudget = { ...request, cancelled: () => Atomics.load(words, control.cancel) === 1 };
	const end = request.op === "start" ? guest.start(request.body, budget) : guest.deliver(request.body, budget);
	const kept = end.unknownCall !== 0 || (end.stop === undefined && saysOpen(end.outbox));
	if (!kept) shelf.release(request.guest);
	return { kind: "slice", kept, ...end };
}

function restore(shelf: GuestShelf, request: Extract<ReceivedRequest, { op: "restore" }>): SentReply {
	const guest = shelf.take(request.guest);
	try {
		applyDelta(guest.memoryToRestore(request.memoryBytes), { ...request, body: new Uint8Array(request.body) });
		return { kind: "done" };
	} catch (error) {
		shelf.release(request.guest);
		return { kind: "refused", reason: error instanceof Error ? error.message : String(error) };
	}
}

/** Whether the last line of an outbox is that of a program that waits. */
function saysOpen(outbox: Uint8Array): boolean {
	const end = outbox.length - 1;
	return outbox[end] === 0x6f && (end === 0 || outbox[end - 1] === 0x0a);
}

function greet(): GuestShelf | undefined {
	try {
		const shelf = boot();
		parentPort?.postMessage({ ready: true } satisfies WorkerGreeting);
		return shelf;
	} catch (error) {
		const reason = error instanceof Error ? error.message : String(error);
		parentPort?.postMessage({ ready: false, reason } satisfies WorkerGreeting);
		return undefined;
	}
}

const shelf = greet();
if (shelf) serve(shelf);
