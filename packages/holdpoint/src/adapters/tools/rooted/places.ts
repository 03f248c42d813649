import { readlinkSync } from "node:fs";
import { dirname, isAbsolute, join, relative, sep } from "node:path";

export interface Way {
	/** Where it ends: without links as far as it exists, and as it is named from there. */
	readonly end: string;
	/** Every link on it. Shape: each where it really lies. */
	readonly links: readonly string[];
}

const linksMax = 40;

/** Goes as the kernel does. Shape: `path` is absolute. Errors: one where links never end. */
export function wayTo(path: string): Way {
	const links: string[] = [];
	let end: string = sep;
	const rest = path.split(sep);
	for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
		if (name === "" || name === ".") continue;
		const next = name === ".." ? dirname(end) : join(end, name);
		const target = name === ".." ? undefined : targetOf(next);
		if (target === undefined) {
			end = next;
			continue;
		}
		links.push(next);
		if (links.length > linksMax) throw new Error(`${path} leads over more than ${linksMax} links`);
		rest.unshift(...target.split(sep));
		if (isAbsolute(target)) end = sep;
	}
	return { end, links };
}

function targetOf(place: string): string | undefined {
	try {
		return readlinkSync(place);
	} catch {
		// No link, or nothing at all.
		return undefined;
	}
}

/** Is it the folder, or below it? */
export function isWithin(folder: string, path: string): boolean {
	const way = relative(folder, path);
	return way !== ".." && !way.startsWith(`..${sep}`);
}

/** Is it the place, something in it, or of the same store: `holdpoint.db-wal` and `holdpoint.db.keys` are of `holdpoint.db`. */
export function belongsTo(place: string, path: string): boolean {
	return path.startsWith(place) && ["/", ".", "-", undefined].includes(path[place.length]);
}
