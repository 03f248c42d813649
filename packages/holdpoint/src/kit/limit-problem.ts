/** A limit of a hundred thousand years in milliseconds, or of a petabyte: beyond it sums are no whole numbers any more. */
const limitMax = 1e15;

/** What is wrong with somebody's limits: an unknown name, or a value that cannot be a bound. */
export function limitProblem(limits: object, known: object): string | undefined {
	for (const [name, value] of Object.entries(limits)) {
		if (!Object.hasOwn(known, name)) return `"${name}", which is no limit`;
		if (Number.isSafeInteger(value) && value >= 1 && value <= limitMax) continue;
		return `${name} to ${String(value)}; it is a whole number from 1 on`;
	}
	return undefined;
}
