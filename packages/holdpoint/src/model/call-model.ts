import type { LanguageModelV4 } from "@ai-sdk/provider";
import type { Clock } from "../kit/clock.ts";
import { HoldpointError, isHoldpointError } from "../spec/errors.ts";
import { fixedLimits, type Limits } from "../spec/limits.ts";
import type { AttemptFailed, LanguageModel, ModelAnswer, ModelDelta, ModelRequest } from "../spec/model.ts";
import { AnswerBuilder, AnswerInvalid, isFields } from "./answer-builder.ts";
import { type Attempt, runAttempt } from "./attempt.ts";
import { requestForV3, requestForV4 } from "./call-options.ts";
import { type ProviderFailure, providerFailure } from "./provider-failure.ts";
import { type OnDelta, ReaderFailed, readStream } from "./read-stream.ts";
import { secretsOf } from "./redact.ts";

export interface CallModelOptions {
	readonly limits: Pick<Limits, "modelAttemptsMax" | "modelTimeoutMs" | "modelWaitInlineMs" | "answerBytesMax">;
	/** Streams the answer. The provider is not read on before the promise of this settles. */
	readonly onDelta?: OnDelta;
	/** Aborts the call, which then rejects with the signal's reason. */
	readonly signal?: AbortSignal;
	readonly clock: Clock;
	/** In [0, 1). Spreads the waits between attempts. */
	readonly random?: () => number;
	/** Told before each wait. */
	readonly onRetry?: (retry: ModelRetry) => void;
}

export type ModelRetry = Omit<AttemptFailed, "type">;

export type ModelOutcome =
	| { readonly kind: "answer"; readonly answer: ModelAnswer }
	/** The provider wants to be left alone for longer than a process should idle. Nothing was answered. */
	| { readonly kind: "later"; readonly dueInMs: number; readonly reason: string };

const { backoffFirstMs, backoffMaxMs } = fixedLimits;

/**
 * Asks a model once, as often as that takes.
 *
 * Owns: attempts, waits between them, the time of each, and what an answer must look like to be used.
 * Does not own: what is asked, what becomes of the answer, waits that outlast the process (`later`).
 *
 * Invariant: a call has no effect but its price, so whatever the provider did not refuse is tried again.
 * Invariant: deltas of a failed attempt are followed by `answer.restarted`, unless the caller aborted.
 * Errors: `model.refused`, `model.unavailable`, `model.answer_invalid`, `model.missing`; the reason of `signal`; whatever
 * `onDelta` throws; a `HoldpointError` of the model itself, as it is.
 */
export async function callModel(
	model: LanguageModel,
	request: ModelRequest,
	options: CallModelOptions,
): Promise<ModelOutcome> {
	checkModel(model);
	const call: Call = { model, request, options };
	for (let attempt = 1; ; attempt++) {
		options.signal?.throwIfAborted();
		const delivery: Delivery = { onDelta: options.onDelta, delivered: false };
		try {
			return { kind: "answer", answer: await ask(call, delivery) };
		} catch (error) {
			const failure = failureOf(error, call);
			if (delivery.delivered) await tell({ type: "answer.restarted", reason: failure.message }, options);
			const next = nextStep(failure, attempt, options);
			if (next === "give-up") throw asError(failure, attempt, model);
			if (next.kind === "later") return next;
			options.onRetry?.(next.retry);
			await tell({ type: "attempt.failed", ...next.retry }, options);
			await options.clock.sleep(next.retry.waitMs, options.signal);
		}
	}
}

interface Call {
	readonly model: LanguageModel;
	readonly request: ModelRequest;
	readonly options: CallModelOptions;
}

/** Who reads the deltas of one attempt, and whether one reached them. */
interface Delivery {
	readonly onDelta: OnDelta | undefined;
	delivered: boolean;
}

function ask(call: Call, delivery: Delivery): Promise<ModelAnswer> {
	const { limits, clock, signal } = call.options;
	return runAttempt({ timeoutMs: limits.modelTimeoutMs, clock, signal }, (attempt) =>
		delivery.onDelta === undefined ? generate(call, attempt) : stream(call, attempt, delivery),
	);
}

async function generate({ model, request, options }: Call, attempt: Attempt): Promise<ModelAnswer> {
	const result: unknown = await asV4(model).doGenerate(callOptions(model, request, attempt));
	if (!isFields(result) || !Array.isArray(result.content)) throw new AnswerInvalid("the answer has no content");
	const builder = new AnswerBuilder(options.limits.answerBytesMax);
	for (const part of result.content) builder.add(part);
	return builder.finish(result.finishReason, result.usage, request);
}

