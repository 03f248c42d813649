/**
 * A message as the model is shown it: long parts in part, results that were cleared as a word. What was said stays as it
 * is elsewhere. Pure: the same message and the same bounds always give the same bytes.
 */
import { charsPerToken, tokenEstimate } from "../kit/token-estimate.ts";
import type { ModelMessage } from "../spec/model.ts";

type ToolMessage = Extract<ModelMessage, { role: "tool" }>;
type ToolPart = ToolMessage["content"][number];
type ResultPart = Extract<ToolPart, { type: "tool-result" }>;

export interface Bounds {
	/** Results are gone. */
	readonly isCleared: boolean;
	/** One result. Tokens. */
	readonly resultTokensMax: number;
	/** One text. Tokens; undefined: not cut. */
	readonly textTokensMax: number | undefined;
}

/** A result of so few tokens is no longer than the word that would stand for it. */
const clearedTokensMin = 64;

/** The message itself where nothing of it is changed. */
export function shownMessage(message: ModelMessage, bounds: Bounds): ModelMessage {
	if (message.role === "tool") return shownResults(message, bounds);
	const { textTokensMax } = bounds;
	if (textTokensMax === undefined || message.role === "system") return message;
	const charsMax = textTokensMax * charsPerToken;
	const isLong = (part: { readonly type: string; readonly text?: unknown }) =>
		part.type === "text" && typeof part.text === "string" && part.text.length > charsMax;
	if (!message.content.some(isLong)) return message;
	const content = message.content.map((part) =>
		part.type === "text" && isLong(part) ? { ...part, text: cutText(part.text, charsMax) } : part,
	);
	return { ...message, content } as ModelMessage;
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
	const charsMax = resultTokensMax * charsPerToken;
	const left = Math.ceil(charsMax * headShare);
	const value = cutText(text, charsMax, `read_result({"call":${call},"from":${left}}) shows them`);
	return { ...part, output: { type: isFailure(part) ? "error-text" : "text", value } };
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
