import {
	type BenchContext,
	type Benchmark,
	type BesideName,
	besideTitles,
	type Row,
	type Values,
} from "../benchmark.ts";
import { cpuLoads } from "../cpu-loads.ts";
import { type Asked, ownLane, peerLane, spreadOf, valuesOf } from "../lanes.ts";
import type { Lane, Laps } from "../race.ts";
import { geometricMean } from "../statistics.ts";

const subject = "sandboxes";
/** Our other sandbox in turns with it. */
const both = ["wasm"] as const;
const codeMode = ["wasm", "aisdk-codemode"] as const;

/** A row of the micro-VM, what is asked for it, and what is measured beside it. */
interface Figure {
	readonly row: Row;
	readonly asked: Asked;
	readonly beside: readonly BesideName[];
	/** What a peer calls the same. */
	readonly peerAsked?: Asked;
	/** Milliseconds. */
	readonly hyperlight?: number;
}

type Target = readonly [unit: Row["unit"], target?: number | undefined];

function row(name: string, [unit, target]: Target, says: string): Row {
	const aim = target === undefined ? {} : ({ op: "<=", target } as const);
	return { name: `microvm.${name}`, unit, ...aim, says };
}

const besideOf = ({ name, unit }: Row, beside: BesideName): Row => {
	return { name: `${name}.${beside}`, unit, says: `the same: ${besideTitles[beside]}` };
};

function rowsOf({ row: own, beside, hyperlight }: Figure): readonly Row[] {
	const published = hyperlight === undefined ? [] : (["hyperlight_published"] as const);
	return [own, ...[...beside, ...published].map((each) => besideOf(own, each))];
}

function lanesOf({ row: own, asked, beside, peerAsked = asked }: Figure, { peers }: BenchContext): readonly Lane[] {
	const ofSandbox = (key: string, microvm: number) =>
		ownLane(key, subject, { ...asked, args: { ...asked.args, microvm } });
	const others = beside.flatMap((name): Lane[] => {
		const key = `${own.name}.${name}`;
		if (name === "wasm") return [ofSandbox(key, 0)];
		const peer = peers.find((each) => each === name);
		return peer ? [peerLane(key, peer, peerAsked)] : [];
	});
	return [ofSandbox(own.name, 1), ...others];
}

const published = (figures: readonly Figure[]): Values =>
	Object.fromEntries(
		figures.flatMap(({ row: own, hyperlight }) =>
			hyperlight === undefined ? [] : [[`${own.name}.hyperlight_published`, hyperlight]],
		),
	);

/** Nothing of it can be measured where the micro-VM does not boot. */
function besideWasm(parts: Omit<Benchmark, "beside"> & Partial<Pick<Benchmark, "beside">>): Benchmark {
	return {
		beside: both,
		...parts,
		async run(context) {
			const works = await context.race([[ownLane("works", subject, { row: "works" })]], { rounds: 1, slices: 1 });
			if (works.value("works") === 1) return parts.run(context);
			context.note("The micro-VM does not boot on this machine (holdpoint doctor says why), so it was not measured.");
			return Object.fromEntries(parts.rows.map(({ name }) => [name, undefined]));
		},
	};
}

const short: readonly Figure[] = [
	{
		row: row("first", ["ms", 40], "a fresh sandbox to its first result: the process, the machine and the engine start"),
		asked: { row: "first" },
		beside: both,
		hyperlight: 96.7,
	},
	{
		row: row(
			"new_process",
			["ms", 15],
			"a program that finds no machine free: a new process, its boot, the first result",
		),
		asked: { row: "process" },
		beside: [],
	},
	{
		row: row("no_calls", ["ms", 0.35], "a program without calls, in a machine that was reset beforehand"),
		asked: { row: "calls", args: { calls: 0 } },
		beside: codeMode,
		peerAsked: { row: "empty" },
		hyperlight: 0.1,
	},
	{
		row: row("no_calls_reset_included", ["ms", 0.5], "the same right after another program, the reset included"),
		asked: { row: "again" },
		beside: both,
		hyperlight: 0.7,
	},
	{
		row: row("1call", ["ms", 0.9], "a program with one call"),
		asked: { row: "calls", args: { calls: 1 } },
		beside: codeMode,
		peerAsked: { row: "sequential", args: { calls: 1 } },
	},
];

