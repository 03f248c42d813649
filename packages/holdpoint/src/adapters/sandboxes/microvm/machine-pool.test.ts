import { readdirSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import type { Guest, ProgramSpec, SandboxProvider, Slice } from "../../../spec/sandbox.ts";
import { begin, deliveryOf, evaluate, ok, play, programOf, valueOf } from "../../../testing/sandbox-play.ts";
import { machinePids, whyNoMicrovm } from "./machines-for-tests.ts";
import { type MicrovmSandboxOptions, microvmSandbox } from "./provider.ts";

const why = await whyNoMicrovm();
if (why) console.log(`skipped: ${why}`);

const open = new Set<SandboxProvider>();
function sandboxOf(options: MicrovmSandboxOptions = {}): SandboxProvider {
	const sandbox = microvmSandbox({ machinesMax: 1, ...options });
	open.add(sandbox);
	return sandbox;
}
afterEach(async () => {
	for (const sandbox of open) await sandbox.close();
	open.clear();
	expect(machinePids()).toEqual([]);
});

const first = deliveryOf([]);

async function startFor(sandbox: SandboxProvider, principal: string, source: string): Promise<Guest> {
	return sandbox.start({ ...programOf(source), principal });
}

async function run(guest: Guest): Promise<unknown> {
	const { state } = await guest.advance(first);
	return state.kind === "returned" ? JSON.parse(state.value) : state;
}

const endless = "for (;;);";
const asking = "let sum = 0; for (;;) { const r = await tools.search(sum); if (r === 0) return sum; sum += r; }";

describe.skipIf(why)("machines", () => {
	test("invariant 1: serve one principal each", async () => {
		const sandbox = sandboxOf();
		expect(await sandbox.probe()).toMatchObject({ ok: true, provider: "microvm" });
		const booted = machinePids();
		expect(await run(await startFor(sandbox, "ann", "return 1"))).toBe(1);
		// What only a probe of ours has used is anybody's.
		expect(machinePids()).toEqual(booted);
		expect(await run(await startFor(sandbox, "ann", "return 2"))).toBe(2);
		expect(machinePids()).toEqual(booted);
		expect(await run(await startFor(sandbox, "ben", "return 3"))).toBe(3);
		expect(machinePids()).toHaveLength(1);
		expect(machinePids()).not.toEqual(booted);
	});

	test("invariant 1: also where the other one's guest only rests", async () => {
		const sandbox = sandboxOf();
		const ann = await startFor(sandbox, "ann", "globalThis.secret = 'ann'; return (await tools.search()) + secret");
		await ann.advance(first);
		const [annsMachine] = machinePids();
		expect(await run(await startFor(sandbox, "ben", "return typeof secret"))).toBe("undefined");
		expect(machinePids()).not.toContain(annsMachine);
		expect(valueOf(await ann.advance(deliveryOf([ok(1, "for ")])))).toBe("for ann");
	});

	test.each([1, 2])(
		"invariant 2: are never more than %d, and are given in the order of asking",
		async (machinesMax) => {
			const sandbox = sandboxOf({ machinesMax });
			const order: number[] = [];
			let most = 0;
			const programs = Array.from({ length: 12 }, async (_, n) => {
				const guest = await sandbox.start(programOf("for (let i = 0; i < 1e4; i++); return 1"));
				await guest.advance(first);
				most = Math.max(most, machinePids().length);
				order.push(n);
			});
			await Promise.all(programs);
			expect(most).toBeLessThanOrEqual(machinesMax);
			// With more than one, one that started later may well end earlier.
			expect(machinesMax === 1 ? order : order.toSorted((one, other) => one - other)).toEqual([...programs.keys()]);
		},
	);

	test("invariant 3: programs that wait for one another all end", async () => {
		const sandbox = sandboxOf();
		/** Each answers its call with the value of a program of its own. */
		const nested = async (depth: number): Promise<number> => {
			const { guest, slice } = await begin(sandbox, "return 1 + await tools.search()");
			expect(slice.state.kind).toBe("open");
			const inner = depth === 0 ? 0 : await nested(depth - 1);
			return valueOf(await guest.advance(deliveryOf([ok(1, inner)]))) as number;
		};
		expect(await nested(6)).toBe(7);
	});

	test("invariant 3: many programs share few machines, and each goes on where it was", async () => {
		const sandbox = sandboxOf({ machinesMax: 2 });
		const guests = await Promise.all(Array.from({ length: 9 }, () => begin(sandbox, asking)));
		let slices: Slice[] = [];
		for (let n = 1; n <= 4; n++) {
			slices = await Promise.all(
				guests.map(({ guest }, at) => guest.advance(deliveryOf([ok(n, n === 4 ? 0 : at + 1)]))),
			);
		}
		expect(slices.map((slice) => valueOf({ state: slice.state } as never))).toEqual(
			guests.map((_, at) => 3 * (at + 1)),
		);
	});

	test("a guest that was moved out is snapshotted, and dropped, like any other", async () => {
		const sandbox = sandboxOf();
		const kept = await begin(sandbox, "return (await tools.search()) + 1");
		const dropped = await begin(sandbox, "return (await tools.search()) + 2");
		await begin(sandbox, "return (await tools.search()) + 3");
		const snapshot = await kept.guest.snapshot();
		kept.guest.dispose();
		dropped.guest.dispose();
		const again = await sandbox.restore(snapshot, kept.program);
		expect(valueOf(await again.advance(deliveryOf([ok(1, 1)])))).toBe(2);
	});

	test("are replaced after their number of programs", async () => {
		const sandbox = sandboxOf({ programsPerMachineMax: 3 });
		const seen = new Set<number | undefined>();
		for (let i = 0; i < 7; i++) {
			const { guest } = await begin(sandbox, "await tools.search()");
			seen.add(machinePids()[0]);
			guest.dispose();
		}
		expect(seen.size).toBe(3);
	});

	test("with more memory are had by the programs that need it", async () => {
		const sandbox = sandboxOf();
		const source = "const a = []; for (let i = 0; i < 150; i++) a.push(new Uint8Array(1e6).fill(1)); return a.length;";
		expect(await evaluate(sandbox, source, { limits: { memoryBytesMax: 200e6 } })).toBe(150);
		expect((await play(sandbox, source)).state).toMatchObject({ kind: "stopped", limit: "memory" });
	});
});

test.skipIf(why)("thousands of programs leave nothing behind", { timeout: 60_000 }, async () => {
	const sandbox = sandboxOf({ machinesMax: 2, programsPerMachineMax: 300 });
	const files = () => readdirSync("/proc/self/fd").length;
	const batch = async () => {
		for (let i = 0; i < 500; i++) {
			expect(
				await evaluate(sandbox, "const r = await tools.search(7); return [typeof left, (globalThis.left = r)]"),
			).toEqual(["undefined", 7]);
		}
	};
	await batch();
	const before = files();
	for (let i = 0; i < 3; i++) await batch();
	// One more machine may be booting at the moment of looking, or one less.
	expect(Math.abs(files() - before)).toBeLessThanOrEqual(3);
	expect(machinePids().length).toBeLessThanOrEqual(2);
});

describe.skipIf(why)("a lost process", () => {
	test("between two slices loses the guest, and the next one gets a new machine", async () => {
		const sandbox = sandboxOf();
		const { guest } = await begin(sandbox, "return await tools.search()");
		for (const pid of machinePids()) process.kill(pid, "SIGKILL");
		await expect(guest.advance(deliveryOf([ok(1, 1)]))).rejects.toMatchObject({ code: "sandbox.fault" });
		expect(await evaluate(sandbox, "return 1")).toBe(1);
	});

	test.each([
		["SIGKILL", "of somebody's kill, or for want of memory on the host, is no fault of its program"],
		["SIGTERM", "of a supervisor that ends everything is none either"],
		["SIGSEGV", "of anything else is its program's fault"],
	] as const)("in a slice: %s %s", async (...[signal]) => {
		const sandbox = sandboxOf();
		const { guest } = await begin(sandbox, `await tools.search(); ${endless}`);
		const slice = guest.advance(deliveryOf([ok(1, 1)])).catch((error: unknown) => error);
		await setImmediate();
		for (const pid of machinePids()) process.kill(pid, signal);
		const fault = { state: { kind: "stopped", limit: "fault" } };
		expect(await slice).toMatchObject(signal === "SIGSEGV" ? fault : { code: "sandbox.fault" });
		expect(await evaluate(sandbox, "return 1")).toBe(1);
	});

	test("in the first slice is made up for with another machine", async () => {
		const sandbox = sandboxOf({ machinesMax: 3, warm: 3 });
		const { guest } = await begin(sandbox, "return 1");
		guest.dispose();
		const sum = evaluate(sandbox, "let sum = 0; for (let i = 0; i < 1e5; i++) sum += i; return sum");
		for (const pid of machinePids()) process.kill(pid, "SIGKILL");
		expect(await sum).toBe(4_999_950_000);
	});

	test("that cleans itself does not leave whoever waits for it waiting", async () => {
		const sandbox = sandboxOf();
		const { guest } = await begin(sandbox, "return await tools.search()");
		const strike = (signal: NodeJS.Signals) => machinePids().forEach((pid) => void process.kill(pid, signal));
		strike("SIGSTOP");
		guest.dispose();
		const next = evaluate(sandbox, "return 1");
		await setImmediate();
		strike("SIGKILL");
		expect(await next).toBe(1);
	});

	test("while it is snapshotted or restored is a lost guest", async () => {
		const sandbox = sandboxOf();
		const { guest, program } = await begin(sandbox, "return await tools.search()");
		const snapshot = await guest.snapshot();
		const asked = [guest.snapshot(), sandbox.restore(snapshot, program)].map((work) => work.catch((error) => error));
		for (const pid of machinePids()) process.kill(pid, "SIGKILL");
		const [taken, restored] = await Promise.all(asked);
		expect(taken).toMatchObject({ code: "sandbox.fault" });
		// It had waited for the machine and got the next one.
		expect(valueOf(await (restored as Guest).advance(deliveryOf([ok(1, 5)])))).toBe(5);
	});

	test("that does not answer any more is ended at its deadline", async () => {
		const sandbox = sandboxOf();
		const program: ProgramSpec = programOf("return await tools.search()", { limits: { sliceMs: 50 } });
		const guest = await sandbox.start(program);
		await guest.advance(first);
		for (const pid of machinePids()) process.kill(pid, "SIGSTOP");
		expect(await guest.advance(deliveryOf([ok(1, 1)]))).toMatchObject({ state: { kind: "stopped", limit: "slice" } });
		expect(await evaluate(sandbox, "return 1")).toBe(1);
	});
});

describe.skipIf(why)("closing", () => {
	test("ends what runs and what waits, and every process", async () => {
		const sandbox = sandboxOf();
		const guests = await Promise.all(Array.from({ length: 3 }, () => sandbox.start(programOf(endless))));
		const slices = guests.map((guest) => guest.advance(first).catch((error: unknown) => error));
		await setImmediate();
		await sandbox.close();
		for (const end of await Promise.all(slices)) expect(end).toMatchObject({ code: "sandbox.unavailable" });
		expect(machinePids()).toEqual([]);
	});

	test("a signal takes a program out of the queue", async () => {
		const sandbox = sandboxOf();
		const [busy, queued] = [new AbortController(), new AbortController()];
		const running = begin(sandbox, endless, { signal: busy.signal });
		await setImmediate();
		const waiting = begin(sandbox, endless, { signal: queued.signal });
		await setImmediate();
		queued.abort();
		expect((await waiting).slice.state).toMatchObject({ kind: "stopped", limit: "cancelled" });
		busy.abort();
		expect((await running).slice.state).toMatchObject({ kind: "stopped", limit: "cancelled" });
	});
});
