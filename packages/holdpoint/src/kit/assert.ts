/** States a truth of our own code. A failure is a bug here, never an expected outcome. */
export function assert(condition: unknown, truth: string): asserts condition {
	if (!condition) throw new Error(`Holdpoint bug: it should hold that ${truth}`);
}

/** For exhaustive switches over closed unions. */
export function unreachable(value: never): never {
	throw new Error(`Holdpoint bug: unforeseen ${JSON.stringify(value)}`);
}
