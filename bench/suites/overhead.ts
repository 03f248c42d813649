import { type Benchmark, type PeerName, type Row, ratioRow, withPeers } from "../benchmark.ts";
import { lanesOf, ownLane, spreadOf, valuesOf } from "../lanes.ts";

const peers: readonly PeerName[] = ["aisdk", "openai", "langgraph", "mastra"];
const subject = "runs";
/** The same for all, and long enough for their code to be compiled well. */
const pace = { warmup: { ms: 1_000, min: 3 } };

const oneTool: Row = {
	name: "overhead.1tool",
	unit: "µs",
	op: "<=",
	target: 130,
	guidance: true,
	says: "a run with one governed tool call",
};
const streamed: Row = {
	name: "overhead.1tool_stream",
	unit: "µs",
	op: "<=",
	target: 200,
	guidance: true,
	says: "the same, streamed",
};
const fifty: Row = {
	name: "overhead.50tools",
	unit: "ms",
	op: "<=",
	target: 3.5,
	guidance: true,
	says: "a run with 50 tool calls, one after the other",
};
const fourfold: Row = {
	name: "overhead.200tools_ratio_50tools",
	unit: "×",
	op: "<=",
	target: 4.5,
	says: "CPU time of a run with 200 calls, divided by that of one with 50",
};

function against(row: Row, ratio: number): readonly Row[] {
	return [...withPeers(row, peers), ratioRow(row, "aisdk", ratio)];
}

const oneRows = against(oneTool, 0.5);
const streamedRows = against(streamed, 0.25);
const fiftyRows = against(fifty, 0.5);
const what = "model and tool answer at once; policy, journal and seals on; store in memory";

/** The time that a run takes beside the model and the tool. */
export const overhead: readonly Benchmark[] = [
	{
		title: `One governed tool call (${what})`,
		rows: oneRows,
		peers,
		async run(context) {
			const whose = { subject, peers: context.peers };
			return valuesOf(
				oneRows,
				await context.race([lanesOf(oneTool, { row: "calls", args: { calls: 1 } }, whose)], pace),
			);
		},
	},
	{
		title: `One governed tool call, streamed (${what})`,
		rows: streamedRows,
		peers,
		async run(context) {
			const whose = { subject, peers: context.peers };
			const lanes = lanesOf(streamed, { row: "stream", args: { calls: 1 } }, whose);
			return valuesOf(streamedRows, await context.race([lanes], pace));
		},
	},
	{
		title: `Many tool calls, one after the other (${what})`,
		rows: [...fiftyRows, fourfold],
		peers,
		async run(context) {
			const whose = { subject, peers: context.peers };
			const twoHundred = ownLane("200tools", subject, { row: "calls", args: { calls: 200 } });
			const lanes = [...lanesOf(fifty, { row: "calls", args: { calls: 50 } }, whose), twoHundred];
			const laps = await context.race([lanes], pace);
			return {
				...valuesOf(fiftyRows, laps),
				[fourfold.name]: spreadOf(fourfold, laps.ratios("200tools", fifty.name, "cpu")),
			};
		},
	},
];
