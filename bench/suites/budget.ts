import type { Benchmark, Row } from "../benchmark.ts";
import { ownLane, valuesOf } from "../lanes.ts";

const without: Row = {
	name: "budget.1tool_without",
	unit: "µs",
	says: "a run with one governed tool call, without budgets",
};
const calls: Row = { name: "budget.1tool", unit: "µs", says: "the same, its call counted by a budget" };
const tokens: Row = {
	name: "budget.1tool_tokens",
	unit: "µs",
	says: "the same, its call and both answers counted: calls, tokens and time",
};
const crowd: Row = {
	name: "budget.100runs",
	unit: "ms",
	says: "100 runs at once with one call each, against one account",
};
const crowdWithout: Row = { name: "budget.100runs_without", unit: "ms", says: "the same without budgets" };
const rows = [without, calls, tokens, crowdWithout, crowd];

/** What it costs to hold before and to spend after. */
export const budget: readonly Benchmark[] = [
	{
		title: "Budgets (model and tool answer at once; store in memory)",
		rows,
		async run(context) {
			const lanes = [
				ownLane(without.name, "runs", { row: "counted", args: { runs: 1, budgets: 0 } }),
				ownLane(calls.name, "runs", { row: "counted", args: { runs: 1, budgets: 1 } }),
				ownLane(tokens.name, "runs", { row: "counted", args: { runs: 1, budgets: 3 } }),
				ownLane(crowdWithout.name, "runs", { row: "counted", args: { runs: 100, budgets: 0 } }),
				ownLane(crowd.name, "runs", { row: "counted", args: { runs: 100, budgets: 1 } }),
			];
			const laps = await context.race([lanes], { warmup: { ms: 1_000, min: 3 } });
			return valuesOf(rows, laps);
		},
	},
];
