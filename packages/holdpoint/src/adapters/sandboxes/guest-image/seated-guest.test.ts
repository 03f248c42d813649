import { describe, expect, test } from "vitest";
import { consoleCutNote } from "../../../spec/guest.ts";
import type { ProgramLimits } from "../../../spec/limits.ts";
import type { Slice } from "../../../spec/sandbox.ts";
import { deliveryOf, ok, programOf } from "../../../testing/sandbox-play.ts";
import type { GuestSeat, SliceEnd } from "./guest-seat.ts";
import { SeatedGuest } from "./seated-guest.ts";

type Said = string | Partial<SliceEnd>;

/** A seat whose guest leaves these ends, one after the other; a text is an outbox. It was never honest. */
function seatThatSays(...ends: readonly Said[]) {
	const left = [...ends];
	const messages: string[] = [];
	const seat: GuestSeat = {
		run: async ({ message }): Promise<SliceEnd> => {
			messages.push(message);
			const next = left.shift();
			const end = typeof next === "string" ? { outbox: next } : next;
			return { stop: undefined, cpuMs: 0, unknownCall: 0, outbox: "o", ...end };
		},
		snapshot: async () => ({ memoryBytes: 65_536, pageCount: 0, body: Buffer.from("pages") }),
		restore: async () => undefined,
		release: () => undefined,
	};
	return { seat, messages };
}

const program = (limits: Partial<ProgramLimits> = {}) => programOf("return 1;\nreturn 2", { limits });

function guestThatSays(...ends: readonly Said[]): SeatedGuest {
	return new SeatedGuest(seatThatSays(...ends).seat, program());
}

/** The guest as a snapshot brings it back, which then says these. */
async function restored(guest: SeatedGuest, ...ends: readonly Said[]): Promise<SeatedGuest> {
	const again = new SeatedGuest(seatThatSays(...ends).seat, program());
	await again.restore(await guest.snapshot());
	return again;
}

const fault = { asks: [], state: { kind: "stopped", limit: "fault" } };
const asks = (...numbers: readonly number[]) => `${numbers.map((n) => `a ${n} 1 "search" {}\n`).join("")}o`;

async function begun(...ends: readonly Said[]): Promise<SeatedGuest> {
	const guest = guestThatSays(asks(1, 2), ...ends);
	expect(await guest.advance(deliveryOf([]))).toMatchObject({ state: { kind: "open" } });
	return guest;
}

describe("a guest that says that an answer fits no open call is stopped", () => {
	test.each<[string, Partial<SliceEnd>]>([
		["of the one that it was given", { unknownCall: 1 }],
		["of another one", { unknownCall: 2 }],
		["of one that there never was", { unknownCall: 7 }],
		["and that it was stopped", { unknownCall: 1, stop: "memory" }],
	])("%s: as it was, and restored", async (_, said) => {
		const guest = await begun(said);
		const again = await restored(guest, said);
		expect(await guest.advance(deliveryOf([ok(1, 1)]))).toMatchObject(fault);
		expect(await again.advance(deliveryOf([ok(1, 1)]))).toMatchObject(fault);
	});

	test("where nothing was answered", async () => {
		expect(await guestThatSays({ unknownCall: 7 }).advance(deliveryOf([]))).toMatchObject(fault);
	});
});

describe("whoever answers a call that is not open is told so, and the guest is not", () => {
	test.each([
		["was never asked", 9],
		["was answered before", 1],
	])("it %s", async (_, n) => {
		const { seat, messages } = seatThatSays(asks(1, 2), asks(3));
		const guest = new SeatedGuest(seat, program());
		await guest.advance(deliveryOf([]));
		await guest.advance(deliveryOf([ok(1, 1)]));
		const again = await restored(guest);
		for (const each of [guest, again]) {
			await expect(each.advance(deliveryOf([ok(n, 1)]))).rejects.toThrow(`call ${n} is open when it is answered`);
		}
		expect(messages).toHaveLength(2);
	});
});

