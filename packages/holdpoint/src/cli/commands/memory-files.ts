/** Entries of memory in a folder: what is written leaves it by no name, and what is read is plain files of a bounded size. */
import {
	closeSync,
	constants,
	fstatSync,
	mkdirSync,
	openSync,
	readdirSync,
	readFileSync,
	writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { reasonOf } from "../../kit/reason-of.ts";
import { fileBytesMax, type MemoryFile } from "../../memory/entry-file.ts";
import { fixedLimits } from "../../spec/limits.ts";
import { usageInvalid } from "../parse-arguments.ts";
import { inlineText } from "../render/safe-text.ts";

/** A folder that is made, or that has nothing in it: what was exported before would come back with the next import. */
export function exportFolder(cwd: string, given: string): string {
	const folder = resolve(cwd, given);
	const [first] = onDisk(given, () => {
		mkdirSync(folder, { recursive: true, mode: 0o700 });
		return readdirSync(folder);
	});
	if (first === undefined) return folder;
	throw usageInvalid(`${inlineText(given, 200)} has something in it already`, "Name a new folder, or an empty one.");
}

/** Returns how many. */
export async function writeFiles(folder: string, files: AsyncIterable<MemoryFile>): Promise<number> {
	let written = 0;
	for await (const { file, text } of files) {
		// A person's data is in it. `wx`: nothing that is there is written, and no link is followed.
		onDisk(folder, () => writeFileSync(join(folder, file), text, { flag: "wx", mode: 0o600 }));
		written++;
	}
	return written;
}

/** Every `.md` of a folder. Errors: `usage.invalid`. */
export function filesIn(cwd: string, given: string): readonly MemoryFile[] {
	const folder = resolve(cwd, given);
	const names = onDisk(given, () => readdirSync(folder)).filter((name) => name.endsWith(".md"));
	if (names.length > fixedLimits.memoryFilesMax)
		throw usageInvalid(
			`${inlineText(given, 200)} has ${names.length} files; ${fixedLimits.memoryFilesMax} is the limit`,
		);
	return names.sort().map((file) => ({ file, text: plainText(folder, file) }));
}

function plainText(folder: string, file: string): string {
	// A link, or a pipe that never ends, is no file.
	const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
	const descriptor = onDisk(file, () => openSync(join(folder, file), flags));
	try {
		const stat = fstatSync(descriptor);
		if (!stat.isFile() || stat.size > fileBytesMax)
			throw usageInvalid(`${inlineText(file, 200)} is no plain file of at most ${fileBytesMax} bytes`);
		return onDisk(file, () =>
			new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(readFileSync(descriptor)),
		);
	} finally {
		closeSync(descriptor);
	}
}

function onDisk<T>(what: string, work: () => T): T {
	try {
		return work();
	} catch (cause) {
		throw usageInvalid(`${inlineText(what, 200)} cannot be used: ${inlineText(reasonOf(cause), 300)}`);
	}
}
