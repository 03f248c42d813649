/**
 * The code of a program that came as a Markdown code block, as models like to write it; any other text unchanged. A
 * block in a block is taken out too: code that went through here twice is the same code, and its lines count alike.
 */
export function codeInside(source: string): string {
	let code = source;
	for (let inner = blockIn(code); inner !== undefined; inner = blockIn(code)) code = inner;
	return code;
}

function blockIn(source: string): string | undefined {
	const text = source.trim();
	// No two neighbours here match the same character: a text of blanks must not be read in every way there is.
	const opening = /^(`{3,}|~{3,})[ \t]*(?:[\w+.-]+[ \t]*)?\r?\n/.exec(text);
	const fence = opening?.[1];
	if (!opening || fence === undefined) return undefined;
	const end = text.lastIndexOf("\n");
	if (end < opening[0].length - 1 || text.slice(end + 1).trim() !== fence) return undefined;
	return text.slice(opening[0].length, Math.max(end, opening[0].length)).replace(/\r$/, "");
}
