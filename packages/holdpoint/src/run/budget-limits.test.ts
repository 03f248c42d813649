/** I8: what happens one below a budget's `max`, at exactly it, and one above it, for each thing that is counted. */
import type { LanguageModelV4 } from "@ai-sdk/provider";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { Budget } from "../spec/budget.ts";
import { ofType, type StageOptions, stage } from "../testing/stage.ts";
import { calls, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";

interface Options extends Partial<StageOptions> {
	readonly budget: Budget;
	/** What the model does with its tool, call by call. */
	readonly does?: readonly { readonly cents?: number; readonly ms?: number }[];
	/** What the provider reports of each answer. */
	readonly usage?: { readonly input: number; readonly output: number };
}

async function played({ budget, does = [], usage = { input: 1, output: 1 }, ...rest }: Options) {
	const done: number[] = [];
	const caps: (number | undefined)[] = [];
	const work = defineTool({
		name: "work",
		description: "Works.",
		input: z.object({ cents: z.int(), ms: z.int() }),
		execute: ({ cents, ms }) => {
			scene.clock.advance(ms);
			done.push(cents);
		},
	});
	const around = (model: LanguageModelV4): LanguageModelV4 => ({
		...model,
		doGenerate: async (request) => {
			caps.push(request.maxOutputTokens);
			const { input, output } = usage;
			return {
				...(await model.doGenerate(request)),
				usage: {
					inputTokens: { total: input, noCache: input, cacheRead: undefined, cacheWrite: undefined },
					outputTokens: { total: output, text: output, reasoning: undefined },
				},
			};
		},
	});
	const scene = stage({
		story: [...does.map(({ cents = 0, ms = 0 }) => calls([{ tool: "work", args: { cents, ms } }])), say("done")],
		tools: [work],
		settings: { maxOutputTokens: 50 },
		around,
		limits: { attemptsMax: 1 },
		harness: { budgets: [budget], policy: () => ({ verdict: "allow" }), prices: { scripted: { input: 1, output: 3 } } },
		...rest,
	});
	const result = await scene.harness.run(scene.agent, "go", { principal: "ann" });
	const outcomes = ofType(await scene.events(result.run), "call.finished").map(({ outcome }) => outcome);
	const [{ accounts } = { accounts: [] }] = await scene.harness.governance.budgets();
	const { spent = 0, held = 0, overdrawn = 0 } = accounts[0] ?? {};
	return { status: result.status, done, caps, outcomes, spent, held, overdrawn };
}

const denied = { denied: expect.stringContaining("The budget b allows") };

describe("calls", () => {
	test.each([
		["one below", 2, ["ok", "ok"]],
		["at", 3, ["ok", "ok", "ok"]],
		["one above", 4, ["ok", "ok", "ok", "denied"]],
	])("%s the limit", async (_, count, expected) => {
		const { outcomes, spent, held } = await played({
			budget: { name: "b", counts: "calls", max: 3 },
			does: Array(count).fill({}),
		});
		expect(outcomes.map((outcome) => Object.keys(outcome)[0])).toEqual(expected);
		expect([spent, held]).toEqual([Math.min(count, 3), 0]);
	});
});

describe("sums over arguments", () => {
	const budget: Budget = { name: "b", counts: { tool: "work", sum: "cents" }, max: 100 };
	test.each([
		["one below the limit", [99], [99]],
		["at the limit", [100], [100]],
		["one above the limit", [101], []],
		["one below it, together", [60, 39], [60, 39]],
		["at it, together", [60, 40], [60, 40]],
		["one above it, together", [60, 41], [60]],
		["one more than what is left after one below it", [99, 1, 1], [99, 1]],
	])("%s", async (_, cents, expected) => {
		const { done, spent, held, outcomes } = await played({ budget, does: cents.map((one) => ({ cents: one })) });
		expect(done).toEqual(expected);
		expect([spent, held]).toEqual([expected.reduce((sum, one) => sum + one, 0), 0]);
		if (expected.length < cents.length) expect(outcomes.at(-1)).toMatchObject(denied);
	});
});

describe("wall time", () => {
	test.each([
		["one below the limit, another call has one millisecond", 99, 1, 99],
		["at the limit, no other begins", 100, 0, 100],
		["one above the limit, no more than it is spent", 101, 0, 100],
	])("%s", async (_, ms, others, expected) => {
		const budget: Budget = { name: "b", counts: "wallMs", tools: ["work"], max: 100 };
		const { done, spent, held, outcomes } = await played({ budget, does: [{ ms }, {}] });
		expect(done).toHaveLength(1 + others);
		expect([spent, held]).toEqual([expected, 0]);
		if (others === 0) expect(outcomes.at(-1)).toMatchObject(denied);
	});
});

/** What is held of the input: its bytes as JSON, and what stands before a tool. */
async function inputHeld(): Promise<number> {
	const { spent } = await played({
		budget: { name: "b", counts: "inputTokens", max: 1e6 },
		usage: { input: Number.NaN, output: 1 },
	});
	return spent;
}

describe.each([
	["tokens", (input: number, output: number) => input + output],
	["money", (input: number, output: number) => input + output * 3],
] as const)("%s", (counts, cost) => {
	test.each([
		["one below what the whole answer may take: it is cut by a token", 50, -1, 49],
		["at exactly that: it is not cut", 50, 0, 50],
		["one above that", 50, 1, 50],
		["one below what one token takes: the model is not asked", 1, -1, undefined],
		["at exactly that: it may say one token", 1, 0, 1],
		["one above that", 1, 1, counts === "tokens" ? 2 : 1],
	])("held, %s", async (_, output, more, cap) => {
		const input = await inputHeld();
		const max = cost(input, output) + more;
		const { status, caps, held, overdrawn } = await played({ budget: { name: "b", counts, max } });
		expect([status, caps]).toEqual(cap === undefined ? ["failed", []] : ["completed", [cap]]);
		expect([held, overdrawn]).toEqual([0, 0]);
	});

	test.each([
		["one below the limit", -1, 0],
		["at the limit", 0, 0],
		["one above the limit, which the provider alone can bring about", 1, 1],
	])("spent, %s", async (_, more, overdrawn) => {
		const max = cost(await inputHeld(), 50);
		const usage = { input: max - cost(0, 1) + more, output: 1 };
		const { spent, held, overdrawn: beyond } = await played({ budget: { name: "b", counts, max }, usage });
		expect([spent, held, beyond]).toEqual([max + more, 0, overdrawn]);
	});
});
