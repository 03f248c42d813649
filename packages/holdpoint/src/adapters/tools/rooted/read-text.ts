import type { FileHandle } from "node:fs/promises";

export type FileText = ({ readonly text: string } | { readonly problem: string }) & {
	/** How many were read. */
	readonly bytes: number;
};

/** A file's text, whatever its size says: no more than `bytesMax` are read. */
export async function readText(handle: FileHandle, bytesMax: number): Promise<FileText> {
	const parts: Buffer[] = [];
	let bytes = 0;
	for (;;) {
		const { bytesRead, buffer } = await handle.read(Buffer.alloc(65_536), 0, 65_536);
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
