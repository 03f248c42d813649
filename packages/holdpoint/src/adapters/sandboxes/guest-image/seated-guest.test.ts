import { describe, expect, test } from "vitest";
import { deliveryOf, ok, programOf } from "../../../testing/sandbox-play.ts";
import type { GuestSeat, SliceEnd } from "./guest-seat.ts";
import { SeatedGuest } from "./seated-guest.ts";

/** A guest that reports these ends, one after the other. */
function guestThatSays(...ends: readonly Partial<SliceEnd>[]): SeatedGuest {
	const left = [...ends];
	const run = async (): Promise<SliceEnd> => {
		return { stop: undefined, cpuMs: 0, unknownCall: 0, outbox: "o", ...left.shift() };
	};
	const seat = { run, release: () => undefined } as unknown as GuestSeat;
	return new SeatedGuest(seat, programOf("return 1"));
}

const fault = { state: { kind: "stopped", limit: "fault" } };
const asked = { outbox: 'a 1 1 "search" {}\no' };

describe("a guest that says that an answer fits no open call is stopped", () => {
	test("where nothing was answered", async () => {
		expect(await guestThatSays({ unknownCall: 7 }).advance(deliveryOf([]))).toMatchObject(fault);
	});

	test("where it was stopped as well", async () => {
		const guest = guestThatSays({}, { unknownCall: 7, stop: "memory" });
		await guest.advance(deliveryOf([]));
		expect(await guest.advance(deliveryOf([ok(7, 1)]))).toMatchObject(fault);
	});

	test("where another call was answered", async () => {
		const guest = guestThatSays(asked, { unknownCall: 2 });
		await guest.advance(deliveryOf([]));
		expect(await guest.advance(deliveryOf([ok(1, 1)]))).toMatchObject(fault);
	});

	test("where it had asked for that one", async () => {
		const guest = guestThatSays(asked, { unknownCall: 1 });
		await guest.advance(deliveryOf([]));
		expect(await guest.advance(deliveryOf([ok(1, 1)]))).toMatchObject(fault);
	});
});

test.each([
	["was never asked", [ok(9, 1)], 9],
	["was answered before", [ok(1, 1)], 1],
])("whoever answers a call that %s is told so", async (_, answers, unknownCall) => {
	const guest = guestThatSays(asked, {}, { unknownCall });
	await guest.advance(deliveryOf([]));
	await guest.advance(deliveryOf([ok(1, 1)]));
	await expect(guest.advance(deliveryOf(answers))).rejects.toThrow(`call ${unknownCall} is open when it is answered`);
});
