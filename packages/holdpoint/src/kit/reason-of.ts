/** What was thrown, as text. Anything can be thrown, and some of it cannot even be shown. */
export function reasonOf(thrown: unknown): string {
	try {
		return String(thrown instanceof Error ? thrown.message : thrown);
	} catch {
		return "something was thrown that cannot be shown";
	}
}
