/** Without a report of a provider, this many characters count as a token. */
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
/** Quotation marks, colon and comma of a field; the comma of an element. */
const aroundField = 4;
const aroundElement = 1;

function chars(value: unknown, isData: boolean): number {
	if (typeof value === "string") return value.length;
	if (typeof value === "number") return String(value).length;
	if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return 0;
	let total = 0;
	if (Array.isArray(value)) {
		for (const one of value) total += chars(one, isData) + (isData ? aroundElement : 0);
		return total;
	}
	const isFile = "mediaType" in value;
	for (const [key, inner] of Object.entries(value)) {
		if (key === "providerOptions" || key === "providerMetadata" || (isFile && key === "data")) continue;
		total += chars(inner, isData || dataFields.has(key)) + (isData ? key.length + aroundField : 0);
	}
	return total;
}
