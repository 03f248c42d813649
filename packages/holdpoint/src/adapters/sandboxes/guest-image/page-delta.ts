/**
 * What differs between a guest's memory and the base image, as compressed bytes.
 *
 * Layout before compression: the numbers of the changed pages, ascending, 32 bits each; then the words of these pages,
 * each as `swapped` against the base image (against zero beyond its end). All little-endian.
 */
import { promisify } from "node:util";
import { constants, zstdCompress, zstdCompressSync, zstdDecompress, zstdDecompressSync } from "node:zlib";

const pageBytes = 4_096;
const pageWords = pageBytes / 4;
const entryBytes = pageBytes + 4;
/** Level 3 gives 0–2 % fewer bytes on these pages and takes half as long again. */
const fastest = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/** Above this, compression is left to another thread: it would hold this one up for longer than handing it over takes. */
const inlineBytesMax = 1_048_576;
const compressElsewhere = promisify<Uint8Array, typeof fastest, Uint8Array>(zstdCompress);
const decompressElsewhere = promisify<Uint8Array, { maxOutputLength: number }, Uint8Array>(zstdDecompress);

export interface PageDelta {
	readonly pageCount: number;
	/** Compressed. */
	readonly body: Uint8Array;
}

/** Pages before their compression, laid out as above. */
export interface RawPages {
	readonly pageCount: number;
	readonly pages: Uint8Array;
}

/** What was laid out elsewhere, compressed as `encodeDelta` does it. */
export async function packPages({ pageCount, pages }: RawPages): Promise<PageDelta> {
	const body =
		pages.length > inlineBytesMax ? await compressElsewhere(pages, fastest) : zstdCompressSync(pages, fastest);
	return { pageCount, body };
}

/** Errors: an Error that says what is wrong with the bytes; the pages themselves are not looked at. */
export async function unpackPages({ pageCount, body }: PageDelta): Promise<RawPages> {
	const rawBytes = pageCount * entryBytes;
	if (rawBytes <= inlineBytesMax) return { pageCount, pages: decompress(body, rawBytes) };
	const raw = decompressElsewhere(body, { maxOutputLength: rawBytes }).catch((cause) => {
		throw new Error("its pages cannot be decompressed", { cause });
	});
	return { pageCount, pages: checkedSize(await raw, rawBytes) };
}

/**
 * The changed pages of `memory`. What lies below `from`, a multiple of the page size, is left out.
 * No garbage is collected before: that would change more pages than it frees.
 */
export function encodeDelta(memory: Uint8Array, base: Uint8Array, from: number): PageDelta {
	const pages = changedPages(asBuffer(memory), asBuffer(base), from);
	const raw = new Int32Array(pages.length * (1 + pageWords));
	raw.set(pages);
	const words = asWords(memory);
	const baseWords = asWords(base);
	let at = pages.length;
	for (const page of pages) {
		const start = page * pageWords;
		const inBase = start < baseWords.length;
		for (let i = start; i < start + pageWords; i++) {
			raw[at++] = swapped(words[i] ?? 0, inBase ? (baseWords[i] ?? 0) : 0);
		}
	}
	return { pageCount: pages.length, body: zstdCompressSync(raw, fastest) };
}

/**
 * Writes a delta over a fresh guest's memory, which equals the base image and zeros beyond its end.
 * Errors: an Error that says what is wrong with the bytes; the memory is spoilt then.
 */
export function applyDelta(memory: Uint8Array, delta: PageDelta): void {
	const rawBytes = delta.pageCount * entryBytes;
	if (delta.pageCount * pageBytes > memory.length) throw new Error("it has more pages than the guest's memory");
	const raw = asWords(decompress(delta.body, rawBytes));
	const words = asWords(memory);
	let previous = -1;
	let at = delta.pageCount;
	for (const page of raw.subarray(0, delta.pageCount)) {
		if (page <= previous || page * pageWords >= words.length) throw new Error("its pages are not in order");
		previous = page;
		const start = page * pageWords;
		for (let i = start; i < start + pageWords; i++) words[i] = swapped(raw[at++] ?? 0, words[i] ?? 0);
	}
}

/**
 * An unchanged word becomes 0, any other one stays itself (0 takes the place of the base's word); its own inverse.
 * An XOR would do too, but it scrambles text and pointers that compress well: it costs half as many bytes again.
 */
function swapped(word: number, base: number): number {
	if (word === base) return 0;
	return word === 0 ? base : word;
}

function decompress(body: Uint8Array, rawBytes: number): Uint8Array {
	let raw: Uint8Array;
	try {
		raw = zstdDecompressSync(body, { maxOutputLength: Math.max(1, rawBytes) });
	} catch (cause) {
		throw new Error("its pages cannot be decompressed", { cause });
	}
	// Words must be aligned, which a pooled buffer need not be.
	return checkedSize(raw, rawBytes).byteOffset % 4 === 0 ? raw : raw.slice();
}

function checkedSize(raw: Uint8Array, rawBytes: number): Uint8Array {
	if (raw.length !== rawBytes) throw new Error("its pages have another size than it says");
	return raw;
}

const noPage = Buffer.alloc(pageBytes);

function changedPages(memory: Buffer, base: Buffer, from: number): number[] {
	const pages: number[] = [];
	for (let at = from; at < memory.length; at += pageBytes) {
		const end = at + pageBytes;
		const same = at < base.length ? base.compare(memory, at, end, at, end) : noPage.compare(memory, at, end);
		if (same !== 0) pages.push(at / pageBytes);
	}
	return pages;
}

function asBuffer(bytes: Uint8Array): Buffer {
	return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Signed, because half of the unsigned ones are no small integers to the host's own engine, which makes it slow. */
function asWords(bytes: Uint8Array): Int32Array {
	return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}
