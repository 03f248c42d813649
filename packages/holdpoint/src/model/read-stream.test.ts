import { describe, expect, test } from "vitest";
import { answerOf, call, fakeModel, streamOf, textParts, usage } from "./fake-model.ts";

describe("a stream", () => {
	test("gives its pieces on the way and the whole answer at the end", async () => {
		const signature = { anthropic: { signature: "s" } };
		const parts = [
			{ type: "stream-start", warnings: [] },
			{ type: "response-metadata", id: "r" },
			{ type: "reasoning-start", id: "0" },
			{ type: "reasoning-delta", id: "0", delta: "hm" },
			{ type: "reasoning-delta", id: "0", delta: "", providerMetadata: signature },
			{ type: "reasoning-end", id: "0" },
			{ type: "text-start", id: "0" },
			{ type: "text-delta", id: "0", delta: "one " },
			{ type: "text-delta", id: "0", delta: "two" },
			{ type: "text-end", id: "0", providerMetadata: { openai: { itemId: "i" } } },
			{ type: "tool-input-start", id: "c", toolName: "look" },
			{ type: "tool-input-delta", id: "c", delta: '{"a"' },
			{ type: "tool-input-delta", id: "c", delta: ":1}" },
			{ type: "tool-input-end", id: "c" },
			{ type: "tool-call", toolCallId: "c", toolName: "look", input: '{"a":1}' },
			{ type: "text-start", id: "0" },
			{ type: "text-delta", id: "0", delta: "three" },
			{ type: "ping" },
			{ type: "finish", finishReason: { unified: "tool-calls" }, usage },
		];
		const called = await call(fakeModel({ stream: () => parts }).model, { stream: true });
		expect(called.deltas).toEqual([
			{ type: "reasoning.delta", text: "hm" },
			{ type: "text.delta", text: "one " },
			{ type: "text.delta", text: "two" },
			{ type: "call.delta", toolCallId: "c", toolName: "look", text: '{"a"' },
			{ type: "call.delta", toolCallId: "c", toolName: "look", text: ":1}" },
			{ type: "text.delta", text: "three" },
		]);
		expect(answerOf(called)).toMatchObject({
			content: [
				{ type: "reasoning", text: "hm", providerMetadata: signature },
				{ type: "text", text: "one two", providerMetadata: { openai: { itemId: "i" } } },
				{ type: "tool-call", toolCallId: "c", toolName: "look", input: '{"a":1}' },
				{ type: "text", text: "three" },
			],
			finish: "tool-calls",
		});
	});

	test("is not read on before its reader took a piece", async () => {
		let read = 0;
		const parts = textParts("ab");
		const stream = new ReadableStream(
			{ pull: (c) => (read < parts.length ? c.enqueue(parts[read++]) : c.close()) },
			{ highWaterMark: 0 },
		);
		const holding = Promise.withResolvers<void>();
		const held = Promise.withResolvers<number>();
		const model = fakeModel({ stream: () => ({ stream }) }).model;
		const calling = call(model, {
			onDelta(delta) {
				if (delta.type !== "text.delta" || delta.text !== "a") return;
				setImmediate(() => held.resolve(read));
				return holding.promise;
			},
		});
		expect(await held.promise).toBe(3);
		holding.resolve();
		expect(answerOf(await calling).content).toEqual([{ type: "text", text: "ab" }]);
	});

	test("that breaks before the first piece is tried again without a word", async () => {
		const { model, asked } = fakeModel({
			stream: (attempt) =>
				attempt === 1 ? [{ type: "text-start", id: "t" }, new TypeError("terminated")] : textParts("ok"),
		});
		const called = await call(model, { stream: true });
		expect(called.deltas).toEqual([
			{ type: "text.delta", text: "o" },
			{ type: "text.delta", text: "k" },
		]);
		expect(answerOf(called).content).toEqual([{ type: "text", text: "ok" }]);
		expect(asked).toHaveLength(2);
	});

	test("that breaks after a piece says that the answer begins anew", async () => {
		const { model } = fakeModel({
			stream: (attempt) =>
				attempt === 1 ? [{ type: "text-delta", id: "t", delta: "x" }, new TypeError("terminated")] : textParts("y"),
		});
		const called = await call(model, { stream: true });
		expect(called.deltas).toEqual([
			{ type: "text.delta", text: "x" },
			{ type: "answer.restarted", reason: "terminated" },
			{ type: "text.delta", text: "y" },
		]);
		expect(answerOf(called).content).toEqual([{ type: "text", text: "y" }]);
	});

	test("without a finish was cut", async () => {
		const { model, asked } = fakeModel({ stream: () => textParts("x").slice(0, -1) });
		const called = await call(model, { stream: true });
		expect(called.error).toMatchObject({ code: "model.answer_invalid", retry: "safe" });
		expect(asked).toHaveLength(4);
		expect(called.deltas.filter((delta) => delta.type === "answer.restarted")).toHaveLength(4);
	});

	test("that its provider calls interrupted was cut", async () => {
		const cut = [
			{ type: "text-delta", id: "t", delta: "x" },
			{ type: "finish", finishReason: { unified: "interrupted" }, usage },
		];
		const called = await call(fakeModel({ stream: (n) => (n === 1 ? cut : textParts("y")) }).model, { stream: true });
		expect(answerOf(called).content).toEqual([{ type: "text", text: "y" }]);
	});

	test.each<[unknown, string, number]>([
		[{ type: "overloaded_error", message: "busy" }, "model.unavailable", 4],
		[{ type: "error", error: { type: "rate_limit_error", message: "slow down" } }, "model.unavailable", 4],
		[{ type: "invalid_request_error", message: "no such tool" }, "model.refused", 1],
		[{ message: "no", code: "401" }, "model.refused", 1],
		[{ message: "quota", statusCode: 429, code: "insufficient_quota" }, "model.refused", 1],
		["it broke", "model.unavailable", 4],
		[undefined, "model.unavailable", 4],
	])("with the error %j", async (error, code, attempts) => {
		const { model, asked } = fakeModel({ stream: () => [{ type: "error", error }] });
		expect((await call(model, { stream: true })).error).toMatchObject({ code });
		expect(asked).toHaveLength(attempts);
	});

	test("ends when its reader fails, and is not tried again", async () => {
		let cancelled = 0;
		const stream = new ReadableStream({
			start: (c) => void c.enqueue(textParts("a")[2]),
			cancel: () => void cancelled++,
		});
		const { model, asked } = fakeModel({ stream: () => ({ stream }) });
		for (const onDelta of [
			() => Promise.reject(new Error("gone")),
			() => {
				throw new Error("gone");
			},
		]) {
			asked.length = 0;
			const called = await call(fakeModel({ stream: () => ({ stream: streamOf(textParts("a")) }) }).model, { onDelta });
			expect(called.error).toEqual(new Error("gone"));
		}
		const called = await call(model, { onDelta: () => Promise.reject(new Error("gone")) });
		expect(called.error).toEqual(new Error("gone"));
		expect({ cancelled, attempts: asked.length, aborted: asked[0]?.abortSignal?.aborted }).toEqual({
			cancelled: 1,
			attempts: 1,
			aborted: true,
		});
	});
});
