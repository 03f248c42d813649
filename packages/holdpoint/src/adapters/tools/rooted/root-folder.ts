/**
 * A folder out of which no path leads.
 *
 * 1. Each component is opened by itself, below the one that is already open (`/proc/self/fd/<n>/<name>`, which is `openat`),
 *    and never through a link: what was checked is what is used, whoever renames things meanwhile.
 * 2. A thing is looked at before it is opened for reading (`O_PATH`): a device, a FIFO or a socket is never opened.
 * 3. What is mounted below the root is not entered, be it another file system or another place of the same one.
 * 4. What belongs to a store is refused by name before, and by inode after it is found.
 * 5. The root is the folder that it was when the tool was made, whatever stands at its path since.
 *
 * What only names things is called synchronously: it takes microseconds, and ten times as long by way of another thread.
 * What reads or writes is not. It needs the `/proc` of Linux.
 */
import {
	type BigIntStats,
	closeSync,
	constants,
	existsSync,
	fstatSync,
	openSync,
	readFileSync,
	realpathSync,
	statSync,
} from "node:fs";
import { mkdir, open, readdir, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { reasonOf } from "../../../kit/reason-of.ts";
import { HoldpointError } from "../../../spec/errors.ts";
import {
	checkFolder,
	configPlaces,
	ForbiddenPlaces,
	inodeOf,
	type Refused,
	realPlaces,
	storePlaces,
} from "./forbidden-places.ts";
import { type PathLimits, pathOf, toSegments } from "./relative-path.ts";

/** Not among Node's constants: the descriptor names a place and can neither read nor write it. */
const O_PATH = 0o10000000;
const look = O_PATH | constants.O_NOFOLLOW;

export interface RootOptions {
	readonly root: string;
	/** Files and folders that no tool comes near, besides `.holdpoint` and what HOLDPOINT_STORE names. */
	readonly forbid?: readonly string[];
	readonly limits: PathLimits;
	/** Names the tool in errors. */
	readonly what: string;
}

/** A folder that is open. */
export interface OpenFolder {
	readonly segments: readonly string[];
	/** The way to an entry of it for the system's calls. Shape: `name` is one component. */
	at(name: string): string;
	readonly self: string;
	/** See `mountOf`. */
	readonly mount: string;
	readonly refused: Refused;
	/** Whether this name in it is one of a forbidden place, whatever way led here. */
	isForbidden(name: string): boolean;
	/** Whether what has this name is read and not changed. */
	isKept(name: string): boolean;
}

export interface Opening {
	/** Missing folders are made on the way. */
	readonly makes?: boolean;
	/** Of the same call. Left out: they are looked for. */
	readonly refused?: Refused;
}

/** A folder's descriptor, and what is known of it. */
interface Opened {
	readonly fd: number;
	readonly stats: BigIntStats;
	readonly refused: Refused;
}

export class RootFolder {
	readonly path: string;
	readonly #inode: string;
	readonly #limits: PathLimits;
	readonly #forbidden: ForbiddenPlaces;

	/** Errors: `tool.invalid` where there is no such folder, or nothing below it could be kept apart. */
	constructor({ root, forbid = [], limits, what }: RootOptions) {
		checkSystem(what);
		try {
			this.path = realpathSync(root);
			if (!statSync(this.path).isDirectory()) throw new Error("it is no folder");
			const places = [...storePlaces(this.path), ...forbid.map((place) => resolve(place))].flatMap(realPlaces);
			checkFolder(this.path, places);
			this.#inode = inodeOf(statSync(this.path, { bigint: true }));
			this.#forbidden = new ForbiddenPlaces(this.path, { forbidden: places, kept: configPlaces().flatMap(realPlaces) });
		} catch (cause) {
			throw invalid(what, `the folder ${JSON.stringify(root)} cannot be used: ${reasonOf(cause)}`, cause);
		}
		this.#limits = limits;
	}

	/** Errors: one for the model, where the path is none or leads to a forbidden place. */
	segmentsOf(path: string, writes: boolean): string[] {
		const segments = toSegments(path, this.#limits);
		if (this.#forbidden.isNamed(segments, writes)) throw forbidden(segments);
		return segments;
	}

	isForbidden(segments: readonly string[], writes: boolean): boolean {
		return this.#forbidden.isNamed(segments, writes);
	}

	/** The forbidden places as they are now, for all that one call opens. */
	refused(): Promise<Refused> {
		return this.#forbidden.refused();
	}

	/** Opens a folder for as long as `use` takes. */
	async inFolder<T>(
		segments: readonly string[],
		use: (folder: OpenFolder) => Promise<T>,
		{ makes = false, ...known }: Opening = {},
	): Promise<T> {
		const refused = known.refused ?? (await this.refused());
		let fd = openSync(this.path, O_PATH | constants.O_DIRECTORY);
		try {
			const top = fstatSync(fd, { bigint: true });
			if (inodeOf(top) !== this.#inode)
				throw new Error("The root folder was exchanged for another one; make the tools again");
			let folder = openFolder({ fd, stats: top, refused }, []);
			for (const [at, name] of segments.entries()) {
				const way = segments.slice(0, at + 1);
				const next = await enter(folder, name, makes);
				closeSync(fd);
				fd = next;
				const stats = fstatSync(fd, { bigint: true });
				if (!stats.isDirectory()) throw new Error(`${pathOf(way)} is ${kindOf(stats)} and no folder`);
				if (refused.has(stats)) throw forbidden(way);
				if (stats.dev !== top.dev || mountOf(fd) !== folder.mount) throw mounted(way);
				folder = openFolder({ fd, stats, refused }, way);
			}
			return await use(folder);
		} finally {
			closeSync(fd);
		}
	}

	/** Opens a regular file for reading; `fd` is to be closed. Errors: one for the model. */
	async openFile(folder: OpenFolder, name: string): Promise<{ fd: number; stats: BigIntStats }> {
		const way = [...folder.segments, name];
		const found = openAt(folder, name);
		try {
			const stats = fstatSync(found, { bigint: true });
			if (!stats.isFile()) throw new Error(`${pathOf(way)} is ${kindOf(stats)} and no file`);
			await this.checkFile(folder, name, stats);
			if (mountOf(found) !== folder.mount) throw mounted(way);
			const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
			return { fd: openSync(`/proc/self/fd/${found}`, flags), stats };
		} catch (error) {
			throw failure(way, error);
		} finally {
			closeSync(found);
		}
	}

	/** Errors: where the file, or one that would be made there, is one of the store's, whatever its names. */
	async checkFile(folder: OpenFolder, name: string, stats: BigIntStats | undefined): Promise<void> {
		const way = [...folder.segments, name];
		if (folder.isForbidden(name)) throw forbidden(way);
		if (!stats) return;
		if (folder.refused.has(stats)) throw forbidden(way);
		if (stats.nlink > 1n && (await folder.refused.hasFile(stats))) throw forbidden(way);
	}

	/** The same, and where the file is not to be changed. */
	async checkChange(folder: OpenFolder, name: string, stats: BigIntStats | undefined): Promise<void> {
		if (folder.isKept(name)) throw forbidden([...folder.segments, name]);
		return this.checkFile(folder, name, stats);
	}

	/** What lies there, without opening it; undefined: nothing. */
	async lookAt(folder: OpenFolder, name: string): Promise<BigIntStats | undefined> {
		let found: number;
		try {
			found = openAt(folder, name);
		} catch (error) {
			if (isMissing(error)) return undefined;
			throw error;
		}
		try {
			return fstatSync(found, { bigint: true });
		} finally {
			closeSync(found);
		}
	}
}

/** A descriptor of what lies there. Errors: one for the model, with the system's as its cause. */
function openAt(folder: OpenFolder, name: string): number {
	try {
		return openSync(folder.at(name), look);
	} catch (error) {
		throw failure([...folder.segments, name], error);
	}
}

function isMissing(error: unknown): boolean {
	return ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === "ENOENT";
}

/** What root makes in somebody's folder is theirs. A folder has one name, so that this is no other one. */
async function giveTo(path: string, { uid, gid }: { readonly uid: number; readonly gid: number }): Promise<void> {
	if (process.geteuid?.() !== 0 || uid === 0) return;
	const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
	try {
		// One that somebody put there meanwhile is not new, and not given away.
		const isNew = (await readdir(`/proc/self/fd/${handle.fd}`)).length === 0;
		if (isNew && (await handle.stat()).uid === 0) await handle.chown(uid, gid);
	} finally {
		await handle.close();
	}
}

function openFolder({ fd, stats, refused }: Opened, segments: readonly string[]): OpenFolder {
	const self = `/proc/self/fd/${fd}`;
	return {
		segments,
		self,
		mount: mountOf(fd),
		refused,
		at: (name) => `${self}/${name}`,
		isForbidden: (name) => refused.isNamed(stats, name),
		isKept: (name) => refused.isKept(stats, name),
	};
}

/** A place that is mounted once more has the device and the inode that it has elsewhere. Empty: the system does not say. */
function mountOf(fd: number): string {
	return /^mnt_id:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1] ?? "";
}

async function enter(folder: OpenFolder, name: string, makes: boolean): Promise<number> {
	const [path, way] = [folder.at(name), [...folder.segments, name]];
	if (folder.isForbidden(name)) throw forbidden(way);
	try {
		return openAt(folder, name);
	} catch (error) {
		if (!makes || !isMissing(error)) throw error;
		await mkdir(path).catch((cause) => {
			if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw failure(way, cause);
		});
		const owner = await stat(folder.self);
		await giveTo(path, owner).catch((cause) => Promise.reject(failure(way, cause)));
		return openAt(folder, name);
	}
}

function checkSystem(what: string): void {
	if (process.platform === "linux" && existsSync("/proc/self/fd")) return;
	throw invalid(what, "this system has no /proc/self/fd, by which a folder is kept from being left; it needs Linux");
}

/** For whoever makes the tool. */
export function invalid(what: string, why: string, cause?: unknown): HoldpointError {
	return new HoldpointError("tool.invalid", `${what}: ${why}`, cause === undefined ? {} : { cause });
}

function forbidden(way: readonly string[]): Error {
	return new Error(`${pathOf(way)} belongs to Holdpoint itself, or is forbidden here: no tool reads or changes it`);
}

function mounted(way: readonly string[]): Error {
	return new Error(`${pathOf(way)} is mounted there from elsewhere; it is not entered`);
}

export function kindOf(stats: BigIntStats): string {
	if (stats.isSymbolicLink()) return "a link, which is not followed,";
	if (stats.isDirectory()) return "a folder";
	if (stats.isFile()) return "a file";
	return "a device, a pipe or a socket";
}

/** What the system said, without the path that it was asked for. */
export function failure(way: readonly string[], error: unknown): Error {
	const { code, syscall } = error as NodeJS.ErrnoException;
	if (code === undefined || syscall === undefined) return error instanceof Error ? error : new Error(reasonOf(error));
	const why = systemWords[code] ?? `cannot be used (${code})`;
	return new Error(`${pathOf(way)} ${why}`, { cause: error });
}

const systemWords: Readonly<Record<string, string>> = {
	ENOENT: "does not exist",
	EACCES: "may not be used: permission denied",
	EPERM: "may not be changed: permission denied",
	ENOTDIR: "is no folder",
	EISDIR: "is a folder",
	ENAMETOOLONG: "has a name that is too long",
	ENOSPC: "was not written: the disk is full",
	EROFS: "was not written: the file system is read-only",
	ENOTEMPTY: "is not empty",
	ELOOP: "is a link, and links are not followed",
};
