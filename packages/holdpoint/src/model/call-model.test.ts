import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { HoldpointError } from "../spec/errors.ts";
import type { ModelDelta } from "../spec/model.ts";
import {
	answerOf,
	apiError,
	call,
	fakeModel,
	good,
	limits,
	request,
	TestClock,
	textParts,
	timeoutMs,
} from "./fake-model.ts";

describe("attempts", () => {
	test.each([408, 409, 429, 500, 502, 503, 529])("status %i is tried again", async (status) => {
		const { model, asked } = fakeModel({
			generate: (n) => {
				if (n < 3) throw apiError(status);
				return good;
			},
		});
		const called = await call(model);
		expect(answerOf(called).content).toEqual([{ type: "text", text: "hi" }]);
		expect(asked).toHaveLength(3);
		expect(called.retries).toEqual([
			{ attempt: 1, attemptsMax: 4, waitMs: 250, reason: `status ${status} of the provider`, status },
			{ attempt: 2, attemptsMax: 4, waitMs: 500, reason: `status ${status} of the provider`, status },
		]);
	});

	test.each([400, 401, 403, 404, 413, 422])("status %i is not tried again", async (status) => {
		const cause = apiError(status, { isRetryable: status === 400 });
		const { model, asked } = fakeModel({
			generate: () => {
				throw cause;
			},
		});
		const { error } = await call(model);
		expect(error).toMatchObject({
			code: "model.refused",
			message: `fake/m1 refused the request (status ${status}): status ${status} of the provider`,
			details: { provider: "fake", model: "m1", attempts: 1, status },
			cause,
		});
		expect(asked).toHaveLength(1);
	});

	test.each<[string, unknown]>([
		[
			"a network error",
			Object.assign(new TypeError("fetch failed"), { cause: Object.assign(new Error("x"), { code: "ECONNREFUSED" }) }),
		],
		["an unknown error", new Error("?")],
		["a word", "nope"],
		["nothing", undefined],
		["an abort of its own", new DOMException("aborted", "AbortError")],
	])("all fail with %s", async (_, thrown) => {
		const { model, asked } = fakeModel({
			generate: () => {
				throw thrown;
			},
		});
		const called = await call(model);
		expect(called.error).toMatchObject({ code: "model.unavailable", retry: "safe", details: { attempts: 4 } });
		expect(called.error?.cause).toBe(thrown);
		expect(asked).toHaveLength(4);
		expect(called.clock.waits).toEqual([250, 500, 1_000]);
	});

	test("wait within a bound that doubles, spread over all of it", async () => {
		const wait = async (random: number) => {
			const model = fakeModel({
				generate: () => {
					throw apiError(500);
				},
			}).model;
			return (await call(model, { random: () => random, limits: { ...limits, modelAttemptsMax: 8 } })).clock.waits;
		};
		expect(await wait(0)).toEqual([0, 0, 0, 0, 0, 0, 0]);
		expect(await wait(1)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
	});

	test.each<[string, Record<string, string>, number]>([
		["seconds", { "retry-after": "3" }, 3_000],
		["a part of a second", { "Retry-After": "1.5" }, 1_500],
		["milliseconds before seconds", { "retry-after": "3", "retry-after-ms": "1200" }, 1_200],
		["a date", { "retry-after": "Tue, 01 Jan 2030 00:00:05 GMT" }, 5_000],
		["a date that is past", { "retry-after": "Mon, 31 Dec 2029 00:00:00 GMT" }, 250],
		["less than the back-off", { "retry-after-ms": "10" }, 250],
		["nonsense", { "retry-after": "soon", "retry-after-ms": "-5" }, 250],
	])("honour retry-after: %s", async (_, responseHeaders, waitMs) => {
		const { model } = fakeModel({
			generate: (n) => {
				if (n === 1) throw apiError(429, { responseHeaders });
				return good;
			},
		});
		const called = await call(model);
		answerOf(called);
		expect(called.clock.waits).toEqual([waitMs]);
	});

	test("read retry-after of an error that is wrapped", async () => {
		const cause = apiError(429, { responseHeaders: new Headers({ "retry-after": "2" }) });
		const { model } = fakeModel({
			generate: (n) => {
				if (n === 1) throw new Error("wrapped", { cause });
				return good;
			},
		});
		expect((await call(model)).clock.waits).toEqual([2_000]);
	});

	test("are put off where the provider wants longer than a process should idle", async () => {
		const ask = async (seconds: string, attempt = 1) => {
			const error = apiError(429, { responseHeaders: { "retry-after": seconds } });
			const { model, asked } = fakeModel({
				generate: (n) => {
					throw n < attempt ? apiError(500) : error;
				},
			});
			return { ...(await call(model)), attempts: asked.length };
		};
		expect(await ask("21")).toMatchObject({
			value: { kind: "later", dueInMs: 21_000, reason: "status 429 of the provider" },
			attempts: 1,
		});
		expect((await ask("20")).error).toMatchObject({ code: "model.unavailable" });
		expect(await ask("600", 4)).toMatchObject({ value: { kind: "later", dueInMs: 600_000 }, attempts: 4 });
		expect(await ask("99999999999")).toMatchObject({ value: { kind: "later", dueInMs: 86_400_000 } });
	});

	test("that deliver pieces and are put off void them", async () => {
		const late = apiError(503, { responseHeaders: { "retry-after": "100" } });
		const called = await call(fakeModel({ stream: () => [{ type: "text-delta", id: "t", delta: "x" }, late] }).model, {
			stream: true,
		});
		expect(called.value).toMatchObject({ kind: "later" });
		expect(called.deltas.at(-1)).toEqual({ type: "answer.restarted", reason: "status 503 of the provider" });
	});

	test("leave an error of ours as it is", async () => {
		const mismatch = new HoldpointError("story.mismatch", "not in the story");
		const { model, asked } = fakeModel({
			generate: () => {
				throw mismatch;
			},
		});
		expect((await call(model)).error).toBe(mismatch);
		expect(asked).toHaveLength(1);
	});

	test.each(["AI_LoadAPIKeyError", "AI_InvalidPromptError", "AI_UnsupportedFunctionalityError"])(
		"do not repeat %s",
		async (name) => {
			const { model, asked } = fakeModel({
				generate: () => {
					throw Object.assign(new Error("set it"), { name });
				},
			});
			expect((await call(model)).error).toMatchObject({ code: "model.refused" });
			expect(asked).toHaveLength(1);
		},
	);

	test.each([0, Number.NaN, 1])("are at least one (%d)", async (modelAttemptsMax) => {
		const { model, asked } = fakeModel({
			generate: () => {
				throw apiError(500);
			},
		});
		await call(model, { limits: { ...limits, modelAttemptsMax } });
		expect(asked).toHaveLength(1);
	});
});

describe("time and abort", () => {
	const hanging = () => new Promise<never>(() => {});

	test("no timer is set for a model that answers at once", async () => {
		const { model } = fakeModel({ generate: () => good, stream: () => textParts("a") });
		expect((await call(model)).clock.timeouts).toEqual([]);
		expect((await call(model, { stream: true })).clock.timeouts).toEqual([]);
	});

	test("an attempt that takes too long is stopped and tried again, even if the model ignores it", async () => {
		const clock = new TestClock();
		const { model, asked } = fakeModel({ generate: (n) => (n === 1 ? hanging() : good) });
		const calling = call(model, { clock });
		await clock.armed.promise;
		clock.timeOut();
		const called = await calling;
		expect(answerOf(called).content).toEqual([{ type: "text", text: "hi" }]);
		expect(asked.map((options) => options.abortSignal?.aborted)).toEqual([true, false]);
		expect(called.retries[0]?.reason).toBe("no answer within 300000 ms");
	});

	test("an answer that took its time leaves no timer and no listener behind", async () => {
		const clock = new TestClock();
		const controller = new AbortController();
		const answering = Promise.withResolvers<unknown>();
		const { model, asked } = fakeModel({ generate: () => answering.promise });
		const calling = call(model, { clock, signal: controller.signal });
		await clock.armed.promise;
		expect(getEventListeners(controller.signal, "abort")).toHaveLength(1);
		answering.resolve(good);
		answerOf(await calling);
		expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
		expect(clock.ended?.aborted).toBe(true);
		expect(asked[0]?.abortSignal?.aborted).toBe(false);
	});

	test("a timer that goes off although it was stopped changes nothing", async () => {
		const clock = new TestClock();
		const late = Promise.withResolvers<void>();
		clock.sleep = () => {
			clock.armed.resolve();
			return late.promise;
		};
		const answering = Promise.withResolvers<unknown>();
		const { model, asked } = fakeModel({ generate: () => answering.promise });
		const calling = call(model, { clock });
		await clock.armed.promise;
		answering.resolve(good);
		answerOf(await calling);
		late.resolve();
		await new Promise<void>((resolve) => setImmediate(resolve));
		expect(asked[0]?.abortSignal?.aborted).toBe(false);
	});

	test("a stream that goes on regardless after its time reaches nobody", async () => {
		const clock = new TestClock();
		const late = Promise.withResolvers<unknown>();
		const reader = { read: () => late.promise, cancel: () => Promise.resolve() };
		const { model } = fakeModel({
			stream: (n) => (n === 1 ? { stream: { getReader: () => reader } } : textParts("b")),
		});
		const calling = call(model, { clock, stream: true });
		await clock.armed.promise;
		clock.timeOut();
		late.resolve({ done: false, value: textParts("a")[2] });
		expect((await calling).deltas).toEqual([{ type: "text.delta", text: "b" }]);
	});

	test("a stream that hangs in its middle is stopped and its source let go", async () => {
		const clock = new TestClock();
		let cancelled = 0;
		const stream = new ReadableStream({
			start: (c) => void c.enqueue(textParts("a")[2]),
			cancel: () => void cancelled++,
		});
		const { model } = fakeModel({ stream: (n) => (n === 1 ? { stream } : textParts("b")) });
		const calling = call(model, { clock, stream: true });
		await clock.armed.promise;
		clock.timeOut();
		const called = await calling;
		expect(answerOf(called).content).toEqual([{ type: "text", text: "b" }]);
		expect(called.deltas.map((delta) => delta.type)).toEqual(["text.delta", "answer.restarted", "text.delta"]);
		expect(cancelled).toBe(1);
	});

	test("time that the reader takes is not the provider's", async () => {
		const clock = new TestClock();
		const reading = Promise.withResolvers<void>();
		const { model, asked } = fakeModel({ stream: () => textParts("a") });
		const calling = call(model, { clock, onDelta: () => reading.promise });
		await clock.armed.promise;
		clock.ms += 2 * timeoutMs;
		clock.timeOut();
		await new Promise<void>((resolve) => setImmediate(resolve));
		reading.resolve();
		expect(answerOf(await calling).content).toEqual([{ type: "text", text: "a" }]);
		expect(asked).toHaveLength(1);
		expect(clock.timeouts).toEqual([timeoutMs, 2 * timeoutMs]);
	});

	test("an abort rejects with its reason and is never tried again", async () => {
		const reason = new Error("the user left");
		const before = AbortSignal.abort(reason);
		const { model, asked } = fakeModel({ generate: () => good });
		expect((await call(model, { signal: before })).error).toBe(reason);
		expect(asked).toHaveLength(0);
	});

	for (const stream of [false, true]) {
		test(`an abort during ${stream ? "a stream" : "an attempt"} that ignores it`, async () => {
			const reason = new Error("the user left");
			const controller = new AbortController();
			const clock = new TestClock();
			const { model, asked } = fakeModel({ generate: hanging, stream: () => ({ stream: new ReadableStream() }) });
			const calling = call(model, { clock, signal: controller.signal, ...(stream ? { stream } : undefined) });
			await clock.armed.promise;
			controller.abort(reason);
			expect((await calling).error).toBe(reason);
			expect(asked).toHaveLength(1);
			expect(asked[0]?.abortSignal?.reason).toBe(reason);
		});
	}

	test.each([
		["an abort error", new DOMException("aborted", "AbortError")],
		["a refusal", apiError(400)],
	])("an abort that the model answers with %s of its own", async (_, thrown) => {
		const reason = new Error("the user left");
		const controller = new AbortController();
		const { model, asked } = fakeModel({
			generate: () => {
				controller.abort(reason);
				throw thrown;
			},
		});
		expect((await call(model, { signal: controller.signal })).error).toBe(reason);
		expect(asked).toHaveLength(1);
	});

	test("an abort while waiting for the next attempt", async () => {
		const reason = new Error("the user left");
		const controller = new AbortController();
		const { model, asked } = fakeModel({
			generate: () => {
				throw apiError(500);
			},
		});
		const called = await call(model, { signal: controller.signal, onRetry: () => controller.abort(reason) });
		expect(called.error).toBe(reason);
		expect(asked).toHaveLength(1);
	});

	test("an abort does not wait for a reader that is stuck", async () => {
		const reason = new Error("the user left");
		const controller = new AbortController();
		const model = fakeModel({ stream: () => [{ type: "text-delta", id: "t", delta: "x" }, apiError(500)] }).model;
		for (const stuckAt of ["text.delta", "answer.restarted", "attempt.failed"]) {
			const stuck = Promise.withResolvers<void>();
			const aborting = new AbortController();
			const onDelta = (delta: ModelDelta) => {
				if (delta.type !== stuckAt) return;
				stuck.resolve();
				return hanging();
			};
			const calling = call(model, { signal: aborting.signal, onDelta });
			await stuck.promise;
			aborting.abort(reason);
			expect((await calling).error).toBe(reason);
		}
		expect(controller.signal.aborted).toBe(false);
	});
});

describe("secrets", () => {
	test("of a request or with the looks of one are in no message and no detail", async () => {
		const secrets = ["sk-proj-abcDEF123456", "tok_9f8e7d6c5b", "my-proxy-credential", "hunter2hunter2", "querykey9999"];
		const message =
			`Incorrect API key provided: ${secrets[0]}. Authorization: Bearer ${secrets[1]}; proxy said ${secrets[2]} ` +
			`at https://user:${secrets[3]}@proxy.example/v1?key=${secrets[4]}&model=m`;
		const error = apiError(401, {
			message,
			data: { error: { message, type: `bad ${secrets[0]}`, code: "invalid_api_key" } },
		});
		const { model } = fakeModel({
			generate: () => {
				throw error;
			},
		});
		const headers = { "X-Proxy-Auth": `Bearer ${secrets[2]}`, "x-trace": "trace-1" };
		const called = await call(model, { request: { ...request, settings: { headers } } });
		const shown = JSON.stringify(called.error);
		for (const secret of secrets) expect(shown).not.toContain(secret);
		expect(called.error).toMatchObject({
			code: "model.refused",
			details: { status: 401, type: "invalid_api_key" },
			cause: error,
		});
		expect(shown).toContain("model=m");
	});

	test("a message of a provider has an end", async () => {
		const { model } = fakeModel({
			generate: () => {
				throw apiError(400, { message: "x".repeat(1_000_000) });
			},
		});
		expect((await call(model)).error?.message.length).toBeLessThan(800);
	});
});
