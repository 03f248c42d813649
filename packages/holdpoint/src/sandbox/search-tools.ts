import type { ProgramTool } from "./program-tool.ts";

interface ToolWords {
	readonly name: ReadonlySet<string>;
	readonly description: ReadonlySet<string>;
}

const queryWordsMax = 32;
const textCharsMax = 4_000;
const known = new WeakMap<ProgramTool, ToolWords>();

/**
 * The tools that fit a text best, best first; none where no word fits.
 *
 * Each word of the text scores once in a tool: 8 where it is a word of the name, 4 where a word of the name begins with
 * it or it with one, 2 and 1 the same way in the description. A word counts more the fewer tools it fits. Equal scores
 * keep the given order.
 */
export function searchTools<T extends ProgramTool>(tools: readonly T[], text: string, max = 8): readonly T[] {
	const words = [...wordsOf(text)].slice(0, queryWordsMax);
	const totals = tools.map(() => 0);
	for (const word of words) {
		const scores = tools.map((tool) => scoreOf(word, wordsOfTool(tool)));
		const fitting = scores.filter((score) => score > 0).length;
		for (const [i, score] of scores.entries()) {
			if (score > 0) totals[i] = (totals[i] ?? 0) + score * Math.log2(1 + tools.length / fitting);
		}
	}
	const ranked = tools.map((tool, i) => ({ tool, score: totals[i] ?? 0, i })).filter(({ score }) => score > 0);
	ranked.sort((a, b) => b.score - a.score || a.i - b.i);
	return ranked.slice(0, Math.max(0, max)).map(({ tool }) => tool);
}

function scoreOf(word: string, words: ToolWords): number {
	if (words.name.has(word)) return 8;
	if (hasRelative(words.name, word)) return 4;
	if (words.description.has(word)) return 2;
	return hasRelative(words.description, word) ? 1 : 0;
}

/** `order` and `orders`, `cancel` and `cancelled`. */
function hasRelative(words: ReadonlySet<string>, word: string): boolean {
	if (word.length < 3) return false;
	for (const other of words) if (other.length >= 3 && (other.startsWith(word) || word.startsWith(other))) return true;
	return false;
}

function wordsOfTool(tool: ProgramTool): ToolWords {
	let words = known.get(tool);
	if (!words) {
		words = { name: wordsOf(tool.name), description: wordsOf(tool.description) };
		known.set(tool, words);
	}
	return words;
}

function wordsOf(text: string): ReadonlySet<string> {
	const split = text.slice(0, textCharsMax).replace(/(\p{Ll}|\p{N})(?=\p{Lu})/gu, "$1 ");
	return new Set(split.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []);
}
