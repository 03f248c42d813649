/**
 * Where no tool comes: the folder of a store, its database and keys, whatever way leads there. By name before anything is
 * opened, and by inode afterwards, so that a bind mount or a hard link is no other way.
 */
import type { BigIntStats } from "node:fs";
import { lstat, readdir, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { belongsTo, isWithin, wayTo } from "./places.ts";
import { foldName, foldPath } from "./relative-path.ts";

export const storeFolder = ".holdpoint";
/** What says which policy holds and who approves is read by the next harness. */
export const configName = /^holdpoint\.config\./i;
/** Looked at for one call, where a file has several names. */
const filesMax = 100_000;
const filesAtOnce = 64;

/** Where stores of this process lie as far as it is known here. */
export function storePlaces(root: string): string[] {
	const named = process.env["HOLDPOINT_STORE"];
	return [join(root, storeFolder), resolve(storeFolder), ...(named ? [resolve(named)] : [])];
}

/** What the next harness reads as its configuration, as far as it is known here. */
export function configPlaces(): string[] {
	const named = process.env["HOLDPOINT_CONFIG"];
	return named ? [resolve(named)] : [];
}

/** Shape: all are absolute, without links. Errors: where the folder is no place for an agent. */
export function checkFolder(folder: string, places: readonly string[]): void {
	if (folder === sep) throw new Error("the root of the file system is no folder of an agent's");
	const around = places.find((place) => isWithin(place, folder));
	const own = folder.split(sep).some((name) => foldName(name) === storeFolder) ? folder : undefined;
	if (around ?? own) throw new Error(`${folder} lies in ${around ?? own}, where no tool comes`);
}

type Identity = Pick<BigIntStats, "dev" | "ino">;

/** What the places are at a moment. */
export interface Refused {
	/** Is it one of them? */
	has(stats: Identity): boolean;
	/** Is it any file in them, under whatever name? Errors: where they are too many to be told apart. */
	hasFile(stats: Identity): Promise<boolean>;
	/** Is, or would be, what has this name in that folder one of them? */
	isNamed(folder: Identity, name: string): boolean;
	/** Is, or would be, what has this name in that folder one that is read and not changed? */
	isKept(folder: Identity, name: string): boolean;
}

interface Places {
	readonly forbidden: readonly string[];
	/** Files that are read and not changed. */
	readonly kept?: readonly string[];
}

export class ForbiddenPlaces {
	readonly #places: readonly string[];
	readonly #kept: readonly string[];
	/** Folded paths below the root. */
	readonly #below: readonly string[];
	readonly #keptBelow: readonly string[];

	/** Shape: `root` and all places are absolute, without links. */
	constructor(root: string, { forbidden, kept = [] }: Places) {
		this.#places = [...new Set(forbidden)];
		this.#kept = kept;
		this.#below = below(root, this.#places);
		this.#keptBelow = below(root, kept);
	}

	/** Is it one of them by its name? `writes`: also what no tool changes. */
	isNamed(segments: readonly string[], writes: boolean): boolean {
		const folded = segments.map(foldName);
		if (folded.includes(storeFolder)) return true;
		const path = folded.join("/");
		if (writes && (configName.test(folded.at(-1) ?? "") || this.#keptBelow.some((place) => isPart(path, place))))
			return true;
		return this.#below.some((place) => belongsTo(place, path));
	}

	/** The folders and files themselves with what lies beside them, as they are now, under whatever name. */
	async refused(): Promise<Refused> {
		const found: string[] = [];
		for (const place of this.#places) found.push(place, ...(await siblings(place)));
		const inodes = new Set<string>();
		for (const place of found) {
			const stats = await stat(place, { bigint: true }).catch(() => undefined);
			if (stats) inodes.add(inodeOf(stats));
		}
		const [names, kept] = [await namesIn(this.#places), await namesIn(this.#kept)];
		let files: Promise<ReadonlySet<string>> | undefined;
		return {
			has: (stats) => inodes.has(inodeOf(stats)),
			async hasFile(stats) {
				files ??= filesIn(found);
				return (await files).has(inodeOf(stats));
			},
			isNamed: (folder, name) => names(folder).some((place) => belongsTo(place, foldName(name))),
			isKept: (folder, name) => kept(folder).includes(foldName(name)),
		};
	}
}

/** Every file in these places, for one that has several names. Errors: where they are too many to be looked at. */
async function filesIn(places: readonly string[]): Promise<ReadonlySet<string>> {
	const inodes = new Set<string>();
	const queue = [...places];
	while (queue.length > 0) {
		if (inodes.size + queue.length > filesMax)
			throw new Error(`Whether it is forbidden cannot be told: more than ${filesMax} files are`);
		const some = queue.splice(-filesAtOnce);
		for (const inside of await Promise.all(some.map((place) => lookAt(place, inodes))))
			for (const each of inside) queue.push(each);
	}
	return inodes;
}

/** What is in it. */
async function lookAt(place: string, inodes: Set<string>): Promise<readonly string[]> {
	const found = await lstat(place, { bigint: true }).catch(() => undefined);
	if (found) inodes.add(inodeOf(found));
	return found?.isDirectory() ? (await readdir(place)).map((name) => join(place, name)) : [];
}

function below(root: string, places: readonly string[]): string[] {
	return places
		.filter((place) => place !== root && isWithin(root, place))
		.map((place) => foldPath(relative(root, place).split(sep)));
}

/** The folded names of places, by the folder that they lie in as it is now. */
async function namesIn(places: readonly string[]): Promise<(folder: Identity) => readonly string[]> {
	const names = new Map<string, string[]>();
	for (const place of places) {
		const around = await stat(dirname(place), { bigint: true }).catch(() => undefined);
		if (around) names.set(inodeOf(around), [...(names.get(inodeOf(around)) ?? []), foldName(basename(place))]);
	}
	return (folder) => names.get(inodeOf(folder)) ?? [];
}

/** A file has nothing in it; where none is yet, a folder could be put there. */
function isPart(path: string, place: string): boolean {
	return path === place || path.startsWith(`${place}/`);
}

/** Nothing of a store lies beside its folder. */
async function siblings(place: string): Promise<string[]> {
	const [folder, file] = [dirname(place), basename(place).toLowerCase()];
	if (file === storeFolder) return [];
	const names = await readdir(folder).catch(() => []);
	return names.filter((name) => belongsTo(file, name.toLowerCase())).map((name) => join(folder, name));
}

/**
 * Where it is named and where that leads: keys of a store lie beside its name, and what SQLite makes beside its file.
 * Shape: absolute. Errors: one where links never end.
 */
export function realPlaces(place: string): string[] {
	return [join(wayTo(dirname(place)).end, basename(place)), wayTo(place).end];
}

export function inodeOf({ dev, ino }: Identity): string {
	return `${dev}:${ino}`;
}
