import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { describe, expect, test } from "vitest";
import { deliveryMessage, startMessage } from "../../../spec/guest-messages.ts";
import { defaultProgramLimits } from "../../../spec/limits.ts";
import type { Answer } from "../../../spec/sandbox.ts";
import { encodeDelta } from "../guest-image/page-delta.ts";
import { bootBaseImage } from "./base-image.ts";
import { GuestInstance, type SliceBudget } from "./guest-instance.ts";
import { Module } from "./webassembly.ts";

const bytes = readFileSync(createRequire(import.meta.url).resolve("quickjs-wasi/quickjs.wasm"));
const module = new Module(bytes);
const base = bootBaseImage(bytes, module);
const budget: SliceBudget = {
	clockMs: 0,
	cpuMs: 60_000,
	sliceMs: 60_000,
	memoryBytesMax: 64e6,
	cancelled: () => false,
};

function start(guest: GuestInstance, source: string, change: Partial<SliceBudget> = {}) {
	const program = { source, tools: ["search"], seed: 1, clockMs: 0, limits: defaultProgramLimits, principal: "p" };
	return guest.start(Buffer.from(startMessage(program)), { ...budget, ...change });
}

function deliver(guest: GuestInstance, answers: readonly Answer[]) {
	return guest.deliver(Buffer.from(deliveryMessage(answers, defaultProgramLimits)), budget);
}

function changedPages(guest: GuestInstance): number {
	return encodeDelta(guest.memory(), base.memory, 0).pageCount;
}

describe("a reset", () => {
	test.each([
		["returned", "return 'x'.repeat(1000)", {}],
		["waits", "await tools.search(); return 1", {}],
		["threw", "throw new Error('x')", {}],
		["was stopped", "for (;;);", { sliceMs: 20 }],
		[
			"was stopped in deep recursion",
			"const f = (n) => n ? f(n - 1) : (() => { for (;;); })(); f(100)",
			{ sliceMs: 20 },
		],
		["was cancelled", "for (;;);", { cancelled: () => true }],
	])("makes every byte that of the base image after a program that %s", (_, source, change) => {
		const guest = new GuestInstance(module, base);
		start(guest, source, change);
		expect(changedPages(guest)).toBeGreaterThan(0);
		expect(guest.reset()).toBe(true);
		expect(Buffer.compare(guest.memory(), base.memory)).toBe(0);
		expect(Buffer.from(start(guest, "return 1 + 2").outbox).toString()).toBe("r 3");
	});

	test("is refused by a guest whose memory grew", () => {
		const guest = new GuestInstance(module, base);
		const { outbox } = start(guest, "return new Uint8Array(5e6).length");
		expect(Buffer.from(outbox).toString()).toBe("r 5000000");
		expect(guest.reset()).toBe(false);
	});
});

describe("a slice", () => {
	test("leaves the memory the same on two instances, so that a snapshot of one fits the other", () => {
		const source = "const m = new Map([['a', 1]]); const r = await tools.search(Math.random()); return [r, ...m];";
		const [one, two] = [new GuestInstance(module, base), new GuestInstance(module, base)];
		start(one, source);
		// A guest that was used before must not differ from a new one.
		start(two, "return Array.from({ length: 999 }, (_, i) => ({ i }));");
		two.reset();
		start(two, source);
		expect(Buffer.compare(one.memory().subarray(base.stackPointer), two.memory().subarray(base.stackPointer))).toBe(0);
	});

	test("reports an answer to a call that is not open and delivers nothing", () => {
		const guest = new GuestInstance(module, base);
		start(guest, "return [await tools.search(), await tools.search()]");
		expect(
			deliver(guest, [
				{ n: 1, ok: "1" },
				{ n: 5, ok: "2" },
			]).unknownCall,
		).toBe(5);
		expect(deliver(guest, [{ n: 1, ok: "1" }]).unknownCall).toBe(0);
		expect(Buffer.from(deliver(guest, [{ n: 2, ok: "2" }]).outbox).toString()).toBe("r [1,2]");
	});

	test.each(["", "await null;"])("runs no code of a program that was stopped (%s)", (first) => {
		const guest = new GuestInstance(module, base);
		const source = `${first} console.log("a"); queueMicrotask(() => console.log("b")); tools.search().finally(() => console.log("b"));
			try { for (;;) try { for (;;); } finally { console.log("b"); } } catch { console.log("b"); }`;
		const end = start(guest, source, { sliceMs: 20 });
		expect(end.stop).toBe("slice");
		expect(Buffer.from(end.outbox).toString()).toContain('"a"');
		expect(Buffer.from(end.outbox).toString()).not.toContain('"b"');
	});

	test("a message above the mailbox passes", () => {
		const guest = new GuestInstance(module, base);
		start(guest, "return (await tools.search()).length");
		const end = deliver(guest, [{ n: 1, ok: JSON.stringify("x".repeat(200_000)) }]);
		expect(Buffer.from(end.outbox).toString()).toBe("r 200000");
	});
});

test("snapshots stay small: a program that waits after 0, 9 and 200 calls with their rows", () => {
	const sizes = [0, 9, 200].map((calls) => {
		const guest = new GuestInstance(module, base);
		start(
			guest,
			`const rows = []; for (let i = 0; i < ${calls}; i++) rows.push(await tools.search({ id: i })); await tools.search('pay'); return rows.length;`,
		);
		for (let n = 1; n <= calls; n++) {
			const row = { id: n, name: `item-${n}`, price: n * 3, tags: ["a", "b", "c"] };
			deliver(guest, [{ n, ok: JSON.stringify(row) }]);
		}
		return encodeDelta(guest.memory(), base.memory, base.stackPointer).body.length;
	});
	expect(sizes[0]).toBeLessThan(8_000);
	expect(sizes[1]).toBeLessThan(11_000);
	expect(sizes[2]).toBeLessThan(34_000);
});
