import { type Benchmark, type PeerName, type Row, ratioRow, withPeers } from "../benchmark.ts";
import { lanesOf, numbersOf, ownLane, spreadOf, valuesOf } from "../lanes.ts";

const subject = "teams";
const peers: readonly PeerName[] = ["openai", "langgraph"];
/** The same for all, and long enough for their code to be compiled well. */
const pace = { warmup: { ms: 1_000, min: 3 } };

const ten: Row = {
	name: "handoff.10",
	unit: "ms",
	op: "<=",
	target: 1.5,
	guidance: true,
	says: "a run in which ten agents hand on to the next one, and the eleventh answers",
};
const tenRows = [...withPeers(ten, peers), ratioRow(ten, "openai", 0.31), ratioRow(ten, "langgraph", 0.033)];

/** Ten times the handoffs, and half as much again for what falls out of a cache. By CPU time. */
const tenfold = 15;
const hundred: Row = { name: "handoff.100", unit: "ms", says: "the same with 100 handoffs, around a ring of eleven" };
const thousand: Row = { name: "handoff.1000", unit: "ms", says: "the same with 1,000" };
const linear: Row = {
	name: "handoff.1000_ratio_100",
	unit: "×",
	op: "<=",
	target: tenfold,
	says: "CPU time of a run with 1,000 handoffs, divided by that of one with 100",
};

const teams = 100;
const crowd: Row = {
	name: "handoff.per_s_100_teams",
	unit: "handoffs/s",
	says: `handoffs a second, ${teams} teams at once in one process; before each one an agent looks something up`,
};
const crosstalk: Row = {
	name: "handoff.crosstalk",
	unit: "answers",
	op: "<=",
	target: 0,
	says: "answers of models that were asked with another team's words in those runs",
};

const tokenRows = {
	carried: {
		name: "handoff.tokens_carried",
		unit: "tokens",
		says: "tokens sent to a specialist until it answers, where the handoff carries three results (`carry: results`)",
	},
	lookedUp: {
		name: "handoff.tokens_looked_up",
		unit: "tokens",
		says: "the same where it carries none, and the specialist looks the three items up again",
	},
	ratio: {
		name: "handoff.tokens_ratio_looked_up",
		unit: "×",
		op: "<=",
		target: 0.8,
		says: "the first, divided by the second",
	},
} as const satisfies { readonly [number: string]: Row };

const boundRows = {
	handoffs: {
		name: "handoff.ping_pong",
		unit: "handoffs",
		op: "<=",
		target: 20,
		says: "handoffs of two agents that would hand on to each other for ever; any other number than `handoffsMax` is a failure",
	},
} as const satisfies { readonly [number: string]: Row };

/** Agents that hand on to each other at run time. */
export const handoffs: readonly Benchmark[] = [
	{
		title: "Ten handoffs (models answer at once; policy, journal and seals on; store in memory)",
		rows: tenRows,
		peers,
		async run(context) {
			const lanes = lanesOf(ten, { row: "handoffs", args: { handoffs: 10 } }, { subject, peers: context.peers });
			return valuesOf(tenRows, await context.race([lanes], pace));
		},
	},
	{
		title: "Many handoffs, one after the other",
		rows: [hundred, thousand, linear],
		async run(context) {
			const lanes = [hundred, thousand].map(({ name }, at) => {
				return ownLane(name, subject, { row: "handoffs", args: { handoffs: context.count(at === 0 ? 100 : 1_000) } });
			});
			const laps = await context.race([lanes], { slices: 3, slice: { ms: 300, min: 2 } });
			return {
				...valuesOf([hundred, thousand], laps),
				[linear.name]: spreadOf(linear, laps.ratios(thousand.name, hundred.name, "cpu")),
			};
		},
	},
	{
		title: "A hundred teams at once",
		rows: [crowd, crosstalk],
		async run(context) {
			const args = { teams: context.count(teams) };
			const lane = ownLane(crowd.name, subject, { row: "crowd", args });
			const laps = await context.race([[lane]], { slices: 3, slice: { ms: 300, min: 2 } });
			return {
				[crowd.name]: spreadOf({ ...crowd, op: ">=" }, laps.each(lane.key, "perSecond")),
				[crosstalk.name]: Math.max(...laps.each(lane.key, "foreign")),
			};
		},
	},
	{
		title: "What a handoff carries, and where it ends",
		rows: [...Object.values(tokenRows), ...Object.values(boundRows)],
		async run({ race }) {
			const tokens = ownLane("tokens", subject, { row: "tokens" });
			const bound = ownLane("bound", subject, { row: "pingPong" });
			const laps = await race([[tokens], [bound]], { rounds: 1, slices: 1 });
			return { ...numbersOf(tokenRows, laps, tokens.key), ...numbersOf(boundRows, laps, bound.key) };
		},
	},
];
