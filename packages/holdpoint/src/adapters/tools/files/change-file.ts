/**
 * Changes of files. A file is written beside its place and renamed into it: it is there whole or as it was, whenever the
 * process dies; what may be left behind then is a file `.writing-….tmp` beside it.
 */
import { randomBytes } from "node:crypto";
import { type BigIntStats, constants } from "node:fs";
import { open, opendir, rename, rm } from "node:fs/promises";
import { pathOf } from "../rooted/relative-path.ts";
import { failure, kindOf, type OpenFolder, type RootFolder } from "../rooted/root-folder.ts";

/** Puts a text into the place of a file. `was`: what it must still be; undefined: whatever is there. */
export interface Replacement {
	readonly name: string;
	readonly text: string;
	readonly was?: BigIntStats;
}

export interface Replaced {
	readonly bytes: number;
	readonly isNew: boolean;
}

/** Errors: one for the model; nothing was changed then. */
export async function replaceFile(
	root: RootFolder,
	folder: OpenFolder,
	{ name, text, was }: Replacement,
): Promise<Replaced> {
	const way = [...folder.segments, name];
	const there = await root.lookAt(folder, name);
	if (there && !there.isFile()) throw new Error(`${pathOf(way)} is ${kindOf(there)} and no file`);
	await root.checkChange(folder, name, there);
	const temporary = folder.at(`.writing-${randomBytes(8).toString("hex")}.tmp`);
	const bytes = Buffer.from(text);
	const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
	// Owner and rights stay as they were; a new file is of whoever the folder is.
	const mode = there ? Number(there.mode) & 0o777 : 0o644;
	try {
		const handle = await open(temporary, flags, 0o600);
		try {
			await handle.writeFile(bytes);
			const owner = there ?? (await root.lookAt(folder, "."));
			if (owner && process.geteuid?.() === 0) await handle.chown(Number(owner.uid), Number(owner.gid));
			await handle.chmod(mode);
			await handle.sync();
		} finally {
			await handle.close();
		}
		if (was) await checkUnchanged(root, folder, { name, was });
		await rename(temporary, folder.at(name));
	} catch (error) {
		await rm(temporary, { force: true }).catch(() => undefined);
		throw failure(way, error);
	}
	await syncFolder(folder);
	return { bytes: bytes.length, isNew: !there };
}

async function checkUnchanged(
	root: RootFolder,
	folder: OpenFolder,
	{ name, was }: { readonly name: string; readonly was: BigIntStats },
): Promise<void> {
	const is = await root.lookAt(folder, name);
	if (is && is.ino === was.ino && is.mtimeNs === was.mtimeNs && is.size === was.size) return;
	throw new Error(`${pathOf([...folder.segments, name])} was changed by somebody else meanwhile; read it again`);
}

/** The name is as durable as the text. */
async function syncFolder(folder: OpenFolder): Promise<void> {
	const handle = await open(`${folder.self}/.`, constants.O_RDONLY | constants.O_DIRECTORY).catch(() => undefined);
	await handle?.sync().catch(() => undefined);
	await handle?.close();
}

/** Whether another entry may be made in it. Errors: one for the model. */
export async function checkRoom(folder: OpenFolder, entriesMax: number): Promise<void> {
	let entries = 0;
	for await (const _ of await opendir(folder.self)) {
		if (++entries >= entriesMax)
			throw new Error(`${pathOf(folder.segments)} has ${entriesMax} entries; no more are made in it`);
	}
}

/** Errors: one for the model; nothing was changed then. */
export async function deleteFile(root: RootFolder, folder: OpenFolder, name: string): Promise<void> {
	const way = [...folder.segments, name];
	const there = await root.lookAt(folder, name);
	if (!there) throw new Error(`${pathOf(way)} does not exist`);
	if (!there.isFile()) throw new Error(`${pathOf(way)} is ${kindOf(there)} and no file; only files are deleted`);
	await root.checkChange(folder, name, there);
	await rm(folder.at(name)).catch((error) => Promise.reject(failure(way, error)));
	await syncFolder(folder);
}
