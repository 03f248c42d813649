import { accessSync, constants, type Dirent, lstatSync, opendirSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { storeFolder } from "../rooted/forbidden-places.ts";
import { foldName } from "../rooted/relative-path.ts";

/**
 * Every folder `.holdpoint` below a folder, but for those at its top, whoever's it is. Links are not followed: what they lead to
 * has another name. Errors: where there is too much to look through, or what could not be looked into.
 */
export async function storesBelow(folder: string, entriesMax: number, signal: AbortSignal): Promise<string[]> {
	const stores: string[] = [];
	const queue = [folder];
	let entries = 0;
	for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
		for (const entry of entriesOf(at)) {
			if (++entries > entriesMax) {
				throw new Error(
					`no command is run in a folder of more than ${entriesMax} entries (limits.entriesMax): whether a store is among them was not looked at`,
				);
			}
			if (!entry.isDirectory()) continue;
			if (foldName(entry.name) !== storeFolder) queue.push(join(at, entry.name));
			else if (at !== folder) stores.push(join(at, entry.name));
		}
		// Each folder is read at once, which is ten times as fast; others have their turn in between.
		await setImmediate();
		signal.throwIfAborted();
	}
	return stores;
}

/** Entry by entry: how many there are is an agent's to say. A name that is no UTF-8 is gone; no harness could work there. */
function* entriesOf(folder: string): Generator<Dirent> {
	try {
		const opened = opendirSync(folder, { bufferSize: 1_024 });
		try {
			for (let entry = opened.readSync(); entry; entry = opened.readSync()) yield entry;
		} finally {
			opened.closeSync();
		}
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code === "ENOENT" || code === "ENOTDIR") return;
		if (code === "EACCES" && isClosed(folder)) return;
		throw new Error(`no command is run while ${folder.slice(0, 500)} cannot be looked through for stores: ${code}`);
	}
}

/** Is it somebody else's, who lets neither this user in nor a command of the same user? */
function isClosed(folder: string): boolean {
	const user = process.geteuid?.();
	if (user === 0 || lstatSync(folder).uid === user) return false;
	try {
		accessSync(folder, constants.X_OK);
		return false;
	} catch {
		return true;
	}
}
