import { codeInside } from "./fenced-code.ts";
import { sourceLines } from "./source-lines.ts";

/** Why a program was not run. */
export interface ProgramProblem {
	/** In the code, without the Markdown fences around it. 1-based. */
	readonly line: number;
	/** In UTF-16 units. 1-based. */
	readonly column: number;
	readonly code: "syntax" | "unknown-tool" | "argument" | "too-long" | "forbidden";
	readonly message: string;
}

export const problemsMax = 10;
const shownCharsMax = 120;

/** What the model reads: each problem with its line and a caret below the spot. */
export function formatProblems(source: string, problems: readonly ProgramProblem[]): string {
	const lines = sourceLines(codeInside(source));
	const texts = problems.map((problem) => {
		const text = `${problem.line}:${problem.column} ${problem.message}`;
		const line = lines[problem.line - 1];
		return line === undefined || line.trim() === "" ? text : `${text}\n${pointAt(line, problem.column - 1)}`;
	});
	const count = `${problems.length} problem${problems.length === 1 ? "" : "s"}`;
	return [`The program was not run: ${count}.`, ...texts].join("\n\n");
}

function pointAt(line: string, column: number): string {
	const from = column > shownCharsMax - 20 ? column - shownCharsMax / 2 : 0;
	const to = from + shownCharsMax;
	const shown = `${from > 0 ? "…" : ""}${line.slice(from, to)}${line.length > to ? "…" : ""}`;
	// Tabs stay tabs, so that the caret stands below the spot however wide they are shown.
	const indent = `${from > 0 ? "…" : ""}${line.slice(from, column)}`.replace(/[^\t]/g, " ");
	return `    ${shown}\n    ${indent}^`;
}
