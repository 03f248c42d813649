import type { RehearsalView } from "../../run/rehearsal-view.ts";
import { jsonText } from "./json-text.ts";
import { inlineText, visibleText } from "./safe-text.ts";
import type { Style } from "./style.ts";
import { padEnd, wrap } from "./text-width.ts";

export interface RehearsalOptions {
	readonly style: Style;
	readonly width: number;
}

const shownMax = 60;

/** All that a program would do, with totals, so that it is decided in one answer. */
export function rehearsalLines(rehearsal: RehearsalView, { style, width }: RehearsalOptions): string[] {
	const { rows, reads } = rehearsal;
	const made = reads > 0 ? `; ${reads} ${reads === 1 ? "read was" : "reads were"} made to find it out` : "";
	const head = `What the program would do from here. Nothing of it was done${made}:`;
	const digits = String(rows.length).length;
	const shown = rows.slice(0, shownMax).flatMap((row, at) => rowLines(row, { at, digits, style, width }));
	const left = rows.length - shownMax;
	return [
		...wrap(head, width).map((line) => style.dim(line)),
		...shown,
		...(left > 0 ? [style.dim(`… and ${left} more (--json shows all)`)] : []),
		...totalLines(rehearsal, style),
		...endLines(rehearsal, width).map((line) => style.yellow(line)),
	];
}

interface RowPlace extends RehearsalOptions {
	readonly at: number;
	readonly digits: number;
}

type Row = RehearsalView["rows"][number];

function rowLines(row: Row, { at, digits, style, width }: RowPlace): string[] {
	const number = padEnd(String(at + 1), digits);
	const sure = row.uncertain ? style.yellow("?") : " ";
	const text = `${inlineText(row.tool, 40)} ${jsonText(row.args, Math.max(20, width - digits - 24))}`;
	const said = saidOf(row, style);
	const failing =
		row.fails === undefined ? [] : wrap(`it would fail: ${visibleText(row.fails, 200)}`, width - digits - 4);
	return [`${style.dim(number)}${sure} ${text}${said}`, ...failing.map((line) => `${" ".repeat(digits + 3)}${line}`)];
}

function saidOf({ verdict, refusedBy = [], approvedBy, deniedBy, isSpent }: Row, style: Style): string {
	if (verdict === "allow") return style.dim("  allowed");
	if (isSpent) return style.dim("  done");
	if (deniedBy !== undefined) return style.red(`  denied by ${inlineText(deniedBy, 40)}`);
	if (refusedBy.length > 0) return style.red(`  will be refused: budget ${inlineText(refusedBy.join(", "), 120)}`);
	if (verdict === "deny") return style.red("  denied");
	return approvedBy.length > 0 ? style.green(`  approved by ${inlineText(approvedBy.join(", "), 60)}`) : "";
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
