/**
 * Patterns of paths: `*` is any part of a name, `?` one character of it, `**` any number of folders; all else is itself.
 * Matching takes at most (length of the pattern) × (length of the path) steps, whatever either says.
 */

export interface PathPattern {
	matches(segments: readonly string[]): boolean;
	/** Whether something below this folder may match. */
	mayMatchBelow(segments: readonly string[]): boolean;
}

export function pathPattern(pattern: string): PathPattern {
	const parts = pattern.split("/").filter((part) => part !== "" && part !== ".");
	return {
		matches: (segments) => reached(parts, segments).has(parts.length),
		mayMatchBelow: (segments) => [...reached(parts, segments)].some((at) => at < parts.length),
	};
}

/** How many parts of the pattern may be used up by these names: all that is left open at once, so that nothing is retried. */
function reached(parts: readonly string[], segments: readonly string[]): Set<number> {
	let open = skipping(parts, new Set([0]));
	for (const segment of segments) {
		const next = new Set<number>();
		for (const at of open) {
			const part = parts[at];
			if (part === "**") next.add(at);
			else if (part !== undefined && nameMatches(part, segment)) next.add(at + 1);
		}
		open = skipping(parts, next);
	}
	return open;
}

/** `**` may stand for no folder at all. */
function skipping(parts: readonly string[], open: Set<number>): Set<number> {
	for (const at of open) if (parts[at] === "**") open.add(at + 1);
	return open;
}

/** The last `*` takes as little as it can, and one more each time that the rest does not fit: never a tree of choices. */
function nameMatches(pattern: string, name: string): boolean {
	const [wanted, chars] = [[...pattern], [...name]];
	let [at, star, taken] = [0, -1, 0];
	for (let i = 0; i < chars.length; ) {
		if (wanted[at] === "*") {
			star = at++;
			taken = i;
		} else if (wanted[at] === "?" || wanted[at] === chars[i]) {
			at++;
			i++;
		} else if (star >= 0) {
			at = star + 1;
			i = ++taken;
		} else return false;
	}
	while (wanted[at] === "*") at++;
	return at === wanted.length;
}
