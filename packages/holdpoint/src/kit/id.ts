import { randomFillSync } from "node:crypto";

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

/**
 * Sortable by order of making: 26 characters of Crockford base 32, 10 of milliseconds, 3 that count within one of them
 * (in this process), 13 random.
 */
export function newId(prefix: string, now: number): string {
	within = now === latest ? within + 1 : 0;
	latest = now;
	let random = "";
	for (let i = 0; i < 13; i++) random += alphabet[randomByte() & 31];
	return `${prefix}_${digits(now, 10)}${digits(within, 3)}${random}`;
}

let latest = -1;
let within = 0;

function digits(value: number, length: number): string {
	let text = "";
	for (let rest = value, i = 0; i < length; i++, rest = Math.floor(rest / 32)) text = alphabet[rest % 32] + text;
	return text;
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
