import { type Benchmark, type PeerName, type Row, withPeers } from "../benchmark.ts";
import { lanesOf, valuesOf } from "../lanes.ts";

const peers: readonly PeerName[] = ["aisdk-codemode", "cf-codemode"];
const subject = "programs";

function row(name: string, target: number, says: string): Row {
	return { name: `program.${name}`, unit: "ms", op: "<=", target, says };
}

const empty = row("no_calls", 0.6, "a program without calls, on a warm worker");
const cold = row("no_calls_no_warm_instance", 6, "the same where no instance of the engine is ready");
const one = row("1call", 0.9, "a program with one tool call");
const sequential = row("50_sequential", 5, "50 calls, one after the other");
const parallel = row("50_parallel", 4, "50 calls at once");
const first: Row = {
	name: "program.first_in_process",
	unit: "ms",
	says: "the first program of a process: starts a thread and compiles the engine",
};

const suspendTargets = new Map([
	[0, 2],
	[9, 2],
	[200, 4],
]);
const resumeTargets = new Map([
	[0, 2],
	[9, 2.5],
	[200, 8],
]);
const keptTargets = new Map([
	[0, 8_000],
	[9, 11_000],
	[200, 34_000],
]);

const short = [...withPeers(empty, peers), cold, ...withPeers(one, peers), first];
const long = [...withPeers(sequential, peers), parallel];
const title = "wasm sandbox; a whole governed run around each, store in memory";

const waits = [0, 9, 200].map((calls) => {
	const suspend = row(
		`suspend_after_${calls}`,
		suspendTargets.get(calls) ?? 0,
		`from a held call, after ${calls} others, to the run's return`,
	);
	const resume = row(
		`resume_after_${calls}`,
		resumeTargets.get(calls) ?? 0,
		`go on with a program that was held at a call after ${calls} others and answered, and finish the run`,
	);
	const kept: Row = {
		name: `program.bytes_kept_after_${calls}`,
		unit: "B",
		op: "<=",
		target: keptTargets.get(calls) ?? 0,
		says: `the snapshot of a program that waits after ${calls} calls`,
	};
	return { calls, suspend, resume, kept };
});

const waiting = waits.flatMap(({ suspend, resume, kept }) => [
	...withPeers(suspend, ["cf-codemode"]),
	...withPeers(resume, peers),
	...withPeers(kept, ["aisdk-codemode"]),
]);

/** A whole governed run around each program: a model that writes it, reads its value and is done. */
export const program: readonly Benchmark[] = [
	{
		title: `Short programs (${title})`,
		rows: short,
		peers,
		async run(context) {
			const whose = { subject, peers: context.peers };
			const groups = [
				lanesOf(empty, { row: "empty" }, whose),
				lanesOf(one, { row: "sequential", args: { calls: 1 } }, whose),
			];
			const laps = await context.race(groups, { warmup: { ms: 1_500, min: 3 } });
			const alone = { slices: 1, warmup: { ms: 200, min: 1 }, slice: { ms: 500, min: 2 } };
			const colds = await context.race([lanesOf(cold, { row: "cold" }, { subject })], alone);
			const firsts = await context.race([lanesOf(first, { row: "first" }, { subject })], { slices: 1 });
			return { ...valuesOf(short, laps), ...valuesOf([cold], colds), ...valuesOf([first], firsts) };
		},
	},
	{
		title: `Programs with many calls (${title})`,
		rows: long,
		peers,
		async run(context) {
			const groups = [
				lanesOf(sequential, { row: "sequential", args: { calls: 50 } }, { subject, peers: context.peers }),
				lanesOf(parallel, { row: "parallel", args: { calls: 50 } }, { subject }),
			];
			return valuesOf(long, await context.race(groups, { warmup: { ms: 3_000, min: 3 } }));
		},
	},
	{
		title: "Programs that wait in their middle",
		rows: waiting,
		peers,
		async run(context) {
			const cloudflare = context.peers.filter((peer) => peer === "cf-codemode");
			const codeMode = context.peers.filter((peer) => peer === "aisdk-codemode");
			const laps = await context.race(
				waits.flatMap(({ calls, suspend, resume, kept }) => [
					lanesOf(suspend, { row: "suspend", args: { calls } }, { subject, peers: cloudflare }),
					lanesOf(resume, { row: "resume", args: { calls } }, { subject, peers: context.peers }),
					lanesOf(kept, { row: "kept", args: { calls } }, { subject, peers: codeMode }),
				]),
				{ slices: 3, warmup: { ms: 400, min: 2 }, slice: { ms: 300, min: 3 } },
			);
			return valuesOf(waiting, laps);
		},
	},
];
