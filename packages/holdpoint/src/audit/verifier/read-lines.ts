/** Lines of a stream of bytes or text, each bounded: a stream without an end of line is no reason to hold it all. */

export type ByteSource = AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>;

/** Tells each line, and last what stands after the last end of line. Returns false where a line was too long. */
export async function readLines(
	source: ByteSource,
	lineCharsMax: number,
	tell: { readonly line: (text: string) => void; readonly rest: (text: string) => void },
): Promise<boolean> {
	const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
	let pieces: string[] = [];
	let held = 0;
	for await (const chunk of source) {
		const text = typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
		let from = 0;
		for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
			const last = text.slice(from, end);
			from = end + 1;
			if (held + last.length > lineCharsMax) return false;
			tell.line(pieces.length === 0 ? last : pieces.join("") + last);
			pieces = [];
			held = 0;
		}
		if (from === text.length) continue;
		held += text.length - from;
		if (held > lineCharsMax) return false;
		pieces.push(text.slice(from));
	}
	tell.rest(pieces.join("") + decoder.decode());
	return true;
}
