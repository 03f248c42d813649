/** `€94.94` for 9494 cents. */
export function euros(cents: number): string {
	return `€${(cents / 100).toFixed(2)}`;
}
