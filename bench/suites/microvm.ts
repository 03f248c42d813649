import type { Benchmark, Row } from "../benchmark.ts";
import { ownLane, valuesOf } from "../lanes.ts";

const subject = "sandboxes";

function row(name: string, target: number, says: string): Row {
	return { name: `microvm.${name}`, unit: "ms", op: "<=", target, says };
}

const asked = new Map([
	[
		row("first", 40, "a fresh sandbox to its first result: the process, the machine and the engine start"),
		{ row: "first" },
	],
	[
		row("no_calls", 0.5, "a program without calls, in a machine that ran another one before"),
		{ row: "calls", calls: 0 },
	],
	[row("1call", 0.9, "a program with one call"), { row: "calls", calls: 1 }],
	[row("50_sequential", 18, "50 calls, one after the other"), { row: "calls", calls: 50 }],
	[row("suspend_after_9", 3, "the snapshot of a program that waits after 9 calls"), { row: "suspend", calls: 9 }],
	[row("resume_after_9", 3, "into another guest, and its next slice"), { row: "resume", calls: 9 }],
] as const);
const kept: Row = {
	name: "microvm.bytes_kept_after_9",
	unit: "B",
	op: "<=",
	target: 12_000,
	says: "the snapshot of a program that waits after 9 calls",
};
const idle: Row = {
	name: "microvm.memory_idle",
	unit: "MB",
	op: "<=",
	target: 1,
	says: "what an idle machine's process has for itself",
};

const beside = (of: Row): Row => ({ name: `${of.name}.wasm`, unit: of.unit, says: "the same in the wasm sandbox" });
const rows = [...[...asked.keys()].flatMap((each) => [each, beside(each)]), kept, idle];

/** Guests and nothing around them, on one core beside the sandbox's own: the two sandboxes in turns. */
export const microvm: readonly Benchmark[] = [
	{
		title: "The micro-VM beside WebAssembly (guests alone, without a run)",
		rows,
		async run(context) {
			const works = await context.race([[ownLane("works", subject, { row: "works" })]], { rounds: 1, slices: 1 });
			if (works.value("works") !== 1) {
				context.note("The micro-VM does not boot on this machine (holdpoint doctor says why), so it was not measured.");
				return Object.fromEntries(rows.map(({ name }) => [name, undefined]));
			}
			const groups = [...asked].map(([each, { row: name, ...args }]) => [
				ownLane(each.name, subject, { row: name, args: { ...args, microvm: 1 } }),
				ownLane(beside(each).name, subject, { row: name, args: { ...args, microvm: 0 } }),
			]);
			const laps = await context.race(groups, { warmup: { ms: 300, min: 2 }, slice: { ms: 300, min: 3 } });
			const once = await context.race(
				[
					[ownLane(kept.name, subject, { row: "kept", args: { microvm: 1, calls: 9 } })],
					[ownLane(idle.name, subject, { row: "idle" })],
				],
				{ slices: 1 },
			);
			return { ...valuesOf(rows.slice(0, -2), laps), ...valuesOf([kept, idle], once) };
		},
	},
];
