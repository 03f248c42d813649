/**
 * What no command may reach, as it is now: the store's folders, and its files with what lies beside them. By real paths alone,
 * whatever they are named by. What cannot be covered is an error, and no command is run.
 */
import { existsSync, lstatSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import { storeFolder } from "../rooted/forbidden-places.ts";
import { belongsTo, isWithin, wayTo } from "../rooted/places.ts";
import { foldName } from "../rooted/relative-path.ts";

export interface CoverOptions {
	/** Where commands work. Shape: a real path. */
	readonly folder: string;
	/** What no command may reach. Shape: absolute paths. */
	readonly places: readonly string[];
}

/** Shape: real paths, none of them within another. Errors: one that names what cannot be covered. */
export function coveredPlaces({ folder, places }: CoverOptions): string[] {
	const found = new Set<string>();
	for (const named of places) {
		const place = wholeStore(realPlace(named, folder), folder);
		// One that could be made where a store is looked for is made, so that it can be covered.
		if (isWithin(folder, place) && basename(place) === storeFolder) mkdirSync(place, { recursive: true, mode: 0o700 });
		if (existsSync(place) && statSync(place).isDirectory()) found.add(place);
		else for (const file of filesOf(place)) found.add(realPlace(file, folder));
		checkNumber(found.size);
	}
	const covered = [...found].filter((place) => !foldersAbove([place]).some((above) => found.has(above)));
	checkNumber(covered.length + foldersAbove(covered).length);
	checkNames(covered);
	return covered;
}

/** The folders above these places, the outer ones first. Mounts cannot be renamed, and what holds one can. */
export function foldersAbove(places: readonly string[]): string[] {
	const above = new Set<string>();
	for (const place of places) for (let at = dirname(place); at !== sep; at = dirname(at)) above.add(at);
	return [...above].toSorted((a, b) => a.length - b.length);
}

/** Errors: where a link leads there that a command could exchange. */
function realPlace(place: string, folder: string): string {
	const { end, links } = wayTo(place);
	const own = links.find((link) => isWithin(folder, link));
	if (own) {
		throw new Error(
			`no command is run while the way to ${place} leads over a link in the agent's folder (${own}), which a command could exchange; name what it leads to, and make it a folder`,
		);
	}
	return end;
}

/** Of a file in a `.holdpoint` of the agent's folder: that one. */
function wholeStore(place: string, folder: string): string {
	if (!isWithin(folder, place)) return place;
	const names = place.slice(folder.length + 1).split(sep);
	const at = names.findIndex((name) => foldName(name) === storeFolder);
	return at < 0 ? place : join(folder, ...names.slice(0, at + 1));
}

/** Each takes some milliseconds before every command, and a command could make stores without end. */
const mountsMax = 400;

function checkNumber(mounts: number): void {
	if (mounts > mountsMax)
		throw new Error(
			`no command is run where more than ${mountsMax} stores, files of stores and folders above them are to be covered`,
		);
}

const filesMax = 10_000;

/** A second name of a file is no place that could be covered. Errors: one that names the file. */
function checkNames(covered: readonly string[]): void {
	const queue = [...covered];
	for (const place of queue) {
		const stats = lstatSync(place);
		if (stats.isDirectory()) queue.push(...readdirSync(place).map((name) => join(place, name)));
		else if (stats.nlink > 1)
			throw new Error(`no command is run while ${place} has a second name (a hard link), under which it could be read`);
		if (queue.length > filesMax) throw new Error(`what belongs to the store has more than ${filesMax} files`);
	}
}

/** `holdpoint.db`, `holdpoint.db-wal`, `holdpoint.db.keys`. */
function filesOf(place: string): string[] {
	const folder = dirname(place);
	if (!existsSync(folder)) return [];
	return readdirSync(folder)
		.filter((name) => belongsTo(basename(place), name))
		.map((name) => join(folder, name));
}