const call: Figure = {
	row: row(
		"call",
		["µs", 170],
		"a call: an answer in, to the next call out; there is one kind, which a program awaits",
	),
	asked: { row: "call" },
	beside: both,
};
const fifty: Figure = {
	row: row("50_sequential", ["ms", 18], "50 calls, one after the other"),
	asked: { row: "calls", args: { calls: 50 } },
	beside: codeMode,
	peerAsked: { row: "sequential", args: { calls: 50 } },
};
const batch: Figure = {
	row: row("50_parallel", ["ms"], "50 calls at once"),
	asked: { row: "batch", args: { calls: 50 } },
	beside: both,
};
const perCall = row("call_of_batch", ["×", 1], "a call of 50 at once, divided by one of 50 after each other");

const waits: readonly Figure[] = [
	{
		row: row("suspend_after_9", ["ms", 3], "the snapshot of a program that waits after 9 calls, compressed"),
		asked: { row: "suspend", args: { calls: 9 } },
		beside: both,
	},
	{
		row: row("resume_after_9", ["ms", 3], "go on with a snapshot of another process that is gone, and its next slice"),
		asked: { row: "resume", args: { calls: 9 } },
		beside: codeMode,
	},
];
const kept: readonly Figure[] = [
	{
		row: row("bytes_raw_after_9", ["B", 250_000], "the pages of that snapshot before their compression"),
		asked: { row: "raw", args: { calls: 9 } },
		beside: both,
	},
	{
		row: row("bytes_kept_after_9", ["B", 12_000], "the snapshot of a program that waits after 9 calls"),
		asked: { row: "kept", args: { calls: 9 } },
		beside: codeMode,
	},
	{
		row: row("memory_idle", ["MB", 1], "what an idle machine's process has for itself"),
		asked: { row: "idle" },
		beside: [],
	},
];

const cpu: readonly Figure[] = cpuLoads.map(({ name, says }, load) => ({
	row: row(`cpu_${name}`, ["ms"], says),
	asked: { row: "cpu", args: { load } },
	beside: ["wasm", "quickjs"],
}));
const cpuOf = (beside: "wasm" | "quickjs", target?: number) =>
	row(`cpu.ratio_${beside}`, ["×", target], `the geometric mean of the ratios to ${besideTitles[beside]}`);
const cpuMeans = { quickjs: cpuOf("quickjs", 1.9), wasm: cpuOf("wasm") };

/** One value for each slice: the mean over the loads. */
function cpuMean(beside: "wasm" | "quickjs", laps: Laps) {
	const [first = [], ...others] = cpu.map(({ row: own }) => laps.ratios(own.name, `${own.name}.${beside}`));
	const slices = first.map((ratio, at) => geometricMean([ratio, ...others.map((ratios) => ratios[at] ?? Number.NaN)]));
	return spreadOf(cpuMeans[beside], slices.filter(Number.isFinite));
}

const endless = [
	["loop", "a loop"],
	["builtin", "one long function of the engine"],
	["large", "a loop that has filled its memory with objects"],
] as const;
const overshoots: readonly Figure[] = endless.flatMap(([name, says], program): readonly Figure[] => [
	{
		row: row(`overshoot_${name}`, ["ms", 2], says),
		asked: { row: "overshoot", args: { program } },
		beside: both,
	},
	{
		row: row(
			`overshoot_${name}_cpu`,
			["ms", 2],
			"the same of a limit of CPU time, which a busy machine does not change",
		),
		asked: { row: "overshoot", args: { program, cpu: 1 } },
		beside: [],
	},
]);

const sustained = {
	perSecond: { ...row("programs_per_s", ["programs/s"], "programs a second, two at a time"), op: ">=", target: 200 },
	drift: row(
		"programs_drift",
		["×", 1.1],
		"time of the last thousand (its fastest tenth), divided by that of the first",
	),
	grown: row("programs_memory", ["MB", 8], "resident memory that they leave behind, of Node and all machines"),
	processes: row("programs_processes", ["processes", 0], "processes that they leave behind"),
	files: row("programs_files", ["files", 0], "open files that they leave behind"),
} as const satisfies Record<string, Row>;

