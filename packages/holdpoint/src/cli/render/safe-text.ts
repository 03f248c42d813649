/**
 * Words of others (models, tools, whoever wrote to a shop) made safe for a terminal: nothing in them moves the cursor,
 * colours, links, hides or reverses anything, and nothing is endless.
 */

import { escapeUnseen } from "../../kit/escape-unseen.ts";

/** Escape sequences: CSI, then OSC, DCS, SOS, PM and APC up to their end, then any other. */
const sequences =
	/(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?|(?:\u001b[\]PX^_]|[\u009d\u0090\u0098\u009e\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?|\u001b[ -/]*[0-~]?/g;
/** What is left: control, format, unassigned and direction characters, line separators. Joiners make emoji. */
const unseen = /(?![\n\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;

/** Several lines of prose: what cannot be seen is taken out. */
export function proseText(text: string, charsMax: number): string {
	const plain = text
		.slice(0, charsMax * 4)
		.replace(sequences, "")
		.replace(/\r\n?/g, "\n")
		.replaceAll("\t", "  ")
		.replace(unseen, "");
	return cut(plain, charsMax);
}

/** Prose on one line. */
export function inlineText(text: string, charsMax: number): string {
	return cut(
		proseText(text, charsMax * 2)
			.replace(/\s+/g, " ")
			.trim(),
		charsMax,
	);
}

/**
 * Text that somebody decides about: nothing is taken out; what cannot be seen is written as an escape, so that it can
 * neither hide nor reorder anything.
 */
export function visibleText(text: string, charsMax: number): string {
	return cut(escapeUnseen(text.slice(0, charsMax + 1)), charsMax);
}

/** JSON on one line, safe on a terminal, and still JSON. */
export function jsonLine(value: unknown): string {
	return (JSON.stringify(value) ?? "null").replace(/[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu, (char) =>
		Array.from({ length: char.length }, (_, at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, "0")}`).join(""),
	);
}

function cut(text: string, charsMax: number): string {
	if (text.length <= charsMax) return text;
	return `${text.slice(0, charsMax - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}
