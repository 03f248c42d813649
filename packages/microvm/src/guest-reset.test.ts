import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import type { MicrovmdClient } from "../../holdpoint/src/adapters/sandboxes/microvm/microvmd-client.ts";
import {
	budget,
	deliver,
	killMachines,
	spawnMachine,
	start,
	startText,
	textOf,
	whyNoMachine,
} from "./machine-for-tests.ts";

if (whyNoMachine) console.log(`skipped: ${whyNoMachine}`);
afterEach(killMachines);

/** A program that waits, on a guest that was made fresh before: what differs from its image is all that it is. */
async function probe(machine: MicrovmdClient): Promise<Buffer> {
	await machine.start(startText("await tools.search()"), budget, true);
	const { pages, memoryBytes, pageCount } = await machine.snapshot();
	return Buffer.concat([Buffer.from([pageCount & 255, memoryBytes / 65_536]), pages]);
}

/** How often a text is anywhere in the memory that a process can write. */
function countInProcess(pid: number, text: string): number {
	const wanted = Buffer.from(text);
	const memory = openSync(`/proc/${pid}/mem`, "r");
	let count = 0;
	try {
		for (const line of readFileSync(`/proc/${pid}/maps`, "utf8").split("\n")) {
			const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
			if (from === undefined || to === undefined) continue;
			count += countInRange(memory, wanted, { from: Number.parseInt(from, 16), to: Number.parseInt(to, 16) });
		}
	} finally {
		closeSync(memory);
	}
	return count;
}

function countInRange(memory: number, wanted: Buffer, range: { from: number; to: number }): number {
	const bytes = Buffer.alloc(1_048_576 + wanted.length);
	let count = 0;
	for (let at = range.from; at < range.to; at += 1_048_576) {
		let length = 0;
		try {
			length = readSync(memory, bytes, 0, Math.min(bytes.length, range.to - at), at);
		} catch {
			// Pages of the processor's own, which cannot be read this way.
		}
		for (let found = bytes.subarray(0, length).indexOf(wanted); found >= 0; ) {
			if (found < 1_048_576) count++;
			found = bytes.subarray(0, length).indexOf(wanted, found + 1);
		}
	}
	return count;
}

const secret = "the quick brown fox 7c1f93e5";

const programs: readonly (readonly [name: string, source: string, change: object])[] = [
	["returned", `return "${secret}".repeat(1000)`, {}],
	["waits", `const kept = ["${secret}"]; await tools.search(kept); return kept`, {}],
	["threw", `throw new Error("${secret}")`, {}],
	["was stopped", `const kept = "${secret}" + "!"; for (;;);`, { sliceMs: 20 }],
	["was cut off", `const kept = Array(1e5).fill("${secret}" + Math.random()); new Array(4e9).fill(1)`, { sliceMs: 40 }],
	["used much memory", `const kept = Array.from({ length: 1e5 }, (_, i) => "${secret}" + i); return kept.length`, {}],
	["grew its memory", `const a = new Uint8Array(9e6).fill(99); await tools.search("${secret}")`, {}],
];

describe.skipIf(whyNoMachine)("a reset", () => {
	test.each(programs)("leaves nothing of a program that %s", async (_, source, change) => {
		const clean = await probe(await spawnMachine());
		const machine = await spawnMachine();
		await start(machine, source, change);
		expect(Buffer.compare(await probe(machine), clean)).toBe(0);
	});

	test("leaves a secret nowhere in the memory of the process", async (context) => {
		if (process.getuid?.() !== 0) context.skip("only root may read the memory of that process");
		const machine = await spawnMachine();
		const pid = machine.pid ?? 0;
		await start(machine, `const kept = ["${secret}"]; const r = await tools.search(kept); return [r, kept]`);
		expect(countInProcess(pid, secret)).toBeGreaterThan(0);
		await deliver(machine, [{ n: 1, ok: JSON.stringify(secret.repeat(9_000)) }]);
		// The program is over, and its reset happens while nobody waits for it.
		await machine.ping();
		expect(countInProcess(pid, secret)).toBe(0);
		for (const [, source, change] of programs) {
			await start(machine, source, change);
			await machine.reset();
			expect(countInProcess(pid, secret)).toBe(0);
		}
	});

	test("stays as fast and as small over thousands of programs", { timeout: 120_000 }, async () => {
		const machine = await spawnMachine();
		const status = (): number =>
			Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${machine.pid}/status`, "utf8"))?.[1]);
		const sizes: number[] = [];
		for (let i = 0; i < 5_000; i++) {
			const asked = await machine.start(startText("return (await tools.search(1)) + 1"), budget);
			expect(asked.stop).toBe("none");
			expect(textOf(await deliver(machine, [{ n: 1, ok: "41" }]))).toBe("r 42");
			if (i % 1_000 === 999) sizes.push(status());
		}
		expect(sizes.at(-1)).toBeLessThanOrEqual((sizes[0] ?? 0) + 64);
	});
});
