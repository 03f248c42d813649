import { escapeUnseen } from "../kit/escape-unseen.ts";
import { sizeOf } from "../kit/text-size.ts";
import { charsPerToken } from "../kit/token-estimate.ts";
import type { MemoryEntry } from "../spec/memory.ts";

/** An entry, and whose memory it is in. */
export interface IndexedEntry {
	readonly of: "session" | "user";
	readonly entry: MemoryEntry;
}

export interface IndexText {
	readonly text: string;
	/** Those of which something is in the text. */
	readonly shown: readonly IndexedEntry[];
}

const lineCharsMax = 100;

/** The first line of a text, safe to stand in a list. */
export function firstLine(text: string): string {
	const line = text.trimStart().split(/[\n\r\u0085\u2028\u2029]/u, 1)[0] ?? "";
	const chars = [...escapeUnseen(line.slice(0, 4 * lineCharsMax))];
	return chars.length > lineCharsMax ? `${chars.slice(0, lineCharsMax - 1).join("")}…` : chars.join("");
}

/**
 * What is in memory, a line each, newest first, as many as fit into so many tokens; undefined: nothing is. The same
 * entries make the same text. `total`: how many there are, those that are not given included.
 */
export function indexText(
	entries: readonly IndexedEntry[],
	{ total, tokensMax }: { readonly total: number; readonly tokensMax: number },
): IndexText | undefined {
	const newest = [...entries].sort(byAge);
	const head = "In memory, newest first:";
	const lines: string[] = [];
	// The line that says how many are left out has its room kept.
	let left = tokensMax - lineTokens(head) - lineTokens(moreLine(total));
	for (const { of, entry } of newest) {
		const line = `- ${entry.name}${of === "session" ? " (session)" : ""}: ${firstLine(entry.text)}`;
		left -= lineTokens(line);
		if (left < 0) break;
		lines.push(line);
	}
	if (lines.length === 0) return undefined;
	const more = total - lines.length;
	return {
		text: [head, ...lines, ...(more > 0 ? [moreLine(more)] : [])].join("\n"),
		shown: newest.slice(0, lines.length),
	};
}

/** What tokenizers never put together with what is beside it: a word, two capitals, three digits, a sign. */
const pieces = /\p{Lu}?\p{Ll}+|\p{Lu}{1,2}|[\p{L}\p{M}]+|\p{N}{1,3}|[^\p{L}\p{M}\p{N}\s]|\s(?=\p{N})/gu;

/**
 * Of a line with its end, estimated: ids and numbers, of which names are often made, have three times as many tokens as
 * prose of that length.
 */
function lineTokens(line: string): number {
	let tokens = 1;
	for (const [piece] of line.matchAll(pieces)) tokens += Math.max(1, sizeOf(piece) / charsPerToken);
	return Math.max(tokens, (sizeOf(line) + 1) / charsPerToken);
}

function moreLine(count: number): string {
	return `- and ${count} more`;
}

/** Newest first; the same entries in the same order. */
export function byAge(a: IndexedEntry, b: IndexedEntry): number {
	if (a.entry.at !== b.entry.at) return b.entry.at - a.entry.at;
	const [first, second] = [`${a.entry.name}\n${a.of}`, `${b.entry.name}\n${b.of}`];
	return first < second ? -1 : first > second ? 1 : 0;
}
