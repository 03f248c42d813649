/**
 * Which words stand in a text, for stores that search: the same in every store, whatever their databases know of Unicode.
 *
 * A word is letters and digits, without case, accents and compatibility forms. Scripts that put no spaces between words
 * are taken letter by letter, and a stretch of them is found as a whole.
 */
import { fixedLimits } from "../spec/limits.ts";

const unspaced = String.raw`\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}`;
/** A letter of an unspaced script with its marks, or a word of any other one. */
const wordPattern = new RegExp(String.raw`[${unspaced}]\p{M}*|(?:(?![${unspaced}])[\p{L}\p{N}\p{M}])+`, "gu");
const isUnspaced = new RegExp(`^[${unspaced}]`, "u");
/** Diacritics of Latin, Greek and Cyrillic. */
const accents = /[\u0300-\u036f]/g;
const wordCharsMax = 64;
const queryCharsMax = 4_096;

/** In their order, with repetitions. */
export function memoryWords(text: string): readonly string[] {
	return wordsIn(plain(text));
}

function plain(text: string): string {
	return text.normalize("NFKD").toLowerCase().normalize("NFKD").replace(accents, "").normalize("NFC");
}

function wordsIn(text: string): readonly string[] {
	return (text.match(wordPattern) ?? []).map(shortened);
}

function shortened(word: string): string {
	return word.length <= wordCharsMax ? word : [...word].slice(0, wordCharsMax).join("");
}

/** Words that must follow one another. `isPrefix`: it is one that is long enough to be taken for a beginning, where it stands in no entry. */
export interface SearchTerm {
	readonly words: readonly string[];
	readonly isPrefix: boolean;
}

/** What a query looks for, each once: an entry is found by one of them. */
export function searchTerms(query: string): readonly SearchTerm[] {
	const terms = new Map<string, SearchTerm>();
	// Pieces without a gap: only there do letters of unspaced scripts belong together.
	for (const piece of plain(query.slice(0, queryCharsMax)).split(/[^\p{L}\p{N}\p{M}]+/u)) {
		for (const words of stretches(wordsIn(piece))) {
			const last = words.at(-1) ?? "";
			const term = { words, isPrefix: words.length === 1 && last.length >= 3 };
			if (terms.size < fixedLimits.memoryWordsMax) terms.set(words.join(" "), term);
		}
	}
	return [...terms.values()];
}

/** Letters of unspaced scripts that follow one another, together; every other word alone. */
function stretches(words: readonly string[]): string[][] {
	const found: string[][] = [];
	let isOpen = false;
	for (const word of words) {
		const goesOn = isUnspaced.test(word);
		if (isOpen && goesOn) found.at(-1)?.push(word);
		else found.push([word]);
		isOpen = goesOn;
	}
	return found.map((stretch) => stretch.slice(0, fixedLimits.memoryWordsMax));
}

/** How often a term stands in a text whose words these are. */
export function timesIn(words: readonly string[], { words: wanted, isPrefix }: SearchTerm): number {
	const [first = ""] = wanted;
	if (wanted.length === 1) return words.filter((word) => (isPrefix ? word.startsWith(first) : word === first)).length;
	return words.filter((_, at) => wanted.every((word, i) => words[at + i] === word)).length;
}
