/** That no account of tokens or money goes above its `max`, as long as a tokenizer makes no more tokens of a text than bytes. */
import type { LanguageModelV4 } from "@ai-sdk/provider";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { Middleware } from "../spec/agent.ts";
import type { Budget, Prices } from "../spec/budget.ts";
import type { Store } from "../spec/store.ts";
import { ofType, type StageOptions, stage } from "../testing/stage.ts";
import { call, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";

type Request = Parameters<LanguageModelV4["doGenerate"]>[0];

function bytesOf(value: unknown): number {
	let bytes = 0;
	JSON.stringify(value, (_, inner) => {
		if (typeof inner === "string") bytes += Buffer.byteLength(inner);
		return inner;
	});
	return bytes;
}

/** A token for each byte of every text, and some for each message and for what stands before tools. */
function countedInput({ prompt, tools }: Request): number {
	return bytesOf([prompt, tools]) + 8 * prompt.length + (tools?.length ? 400 : 0);
}

/** A token for each byte of what it says, which is cut where it may not say so much. */
async function said(model: LanguageModelV4, request: Request) {
	const answer = await model.doGenerate(request);
	const { maxOutputTokens: most = 0 } = request;
	const output = bytesOf(answer.content) + 32;
	if (output <= most) return { answer, output };
	const content = [{ type: "text", text: "x".repeat(Math.max(1, most - 8)) }] as const;
	const finishReason = { unified: "length", raw: undefined } as const;
	return { answer: { ...answer, content: [...content], finishReason }, output: most };
}

interface Options extends Partial<StageOptions> {
	readonly budgets: readonly Budget[];
	readonly prices?: Prices;
	/** What the provider reports. Default: as much as a tokenizer can make of it. */
	readonly report?: (counted: { input: number; output: number }) => {
		readonly input: number | undefined;
		readonly output: number | undefined;
	};
}

function greedy({ budgets, prices = {}, report = (counted) => counted, harness, ...rest }: Options) {
	const overdrawn: string[] = [];
	const around = (model: LanguageModelV4): LanguageModelV4 => ({
		...model,
		doGenerate: async (request) => {
			await look();
			const { answer, output: counted } = await said(model, request);
			const { input, output } = report({ input: countedInput(request), output: counted });
			return {
				...answer,
				usage: {
					inputTokens: { total: input, noCache: input, cacheRead: undefined, cacheWrite: undefined },
					outputTokens: { total: output, text: output, reasoning: undefined },
				},
			};
		},
	});
	const scene = stage({
		story: () => say("done"),
		settings: { maxOutputTokens: 1_500 },
		around,
		harness: { budgets, prices, policy: () => ({ verdict: "allow" }), ...harness },
		...rest,
	});
	const rows = () => scene.store.accounts({ prefix: "budget:" });
	/** At all times. */
	async function look(): Promise<void> {
		for (const { account, spent, held } of await rows()) {
			const { max = 0 } = budgets.find(({ name }) => account.startsWith(`budget:${name}/`)) ?? {};
			if (spent + held > max) overdrawn.push(`${account}: ${spent} + ${held} of ${max}`);
		}
	}
	return { scene, rows, look, overdrawn };
}

const tokens = (max: number): Budget => ({ name: "t", counts: "tokens", max });
const prices: Prices = { scripted: { input: 3, output: 15 } };
const echo = defineTool({
	name: "echo",
	description: "Says it again.",
	effect: "read",
	input: z.object({ text: z.string() }),
	execute: ({ text }) => ({ text, again: [text] }),
});

/** What each model call holds. */
function noted(store: Store) {
	const amounts: number[] = [];
	const commit: Store["commit"] = (run, epoch, writes) => {
		for (const write of writes) if (write.kind === "reserve") amounts.push(write.amount);
		return store.commit(run, epoch, writes);
	};
	return { amounts, store: { ...store, commit } };
}

describe("what is held of an input", () => {
	const text = fc.oneof(
		fc.string({ unit: "binary", maxLength: 80 }),
		fc.constantFrom("", "請把第十七號訂單的款項退還給我", "👩‍👩‍👧‍👦", '"\n\t\\', "\ud800", "x".repeat(300)),
	);
	const play = fc.record({
		max: fc.integer({ min: 1, max: 20_000 }),
		/** Of each session: what the user says, and what the model has said again, a turn each. */
		sends: fc.array(fc.tuple(text, fc.array(text, { maxLength: 3 })), { minLength: 1, maxLength: 3 }),
		/** What a layer adds to each request, one after the other; undefined: it leaves it as it is. */
		adds: fc.array(fc.option(text, { nil: undefined }), { maxLength: 6 }),
		isTwice: fc.boolean(),
		/** What a layer makes of each last answer. */
		rewrites: fc.option(text, { nil: undefined, freq: 2 }),
	});

	test("and what comes of it is never above a budget, in any script, over turns, sessions and layers", async () => {
		const ends = new Set<string>();
		await fc.assert(
			fc.asyncProperty(play, async ({ max, sends, adds, isTwice, rewrites }) => {
				let asked = 0;
				const layer: Middleware = {
					name: "layer",
					model: async (request, next) => {
						const added = adds[asked++];
						const more: Request["prompt"] =
							added === undefined ? [] : [{ role: "user", content: [{ type: "text", text: added }] }];
						const changed = added === undefined ? request : { ...request, prompt: [...request.prompt, ...more] };
						if (isTwice) await next(changed);
						const answer = await next(changed);
						if (rewrites === undefined || answer.finish === "tool-calls") return answer;
						return { ...answer, content: [{ type: "text", text: rewrites }] };
					},
				};
				let turns: readonly string[] = [];
				let at = 0;
				const budgets: Budget[] = [tokens(max), { name: "m", counts: "money", max: max * 5 }];
				const { scene, rows, look, overdrawn } = greedy({
					budgets,
					prices,
					tools: [echo],
					middleware: [layer],
					story: () => (at < turns.length ? call("echo", { text: turns[at++] ?? "" }) : say(turns.join(" ") || "done")),
				});
				const session = scene.harness.session("s", scene.agent);
				for (const [said, list] of sends) {
					[turns, at] = [list, 0];
					ends.add((await session.send(said.trim() || "go", { principal: "ann" })).status);
					await look();
				}
				expect(overdrawn).toEqual([]);
				expect((await rows()).filter(({ held }) => held > 0)).toEqual([]);
			}),
			{ numRuns: 300 },
		);
		expect([...ends].sort()).toEqual(["completed", "failed"]);
	});

	test("follows the provider's count for what it has seen, also into the session's next run", async () => {
		const { scene } = greedy({
			budgets: [tokens(1e6)],
			instructions: "x".repeat(4_000),
			settings: { maxOutputTokens: 50 },
			report: ({ input }) => ({ input: Math.ceil(input / 4), output: 1 }),
		});
		const { amounts, store } = noted(scene.store);
		const { harness, agent } = scene.again({ store });
		const session = harness.session("s", agent);
		await session.send("one", { principal: "ann" });
		await session.send("two", { principal: "ann" });
		const [first = 0, second = 0] = amounts;
		expect([first > 4_000, second > 1_000, second < 1_500]).toEqual([true, true, true]);
	});

	test.each([
		["other instructions", { instructions: "y".repeat(2_000) }],
		["other tools", { tools: [echo] }],
	])("is all of its bytes again for an agent with %s", async (_, changes) => {
		const { scene } = greedy({
			budgets: [tokens(1e6)],
			settings: { maxOutputTokens: 50 },
			report: () => ({ input: 10, output: 1 }),
		});
		const { amounts, store } = noted(scene.store);
		const send = async (agentChanges: object, text: string) => {
			const { harness, agent } = scene.again({ store, agent: agentChanges });
			await harness.session("s", agent).send(text, { principal: "ann" });
		};
		await send({}, "one");
		await send(changes, "two");
		await send(changes, "three");
		const [, changed = 0, unchanged = 0] = amounts;
		expect(changed).toBeGreaterThan(500);
		expect(unchanged).toBeLessThan(300);
	});
});

describe("a layer", () => {
	const more: Request["prompt"] = [{ role: "user", content: [{ type: "text", text: "z".repeat(5_000) }] }];

	const long = "y".repeat(3_000);
	type Change = (prompt: Request["prompt"]) => Request["prompt"];
	const none: Change = (prompt) => prompt;
	test.each<[string, string, readonly Change[], readonly boolean[]]>([
		["that says more is held for with all of that", "Short.", [none, (prompt) => [...prompt, ...more]], [false, true]],
		[
			"that keeps something back says nothing of the whole",
			long,
			[(prompt) => prompt.slice(0, 1), none],
			[false, true],
		],
		["that changes nothing does not change what is held", long, [none, none], [true, false]],
	])("%s", async (_, first, changes, isLarge) => {
		let asked = 0;
		const layer: Middleware = {
			name: "layer",
			model: (request, next) => {
				const change = changes[asked++];
				const prompt = change?.(request.prompt as Request["prompt"]) ?? request.prompt;
				return next(prompt === request.prompt ? request : { ...request, prompt });
			},
		};
		const { scene } = greedy({
			budgets: [tokens(1e6)],
			settings: { maxOutputTokens: 50 },
			middleware: [layer],
			report: () => ({ input: 10, output: 1 }),
		});
		const { amounts, store } = noted(scene.store);
		const { harness, agent } = scene.again({ store });
		const session = harness.session("s", agent);
		await session.send(first, { principal: "ann" });
		await session.send("two", { principal: "ann" });
		expect(amounts.map((amount) => amount > 2_000)).toEqual(isLarge);
	});
});

describe("a provider that counts more than was held", () => {
	test("is believed: the account is overdrawn, the event says by how much, and the next answer is refused", async () => {
		const { scene, rows } = greedy({ budgets: [tokens(3_000)], report: () => ({ input: 3_500, output: 5 }) });
		const { run } = await scene.harness.run(scene.agent, "go");
		expect((await rows())[0]).toMatchObject({ spent: 3_505, held: 0 });
		const [answered] = ofType(await scene.events(run), "model.answered");
		const [spent] = answered?.spent ?? [];
		expect(spent).toMatchObject({ amount: 3_505, overdrawn: expect.any(Number) });
		expect(3_505 - (spent?.overdrawn ?? 0)).toBeLessThan(3_000);
		const [{ accounts } = { accounts: [] }] = await scene.harness.governance.budgets();
		expect(accounts).toMatchObject([{ spent: 3_505, left: 0, overdrawn: 505 }]);
		expect(await scene.harness.run(scene.agent, "go")).toMatchObject({
			status: "failed",
			error: { code: "limit.budget", message: expect.stringContaining("0 of 3000 is left") },
		});
	});

	test("and one that counts no more says nothing of the kind", async () => {
		const { scene } = greedy({ budgets: [tokens(3_000)] });
		const { run } = await scene.harness.run(scene.agent, "go");
		const [answered] = ofType(await scene.events(run), "model.answered");
		expect(answered?.spent?.[0]).not.toHaveProperty("overdrawn");
		const [{ accounts } = { accounts: [] }] = await scene.harness.governance.budgets();
		expect(accounts).toMatchObject([{ overdrawn: 0 }]);
	});

	test("is not one that counts nothing: as much is spent as it may have been", async () => {
		const long = "請退款".repeat(20);
		const { scene, rows } = greedy({
			budgets: [tokens(2_000)],
			story: [say(long)],
			settings: { maxOutputTokens: 500 },
			report: () => ({ input: undefined, output: undefined }),
		});
		const { run } = await scene.harness.run(scene.agent, "go");
		const [answered] = ofType(await scene.events(run), "model.answered");
		expect(answered?.usage.estimated).toBe(true);
		const [{ spent } = { spent: 0 }] = await rows();
		expect(spent).toBeGreaterThan(Buffer.byteLength(long) + Buffer.byteLength("Do what the story says."));
		expect(spent).toBeLessThan(1_000);
	});
});
