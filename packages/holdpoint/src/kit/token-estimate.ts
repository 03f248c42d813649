/** Without a report of a provider, this many characters count as a token. */
export const charsPerToken = 4;

/** Tokens of all strings and numbers inside; bytes of a file and what a provider wants back are not text. */
export function tokenEstimate(value: unknown): number {
	return Math.ceil(chars(value) / charsPerToken);
}

function chars(value: unknown): number {
	if (typeof value === "string") return value.length;
	if (typeof value === "number") return String(value).length;
	if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return 0;
	const isFile = "mediaType" in value;
	let total = 0;
	for (const [key, inner] of Object.entries(value)) {
		if (key === "providerOptions" || key === "providerMetadata" || (isFile && key === "data")) continue;
		total += chars(inner);
	}
	return total;
}
