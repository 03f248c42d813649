/** The two sandboxes side by side, at their port: no run, no journal, nothing but guests. */
import { readdirSync, readFileSync } from "node:fs";
import type { SandboxProvider } from "holdpoint";
import { microvmSandbox } from "holdpoint/sandboxes/microvm";
import { wasmSandbox } from "holdpoint/sandboxes/wasm";
import type { Numbers } from "../statistics.ts";
import { type Measure, serveRows, timed } from "../subject.ts";
import { check } from "../work.ts";

type ProgramSpec = Parameters<SandboxProvider["start"]>[0];
type Guest = Awaited<ReturnType<SandboxProvider["start"]>>;

const providers = { microvm: microvmSandbox, wasm: () => wasmSandbox({ workersMax: 1 }) };
const open = new Map<string, SandboxProvider>();

function provider(isMicrovm: number | undefined): SandboxProvider {
	const name = isMicrovm === 1 ? "microvm" : "wasm";
	const there = open.get(name) ?? providers[name]();
	open.set(name, there);
	return there;
}

const limits = {
	cpuMs: 10_000,
	sliceMs: 5_000,
	memoryBytesMax: 64 * 1_048_576,
	callsMax: 500,
	openCallsMax: 256,
	valueBytesMax: 4_194_304,
	consoleBytesMax: 65_536,
	sourceBytesMax: 262_144,
	snapshotBytesMax: 16 * 1_048_576,
};
const programOf = (source: string): ProgramSpec => {
	return { source, tools: ["find"], seed: 1, clockMs: 0, limits, principal: "ann" };
};
const looping = (calls: number) =>
	programOf(
		`const rows = []; for (let i = 0; i < ${calls}; i++) rows.push(await tools.find({ i })); return rows.length`,
	);
const row = JSON.stringify({ id: 7, name: "a row", price: 21 });

async function advance(guest: Guest, n: number): Promise<boolean> {
	const answers = n === 0 ? [] : [{ n, ok: row }];
	const { state } = await guest.advance({ answers, clockMs: 0 });
	check(state.kind === "open" || state.kind === "returned", JSON.stringify(state));
	return state.kind === "open";
}

const run = (calls: number): Measure =>
	timed({
		async prepare({ microvm }) {
			const guest = await provider(microvm).start(looping(calls));
			// What the sandbox does after a program has its time before the next, as between two answers of a model.
			await new Promise((resolve) => setTimeout(resolve, 1));
			return guest;
		},
		async run(guest) {
			let n = 0;
			while (await advance(guest, n)) n++;
			check(n === calls, `${n} calls`);
		},
	});

async function waiting({ microvm, calls = 0 }: Numbers): Promise<Guest> {
	const guest = await provider(microvm).start(looping(calls + 1));
	for (let n = 0; n <= calls; n++) check(await advance(guest, n), "it waits");
	return guest;
}

/** Processes of machines: what each has for itself, in bytes. */
function ownMemory(): number[] {
	return readdirSync("/proc").flatMap((pid) => {
		try {
			const [, name, , parent] = /^\d+ \((.*)\) (\S) (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
			if (name !== "microvmd" || Number(parent) !== process.pid) return [];
			const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
			const kilobytes = [...rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+)/gm)].map(([, each]) => Number(each));
			return [kilobytes.reduce((sum, each) => sum + each, 0) * 1_024];
		} catch {
			return [];
		}
	});
}

await serveRows({
	calls: (ask) => run(ask.args["calls"] ?? 0)(ask),
	/** A provider of its own, to its first result: what the first program of a process waits for. */
	first: timed({
		async run(_, { microvm }) {
			const fresh = microvm === 1 ? microvmSandbox({ warm: 1 }) : providers.wasm();
			const began = performance.now();
			await advance(await fresh.start(looping(0)), 0);
			const ms = performance.now() - began;
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
	/** In a fresh guest, with the slice that follows. */
	resume: timed({
		async prepare(args) {
			const guest = await waiting(args);
			const snapshot = await guest.snapshot();
			guest.dispose();
			await new Promise((resolve) => setTimeout(resolve, 1));
			return snapshot;
		},
		async run(snapshot, { microvm, calls = 0 }) {
			const guest = await provider(microvm).restore(snapshot, looping(calls + 1));
			check(!(await advance(guest, calls + 1)), "it ends");
		},
	}),
	async kept({ args }) {
		const guest = await waiting(args);
		const { length } = await guest.snapshot();
		guest.dispose();
		return { p50: length };
	},
	async idle() {
		const guest = await waiting({ microvm: 1 });
		guest.dispose();
		await (await waiting({ microvm: 1 })).dispose();
		const own = ownMemory().toSorted((one, other) => one - other);
		return own.length === 0 ? {} : { p50: own.at(-1) ?? 0 };
	},
	async works() {
		const fresh = microvmSandbox();
		const { ok } = await fresh.probe();
		await fresh.close();
		return { p50: ok ? 1 : 0 };
	},
});
