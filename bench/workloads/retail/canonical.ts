import type { Json } from "../../../packages/holdpoint/src/spec/json.ts";

/**
 * The canonical text of the data set: keys sorted at every level, no white space, numbers and strings as
 * `JSON.stringify` writes them. Written here a second time on purpose: the gold hashes judge the product, so they must
 * not be computed with its code.
 */
export function canonical(value: Json): string {
	if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
	if (value === null || typeof value !== "object") return JSON.stringify(value);
	const members = Object.entries(value).sort(([a], [b]) => compareText(a, b));
	return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`).join(",")}}`;
}

/** By code point, where `<` goes by UTF-16 unit; they differ only when a surrogate meets U+E000 or above. */
export function compareText(a: string, b: string): number {
	const length = Math.min(a.length, b.length);
	for (let i = 0; i < length; i++) {
		const x = a.charCodeAt(i);
		const y = b.charCodeAt(i);
		if (x !== y) return pointRank(x) - pointRank(y);
	}
	return a.length - b.length;
}

function pointRank(unit: number): number {
	const surrogate = unit >= 0xd800 && unit <= 0xdfff;
	return surrogate ? unit + 0x10000 : unit;
}

export function sorted(texts: readonly string[]): readonly string[] {
	return [...texts].sort(compareText);
}
