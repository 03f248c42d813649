/**
 * A message as the model is shown it: long parts in part, results that were cleared as a word. What was said stays as it
 * is elsewhere. Pure: the same message and the same bounds always give the same bytes.
 */
import { charsPerToken, tokenEstimate } from "../kit/token-estimate.ts";
import type { ModelMessage } from "../spec/model.ts";
import { callOfNote } from "./result-note.ts";

type ToolMessage = Extract<ModelMessage, { role: "tool" }>;
type ToolPart = ToolMessage["content"][number];
type ResultPart = Extract<ToolPart, { type: "tool-result" }>;

export interface Bounds {
	/** Results are gone. */
	readonly isCleared: boolean;
	/** One result. Tokens; 0: a word stands for it. */
	readonly resultTokensMax: number;
	/** One text, and the arguments of one call; a thought that is longer is left out. Tokens; undefined: not cut. */
	readonly textTokensMax: number | undefined;
}

/** A result of so few tokens is no longer than the word that would stand for it. */
const clearedTokensMin = 64;

/** The message itself where nothing of it is changed. */
export function shownMessage(message: ModelMessage, bounds: Bounds): ModelMessage {
	if (message.role === "tool") return shownResults(message, bounds);
	if (message.role === "system") return message;
	let isChanged = false;
	const content = message.content.flatMap((part) => {
		const shown = message.role === "user" ? shownSaid(part, bounds) : shownPart(part, bounds.textTokensMax);
		isChanged ||= shown !== part;
		return shown ?? [];
	});
	if (!isChanged) return message;
	return { ...message, content: content.length > 0 ? content : [nothingLeft] } as ModelMessage;
}

type Part = Exclude<ModelMessage, { role: "system" | "tool" }>["content"][number];

/** A message without any part is none. */
const nothingLeft = { type: "text", text: "[A thought is left out here.]" } as const;

/** What was said to the agent. A late result is bounded like any other one. */
function shownSaid(part: Part, { resultTokensMax, textTokensMax }: Bounds): Part | undefined {
	const call = part.type === "text" ? callOfNote(part.text) : undefined;
	if (part.type !== "text" || call === undefined) return shownPart(part, textTokensMax);
	if (tokenEstimate(part.text) <= resultTokensMax) return part;
	const text = shorterOf(part.text, cutResult(part.text, call, Math.max(resultTokensMax, markTokens)));
	return text === part.text ? part : { ...part, text };
}

/** Undefined: it is left out. A thought may be signed: it is shown whole, or not at all. */
function shownPart(part: Part, tokensMax: number | undefined): Part | undefined {
	if (tokensMax === undefined) return part;
	if (part.type === "text") {
		const text = shorterOf(part.text, cutText(part.text, tokensMax * charsPerToken));
		return text === part.text ? part : { ...part, text };
	}
	if (part.type === "reasoning") return tokenEstimate(part.text) > tokensMax ? undefined : part;
	// What a provider gave its own tool is for it alone.
	if (part.type !== "tool-call" || part.providerExecuted) return part;
	const input = shownInput(part.input, tokensMax);
	return input === part.input ? part : { ...part, input };
}

function shorterOf(text: string, cut: string): string {
	return cut.length < text.length ? cut : text;
}

/** So much is said of what is left out. */
const markTokens = 16;

/** The same fields with shorter texts, where that is enough. */
function shownInput(input: unknown, tokensMax: number): unknown {
	if (inputTokens(input) <= tokensMax + markTokens) return input;
	const charsMax = tokensMax * charsPerToken;
	const short = withShortTexts(input, charsMax);
	// Names and numbers stay as they are, and each text that is cut says so.
	if (inputTokens(short) <= tokensMax * 1.5 + 2 * markTokens) return short;
	const text = { leftOut: cutText(JSON.stringify(input), charsMax) };
	return inputTokens(text) < inputTokens(input) ? text : input;
}

function inputTokens(input: unknown): number {
	return tokenEstimate({ input });
}

function withShortTexts(value: unknown, charsMax: number): unknown {
	if (typeof value === "string") return shorterOf(value, cutText(value, charsMax));
	if (Array.isArray(value)) return value.map((one) => withShortTexts(one, charsMax));
	if (typeof value !== "object" || value === null) return value;
	return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, withShortTexts(one, charsMax)]));
}

function shownResults(message: ToolMessage, bounds: Bounds): ToolMessage {
	let isChanged = false;
	const content = message.content.map((part) => {
		if (part.type !== "tool-result") return part;
		const shown = shownResult(part, bounds);
		isChanged ||= shown !== part;
		return shown;
	});
	return isChanged ? { ...message, content } : message;
}

function shownResult(part: ResultPart, { isCleared, resultTokensMax }: Bounds): ResultPart {
	const tokens = tokenEstimate(part.output);
	const isShort = tokens <= (isCleared ? clearedTokensMin : resultTokensMax);
	if (isShort) return part;
	const call = JSON.stringify(part.toolCallId);
	if (isCleared) {
		const value = `[Cleared to save room: a result of about ${tokens} tokens. read_result({"call":${call}}) shows it.]`;
		return { ...part, output: { type: "text", value } };
	}
	const text = outputText(part);
	const value =
		resultTokensMax === 0
			? `[${tokens} tokens: read_result({"call":${call}})]`
			: cutResult(text, part.toolCallId, resultTokensMax);
	if (value.length >= text.length) return part;
	return { ...part, output: { type: isFailure(part) ? "error-text" : "text", value } };
}

function cutResult(text: string, id: string, tokensMax: number): string {
	const charsMax = tokensMax * charsPerToken;
	const left = Math.ceil(charsMax * headShare);
	return cutText(text, charsMax, `read_result({"call":${JSON.stringify(id)},"from":${left}}) shows them`);
}

function isFailure({ output }: ResultPart): boolean {
	return output.type === "error-text" || output.type === "error-json";
}

/** A result as one text. */
export function outputText({ output }: ResultPart): string {
	if (output.type === "text" || output.type === "error-text") return output.value;
	if (output.type === "json" || output.type === "error-json") return JSON.stringify(output.value);
	return JSON.stringify(output);
}

/** The beginning is shown rather than the end. */
const headShare = 0.7;

/** What is in the middle is left out. Characters; never half of one that takes two units. */
export function cutText(text: string, charsMax: number, hint?: string): string {
	if (text.length <= charsMax) return text;
	const head = wholeUntil(text, Math.ceil(charsMax * headShare));
	const tail = wholeFrom(text, text.length - Math.floor(charsMax * (1 - headShare)));
	const left = tail - head;
	return `${text.slice(0, head)}\n[… ${left} characters are left out here${hint ? `: ${hint}` : ""} …]\n${text.slice(tail)}`;
}

function wholeUntil(text: string, at: number): number {
	return isLowSurrogate(text, at) ? at - 1 : at;
}

function wholeFrom(text: string, at: number): number {
	return isLowSurrogate(text, at) ? at + 1 : at;
}

function isLowSurrogate(text: string, at: number): boolean {
	const code = text.charCodeAt(at);
	return code >= 0xdc00 && code <= 0xdfff;
}
