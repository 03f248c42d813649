import type { LanguageModelV4CallOptions } from "@ai-sdk/provider";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isHoldpointError } from "../spec/errors.ts";
import type { LanguageModel, ModelRequest } from "../spec/model.ts";
import { answerOf, apiError, call, fakeModel, good, request } from "./fake-model.ts";

describe("an answer", () => {
	for (const version of ["v3", "v4"] as const) {
		test(`of a ${version} model is normalised`, async () => {
			const { model } = fakeModel({ generate: () => good }, version);
			expect(answerOf(await call(model))).toEqual({
				content: [{ type: "text", text: "hi" }],
				finish: "stop",
				usage: { inputTokens: 12, outputTokens: 7, cachedInputTokens: 4, reasoningTokens: 2 },
			});
		});
	}

	test("keeps what must be sent back and names what it drops", async () => {
		const signature = { anthropic: { signature: "s1" } };
		const content = [
			{ type: "reasoning", text: "", providerMetadata: signature },
			{ type: "text", text: "" },
			{ type: "source", sourceType: "url", id: "1", url: "https://example.org" },
			{ type: "tool-call", toolCallId: "p", toolName: "web_search", input: "{}", providerExecuted: true },
			{ type: "tool-result", toolCallId: "p", toolName: "web_search", result: [1], preliminary: true },
			{ type: "tool-result", toolCallId: "p", toolName: "web_search", result: [2], isError: true },
			{ type: "custom", kind: "anthropic.fallback", providerMetadata: { anthropic: { from: "a", gone: undefined } } },
			{ type: "hologram", data: new Uint8Array(3) },
			{ type: "tool-call", toolCallId: "c", toolName: "look", input: '{"a":1}', providerMetadata: signature },
		];
		const { model } = fakeModel({ generate: () => ({ ...good, content, finishReason: { unified: "tool-calls" } }) });
		const answer = answerOf(await call(model));
		expect(answer).toStrictEqual({
			content: [
				{ type: "reasoning", text: "", providerMetadata: signature },
				{ type: "tool-call", toolCallId: "p", toolName: "web_search", input: "{}", providerExecuted: true },
				{ type: "tool-result", toolCallId: "p", toolName: "web_search", result: [2], isError: true },
				{ type: "custom", kind: "anthropic.fallback", providerMetadata: { anthropic: { from: "a" } } },
				{ type: "tool-call", toolCallId: "c", toolName: "look", input: '{"a":1}', providerMetadata: signature },
			],
			finish: "tool-calls",
			usage: { inputTokens: 12, outputTokens: 7, cachedInputTokens: 4, reasoningTokens: 2 },
			dropped: ["source", "hologram"],
		});
		expect(JSON.parse(JSON.stringify(answer))).toEqual(answer);
	});

	test("gives later calls under one id an id of their own and says so", async () => {
		const toolCall = (toolCallId: string) => ({ type: "tool-call", toolCallId, toolName: "pay", input: "{}" });
		const content = ["c", "c", "c_2", "c"].map(toolCall);
		const { model } = fakeModel({ generate: () => ({ ...good, content }) });
		expect(answerOf(await call(model)).content).toEqual([
			toolCall("c"),
			{ ...toolCall("c_2"), duplicateOf: "c" },
			{ ...toolCall("c_2_2"), duplicateOf: "c_2" },
			{ ...toolCall("c_3"), duplicateOf: "c" },
		]);
	});

	test.each<[string, unknown, object]>([
		[
			"flat",
			{ inputTokens: 3, outputTokens: 4, cachedInputTokens: 1, reasoningTokens: 2 },
			{ inputTokens: 3, outputTokens: 4, cachedInputTokens: 1, reasoningTokens: 2 },
		],
		[
			"no totals",
			{ inputTokens: { noCache: 3, cacheRead: 2 }, outputTokens: { text: 4, reasoning: 1 } },
			{ inputTokens: 5, outputTokens: 5, cachedInputTokens: 2, reasoningTokens: 1 },
		],
		["missing", undefined, { inputTokens: 4, outputTokens: 2, estimated: true }],
		["null", null, { inputTokens: 4, outputTokens: 2, estimated: true }],
		[
			"NaN",
			{ inputTokens: { total: Number.NaN }, outputTokens: { total: 9 } },
			{ inputTokens: 4, outputTokens: 9, estimated: true },
		],
		[
			"negative",
			{ inputTokens: { total: 9 }, outputTokens: { total: -1 } },
			{ inputTokens: 9, outputTokens: 2, estimated: true },
		],
		[
			"infinite",
			{ inputTokens: { total: Infinity }, outputTokens: { total: 1 } },
			{ inputTokens: 4, outputTokens: 1, estimated: true },
		],
		["a word", "many", { inputTokens: 4, outputTokens: 2, estimated: true }],
	])("has a usage where the report is %s", async (_, reported, expected) => {
		const { model } = fakeModel({ generate: () => ({ ...good, usage: reported }) });
		expect(answerOf(await call(model)).usage).toEqual(expected);
	});

	test("counts what a tool gave, whatever its fields are called", async () => {
		const output = { type: "json" as const, value: { data: "x".repeat(400) } };
		const result = { type: "tool-result" as const, toolCallId: "c", toolName: "look", output };
		const { model } = fakeModel({ generate: () => ({ ...good, usage: undefined }) });
		const called = await call(model, { request: { prompt: [{ role: "tool", content: [result] }] } });
		expect(answerOf(called).usage.inputTokens).toBeGreaterThan(100);
	});

	test("does not count the bytes of a file as text", async () => {
		const file = {
			type: "file" as const,
			mediaType: "image/png",
			data: { type: "data" as const, data: "A".repeat(4_000) },
		};
		const { model } = fakeModel({ generate: () => ({ ...good, usage: undefined }) });
		const called = await call(model, { request: { prompt: [{ role: "user", content: [file] }] } });
		expect(answerOf(called).usage.inputTokens).toBeLessThan(20);
	});

	test.each([
		["stop", "stop"],
		["tool-calls", "tool-calls"],
		["content-filter", "content-filter"],
		["sunshine", "other"],
		[undefined, "other"],
	])("finishes: %s is %s", async (unified, finish) => {
		const { model } = fakeModel({ generate: () => ({ ...good, finishReason: { unified, raw: "?" } }) });
		expect(answerOf(await call(model)).finish).toBe(finish);
	});
});

