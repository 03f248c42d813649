import { type Benchmark, type PeerName, type Row, withPeers } from "../benchmark.ts";
import { lanesOf, valuesOf } from "../lanes.ts";

const peers: readonly PeerName[] = ["aisdk", "openai", "langgraph", "mastra"];

function resumeRow(calls: number, target: number): Row {
	const says = `answer a held call after ${calls} others, and finish the run`;
	return { name: `resume.after_${calls}`, unit: "ms", op: "<=", target, says };
}

const after0 = resumeRow(0, 0.2);
const after9 = resumeRow(9, 0.35);
const after200 = resumeRow(200, 5);
const rows = [...withPeers(after0, peers), ...withPeers(after9, peers), after200];

/** From the answer of a person to the end of the run: load, verify, fold, decide again, execute, one model answer. */
export const resume: readonly Benchmark[] = [
	{
		title: "Going on after an approval (store in memory; the stored state is verified)",
		rows,
		peers,
		run: async (context) => {
			const whose = { subject: "runs", peers: context.peers };
			const laps = await context.race(
				[
					lanesOf(after0, { row: "resume", args: { calls: 0 } }, whose),
					lanesOf(after9, { row: "resume", args: { calls: 9 } }, whose),
					lanesOf(after200, { row: "resume", args: { calls: 200 } }, { subject: "runs" }),
				],
				{ slices: 3, slice: { ms: 250, min: 5 } },
			);
			return valuesOf(rows, laps);
		},
	},
];
