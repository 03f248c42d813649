import { counted } from "../../kit/counted.ts";
import type { RehearsalView } from "../../run/rehearsal-view.ts";
import { jsonText } from "./json-text.ts";
import { inlineText, visibleText } from "./safe-text.ts";
import type { Style } from "./style.ts";
import { padEnd, widthOf, wrap } from "./text-width.ts";

export interface RehearsalOptions {
	readonly style: Style;
	readonly width: number;
	/** Why the held call is asked about. */
	readonly reason: string;
}

/** How much of one call's arguments is shown; what is cut says so. */
const argsCharsMax = 2_000;

/**
 * All that a program would do, with totals, so that it is decided in one answer: every row, and each of them whole, because
 * a yes to all of it is a yes to each.
 */
export function rehearsalLines(rehearsal: RehearsalView, options: RehearsalOptions): string[] {
	const { style, width } = options;
	const { rows, reads } = rehearsal;
	const made = reads > 0 ? `; ${counted(reads, "read was", "reads were")} made to find it out` : "";
	const done = rows.filter(({ became }) => became === "ok").length;
	const soFar =
		done === 0
			? "Nothing of it was done"
			: `${done} of ${counted(rows.length, "call")} ${done === 1 ? "is" : "are"} done, and nothing else of it`;
	const head = `What the program would do from here. ${soFar}${made}:`;
	const digits = String(rows.length).length;
	return [
		...wrap(head, width).map((line) => style.dim(line)),
		...rows.flatMap((row, at) => rowLines(row, { ...options, at, digits })),
		...totalLines(rehearsal, style),
		...endLines(rehearsal, width).map((line) => style.yellow(line)),
	];
}

interface RowPlace extends RehearsalOptions {
	readonly at: number;
	readonly digits: number;
}

type Row = RehearsalView["rows"][number];

function rowLines(row: Row, { at, digits, style, width, reason }: RowPlace): string[] {
	const indent = " ".repeat(digits + 2);
	const columns = width - indent.length;
	const sure = row.uncertain ? style.yellow("?") : " ";
	const lines = wrap(`${inlineText(row.tool, 40)} ${argsText(row.args)}`, columns);
	const [said, paint] = saidOf(row, style);
	const last = lines.at(-1) ?? "";
	const fits = said === "" || widthOf(last) + 2 + widthOf(said) <= columns;
	const tagged = fits ? lines.with(-1, said === "" ? last : `${last}  ${paint(said)}`) : [...lines, paint(said)];
	const why = row.reason === undefined || row.reason === reason ? [] : wrap(visibleText(row.reason, 500), columns);
	const failing = row.fails === undefined ? [] : wrap(`it would fail: ${visibleText(row.fails, 200)}`, columns);
	const [first = "", ...others] = [...tagged, ...why.map((line) => style.dim(line)), ...failing];
	const number = style.dim(padEnd(String(at + 1), digits));
	return [`${number}${sure} ${first}`, ...others.map((line) => `${indent}${line}`)];
}

function argsText(args: Row["args"]): string {
	const left = JSON.stringify(args).length - argsCharsMax;
	const text = jsonText(args, argsCharsMax);
	return left > 0 ? `${text} [${counted(left, "more character")}; --json shows all]` : text;
}

/** How it stands, and in which colour that is said. */
function saidOf(
	{ verdict, refusedBy = [], approvedBy, deniedBy, isHeld, became }: Row,
	style: Style,
): [string, (text: string) => string] {
	if (verdict === "allow") return ["allowed", style.dim];
	if (refusedBy.length > 0 && (became === undefined || became === "open"))
		return [`will be refused: budget ${inlineText(refusedBy.join(", "), 120)}`, style.red];
	if (verdict === "deny") return ["denied by the policy", style.red];
	if (became !== undefined && became !== "open") return [became === "ok" ? "done" : became, style.dim];
	if (deniedBy !== undefined) return [`denied by ${inlineText(deniedBy, 40)}`, style.red];
	if (isHeld) return ["held now", style.yellow];
	return approvedBy.length > 0
		? [`approved by ${inlineText(approvedBy.join(", "), 60)}`, style.green]
		: ["", style.dim];
}

function totalLines({ totals }: RehearsalView, style: Style): string[] {
	return totals.map(({ tool, count, sums }) => {
		const sum = Object.entries(sums).map(([field, value]) => `${inlineText(field, 40)} ${value} in all`);
		return style.bold(`To be decided: ${inlineText(tool, 40)} ×${count}${sum.length > 0 ? `, ${sum.join(", ")}` : ""}`);
	});
}

function endLines({ end, why, rows }: RehearsalView, width: number): string[] {
	const notes: string[] = [];
	if (rows.some(({ uncertain }) => uncertain))
		notes.push("? rests on a value that was made up: it may come otherwise, and is asked about then.");
	if (end === "threw") notes.push(`After that it would throw: ${visibleText(why ?? "", 300)}`);
	if (end === "stopped" || end === "limit") notes.push(`More is not known: ${visibleText(why ?? "", 300)}`);
	return notes.flatMap((note) => wrap(note, width));
}