async function stream(call: Call, attempt: Attempt, delivery: Delivery): Promise<ModelAnswer> {
	const { model, request, options } = call;
	const onDelta: OnDelta = (delta) => {
		delivery.delivered = true;
		return delivery.onDelta?.(delta);
	};
	try {
		const result: unknown = await asV4(model).doStream(callOptions(model, request, attempt));
		const parts = isFields(result) ? result.stream : undefined;
		return await readStream(parts, { request, attempt, onDelta, bytesMax: options.limits.answerBytesMax });
	} catch (error) {
		attempt.abort(error);
		throw error;
	}
}

/** Both versions are called alike; what differs is in `callOptions`. */
function asV4(model: LanguageModel): LanguageModelV4 {
	return model as LanguageModelV4;
}

function callOptions(model: LanguageModel, request: ModelRequest, attempt: Attempt) {
	const options = requestForV4(request, attempt.signal);
	if (model.specificationVersion !== "v3") return options;
	return requestForV3(options, (message) => {
		throw new HoldpointError("model.refused", message, { hint: "Use a V4 model, or send the file itself." });
	}) as typeof options;
}

function checkModel(model: unknown): void {
	const hint = 'Pass a model object of an AI SDK provider, such as `openai("…")`; names are for the command line.';
	if (typeof model !== "object" || model === null) {
		throw new HoldpointError("model.missing", `The model is ${model === null ? "null" : typeof model}.`, { hint });
	}
	const { specificationVersion: version, doGenerate, doStream } = model as Partial<LanguageModel>;
	if (version !== "v3" && version !== "v4") {
		const message = `The model has specification version ${JSON.stringify(version)}; "v3" and "v4" are known.`;
		throw new HoldpointError("model.missing", message, { hint });
	}
	if (typeof doGenerate === "function" && typeof doStream === "function") return;
	throw new HoldpointError("model.missing", "The model lacks doGenerate or doStream; it needs both.", { hint });
}

/** Errors that are nobody's failure to answer go on as they are. */
function failureOf(error: unknown, { request, options }: Call): ProviderFailure {
	options.signal?.throwIfAborted();
	if (error instanceof ReaderFailed) throw error.cause;
	if (isHoldpointError(error)) throw error;
	return providerFailure(error, options.clock.now(), secretsOf(request.settings?.headers));
}

/** Tells the reader how it stands; an abort does not wait for a reader that is stuck. */
async function tell(delta: ModelDelta, { onDelta, signal }: CallModelOptions): Promise<void> {
	const told = onDelta?.(delta);
	if (told === undefined) return;
	const aborted = Promise.withResolvers<never>();
	const onAbort = () => aborted.reject(signal?.reason);
	signal?.addEventListener("abort", onAbort, { once: true });
	if (signal?.aborted) onAbort();
	try {
		await Promise.race([told, aborted.promise]);
	} finally {
		signal?.removeEventListener("abort", onAbort);
	}
}

type NextStep = "give-up" | { kind: "retry"; retry: ModelRetry } | Extract<ModelOutcome, { kind: "later" }>;

function nextStep(failure: ProviderFailure, attempt: number, options: CallModelOptions): NextStep {
	if (failure.kind === "refused") return "give-up";
	const attemptsMax = Math.max(1, Math.floor(options.limits.modelAttemptsMax) || 1);
	const { retryAfterMs = 0, message: reason, status } = failure;
	if (retryAfterMs > options.limits.modelWaitInlineMs) return { kind: "later", dueInMs: retryAfterMs, reason };
	if (attempt >= attemptsMax) return "give-up";
	const random = options.random ?? Math.random;
	const jitteredMs = Math.round(random() * Math.min(backoffMaxMs, backoffFirstMs * 2 ** (attempt - 1)));
	const waitMs = Math.max(retryAfterMs, jitteredMs);
	const retry = { attempt, attemptsMax, waitMs, reason, ...(status === undefined ? undefined : { status }) };
	return { kind: "retry", retry };
}

function asError(failure: ProviderFailure, attempts: number, model: LanguageModel): HoldpointError {
	const { kind, status, type, cause, isTooLong } = failure;
	const tries = `${attempts} attempt${attempts === 1 ? "" : "s"}`;
	const said = {
		refused: "refused the request",
		unavailable: `did not answer in ${tries}`,
		invalid: `answered nothing usable in ${tries}`,
	}[kind];
	const where = status === undefined ? "" : ` (status ${status})`;
	const message = `${model.provider}/${model.modelId} ${said}${where}: ${failure.message}`;
	const code = kind === "invalid" ? "model.answer_invalid" : (`model.${kind}` as const);
	const details = {
		provider: model.provider,
		model: model.modelId,
		attempts,
		...(status === undefined ? undefined : { status }),
		...(type === undefined ? undefined : { type }),
		...(isTooLong ? { isTooLong } : undefined),
	};
	return new HoldpointError(code, message, { cause, details });
}
