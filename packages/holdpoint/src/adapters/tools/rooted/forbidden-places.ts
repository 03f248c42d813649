/**
 * Where no tool comes: the folder of a store, its database and keys, whatever way leads there. By name before anything is
 * opened, and by inode afterwards, so that a bind mount or a hard link is no other way.
 */
import type { BigIntStats } from "node:fs";
import { lstat, readdir, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { foldName, foldPath } from "./relative-path.ts";

export const storeFolder = ".holdpoint";
/** What says which policy holds and who approves is read by the next harness. */
const configName = /^holdpoint\.config\./;
const inodesMax = 10_000;

/** Where stores of this process lie as far as it is known here. */
export function storePlaces(root: string): string[] {
	const named = process.env["HOLDPOINT_STORE"];
	return [join(root, storeFolder), resolve(storeFolder), ...(named ? [resolve(named)] : [])];
}

export class ForbiddenPlaces {
	readonly #places: readonly string[];
	/** Folded paths below the root. */
	readonly #below: readonly string[];

	/** Shape: `root` and `places` are absolute, without links in `root`. */
	constructor(root: string, places: readonly string[]) {
		this.#places = [...new Set(places)];
		this.#below = this.#places
			.map((place) => relative(root, place))
			.filter((place) => place !== "" && place !== ".." && !place.startsWith(`..${sep}`))
			.map((place) => foldPath(place.split(sep)));
	}

	/** Is it one of them by its name? `writes`: also what no tool changes. */
	isNamed(segments: readonly string[], writes: boolean): boolean {
		const folded = segments.map(foldName);
		if (folded.includes(storeFolder)) return true;
		if (writes && configName.test(folded.at(-1) ?? "")) return true;
		const path = folded.join("/");
		// `holdpoint.db-wal` and `holdpoint.db.keys` belong to `holdpoint.db`.
		return this.#below.some(
			(place) => path === place || /^[/.-]/.test(path.startsWith(place) ? path.slice(place.length) : ""),
		);
	}

	/** The folders and files themselves, as they are now. */
	async inodes(): Promise<ReadonlySet<string>> {
		const found = await Promise.all(this.#places.map((place) => stat(place, { bigint: true }).catch(() => undefined)));
		return new Set(found.flatMap((each) => (each ? [inodeOf(each)] : [])));
	}

	/** Every file in them, for one that has several names. Errors: where they are too many to be told apart. */
	async fileInodes(): Promise<ReadonlySet<string>> {
		const inodes = new Set<string>();
		const queue = [...this.#places];
		for (const place of this.#places) queue.push(...(await siblings(place)));
		for (const place of queue) {
			const found = await lstat(place, { bigint: true }).catch(() => undefined);
			if (!found) continue;
			inodes.add(inodeOf(found));
			if (inodes.size >= inodesMax)
				throw new Error("Whether it belongs to the store cannot be told: the store has too many files");
			if (found.isDirectory()) queue.push(...(await readdir(place)).map((name) => join(place, name)));
		}
		return inodes;
	}
}

async function siblings(place: string): Promise<string[]> {
	const folder = dirname(place);
	const names = await readdir(folder).catch(() => []);
	return names.filter((name) => name.startsWith(basename(place))).map((name) => join(folder, name));
}

export function inodeOf({ dev, ino }: Pick<BigIntStats, "dev" | "ino">): string {
	return `${dev}:${ino}`;
}
