import { sizeOf } from "./text-size.ts";

/** Without a report of a provider, text of this size counts as a token: so many characters of Latin script. */
export const charsPerToken = 4;

/**
 * Tokens of all text inside, and of data as JSON has it: of a record with many fields, their names are most of what a model
 * reads. Bytes of a file and what a provider wants back are not text.
 */
export function tokenEstimate(value: unknown): number {
	return Math.ceil(chars(value, false) / charsPerToken);
}

/** What is in these fields of a request is data; the names around them are not sent. */
const dataFields: ReadonlySet<string> = new Set(["input", "value", "inputSchema", "schema"]);
/** Quotation marks, colon and comma of a field; the comma of an element; the brackets; the quotation marks of a text. */
const aroundField = 4;
const aroundElement = 1;
const aroundAll = 2;
const aroundText = 2;

function chars(value: unknown, isData: boolean): number {
	if (typeof value === "string") return sizeOf(value);
	if (typeof value === "number") return String(value).length;
	// Outside of data they are marks of the request, and no text.
	if (typeof value === "boolean" || value === null) return isData ? String(value).length : 0;
	if (typeof value !== "object" || ArrayBuffer.isView(value)) return 0;
	let total = isData ? aroundAll : 0;
	if (Array.isArray(value)) {
		for (const one of value) total += chars(one, isData) + (isData ? aroundElement + textMarks(one) : 0);
		return total;
	}
	const isFile = "mediaType" in value;
	for (const [key, inner] of Object.entries(value)) {
		if (key === "providerOptions" || key === "providerMetadata" || (isFile && key === "data")) continue;
		total += chars(inner, isData || dataFields.has(key)) + (isData ? key.length + aroundField + textMarks(inner) : 0);
	}
	return total;
}

function textMarks(value: unknown): number {
	return typeof value === "string" ? aroundText : 0;
}
