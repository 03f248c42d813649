/** Words of others (tool names, descriptions, enum values) made safe to stand in a prompt: bounded, one line, visible. */

const readMax = 4_000;
const identifier = /^[\p{ID_Start}_$][\p{ID_Continue}_$]*$/u;

export function isIdentifier(name: string): boolean {
	return identifier.test(name);
}

/** How a program reaches the tool: `tools.get_user`, `tools["get-user"]`. */
export function toolAccess(name: string): string {
	return isIdentifier(name) ? `tools.${name}` : `tools[${literalText(name)}]`;
}

/** One line without control, invisible and direction characters; cut at `charsMax`. It may stand in a comment. */
export function plainText(text: unknown, charsMax: number): string {
	if (typeof text !== "string") return "";
	const line = text
		.slice(0, readMax)
		.replace(/[\s\p{C}\p{Zl}\p{Zp}]+/gu, " ")
		.replaceAll("*/", "* /")
		.trim();
	return line.length > charsMax ? `${line.slice(0, charsMax - 1).replace(/[\ud800-\udbff]$|\s+$/, "")}…` : line;
}

export function firstSentence(text: string, charsMax: number): string {
	const line = plainText(text, readMax);
	const end = /[.!?](?= |$)/.exec(line);
	return plainText(end ? line.slice(0, end.index + 1) : line, charsMax);
}

/** A JSON value as a literal of one line, with invisible characters escaped. */
export function literalText(value: unknown): string {
	return JSON.stringify(value).replace(/[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu, (char) =>
		[...Array(char.length).keys()].map((i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, "0")}`).join(""),
	);
}
