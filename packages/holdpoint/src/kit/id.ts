import { randomFillSync } from "node:crypto";

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

/** Sortable by time of making, 26 characters of Crockford base 32: 10 of milliseconds, 16 random. */
export function newId(prefix: string, now: number): string {
	let time = "";
	for (let rest = now, i = 0; i < 10; i++, rest = Math.floor(rest / 32)) time = alphabet[rest % 32] + time;
	let random = "";
	for (let i = 0; i < 16; i++) random += alphabet[randomByte() & 31];
	return `${prefix}_${time}${random}`;
}

// Filled in one go: asking the system for 16 bytes at a time costs more than all the rest of an id.
const pool = new Uint8Array(4_096);
let used = pool.length;

function randomByte(): number {
	if (used === pool.length) {
		randomFillSync(pool);
		used = 0;
	}
	return pool[used++] as number;
}
