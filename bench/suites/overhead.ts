import { type Benchmark, type PeerName, type Row, ratioRow, withPeers } from "../benchmark.ts";
import { lanesOf, ownLane, valuesOf } from "../lanes.ts";

const peers: readonly PeerName[] = ["aisdk", "openai", "langgraph", "mastra"];
const subject = "runs";

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
const rows = [
	...withPeers(oneTool, peers),
	ratioRow(oneTool, "aisdk", 0.5),
	...withPeers(streamed, peers),
	ratioRow(streamed, "aisdk", 0.25),
	...withPeers(fifty, peers),
	ratioRow(fifty, "aisdk", 0.5),
	fourfold,
];

/** The time that a run takes beside the model and the tool: policy, journal and its seals on, store in memory. */
export const overhead: readonly Benchmark[] = [
	{
		title: "Governed tool calls (model and tool answer at once; policy, journal and seals on; store in memory)",
		rows,
		peers,
		async run(context) {
			const whose = { subject, peers: context.peers };
			const twoHundred = ownLane("200tools", subject, { row: "calls", args: { calls: 200 } });
			const laps = await context.race([
				lanesOf(oneTool, { row: "calls", args: { calls: 1 } }, whose),
				lanesOf(streamed, { row: "stream", args: { calls: 1 } }, whose),
				[...lanesOf(fifty, { row: "calls", args: { calls: 50 } }, whose), twoHundred],
			]);
			return { ...valuesOf(rows, laps), [fourfold.name]: laps.ratio("200tools", fifty.name, "cpu") };
		},
	},
];
