import { defaultHarnessAgentLimits } from "../spec/limits.ts";

/**
 * What well-known models can read, by the beginning of their names; the longest one that fits counts. Tokens, as their
 * makers publish them (November 2026). An agent says another number where it knows better.
 */
const windows: readonly (readonly [string, number])[] = [
	["claude-", 200_000],
	["claude-2", 100_000],
	["claude-2.1", 200_000],
	["claude-instant", 100_000],
	["gpt-3.5", 16_385],
	["gpt-3.5-turbo-instruct", 4_096],
	["gpt-4", 8_192],
	["gpt-4-32k", 32_768],
	["gpt-4-turbo", 128_000],
	["gpt-4o", 128_000],
	["gpt-4.1", 1_047_576],
	["gpt-5", 400_000],
	["gpt-5-chat", 128_000],
	["o1", 200_000],
	["o1-mini", 128_000],
	["o1-preview", 128_000],
	["o3", 200_000],
	["o4-mini", 200_000],
	["gemini-", 1_048_576],
	["gemini-1.0", 32_760],
	["gemini-pro", 32_760],
	["grok-", 131_072],
	["mistral-", 128_000],
	["mistral-tiny", 32_000],
	["open-mistral-7b", 32_000],
	["open-mixtral-8x7b", 32_000],
	["deepseek-", 128_000],
];

const unknownTokens = 128_000;

/** `modelId`: a provider's name of the model, perhaps behind a path (`openai/gpt-4o`). */
export function windowOf(modelId: string): number {
	const name = modelId.slice(modelId.lastIndexOf("/") + 1).toLowerCase();
	let found: readonly [string, number] | undefined;
	for (const one of windows) if (name.startsWith(one[0]) && one[0].length > (found?.[0].length ?? 0)) found = one;
	return found?.[1] ?? unknownTokens;
}

/**
 * What of it is for the prompt: what neither the window's share for the answer nor what the answer may have by the agent's
 * settings takes, the latter up to three quarters of the window. Tokens.
 */
export function inputBudget(windowTokens: number, answerTokens: number | undefined, maxOutputTokens = 0): number {
	const own = answerTokens ?? Math.min(defaultHarnessAgentLimits.answerTokens, Math.floor(windowTokens / 4));
	return windowTokens - Math.max(own, Math.min(maxOutputTokens, Math.floor((windowTokens * 3) / 4)));
}
