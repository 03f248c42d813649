import { describe, expect, test } from "vitest";
import type { Row } from "./benchmark.ts";
import { spreadOf, valuesOf } from "./lanes.ts";
import { Laps } from "./race.ts";

const time: Row = { name: "a", unit: "µs", op: "<=", target: 5, says: "a time" };
const rate: Row = { name: "r", unit: "calls/s", op: ">=", target: 5, says: "a rate" };

describe("a spread", () => {
	test("has the median, and the p95 of the repetitions in a slice where it is known", () => {
		const laps = new Laps();
		for (const p50 of [0.001, 0.003, 0.002]) laps.add("a", { p50, p95: p50 * 10 });
		expect(valuesOf([time], laps)).toEqual({ a: { value: 2, p95: 20 } });
	});

	test("of slices that are one measurement each is that of the slices", () => {
		const slices = Array.from({ length: 21 }, (_, i) => i);
		expect(spreadOf({ ...time, unit: "ms" }, slices)).toEqual({ value: 10, p95: 19 });
		expect(spreadOf(rate, slices)).toEqual({ value: 10, p95: 1 });
	});

	test("of one measurement is that measurement, and of none is none", () => {
		expect(spreadOf(rate, [7])).toEqual({ value: 7 });
		expect(spreadOf(rate, [])).toBeUndefined();
	});

	test("of a ratio is that of slices beside each other", () => {
		const laps = new Laps();
		for (const speed of [1, 5]) {
			laps.add("a", { p50: speed, p95: 99 });
			laps.add("a.mastra", { p50: speed * 4, p95: 1 });
		}
		const ratio: Row = { name: "a.ratio_mastra", unit: "×", says: "a ratio" };
		expect(valuesOf([ratio], laps)).toEqual({ "a.ratio_mastra": { value: 0.25, p95: 0.25 } });
	});
});
