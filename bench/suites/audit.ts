import type { Benchmark, Row } from "../benchmark.ts";
import { ownLane, spreadOf } from "../lanes.ts";

const bare: Row = {
	name: "audit.bare_commits_per_s",
	unit: "events/s",
	says: "the reference: one row a commit, nothing else",
};
const single: Row = {
	name: "audit.append_per_s",
	unit: "events/s",
	says: "leaves made and appended, each durable before the next",
};
const ratio: Row = {
	name: "audit.append_per_s.ratio_bare",
	unit: "×",
	op: ">=",
	target: 0.6,
	says: "the same, divided by the reference",
};
const batched: Row = {
	name: "audit.append_batched_per_s",
	unit: "events/s",
	op: ">=",
	target: 50_000,
	says: "leaves made and appended, 1,000 in a durable commit",
};
const verified: Row = {
	name: "audit.verify_per_s",
	unit: "events/s",
	op: ">=",
	target: 100_000,
	says: "leaves of an export of real runs verified: form, tree, order, and that each call was permitted",
};
const payloads: Row = {
	name: "audit.verify_payloads_per_s",
	unit: "events/s",
	says: "the same with payloads, each compared with its digest",
};

const leaves = 20_000;

/** Everything on disk before it counts: SQLite with `synchronous = FULL`. */
export const audit: readonly Benchmark[] = [
	{
		title: "Audit log: append (SQLite, synchronous = FULL) and verify",
		rows: [bare, single, ratio, batched, verified, payloads],
		async run(context) {
			const lane = ({ name }: Row, row: string) =>
				ownLane(name, "audit", { row, args: { leaves: context.count(leaves) } });
			const lanes = [lane(bare, "rows"), lane(single, "append"), lane(batched, "batch")];
			const readers = [lane(verified, "verify"), lane(payloads, "payloads")];
			const pace = { slices: 3, warmup: { ms: 300, min: 1 }, slice: { ms: 700, min: 1 } };
			const laps = await context.race([lanes, readers], pace);
			const rate = (row: Row) => [row.name, spreadOf(row, laps.each(row.name, "perSecond"))] as const;
			const ratios = spreadOf(ratio, laps.ratios(single.name, bare.name, "perSecond"));
			return Object.fromEntries([...[bare, single, batched, verified, payloads].map(rate), [ratio.name, ratios]]);
		},
	},
];
