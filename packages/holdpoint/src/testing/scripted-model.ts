import { setTimeout as sleep } from "node:timers/promises";
import type {
	LanguageModelV4,
	LanguageModelV4CallOptions,
	LanguageModelV4Content,
	LanguageModelV4GenerateResult,
	LanguageModelV4StreamPart,
	LanguageModelV4Usage,
} from "@ai-sdk/provider";
import { HoldpointError } from "../spec/errors.ts";
import {
	type AnswerStep,
	clip,
	type FailureStep,
	type Story,
	type StoryAnswer,
	type StoryAsk,
	type When,
} from "./story.ts";
import { answersIn, RequestAsk } from "./story-ask.ts";
import { requestTokens, tokenCounter } from "./token-counter.ts";

export interface ScriptedModelOptions {
	/** Default: `scripted`. */
	readonly modelId?: string;
	/** Characters of one piece of a streamed answer. Default: 24. */
	readonly chunk?: number;
	/**
	 * True: the tokenizer must be installed. False: nothing is counted and usage is zero. Default: counted where the
	 * tokenizer is installed, else not reported, so that the harness estimates it.
	 */
	readonly countTokens?: boolean;
	/** Time before each answer. Units: milliseconds. Default: 0. */
	readonly delayMs?: number;
	/** Answers are counted since the `start` of the prompt (default), or anew with each message of a `user`. */
	readonly since?: "start" | "user";
}

/**
 * A model that answers as its story says: deterministic, offline, and loud when it is asked something else.
 *
 * Which answer is due follows from the prompt alone, from the number of answers that it already holds, and not from
 * memory: a run that goes on in another process after a crash finds its place in the same story. Failures leave no
 * trace in a prompt and are the exception: they are counted in memory, and happen anew in another process.
 *
 * Errors: `story.mismatch` when the story is at its end, a step's `when` does not hold, or a called tool is not declared.
 */
export function scriptedModel(story: Story, options: ScriptedModelOptions = {}): LanguageModelV4 {
	const director = new Director(story, options);
	return {
		specificationVersion: "v4",
		provider: "holdpoint.scripted",
		modelId: options.modelId ?? "scripted",
		supportedUrls: {},
		doGenerate: (request) => director.generate(request),
		doStream: async (request) => ({ stream: await director.stream(request) }),
	};
}

/** One answer of an array story, and the failures before it. */
interface Scene {
	readonly failures: readonly FailureStep[];
	readonly step: AnswerStep | undefined;
}

class Director {
	readonly #story: Story;
	readonly #options: ScriptedModelOptions;
	readonly #scenes: readonly Scene[];
	/** Failures played so far before the answer of this number. */
	readonly #failed = new Map<number, number>();

	constructor(story: Story, options: ScriptedModelOptions) {
		this.#story = story;
		this.#options = options;
		this.#scenes = typeof story === "function" ? [] : scenesOf(story);
	}

	async generate(request: LanguageModelV4CallOptions): Promise<LanguageModelV4GenerateResult> {
		const { played, content } = await this.#play(request);
		if ("error" in played) throw played.error();
		const finishReason = finishOf(content);
		return { content, finishReason, usage: await this.#usage(request, content), warnings: [] };
	}

	async stream(request: LanguageModelV4CallOptions): Promise<ReadableStream<LanguageModelV4StreamPart>> {
		const { played, content } = await this.#play(request);
		if ("error" in played && content.length === 0) throw played.error();
		const usage = await this.#usage(request, content);
		const parts = streamParts(content, usage, this.#options.chunk ?? 24);
		const pull = (controller: ReadableStreamDefaultController<LanguageModelV4StreamPart>) => {
			if (request.abortSignal?.aborted) return controller.error(request.abortSignal.reason);
			const { value, done } = parts.next();
			if (done) controller.close();
			else if (value.type === "finish" && "error" in played) controller.error(played.error());
			else controller.enqueue(value);
		};
		return new ReadableStream({ pull }, { highWaterMark: 0 });
	}

	async #play(request: LanguageModelV4CallOptions) {
		const { delayMs, since } = this.#options;
		if (delayMs) await sleep(delayMs, undefined, request.abortSignal ? { signal: request.abortSignal } : {});
		request.abortSignal?.throwIfAborted();
		const ask = new RequestAsk(request, answersIn(request.prompt, since));
		const played = this.#stepFor(ask);
		if ("error" in played) return { played, content: contentOf({ text: played.text ?? "" }, "") };
		if (played.when !== undefined && !holds(played.when, ask)) {
			throw this.#mismatch(ask, `${played.does} when ${whenText(played.when)}`, "that does not hold");
		}
		const answer = played.answer(ask);
		const unknown = answer.calls?.find((one) => !one.undeclared && !ask.tools.includes(one.tool));
		if (unknown) throw this.#mismatch(ask, played.does, `the tool "${unknown.tool}" is not declared`);
		const turn = since === "user" ? answersIn(request.prompt) : ask.n;
		return { played, content: contentOf(answer, `call_${turn + 1}`) };
	}

	#stepFor(ask: StoryAsk): AnswerStep | FailureStep {
		if (typeof this.#story === "function") {
			return this.#story(ask, ask.n) ?? this.#throwEnd(ask);
		}
		const scene = this.#scenes[ask.n];
		if (scene === undefined) return this.#throwEnd(ask);
		const failed = this.#failed.get(ask.n) ?? 0;
		this.#failed.set(ask.n, failed + 1);
		return scene.failures[failed] ?? scene.step ?? scene.failures.at(-1) ?? this.#throwEnd(ask);
	}

