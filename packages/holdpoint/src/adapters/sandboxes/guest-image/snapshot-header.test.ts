import fc from "fast-check";
import { expect, test } from "vitest";
import { programOf } from "../../../testing/sandbox-play.ts";
import { unpackPages } from "./page-delta.ts";
import { decodeSnapshot, encodeSnapshot, type GuestSnapshot } from "./snapshot-header.ts";

const program = programOf("return 1", { limits: { callsMax: 9, openCallsMax: 3 } });
const memoryBytesMax = 72 * 1_048_576;
const snapshot: GuestSnapshot = {
	memoryBytes: 2 * 65_536,
	pageCount: 32,
	cpuMs: 7,
	consoleBytes: 5,
	asked: 9,
	open: [2, 7, 9],
	body: Buffer.from("pages"),
};

const again = (change: Partial<GuestSnapshot>): GuestSnapshot =>
	decodeSnapshot(encodeSnapshot({ ...snapshot, ...change }, program), program, memoryBytesMax);

test("a snapshot's head comes back as it was", () => {
	expect(again({})).toEqual(snapshot);
	expect(again({ open: [] })).toEqual({ ...snapshot, open: [] });
	expect(again({ open: [9, 2] }).open).toEqual([2, 9]);
});

test.each([33, 0xffff_ffff])(
	"a snapshot with %d pages of a memory of 32 is refused before they are unpacked",
	(pages) => {
		expect(() => again({ pageCount: pages })).toThrow("it has more pages than the guest's memory");
	},
);

test("counts that do not fit are kept as the largest that does", () => {
	const most = 0xffff_ffff;
	expect(again({ cpuMs: 1e9, consoleBytes: most + 1 })).toMatchObject({ cpuMs: most / 1_000, consoleBytes: most });
});

test.each<[string, Partial<GuestSnapshot>]>([
	["more calls than its program may make", { asked: 10 }],
	["more open calls than its program may have", { open: [1, 2, 3, 4] }],
	["more open calls than it asked", { asked: 1, open: [1, 2] }],
	["an open call that it never asked", { asked: 8 }],
	["a call 0", { open: [0, 1] }],
	["the same call twice", { open: [2, 2] }],
])("a snapshot with %s is refused", (_, change) => {
	expect(() => again(change)).toThrow(/calls/);
});

test("a snapshot that ends within its open calls is refused", () => {
	const bytes = encodeSnapshot(snapshot, program);
	for (let length = 90; length <= 96 + 3 * 4; length++) {
		expect(() => decodeSnapshot(bytes.slice(0, length), program, memoryBytesMax)).toThrow();
	}
});

test("any bytes give a snapshot within the limits, or an Error", async () => {
	const real = Buffer.from(encodeSnapshot(snapshot, program));
	const body = fc.uint8Array({ maxLength: 65_536, size: "max" });
	// Behind what names guest and program, which no noise would ever match; a byte here and there, or all of it.
	const change = fc.record({ at: fc.integer({ min: 72, max: 107 }), byte: fc.nat(255) });
	const changed = fc.tuple(fc.array(change, { maxLength: 8 }), body).map(([changes, pages]) => {
		const bytes = Buffer.concat([real.subarray(0, 108), pages]);
		for (const { at, byte } of changes) bytes[at] = byte;
		return bytes;
	});
	let decoded = 0;
	await fc.assert(
		fc.asyncProperty(fc.oneof({ weight: 4, arbitrary: changed }, { weight: 1, arbitrary: body }), async (bytes) => {
			const found = attempt(() => decodeSnapshot(bytes, program, memoryBytesMax));
			if (found instanceof Error) return;
			decoded++;
			expect(found.memoryBytes).toBeLessThanOrEqual(memoryBytesMax);
			expect(found.pageCount * 4_096).toBeLessThanOrEqual(found.memoryBytes);
			expect(found.asked).toBeLessThanOrEqual(9);
			expect(found.open.length).toBeLessThanOrEqual(3);
			expect(found.open.every((n) => n >= 1 && n <= found.asked)).toBe(true);
			await expect(unpackPages(found)).rejects.toThrow(/pages/);
		}),
		{ numRuns: 300 },
	);
	expect(decoded).toBeGreaterThan(0);
});

function attempt<T>(work: () => T): T | Error {
	try {
		return work();
	} catch (error) {
		if (error instanceof Error) return error;
		throw error;
	}
}
