import { randomBytes } from "node:crypto";

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

/** Sortable by time of making, 26 characters of Crockford base 32: 10 of milliseconds, 16 random. */
export function newId(prefix: string, now: number): string {
	let time = "";
	for (let rest = now, i = 0; i < 10; i++, rest = Math.floor(rest / 32)) time = alphabet[rest % 32] + time;
	let random = "";
	for (const byte of randomBytes(16)) random += alphabet[byte & 31];
	return `${prefix}_${time}${random}`;
}
