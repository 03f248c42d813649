import type { Benchmark, Row, Values } from "../benchmark.ts";
import { numbersOf, ownLane, spreadOf } from "../lanes.ts";

const subject = "harness-agents";

const compacted: Row = {
	name: "context.session_2000_ms",
	unit: "ms",
	op: "<=",
	target: 60,
	says: "say something in a session of 2,000 messages in SQLite: load and verify them, compact them, answer, save",
};
const whole: Row = {
	name: "context.session_2000_uncompacted_ms",
	unit: "ms",
	says: "the same where all of it still fits, and nothing is compacted",
};
const chained: Row = {
	name: "context.session_run_114_ms",
	unit: "ms",
	says: "the same as the 114th run of a session, each with five reads: the runs before it are loaded and verified",
};
const second: Row = { name: "context.session_run_2_ms", unit: "ms", says: "the same as its second run" };

/** 999 calls with their results, the user's words and the answer. */
const long = { runs: 1, calls: 999 };
const window = 16_000;

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
		says: "tokens of a prompt beside the user's own instructions, tools and messages, with every default on",
	},
} as const satisfies { readonly [number: string]: Row };

const agents = 50;
const backgroundRows = {
	ms: {
		name: `background.${agents}_agents`,
		unit: "ms",
		says: `${agents} agents in the background of one run, SQLite on disk`,
	},
	each: { name: `background.${agents}_agents_each`, unit: "ms", says: "the same, divided by their number" },
} as const satisfies { readonly [number: string]: Row };

const stored: Row = {
	name: "journal.bytes_per_turn",
	unit: "B",
	says: "stored by a turn of a harness agent with one small read; all rows and indexes",
};
const storedBare: Row = {
	...stored,
	name: "journal.bytes_per_turn_features_off",
	says: "the same with every feature off",
};

/** What `harnessAgent` costs with its defaults. */
export const harnessAgents: readonly Benchmark[] = [
	{
		title: "Sessions that are long (a model that answers and sums up at once)",
		rows: [compacted, whole, chained, second],
		async run(context) {
			const { smoke } = context;
			const send = (row: Row, args: { readonly [name: string]: number }) =>
				ownLane(row.name, subject, { row: "send", args });
			const lanes = [
				// A conversation of two messages needs no compaction.
				send(compacted, smoke ? { runs: 1, calls: 60, window: 4_000 } : { ...long, window }),
				send(whole, { ...long, calls: context.count(long.calls) }),
				send(chained, { runs: context.count(113), calls: 5 }),
				send(second, { runs: 1, calls: 5 }),
			];
			const laps = await context.race([lanes], {
				rounds: 2,
				slices: 3,
				warmup: { ms: 300, min: 3 },
				slice: { ms: 400, min: 3 },
			});
			return Object.fromEntries(
				[compacted, whole, chained, second].map((row) => [
					row.name,
					spreadOf(row, laps.each(row.name), laps.value(row.name, "p95")),
				]),
			);
		},
	},
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
