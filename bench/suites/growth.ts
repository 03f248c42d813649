import type { BenchContext, Benchmark, Row, Values } from "../benchmark.ts";
import { ownLane, spreadOf } from "../lanes.ts";
import type { Lane, Laps } from "../race.ts";

/** Ten times the turns: linear is 10, and an eighth more is for what falls out of a cache. By CPU time, where it is time. */
const tenfold = 11.25;
const sizes = [10, 100, 1_000] as const;

const kinds = [
	{
		name: "run",
		subject: "runs",
		row: "calls",
		number: "p50",
		ratioNumber: "cpu",
		unit: "ms",
		says: "a run of N turns with a call each",
	},
	{
		name: "resume",
		subject: "runs",
		row: "resume",
		number: "p50",
		ratioNumber: "cpu",
		unit: "ms",
		says: "go on with a run that was held after N turns, and finish it",
	},
	{
		name: "bytes",
		subject: "suspended",
		row: "suspended",
		number: "stored",
		ratioNumber: "stored",
		unit: "B",
		says: "stored bytes of a run that waits after N turns",
	},
] as const;

type Kind = (typeof kinds)[number];

const nameOf = (kind: Kind, turns: number) => `growth.${kind.name}_${turns}`;

function rowsOf(kind: Kind): readonly Row[] {
	const absolute = sizes.map((turns) => ({
		name: nameOf(kind, turns),
		unit: kind.unit,
		says: kind.says.replace("N", turns.toLocaleString("en")),
	}));
	const [small, middle, large] = sizes;
	const ratio = (above: number, below: number): Row => ({
		name: `${nameOf(kind, above)}_ratio_${below}`,
		unit: "×",
		op: "<=",
		target: tenfold,
		says: `${kind.says.replace("N", above.toLocaleString("en"))}, divided by the same of ${below}`,
	});
	return [...absolute, ratio(middle, small), ratio(large, middle)];
}

function lanes(kind: Kind, { count }: BenchContext): Lane[] {
	return sizes.map((turns) => {
		const args = { calls: count(turns), runs: count(10) };
		return ownLane(nameOf(kind, turns), kind.subject, { row: kind.row, args });
	});
}

function valuesOf(kind: Kind, laps: Laps): Values {
	const entries = rowsOf(kind).map((row) => {
		const [, above = "", below] = /^(.*)_ratio_(\d+)$/.exec(row.name) ?? [];
		const slices = below
			? laps.ratios(above, nameOf(kind, Number(below)), kind.ratioNumber)
			: laps.each(row.name, kind.number);
		return [row.name, spreadOf(row, slices)] as const;
	});
	return Object.fromEntries(entries);
}

/** Ten times the turns cost ten times as much: nothing is folded, copied or verified anew at each step. */
export const growth: readonly Benchmark[] = kinds.map((kind) => ({
	title: `Cost as the journal grows: ${kind.says}`,
	rows: rowsOf(kind),
	async run(context) {
		const pace =
			kind.number === "p50"
				? { slices: 3, warmup: { ms: 300, min: 1 }, slice: { ms: 300, min: 2 } }
				: { rounds: 1, slices: 1 };
		return valuesOf(kind, await context.race([lanes(kind, context)], pace));
	},
}));
