import { zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { applyDelta, encodeDelta } from "./page-delta.ts";

const page = 4_096;
const base = new Uint8Array(4 * page).map((_, i) => (i % 7 === 0 ? i & 0xff : 0));

function freshMemory(pages: number): Uint8Array {
	const memory = new Uint8Array(pages * page);
	memory.set(base);
	return memory;
}

test("a memory comes back from its delta, whatever was written where", () => {
	const writes = fc.array(fc.record({ at: fc.nat(6 * page - 1), byte: fc.nat(255) }), { maxLength: 60 });
	fc.assert(
		fc.property(writes, fc.integer({ min: 4, max: 6 }), (changes, pages) => {
			const memory = freshMemory(pages);
			for (const { at, byte } of changes) if (at < memory.length) memory[at] = byte;
			const restored = freshMemory(pages);
			applyDelta(restored, encodeDelta(memory, base, 0));
			expect(Buffer.compare(restored, memory)).toBe(0);
		}),
	);
});

test("only what changed is kept, and nothing below the given address", () => {
	const memory = freshMemory(6);
	expect(encodeDelta(memory, base, 0).pageCount).toBe(0);
	memory[0] = 1;
	memory[3 * page] = 99;
	memory[5 * page] = 1;
	expect(encodeDelta(memory, base, 0).pageCount).toBe(3);
	expect(encodeDelta(memory, base, page).pageCount).toBe(2);
});

test("a view that does not start at its buffer's start is read where it lies", () => {
	const pool = new Uint8Array(8 * page);
	const memory = pool.subarray(2 * page, 6 * page);
	memory.set(base);
	memory[7] = 200;
	const restored = freshMemory(4);
	applyDelta(restored, encodeDelta(memory, base, 0));
	expect(restored[7]).toBe(200);
});

const raw = (numbers: readonly number[], words: number) => {
	const all = new Uint32Array(numbers.length + words);
	all.set(numbers);
	return all;
};

test.each([
	["bytes that are not compressed", 1, new Uint8Array(100)],
	["fewer pages than it says", 2, zstdCompressSync(raw([0], 1_024))],
	["more pages than it says", 1, zstdCompressSync(raw([0, 1], 2_048))],
	["more pages than there is memory", 5, zstdCompressSync(raw([0, 1, 2, 3, 4], 5_120))],
	["a page beyond the memory", 1, zstdCompressSync(raw([4], 1_024))],
	["pages out of order", 2, zstdCompressSync(raw([1, 0], 2_048))],
	["the same page twice", 2, zstdCompressSync(raw([1, 1], 2_048))],
	["a bomb", 1, zstdCompressSync(new Uint8Array(64 * 1_048_576))],
	["a page count that is no count", -1, zstdCompressSync(raw([], 0))],
	["an empty body", 1, new Uint8Array(0)],
])("refuses %s", (_, pageCount, body) => {
	expect(() => applyDelta(freshMemory(4), { pageCount, body })).toThrow();
});
