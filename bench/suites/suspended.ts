import { type BenchContext, type Benchmark, type PeerName, type Row, type Values, withPeers } from "../benchmark.ts";
import { lanesOf, numbersOf, ownLane } from "../lanes.ts";

const peers: readonly PeerName[] = ["aisdk", "openai", "langgraph", "mastra"];
const runs = 1_000;
/** Of a peer: what one holds is much the same for each. */
const peerRuns = 100;
const priors = [0, 9] as const;

function heapRow(calls: number): Row {
	const says = `heap of ${runs.toLocaleString("en")} runs that wait in SQLite after ${calls} calls`;
	return { name: `suspended.heap_after_${calls}`, unit: "MB", op: "<=", target: 2, says };
}

function bytesRow(calls: number): Row {
	const says = `stored bytes of a run that waits after ${calls} calls, beyond its messages; all rows and indexes`;
	return {
		name: `suspended.bytes_beyond_messages_after_${calls}`,
		unit: "B",
		op: "<=",
		target: 800 + 550 * calls,
		says,
	};
}

function wholeRow(calls: number): Row {
	return { name: `suspended.bytes_after_${calls}`, unit: "B", says: `the same, messages included` };
}

const held = priors.map((calls) => {
	const heap = heapRow(calls);
	const beyond = bytesRow(calls);
	const whole = wholeRow(calls);
	return { calls, heap, beyond, whole, rows: [...withPeers(heap, peers), beyond, ...withPeers(whole, peers)] };
});

async function measureHeld({
	context,
	...prior
}: (typeof held)[number] & { readonly context: BenchContext }): Promise<Values> {
	const { calls, heap, beyond, whole } = prior;
	const lanes = lanesOf(heap, { row: "suspended" }, { subject: "suspended", peers: context.peers }).map((lane) => {
		return { ...lane, args: { calls, runs: context.count(lane.whose === "peer" ? peerRuns : runs) } };
	});
	// A heap is settled, not timed: one slice in each fresh process, and what is live is the same each time.
	const laps = await context.race([lanes], { slices: 1 });
	const scaled: Record<string, number | undefined> = {};
	for (const { key, args } of lanes) {
		const bytes = laps.value(key, "heap");
		if (bytes !== undefined) scaled[key] = ((bytes / args.runs) * runs) / 1e6;
		const name = key.replace(heap.name, whole.name);
		scaled[name] = laps.value(key, "stored");
	}
	return { ...scaled, [beyond.name]: laps.value(heap.name, "beyond") };
}

const many = 10_000;
const manyRows = {
	heap: {
		name: "suspended.10k_heap",
		unit: "MB",
		op: "<=",
		target: 20,
		says: "settled heap that 10,000 waiting runs add, every tenth of them inside a program",
	},
	disk: {
		name: "suspended.10k_disk_per_run",
		unit: "B",
		op: "<=",
		target: 3_000,
		says: "disk per run beyond its snapshot",
	},
	resume: {
		name: "suspended.10k_resume",
		unit: "ms",
		op: "<=",
		target: 0.5,
		says: "go on with one of them that was answered, and finish it; without the time of its commits",
	},
	answer: {
		name: "suspended.10k_answer",
		unit: "ms",
		says: "leave the answer of a person to one of them, its commit included",
	},
	resumeWhole: { name: "suspended.10k_resume_with_commits", unit: "ms", says: "the same, commits included" },
	resumeProgram: {
		name: "suspended.10k_resume_program",
		unit: "ms",
		says: "the same for one inside a program, without commits",
	},
	snapshot: { name: "suspended.10k_snapshot", unit: "B", says: "a snapshot of a program in them" },
} as const satisfies { readonly [number: string]: Row };

/** Runs that wait hold nothing: they are rows. */
export const suspended: readonly Benchmark[] = [
	...held.map((prior) => ({
		title: `Runs that wait for an approval after ${prior.calls} calls`,
		rows: prior.rows,
		peers,
		run: (context: BenchContext) => measureHeld({ ...prior, context }),
	})),
	{
		title: "10,000 runs that wait in SQLite",
		rows: Object.values(manyRows),
		async run(context) {
			const args = { runs: context.smoke ? 20 : many, resumed: context.count(300) };
			const lane = ownLane("waiting", "suspended", { row: "waiting", args });
			return numbersOf(manyRows, await context.race([[lane]], { rounds: 1, slices: 1 }), lane.key);
		},
	},
];
