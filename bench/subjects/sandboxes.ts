/** The two sandboxes side by side, at their port: no run, no journal, nothing but guests. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { microvmSandbox } from "holdpoint/sandboxes/microvm";
import { machineProcesses, ownBytes } from "../child-processes.ts";
import { cpuLoads } from "../cpu-loads.ts";
import {
	advance,
	aMoment,
	batching,
	finish,
	freshSandbox,
	type Guest,
	limits,
	looping,
	programOf,
	sandbox,
	waiting,
} from "../guests.ts";
import type { Numbers } from "../statistics.ts";
import { serveRows, timed } from "../subject.ts";
import { check } from "../work.ts";

/** A guest that lives over many repetitions, and how many of its calls were answered. */
let caller: { readonly guest: Guest; calls: number } | undefined;

const snapshots = new Map<string, Uint8Array>();

/** Made by a process of its own, that has ended. */
function snapshotFromElsewhere({ calls = 0, microvm = 0 }: Numbers): Uint8Array {
	const key = `${microvm} ${calls}`;
	const made = snapshots.get(key) ?? suspendElsewhere([calls, microvm].map(String));
	snapshots.set(key, made);
	return made;
}

function suspendElsewhere(args: readonly string[]): Uint8Array {
	const file = join(import.meta.dirname, "suspend-elsewhere.ts");
	const done = spawnSync(process.execPath, [...process.execArgv, file, ...args], { encoding: "utf8" });
	check(done.status === 0, done.stderr);
	return Buffer.from(done.stdout, "base64");
}

const deadlineMs = 60;
const endless = [
	"for (;;);",
	"for (;;) 7n ** 370000n",
	"const all = []; for (;;) { const some = []; all.push(some); for (let i = 0; i < 1000; i++) some.push({ i }); }",
] as const;

await serveRows({
	calls: timed({
		async prepare(args) {
			const guest = await sandbox(args).start(looping(args["calls"] ?? 0));
			await aMoment();
			return guest;
		},
		run: (guest, { calls = 0 }) => finish(guest, calls),
	}),
	/** Its machine has just ended another program. */
	again: timed({
		async run(_, args) {
			await finish(await sandbox(args).start(looping(0)), 0);
		},
	}),
	batch: timed({
		async prepare(args) {
			const guest = await sandbox(args).start(batching(args["calls"] ?? 0));
			await aMoment();
			return guest;
		},
		async run(guest, { calls = 0 }) {
			await advance(guest);
			const value = await advance(guest, ...Array.from({ length: calls }, (_, i) => i + 1));
			check(value === String(calls), `it returned ${value}`);
		},
	}),
	/** An answer in, to the next call out. */
	call: timed({
		async prepare(args) {
			if (caller && caller.calls < limits.callsMax - 2) return caller;
			caller?.guest.dispose();
			caller = { guest: await sandbox(args).start(looping(limits.callsMax - 1)), calls: 0 };
			await advance(caller.guest);
			return caller;
		},
		async run(caller) {
			check((await advance(caller.guest, ++caller.calls)) === undefined, "it waits");
		},
		async end() {
			caller?.guest.dispose();
			caller = undefined;
		},
	}),
	/** A provider of its own, to its first result: what the first program of a process waits for. */
	first: timed({
		async run(_, { microvm }) {
			const fresh = freshSandbox(microvm);
			const began = performance.now();
			await finish(await fresh.start(looping(0)), 0);
			const ms = performance.now() - began;
			await fresh.close();
			return ms;
		},
	}),
	/** The one machine that was there has just been given to somebody else. */
	process: timed({
		async run() {
			const fresh = microvmSandbox({ warm: 1 });
			await fresh.probe();
			const first = fresh.start(looping(0)).then((guest) => finish(guest, 0));
			const began = performance.now();
			await finish(await fresh.start({ ...looping(0), principal: "ben" }), 0);
			const ms = performance.now() - began;
			await first;
			await fresh.close();
			return ms;
		},
	}),
	suspend: timed({
		prepare: waiting,
		async run(guest) {
			const began = performance.now();
			await guest.snapshot();
			const ms = performance.now() - began;
			guest.dispose();
			return ms;
		},
	}),
	/** In a machine that never saw the program, with the slice that follows. */
	resume: timed({
		begin(args) {
			snapshotFromElsewhere(args);
		},
		async prepare(args) {
			await aMoment();
			return snapshotFromElsewhere(args);
		},
		async run(snapshot, args) {
			const { calls = 0 } = args;
			const guest = await sandbox(args).restore(snapshot, looping(calls + 1));
			check((await advance(guest, calls + 1)) === String(calls + 1), "it ends");
		},
	}),
	async kept({ args }) {
		return { p50: snapshotFromElsewhere(args).length };
	},
	/** Before compression: so many pages, each with its number. Its head is that of `snapshot-header.ts`. */
	async raw({ args }) {
		const snapshot = Buffer.from(snapshotFromElsewhere(args));
		check(snapshot.toString("latin1", 0, 4) === "HPGS", "it is a snapshot");
		return { p50: snapshot.readUInt32LE(76) * (4 + 4_096) };
	},
	cpu: timed({
		async run(_, args) {
			const { source, value, name } = cpuLoads[args["load"] ?? 0] as (typeof cpuLoads)[number];
			const guest = await sandbox(args).start(programOf(source));
			const { state, cpuMs } = await guest.advance({ answers: [], clockMs: 0 });
			check(state.kind === "returned" && state.value === String(value), `${name} ended as ${JSON.stringify(state)}`);
			return cpuMs;
		},
	}),
	overshoot: timed({
		async prepare(args) {
			// What the last one left behind is cleared away, and what was ended for it is there again.
			await finish(await sandbox(args).start(looping(0)), 0);
			await aMoment();
		},
		async run(_, args) {
			const limit = args["cpu"] === 1 ? "cpu" : "slice";
			const program = programOf(endless[args["program"] ?? 0] ?? "", {
				limits: { ...limits, [`${limit}Ms`]: deadlineMs },
			});
			const guest = await sandbox(args).start(program);
			const began = performance.now();
			const { state, cpuMs } = await guest.advance({ answers: [], clockMs: 0 });
			const ms = limit === "cpu" ? cpuMs : performance.now() - began;
			check(state.kind === "stopped" && state.limit === limit, JSON.stringify(state));
			return ms - deadlineMs;
		},
	}),
	async idle() {
		for (let i = 0; i < 2; i++) (await waiting({ microvm: 1 })).dispose();
		await aMoment(20);
		const own = machineProcesses().map(ownBytes);
		return own.length === 0 ? {} : { p50: Math.max(...own) };
	},
	async works() {
		const fresh = microvmSandbox();
		const { ok } = await fresh.probe();
		await fresh.close();
		return { p50: ok ? 1 : 0 };
	},
});
