import type { LanguageModelV4 } from "@ai-sdk/provider";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { Middleware } from "../spec/agent.ts";
import type { Budget, Prices } from "../spec/budget.ts";
import { crashingStore } from "../testing/crashing-store.ts";
import { fakeClock } from "../testing/fake-clock.ts";
import { gate, ofType, type StageOptions, stage } from "../testing/stage.ts";
import { call, failing, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";

interface Options extends Partial<StageOptions> {
	readonly budgets: readonly Budget[];
	readonly prices?: Prices;
	/** What the provider reports of each answer, in and out. */
	readonly usage?: readonly [number, number];
	/** While the model answers. */
	readonly during?: () => unknown;
}

/** Each answer takes 100 tokens in and 10 out; an answer may be 50 long. */
function modelStage({ budgets, prices = {}, usage = [100, 10], during, harness, ...rest }: Options) {
	const caps: (number | undefined)[] = [];
	const around = (model: LanguageModelV4): LanguageModelV4 => ({
		...model,
		doGenerate: async (request) => {
			caps.push(request.maxOutputTokens);
			await during?.();
			const [input, output] = usage;
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
		story: [say("done")],
		instructions: "x".repeat(397),
		settings: { maxOutputTokens: 50 },
		around,
		harness: { budgets, prices, ...harness },
		...rest,
	});
	const run = (input = "hello") => scene.harness.run(scene.agent, input, { principal: "ann" });
	const accounts = async () => {
		const rows = await scene.store.accounts({ prefix: "budget:" });
		return Object.fromEntries(rows.map(({ account, spent, held }) => [account.slice("budget:".length), [spent, held]]));
	};
	return { scene, run, accounts, caps };
}

const tokens = (max: number): Budget => ({ name: "t", counts: "tokens", max });
const price: Prices = { scripted: { input: 1, output: 2.5 } };
/** What is held of the prompt: its bytes as JSON, 397 of them instructions. */
const bound = 500;

describe("tokens", () => {
	test("are held while the model is asked, and what it took is spent with its answer", async () => {
		const during = async () => expect(await accounts()).toEqual({ "t/tokens": [0, bound + 50] });
		const { scene, run, accounts, caps } = modelStage({ budgets: [tokens(1_000)], during: () => during() });
		const { run: id } = await run();
		expect(await accounts()).toEqual({ "t/tokens": [110, 0] });
		expect(caps).toEqual([50]);
		const [answer] = ofType(await scene.events(id), "model.answered");
		expect(answer?.spent).toEqual([{ account: "budget:t/tokens", amount: 110, holder: "m1.1" }]);
	});

	test("that are left to the last one let the model answer, cut to them; with one less it is not asked", async () => {
		for (const [left, cap] of [
			[bound + 50, 50],
			[bound + 49, 49],
			[bound + 1, 1],
			[bound, undefined],
		] as const) {
			const { run, caps, accounts } = modelStage({ budgets: [tokens(left)], usage: [100, 1] });
			const result = await run();
			expect([result.status, caps]).toEqual(cap === undefined ? ["failed", []] : ["completed", [cap]]);
			expect(await accounts()).toEqual(cap === undefined ? {} : { "t/tokens": [101, 0] });
		}
	});

	test("that are used up end the run, which says of which budget and when it is renewed", async () => {
		const budget: Budget = { ...tokens(600), per: "principal", window: "day" };
		const { scene, run } = modelStage({ budgets: [budget] });
		await run();
		const result = await run();
		expect(result).toMatchObject({ status: "failed", error: { code: "limit.budget" } });
		expect(result.status === "failed" && result.error.message).toBe(
			`The model is not asked any more. The budget t allows 600 tokens per principal and day: 490 of 600 is left, and this needs ${bound + 1}. It is renewed at 2030-01-02T00:00:00Z.`,
		);
		scene.clock.advance(24 * 3_600_000);
		expect(await run()).toMatchObject({ status: "completed" });
	});

	test("of the input alone, and of the output alone", async () => {
		const budgets: Budget[] = [
			{ name: "i", counts: "inputTokens", max: bound },
			{ name: "o", counts: "outputTokens", max: 20 },
		];
		const { run, accounts, caps } = modelStage({ budgets });
		await run();
		expect(caps).toEqual([20]);
		expect(await accounts()).toEqual({ "i/inputTokens": [100, 0], "o/outputTokens": [10, 0] });
		expect(await run()).toMatchObject({
			status: "failed",
			error: { message: expect.stringContaining("budget i allows") },
		});
	});

	test("of an answer are bounded where the settings do not say, and not where no budget counts them", async () => {
		const counted = modelStage({ budgets: [tokens(1e6)], settings: {}, limits: { modelOutputTokensMax: 77 } });
		await counted.run();
		const time: Budget = { name: "w", counts: "wallMs", max: 1e6 };
		const free = modelStage({ budgets: [time], settings: {} });
		await free.run();
		expect([counted.caps, free.caps]).toEqual([[77], [undefined]]);
	});

	test("of a turn follow from what the one before reported", async () => {
		const look = defineTool({
			name: "look",
			description: "Looks.",
			effect: "read",
			input: z.object({}),
			execute: () => "x".repeat(40),
		});
		const held: unknown[] = [];
		const { run, accounts } = modelStage({
			budgets: [tokens(1e6)],
			usage: [1_000, 10],
			tools: [look],
			story: [call("look"), say("done")],
			during: async () => held.push(await accounts()),
		});
		await run();
		const [, second] = held as { "t/tokens": [number, number] }[];
		// 1,010 as reported, the bytes of what came since, and the answer.
		const [spent, next] = second?.["t/tokens"] ?? [0, 0];
		expect([spent, next >= 1_010 + 40 + 50, next < 1_010 + 300 + 50]).toEqual([1_010, true, true]);
	});

	test("of an answer that failed are given back", async () => {
		const { run, accounts } = modelStage({ budgets: [tokens(1_000)], story: [failing(400)] });
		await expect(run()).rejects.toMatchObject({ code: "model.refused" });
		expect(await accounts()).toEqual({ "t/tokens": [0, 0] });
	});

	test("of an answer that is to come later are given back while it is waited for", async () => {
		const { scene, run, accounts } = modelStage({
			budgets: [tokens(1_000)],
			story: [failing(429, { "retry-after": "60" }), say("done")],
		});
		const waiting = await run();
		expect([waiting.status, await accounts()]).toEqual(["waiting", { "t/tokens": [0, 0] }]);
		scene.clock.advance(60_000);
		await scene.harness.resume(waiting.run);
		expect(await accounts()).toEqual({ "t/tokens": [110, 0] });
	});

	test("that a layer lets the model take twice are spent twice, and none where it answers itself", async () => {
		const twice: Middleware = {
			name: "twice",
			model: async (request, next) => {
				await next(request);
				return next(request);
			},
		};
		const { run, accounts } = modelStage({ budgets: [tokens(1_000)], middleware: [twice] });
		await run();
		expect(await accounts()).toEqual({ "t/tokens": [220, 0] });
		const usage = { inputTokens: 5, outputTokens: 5 };
		const itself: Middleware = {
			name: "itself",
			model: async () => ({ content: [{ type: "text", text: "hi" }], finish: "stop", usage }),
		};
		const cached = modelStage({ budgets: [tokens(1_000)], middleware: [itself] });
		await cached.run();
		expect(await cached.accounts()).toEqual({});
		const small = modelStage({ budgets: [tokens(600)], middleware: [twice] });
		expect(await small.run()).toMatchObject({ status: "failed", error: { code: "limit.budget" } });
		expect(await small.accounts()).toEqual({ "t/tokens": [110, 0] });
	});

	test("that others hold are waited for, and no answer is cut because of them", async () => {
		const open = gate();
		const asked = gate();
		let times = 0;
		const during = () => {
			times++;
			asked.resolve();
			return times === 1 ? open.promise : undefined;
		};
		const { scene, run, accounts, caps } = modelStage({ budgets: [tokens(1_099)], during });
		const first = run();
		await asked.promise;
		const second = await run();
		expect(second).toMatchObject({
			status: "waiting",
			waits: [{ kind: "timer", why: expect.stringContaining("the budget t is held by others") }],
		});
		open.resolve();
		await first;
		scene.clock.advance(60_000);
		expect(await scene.harness.resume(second.run)).toMatchObject({ status: "completed" });
		expect(caps).toEqual([50, 50]);
		expect(await accounts()).toEqual({ "t/tokens": [220, 0] });
	});

	test("that a process held which died before its answer was durable are spent, once", async () => {
		for (const [when, spent] of [
			["before", bound + 50 + 110],
			["after", 110],
		] as const) {
			const { scene, accounts } = modelStage({ budgets: [tokens(2_000)] });
			const dying = scene.again({ store: crashingStore(scene.store, { at: 2, when }) });
			await expect(dying.harness.run(dying.agent, "hello", { runId: "r" })).rejects.toThrow();
			scene.clock.advance(60_000);
			await scene.again().harness.resume("r");
			expect(await accounts()).toEqual({ "t/tokens": [spent, 0] });
		}
	});
});

describe("money", () => {
	const money = (max: number): Budget => ({ name: "m", counts: "money", max });

	test("is what the tokens cost, rounded up; the last micro-USD may be used", async () => {
		const most = bound + 50 * 2.5;
		for (const [max, cap] of [
			[most, 50],
			[most - 1, 49],
			[bound + 3, 1],
			[bound + 2, undefined],
		] as const) {
			const { run, caps, accounts } = modelStage({ budgets: [money(max)], prices: price, usage: [100, 1] });
			expect((await run()).status).toBe(cap === undefined ? "failed" : "completed");
			expect(caps).toEqual(cap === undefined ? [] : [cap]);
			expect(await accounts()).toEqual(cap === undefined ? {} : { "m/money": [103, 0] });
		}
	});

	test("of a model that nobody knows the price of is not spent: it is not asked, and the run is kept", async () => {
		const { scene, run, caps } = modelStage({ budgets: [money(1e6)] });
		await expect(run()).rejects.toMatchObject({
			code: "config.invalid",
			message: "The budget m counts money, and holdpoint.scripted/scripted has no price",
		});
		expect(caps).toEqual([]);
		const [row] = await scene.harness.runs();
		const priced = scene.again({
			harness: { budgets: [money(1e6)], prices: { "holdpoint.scripted/scripted": { input: 1, output: 1 } } },
		});
		expect(await priced.harness.resume(row?.run ?? "")).toMatchObject({ status: "completed" });
	});
});

describe("time of the model", () => {
	const time = (max: number): Budget => ({ name: "w", counts: "wallMs", max });

	test("is spent as it was, and what is left bounds the next answer", async () => {
		const { scene, run, accounts } = modelStage({
			budgets: [time(100)],
			clock: fakeClock(),
			during: () => {
				scene.clock.advance(60);
				return isStuck ? new Promise(() => undefined) : undefined;
			},
		});
		let isStuck = false;
		await run();
		expect(await accounts()).toEqual({ "w/wallMs": [60, 0] });
		isStuck = true;
		const result = await run();
		expect(result).toMatchObject({ status: "failed", error: { code: "limit.budget" } });
		expect(await accounts()).toEqual({ "w/wallMs": [100, 0] });
		expect(await run()).toMatchObject({ error: { message: expect.stringContaining("0 of 100 is left") } });
	});
});

describe("a run whose budget is used up", () => {
	test("brings what it had begun to an outcome first", async () => {
		const open = gate();
		const slow = defineTool({
			name: "slow",
			description: "Takes its time.",
			input: z.object({}),
			execute: async () => {
				await scene.harness.tell(id, "how far?");
				await open.promise;
				return "done";
			},
		});
		const id = "r";
		const { scene } = modelStage({
			budgets: [tokens(1_400)],
			usage: [1_000, 10],
			tools: [slow],
			story: [call("slow"), say("no")],
			harness: { budgets: [tokens(1_400)], policy: () => ({ verdict: "allow" }) },
		});
		const running = scene.harness.run(scene.agent, "go", { runId: id });
		open.resolve();
		expect(await running).toMatchObject({ status: "failed", error: { code: "limit.budget" } });
		expect(ofType(await scene.events(id), "call.finished")).toMatchObject([{ outcome: { ok: "done" } }]);
	});
});
