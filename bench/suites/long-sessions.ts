import { type Benchmark, type PeerName, type Row, ratioRow, withPeers } from "../benchmark.ts";
import { type Asked, lanesOf, ownLane, valuesOf } from "../lanes.ts";
import type { Lane } from "../race.ts";
import type { Numbers } from "../statistics.ts";

const subject = "harness-agents";

type Ways = { readonly [peer in "aisdk" | "openai" | "langgraph" | "mastra"]: string };

/** Where each keeps it, and below how each makes it fit: what its documentation shows. None verifies what it loads. */
const keeps: Ways = {
	aisdk: "JSON in SQLite, synchronous = FULL",
	openai: "`MemorySession`, which writes nothing",
	langgraph: "`MemorySaver`, which writes nothing",
	mastra: "libSQL, synchronous = NORMAL, 25 runs of 39 calls",
};
const fits: Ways = {
	aisdk: `${keeps.aisdk}; \`pruneMessages\` leaves calls out, without a summary`,
	openai: `${keeps.openai}; \`sessionInputCallback\` sends the last 21 items, without a summary`,
	langgraph: `${keeps.langgraph}; \`summarizationMiddleware\` with its defaults`,
	mastra: `${keeps.mastra}; \`messageHistory\` leaves the oldest out, without a summary`,
};
const stores: Ways = {
	aisdk: "the messages as JSON in SQLite",
	openai: "the items as JSON, though `MemorySession` writes none",
	langgraph: 'a single checkpoint (`durability: "exit"`); if not told so, it keeps one for each step',
	mastra: "libSQL, 25 runs of 39 calls",
};
const peers = Object.keys(keeps) as readonly (keyof Ways)[];

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
const stored: Row = {
	name: "context.session_2000_bytes",
	unit: "B",
	says: "bytes that such a session takes in the store; all rows and indexes",
};

/** 999 calls with their results, the user's words and the answer. */
const long = { runs: 1, calls: 999 };
/** As many messages; Mastra takes a minute for a run of 999 calls. */
const longOfMastra = { runs: 25, calls: 39 };
const window = 16_000;

/** The row, that of each peer, and our figure divided by theirs, which promises nothing: they do less, or other things. */
function besideRows(row: Row, ways: Ways): readonly Row[] {
	const told = withPeers(row, peers)
		.slice(1)
		.map((other, at) => withWay(other, ways[peers[at] as keyof Ways]));
	return [row, ...told, ...peers.map((peer) => withWay(ratioRow(row, peer), ways[peer]))];
}

function withWay(row: Row, way: string): Row {
	return { ...row, says: `${row.says}: ${way}` };
}

const compactedRows = besideRows(compacted, fits);
const wholeRows = besideRows(whole, keeps);
const storedRows = besideRows(stored, stores);

function sessionLanes(row: Row, asked: Asked, among: readonly PeerName[]): readonly Lane[] {
	return lanesOf(row, asked, { subject, peers: among }).map((lane) => {
		return lane.key.endsWith(".mastra") ? { ...lane, args: { ...lane.args, ...longOfMastra } } : lane;
	});
}

/** Long conversations, beside what others keep them with. */
export const longSessions: readonly Benchmark[] = [
	{
		title: "Sessions that are long (a model that answers and sums up at once)",
		rows: [...compactedRows, ...wholeRows, chained, second],
		peers,
		async run(context) {
			const send = (row: Row, args: Numbers) => ownLane(row.name, subject, { row: "send", args });
			// A conversation of two messages needs no compaction.
			const args = context.smoke ? { runs: 1, calls: 60, window: 4_000 } : { ...long, window };
			const groups = [
				sessionLanes(compacted, { row: "send", args }, context.peers),
				sessionLanes(whole, { row: "send", args: { ...long, calls: context.count(long.calls) } }, context.peers),
				[send(chained, { runs: context.count(113), calls: 5 }), send(second, { runs: 1, calls: 5 })],
			];
			const pace = { rounds: 2, slices: 3, warmup: { ms: 300, min: 3 }, slice: { ms: 400, min: 3 } };
			return valuesOf([...compactedRows, ...wholeRows, chained, second], await context.race(groups, pace));
		},
	},
	{
		title: "What a long session stores",
		rows: storedRows,
		peers,
		async run(context) {
			const args = { ...long, calls: context.count(long.calls) };
			const lanes = sessionLanes(stored, { row: "storedSession", args }, context.peers);
			const laps = await context.race([lanes], { rounds: 1, slices: 1 });
			return valuesOf(storedRows, laps, "stored");
		},
	},
];
