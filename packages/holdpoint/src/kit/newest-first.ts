interface Place {
	readonly updatedAt: number;
	readonly run: string;
}

/** The order in which runs are listed: newest change first, and among equals the greater id. */
export function newestFirst(a: Place, b: Place): number {
	return b.updatedAt - a.updatedAt || compareText(b.run, a.run);
}

/** By bytes of UTF-8, as databases compare; `<` would compare UTF-16. */
export function compareText(a: string, b: string): number {
	return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}
