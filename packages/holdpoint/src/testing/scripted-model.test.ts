import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4StreamPart } from "@ai-sdk/provider";
import { countTokens } from "gpt-tokenizer/encoding/o200k_base";
import { describe, expect, test } from "vitest";
import { callModel } from "../model/call-model.ts";
import { answerToMessage } from "../model/prompt.ts";
import { isHoldpointError } from "../spec/errors.ts";
import { defaultLimits } from "../spec/limits.ts";
import type { ModelDelta, ModelMessage, ModelPrompt } from "../spec/model.ts";
import { scriptedModel } from "./scripted-model.ts";
import { breaking, call, calls, failing, json, program, type Story, say } from "./story.ts";

const user = (text: string): ModelMessage => ({ role: "user", content: [{ type: "text", text }] });
const said = (text: string): ModelMessage => ({ role: "assistant", content: [{ type: "text", text }] });
const result = (value: unknown, tool = "look"): ModelMessage => ({
	role: "tool",
	content: [{ type: "tool-result", toolCallId: "c", toolName: tool, output: { type: "json", value: value as never } }],
});
const tools = (...names: string[]): NonNullable<LanguageModelV4CallOptions["tools"]> =>
	names.map((name) => ({ type: "function", name, inputSchema: { type: "object" } }));
const executeCodeName = "execute_code";
const quiet = { countTokens: false };

async function content(
	model: LanguageModelV4,
	prompt: ModelPrompt,
	declared: readonly string[] = ["look", executeCodeName],
) {
	return (await model.doGenerate({ prompt, tools: tools(...declared) })).content;
}

async function partsOf(model: LanguageModelV4, options: LanguageModelV4CallOptions) {
	const parts: LanguageModelV4StreamPart[] = [];
	for await (const part of (await model.doStream(options)).stream) parts.push(part);
	return parts;
}

