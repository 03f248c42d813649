import type { Benchmark, Row } from "../benchmark.ts";
import { ownLane, spreadOf } from "../lanes.ts";

const calls = 20;
const widths = [1, 8, 32, 128] as const;
/** What a prototype reached here; the ratio beside each is what counts. */
const guidance = new Map([
	[1, 900],
	[8, 4_600],
	[32, 6_700],
	[128, 9_800],
]);

const commitRows: readonly Row[] = [
	{
		name: "durable.commits_of_20_reads",
		unit: "commits",
		op: "<=",
		target: calls + 1,
		says: `durable commits of a run with ${calls} calls that read`,
	},
	{
		name: "durable.commits_of_20_writes",
		unit: "commits",
		op: "<=",
		target: 2 * calls + 1,
		says: `durable commits of a run with ${calls} calls that write`,
	},
];

const bare: Row = {
	name: "durable.bare_commits_per_s",
	unit: "calls/s",
	says: "the reference: one row a commit, nothing else",
};

const rates = widths.map((runs) => {
	const name = `durable.calls_per_s_${runs}`;
	const says = `governed calls a second, ${runs} run${runs > 1 ? "s" : ""} at a time`;
	const row: Row = { name, unit: "calls/s", op: ">=", target: guidance.get(runs) ?? 0, guidance: true, says };
	const ratio: Row = {
		name: `${name}.ratio_bare`,
		unit: "×",
		op: ">=",
		target: 0.6,
		says: "the same, divided by the reference",
	};
	return { runs, row, ratio };
});

/** Everything on disk before it counts: SQLite with `synchronous = FULL`. */
export const durable: readonly Benchmark[] = [
	{
		title: "Durable commits (SQLite, synchronous = FULL)",
		rows: commitRows,
		async run(context) {
			const lanes = commitRows.map(({ name }, writes) =>
				ownLane(name, "durable", { row: "commits", args: { calls, writes } }),
			);
			const laps = await context.race([lanes], { rounds: 1, slices: 1 });
			return Object.fromEntries(commitRows.map(({ name }) => [name, laps.value(name, "commits")]));
		},
	},
	{
		title: "Durable rates, beside a bare loop of commits on the same disk",
		rows: [bare, ...rates.flatMap(({ row, ratio }) => [row, ratio])],
		async run(context) {
			const reference = ownLane(bare.name, "durable", { row: "rows" });
			const lanes = rates.map(({ runs, row }) => ownLane(row.name, "durable", { row: "calls", args: { runs } }));
			const pace = { slices: 3, warmup: { ms: 300, min: 1 }, slice: { ms: 500, min: 1 } };
			const laps = await context.race([[reference, ...lanes]], pace);
			const rate = (row: Row) => [row.name, spreadOf(row, laps.each(row.name, "perSecond"))] as const;
			const ratios = rates.map(({ row, ratio }) => {
				return [ratio.name, spreadOf(ratio, laps.ratios(row.name, bare.name, "perSecond"))] as const;
			});
			return Object.fromEntries([rate(bare), ...rates.map(({ row }) => rate(row)), ...ratios]);
		},
	},
];
