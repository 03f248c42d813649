/** The code of a program that came as one Markdown code block, as models like to write it; any other text unchanged. */
export function codeInside(source: string): string {
	const text = source.trim();
	// No two neighbours here match the same character: a text of blanks must not be read in every way there is.
	const opening = /^(`{3,}|~{3,})[ \t]*(?:[\w+.-]+[ \t]*)?\r?\n/.exec(text);
	const fence = opening?.[1];
	if (!opening || fence === undefined) return source;
	const end = text.lastIndexOf("\n");
	if (end < opening[0].length - 1 || text.slice(end + 1).trim() !== fence) return source;
	return text.slice(opening[0].length, Math.max(end, opening[0].length)).replace(/\r$/, "");
}
