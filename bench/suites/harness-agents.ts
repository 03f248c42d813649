import type { Benchmark, Row, Values } from "../benchmark.ts";
import { numbersOf, ownLane, spreadOf } from "../lanes.ts";

const subject = "harness-agents";

const turnRows = {
	small: { name: "context.turn_100", unit: "µs", says: "from an answer to the next request, at 100 messages" },
	large: { name: "context.turn_5000", unit: "µs", says: "the same at 5,000 messages, nothing to compact" },
	ratio: {
		name: "context.turn_5000_ratio_100",
		unit: "×",
		op: "<=",
		target: 2,
		says: "the second, divided by the first: what is prepared grows with what is new, not with what is there",
	},
} as const satisfies { readonly [number: string]: Row };

const tokenRows = {
	tokens: {
		name: "harness.prompt_overhead_tokens",
		unit: "tokens",
		op: "<=",
		target: 1_200,
		says: "tokens of a prompt beside the user's own instructions, tools and messages, with every default on and nothing in memory",
	},
	full: {
		name: "harness.prompt_overhead_tokens_memory_full",
		unit: "tokens",
		op: "<=",
		target: 1_200,
		says: "the same with more in memory than its index may show: the most of prose, hex ids, ids of runs, and numbers",
	},
} as const satisfies { readonly [number: string]: Row };

const agents = 50;
const backgroundRows = {
	ms: {
		name: `background.${agents}_agents`,
		unit: "ms",
		says: `${agents} agents in the background of one run, started one a turn, each of two answers and a read; none is answered before all are open, and no model takes time; SQLite on disk`,
	},
	each: { name: `background.${agents}_agents_each`, unit: "ms", says: "the same, divided by their number" },
	peak: { name: `background.${agents}_agents_open`, unit: "agents", says: "of them open at once, by the journal" },
} as const satisfies { readonly [number: string]: Row };

const stored: Row = {
	name: "journal.bytes_per_turn",
	unit: "B",
	says: "stored by a turn of a harness agent with one small read; all rows and indexes",
};
const storedBare: Row = {
	...stored,
	name: "journal.bytes_per_turn_features_off",
	says: "the same with every feature off, memory, too",
};

/** What `harnessAgent` costs with its defaults. */
export const harnessAgents: readonly Benchmark[] = [
	{
		title: "A turn of a conversation that grows (store in memory)",
		rows: Object.values(turnRows),
		async run(context): Promise<Values> {
			const args = { small: context.count(100), large: context.count(5_000) };
			const laps = await context.race([[ownLane("turns", subject, { row: "turns", args })]], { rounds: 2, slices: 3 });
			return numbersOf(turnRows, laps, "turns");
		},
	},
	{
		title: "What the defaults of a harness agent take of a prompt (o200k)",
		rows: Object.values(tokenRows),
		async run(context): Promise<Values> {
			const laps = await context.race([[ownLane("tokens", subject, { row: "promptTokens" })]], {
				rounds: 1,
				slices: 1,
			});
			return numbersOf(tokenRows, laps, "tokens");
		},
	},
	{
		title: "Agents in the background, all at once",
		rows: Object.values(backgroundRows),
		async run(context): Promise<Values> {
			const args = { agents: context.count(agents) };
			const laps = await context.race([[ownLane("background", subject, { row: "background", args })]], {
				rounds: 2,
				slices: 5,
			});
			return numbersOf(backgroundRows, laps, "background");
		},
	},
	{
		title: "What a turn of a harness agent stores (SQLite)",
		rows: [stored, storedBare],
		async run(context): Promise<Values> {
			const lanes = [stored, storedBare].map((row, at) =>
				ownLane(row.name, subject, { row: "storedTurn", args: { features: 1 - at } }),
			);
			const laps = await context.race([lanes], { rounds: 1, slices: 1 });
			return Object.fromEntries(
				[stored, storedBare].map((row) => [row.name, spreadOf(row, laps.each(row.name, "bytes"))]),
			);
		},
	},
];
