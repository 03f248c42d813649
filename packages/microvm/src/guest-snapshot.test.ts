import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import {
	applyDelta,
	encodeDelta,
	type PageDelta,
} from "../../holdpoint/src/adapters/sandboxes/guest-image/page-delta.ts";
import type { MicrovmdClient, MicrovmImage } from "../../holdpoint/src/adapters/sandboxes/microvm/microvmd-client.ts";
import { bootBaseImage } from "../../holdpoint/src/adapters/sandboxes/wasm/base-image.ts";
import { GuestInstance, type SliceEnd } from "../../holdpoint/src/adapters/sandboxes/wasm/guest-instance.ts";
import { Module } from "../../holdpoint/src/adapters/sandboxes/wasm/webassembly.ts";
import {
	budget,
	deliver,
	deliveryText,
	killMachines,
	spawnMachine,
	start,
	startText,
	textOf,
	whyNoMachine,
} from "./machine-for-tests.ts";

if (whyNoMachine) console.log(`skipped: ${whyNoMachine}`);
afterEach(killMachines);

const moduleFile = createRequire(new URL("../../holdpoint/package.json", import.meta.url)).resolve(
	"quickjs-wasi/quickjs.wasm",
);
const moduleBytes = readFileSync(moduleFile);
const module = new Module(moduleBytes);
const base = bootBaseImage(moduleBytes, module);
const wasmBudget = { ...budget, cancelled: () => false };
const fastest = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

const compressed = (image: MicrovmImage): PageDelta => ({
	pageCount: image.pageCount,
	body: zstdCompressSync(image.pages, fastest),
});
const wasmText = (end: SliceEnd): string => Buffer.from(end.outbox).toString();

/** Programs that hold at their last call, with what their calls before it are answered. */
const programs: readonly (readonly [name: string, source: string, answers: readonly string[]])[] = [
	["waits at once", "return await tools.search()", []],
	[
		"keeps closures, maps and generators",
		`const m = new Map([["k", { deep: [1, [2, [3]]] }]]); let s = 0; const add = (n) => (s += n);
		function* g() { for (let i = 0; ; i++) yield add(i); } const it = g(); it.next(); it.next();
		const r = await tools.search({ q: [...m] }); return [r, it.next().value, s, [...m], String(new Date(86400000))];`,
		[],
	],
	[
		"keeps rows of many calls",
		"const rows = []; for (let i = 0; i < 40; i++) rows.push(await tools.search({ i })); const last = await tools.search('pay'); return [rows.length, rows[7], last];",
		Array.from({ length: 40 }, (_, i) =>
			JSON.stringify({ id: i, name: `item-${i}`, tags: ["a", "b"], price: i * 1.37 }),
		),
	],
	[
		"grew its memory",
		"const kept = new Uint8Array(9e6).map((_, i) => i * 7); const r = await tools.search(); return [r, kept[8888888], kept.length];",
		[],
	],
	[
		"computes with floats, not-a-numbers and bigints",
		`const f = Array.from({ length: 500 }, (_, i) => [Math.sin(i), Math.sqrt(-i), i / 0, -0 * i, Math.fround(i / 3), Math.hypot(i, 1), i ** 0.37, NaN]);
		const b = 3n ** 900n; const r = await tools.search(); return [r, f.flat().length, String(b).length, f[3]];`,
		[],
	],
	[
		"threw and caught on the way",
		`const out = []; for (let i = 0; i < 30; i++) try { null.x } catch (e) { out.push(e.stack.length) }
		try { (function f() { f() })() } catch (e) { out.push(e.name) }
		const r = await tools.search(/(\\w+)-(?<n>\\d+)/u.exec("item-42").groups); return [r, out.at(-1)];`,
		[],
	],
	[
		"has had a large message",
		"const a = await tools.search(); const b = await tools.search(); return a.length + b",
		[JSON.stringify("z".repeat(300_000))],
	],
];

async function holdInMachine(machine: MicrovmdClient, source: string, answers: readonly string[]): Promise<void> {
	await start(machine, source);
	let n = 0;
	for (const ok of answers) await deliver(machine, [{ n: ++n, ok }]);
}

function holdInWasm(guest: GuestInstance, source: string, answers: readonly string[]): void {
	guest.start(startText(source), wasmBudget);
	answers.forEach((ok, at) => {
		guest.deliver(deliveryText([{ n: at + 1, ok }]), wasmBudget);
	});
}