describe("a story", () => {
	test("is played in order", async () => {
		const story = [
			say("one"),
			call("look", { id: 1 }),
			calls([{ tool: "look" }, { tool: "look", args: [2] }]),
			json({ a: 1 }),
		];
		const model = scriptedModel(story, quiet);
		expect(await content(model, [user("go")])).toEqual([{ type: "text", text: "one" }]);
		expect(await content(model, [user("go"), said("one"), user("on")])).toEqual([
			{ type: "tool-call", toolCallId: "call_2_1", toolName: "look", input: '{"id":1}' },
		]);
		expect(await content(model, [user("go"), said("1"), said("2"), result(1)])).toEqual([
			{ type: "tool-call", toolCallId: "call_3_1", toolName: "look", input: "{}" },
			{ type: "tool-call", toolCallId: "call_3_2", toolName: "look", input: "[2]" },
		]);
		expect(await content(model, [said("1"), said("2"), said("3")])).toEqual([{ type: "text", text: '{"a":1}' }]);
	});

	test("finds its place in another process by the prompt alone", async () => {
		const story = [say("one"), say("two"), say("three")];
		const prompt = [user("go"), said("one"), said("two")];
		expect(await content(scriptedModel(story, quiet), prompt)).toEqual([{ type: "text", text: "three" }]);
		const used = scriptedModel(story, quiet);
		await content(used, prompt);
		await content(used, prompt);
		expect(await content(used, [user("go")])).toEqual([{ type: "text", text: "one" }]);
	});

	test("may begin anew with each message, and still makes new call ids", async () => {
		const model = scriptedModel([call("look"), say("done")], { ...quiet, since: "user" });
		const prompt = [user("a"), said("call"), result(1), said("done"), user("b")];
		expect(await content(model, prompt)).toMatchObject([{ toolCallId: "call_3_1" }]);
		expect(await content(model, [...prompt, said("call"), result(1)])).toEqual([{ type: "text", text: "done" }]);
	});

	test("may be computed from what was asked", async () => {
		const story: Story = (ask, n) =>
			ask.results.length > 0 ? say(`${n}: ${ask.results[0]?.value}`) : say(ask.lastUser);
		const model = scriptedModel(story, quiet);
		expect(await content(model, [user("hello")])).toEqual([{ type: "text", text: "hello" }]);
		expect(await content(model, [user("hello"), said("x"), result(7)])).toEqual([{ type: "text", text: "1: 7" }]);
	});

	test("sees the whole ask in its steps", async () => {
		const outputs = [
			{ type: "text", value: '{"a":1}' },
			{ type: "text", value: "plain" },
			{ type: "error-text", value: "no" },
			{ type: "execution-denied", reason: "never" },
			{ type: "content", value: [{ type: "text", text: "x" }] },
		] as const;
		const results = outputs.map((output, at) => ({
			type: "tool-result",
			toolCallId: `c${at}`,
			toolName: "look",
			output,
		}));
		const prompt = [
			{ role: "system", content: "be kind" },
			user("first"),
			said("x"),
			{ role: "tool", content: results },
			user("second"),
		] as ModelPrompt;
		let seen: unknown;
		const look = (ask: Parameters<Extract<Story, (...args: never) => unknown>>[0]) => {
			const { system, lastUser, results: got, tools: declared, heard, n } = ask;
			seen = { system, lastUser, got: got.map(({ value, failed }) => [value, failed]), declared, heard, n };
			return "ok";
		};
		await content(scriptedModel([say("unused"), say(look)], quiet), prompt);
		expect(seen).toEqual({
			system: "be kind",
			lastUser: "second",
			got: [
				[{ a: 1 }, undefined],
				["plain", undefined],
				["no", true],
				["never", true],
				["x", undefined],
			],
			declared: ["look", executeCodeName],
			heard: '{"a":1}\nplain\nno\nnever\nx\nsecond',
			n: 1,
		});
	});

	test("calls with text, an id, or arguments that are no JSON", async () => {
		const options = { text: "let me see", reasoning: "hm", id: "mine", input: '{"a":', undeclared: true };
		expect(await content(scriptedModel([call("ghost", {}, options)], quiet), [user("go")])).toEqual([
			{ type: "reasoning", text: "hm" },
			{ type: "text", text: "let me see" },
			{ type: "tool-call", toolCallId: "mine", toolName: "ghost", input: '{"a":' },
		]);
	});

	test("runs a program through the tool that runs programs", async () => {
		expect(await content(scriptedModel([program("return 1")], quiet), [user("go")])).toEqual([
			{ type: "tool-call", toolCallId: "call_1_1", toolName: executeCodeName, input: '{"code":"return 1"}' },
		]);
	});
});

describe("a story that does not fit", () => {
	const mismatch = async (story: Story, prompt: ModelPrompt): Promise<Record<string, unknown> | undefined> => {
		try {
			await content(scriptedModel(story, quiet), prompt, ["look"]);
			return undefined;
		} catch (error) {
			if (!isHoldpointError(error)) throw error;
			return { code: error.code, ...error.details, message: error.message };
		}
	};

	test("because it is at its end", async () => {
		expect(await mismatch([say("one")], [user("go"), said("one"), result({ b: 2 })])).toEqual({
			code: "story.mismatch",
			answer: 2,
			expected: "nothing",
			why: "the story is at its end",
			asked: { user: "go", results: ['look → {"b":2}'], tools: ["look"], messages: 3 },
			story: ['say("one")'],
			message:
				"Answer 2 of the story is nothing, but the story is at its end. " +
				'Asked: user "go"; results look → {"b":2}; tools look.',
		});
		expect(await mismatch(() => undefined, [user("go")])).toMatchObject({
			why: "the story is at its end",
			story: "a function",
		});
	});

	test.each<[string, Parameters<typeof say>[1], boolean]>([
		["a word that was said", { when: "order 7" }, true],
		["a word that was not", { when: "order 8" }, false],
		["a word that was said long ago", { when: "long ago" }, false],
		["a word of a result", { when: '"stock":3' }, true],
		["a pattern", { when: /order \d/g }, true],
		["another pattern", { when: /^order \d\d/ }, false],
		["a condition", { when: (ask) => ask.results.length === 1 }, true],
		["another condition", { when: () => false }, false],
	])("because of %s", async (_, options, fits) => {
		const prompt = [user("long ago"), said("x"), result({ stock: 3 }), user("order 7")];
		const story = [say("x"), say("done", options)];
		const { why, expected } = (await mismatch(story, prompt)) ?? {};
		expect(why).toBe(fits ? undefined : "that does not hold");
		expect(expected === undefined || String(expected).startsWith('say("done") when ')).toBe(true);
	});

	test.each([[call("pay")], [program("return 1")], [calls([{ tool: "look" }, { tool: "pay" }])]])(
		"because a tool is not declared: $does",
		async (step) => {
			expect((await mismatch([step], [user("go")]))?.why).toMatch(/the tool "(pay|execute_code)" is not declared/);
		},
	);
});

