/** The page size of new databases. Units: bytes. */
export const pageBytes = 4_096;

/** SQLite keeps this much of a long row in its table page and the rest in whole overflow pages, all but 4 bytes of each. */
const localBytes = Math.floor(((pageBytes - 12) * 32) / 255) - 23;
const overflowBytes = pageBytes - 4;
const pieceBytesMax = 960;

/**
 * Cuts a blob so that it fills pages: the first piece ends where an overflow page ends, and what is left over goes into
 * small rows that share pages. A blob of 6 KB takes 6.4 KB and not 8; a large one stays one row and a few small ones.
 */
export function cutBlob(body: Uint8Array): Uint8Array[] {
	if (body.byteLength <= pieceBytesMax) return [body];
	const first = localBytes + Math.max(0, Math.floor((body.byteLength - localBytes) / overflowBytes)) * overflowBytes;
	const pieces = [body.subarray(0, first)];
	const count = Math.ceil((body.byteLength - first) / pieceBytesMax);
	const size = Math.ceil((body.byteLength - first) / count);
	for (let i = 0; i < count; i++)
		pieces.push(body.subarray(first + i * size, Math.min(first + (i + 1) * size, body.byteLength)));
	return pieces;
}
