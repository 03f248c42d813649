import type { Json } from "../spec/json.ts";
import { fixedLimits } from "../spec/limits.ts";

/** Deeper values are refused: a bound for every recursion over outside data. */
export const { jsonDepthMax } = fixedLimits;

/**
 * RFC 8785 text of a JSON value: keys sorted by UTF-16 code units, numbers as ECMAScript prints them, no white space.
 * It is stricter than `JSON.stringify`: what JSON cannot carry (undefined, NaN, BigInt, functions, class instances,
 * cycles) is a TypeError that names the path, never a silent loss.
 */
export function canonicalJson(value: unknown): string {
	return write(value, 0, "$");
}

function write(value: unknown, depth: number, path: string): string {
	switch (typeof value) {
		case "string":
			return JSON.stringify(value);
		case "number":
			if (!Number.isFinite(value)) throw new TypeError(`${path} is ${value}, which JSON cannot carry`);
			return Object.is(value, -0) ? "0" : String(value);
		case "boolean":
			return value ? "true" : "false";
		case "object":
			if (value === null) return "null";
			if (depth >= jsonDepthMax)
				throw new TypeError(`${path} is nested deeper than ${jsonDepthMax} levels (or a cycle)`);
			return Array.isArray(value) ? writeArray(value, depth, path) : writeObject(value, depth, path);
		default:
			throw new TypeError(`${path} is a ${typeof value}, which JSON cannot carry`);
	}
}

function writeArray(value: readonly unknown[], depth: number, path: string): string {
	let out = "[";
	for (let i = 0; i < value.length; i++) out += (i ? "," : "") + write(value[i], depth + 1, `${path}[${i}]`);
	return `${out}]`;
}

function writeObject(value: object, depth: number, path: string): string {
	const prototype = Object.getPrototypeOf(value);
	if (prototype !== Object.prototype && prototype !== null) {
		throw new TypeError(`${path} is a ${value.constructor?.name ?? "special object"}, which JSON cannot carry`);
	}
	const keys = Object.keys(value);
	if (keys.length > 1) keys.sort();
	let out = "{";
	for (const key of keys) {
		const item = (value as Record<string, unknown>)[key];
		// An absent optional field; the object is the same without it.
		if (item === undefined) continue;
		out += (out.length > 1 ? "," : "") + JSON.stringify(key) + ":" + write(item, depth + 1, `${path}.${key}`);
	}
	return `${out}}`;
}

/** Parses text from outside: bounded in size and depth, `__proto__` keys dropped. Errors: SyntaxError, RangeError. */
export function parseJson(text: string, bytesMax: number): Json {
	if (text.length > bytesMax)
		throw new RangeError(`JSON text of ${text.length} characters is over the limit of ${bytesMax}`);
	const value = JSON.parse(text) as Json;
	if (typeof value === "object" && value !== null) inspect(value as Record<string, unknown>, 0, mayHaveProto(text));
	return value;
}

/** A key may be written with escapes. */
function mayHaveProto(text: string): boolean {
	return text.includes("__proto__") || text.includes("\\u");
}

function inspect(value: Record<string, unknown>, depth: number, strip: boolean): void {
	if (depth >= jsonDepthMax) throw new RangeError(`JSON nested deeper than ${jsonDepthMax} levels`);
	if (strip && !Array.isArray(value)) delete value["__proto__"];
	for (const key in value) {
		const item = value[key];
		if (typeof item === "object" && item !== null) inspect(item as Record<string, unknown>, depth + 1, strip);
	}
}
