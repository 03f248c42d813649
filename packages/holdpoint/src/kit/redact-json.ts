import type { Json } from "../spec/json.ts";

/** A place of a value, and what stands there instead. */
export interface Rule {
	/** Keys from the root; `*` is any. */
	readonly steps: readonly string[];
	readonly instead: string;
}

/** The value with other words at the places of the rules; the same value where it has none of them. */
export function redactJson(value: Json, rules: readonly Rule[]): Json {
	const here = rules.find(({ steps }) => steps.length === 0);
	if (here) return here.instead;
	if (rules.length === 0 || typeof value !== "object" || value === null) return value;
	const keys = Object.keys(value);
	const children = value as { readonly [key: string]: Json };
	const changed = keys.flatMap((key): [string, Json][] => {
		const child = children[key] as Json;
		const next = redactJson(child, rulesBelow(rules, key));
		return next === child ? [] : [[key, next]];
	});
	if (changed.length === 0) return value;
	const copy = Array.isArray(value) ? [...value] : { ...value };
	// `__proto__` is a key like any other here.
	for (const [key, next] of changed)
		Object.defineProperty(copy, key, { value: next, enumerable: true, configurable: true, writable: true });
	return copy as Json;
}

function rulesBelow(rules: readonly Rule[], key: string): readonly Rule[] {
	return rules
		.filter(({ steps: [first] }) => first === "*" || first === key)
		.map(({ steps: [, ...steps], instead }) => ({ steps, instead }));
}

/** Every text at the places of the rules. */
export function textsAt(value: Json, rules: readonly Rule[]): string[] {
	if (rules.some(({ steps }) => steps.length === 0)) return textsIn(value);
	if (rules.length === 0 || typeof value !== "object" || value === null) return [];
	return Object.entries(value).flatMap(([key, child]) => textsAt(child as Json, rulesBelow(rules, key)));
}

/** However deep it is. */
function textsIn(value: Json): string[] {
	const texts: string[] = [];
	const open: Json[] = [value];
	for (let one = open.pop(); one !== undefined; one = open.pop()) {
		if (typeof one === "string") texts.push(one);
		else if (typeof one === "object" && one !== null) for (const child of Object.values(one)) open.push(child as Json);
	}
	return texts;
}

const depthMax = 500;
const tooDeep = "[hidden: nested too deep to be looked through]";

/**
 * The value with every text in it changed, names of fields apart; the same value where none changes. What is nested deeper
 * than 500 levels is left out: a stack has an end.
 */
export function mapTexts(value: Json, change: (text: string) => string, depth = 0): Json {
	if (typeof value === "string") return change(value);
	if (typeof value !== "object" || value === null) return value;
	if (depth >= depthMax) return tooDeep;
	const entries = Object.entries(value).map(
		([key, child]) => [key, child, mapTexts(child as Json, change, depth + 1)] as const,
	);
	if (entries.every(([, before, after]) => before === after)) return value;
	if (Array.isArray(value)) return entries.map(([, , after]) => after);
	return Object.fromEntries(entries.map(([key, , after]) => [key, after]));
}
