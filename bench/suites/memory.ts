import type { Benchmark, Row } from "../benchmark.ts";
import { ownLane, valuesOf } from "../lanes.ts";

const search: Row = {
	name: "memory.search_10k",
	unit: "ms",
	op: "<=",
	target: 5,
	says: "the ten best of 10,000 entries for three words, each verified",
};
const common: Row = {
	name: "memory.search_10k_common",
	unit: "ms",
	says: "the same for two words that nearly every entry has",
};
const list: Row = { name: "memory.list_10k", unit: "ms", says: "the newest 100 of 10,000 entries, each verified" };
const write: Row = { name: "memory.write_10k", unit: "ms", says: "an entry replaced among 10,000, durable" };
const rows = [search, common, list, write];

/** 10,000 entries of fifty words; as many of somebody else lie in the same file. */
export const memory: readonly Benchmark[] = [
	{
		title: "Memory of 10,000 entries (SQLite, synchronous = FULL)",
		rows,
		async run(context) {
			const args = { entries: context.count(10_000) };
			const lane = ({ name }: Row, row: string) => ownLane(name, "memory", { row, args });
			const lanes = [lane(search, "search"), lane(common, "common"), lane(list, "list"), lane(write, "write")];
			const laps = await context.race([lanes], { warmup: { ms: 300, min: 20 } });
			return valuesOf(rows, laps);
		},
	},
];
