/**
 * The two files of a micro-VM, as they were checked: copies in a folder that is this user's alone, among the temporary
 * files. All processes of the user share it, and it stays: no process can be relied on to tidy up when it is killed.
 *
 * Invariant: what runs is what was checked, whatever becomes of the installed files meanwhile.
 */
import { hash, randomUUID } from "node:crypto";
import {
	accessSync,
	constants,
	lstatSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	renameSync,
	type Stats,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { binaryDigests } from "./binary-digests.ts";
import { type Binaries, findBinaries, Obstacle } from "./find-binaries.ts";

/** Paths. */
export interface BinaryPaths {
	readonly microvmd: string;
	readonly guest: string;
}

/** What a copy was when its bytes were last compared. No write leaves all of it as it was. */
type Seen = readonly [path: string, stamp: string];

const modes = { folder: 0o700, microvmd: 0o500, guest: 0o400 } as const;

export class PrivateBinaries {
	readonly #binDir: string | undefined;
	readonly #digests: typeof binaryDigests;
	#paths: BinaryPaths | undefined;
	#seen: readonly Seen[] = [];

	constructor(binDir: string | undefined, digests: typeof binaryDigests) {
		this.#binDir = binDir;
		this.#digests = digests;
	}

	/** Finds, checks and copies them where that was not done, or was undone. Errors: `Obstacle`; the next call tries again. */
	get(): BinaryPaths {
		if (this.#paths && this.#seen.every(([path, stamp]) => stampOf(statOf(path)) === stamp)) return this.#paths;
		const binaries = findBinaries(this.#binDir, this.#digests);
		try {
			const paths = copiesOf(binaries);
			accessSync(paths.microvmd, constants.X_OK);
			this.#seen = Object.values(paths).map((path: string) => [path, stampOf(statOf(path))]);
			this.#paths = paths;
			return paths;
		} catch (error) {
			const reason = error instanceof Error ? error.message : String(error);
			throw new Obstacle(
				`no program can be put into the folder of temporary files: ${reason}`,
				"Let TMPDIR name a folder with some megabytes to spare, from which programs may run (no `noexec`).",
			);
		}
	}
}

function copiesOf({ microvmd, guest }: Binaries): BinaryPaths {
	const folder = folderFor(hash("sha256", hash("sha256", microvmd) + hash("sha256", guest)).slice(0, 16));
	const paths = { microvmd: join(folder, "microvmd"), guest: join(folder, "guest.elf") };
	put(paths.microvmd, microvmd, modes.microvmd);
	put(paths.guest, guest, modes.guest);
	return paths;
}

/**
 * The first folder of that name that is this user's alone, else a new one. Nobody can guess the end of the name, and
 * what another user makes under such a name is not taken: so nobody can stand in the way of it either.
 */
function folderFor(digest: string): string {
	const prefix = `holdpoint-microvm-${digest}-`;
	const among = tmpdir();
	const there = readdirSync(among).filter((name) => name.startsWith(prefix));
	const isOwn = (path: string) => {
		const stat = statOf(path);
		return stat?.isDirectory() && isOfMode(stat, modes.folder);
	};
	const paths = there.sort().map((name) => join(among, name));
	return paths.find(isOwn) ?? mkdtempSync(join(among, prefix));
}

/** In one step, where it is not there: others may be about to run it. */
function put(path: string, bytes: Buffer, mode: number): void {
	const stat = statOf(path);
	if (stat?.isFile() && isOfMode(stat, mode) && readFileSync(path).equals(bytes)) return;
	const fresh = `${path}.${randomUUID()}`;
	writeFileSync(fresh, bytes, { mode, flag: "wx" });
	renameSync(fresh, path);
}

function isOfMode({ uid, mode }: Stats, wanted: number): boolean {
	return uid === process.getuid?.() && (mode & 0o7777) === wanted;
}

/** A link is not followed. Undefined where there is nothing. */
function statOf(path: string): Stats | undefined {
	return lstatSync(path, { throwIfNoEntry: false });
}

function stampOf(stat: Stats | undefined): string {
	return stat ? `${stat.dev} ${stat.ino} ${stat.mode} ${stat.uid} ${stat.size} ${stat.ctimeMs}` : "";
}
