/** The order totals in three wirings: `workloads/orders`. */
import type { Numbers } from "../statistics.ts";
import { serveRows } from "../subject.ts";
import { loadOrderData, orderDataPath } from "../workloads/orders/order-data.ts";
import { measureOrders } from "../workloads/orders/run.ts";

await serveRows({
	async totals({ args: { rounds = 25, warmup = 5 } }) {
		const path = orderDataPath();
		if (!path) throw new Error("The order data is not here");
		const numbers: { [name: string]: number } = {};
		for (const figures of await measureOrders(loadOrderData(path), { rounds, warmup })) {
			const { wiring, problem } = figures;
			if (problem !== undefined) console.error(`${wiring}: ${problem}`);
			numbers[`${wiring}.wrong`] = problem === undefined ? 0 : 1;
			for (const name of ["turns", "calls", "inputTokens", "outputTokens", "hostMs"] as const) {
				numbers[`${wiring}.${name}`] = figures[name];
			}
		}
		return numbers satisfies Numbers;
	},
});
