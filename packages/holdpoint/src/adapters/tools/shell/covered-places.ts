/**
 * What no command may reach, or exchange: stores, their keys, and the configuration of the next harness.
 *
 * Other commands may be at work while a command is begun, and write to the agent's folder; in `user` it is root that mounts.
 * So two rules hold, and what does not fit them is an error, and no command is run:
 *
 * 1. Nothing is mounted from the agent's folder, and in it only onto entries of its own top that were there before the first
 *    command: each command has them covered from its beginning to its end, so that none can exchange them. What lies deeper
 *    could be, with the folder around it.
 * 2. The user that commands run as can change no way to the folder, nor to a covered place outside of it.
 */
import { existsSync, lstatSync, mkdirSync, readdirSync, type Stats, statSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import { configName, storeFolder } from "../rooted/forbidden-places.ts";
import { belongsTo, isWithin, wayTo } from "../rooted/places.ts";
import { foldName } from "../rooted/relative-path.ts";

export interface CoverOptions {
	/** Where commands work. Shape: a real path. */
	readonly folder: string;
	/** Stores that are known, and what else no command may reach. Shape: absolute paths. */
	readonly stores: readonly string[];
	readonly forbidden: readonly string[];
	/** Further files that are read and not changed, besides `holdpoint.config.*`. Shape: absolute paths. */
	readonly kept: readonly string[];
	/** As whom commands run where that is another user, who may see places outside of the folder; undefined: nobody does. */
	readonly user: User | undefined;
}

export interface User {
	readonly uid: number;
	readonly gid: number;
}

/** At the moment of a command. Shape: real paths. */
export interface Covers {
	/** Folders and files that are hidden, none of them within another. */
	readonly hidden: readonly string[];
	/** Files that are read and not changed. */
	readonly kept: readonly string[];
}

export class CoveredPlaces {
	readonly #options: CoverOptions;
	/** Entries of the folder, and which file or folder each was when the tool was made. */
	readonly #hidden = new Map<string, string>();
	readonly #kept = new Map<string, string>();
	readonly #outside: readonly string[];

	/** Errors: one that names what cannot be covered, and what to do. */
	constructor(options: CoverOptions) {
		this.#options = options;
		const { folder, stores, forbidden, kept } = options;
		this.#checkWays(folder);
		for (const name of storesIn(folder)) this.#keep(this.#hidden, join(folder, name));
		this.#outside = [
			...stores.filter((place) => this.#isOutside(place, true)),
			...forbidden.filter((place) => this.#isOutside(place, false)),
		];
		const configs = readdirSync(folder).filter((name) => configName.test(name));
		for (const place of [...configs.map((name) => join(folder, name)), ...kept]) this.#keepFile(place);
		checkNumber(this.#hidden.size + this.#kept.size);
	}

	/** What two tools of one folder must have in common: a command of one could exchange what only the other one covers. */
	get version(): string {
		return JSON.stringify([[...this.#hidden].toSorted(), [...this.#kept].toSorted()]);
	}

	/** Errors: one that names what cannot be covered any more. */
	now(): Covers {
		this.#checkWays(this.#options.folder);
		for (const [place, identity] of [...this.#hidden, ...this.#kept]) {
			if (identityOf(place) === identity) continue;
			throw new Error(
				`no command is run: ${place} is gone, or another one than when the tool was made; start the harness anew`,
			);
		}
		const hidden = new Set(this.#hidden.keys());
		for (const place of this.#outside) for (const each of this.#foundOutside(place)) hidden.add(each);
		const covered = [...hidden].filter((place) => !foldersAbove(place).some((above) => hidden.has(above)));
		checkNumber(covered.length);
		checkNames(covered);
		return { hidden: covered, kept: [...this.#kept.keys()] };
	}

	#keep(places: Map<string, string>, place: string): void {
		const identity = identityOf(place);
		if (identity === undefined)
			throw new Error(`${place} is not there: in the agent's folder only what is there can be kept from commands`);
		places.set(place, identity);
	}

	/** False: it lies in the agent's folder, and is hidden there. */
	#isOutside(named: string, isStore: boolean): boolean {
		const { folder } = this.#options;
		const { end, links } = wayTo(named);
		const own = links.find((link) => isWithin(folder, link));
		if (own !== undefined) {
			throw new Error(
				`the way to ${named} leads over a link in the agent's folder (${own}), which a command could exchange; name what it leads to, and make it a folder`,
			);
		}
		if (!isWithin(folder, end)) return true;
		if (this.#isHidden(end)) return false;
		const isTop = dirname(end) === folder;
		if (!isTop || (isStore && !isFolder(end))) {
			throw new Error(
				`${named} lies in the agent's folder, where a command could exchange it: ${isStore ? `keep the store in ${join(folder, storeFolder)}` : "put it directly into the folder"}, or outside of it`,
			);
		}
		this.#keep(this.#hidden, end);
		for (const file of filesOf(end)) this.#keep(this.#hidden, file);
		return false;
	}

	#isHidden(place: string): boolean {
		return [...this.#hidden.keys()].some((each) => isWithin(each, place));
	}

	#keepFile(named: string): void {
		const { folder, user } = this.#options;
		const { end, links } = wayTo(named);
		if (!isWithin(folder, named) && !isWithin(folder, end)) return;
		const isThere = existsSync(end) || links.length > 0;
		if (!isThere || this.#isHidden(end)) return;
		if (links.length > 0 || dirname(end) !== folder || !statSync(end).isFile()) {
			throw new Error(
				`the configuration ${named} lies in the agent's folder, where a command could exchange it: it must be a file directly in the folder, or outside of it`,
			);
		}
		// Root mounts a copy of it.
		if (user && canWrite(user, statSync(end)))
			throw new Error(
				`the user that commands run as (${user.uid}) can write the configuration ${end}: make it somebody else's`,
			);
		this.#keep(this.#kept, end);
	}

	#foundOutside(named: string): readonly string[] {
		const { folder } = this.#options;
		const { end, links } = wayTo(named);
		if ([...links, end].some((place) => isWithin(folder, place)))
			throw new Error(`no command is run: ${named} leads into the agent's folder now; start the harness anew`);
		const found = isFolder(end) ? [end] : filesOf(end);
		if (found.length > 0) for (const place of [...links, end]) this.#checkWays(place);
		return found;
	}

	/** Errors: where the user that commands run as could put something else into the place of an entry on the way. */
	#checkWays(place: string): void {
		const { user } = this.#options;
		if (!user) return;
		for (const at of [place, ...foldersAbove(place)]) {
			const entry = lstatSync(at, { throwIfNoEntry: false });
			if (!entry || !canExchange(user, lstatSync(dirname(at)), entry)) continue;
			throw new Error(
				`the user that commands run as (${user.uid}) can exchange ${at}: make ${dirname(at)} a folder that this user cannot write to`,
			);
		}
	}
}

/** Names of the folder's own stores. Where none is yet one is made, so that no command can put one there. */
function storesIn(folder: string): string[] {
	mkdirSync(join(folder, storeFolder), { recursive: true, mode: 0o700 });
	const found = readdirSync(folder, { withFileTypes: true }).filter(({ name }) => foldName(name) === storeFolder);
	const link = found.find((entry) => !entry.isDirectory());
	if (link) throw new Error(`${join(folder, link.name)} is no folder, or a link, which a command could exchange`);
	return found.map(({ name }) => name);
}

function canExchange({ uid, gid }: User, folder: Stats, entry: Stats): boolean {
	const isSticky = (folder.mode & 0o1000) !== 0;
	return canWrite({ uid, gid }, folder) && (!isSticky || folder.uid === uid || entry.uid === uid);
}

function canWrite({ uid, gid }: User, { uid: owner, gid: group, mode }: Stats): boolean {
	return owner === uid || (group === gid && (mode & 0o020) !== 0) || (mode & 0o002) !== 0;
}

function isFolder(place: string): boolean {
	return statSync(place, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Undefined: it is not there, or a link. */
function identityOf(place: string): string | undefined {
	const stats = lstatSync(place, { throwIfNoEntry: false });
	return !stats || stats.isSymbolicLink() ? undefined : `${stats.dev}:${stats.ino}`;
}

function foldersAbove(place: string): string[] {
	const above: string[] = [];
	for (let at = dirname(place); at !== sep; at = dirname(at)) above.push(at);
	return above;
}

/** Each takes some milliseconds before every command. */
const mountsMax = 200;

function checkNumber(mounts: number): void {
	if (mounts > mountsMax) throw new Error(`no command is run where more than ${mountsMax} files are to be covered`);
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

/** `holdpoint.db`, `holdpoint.db-wal`, `holdpoint.db.keys`. Shape: real paths. */
function filesOf(place: string): string[] {
	const folder = dirname(place);
	if (!existsSync(folder)) return [];
	return readdirSync(folder)
		.filter((name) => belongsTo(basename(place), name))
		.map((name) => wayTo(join(folder, name)).end);
}
