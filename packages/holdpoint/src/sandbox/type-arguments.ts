/**
 * `f<T>(x)` is a call with type arguments to TypeScript, and two comparisons to JavaScript. A program that is both is
 * taken as TypeScript takes it: whoever writes `tools.pay<Receipt>({ n: 1 })` means the call, and nobody compares so.
 */
import { stripTypes } from "./strip-types.ts";

/**
 * What TypeScript looks for behind type arguments: a call, a template, or the end of the line. An arrow function and
 * "at least" have an equals sign in front or behind.
 */
const followed = /[^=]>(?:\s*[(`/]|[^\S\r\n\u2028\u2029]*[\r\n\u2028\u2029])/;

/** The same script without its type arguments; undefined where it has none. Positions stay. */
export async function withoutTypeArguments(script: string): Promise<string | undefined> {
	if (!script.includes("<") || !followed.test(script)) return undefined;
	const stripped = await stripTypes(script);
	return stripped.ok && isCutInAngles(script, stripped.text) ? stripped.text : undefined;
}

/** Is something blanked out, and each such stretch `<…>`? Anything else would be no reading of a type argument. */
function isCutInAngles(before: string, after: string): boolean {
	let cut = false;
	for (let i = 0; i < before.length; i++) {
		if (before[i] === after[i]) continue;
		const start = i;
		let last = i;
		for (; i < before.length && isBlank(after[i]); i++) if (before[i] !== after[i]) last = i;
		if (before[start] !== "<" || before[last] !== ">") return false;
		cut = true;
	}
	return cut;
}

function isBlank(char: string | undefined): boolean {
	return char !== undefined && char.trim() === "";
}
