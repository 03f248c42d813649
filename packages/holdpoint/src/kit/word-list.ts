/**
 * Texts that are taken out of other texts, wherever they stand: as they are, or escaped as JSON and JavaScript write them, also
 * several times over (JSON in JSON, in a program).
 *
 * A text costs what it is long, however many words there are: places where one may begin are found by a hash of four
 * characters, and the words that begin alike are looked up by their length.
 */

/** Shorter ones are everywhere, and are no words here. Characters. */
export const wordCharsMin = 4;
/** JSON in JSON in a program in JSON. */
const escapesMax = 4;

interface Found {
	readonly from: number;
	readonly to: number;
	readonly instead: string;
}

/** As it is read, and where each character of it stands in what was written; one more says where that ends. */
interface Reading {
	readonly text: string;
	readonly places: Uint32Array | undefined;
}

const noBegins = new Uint8Array(0);

export class WordList {
	/** By their first characters, then by their length, the longest first. */
	private readonly words = new Map<string, Map<number, Map<string, string>>>();
	/** By the hash of the first characters: whether there is one. Made with the first word: most runs have none. */
	private begins = noBegins;
	size = 0;

	/** Of a text that is there already the last `instead` holds. */
	add(word: string, instead: string): void {
		if (word.length < wordCharsMin) return;
		const begin = word.slice(0, wordCharsMin);
		const alike = this.words.get(begin) ?? new Map<number, Map<string, string>>();
		const { length } = word;
		if (!alike.has(length)) {
			const sorted = [...alike, [length, new Map<string, string>()] as const].sort(([one], [other]) => other - one);
			this.words.set(begin, new Map(sorted));
		}
		const same = this.words.get(begin)?.get(length);
		if (!same?.has(word)) this.size++;
		same?.set(word, instead);
		if (this.begins === noBegins) this.begins = new Uint8Array(0x10000);
		this.begins[hashAt(word, 0)] = 1;
	}

	/** The text with something else wherever a word stands; the same text where none does. */
	replaceIn(text: string): string {
		if (this.size === 0) return text;
		const found: Found[] = [];
		let reading: Reading | undefined = { text, places: undefined };
		for (let escapes = 0; reading && escapes <= escapesMax; escapes++) {
			found.push(...this.foundIn(reading));
			reading = unescaped(reading);
		}
		return found.length === 0 ? text : replaced(text, found);
	}

	/** The longest word at each place. */
	private foundIn({ text, places }: Reading): Found[] {
		const found: Found[] = [];
		for (let at = 0; at <= text.length - wordCharsMin; at++) {
			if (this.begins[hashAt(text, at)] === 0) continue;
			const alike = this.words.get(text.slice(at, at + wordCharsMin));
			for (const [length, words] of alike ?? []) {
				const instead = words.get(text.slice(at, at + length));
				if (instead === undefined) continue;
				found.push({ from: places?.[at] ?? at, to: places?.[at + length] ?? at + length, instead });
				break;
			}
		}
		return found;
	}
}

function hashAt(text: string, at: number): number {
	const first = text.charCodeAt(at) ^ (text.charCodeAt(at + 1) << 4);
	return (first ^ (text.charCodeAt(at + 2) << 8) ^ (text.charCodeAt(at + 3) << 12)) & 0xffff;
}

/** Words that overlap are one gap, named as the longest of them is. */
function replaced(text: string, found: readonly Found[]): string {
	let shown = "";
	let end = 0;
	const sorted = found.toSorted((one, other) => one.from - other.from || other.to - one.to);
	for (let at = 0; at < sorted.length; ) {
		const { from } = sorted[at] as Found;
		let longest = sorted[at] as Found;
		let { to } = longest;
		for (at++; at < sorted.length; at++) {
			const next = sorted[at] as Found;
			if (next.from >= to) break;
			to = Math.max(to, next.to);
			if (next.to - next.from > longest.to - longest.from) longest = next;
		}
		shown += text.slice(end, from) + longest.instead;
		end = to;
	}
	return shown + text.slice(end);
}

/** As JSON and JavaScript write a character that is not written as it is. */
const escape = /\\(?:u([0-9a-f]{4})|u\{([0-9a-f]{1,6})\}|x([0-9a-f]{2})|(\r\n|[\s\S]))/gi;
const named: { readonly [letter: string]: string } = {
	b: "\b",
	f: "\f",
	n: "\n",
	r: "\r",
	t: "\t",
	v: "\v",
	0: "\0",
	"\n": "",
	"\r\n": "",
};

/** Undefined: nothing is escaped there. */
function unescaped({ text, places }: Reading): Reading | undefined {
	if (!text.includes("\\")) return undefined;
	const at = new Uint32Array(text.length + 1);
	let shown = "";
	let end = 0;
	const take = (to: number) => {
		for (let from = end; from < to; from++) at[shown.length + from - end] = places?.[from] ?? from;
		shown += text.slice(end, to);
	};
	for (const { 0: written, 1: unit, 2: point, 3: byte, 4: letter = "", index } of text.matchAll(escape)) {
		take(index);
		const character = characterOf(unit ?? point ?? byte) ?? named[letter] ?? letter;
		for (let unitAt = 0; unitAt < character.length; unitAt++) at[shown.length + unitAt] = places?.[index] ?? index;
		shown += character;
		end = index + written.length;
	}
	take(text.length);
	at[shown.length] = places?.[text.length] ?? text.length;
	return shown === text ? undefined : { text: shown, places: at.subarray(0, shown.length + 1) };
}

function characterOf(hexadecimal: string | undefined): string | undefined {
	const point = hexadecimal === undefined ? Number.NaN : Number.parseInt(hexadecimal, 16);
	return point <= 0x10ffff ? String.fromCodePoint(point) : undefined;
}
