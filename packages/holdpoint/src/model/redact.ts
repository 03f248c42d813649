const charsMax = 4_000;
const hidden = "[redacted]";

/** Headers whose values nobody may read in a message. */
const secretHeader = /auth|key|token|secret|cookie|password/i;

const named = "(?:(?:api|access|auth)[-_ ]?(?:key|token)|authorization|password|secret|signature|\\b(?:key|token|sig))";

/** Looks of a secret: what a provider or proxy likes to repeat when it refuses one. */
const looks: readonly (readonly [RegExp, string])[] = [
	[/\b(bearer|basic)\s+[^\s"',;]+/gi, `$1 ${hidden}`],
	[/\b(?:sk|pk|rk|gsk|xai|ghp|pat|key|api)[-_][\w*.-]{6,}/gi, hidden],
	[/\bAIza[\w-]{16,}/g, hidden],
	[/(\/\/)[^\s/@"']+@/g, `$1${hidden}@`],
	[new RegExp(`(${named}(?: provided)?["']?\\s*[:=]\\s*["']?)[^\\s"'&,;)}\\]]{4,}`, "gi"), `$1${hidden}`],
];

/** Takes known secrets, and what looks like one, out of a text that people will read. */
export function redact(text: string, secrets: readonly string[]): string {
	let shown = text.slice(0, charsMax);
	for (const secret of secrets) shown = shown.replaceAll(secret, hidden);
	for (const [look, instead] of looks) shown = shown.replace(look, instead);
	return shown;
}

/** Secrets among the headers of a request. */
export function secretsOf(headers: { readonly [name: string]: string | undefined } | undefined): readonly string[] {
	const secrets: string[] = [];
	for (const [name, value] of Object.entries(headers ?? {})) {
		if (value === undefined || !secretHeader.test(name)) continue;
		for (const piece of [value, value.replace(/^\s*\w+\s+/, "")]) if (piece.length >= 4) secrets.push(piece);
	}
	return secrets;
}
