import { closeSync, constants, fstatSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const bytesMax = 4 * 1_048_576;

/** Of this process, where no command can exchange anything. */
let folder: string | undefined;
const copies = new Map<string, { readonly path: string; readonly of: string }>();

/**
 * A copy of a file for commands to read: what is mounted must be nothing that somebody can exchange meanwhile. As new as the
 * file. Shape: a real path. Errors: where it is no file any more, or too large.
 */
export function copyOf(file: string): string {
	if (folder === undefined) {
		const made = mkdtempSync(join(tmpdir(), "holdpoint-kept-"));
		process.once("exit", () => rmSync(made, { recursive: true, force: true }));
		folder = made;
	}
	const known = copies.get(file);
	const descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
	try {
		const stats = fstatSync(descriptor);
		if (!stats.isFile() || stats.size > bytesMax) throw new Error(`${file} is no file of at most ${bytesMax} bytes`);
		const of = [stats.ino, stats.size, stats.mtimeMs].join();
		const path = known?.path ?? join(folder, String(copies.size));
		// Written over, and not replaced: commands at work have it mounted.
		if (known?.of !== of) writeFileSync(path, readFileSync(descriptor), { mode: 0o644 });
		copies.set(file, { path, of });
		return path;
	} finally {
		closeSync(descriptor);
	}
}
