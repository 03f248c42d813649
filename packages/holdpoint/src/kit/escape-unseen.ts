/** Each character that cannot be seen as `\u{…}`; new lines stay. */
export function escapeUnseen(text: string): string {
	return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu, (char) => {
		if (char === "\n") return char;
		return `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`;
	});
}
