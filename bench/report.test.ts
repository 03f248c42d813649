import { describe, expect, test } from "vitest";
import { allBenchmarks } from "./all-benchmarks.ts";
import type { Row } from "./benchmark.ts";
import { readOptions } from "./options.ts";
import { jsonLine, listJsonLine, summary, tableLine } from "./report.ts";
import { chooseBenchmarks } from "./run-benchmarks.ts";
import { geometricMean, quantile } from "./statistics.ts";

const row: Row = { name: "a.b", unit: "ms", op: "<=", target: 5, says: "it" };

describe("figures", () => {
	test("one line of JSON has the six fields, and says what falls short", () => {
		const line = JSON.parse(jsonLine({ row, value: 5.000_04 }));
		expect(line).toEqual({ name: "a.b", value: 5, unit: "ms", target: 5, op: "<=", ok: false });
		expect(JSON.parse(jsonLine({ row, value: 5 })).ok).toBe(true);
		expect(JSON.parse(jsonLine({ row: { ...row, op: ">=" }, value: 4 })).ok).toBe(false);
	});

	test("a line has its p95 where one was measured", () => {
		expect(JSON.parse(jsonLine({ row, value: 5, p95: 7.000_01 }))).toMatchObject({ value: 5, p95: 7, ok: true });
		expect(tableLine({ row, value: 5, p95: 7 })).toMatch(/5 ms +p95 7 +≤ 5 ok/);
		expect(tableLine({ row, value: 5 })).not.toContain("p95");
	});

	test("what can be measured is listed as JSON too", () => {
		expect(JSON.parse(listJsonLine(row))).toEqual({ name: "a.b", unit: "ms", target: 5, op: "<=", says: "it" });
	});

	test("a row without a target has nothing to fall short of", () => {
		const { target: _, op: __, ...free } = row;
		expect(JSON.parse(jsonLine({ row: free, value: 1e9 }))).toMatchObject({ target: null, op: null, ok: true });
	});

	test("the summary counts what is judged and not what is guidance", () => {
		const guidance: Row = { ...row, name: "g", guidance: true };
		const short: Row = { ...row, name: "s" };
		const figures = [row, guidance, short].map((each) => ({ row: each, value: each === row ? 1 : 9 }));
		expect(summary(figures)).toBe("1 of 2 targets reached; short: s");
		expect(figures.map(tableLine).map((line) => /ok|SHORT|short \(guidance\)/.exec(line)?.[0])).toEqual([
			"ok",
			"short (guidance)",
			"SHORT",
		]);
	});
});

describe("rows", () => {
	const rows = allBenchmarks.flatMap((benchmark) => benchmark.rows);

	test("each has a name of its own, in the prefix of its suite", () => {
		const names = rows.map(({ name }) => name);
		expect(new Set(names).size).toBe(names.length);
		const prefixes = new Set(names.map((name) => name.split(".")[0]));
		expect([...prefixes].sort()).toEqual(
			"audit background budget cli context durable growth handoff harness import journal memory microvm orders overhead policy program rehearsal resume retail suspended trace".split(
				" ",
			),
		);
	});

	test("a target has its comparison, and guidance has a ratio beside it", () => {
		for (const { name, op, target, guidance } of rows) {
			expect([name, op === undefined]).toEqual([name, target === undefined]);
			const beside = rows.filter((other) => other.name.startsWith(`${name}.ratio_`));
			if (guidance) expect([name, beside.length > 0]).toEqual([name, true]);
		}
	});
});

describe("options", () => {
	test("--only takes prefixes, in one list or in several", () => {
		const options = readOptions(["--only", "resume.after_9,cli", "--only", "overhead.1tool.ratio"]);
		const names = chooseBenchmarks(options).flatMap((chosen) => chosen.rows.map(({ name }) => name));
		expect(names).toContain("cli.start");
		expect(names).toContain("overhead.1tool.ratio_aisdk");
		expect(names).not.toContain("overhead.1tool");
		expect(names.every((name) => /^(resume\.after_9|cli|overhead\.1tool\.ratio)/.test(name))).toBe(true);
	});

	test("a smoke run has no peers, whatever else is said", () => {
		expect(readOptions(["--smoke", "--peers"]).peers).toBe(false);
		expect(readOptions([]).peers).toBeUndefined();
		expect(readOptions(["--no-peers"]).peers).toBe(false);
	});

	test("what is no option is refused", () => {
		expect(() => readOptions(["--olny", "cli"])).toThrow("--olny");
		expect(() => readOptions(["cli"])).toThrow("cli");
	});
});

test("a mean of factors is that of their product", () => {
	expect(geometricMean([2, 8])).toBeCloseTo(4);
	expect(geometricMean([0.5, 2])).toBeCloseTo(1);
});

test("quantiles lie between the nearest values", () => {
	expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
	expect(quantile([7], 0.95)).toBe(7);
	expect(() => quantile([], 0.5)).toThrow(RangeError);
});
