/**
 * A message as the model is shown it: long parts in part, results that were cleared as a word. What was said stays as it
 * is elsewhere. Pure: the same message and the same bounds always give the same bytes.
 */
import { endWithin, sizeOf, startWithin } from "../kit/text-size.ts";
import { charsPerToken, tokenEstimate } from "../kit/token-estimate.ts";
import type { ModelMessage } from "../spec/model.ts";
import { callOfNote } from "./result-note.ts";
import { nameOfText } from "./text-name.ts";

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
		const text = shorterOf(part.text, cutSaid(part.text, tokensMax * charsPerToken));
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
	const sizeMax = tokensMax * charsPerToken;
	const short = withShortTexts(input, sizeMax);
	// Names and numbers stay as they are, and each text that is cut says so.
	if (inputTokens(short) <= tokensMax * 1.5 + 2 * markTokens) return short;
	const text = { leftOut: cutText(JSON.stringify(input), sizeMax) };
	return inputTokens(text) < inputTokens(input) ? text : input;
}

function inputTokens(input: unknown): number {
	return tokenEstimate({ input });
}

function withShortTexts(value: unknown, sizeMax: number): unknown {
	if (typeof value === "string") return shorterOf(value, cutText(value, sizeMax));
	if (Array.isArray(value)) return value.map((one) => withShortTexts(one, sizeMax));
	if (typeof value !== "object" || value === null) return value;
	return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, withShortTexts(one, sizeMax)]));
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
	return cutText(text, tokensMax * charsPerToken, (from) => readOn(id, from));
}

function readOn(id: string, from: number): string {
	return `read_result({"call":${JSON.stringify(id)},"from":${from}}) shows them`;
}

/** What somebody said, with the word on how to read the rest where there is room for that. */
export function cutSaid(text: string, sizeMax: number): string {
	const hasHint = sizeMax >= readableTokensMin * charsPerToken;
	return cutText(text, sizeMax, hasHint ? (from) => readOn(nameOfText(text), from) : undefined);
}

/** Where less of a text is shown, how to read its rest is not said. */
export const readableTokensMin = 120;

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

/** What is in the middle is left out. `sizeMax`: see `sizeOf`. `hint`: on how to read on, from a place in the text on. */
export function cutText(text: string, sizeMax: number, hint?: (from: number) => string): string {
	if (sizeOf(text) <= sizeMax) return text;
	const head = endWithin(text, 0, Math.ceil(sizeMax * headShare));
	const tail = Math.max(head, startWithin(text, Math.floor(sizeMax * (1 - headShare))));
	const left = tail - head;
	return `${text.slice(0, head)}\n[… ${left} characters are left out here${hint ? `: ${hint(head)}` : ""} …]\n${text.slice(tail)}`;
}
