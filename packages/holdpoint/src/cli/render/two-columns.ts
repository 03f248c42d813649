import { padEnd, wrap } from "./text-width.ts";

const leftColumns = 24;

/** The right column is broken at words and stays in its place. */
export function twoColumns(rows: readonly (readonly [string, string])[], width: number): string[] {
	return rows.flatMap(([left, right]) => {
		const lines = wrap(right, width - leftColumns - 3);
		return lines.map((line, at) => `  ${padEnd(at === 0 ? left : "", leftColumns)} ${line}`);
	});
}
