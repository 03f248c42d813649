/** What an entry may be called, and what it may hold: names come from models, and from files of anybody. */
import { escapeUnseen } from "../kit/escape-unseen.ts";
import { HoldpointError } from "../spec/errors.ts";
import { fixedLimits } from "../spec/limits.ts";

const { memoryNameCharsMax, memoryTextBytesMax } = fixedLimits;

/** One part of a name: letters and digits of any script, and what is written between them; no other sign looks like these. */
const partPattern = /^[\p{L}\p{N}_@#+(][\p{L}\p{M}\p{N} _.,:@#+()'-]*$/u;

/**
 * Returns the name in its one form: compatibility forms are made plain first, so that `／` and `．` are what they look like.
 * Errors: `memory.invalid`.
 */
export function checkedName(name: string): string {
	const isText = typeof name === "string" && name.length <= 4 * memoryNameCharsMax && name.isWellFormed();
	const plain = isText ? name.normalize("NFKC").trim() : "";
	const isName =
		plain.length > 0 &&
		plain.length <= memoryNameCharsMax &&
		plain.split("/").every((part) => partPattern.test(part) && !/[ .]$/.test(part));
	if (isName) return plain;
	const shown = escapeUnseen(String(name).slice(0, 80)).replaceAll("\n", "\\n");
	throw new HoldpointError(
		"memory.invalid",
		`"${shown}" is no name for an entry: it has 1 to ${memoryNameCharsMax} letters, digits, spaces, and signs such as - _ . with / between parts that do not begin or end with a dot`,
	);
}

/** Errors: `memory.invalid`. */
export function checkedText(text: string): string {
	const bytes = typeof text === "string" ? Buffer.byteLength(text) : 0;
	if (bytes > memoryTextBytesMax)
		throw invalid(
			`A text of ${bytes} bytes is too long for one entry; ${memoryTextBytesMax} is the limit. Shorten or split it`,
		);
	if (bytes === 0 || !text.isWellFormed() || text.includes("\0"))
		throw invalid("The text of an entry is empty, has a NUL in it, or is not well-formed Unicode");
	return text;
}

export function invalid(message: string): HoldpointError {
	return new HoldpointError("memory.invalid", message);
}
