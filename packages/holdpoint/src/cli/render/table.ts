import type { Style } from "./style.ts";
import { clip, padEnd, widthOf } from "./text-width.ts";

export interface Cell {
	readonly text: string;
	readonly colour?: (text: string) => string;
}

/** Columns as wide as their contents; the last one takes what is left. Cells are plain text. */
export function tableLines(
	rows: readonly (readonly Cell[])[],
	{ style, width, head }: { style: Style; width: number; head: readonly string[] },
): string[] {
	const widths = head.map((title, at) => Math.max(widthOf(title), ...rows.map((row) => widthOf(row[at]?.text ?? ""))));
	const lastAt = head.length - 1;
	const before = widths.slice(0, lastAt).reduce((sum, columns) => sum + columns + 2, 0);
	widths[lastAt] = Math.max(8, Math.min(widths[lastAt] ?? 0, width - before));
	const line = (cells: readonly Cell[]): string =>
		cells
			.map(({ text, colour }, at) => {
				const columns = widths[at] ?? 0;
				const clipped = clip(text, columns);
				const padded = at === lastAt ? clipped : padEnd(clipped, columns);
				return colour ? colour(padded) : padded;
			})
			.join("  ")
			.trimEnd();
	return [line(head.map((text) => ({ text, colour: style.dim }))), ...rows.map(line)];
}
