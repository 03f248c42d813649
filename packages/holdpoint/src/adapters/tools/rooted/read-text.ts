import { closeSync, read } from "node:fs";
import { promisify } from "node:util";
import { pathOf } from "./relative-path.ts";
import type { OpenFolder, RootFolder } from "./root-folder.ts";

export type FileText = ({ readonly text: string } | { readonly problem: string }) & {
	/** How many were read. */
	readonly bytes: number;
};

/** Errors: one for the model, where it cannot be opened. */
export async function textIn(
	root: RootFolder,
	folder: OpenFolder,
	{ name, bytesMax }: { readonly name: string; readonly bytesMax: number },
): Promise<FileText> {
	const { fd, stats } = await root.openFile(folder, name);
	try {
		return await readText(fd, { size: Number(stats.size), bytesMax });
	} finally {
		closeSync(fd);
	}
}

/** All of it. Errors: one for the model, also where it is too long or no text. */
export async function wholeTextIn(
	root: RootFolder,
	folder: OpenFolder,
	file: { readonly name: string; readonly bytesMax: number },
): Promise<string> {
	const read = await textIn(root, folder, file);
	if ("text" in read) return read.text;
	throw new Error(`${pathOf([...folder.segments, file.name])} ${read.problem}`);
}

/** The same of a place below the root. */
export async function wholeText(root: RootFolder, segments: readonly string[], bytesMax: number): Promise<string> {
	const name = segments.at(-1);
	if (name === undefined) throw new Error("The root folder is no file");
	return root.inFolder(segments.slice(0, -1), (folder) => wholeTextIn(root, folder, { name, bytesMax }));
}

const readAsync = promisify(read);
const partBytesMax = 65_536;

/** A file's text, to its `size` as it was; of one that says it has none, to its end. No more than `bytesMax` are read. */
async function readText(
	fd: number,
	{ size, bytesMax }: { readonly size: number; readonly bytesMax: number },
): Promise<FileText> {
	const parts: Buffer[] = [];
	let bytes = 0;
	while (size === 0 || bytes < size) {
		const length = size === 0 ? partBytesMax : Math.min(partBytesMax, size - bytes);
		const { bytesRead, buffer } = await readAsync(fd, Buffer.allocUnsafe(length), 0, length, null);
		if (bytesRead === 0) break;
		bytes += bytesRead;
		if (bytes > bytesMax) return { bytes, problem: `has more than ${bytesMax} bytes` };
		parts.push(buffer.subarray(0, bytesRead));
	}
	const whole = Buffer.concat(parts);
	if (whole.includes(0)) return { bytes, problem: "is no text: it has a NUL byte" };
	try {
		return { bytes, text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(whole) };
	} catch {
		return { bytes, problem: "is no UTF-8 text" };
	}
}
