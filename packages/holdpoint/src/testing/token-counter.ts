import type { LanguageModelV4CallOptions } from "@ai-sdk/provider";
import { HoldpointError } from "../spec/errors.ts";
import type { ModelMessage } from "../spec/model.ts";

export type TokenCounter = (text: string) => number;

let loaded: Promise<TokenCounter | undefined> | undefined;

/** The tokenizer, loaded at first use; undefined where it is not installed and need not be. */
export async function tokenCounter(isRequired: boolean): Promise<TokenCounter | undefined> {
	loaded ??= load();
	const counter = await loaded;
	if (counter !== undefined || !isRequired) return counter;
	throw new HoldpointError(
		"config.invalid",
		"Counting tokens needs the package gpt-tokenizer, which is not installed.",
		{
			hint: "Run `npm i -D gpt-tokenizer`, or pass `countTokens: false`.",
		},
	);
}

async function load(): Promise<TokenCounter | undefined> {
	try {
		const { countTokens } = await import("gpt-tokenizer/encoding/o200k_base");
		// Text that looks like a control token is text here.
		const options = { disallowedSpecial: new Set<string>() };
		return (text) => (text === "" ? 0 : countTokens(text, options));
	} catch {
		return undefined;
	}
}

const counted = new WeakMap<object, number>();

/** Tokens of all text of a request: messages, calls, results, and the tools that are declared. */
export function requestTokens({ prompt, tools = [] }: LanguageModelV4CallOptions, count: TokenCounter): number {
	let total = 0;
	for (const message of prompt) total += once(message, () => messageTokens(message, count));
	for (const tool of tools) total += once(tool, () => count(JSON.stringify(tool)));
	return total;
}

/** A conversation is sent again with each turn; its messages stay the same objects. */
function once(key: object, count: () => number): number {
	let tokens = counted.get(key);
	if (tokens === undefined) {
		tokens = count();
		counted.set(key, tokens);
	}
	return tokens;
}

function messageTokens(message: ModelMessage, count: TokenCounter): number {
	if (message.role === "system") return count(message.content);
	let total = 0;
	for (const part of message.content) {
		if (part.type === "text" || part.type === "reasoning") total += count(part.text);
		else if (part.type === "tool-call") total += count(part.toolName) + count(JSON.stringify(part.input) ?? "");
		else if (part.type === "tool-result") total += count(part.toolName) + outputTokens(part.output, count);
	}
	return total;
}

function outputTokens(output: object, count: TokenCounter): number {
	const { value, reason } = output as { value?: unknown; reason?: string };
	if (typeof value === "string") return count(value);
	return count(value === undefined ? (reason ?? "") : JSON.stringify(value));
}
