import { counted } from "../../kit/counted.ts";
import { codeInside } from "../../sandbox/fenced-code.ts";
import { sourceLines } from "../../sandbox/source-lines.ts";
import { visibleText } from "./safe-text.ts";
import type { Style } from "./style.ts";
import { padStart, piecesAtSpaces } from "./text-width.ts";

export interface ProgramView {
	/** As the model wrote it; lines count in the code, a Markdown fence around it apart. */
	readonly source: string;
	/** 1-based lines that stand out; 0 marks nothing. */
	readonly marked?: readonly number[];
	/** Only the marked lines and so many around them. */
	readonly context?: number;
	readonly style: Style;
	readonly width: number;
}

const linesMax = 200;
const sourceCharsMax = 40_000;

/** Numbered lines of a program; the line that asks is marked. Nothing in the source reaches the terminal unseen. */
export function programLines(view: ProgramView): string[] {
	const { style, context } = view;
	const text = sourceLines(codeInside(view.source).replaceAll("\t", "  ")).join("\n");
	const lines = visibleText(text, sourceCharsMax).split("\n");
	const marked = new Set(view.marked ?? []);
	const digits = String(lines.length).length;
	const shown: string[] = [];
	let isGap = false;
	for (const [at, line] of lines.entries()) {
		const number = at + 1;
		const near = context === undefined ? number <= linesMax : isNear(number, marked, context);
		if (!near) {
			isGap = true;
			continue;
		}
		if (isGap && shown.length > 0) shown.push(style.dim(`${" ".repeat(digits + 2)} ⋮`));
		isGap = false;
		// A line is broken and never cut: what somebody approves is shown to its end.
		const pieces = piecesAtSpaces(line.trimEnd(), view.width - digits - 5);
		const [first = "", ...rest] = pieces.map((piece) => piece.trimEnd());
		const gutter = `${padStart(String(number), digits)} │`;
		const more = rest.map((piece) => `  ${style.dim(`${" ".repeat(digits)} ·`)} ${piece}`);
		if (marked.has(number)) shown.push(style.marked(`▶ ${gutter} ${first}`), ...more);
		else shown.push(`  ${style.dim(gutter)} ${first}`.trimEnd(), ...more);
	}
	if (isGap && context === undefined) shown.push(style.dim(`  … ${counted(lines.length - linesMax, "more line")}`));
	return shown;
}

function isNear(number: number, marked: ReadonlySet<number>, context: number): boolean {
	for (const line of marked) if (Math.abs(line - number) <= context) return true;
	return false;
}
