/** What the pool does where machines cannot be had. The machines are stand-ins: a real one boots wherever it can. */
import { expect, test } from "vitest";
import type { Machine } from "./machine.ts";
import { type MachineNeed, MachinePool } from "./machine-pool.ts";

/** A host on which so many machines can live at a time, of which a boot fails beyond that. */
function hostOf(livesMax: number) {
	const host = { livesMax, alive: 0, most: 0, boots: 0 };
	const boot = async (memoryMiB: number): Promise<Machine> => {
		host.boots++;
		host.alive++;
		host.most = Math.max(host.most, host.alive);
		const { livesMax } = host;
		await Promise.resolve();
		const { promise: gone, resolve } = Promise.withResolvers<void>();
		const end = async () => {
			host.alive--;
			resolve();
		};
		if (host.alive > livesMax) {
			await end();
			throw new Error("no memory for another");
		}
		const machine = { memoryMiB, principal: undefined, programs: 0, lost: undefined, gone, end, close: end };
		return machine as unknown as Machine;
	};
	return { host, boot };
}

function poolOf(livesMax: number, machinesMax: number) {
	const { host, boot } = hostOf(livesMax);
	return {
		host,
		pool: new MachinePool({ machinesMax, warm: 1, programsMax: 9, memoryMiB: 80, movedBytesMax: 1e6, boot }),
	};
}

const need = (principal: string, memoryMiB = 80): MachineNeed => ({ principal, memoryMiB });

async function taken(pool: MachinePool, wanted: MachineNeed): Promise<Machine> {
	const machine = await pool.take(wanted);
	if (!machine) throw new Error("nobody cancelled");
	return machine;
}

test.each([
	["of another principal", need("ben")],
	["that is too small", need("ann", 200)],
])("an idle machine %s makes room where no other can be had", async (_, wanted) => {
	const { host, pool } = poolOf(1, 4);
	pool.give(await taken(pool, need("ann")));
	expect(await taken(pool, wanted)).toMatchObject(wanted);
	expect(host.alive).toBe(1);
});

test("whoever comes first fails where none can be had at all", async () => {
	const { host, pool } = poolOf(1, 4);
	pool.give(await taken(pool, need("ann")));
	host.livesMax = 0;
	await expect(pool.take(need("ben"))).rejects.toMatchObject({ code: "sandbox.unavailable" });
	host.livesMax = 1;
	expect(await taken(pool, need("ben"))).toMatchObject(need("ben"));
});

test("whoever comes first fails where all that there are hold guests that rest", async () => {
	const { pool } = poolOf(1, 4);
	await taken(pool, need("ann"));
	pool.rest({ moveOut: () => Promise.resolve() });
	for (const principal of ["ann", "ben"]) {
		await expect(pool.take(need(principal))).rejects.toMatchObject({ code: "sandbox.unavailable" });
	}
});

test("one that is at work is waited for, and then replaced", async () => {
	const { pool } = poolOf(1, 4);
	const machine = await taken(pool, need("ann"));
	const [ben, cid] = [taken(pool, need("ben")), taken(pool, need("cid"))];
	await new Promise((resolve) => setImmediate(resolve));
	pool.give(machine);
	expect(await ben).toMatchObject(need("ben"));
	pool.give(await ben);
	expect(await cid).toMatchObject(need("cid"));
});

test("an idle machine is kept for whoever waits behind one that cannot be served", async () => {
	const { pool } = poolOf(1, 4);
	const machine = await taken(pool, need("ann"));
	const [ben, ann] = [pool.take(need("ben")), pool.take(need("ann"))];
	const failed = expect(ben).rejects.toMatchObject({ code: "sandbox.unavailable" });
	pool.give(machine);
	await failed;
	expect(await ann).toBe(machine);
});

test("opening counts the machines that are under way", async () => {
	const { host, pool } = poolOf(9, 1);
	const [machine, open] = [taken(pool, need("ann")), pool.open(), pool.open()];
	expect(await open).toBe(await machine);
	expect(host).toMatchObject({ boots: 1, most: 1 });
});

test("a boot that fails once is tried once more", async () => {
	const { host, pool } = poolOf(0, 4);
	const machine = taken(pool, need("ann"));
	host.livesMax = 1;
	expect(await machine).toMatchObject(need("ann"));
});

test("opening survives a boot that was another one's", async () => {
	const { host, pool } = poolOf(0, 4);
	const machine = taken(pool, need("ann"));
	const open = pool.open();
	host.livesMax = 1;
	expect(await open).toBe(await machine);
});

test("opening in vain leaves nobody waiting", async () => {
	const { pool } = poolOf(0, 1);
	const ends = await Promise.allSettled([pool.open(), pool.take(need("ann"))]);
	for (const end of ends) expect(end).toMatchObject({ reason: { code: "sandbox.unavailable" } });
});
