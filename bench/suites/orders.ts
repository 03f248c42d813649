import type { Benchmark, Row, Unit } from "../benchmark.ts";
import { numbersOf, workloadLane } from "../lanes.ts";
import { missingDataReason, sharedDataPath } from "../workloads/shared-data.ts";

const dataName = "order-totals.json";

const wirings = [
	{ wiring: "turns", says: "one call a turn" },
	{ wiring: "batches", says: "parallel calls" },
	{ wiring: "program", says: "one program" },
] as const;

const figures: readonly {
	readonly number: string;
	readonly name: string;
	readonly unit: Unit;
	readonly says: string;
}[] = [
	{ number: "turns", name: "turns", unit: "turns", says: "answers of the model" },
	{ number: "inputTokens", name: "input_tokens", unit: "tokens", says: "tokens sent, of all requests together" },
	{ number: "outputTokens", name: "output_tokens", unit: "tokens", says: "tokens answered" },
	{ number: "hostMs", name: "host_ms", unit: "ms", says: "time of the harness, with a model that answers at once" },
];

/** By the name of the number that the subject gives. */
const rows: { readonly [number: string]: Row } = Object.fromEntries(
	wirings.flatMap(({ wiring, says }): (readonly [string, Row])[] => {
		const wrong: Row = {
			name: `orders.${wiring}_wrong`,
			unit: "answers",
			op: "<=",
			target: 0,
			says: `${says}: is any total wrong?`,
		};
		const others = figures.map((figure): readonly [string, Row] => {
			const row = { name: `orders.${wiring}_${figure.name}`, unit: figure.unit, says: `${says}: ${figure.says}` };
			return [`${wiring}.${figure.number}`, row];
		});
		return [[`${wiring}.wrong`, wrong], ...others];
	}),
);

/** One piece of work asked for in three ways: 26 calls, one after the other, in batches, and in a program. */
export const orders: readonly Benchmark[] = [
	{
		title: "Order totals: the same 26 calls in three wirings (scripted model, store in memory)",
		rows: Object.values(rows),
		async run(context) {
			if (sharedDataPath(dataName) === undefined) {
				context.note(`orders skipped: ${missingDataReason(dataName)}`);
				return Object.fromEntries(Object.values(rows).map(({ name }) => [name, undefined]));
			}
			const args = context.smoke ? { rounds: 1, warmup: 0 } : {};
			const lane = workloadLane("orders", "orders", { row: "totals", args });
			return numbersOf(rows, await context.race([[lane]], { slices: 1 }), lane.key);
		},
	},
];
