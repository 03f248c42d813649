/** A number as it is read: 12,345. */
export function numberText(value: number): string {
	return value.toLocaleString("en-US");
}

/** How many of something: 1 entry, 2,000 entries. */
export function counted(count: number, one: string, many = `${one}s`): string {
	return `${numberText(count)} ${count === 1 ? one : many}`;
}
