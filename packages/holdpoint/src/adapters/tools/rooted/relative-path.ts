/**
 * Paths that a model wrote. One way of writing each place, so that what is shown, decided and opened is the same; what
 * could be taken for another place is refused and not mended.
 */

export interface PathLimits {
	readonly pathCharsMax: number;
	readonly depthMax: number;
}

const segmentBytesMax = 255;
/** Cannot be seen, or turns the text around: control characters, formats, surrogates, unassigned ones. */
const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/u;

/**
 * The names on the way to a place below a root; none: the root itself.
 * Errors: one that says what is wrong with it, for the model to read.
 */
export function toSegments(path: string, limits: PathLimits): string[] {
	if (path.length > limits.pathCharsMax) throw refused(path, `is longer than ${limits.pathCharsMax} characters`);
	if (unseen.test(path)) throw refused(path, "has a character that cannot be seen");
	if (path.includes("\\")) throw refused(path, 'has a "\\"; folders are parted by "/"');
	if (path.startsWith("/")) throw refused(path, 'begins with "/"; paths start at the root folder');
	const segments = path.split("/").filter((segment) => segment !== "" && segment !== ".");
	if (segments.length > limits.depthMax + 1) throw refused(path, `is deeper than ${limits.depthMax} folders`);
	for (const segment of segments) checkSegment(path, segment);
	return segments;
}

/** Whether a name that a folder has can be written in a path. */
export function isUsableName(name: string): boolean {
	return !unseen.test(name) && !name.includes("\\") && !isLikeSyntax(name);
}

function checkSegment(path: string, segment: string): void {
	if (isLikeSyntax(segment)) throw refused(path, `has "${segment}", which leads elsewhere or looks as if it did`);
	if (Buffer.byteLength(segment) > segmentBytesMax)
		throw refused(path, `has a name of more than ${segmentBytesMax} bytes`);
}

/** `..`, a drive, a separator, and what normalises to one of them (`．．`, `／`). */
function isLikeSyntax(segment: string): boolean {
	const plain = segment.normalize("NFKC");
	return /[/\\]/.test(plain) || /^\.*$/.test(plain.trim()) || /^[a-z]:/i.test(plain);
}

/**
 * A name as the most forgiving file system would compare it: without case, without compatibility forms, without what
 * cannot be seen, without dots and blanks at its end. Two names that any of them takes for one have one form.
 */
export function foldName(name: string): string {
	return foldText(name).replace(/[. ]+$/, "");
}

/** The same of a part of a name: what it ends with is kept. */
export function foldText(text: string): string {
	if (/^[ -~]*$/.test(text)) return text.toLowerCase();
	let folded = text;
	// Each step can bring about what another one changes; three rounds are enough for all of Unicode, and it must end.
	for (let round = 0, before = ""; folded !== before && round < 8; round++) {
		before = folded;
		folded = before
			.normalize("NFKD")
			.replace(/\p{Default_Ignorable_Code_Point}/gu, "")
			.toLowerCase()
			.toUpperCase()
			.toLowerCase()
			// Which of the two it is depends on where the word ends.
			.replaceAll("ς", "σ")
			.normalize("NFKD");
	}
	return folded;
}

export function foldPath(segments: readonly string[]): string {
	return segments.map(foldName).join("/");
}

export function pathOf(segments: readonly string[]): string {
	return segments.length === 0 ? "." : segments.join("/");
}

function refused(path: string, why: string): Error {
	return new Error(`The path ${JSON.stringify(path.slice(0, 200))} ${why}`);
}
