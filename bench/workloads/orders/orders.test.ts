import { beforeEach, describe, expect, test } from "vitest";
import type { Json } from "../../../packages/holdpoint/src/spec/json.ts";
import type { WorkloadCall } from "../outcome.ts";
import { missingDataReason } from "../shared-data.ts";
import { loadOrderData, type OrderData, orderDataName, orderDataPath } from "./order-data.ts";
import { grandTotalsFrom, grandTotalsProblem, orderBatches, orderProgram, orderTurns } from "./order-scripts.ts";
import { type OrderTool, orderTools } from "./order-tools.ts";

const dataPath = orderDataPath();

describe("the order-totals workload", () => {
	beforeEach(({ skip }) => skip(!dataPath, missingDataReason(orderDataName)));
	const load = () => loadOrderData(dataPath ?? "");

	test("one call a turn gives the expected totals in 26 calls", () => {
		const data = load();
		const turns = orderTurns(data);
		expect(turns.length).toBe(26);
		expect(grandTotalsFrom(turns, execute(data, turns))).toEqual(data.expectedGrandTotals);
	});

	test("three parallel batches give the expected totals", () => {
		const data = load();
		const batches = orderBatches(data);
		const results = batches.flatMap((batch) => execute(data, batch));
		expect(batches.map((batch) => batch.length)).toEqual([1, 14, 11]);
		expect(grandTotalsFrom(batches.flat(), results)).toEqual(data.expectedGrandTotals);
	});

	test("one program gives the expected totals in the same 26 calls", async () => {
		const data = load();
		const calls: WorkloadCall[] = [];
		const tools = orderTools(data).map(({ name }) => [
			name,
			async (args: WorkloadCall["arguments"]) => {
				calls.push({ name, arguments: args });
				return execute(data, [{ name, arguments: args }])[0];
			},
		]);
		const AsyncFunction = (async () => {}).constructor as new (
			...args: string[]
		) => (tools: object) => Promise<unknown>;
		const totals = await new AsyncFunction("tools", orderProgram)(Object.fromEntries(tools));
		expect(totals).toEqual(data.expectedGrandTotals);
		const texts = (list: readonly WorkloadCall[]) => list.map((each) => JSON.stringify(each)).sort();
		expect(texts(calls)).toEqual(texts(orderTurns(data)));
	});

	test("an answer is right only as a whole and in order", () => {
		const data = load();
		const right = data.expectedGrandTotals;
		expect(grandTotalsProblem(data, structuredClone(right))).toBeUndefined();
		expect(grandTotalsProblem(data, right.toReversed())).toContain("got Bob");
		expect(grandTotalsProblem(data, right.slice(1))).toContain("got George");
		expect(grandTotalsProblem(data, [{ ...right[0], grandTotal: 104.41 }, ...right.slice(1)])).toContain("104.41");
		expect(grandTotalsProblem(data, "done")).toContain("got string");
		expect(grandTotalsProblem(data, [null])).toContain("undefined");
	});

	test.each([
		["get_orders_for_user", { userId: 99 }, "not_found"],
		["get_orders_for_user", { userId: "1" }, "validation"],
		["get_orders_for_user", { userId: 1.5 }, "validation"],
		["get_discount_rate", { tier: "constructor" }, "not_found"],
		["get_tax_rate", {}, "validation"],
		["list_users", { all: true }, "validation"],
		["compute_line_total", { quantity: 1, unitPrice: Number.NaN, discountRate: 0, taxRate: 0 }, "validation"],
	])("%s with %j is refused as %s", (name, args, category) => {
		expect(toolOf(load(), name).run(args)).toMatchObject({ category });
	});
});

function toolOf(data: OrderData, name: string): OrderTool {
	const tool = orderTools(data).find((each) => each.name === name);
	if (!tool) throw new Error(`No tool ${name}`);
	return tool;
}

function execute(data: OrderData, calls: readonly WorkloadCall[]): readonly Json[] {
	return calls.map(({ name, arguments: args }) => {
		const outcome = toolOf(data, name).run(args);
		if ("error" in outcome) throw new Error(outcome.error);
		return outcome.result;
	});
}
