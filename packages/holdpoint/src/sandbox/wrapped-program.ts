import { sourceLines } from "./source-lines.ts";

/**
 * A program is the body of an async function, and only inside one is it read exactly as the guest will read it. So it is
 * parsed and stripped with this around it, on its own first line; offsets are those of the wrapped text throughout.
 */
export const opening = "async () => {";
const closing = "\n}";

export function wrap(source: string): string {
	return opening + source + closing;
}

export function unwrap(text: string): string {
	return text.slice(opening.length, text.length - closing.length);
}

export interface Place {
	readonly line: number;
	readonly column: number;
}

/** Where an offset of the wrapped text lies in the program. Shape: line and column count from 1. */
export function placeOf(text: string, offset: number): Place {
	const lines = sourceLines(text.slice(0, offset));
	return inProgram({ line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 });
}

/** The same place, told from the program's own start. */
export function inProgram({ line, column }: Place): Place {
	return { line, column: line === 1 ? column - opening.length : column };
}

/** Where the program ends, white space behind it apart. */
export function endOf(text: string): Place {
	return placeOf(text, opening.length + unwrap(text).trimEnd().length);
}
