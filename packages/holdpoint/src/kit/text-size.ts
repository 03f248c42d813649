/**
 * How much room text takes in what a model reads, in characters of Latin script. Other alphabets take about twice as much a
 * character; Chinese, Japanese, Korean, symbols and emoji about a token for each.
 */
export function sizeOf(text: string): number {
	if (!beyondLatin.test(text)) return text.length;
	let size = 0;
	for (let at = 0; at < text.length; at++) size += sizeAt(text, at);
	return size;
}

const beyondLatin = /[\u0250-\uffff]/;

function sizeAt(text: string, at: number): number {
	const code = text.charCodeAt(at);
	if (code < 0x250) return 1;
	return code < 0x2000 ? 2 : 4;
}

/** How far text goes from a place on that takes no more than this; never half of a sign of two units. */
export function endWithin(text: string, from: number, sizeMax: number): number {
	let end = from;
	for (let left = sizeMax; end < text.length; end++) {
		left -= sizeAt(text, end);
		if (left < 0) break;
	}
	return wholeUntil(text, end);
}

/** Where the end of a text begins that takes no more than this. */
export function startWithin(text: string, sizeMax: number): number {
	let start = text.length;
	for (let left = sizeMax; start > 0; start--) {
		left -= sizeAt(text, start - 1);
		if (left < 0) break;
	}
	return wholeFrom(text, start);
}

/** The next place that is in no sign's middle. */
export function wholeFrom(text: string, at: number): number {
	return isInSign(text, at) ? at + 1 : at;
}

/** The last place until there that is in no sign's middle. */
export function wholeUntil(text: string, at: number): number {
	return isInSign(text, at) ? at - 1 : at;
}

function isInSign(text: string, at: number): boolean {
	return at > 0 && isBetween(text.charCodeAt(at - 1), 0xd800, 0xdbff) && isBetween(text.charCodeAt(at), 0xdc00, 0xdfff);
}

function isBetween(code: number, first: number, last: number): boolean {
	return code >= first && code <= last;
}
