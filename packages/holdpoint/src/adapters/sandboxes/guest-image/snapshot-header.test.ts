import { expect, test } from "vitest";
import { programOf } from "../../../testing/sandbox-play.ts";
import { decodeSnapshot, encodeSnapshot, type GuestSnapshot } from "./snapshot-header.ts";

const program = programOf("return 1");
const memoryBytesMax = 72 * 1_048_576;
const snapshot: GuestSnapshot = {
	memoryBytes: 2 * 65_536,
	pageCount: 32,
	cpuMs: 7,
	consoleBytes: 5,
	body: Buffer.from("pages"),
};

const again = (change: Partial<GuestSnapshot>): GuestSnapshot =>
	decodeSnapshot(encodeSnapshot({ ...snapshot, ...change }, program), program, memoryBytesMax);

test("a snapshot's head comes back as it was", () => {
	expect(again({})).toEqual(snapshot);
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
