import type {
	LanguageModelV3,
	LanguageModelV4,
	LanguageModelV4CallOptions,
	LanguageModelV4FunctionTool,
	LanguageModelV4Message,
	LanguageModelV4Prompt,
	LanguageModelV4ToolChoice,
} from "@ai-sdk/provider";
import type { Json, JsonObject } from "./json.ts";

/**
 * The model port is the one of the AI SDK providers, so that each of them plugs in; only its types are used.
 * What goes in is V4's prompt. What comes out is plain JSON of our own, because it is kept in a journal for ever.
 */
export type LanguageModel = LanguageModelV4 | LanguageModelV3;

export type ModelPrompt = LanguageModelV4Prompt;
export type ModelMessage = LanguageModelV4Message;
export type ModelTool = LanguageModelV4FunctionTool;
export type ModelToolChoice = LanguageModelV4ToolChoice;
export type ModelResponseFormat = NonNullable<LanguageModelV4CallOptions["responseFormat"]>;

/** How the model answers; handed on as it is. `reasoning` is known to V4 models only. */
export type ModelSettings = Readonly<
	Pick<
		LanguageModelV4CallOptions,
		"temperature" | "maxOutputTokens" | "topP" | "stopSequences" | "seed" | "reasoning" | "providerOptions" | "headers"
	>
>;

export interface ModelRequest {
	readonly prompt: ModelPrompt;
	readonly tools?: readonly ModelTool[];
	readonly toolChoice?: ModelToolChoice;
	readonly responseFormat?: ModelResponseFormat;
	readonly settings?: ModelSettings;
}

/** One answer of a model. Shape: plain JSON. */
export interface ModelAnswer {
	/** In the order in which the model made them. Empty where the model said nothing. */
	readonly content: readonly AnswerPart[];
	readonly finish: ModelFinish;
	readonly usage: ModelUsage;
	/** Kinds of parts that were left out of `content`, because no later request needs them. */
	readonly dropped?: readonly string[];
}

export type ModelFinish = "stop" | "length" | "tool-calls" | "content-filter" | "error" | "other";

/**
 * What is kept of an answer: whatever a later request must send back. Sources, citations, generated files and a
 * provider's own approval requests are dropped, and `ModelAnswer.dropped` names them; an unknown kind is dropped too.
 */
export type AnswerPart = TextPart | ReasoningPart | ToolCallPart | ProviderResultPart | ProviderPart;

interface Sent {
	/** The provider's own data about this part (a signature of reasoning, an item id), sent back as it came. */
	readonly providerMetadata?: { readonly [provider: string]: JsonObject };
}

export interface TextPart extends Sent {
	readonly type: "text";
	readonly text: string;
}

export interface ReasoningPart extends Sent {
	readonly type: "reasoning";
	/** May be empty where the provider shows only a signature. */
	readonly text: string;
}

export interface ToolCallPart extends Sent {
	readonly type: "tool-call";
	/** Invariant: unique in its answer. */
	readonly toolCallId: string;
	readonly toolName: string;
	/** JSON text as the model wrote it. Hostile: not parsed, not validated; empty where a tool has no arguments. */
	readonly input: string;
	/** The provider ran it already: nothing to do here but to send it back. */
	readonly providerExecuted?: true;
	/** The model used this id for more than one call of the answer; this is a later one, under an id of its own. */
	readonly duplicateOf?: string;
}

/** What a provider-executed call gave. */
export interface ProviderResultPart extends Sent {
	readonly type: "tool-result";
	readonly toolCallId: string;
	readonly toolName: string;
	readonly result: Json;
	readonly isError?: true;
}

/** A block that only its provider understands. */
export interface ProviderPart extends Sent {
	readonly type: "custom";
	/** Shape: `{provider}.{kind}`. */
	readonly kind: `${string}.${string}`;
}

/** Units: tokens. */
export interface ModelUsage {
	readonly inputTokens: number;
	readonly outputTokens: number;
	readonly cachedInputTokens?: number;
	readonly reasoningTokens?: number;
	/** The provider reported nothing usable for the input, the output, or both: four characters count as a token. */
	readonly estimated?: true;
}

/**
 * A piece of an answer on its way. The answer itself is complete without them.
 * Invariant: after `answer.restarted` all that came before is void; the answer begins anew.
 */
export type ModelDelta = DeltaOf &
	(
		| { readonly type: "text.delta"; readonly text: string }
		| { readonly type: "reasoning.delta"; readonly text: string }
		/** A piece of a call's `input`. */
		| { readonly type: "call.delta"; readonly toolCallId: string; readonly toolName: string; readonly text: string }
		| { readonly type: "answer.restarted"; readonly reason: string }
		| AttemptFailed
	);

/** Whose answer it is, where the run is not that of a single agent. */
export interface DeltaOf {
	/** Name of the agent. */
	readonly agent?: string;
	/** The call inside of which it works. */
	readonly in?: string;
}

/** An attempt gave no answer, and there will be another one. */
export interface AttemptFailed {
	readonly type: "attempt.failed";
	/** 1, 2, … */
	readonly attempt: number;
	readonly attemptsMax: number;
	/** Until the next one. Units: milliseconds. */
	readonly waitMs: number;
	readonly reason: string;
	/** Of HTTP, where there was one. */
	readonly status?: number;
}