describe("what the model costs", () => {
	const prompt: ModelPrompt = [{ role: "system", content: "be kind" }, user("hello <|endoftext|> world")];
	const count = (text: string) => countTokens(text, { disallowedSpecial: new Set<string>() });

	test("is counted by a tokenizer over prompt, tools and answer", async () => {
		const declared = tools("look");
		const model = scriptedModel([call("look", { id: 12 }, { text: "let me see", reasoning: "well" })]);
		const { usage } = await model.doGenerate({ prompt, tools: declared });
		const input = count("be kind") + count("hello <|endoftext|> world") + count(JSON.stringify(declared[0]));
		const output = count("let me see") + count("look") + count('{"id":12}');
		expect(usage).toEqual({
			inputTokens: { total: input, noCache: input, cacheRead: undefined, cacheWrite: undefined },
			outputTokens: { total: output + count("well"), text: output, reasoning: count("well") },
		});
	});

	test("grows with the conversation", async () => {
		const model = scriptedModel([say("a"), say("a")], { countTokens: true });
		const turn = [
			answerToMessage([{ type: "tool-call", toolCallId: "c", toolName: "look", input: '{"id":1}' }]),
			result({ stock: 3 }),
		];
		const before = (await model.doGenerate({ prompt })).usage.inputTokens.total ?? 0;
		const after = (await model.doGenerate({ prompt: [...prompt, ...turn] })).usage.inputTokens.total ?? 0;
		expect(after - before).toBe(2 * count("look") + count('{"id":1}') + count('{"stock":3}'));
	});

	test("is nothing where nothing is counted", async () => {
		const { usage } = await scriptedModel([say("a")], quiet).doGenerate({ prompt });
		expect([usage.inputTokens.total, usage.outputTokens.total]).toEqual([0, 0]);
	});
});

