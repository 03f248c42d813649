import type { LanguageModelV3, LanguageModelV4, LanguageModelV4CallOptions } from "@ai-sdk/provider";
import type { Clock } from "../kit/clock.ts";
import type { HoldpointError } from "../spec/errors.ts";
import type { LanguageModel, ModelAnswer, ModelDelta, ModelRequest } from "../spec/model.ts";
import { type CallModelOptions, callModel, type ModelRetry } from "./call-model.ts";

export const timeoutMs = 300_000;
export const limits = {
	modelAttemptsMax: 4,
	modelTimeoutMs: timeoutMs,
	modelWaitInlineMs: 20_000,
	answerBytesMax: 10_000,
};
export const request: ModelRequest = { prompt: [{ role: "user", content: [{ type: "text", text: "hello" }] }] };
export const usage = {
	inputTokens: { total: 12, noCache: 8, cacheRead: 4, cacheWrite: undefined },
	outputTokens: { total: 7, text: 5, reasoning: 2 },
};
export const done = { unified: "stop", raw: "end_turn" };
export const good = { content: [{ type: "text", text: "hi" }], finishReason: done, usage, warnings: [] };

/** Waits between attempts pass at once and are noted; the time of an attempt passes when a test says so. */
export class TestClock implements Clock {
	readonly waits: number[] = [];
	readonly armed = Promise.withResolvers<void>();
	/** Times of attempts that began to run. */
	readonly timeouts: number[] = [];
	ms = Date.parse("2030-01-01T00:00:00Z");
	/** Of the last time of an attempt: aborted when it is not needed any more. */
	ended: AbortSignal | undefined;
	#fire: (() => void) | undefined;
	now = () => this.ms;
	sleep = (ms: number, signal?: AbortSignal): Promise<void> => {
		if (ms < timeoutMs) {
			this.waits.push(ms);
			return signal?.aborted ? Promise.reject(signal.reason) : Promise.resolve();
		}
		this.timeouts.push(ms);
		this.ended = signal;
		const slept = Promise.withResolvers<void>();
		this.#fire = slept.resolve;
		signal?.addEventListener("abort", () => slept.reject(signal.reason), { once: true });
		this.armed.resolve();
		return slept.promise;
	};
	timeOut(): void {
		this.#fire?.();
	}
}

type Answering = (attempt: number, options: LanguageModelV4CallOptions) => unknown;

/** A model whose answers are written in the test: `generate` gives results, `stream` gives parts or a stream. */
export function fakeModel(answering: { generate?: Answering; stream?: Answering }, version: "v3" | "v4" = "v4") {
	const asked: LanguageModelV4CallOptions[] = [];
	const model = {
		specificationVersion: version,
		provider: "fake",
		modelId: "m1",
		supportedUrls: {},
		async doGenerate(options: LanguageModelV4CallOptions) {
			asked.push(options);
			return answering.generate?.(asked.length, options);
		},
		async doStream(options: LanguageModelV4CallOptions) {
			asked.push(options);
			const given = await answering.stream?.(asked.length, options);
			return Array.isArray(given) ? { stream: streamOf(given) } : given;
		},
	};
	return { model: model as unknown as LanguageModelV4 | LanguageModelV3 as LanguageModel, asked };
}

/** One part per read; an `Error` among the parts breaks the stream. */
export function streamOf(parts: readonly unknown[]): ReadableStream<unknown> {
	let next = 0;
	const pull = (controller: ReadableStreamDefaultController<unknown>) => {
		const part = parts[next++];
		if (next > parts.length) controller.close();
		else if (part instanceof Error) controller.error(part);
		else controller.enqueue(part);
	};
	return new ReadableStream({ pull }, { highWaterMark: 0 });
}

export function apiError(statusCode: number, extra: Record<string, unknown> = {}): Error {
	return Object.assign(new Error(`status ${statusCode} of the provider`), {
		name: "AI_APICallError",
		statusCode,
		...extra,
	});
}

interface Told {
	clock: TestClock;
	/** Pieces of the answer; what is told of failed attempts is in `retries`. */
	deltas: ModelDelta[];
	retries: ModelRetry[];
}

export async function call(
	model: LanguageModel,
	changes: Partial<CallModelOptions> & { stream?: true; request?: ModelRequest } = {},
) {
	const { stream, request: asked = request, ...rest } = changes;
	const told: Told = { clock: new TestClock(), deltas: [], retries: [] };
	const onDelta = (delta: ModelDelta): void => {
		if (delta.type !== "attempt.failed") told.deltas.push(delta);
	};
	const options: CallModelOptions = {
		limits,
		clock: told.clock,
		random: () => 0.5,
		onRetry: (retry) => told.retries.push(retry),
		...(stream ? { onDelta } : undefined),
		...rest,
	};
	const outcome = await callModel(model, asked, options).then(
		(value) => ({ value, error: undefined }),
		(error: unknown) => ({ value: undefined, error: error as HoldpointError }),
	);
	return { ...outcome, ...told };
}

export function answerOf(called: Awaited<ReturnType<typeof call>>): ModelAnswer {
	if (called.error !== undefined) throw called.error;
	if (called.value.kind !== "answer") throw new Error(`expected an answer, got ${called.value.kind}`);
	return called.value.answer;
}

export const textParts = (text: string) => [
	{ type: "stream-start", warnings: [] },
	{ type: "text-start", id: "t" },
	...[...text].map((delta) => ({ type: "text-delta", id: "t", delta })),
	{ type: "text-end", id: "t" },
	{ type: "finish", finishReason: done, usage },
];