describe.skipIf(whyNoMachine)("a program that holds", () => {
	test.each(programs)("%s: leaves the same bytes in both providers", async (_, source, answers) => {
		const machine = await spawnMachine();
		await holdInMachine(machine, source, answers);
		const guest = new GuestInstance(module, base);
		holdInWasm(guest, source, answers);
		const image = await machine.snapshot();
		const memory = guest.memory();
		expect(image.memoryBytes).toBe(memory.length);
		expect(compressed(image)).toEqual(encodeDelta(memory, base.memory, base.stackPointer));
	});

	test.each(programs)("%s: goes on in another process", async (_, source, answers) => {
		const [one, two] = [await spawnMachine(), await spawnMachine()];
		await holdInMachine(one, source, answers);
		await two.restore(await one.snapshot());
		const answer = [{ n: answers.length + 1, ok: '"yes"' }];
		const there = textOf(await deliver(two, answer));
		expect(there).toBe(textOf(await deliver(one, answer)));
		expect(there).toContain("r ");
	});

	test.each(programs)("%s: goes on in the wasm provider", async (_, source, answers) => {
		const machine = await spawnMachine();
		await holdInMachine(machine, source, answers);
		const image = await machine.snapshot();
		const guest = new GuestInstance(module, base);
		applyDelta(guest.memoryToRestore(image.memoryBytes), compressed(image));
		const answer = [{ n: answers.length + 1, ok: '"yes"' }];
		const there = wasmText(guest.deliver(deliveryText(answer), wasmBudget));
		expect(there).toBe(textOf(await deliver(machine, answer)));
	});

	test.each(programs)("%s: comes from the wasm provider", async (_, source, answers) => {
		const guest = new GuestInstance(module, base);
		holdInWasm(guest, source, answers);
		const memory = guest.memory();
		const delta = encodeDelta(memory, base.memory, base.stackPointer);
		const machine = await spawnMachine();
		await machine.restore({
			memoryBytes: memory.length,
			pageCount: delta.pageCount,
			pages: zstdDecompressSync(delta.body),
		});
		const answer = [{ n: answers.length + 1, ok: '"yes"' }];
		expect(textOf(await deliver(machine, answer))).toBe(wasmText(guest.deliver(deliveryText(answer), wasmBudget)));
	});

	test("may be snapshotted again and again, and restored over anything", async () => {
		const machine = await spawnMachine();
		await start(machine, "let n = 0; for (;;) n += await tools.search(n)");
		let image = await machine.snapshot();
		for (let n = 1; n <= 20; n++) {
			await start(machine, "return new Uint8Array(2e6).fill(255).length");
			await machine.restore(image);
			expect(textOf(await deliver(machine, [{ n, ok: "2" }]))).toBe(`a ${n + 1} 1 "search" ${n * 2}\no`);
			image = await machine.snapshot();
		}
		expect(compressed(image).body.length).toBeLessThan(12_000);
	});
});

describe.skipIf(whyNoMachine)("an image", () => {
	const page = Buffer.alloc(4_096, 1);
	const numbers = (...list: number[]): Buffer => Buffer.from(Uint32Array.from(list).buffer);
	const image = (memoryBytes: number, pageCount: number, ...parts: Buffer[]): MicrovmImage => ({
		memoryBytes,
		pageCount,
		pages: Buffer.concat(parts),
	});
	const size = base.memory.length;

	test.each([
		["an odd memory", image(size + 1, 0), "impossible size"],
		["too little memory", image(size - 65_536, 0), "impossible size"],
		["too much memory", image(0xffff_0000, 0), "impossible size"],
		["more pages than memory", image(size, size / 4_096 + 1), "more pages"],
		["fewer bytes than it says", image(size, 1, numbers(400), page.subarray(1)), "another size"],
		["more bytes than it says", image(size, 1, numbers(400), page, page), "another size"],
		["a page beyond its memory", image(size, 1, numbers(size / 4_096), page), "not in order"],
		["a page twice", image(size, 2, numbers(400, 400), page, page), "not in order"],
		["pages backwards", image(size, 2, numbers(401, 400), page, page), "not in order"],
	])("with %s is refused, and the guest is a fresh one", async (_, hostile, reason) => {
		const machine = await spawnMachine();
		await start(machine, "globalThis.x = 1; await tools.search()");
		await expect(machine.restore(hostile)).rejects.toThrow(reason);
		expect(textOf(await machine.start(startText("return typeof x"), budget))).toBe('r "undefined"');
	});

	test("of noise ends in a stop, a fault or a wrong value, and never beyond its machine", async () => {
		for (let seed = 1; seed <= 12; seed++) {
			const machine = await spawnMachine();
			await start(machine, "const r = await tools.search(); return r");
			const honest = await machine.snapshot();
			const pages = Buffer.from(honest.pages);
			for (let i = 0; i < 400; i++) {
				const at = honest.pageCount * 4 + ((seed * 7_919 + i * 104_729) % (pages.length - honest.pageCount * 4));
				pages[at] = (i * seed * 37) & 255;
			}
			await machine.restore({ ...honest, pages });
			await machine
				.deliver(deliveryText([{ n: 1, ok: "1" }]), { ...budget, sliceMs: 200 })
				.then((slice) => expect(slice.outbox.length).toBeLessThan(1e6))
				.catch((error: Error) => expect(error.name).toBe("MicrovmdLost"));
			machine.kill();
		}
		expect(textOf(await start(await spawnMachine(), "return 'well'"))).toBe('r "well"');
	});
});
