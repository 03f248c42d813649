import { type Invocation, textOption } from "./command.ts";
import { usageInvalid } from "./parse-arguments.ts";

/** `--rows all`, or the numbers that the list of a rehearsal shows: `1,3-5`. From 0 here. Errors: `usage.invalid`. */
export function rowsOption(invocation: Invocation): readonly number[] | "all" | undefined {
	const text = textOption(invocation, "rows");
	if (text === undefined || text === "all") return text;
	const rows = text.split(",").flatMap((part) => {
		const [, from, to = from] = /^([1-9]\d{0,3})(?:-([1-9]\d{0,3}))?$/.exec(part.trim()) ?? [];
		const first = Number(from);
		const last = Number(to);
		if (from === undefined || last < first)
			throw usageInvalid(`--rows ${text} is no list of rows`, "Such as --rows all, or --rows 1,3-5.");
		return Array.from({ length: last - first + 1 }, (_, i) => first - 1 + i);
	});
	return [...new Set(rows)];
}

/** ` with rows 2, 3 of its rehearsal`: what an answer is for, beside the held call. */
export function rowsText(rows: readonly number[] | "all" | undefined): string {
	if (rows === undefined) return "";
	if (rows === "all") return " with all that its program would do";
	const numbers = rows.map((row) => row + 1).join(", ");
	return ` with row${rows.length === 1 ? "" : "s"} ${numbers} of what its program would do`;
}
