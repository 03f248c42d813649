/** The name under which a text that was cut is shown again: the same text has the same name, whoever makes it. FNV-1a. */
export function nameOfText(text: string): string {
	let hash = 0x811c9dc5;
	for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
	return `${prefix}${(hash >>> 0).toString(16).padStart(8, "0")}`;
}

const prefix = "text_";

export function isNameOfText(name: string): boolean {
	return name.startsWith(prefix);
}
