import { counted } from "../../kit/counted.ts";
import { escapeUnseen } from "../../kit/escape-unseen.ts";
import { visibleText } from "./safe-text.ts";
import { clip } from "./text-width.ts";

const charsMax = 4_000;

/** A value on one line as JavaScript writes it: `{orderId: "O-1", amountCents: 490}`; nothing in it can hide. */
export function jsonText(value: unknown, columns: number): string {
	return clip(escapeUnseen(compact(value, charsMax)).replaceAll("\n", "\\n"), columns);
}

/** Writes no more than about so many characters, however large the value is. */
function compact(value: unknown, room: number): string {
	if (typeof value === "string") return JSON.stringify(value.slice(0, room));
	if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "undefined";
	let text = "";
	const add = (item: string): boolean => {
		text += text === "" ? item : `, ${item}`;
		return text.length < room;
	};
	if (Array.isArray(value)) {
		for (const item of value) if (!add(compact(item, room - text.length))) break;
		return `[${text}]`;
	}
	for (const [key, item] of Object.entries(value)) {
		const name = /^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key.slice(0, room));
		if (!add(`${name}: ${compact(item, room - text.length)}`)) break;
	}
	return `{${text}}`;
}

/** How many characters of one argument a card shows. What is cut says so. */
const fieldCharsMax = 2_000;

/**
 * Arguments for somebody who decides about them: a field a line, nothing taken out, what cannot be seen escaped.
 * Shape: pairs of name and text; the text may have several lines.
 */
export function argumentFields(args: unknown): (readonly [name: string, text: string])[] {
	if (typeof args !== "object" || args === null || Array.isArray(args)) return [["arguments", fieldText(args)]];
	const fields = Object.entries(args);
	if (fields.length === 0) return [["arguments", "none"]];
	return fields.map(([name, value]) => [visibleText(name, 60).replaceAll("\n", "\\n"), fieldText(value)]);
}

function fieldText(value: unknown): string {
	const text = typeof value === "string" ? ownWords(value) : (JSON.stringify(value, undefined, 1) ?? "undefined");
	const shown = typeof value === "object" ? text.replace(/\n\s*/g, " ") : text;
	const left = shown.length - fieldCharsMax;
	return left > 0
		? `${visibleText(shown, fieldCharsMax)} [${counted(left, "more character")}; --json shows all]`
		: visibleText(shown, fieldCharsMax);
}

/** A text as it is where that is plain: the lines of a file as lines, and not as one. */
function ownWords(text: string): string {
	if (isPlain(text)) return text;
	const lines = text.endsWith("\n") ? text.slice(0, -1) : "";
	return lines.includes("\n") && isPlain(lines) ? `${lines}\n[ends with a line break]` : JSON.stringify(text);
}

/** Text that cannot be taken for something else without its quotes. */
function isPlain(text: string): boolean {
	return text.trim() === text && text !== "" && !/^[\d.-]+$|^(true|false|null)$/.test(text);
}
