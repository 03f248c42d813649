import { describe, expect, test } from "vitest";
import { z } from "zod";
import { createHarness } from "../holdpoint.ts";
import { defineAgent } from "../run/define-agent.ts";
import type { Budget } from "../spec/budget.ts";
import { defineTool } from "../tools/define-tool.ts";
import { jsonSchema } from "../tools/json-schema.ts";
import { checkBudgets, checkPrices, checkSums, checkToolNames } from "./check-budgets.ts";

const right = { name: "b", counts: "calls", max: 1 };
const message = (work: () => unknown): string => {
	try {
		work();
	} catch (error) {
		expect(error).toMatchObject({ code: "config.invalid" });
		return (error as Error).message;
	}
	return "it was taken";
};

describe("budgets as they are written", () => {
	test("are taken in one form, however their scopes are ordered", () => {
		expect(checkBudgets([{ ...right, per: ["tenant", "run"], window: "day", tools: ["t"], over: "deny" }])).toEqual([
			{ name: "b", per: ["run", "tenant"], window: "day", counts: "calls", tools: ["t"], max: 1 },
		]);
		expect(
			checkBudgets([
				{ ...right, per: "run" },
				{ ...right, name: "c", over: { count: 2 } },
			]),
		).toEqual([
			{ name: "b", per: ["run"], counts: "calls", max: 1 },
			{ name: "c", counts: "calls", max: 1, over: { count: 2 } },
		]);
	});

	test.each([
		["no list", {}, "`budgets` is no list"],
		["too many", Array.from({ length: 101 }, (_, i) => ({ ...right, name: `b${i}` })), "at most 100"],
		["no object", [null], "budgets[0] is no object"],
		["no name", [{ counts: "calls", max: 1 }], "budgets[0] has the name undefined"],
		["a name with a slash", [{ ...right, name: "a/b" }], 'has the name "a/b"'],
		["two of one name", [right, right], "two budgets are named b"],
		["an unknown field", [{ ...right, maximum: 2 }], 'sets "maximum"; known: name, per'],
		["no max", [{ name: "b", counts: "calls" }], "has the max undefined"],
		["a max of nothing", [{ ...right, max: 0 }], "has the max 0"],
		["a fractional max", [{ ...right, max: 1.5 }], "has the max 1.5"],
		["a max that is no number", [{ ...right, max: "5" }], 'has the max "5"'],
		["an inexact max", [{ ...right, max: 2 ** 53 }], "has the max 9007199254740992"],
		["an unknown window", [{ ...right, window: "week" }], 'has the window "week"'],
		["an unknown unit", [{ ...right, counts: "euros" }], 'counts "euros"; known: calls'],
		["a sum without a field", [{ ...right, counts: { tool: "t" } }], "adds up the field undefined"],
		["a sum with an empty step", [{ ...right, counts: { tool: "t", sum: "a..b" } }], 'adds up the field "a..b"'],
		["a sum of no tool", [{ ...right, counts: { tool: 5, sum: "a" } }], "adds up an argument of the tool 5"],
		["a sum with more", [{ ...right, counts: { tool: "t", sum: "a", min: 1 } }], 'counts with "min"'],
		["an unknown scope", [{ ...right, per: "user" }], 'is per "user"'],
		["a scope twice", [{ ...right, per: ["run", "run"] }], 'is per "run"; known, each once'],
		["tools of a sum", [{ ...right, counts: { tool: "t", sum: "a" }, tools: ["t"] }], "names `tools`"],
		["tools of tokens", [{ ...right, counts: "tokens", tools: ["t"] }], "names `tools`"],
		["no tools at all", [{ ...right, tools: [] }], "has the tools []"],
		["the time of programs", [{ ...right, counts: "wallMs", tools: ["execute_code"] }], "counted by its calls"],
		["an over that is no ask", [{ ...right, over: "ask" }], 'has the over "ask"'],
		["people asked about tokens", [{ ...right, counts: "tokens", over: {} }], "asks people about tokens"],
	])("%s is refused, and the message says what it is", (_, budgets, says) => {
		expect(message(() => checkBudgets(budgets))).toContain(says);
		expect(message(() => createHarness({ budgets: budgets as Budget[] }))).toContain(says);
	});

	test("an ask that nobody could answer is refused", () => {
		const over = { roles: [5] } as never;
		expect(message(() => createHarness({ budgets: [{ ...right, over } as Budget] }))).toContain('over {"roles":[5]}');
	});

	test.each([
		["no object", 5],
		["no number", { m: { input: "1", output: 1 } }],
		["one that is missing", { m: { input: 1 } }],
		["below zero", { m: { input: 1, output: -1 } }],
		["not a number", { m: { input: Number.NaN, output: 1 } }],
		["an unknown field", { m: { input: 1, output: 1, cached: 1 } }],
		["nothing", { m: null }],
	])("a price that is %s is refused", (_, prices) => {
		expect(message(() => checkPrices(prices))).toMatch(/`prices` is no object|the price of m is/);
	});
});

describe("sums over a tool", () => {
	const tool = (input: z.ZodType) => defineTool({ name: "pay", description: "Pays.", input, execute: () => null });
	const sums = (sum: string): Budget[] => [{ name: "b", counts: { tool: "pay", sum }, max: 1 }];

	test.each([
		["a field that it does not have", "cent", z.object({ cents: z.int() }), "has no such field"],
		["a fraction", "cents", z.object({ cents: z.number() }), 'which is "number" in its schema'],
		["a text", "cents", z.object({ cents: z.string() }), 'which is "string" in its schema'],
		["a field inside of a number", "cents.value", z.object({ cents: z.int() }), "has no such field"],
	])("cannot be over %s", (_, sum, input, says) => {
		expect(message(() => checkSums(sums(sum), [tool(input)]))).toContain(says);
		const agent = defineAgent({ name: "a", instructions: "x", tools: [tool(input)] });
		expect(message(() => createHarness({ agents: [agent], budgets: sums(sum) }))).toContain(says);
	});

	test("can be over an integer, also inside, and where the schema does not tell", () => {
		const inside = z.object({ order: z.object({ cents: z.int() }) });
		const open = { type: "object", properties: { cents: { anyOf: [{ type: "integer" }, { type: "null" }] } } };
		const referring = {
			type: "object",
			properties: { cents: { $ref: "#/$defs/c" } },
			$defs: { c: { type: "integer" } },
		};
		expect(() => checkSums(sums("cents"), [tool(z.object({ cents: z.int() }))])).not.toThrow();
		expect(() => checkSums(sums("order.cents"), [tool(inside)])).not.toThrow();
		for (const schema of [open, referring, { type: "object" }]) {
			const given = defineTool({ name: "pay", description: "Pays.", input: jsonSchema(schema), execute: () => null });
			expect(() => checkSums(sums("cents"), [given])).not.toThrow();
		}
	});

	test("tools that no agent has are found where all agents are known", () => {
		const known = new Set(["pay"]);
		expect(message(() => checkToolNames(sums("cents"), new Set()))).toContain(
			'counts the tool "pay", which no agent has',
		);
		expect(message(() => checkToolNames([{ ...right, tools: ["pay", "py"] } as Budget], known))).toContain('"py"');
		expect(() => checkToolNames(sums("cents"), known)).not.toThrow();
	});
});
