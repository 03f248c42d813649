import type { Benchmark, Row } from "../benchmark.ts";
import { ownLane, spreadOf } from "../lanes.ts";

const subject = "traces";
/** Long enough that the end of each slice, where what was put off is done, is a small part of it. */
const pace = { slices: 5, warmup: { ms: 500, min: 1 }, slice: { ms: 1_500, min: 1 } };
const kinds = [
	["local", 1, "with the local trace store"],
	["opentelemetry", 2, "with OpenTelemetry, spans batched and sent nowhere"],
] as const;

interface Place {
	readonly durable: 0 | 1;
	readonly call: Row;
	readonly ratios: readonly { readonly kind: number; readonly row: Row; readonly traced: Row }[];
}

function place(durable: 0 | 1, name: string, says: string): Place {
	const call: Row = { name, unit: "µs", says: `${says}, without tracing` };
	const ratios = kinds.map(([suffix, kind, how]) => {
		const traced: Row = { name: `${name}.${suffix}`, unit: "µs", says: `the same ${how}` };
		const target = durable === 1 ? ({ op: "<=", target: 1.1 } as const) : {};
		const ratio: Row = { name: `${name}_overhead.${suffix}`, unit: "×", ...target, says: "that, divided by the first" };
		return { kind, row: ratio, traced };
	});
	return { durable, call, ratios };
}

const places = [
	place(1, "trace.tool_call", "one governed call of a run with 20, durable (SQLite, synchronous = FULL)"),
	place(0, "trace.tool_call_in_memory", "the same in memory, where a call is nothing but our own work"),
];

/** All of it is counted: what is put off until after a run, too. */
export const traces: readonly Benchmark[] = places.map(({ durable, call, ratios }) => ({
	title: durable === 1 ? "What tracing costs" : "What tracing costs where nothing else does",
	rows: [call, ...ratios.flatMap(({ traced, row }) => [traced, row])],
	async run(context) {
		const lane = (row: Row, kind: number) => ownLane(row.name, subject, { row: "calls", args: { kind, durable } });
		const laps = await context.race([[lane(call, 0), ...ratios.map(({ traced, kind }) => lane(traced, kind))]], pace);
		const value = (row: Row) => [row.name, spreadOf(row, laps.each(row.name, "ms"))] as const;
		const ratio = ({ row, traced }: (typeof ratios)[number]) =>
			[row.name, spreadOf(row, laps.ratios(traced.name, call.name, "ms"))] as const;
		return Object.fromEntries([value(call), ...ratios.map(({ traced }) => value(traced)), ...ratios.map(ratio)]);
	},
}));
