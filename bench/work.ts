/** The work that every contestant does: one tool, called n times, then "done". */
export const instructions = "You are a helpful assistant. Use the lookup tool.";
export const prompt = "Look the items up.";
export const toolDescription = "look an item up";

export function lookup({ id }: { readonly id: number }) {
	return { id, name: `item-${id}`, price: id * 3, tags: ["a", "b", "c"] };
}

/** What `price` sums up to over the first `count` items. */
export function priceOf(count: number): number {
	return (3 * count * (count - 1)) / 2;
}

export function check(condition: boolean, what: string): asserts condition {
	if (!condition) throw new Error(`The work was not done as it should: ${what}`);
}
