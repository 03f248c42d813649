import { isReached, type Row } from "./benchmark.ts";

/** A row that was measured. */
export interface Figure {
	readonly row: Row;
	readonly value: number;
	readonly p95?: number;
}

/** One line of `--json`. A row without a target has nothing to fall short of. */
export function jsonLine({ row, value, p95 }: Figure): string {
	const { name, unit, target = null, op = null } = row;
	const tail = p95 === undefined ? {} : { p95: rounded(p95) };
	return JSON.stringify({ name, value: rounded(value), ...tail, unit, target, op, ok: isReached(row, value) });
}

/** Four significant digits say more than a machine like this can keep. */
export function rounded(value: number): number {
	return Number.isInteger(value) ? value : Number(value.toPrecision(4));
}

export function figureText(value: number): string {
	if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString("en");
	return String(Number(value.toPrecision(3)));
}

/** `≤ 130`. */
export function targetText({ op, target }: Row): string {
	return target === undefined ? "" : `${op === ">=" ? "≥" : "≤"} ${target.toLocaleString("en")}`;
}

export function verdictText({ row, value }: Figure): string {
	if (row.target === undefined) return "";
	if (isReached(row, value)) return "ok";
	return row.guidance ? "short (guidance)" : "SHORT";
}

const nameWidth = 46;

/** One line of the table on a terminal. */
export function tableLine(figure: Figure): string {
	const { row, value, p95 } = figure;
	const columns = [
		row.name.padEnd(nameWidth),
		figureText(value).padStart(9),
		row.unit.padEnd(12),
		(p95 === undefined ? "" : `p95 ${figureText(p95)}`).padEnd(11),
		targetText(row).padStart(9),
		verdictText(figure).padEnd(16),
	];
	return `${columns.join(" ")} ${row.says}`.trimEnd();
}

/** One line of `--list --json`: nothing was measured. */
export function listJsonLine(row: Row): string {
	const { name, unit, target = null, op = null, says } = row;
	return JSON.stringify({ name, unit, target, op, says });
}

export function listLine(row: Row): string {
	return `${row.name.padEnd(nameWidth)} ${row.unit.padEnd(12)} ${targetText(row).padStart(9)}  ${row.says}`;
}

/** `31 of 40 targets reached; short: …`. Guidance is told apart. */
export function summary(figures: readonly Figure[]): string {
	const judged = figures.filter(({ row }) => row.target !== undefined && !row.guidance);
	const short = judged.filter(({ row, value }) => !isReached(row, value));
	const names = short.length > 0 ? `; short: ${short.map(({ row }) => row.name).join(", ")}` : "";
	return `${judged.length - short.length} of ${judged.length} targets reached${names}`;
}
