/**
 * The two files of a micro-VM, as they were checked: copies in a folder that is this user's alone.
 *
 * Invariant: what runs is what was checked, whatever becomes of the installed files meanwhile.
 */
import { accessSync, constants, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { binaryDigests } from "./binary-digests.ts";
import { findBinaries, Obstacle } from "./find-binaries.ts";

/** Of sandboxes that nobody closed. One listener for all of them. */
const folders = new Set<string>();

function removeAll(): void {
	for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

/** Paths. */
export interface BinaryPaths {
	readonly microvmd: string;
	readonly guest: string;
}

export class PrivateBinaries {
	readonly #binDir: string | undefined;
	readonly #digests: typeof binaryDigests;
	#folder: string | undefined;

	constructor(binDir: string | undefined, digests: typeof binaryDigests) {
		this.#binDir = binDir;
		this.#digests = digests;
	}

	/** Finds, checks and copies them at the first call. Errors: `Obstacle`; the next call tries again. */
	get(): BinaryPaths {
		// Whoever tidies the folder of temporary files may have taken them away.
		if (this.#folder && existsSync(pathsIn(this.#folder).microvmd) && existsSync(pathsIn(this.#folder).guest)) {
			return pathsIn(this.#folder);
		}
		this.remove();
		const { microvmd, guest } = findBinaries(this.#binDir, this.#digests);
		try {
			const paths = pathsIn(this.#makeFolder());
			writeFileSync(paths.microvmd, microvmd, { mode: 0o500, flag: "wx" });
			writeFileSync(paths.guest, guest, { mode: 0o400, flag: "wx" });
			accessSync(paths.microvmd, constants.X_OK);
			return paths;
		} catch (error) {
			this.remove();
			const reason = error instanceof Error ? error.message : String(error);
			throw new Obstacle(
				`no program can be put into the folder of temporary files: ${reason}`,
				"Let TMPDIR name a folder with some megabytes to spare, from which programs may run (no `noexec`).",
			);
		}
	}

	/** Idempotent. */
	remove(): void {
		if (!this.#folder) return;
		rmSync(this.#folder, { recursive: true, force: true });
		folders.delete(this.#folder);
		if (folders.size === 0) process.off("exit", removeAll);
		this.#folder = undefined;
	}

	#makeFolder(): string {
		// Of mode 0700, under a name that nobody can guess.
		this.#folder = mkdtempSync(join(tmpdir(), "holdpoint-microvm-"));
		if (folders.size === 0) process.on("exit", removeAll);
		folders.add(this.#folder);
		return this.#folder;
	}
}

function pathsIn(folder: string): BinaryPaths {
	return { microvmd: join(folder, "microvmd"), guest: join(folder, "guest.elf") };
}
