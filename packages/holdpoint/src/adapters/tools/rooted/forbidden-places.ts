/**
 * Where no tool comes: the folder of a store, its database and keys, whatever way leads there. By name before anything is
 * opened, and by inode afterwards, so that a bind mount or a hard link is no other way.
 */
import { type BigIntStats, readlinkSync, realpathSync } from "node:fs";
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

type Identity = Pick<BigIntStats, "dev" | "ino">;

/** What the places are at a moment. */
export interface Refused {
	/** Is it one of them? */
	has(stats: Identity): boolean;
	/** Is, or would be, what has this name in that folder one of them? */
	isNamed(folder: Identity, name: string): boolean;
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
		return this.#below.some((place) => belongs(path, place));
	}

	/** The folders and files themselves with what lies beside them, as they are now, under whatever name. */
	async refused(): Promise<Refused> {
		const inodes = new Set<string>();
		const names = new Map<string, string[]>();
		for (const place of this.#places) {
			const around = await stat(dirname(place), { bigint: true }).catch(() => undefined);
			if (around) names.set(inodeOf(around), [...(names.get(inodeOf(around)) ?? []), foldName(basename(place))]);
			for (const each of [place, ...(await siblings(place))]) {
				const found = await stat(each, { bigint: true }).catch(() => undefined);
				if (found) inodes.add(inodeOf(found));
			}
		}
		return {
			has: (stats) => inodes.has(inodeOf(stats)),
			isNamed: (folder, name) => names.get(inodeOf(folder))?.some((place) => belongs(foldName(name), place)) ?? false,
		};
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

/** `holdpoint.db-wal`, `holdpoint.db.keys` and all in a folder belong to it. */
function belongs(path: string, place: string): boolean {
	return path.startsWith(place) && /^([/.-]|$)/.test(path.slice(place.length));
}

/** Nothing of a store lies beside its folder. */
async function siblings(place: string): Promise<string[]> {
	const [folder, file] = [dirname(place), basename(place).toLowerCase()];
	if (file === storeFolder) return [];
	const names = await readdir(folder).catch(() => []);
	return names.filter((name) => belongs(name.toLowerCase(), file)).map((name) => join(folder, name));
}

/**
 * Without links as far as it is there; what is made below that later is known by this name.
 * Shape: `place` is absolute.
 */
export function realPlace(place: string, linksMax = 40): string {
	try {
		return realpathSync(place);
	} catch {
		const [folder, name] = [dirname(place), basename(place)];
		if (folder === place) return place;
		const here = join(realPlace(folder, linksMax), name);
		// A link that leads to nothing yet.
		const target = linksMax > 0 ? linkTarget(here) : undefined;
		return target === undefined ? here : realPlace(resolve(dirname(here), target), linksMax - 1);
	}
}

function linkTarget(path: string): string | undefined {
	try {
		return readlinkSync(path);
	} catch {
		return undefined;
	}
}

export function inodeOf({ dev, ino }: Identity): string {
	return `${dev}:${ino}`;
}
