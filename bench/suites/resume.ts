import { type Benchmark, type PeerName, type Row, withPeers } from "../benchmark.ts";
import { lanesOf, valuesOf } from "../lanes.ts";

const peers: readonly PeerName[] = ["aisdk", "openai", "langgraph", "mastra"];

function resumeRow(calls: number, target: number): Row {
	const says = `go on with a run that was held after ${calls} calls and answered, and finish it`;
	return { name: `resume.after_${calls}`, unit: "ms", op: "<=", target, says };
}

function answerRow(calls: number): Row {
	return {
		name: `resume.answer_after_${calls}`,
		unit: "ms",
		says: `leave the answer of a person to a call held after ${calls}`,
	};
}

const resumes = [resumeRow(0, 0.2), resumeRow(9, 0.35), resumeRow(200, 5)] as const;
const answers = [answerRow(0), answerRow(9), answerRow(200)] as const;
const calls = [0, 9, 200] as const;
/** Peers are not asked for 200: with some of them that takes minutes. */
const besidePeers = resumes.slice(0, 2);
const rows = [...resumes.flatMap((row) => (besidePeers.includes(row) ? withPeers(row, peers) : row)), ...answers];

/** Load, verify, fold, take the answer, decide again, execute, one model answer. */
export const resume: readonly Benchmark[] = [
	{
		title: "Going on after an approval (store in memory; the stored state is verified)",
		rows,
		peers,
		async run(context) {
			const groups = resumes.map((row, at) => {
				const args = { calls: calls[at] ?? 0 };
				const whose = { subject: "runs", peers: besidePeers.includes(row) ? context.peers : [] };
				return lanesOf(row, { row: "resume", args }, whose);
			});
			const left = answers.map((row, at) =>
				lanesOf(row, { row: "answer", args: { calls: calls[at] ?? 0 } }, { subject: "runs" }),
			);
			const pace = { slices: 3, slice: { ms: 250, min: 5 } };
			return valuesOf(rows, await context.race([...groups, ...left], pace));
		},
	},
];