describe("a streamed story", () => {
	test("comes in pieces that never split a character", async () => {
		const model = scriptedModel([call("look", { a: "123456" }, { text: "ab👍🏽cd" })], { ...quiet, chunk: 3 });
		const parts = await partsOf(model, { prompt: [user("go")], tools: tools("look") });
		const deltas = parts.flatMap((part) =>
			part.type === "text-delta" || part.type === "tool-input-delta" ? [part.delta] : [],
		);
		expect(deltas).toEqual(["ab👍", "🏽c", "d", '{"a', '":"', "123", "456", '"}']);
		for (const delta of deltas) expect(delta.isWellFormed()).toBe(true);
		expect(parts.map((part) => part.type).filter((type) => !type.endsWith("delta"))).toEqual([
			"stream-start",
			"text-start",
			"text-end",
			"tool-input-start",
			"tool-input-end",
			"tool-call",
			"finish",
		]);
	});

	test("is the same answer as a whole one", async () => {
		const story = [calls([{ tool: "look" }, { tool: "look", args: { a: 1 } }], { text: "both", reasoning: "hm" })];
		const ask = (onDelta?: (delta: ModelDelta) => void) => {
			const clock = { now: () => 0, sleep: () => Promise.reject(new Error("no wait is expected")) };
			const options = { limits: defaultLimits, clock, ...(onDelta ? { onDelta } : undefined) };
			return callModel(scriptedModel(story), { prompt: [user("go")], tools: tools("look") as never }, options);
		};
		const deltas: ModelDelta[] = [];
		expect(await ask((delta) => void deltas.push(delta))).toEqual(await ask());
		expect(deltas.length).toBeGreaterThan(3);
	});

	test("can be let go before its end", async () => {
		const stream = (
			await scriptedModel([say("x".repeat(1_000))], { ...quiet, chunk: 1 }).doStream({ prompt: [user("go")] })
		).stream;
		const reader = stream.getReader();
		await reader.read();
		await reader.read();
		const cancelled = reader.cancel();
		expect(await reader.read()).toEqual({ done: true, value: undefined });
		await cancelled;
	});

	test("ends when it is aborted", async () => {
		const controller = new AbortController();
		const reason = new Error("enough");
		const options = { prompt: [user("go")], abortSignal: controller.signal };
		const reader = (await scriptedModel([say("text")], quiet).doStream(options)).stream.getReader();
		await reader.read();
		controller.abort(reason);
		await expect(reader.read()).rejects.toBe(reason);
		await expect(scriptedModel([say("text")], quiet).doGenerate(options)).rejects.toBe(reason);
	});
});

describe("failures in a story", () => {
	const limits = { ...defaultLimits, modelAttemptsMax: 3 };
	const ask = async (story: Story, streamed: boolean) => {
		const waits: number[] = [];
		const deltas: ModelDelta[] = [];
		const never = new Promise<void>(() => {});
		const sleep = (ms: number) => (ms === limits.modelTimeoutMs ? never : Promise.resolve(void waits.push(ms)));
		const onDelta = (delta: ModelDelta) => void deltas.push(delta);
		const options = {
			limits,
			clock: { now: () => 0, sleep },
			random: () => 0,
			...(streamed ? { onDelta } : undefined),
		};
		const outcome = await callModel(scriptedModel(story, quiet), { prompt: [user("go")] }, options).catch(
			(error) => error,
		);
		return { outcome, waits, deltas };
	};

	test.each([false, true])("come before the answer (streamed: %s)", async (streamed) => {
		const { outcome, waits } = await ask(
			[failing(429, { "retry-after": "2" }), failing(500), say("at last")],
			streamed,
		);
		expect(outcome).toMatchObject({ kind: "answer", answer: { content: [{ type: "text", text: "at last" }] } });
		expect(waits).toEqual([2_000, 0]);
	});

	test("at the end of a story last for ever", async () => {
		expect((await ask([failing(503)], false)).outcome).toMatchObject({
			code: "model.unavailable",
			details: { status: 503 },
		});
		expect((await ask([failing(401)], false)).outcome).toMatchObject({
			code: "model.refused",
			details: { status: 401 },
		});
	});

	test("may break a stream in its middle", async () => {
		const { outcome, deltas } = await ask([breaking("half"), say("whole")], true);
		expect(outcome).toMatchObject({ kind: "answer", answer: { content: [{ type: "text", text: "whole" }] } });
		expect(deltas).toEqual([
			{ type: "text.delta", text: "half" },
			{ type: "answer.restarted", reason: "terminated" },
			expect.objectContaining({ type: "attempt.failed", attempt: 1 }),
			{ type: "text.delta", text: "whole" },
		]);
		expect((await ask([breaking("half"), say("whole")], false)).outcome).toMatchObject({ kind: "answer" });
	});
});