describe("a guest that counts otherwise than the host is stopped", () => {
	test.each<[string, string]>([
		["repeats a number", asks(2)],
		["leaves a number out", asks(4)],
		["begins anew", asks(1)],
		["goes back", asks(3, 2)],
		["waits for nothing", "o"],
	])("it %s: as it was, and restored", async (_, said) => {
		const guest = await begun(said);
		const again = await restored(guest, said);
		expect(await guest.advance(deliveryOf([ok(1, 1), ok(2, 1)]))).toMatchObject(fault);
		expect(await again.advance(deliveryOf([ok(1, 1), ok(2, 1)]))).toMatchObject(fault);
	});

	const upTo = (limits: Partial<ProgramLimits>, ...ends: readonly Said[]) =>
		new SeatedGuest(seatThatSays(...ends).seat, program(limits));

	test("I8: it has more calls open than it may", async () => {
		const limits = { openCallsMax: 2 };
		expect(await upTo(limits, asks(1, 2)).advance(deliveryOf([]))).toMatchObject({ state: { kind: "open" } });
		expect(await upTo(limits, asks(1, 2, 3)).advance(deliveryOf([]))).toMatchObject(fault);
		const guest = upTo(limits, asks(1, 2), asks(3), asks(4));
		await guest.advance(deliveryOf([]));
		expect(await guest.advance(deliveryOf([ok(2, 1)]))).toMatchObject({ asks: [{ n: 3 }], state: { kind: "open" } });
		// It gave 2 back, and so has 1, 3 and now 4.
		expect(await guest.advance(deliveryOf([]))).toMatchObject(fault);
	});

	test("I8: it makes more calls than it may", async () => {
		const guest = upTo({ callsMax: 2 }, asks(1, 2), asks(3));
		await guest.advance(deliveryOf([]));
		expect(await guest.advance(deliveryOf([ok(1, 1)]))).toMatchObject(fault);
	});
});

test("I8: however often a guest prints, no more is kept than may be, and one note", async () => {
	const limits = { consoleBytesMax: 100 };
	const line = (text: string) => `c ${JSON.stringify(text)}\n${asks()}`;
	const endless = ["x".repeat(60), "y".repeat(60), consoleCutNote, "z", `\n${consoleCutNote}`, "é".repeat(99)].map(
		line,
	);
	const { seat } = seatThatSays(asks(1), ...endless);
	const guest = new SeatedGuest(seat, program(limits));
	const slices: Slice[] = [await guest.advance(deliveryOf([]))];
	for (const _ of endless) slices.push(await guest.advance(deliveryOf([])));
	const kept = slices.map(({ console }) => console).join("");
	expect(kept).toBe(`${"x".repeat(60)}\n${"y".repeat(39)}\n${consoleCutNote}\n`);
});

test("I8: text of few characters and many bytes is cut with a note too", async () => {
	const limits = { consoleBytesMax: 100 };
	const { seat } = seatThatSays(`c ${JSON.stringify("€".repeat(36))}\n${asks(1)}`);
	const { console } = await new SeatedGuest(seat, program(limits)).advance(deliveryOf([]));
	expect(console).toBe(`${"€".repeat(33)}\n${consoleCutNote}\n`);
});

test("a line that the program does not have is unknown", async () => {
	const guest = guestThatSays('a 1 2 "search" {}\na 2 3 "search" {}\no', {
		outbox: `t ${JSON.stringify({ name: "E", message: "m", stack: "at <input>:3:9" })}`,
	});
	expect((await guest.advance(deliveryOf([]))).asks.map(({ line }) => line)).toEqual([2, 0]);
	expect(await guest.advance(deliveryOf([ok(1, 1)]))).toMatchObject({
		state: { kind: "threw", error: { line: 0, column: 0 } },
	});
});