	#throwEnd(ask: StoryAsk): never {
		throw this.#mismatch(ask, "nothing", "the story is at its end");
	}

	async #usage(request: LanguageModelV4CallOptions, content: readonly LanguageModelV4Content[]) {
		if (this.#options.countTokens === false) return usageOf(0, 0, 0);
		const count = await tokenCounter(this.#options.countTokens === true);
		if (count === undefined) return usageOf();
		const output = { text: 0, reasoning: 0 };
		for (const part of content) {
			if (part.type === "reasoning") output.reasoning += count(part.text);
			else if (part.type === "text") output.text += count(part.text);
			else if (part.type === "tool-call") output.text += count(part.toolName) + count(part.input);
		}
		return usageOf(requestTokens(request, count), output.text, output.reasoning);
	}

	#mismatch(ask: StoryAsk, expected: string, why: string): HoldpointError {
		const results = ask.results.map(({ tool, value }) => `${tool} → ${clip(JSON.stringify(value) ?? "", 200)}`);
		const asked = { user: clip(ask.lastUser, 400), results, tools: ask.tools, messages: ask.messages.length };
		const story = typeof this.#story === "function" ? "a function" : this.#story.map(({ does }) => does);
		const list = (items: readonly string[]) => items.join(", ") || "none";
		const message =
			`Answer ${ask.n + 1} of the story is ${expected}, but ${why}. ` +
			`Asked: user ${JSON.stringify(asked.user)}; results ${list(results)}; tools ${list(ask.tools)}.`;
		return new HoldpointError("story.mismatch", clip(message, 2_000), {
			details: { answer: ask.n + 1, expected, why, asked, story },
		});
	}
}

function scenesOf(story: readonly (AnswerStep | FailureStep)[]): readonly Scene[] {
	const scenes: Scene[] = [];
	let failures: FailureStep[] = [];
	for (const step of story) {
		if ("error" in step) {
			failures.push(step);
			continue;
		}
		scenes.push({ failures, step });
		failures = [];
	}
	if (failures.length > 0) scenes.push({ failures, step: undefined });
	return scenes;
}

function holds(when: When, ask: StoryAsk): boolean {
	if (typeof when === "function") return when(ask);
	return typeof when === "string" ? ask.heard.includes(when) : ask.heard.search(when) >= 0;
}

function whenText(when: When): string {
	return typeof when === "function" ? "a condition holds" : `${String(when)} was said`;
}

function contentOf({ reasoning, text, calls = [] }: StoryAnswer, callId: string): LanguageModelV4Content[] {
	const content: LanguageModelV4Content[] = [];
	if (reasoning) content.push({ type: "reasoning", text: reasoning });
	if (text) content.push({ type: "text", text });
	calls.forEach(({ tool, args, input, id }, at) => {
		const toolCallId = id ?? `${callId}_${at + 1}`;
		content.push({ type: "tool-call", toolCallId, toolName: tool, input: input ?? JSON.stringify(args ?? {}) });
	});
	return content;
}

function finishOf(content: readonly LanguageModelV4Content[]): LanguageModelV4GenerateResult["finishReason"] {
	return { unified: content.some((part) => part.type === "tool-call") ? "tool-calls" : "stop", raw: undefined };
}

function usageOf(input?: number, text?: number, reasoning?: number): LanguageModelV4Usage {
	const total = text === undefined ? undefined : text + (reasoning ?? 0);
	return {
		inputTokens: { total: input, noCache: input, cacheRead: undefined, cacheWrite: undefined },
		outputTokens: { total, text, reasoning },
	};
}

function* streamParts(
	content: readonly LanguageModelV4Content[],
	usage: LanguageModelV4Usage,
	chunk: number,
): Generator<LanguageModelV4StreamPart, undefined> {
	yield { type: "stream-start", warnings: [] };
	for (const [at, part] of content.entries()) {
		if (part.type === "text" || part.type === "reasoning") {
			const id = String(at);
			yield { type: `${part.type}-start`, id };
			for (const delta of pieces(part.text, chunk)) yield { type: `${part.type}-delta`, id, delta };
			yield { type: `${part.type}-end`, id };
		} else if (part.type === "tool-call") {
			const id = part.toolCallId;
			yield { type: "tool-input-start", id, toolName: part.toolName };
			for (const delta of pieces(part.input, chunk)) yield { type: "tool-input-delta", id, delta };
			yield { type: "tool-input-end", id };
			yield part;
		}
	}
	yield { type: "finish", finishReason: finishOf(content), usage };
	return undefined;
}

/** Never between the two halves of one character. */
function* pieces(text: string, size: number): Generator<string> {
	for (let at = 0; at < text.length; ) {
		let end = Math.min(text.length, at + Math.max(1, size));
		const last = text.charCodeAt(end - 1);
		if (last >= 0xd800 && last < 0xdc00) end++;
		yield text.slice(at, end);
		at = end;
	}
}
