import { readFileSync } from "node:fs";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { chartFile, ordersChart, pageFile, tokensSaved, wiringTitles } from "../bench/charts/orders-chart.ts";
import { loadOrderData, type OrderData, orderDataName, orderDataPath } from "../bench/workloads/orders/order-data.ts";
import {
	measureOrders,
	type OrderFigures,
	orderAgent,
	orderWirings,
	runOrders,
} from "../bench/workloads/orders/run.ts";
import { missingDataReason } from "../bench/workloads/shared-data.ts";
import { createHarness } from "../packages/holdpoint/src/holdpoint.ts";
import { sandboxUnderTest } from "../packages/holdpoint/src/testing/sandbox-under-test.ts";

const dataPath = orderDataPath();

describe("the order totals through the whole harness", () => {
	let data: OrderData;
	let figures: readonly OrderFigures[];
	beforeEach(({ skip }) => skip(!dataPath, missingDataReason(orderDataName)));
	beforeAll(async () => {
		if (!dataPath) return;
		data = loadOrderData(dataPath);
		figures = await measureOrders(data, { rounds: 3, warmup: 1, sandbox: sandboxUnderTest() });
	});

	test("one call a turn, parallel batches and one program answer with the right totals", () => {
		expect(figures.map(({ problem }) => problem)).toEqual([undefined, undefined, undefined]);
	});

	test("they make the same 26 calls in 27, 4 and 2 turns of the model", () => {
		const seen = figures.map(({ wiring, calls, turns }) => ({ wiring, calls, turns }));
		expect(seen).toEqual([
			{ wiring: "turns", calls: 26, turns: 27 },
			{ wiring: "batches", calls: 26, turns: 4 },
			{ wiring: "program", calls: 26, turns: 2 },
		]);
	});

	test("a program saves more than the published part of the tokens against turns, and half of them against batches", () => {
		expect(tokensSaved(figures, "turns")).toBeGreaterThan(100 * data.published.reduction.tokens);
		expect(tokensSaved(figures, "batches")).toBeGreaterThan(50);
		for (const { inputTokens, outputTokens } of figures) expect(inputTokens).toBeGreaterThan(outputTokens);
	});

	test.each(orderWirings)("a wrong tax rate makes wrong totals as %s, and they are found wrong", async (wiring) => {
		const harness = createHarness({ sandbox: sandboxUnderTest() });
		const taxed = { ...data, taxRates: { ...data.taxRates, EU: 0.2 } };
		const run = await runOrders({ data, harness, agent: orderAgent(taxed, wiring), wiring });
		expect(run.problem).toContain("got Diana 104.4, George 52.77, Charlie 50.09, Alice 47.96");
		await harness.close();
	});

	test("the page and the chart tell the figures that are measured", () => {
		const page = readFileSync(pageFile, "utf8");
		const chart = readFileSync(chartFile, "utf8");
		for (const { wiring, turns, inputTokens, outputTokens } of figures) {
			const row =
				new RegExp(`^\\| ${wiringTitles[wiring]} \\| ${turns} \\| 26 \\|.*\\| ([\\d,]+) \\| [\\d.]+ ms`, "m").exec(
					page,
				)?.[1] ?? "";
			const told = Number(row.replaceAll(",", ""));
			// A word more in a tool's description is no other figure.
			expect(told / (inputTokens + outputTokens), `${wiring}: node bench/charts/orders-chart.ts`).toBeCloseTo(1, 1);
			expect(chart).toContain(`>${row}</text>`);
		}
	});

	test("the chart has a bar for each figure, the longest for the largest", () => {
		const chart = ordersChart(figures, data.published);
		const widths = [...chart.matchAll(/<rect class="(\w+)"[^>]* width="([\d.]+)"/g)];
		expect(widths.map(([, kind]) => kind)).toEqual([
			...orderWirings,
			...orderWirings,
			...orderWirings,
			"turns",
			"batches",
			"published",
			"published",
		]);
		expect(widths.slice(0, 3).map(([, , width]) => Number(width))).toEqual([130, 19.3, 9.6]);
	});
});