describe("a request", () => {
	const tool = { type: "function" as const, name: "look", description: "d", inputSchema: { type: "object" as const } };

	test("reaches a V4 model whole", async () => {
		const { model, asked } = fakeModel({ generate: () => good });
		const responseFormat = { type: "json" as const };
		const settings = { temperature: 0, seed: 7, reasoning: "low" as const, headers: { "x-a": "1" } };
		await call(model, {
			request: { ...request, tools: [tool], toolChoice: { type: "required" }, responseFormat, settings },
		});
		const { abortSignal, ...rest } = asked[0] as LanguageModelV4CallOptions;
		expect(abortSignal).toBeInstanceOf(AbortSignal);
		expect(rest).toEqual({
			...settings,
			prompt: request.prompt,
			tools: [tool],
			toolChoice: { type: "required" },
			responseFormat,
		});
	});

	test("has no tool choice where it has no tools", async () => {
		const { model, asked } = fakeModel({ generate: () => good });
		await call(model, { request: { ...request, tools: [], toolChoice: { type: "required" } } });
		expect(Object.keys(asked[0] ?? {}).sort()).toEqual(["abortSignal", "prompt"]);
	});

	test("reaches a V3 model in its words", async () => {
		const { model, asked } = fakeModel({ generate: () => good }, "v3");
		const url = new URL("https://example.org/a.png");
		const file = (data: unknown) => ({ type: "file", mediaType: "image/png", data });
		const result = (output: unknown) => ({ type: "tool-result", toolCallId: "c", toolName: "look", output });
		const prompt = [
			{ role: "system", content: "s" },
			{
				role: "user",
				content: [{ type: "text", text: "a" }, file({ type: "data", data: "AAAA" }), file({ type: "url", url })],
			},
			{
				role: "assistant",
				content: [
					{ type: "custom", kind: "x.y" },
					{ type: "text", text: "b" },
				],
			},
			{
				role: "tool",
				content: [result({ type: "content", value: [file({ type: "data", data: new Uint8Array([0, 0, 0]) })] })],
			},
			{ role: "tool", content: [result({ type: "json", value: 1 })] },
		] as unknown as ModelRequest["prompt"];
		await call(model, { request: { prompt, settings: { reasoning: "low", seed: 1 } } });
		const { abortSignal: _, ...sent } = asked[0] as LanguageModelV4CallOptions;
		expect(sent).toEqual({
			seed: 1,
			prompt: [
				{ role: "system", content: "s" },
				{ role: "user", content: [{ type: "text", text: "a" }, file("AAAA"), file(url)] },
				{ role: "assistant", content: [{ type: "text", text: "b" }] },
				{
					role: "tool",
					content: [result({ type: "content", value: [{ type: "file-data", mediaType: "image/png", data: "AAAA" }] })],
				},
				{ role: "tool", content: [result({ type: "json", value: 1 })] },
			],
		});
	});

	test("that a V3 model cannot carry is refused before it is sent", async () => {
		const { model, asked } = fakeModel({ generate: () => good }, "v3");
		const data = { type: "reference" as const, reference: { openai: "file-1" } };
		const prompt: ModelRequest["prompt"] = [
			{ role: "user", content: [{ type: "file", mediaType: "image/png", data }] },
		];
		expect((await call(model, { request: { prompt } })).error).toMatchObject({ code: "model.refused" });
		expect(asked).toHaveLength(0);
	});

	test.each<[string, unknown, string]>([
		["a name", "openai/gpt-5", "string"],
		["null", null, "null"],
		["an older version", { specificationVersion: "v2", doGenerate() {}, doStream() {} }, '"v2"'],
		["a model without doStream", { specificationVersion: "v4", doGenerate() {} }, "doStream"],
	])("is not made of %s", async (_, model, said) => {
		const { error } = await call(model as LanguageModel);
		expect(error).toMatchObject({ code: "model.missing", message: expect.stringContaining(said) });
	});
});

