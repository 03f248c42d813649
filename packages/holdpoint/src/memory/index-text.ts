import { escapeUnseen } from "../kit/escape-unseen.ts";
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
 * What is in memory, a line each, newest first, as many as fit into so many characters; undefined: nothing is. The same
 * entries make the same text. `total`: how many there are, those that are not given included.
 */
export function indexText(
	entries: readonly IndexedEntry[],
	{ total, charsMax }: { readonly total: number; readonly charsMax: number },
): IndexText | undefined {
	const newest = [...entries].sort(byAge);
	const head = "In memory, newest first:";
	const lines: string[] = [];
	// The line that says how many are left out has its room kept.
	let left = charsMax - head.length - moreLine(total).length - 1;
	for (const { of, entry } of newest) {
		const line = `- ${entry.name}${of === "session" ? " (session)" : ""}: ${firstLine(entry.text)}`;
		left -= line.length + 1;
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

function moreLine(count: number): string {
	return `- and ${count} more`;
}

/** Newest first; the same entries in the same order. */
export function byAge(a: IndexedEntry, b: IndexedEntry): number {
	if (a.entry.at !== b.entry.at) return b.entry.at - a.entry.at;
	const [first, second] = [`${a.entry.name}\n${a.of}`, `${b.entry.name}\n${b.of}`];
	return first < second ? -1 : first > second ? 1 : 0;
}
