/** How many columns text takes, for text that is already safe and may carry our own colours. */
import { stripVTControlCharacters } from "node:util";

const wide =
	/[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const zero = /[\p{M}\p{Cf}]/u;
const plain = /^[\u0020-\u007e]*$/;

export function widthOf(text: string): number {
	if (plain.test(text)) return text.length;
	let width = 0;
	for (const char of stripVTControlCharacters(text)) width += charWidth(char);
	return width;
}

function charWidth(char: string): number {
	if (zero.test(char)) return 0;
	return wide.test(char) ? 2 : 1;
}

/** Cut to so many columns; for text without colours. */
export function clip(text: string, columns: number): string {
	if (widthOf(text) <= columns) return text;
	let width = 0;
	let kept = "";
	for (const char of text) {
		width += charWidth(char);
		if (width > columns - 1) break;
		kept += char;
	}
	return `${kept}…`;
}

export function padEnd(text: string, columns: number): string {
	return text + " ".repeat(Math.max(0, columns - widthOf(text)));
}

export function padStart(text: string, columns: number): string {
	return " ".repeat(Math.max(0, columns - widthOf(text))) + text;
}

/** Breaks at spaces, and inside a word only where the word is longer than a line. For text without colours. */
export function wrap(text: string, columns: number): string[] {
	return text.split("\n").flatMap((line) => wrapLine(line, Math.max(8, columns)));
}

function wrapLine(line: string, columns: number): string[] {
	const indent = /^ */.exec(line)?.[0].slice(0, columns >> 1) ?? "";
	const lines: string[] = [];
	let current = indent;
	let isEmpty = true;
	for (const word of line.trim().split(/ +/)) {
		const joined = isEmpty ? current + word : `${current} ${word}`;
		if (widthOf(joined) <= columns) {
			current = joined;
			isEmpty = false;
			continue;
		}
		if (!isEmpty) lines.push(current);
		const pieces = piecesOf(word, columns - indent.length).map((piece) => indent + piece);
		current = pieces.pop() ?? indent;
		lines.push(...pieces);
		isEmpty = false;
	}
	return [...lines, current];
}

/** Breaks after a space where a line has one, and takes nothing out. For text without colours. */
export function piecesAtSpaces(text: string, columns: number): string[] {
	const pieces: string[] = [];
	let piece = "";
	let width = 0;
	for (const char of text) {
		// Spaces at the end of a full line belong to it: nobody sees them there.
		if (width + charWidth(char) > columns && char !== " " && piece !== "") {
			const words = piece.slice(0, piece.lastIndexOf(" ") + 1);
			// An indent alone is no line.
			if (words.trim() === "") pieces.push(piece);
			else pieces.push(words);
			piece = words.trim() === "" ? "" : piece.slice(words.length);
			width = widthOf(piece);
		}
		piece += char;
		width += charWidth(char);
	}
	return [...pieces, piece];
}

/** Breaks wherever a line is full. For text without colours. */
export function piecesOf(word: string, columns: number): string[] {
	const pieces: string[] = [];
	let piece = "";
	for (const char of word) {
		if (widthOf(piece + char) > columns && piece !== "") {
			pieces.push(piece);
			piece = "";
		}
		piece += char;
	}
	return [...pieces, piece];
}
