import { afterEach, describe, expect, test } from "vitest";
import type { GuestSeat, SliceEnd } from "../../holdpoint/src/adapters/sandboxes/guest-image/guest-seat.ts";
import { SeatedGuest } from "../../holdpoint/src/adapters/sandboxes/guest-image/seated-guest.ts";
import { MicrovmdLost, type MicrovmSlice } from "../../holdpoint/src/adapters/sandboxes/microvm/microvmd-client.ts";
import type { ProgramLimits } from "../../holdpoint/src/spec/limits.ts";
import type { SliceState } from "../../holdpoint/src/spec/sandbox.ts";
import { deliveryOf, ok, programOf } from "../../holdpoint/src/testing/sandbox-play.ts";
import { budget, hostileFile, killMachines, spawnMachine, start, textOf, whyNoMachine } from "./machine-for-tests.ts";

if (whyNoMachine) console.log(`skipped: ${whyNoMachine}`);
afterEach(killMachines);

async function attackNames(): Promise<string[]> {
	const machine = await spawnMachine(hostileFile);
	const names = textOf(await machine.start(Buffer.from("list"), budget))
		.trim()
		.split("\n");
	machine.kill();
	return names;
}

/** What one attack came to, on a machine of its own. */
async function attack(number: number, name: string): Promise<MicrovmSlice | MicrovmdLost> {
	const machine = await spawnMachine(hostileFile);
	try {
		return await machine.start(Buffer.from(String(number)), { ...budget, sliceMs: name.startsWith("~") ? 30 : 5_000 });
	} catch (error) {
		if (error instanceof MicrovmdLost) return error;
		throw error;
	} finally {
		machine.kill();
	}
}

/** Says what is wrong with how an attack ended; nothing where it ended as it must. */
function complaint(name: string, end: MicrovmSlice | MicrovmdLost): string | undefined {
	const died = end instanceof MicrovmdLost && (end.stop === "fault" || end.stop === "stack");
	const survived = !(end instanceof MicrovmdLost) && end.stop === "none";
	const stopped = !(end instanceof MicrovmdLost) && end.stop === "slice";
	const isRight = { "!": died, "?": died || survived, "~": stopped, "=": survived }[name[0] ?? ""] ?? false;
	if (isRight) return undefined;
	return `${name}: ${end instanceof MicrovmdLost ? `${end.stop} ${end.message}` : `${end.stop} ${textOf(end).slice(0, 40)}`}`;
}

describe.skipIf(whyNoMachine)("machine code in ring 3", () => {
	test("of a hostile guest harms nothing but its own machine", { timeout: 120_000 }, async () => {
		const names = await attackNames();
		// How many must die, may live, are stopped by the clock, do no harm: what is left out would go unnoticed.
		const countOf = (kind: string) => names.filter((name) => name.startsWith(kind)).length;
		expect({ "!": countOf("!"), "?": countOf("?"), "~": countOf("~"), "=": countOf("=") }).toEqual({
			"!": 139,
			"?": 41,
			"~": 3,
			"=": 7,
		});
		expect(new Set(names).size).toBe(names.length);
		const complaints: string[] = [];
		for (const [number, name] of names.entries()) {
			const wrong = complaint(name, await attack(number, name));
			if (wrong) complaints.push(wrong);
		}
		expect(complaints).toEqual([]);
		expect(textOf(await start(await spawnMachine(), "return 6 * 7"))).toBe("r 42");
	});

	test("cannot refuse an answer and stop as well", async () => {
		const number = (await attackNames()).indexOf("=unknown_with_stop");
		const machine = await spawnMachine(hostileFile);
		expect(textOf(await machine.start(Buffer.from(String(number)), budget))).toBe("o");
		await expect(machine.deliver(Buffer.from("[]"), budget)).rejects.toMatchObject({ stop: "fault" });
	});

	/** A program whose guest is this attack: what it says goes through all that any guest's words go through. */
	async function guestOf(
		name: string,
		limits: Partial<ProgramLimits>,
	): Promise<{ guest: SeatedGuest; slices: () => number }> {
		const number = String((await attackNames()).indexOf(name));
		const machine = await spawnMachine(hostileFile);
		let slices = 0;
		const seat: GuestSeat = {
			async run({ isFirst, message, ...order }): Promise<SliceEnd> {
				const text = Buffer.from(isFirst ? number : message);
				const { stop, ...end } = await (isFirst ? machine.start(text, order) : machine.deliver(text, order));
				slices++;
				return { ...end, stop: stop === "none" ? undefined : stop, outbox: Buffer.from(end.outbox).toString() };
			},
			snapshot: () => Promise.reject(new Error("of no use")),
			restore: () => Promise.reject(new Error("of no use")),
			release: () => machine.kill(),
		};
		const program = programOf("return 1", { limits });
		return { guest: new SeatedGuest(seat, program), slices: () => slices };
	}

	/** Answers whatever it asks, until it is stopped. */
	async function playedOut(guest: SeatedGuest): Promise<SliceState> {
		let { state, asks } = await guest.advance(deliveryOf([]));
		while (state.kind === "open") ({ state, asks } = await guest.advance(deliveryOf(asks.map(({ n }) => ok(n, 1)))));
		return state;
	}

	test.each<[string, string, Partial<ProgramLimits>, string, number]>([
		["asks without an end, after so many calls", "=asks_for_ever", { callsMax: 100 }, "fault", 101],
		["waits and never rests again, at the deadline", "=endless_later", { sliceMs: 30 }, "slice", 2],
	])("rings for ever in vain: one that %s", async (_, name, limits, limit, count) => {
		const { guest, slices } = await guestOf(name, limits);
		expect(await playedOut(guest)).toMatchObject({ kind: "stopped", limit });
		expect(slices()).toBe(count);
	});

	test("rings for ever in vain: the CPU time of all its slices adds up", async () => {
		const { guest } = await guestOf("=asks_for_ever", { cpuMs: 2, callsMax: 1_000_000 });
		expect(await playedOut(guest)).toMatchObject({ kind: "stopped", limit: "cpu" });
	});

	test.each(["sse", "avx", "bases", "rights"])("leaves no mark in registers (%s) beyond a reset", async (kind) => {
		const names = await attackNames();
		const number = (name: string): Buffer => Buffer.from(String(names.findIndex((each) => each.slice(1) === name)));
		const machine = await spawnMachine(hostileFile);
		const left = await machine.start(number(`leave_${kind}`), budget).catch((error: unknown) => error);
		// Where ring 3 may not use them there is nothing to find.
		if (left instanceof MicrovmdLost) return;
		expect(textOf(await machine.start(number(`find_${kind}`), budget))).toBe("survived");
	});
});