const quick = { warmup: { ms: 300, min: 2 }, slice: { ms: 150, min: 3 } } as const;

/** Guests and nothing around them, on one core beside the sandbox's own: the two sandboxes in turns. */
export const microvm: readonly Benchmark[] = [
	besideWasm({
		title: "The micro-VM beside WebAssembly (guests alone, without a run)",
		rows: short.flatMap(rowsOf),
		peers: ["aisdk-codemode"],
		beside: ["wasm", "hyperlight_published"],
		async run(context) {
			const laps = await context.race(
				short.map((figure) => lanesOf(figure, context)),
				quick,
			);
			return { ...valuesOf(short.flatMap(rowsOf), laps), ...published(short) };
		},
	}),
	besideWasm({
		title: "The micro-VM: calls of a program",
		rows: [...[call, fifty, batch].flatMap(rowsOf), perCall],
		peers: ["aisdk-codemode"],
		async run(context) {
			const groups = [lanesOf(call, context), [fifty, batch].flatMap((figure) => lanesOf(figure, context))];
			const laps = await context.race(groups, quick);
			const ratio = spreadOf(perCall, laps.ratios(batch.row.name, fifty.row.name));
			return { ...valuesOf([call, fifty, batch].flatMap(rowsOf), laps), [perCall.name]: ratio };
		},
	}),
	besideWasm({
		title: "The micro-VM: programs that wait, and machines that are idle",
		rows: [...waits, ...kept].flatMap(rowsOf),
		peers: ["aisdk-codemode"],
		async run(context) {
			const lanes = (figures: readonly Figure[]) => figures.map((figure) => lanesOf(figure, context));
			const laps = await context.race(lanes(waits), quick);
			const once = await context.race(lanes(kept), { slices: 1 });
			return { ...valuesOf(waits.flatMap(rowsOf), laps), ...valuesOf(kept.flatMap(rowsOf), once) };
		},
	}),
	besideWasm({
		title: "The micro-VM: programs that compute (CPU time; the same text for every engine)",
		rows: [...cpu.flatMap(rowsOf), ...Object.values(cpuMeans)],
		peers: ["quickjs"],
		async run(context) {
			const pace = { rounds: 2, slices: 3, warmup: { ms: 0, min: 1 }, slice: { ms: 0, min: 2 } };
			const laps = await context.race(
				cpu.map((figure) => lanesOf(figure, context)),
				pace,
			);
			const means = [cpuMeans.quickjs, cpuMeans.wasm].map((each) => each.name);
			if (!context.peers.includes("quickjs"))
				context.note("Native QuickJS is not here, so nothing is compared with it.");
			const values = [cpuMean("quickjs", laps), cpuMean("wasm", laps)];
			return {
				...valuesOf(cpu.flatMap(rowsOf), laps),
				...Object.fromEntries(means.map((name, at) => [name, values[at]])),
			};
		},
	}),
	besideWasm({
		title: "The micro-VM: beyond a deadline of 60 ms, until the caller has its answer",
		rows: overshoots.flatMap(rowsOf),
		async run(context) {
			const pace = { slices: 3, warmup: { ms: 0, min: 1 }, slice: { ms: 0, min: 5 } };
			const laps = await context.race(
				overshoots.map((figure) => lanesOf(figure, context)),
				pace,
			);
			return valuesOf(overshoots.flatMap(rowsOf), laps);
		},
	}),
	besideWasm({
		title: "The micro-VM: 10,000 programs with one call each, two at a time",
		rows: Object.values(sustained).flatMap((own) => [own, besideOf(own, "wasm")]),
		async run(context) {
			const args = { programs: context.count(10_000), window: context.count(1_000) };
			const lanes = [1, 0].map((microvm) =>
				ownLane(`sustained ${microvm}`, "sustained", { row: "sustained", args: { ...args, microvm } }),
			);
			const laps = await context.race([lanes], { rounds: 1, slices: 1, warmup: { ms: 0, min: 0 } });
			const entries = Object.entries(sustained).flatMap(([number, own]) => [
				[own.name, spreadOf(own, laps.each("sustained 1", number))] as const,
				[`${own.name}.wasm`, spreadOf(own, laps.each("sustained 0", number))] as const,
			]);
			return Object.fromEntries(entries);
		},
	}),
];
