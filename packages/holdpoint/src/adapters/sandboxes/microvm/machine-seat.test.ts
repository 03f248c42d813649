/** What a seat makes of a guest that lies; the machines are stand-ins, for no guest that is shipped does. */

import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { HoldpointError } from "../../../spec/errors.ts";
import type { ProgramLimits } from "../../../spec/limits.ts";
import { deliveryOf, ok, programOf } from "../../../testing/sandbox-play.ts";
import { SeatedGuest } from "../guest-image/seated-guest.ts";
import type { Machine } from "./machine.ts";
import { MachinePool } from "./machine-pool.ts";
import { MachineSeat } from "./machine-seat.ts";
import { type MicrovmdClient, MicrovmdLost, MicrovmdRefused, type MicrovmImage } from "./microvmd-client.ts";

/** One machine, whose guest waits after each slice and is this image. */
function poolOf(image: MicrovmImage, change: Partial<MicrovmdClient> = {}): MachinePool {
	const slice = { stop: "none", unknownCall: 0, cpuMs: 0, outbox: Buffer.from('a 1 1 "search" {}\no') } as const;
	const client = {
		start: async () => slice,
		deliver: async () => ({ ...slice, outbox: Buffer.from("r 1") }),
		snapshot: async () => image,
		restore: async () => undefined,
		reset: async () => undefined,
		ping: async () => undefined,
		...change,
	} as unknown as MicrovmdClient;
	const boot = async (memoryMiB: number): Promise<Machine> => {
		const { promise: gone, resolve } = Promise.withResolvers<void>();
		const end = async () => resolve();
		const ask = async <T>(work: (asked: MicrovmdClient) => Promise<T>) => {
			try {
				return await work(client);
			} catch (error) {
				// Its process is gone.
				if (error instanceof MicrovmdLost) resolve();
				throw error;
			}
		};
		const lossError = (cause: Error) => new HoldpointError("sandbox.fault", cause.message, { cause });
		const machine = { memoryMiB, principal: undefined, programs: 0, lost: undefined, gone, end, close: end };
		return Object.assign(machine, { ask, lossError }) as unknown as Machine;
	};
	return new MachinePool({ machinesMax: 1, warm: 1, programsMax: 99, memoryMiB: 80, movedBytesMax: 10_000, boot });
}

function guestIn(pool: MachinePool, limits: Partial<ProgramLimits> = {}): SeatedGuest {
	const program = programOf("return await tools.search({})", { limits });
	return new SeatedGuest(new MachineSeat(pool, program.limits, program.principal), program);
}

/** One that waits and had to make room for another one. */
async function movedOut(pool: MachinePool, limits: Partial<ProgramLimits> = {}): Promise<SeatedGuest> {
	const guest = guestIn(pool, limits);
	await guest.advance(deliveryOf([]));
	const other = guestIn(pool);
	await other.advance(deliveryOf([]));
	other.dispose();
	return guest;
}

const pages = { pageCount: 0, pages: new Uint8Array(0) };

test("a guest that was moved out goes on", async () => {
	const guest = await movedOut(poolOf({ memoryBytes: 65_536, ...pages }));
	expect(await guest.advance(deliveryOf([ok(1, 1)]))).toMatchObject({ state: { kind: "returned", value: "1" } });
});

test("a guest that has more memory than its program can use is lost when it is moved out", async () => {
	const tooMuch = 80 * 1_048_576 + 65_536;
	const guest = await movedOut(poolOf({ memoryBytes: tooMuch, ...pages }));
	await expect(guest.advance(deliveryOf([ok(1, 1)]))).rejects.toMatchObject({ code: "sandbox.fault" });
});

test("a guest that no machine takes in again is lost", async () => {
	const restore = () => Promise.reject(new MicrovmdRefused("its memory has an impossible size"));
	const guest = await movedOut(poolOf({ memoryBytes: 65_536, ...pages }, { restore }));
	await expect(guest.advance(deliveryOf([ok(1, 1)]))).rejects.toMatchObject({ code: "sandbox.fault" });
});

describe("a machine that is killed", () => {
	/** Machines that die of this; `begun` counts the slices that were begun. */
	function poolThatKills(isDeadAt: (call: number) => boolean) {
		const seen = { begun: 0, pings: 0 };
		const killed = () => Promise.reject(new MicrovmdLost("killed by SIGKILL", { wasKilled: true }));
		let calls = 0;
		const slice = { stop: "none", unknownCall: 0, cpuMs: 0, outbox: Buffer.from("r 1") } as const;
		const change: Partial<MicrovmdClient> = {
			start: () => {
				seen.begun++;
				return isDeadAt(++calls) ? killed() : Promise.resolve(slice);
			},
			ping: () => {
				seen.pings++;
				return isDeadAt(++calls) ? killed() : Promise.resolve();
			},
		};
		return { seen, pool: poolOf({ memoryBytes: 65_536, ...pages }, change) };
	}

	test("under a program that begins costs it nothing: it begins once more", async () => {
		const { seen, pool } = poolThatKills((call) => call === 1);
		expect(await guestIn(pool).advance(deliveryOf([]))).toMatchObject({ state: { kind: "returned" } });
		expect(seen).toEqual({ begun: 2, pings: 1 });
	});

	test("before a program begins is not counted, and others may be too", async () => {
		const { seen, pool } = poolThatKills((call) => call <= 5);
		expect(await guestIn(pool).advance(deliveryOf([]))).toMatchObject({ state: { kind: "returned" } });
		expect(seen).toEqual({ begun: 2, pings: 5 });
	});

	test("under a program that begins, and then another one, is the end of the program", async () => {
		const { seen, pool } = poolThatKills((call) => call !== 2);
		expect(await guestIn(pool).advance(deliveryOf([]))).toMatchObject({ state: { kind: "stopped", limit: "fault" } });
		expect(seen).toEqual({ begun: 2, pings: 1 });
	});
});

/** It cannot be made smaller: about 4,100 bytes. */
const large = { memoryBytes: 65_536, pageCount: 1, pages: randomBytes(4_100) };

test("a guest whose image is larger than a snapshot may be is lost when it is moved out", async () => {
	const guest = await movedOut(poolOf(large), { snapshotBytesMax: 4_000 });
	await expect(guest.advance(deliveryOf([ok(1, 1)]))).rejects.toMatchObject({ code: "sandbox.fault" });
});

test("guests that are moved out have so much room together, and one beyond is lost", async () => {
	const pool = poolOf(large);
	const kept = [await movedOut(pool), await movedOut(pool)];
	const lost = await movedOut(pool);
	await expect(lost.advance(deliveryOf([ok(1, 1)]))).rejects.toMatchObject({ code: "sandbox.fault" });
	for (const guest of kept) {
		expect(await guest.advance(deliveryOf([ok(1, 1)]))).toMatchObject({ state: { kind: "returned" } });
		const next = await movedOut(pool);
		expect(await next.advance(deliveryOf([ok(1, 1)]))).toMatchObject({ state: { kind: "returned" } });
	}
	(await movedOut(pool)).dispose();
	(await movedOut(pool)).dispose();
	const last = await movedOut(pool);
	expect(await last.advance(deliveryOf([ok(1, 1)]))).toMatchObject({ state: { kind: "returned" } });
});
