/** The work that every contestant does: one tool, called n times, then "done". */
export const instructions = "You are a helpful assistant. Use the lookup tool.";
export const prompt = "Look the items up.";
export const toolDescription = "look an item up";

export function lookup({ id }: { readonly id: number }) {
	return { id, name: `item-${id}`, price: id * 3, tags: ["a", "b", "c"] };
}

const note = "as it was found in the catalogue of this year, ".repeat(4);

/** The same with more to say: what long conversations are made of. */
export function describe({ id }: { readonly id: number }) {
	return { ...lookup({ id }), note };
}

/** The answer of a model that is asked to sum such a conversation up. */
export const summary = "All items were looked up, and nothing is left open.";

/** How a long conversation is gone on with: runs of so many calls each, in a window of so many tokens if there is one. */
export interface Conversation {
	readonly runs?: number;
	readonly calls?: number;
	readonly window?: number;
}

/** Was the model shown (a number of messages) all of it, or less of it where there is a window? */
export function checkShown(shown: number, { runs = 1, calls = 1, window }: Conversation): void {
	const all = runs * (2 * calls + 2) + 1;
	check(window === undefined ? shown >= all : shown < all, `${shown} of ${all} messages are shown`);
}

/** What `price` sums up to over the first `count` items. */
export function priceOf(count: number): number {
	return (3 * count * (count - 1)) / 2;
}

export function check(condition: boolean, what: string): asserts condition {
	if (!condition) throw new Error(`The work was not done as it should: ${what}`);
}