describe("malformed answers", () => {
	const toolCall = { type: "tool-call", toolCallId: "c", toolName: "look", input: "{}" };
	const cyclic: Record<string, unknown> = {};
	cyclic.self = cyclic;
	const malformed: [string, unknown][] = [
		["nothing", undefined],
		["no content", { ...good, content: undefined }],
		["content that is no list", { ...good, content: "hi" }],
		["a part that is no object", { ...good, content: ["hi"] }],
		["text that is no string", { ...good, content: [{ type: "text", text: 5 }] }],
		["arguments that are no string", { ...good, content: [{ ...toolCall, input: { a: 1 } }] }],
		["a call without id", { ...good, content: [{ ...toolCall, toolCallId: "" }] }],
		["a call without name", { ...good, content: [{ ...toolCall, toolName: undefined }] }],
		["metadata that is not JSON", { ...good, content: [{ ...toolCall, providerMetadata: { a: cyclic } }] }],
		["an interrupted answer", { ...good, finishReason: { unified: "interrupted" } }],
		["an error and nothing else", { ...good, content: [], finishReason: { unified: "error" } }],
		["too many bytes", { ...good, content: [{ type: "text", text: "é".repeat(5_001) }] }],
		["too many parts", { ...good, content: Array.from({ length: 400 }, () => ({ type: "text", text: "" })) }],
		["too much metadata", { ...good, content: [{ ...toolCall, providerMetadata: { a: { b: "x".repeat(10_000) } } }] }],
	];
	test.each(malformed)("%s is asked again, and given up in the end", async (_, result) => {
		const { model, asked } = fakeModel({ generate: (n) => (n <= 4 ? result : good) });
		expect((await call(model)).error).toMatchObject({ code: "model.answer_invalid", details: { attempts: 4 } });
		answerOf(await call(model));
		expect(asked).toHaveLength(5);
	});

	test("a body that is no JSON counts as malformed, one that was cut as unavailable", async () => {
		const thrown = async (extra: Record<string, unknown>) =>
			(
				await call(
					fakeModel({
						generate: () => {
							throw apiError(200, extra);
						},
					}).model,
				)
			).error;
		expect(await thrown({ isRetryable: false })).toMatchObject({ code: "model.answer_invalid" });
		expect(await thrown({ isRetryable: true })).toMatchObject({ code: "model.unavailable" });
	});

	test.each<[string, unknown]>([
		["no stream", {}],
		["parts that are no objects", ["x"]],
		["a delta that is no string", [{ type: "text-delta", id: "t", delta: 1 }]],
		["a call without input", [{ type: "tool-call", toolCallId: "c", toolName: "t" }]],
	])("of a stream: %s", async (_, given) => {
		const called = await call(fakeModel({ stream: () => given }).model, { stream: true });
		expect(called.error).toMatchObject({ code: "model.answer_invalid" });
	});

	test.each([
		{ type: "text-delta", id: "t", delta: "x".repeat(1_000) },
		{ type: "tool-input-delta", id: "t", delta: "x".repeat(1_000) },
		{ type: "text-start", id: "t" },
	])("a stream without end is cut at the bound: %o", async (part) => {
		let pulled = 0;
		let cancelled = 0;
		const endless = () =>
			new ReadableStream({
				pull: (c) => {
					pulled++;
					c.enqueue(part);
				},
				cancel: () => void cancelled++,
			});
		const called = await call(fakeModel({ stream: () => ({ stream: endless() }) }).model, { stream: true });
		expect(called.error).toMatchObject({ code: "model.answer_invalid" });
		expect(called.error?.message).toContain("more than 10000 bytes");
		expect(cancelled).toBe(4);
		expect(pulled).toBeLessThan(4 * 400);
	});

	test("whatever a model gives, there is an answer that JSON can carry or an error of ours", async () => {
		const word = fc.constantFrom(
			"text",
			"tool-call",
			"reasoning",
			"finish",
			"text-delta",
			"error",
			"custom",
			"tool-result",
			"stop",
		);
		const leaf = fc.oneof(
			word,
			fc.string({ maxLength: 5 }),
			fc.double(),
			fc.constant(null),
			fc.constant(undefined),
			fc.boolean(),
		);
		const part = fc.record(
			Object.fromEntries(
				[
					"type",
					"id",
					"text",
					"delta",
					"toolCallId",
					"toolName",
					"input",
					"result",
					"kind",
					"error",
					"usage",
					"finishReason",
				].map((key) => [key, key === "type" ? word : leaf]),
			),
			{ requiredKeys: ["type"] },
		);
		const extra = fc.option(fc.record({ providerMetadata: fc.anything(), isError: leaf, providerExecuted: leaf }), {
			nil: {},
		});
		const parts = fc.array(
			fc.tuple(part, extra).map(([a, b]) => ({ ...a, ...b })),
			{ maxLength: 6 },
		);
		await fc.assert(
			fc.asyncProperty(parts, fc.anything(), fc.boolean(), async (content, anything, stream) => {
				const { model } = fakeModel({
					generate: () => ({ content, finishReason: anything, usage: anything }),
					stream: () => content,
				});
				const called = await call(model, stream ? { stream } : {});
				if (isHoldpointError(called.error)) return;
				const answer = answerOf(called);
				expect(JSON.parse(JSON.stringify(answer))).toEqual(answer);
			}),
			{ numRuns: 300 },
		);
	});
});
