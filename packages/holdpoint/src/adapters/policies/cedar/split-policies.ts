import type { Statement } from "./policy-problem.ts";

/**
 * Cuts a file into its policies, so that each has a place of its own. A policy ends with a semicolon, which stands
 * nowhere else but in texts and comments.
 */
export function splitPolicies(file: string, text: string): readonly Statement[] {
	const statements: Statement[] = [];
	let start = -1;
	for (let at = 0; at < text.length; at++) {
		const char = text[at] as string;
		if (char === "/" && text[at + 1] === "/") {
			at = lineEnd(text, at);
			continue;
		}
		if (start < 0 && /\s|\ufeff/.test(char)) continue;
		if (start < 0) start = at;
		if (char === '"') at = textEnd(text, at);
		if (char !== ";") continue;
		statements.push(statementAt(file, text, [start, at + 1]));
		start = -1;
	}
	// What never ends is for Cedar to complain of.
	if (start >= 0) statements.push(statementAt(file, text, [start, text.length]));
	return statements;
}

function lineEnd(text: string, from: number): number {
	const at = text.indexOf("\n", from);
	return at < 0 ? text.length : at;
}

/** The closing quote. */
function textEnd(text: string, from: number): number {
	for (let at = from + 1; at < text.length; at++) {
		if (text[at] === "\\") at += 1;
		else if (text[at] === '"') return at;
	}
	return text.length;
}

function statementAt(file: string, whole: string, [start, end]: readonly [number, number]): Statement {
	const lines = whole.slice(0, start).split("\n");
	return { file, text: whole.slice(start, end), line: lines.length, column: (lines.at(-1) ?? "").length + 1 };
}
