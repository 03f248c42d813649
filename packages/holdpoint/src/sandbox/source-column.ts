import { codeInside } from "./fenced-code.ts";
import { sourceLines } from "./source-lines.ts";

/** What `finishProgram` puts before the value of a program, by how much longer its line becomes. */
const insertions: ReadonlyMap<number, string> = new Map([
	["return ".length, "return "],
	["return (".length, "return ("],
	["return ()()".length, "return ("],
]);

export interface BodyPlace {
	readonly line: number;
	readonly column: number;
}

/** The column that a place of the running body has in what the model wrote. Shape: line and columns count from 1. */
export function sourceColumn(source: string, body: string, { line, column }: BodyPlace): number {
	const written = lineOf(codeInside(source), line);
	const running = lineOf(body, line);
	const inserted = insertions.get(running.length - written.length);
	if (inserted === undefined) return column;
	// Up to there the two are the same, types apart; and no expression begins with the word.
	let at = running.indexOf(inserted);
	while (at >= 0 && written.startsWith(inserted, at)) at = running.indexOf(inserted, at + 1);
	if (at < 0 || column <= at) return column;
	return Math.max(at + 1, column - inserted.length);
}

function lineOf(text: string, line: number): string {
	return sourceLines(text)[line - 1] ?? "";
}
