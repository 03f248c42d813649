import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pathPattern } from "./path-pattern.ts";

const matches = (pattern: string, path: string): boolean => pathPattern(pattern).matches(path.split("/"));

/** The same in the way that one would define it. */
function simplyMatches(pattern: readonly string[], path: readonly string[]): boolean {
	const [part, ...parts] = pattern;
	if (part === undefined) return path.length === 0;
	if (part === "**") return simplyMatches(parts, path) || (path.length > 0 && simplyMatches(pattern, path.slice(1)));
	const [name, ...names] = path;
	return name !== undefined && simplyNamed([...part], [...name]) && simplyMatches(parts, names);
}

function simplyNamed([wanted, ...rest]: readonly string[], chars: readonly string[]): boolean {
	if (wanted === undefined) return chars.length === 0;
	if (wanted === "*")
		return simplyNamed(rest, chars) || (chars.length > 0 && simplyNamed(["*", ...rest], chars.slice(1)));
	return chars[0] !== undefined && (wanted === "?" || wanted === chars[0]) && simplyNamed(rest, chars.slice(1));
}

describe("patterns of paths", () => {
	test.each([
		["notes/**", "notes/a/b.md", true],
		["notes/**", "notes", true],
		["notes/**", "other/a", false],
		["**/*.md", "a.md", true],
		["**/*.md", "x/y/a.md", true],
		["*.md", "x/a.md", false],
		["a?c", "abc", true],
		["a?c", "ac", false],
		["a.c", "abc", false],
		["(a+)+$", "(a+)+$", true],
		["/notes/./a", "notes/a", true],
	])("%s · %s · %s", (pattern, path, isMatch) => {
		expect(matches(pattern, path)).toBe(isMatch);
	});

	test("they mean what their definition says, and a folder is entered where something in it may match", () => {
		const part = fc.constantFrom("**", "*", "a", "a*", "*b", "?", "a*b*", "ab");
		const name = fc.constantFrom("a", "b", "ab", "abb", "aab");
		fc.assert(
			fc.property(fc.array(part, { maxLength: 5 }), fc.array(name, { minLength: 1, maxLength: 5 }), (parts, path) => {
				const pattern = pathPattern(parts.join("/"));
				expect(pattern.matches(path)).toBe(simplyMatches(parts, path));
				if (!pattern.matches(path)) return;
				for (let at = 0; at < path.length; at++) expect(pattern.mayMatchBelow(path.slice(0, at))).toBe(true);
			}),
			{ numRuns: 3_000 },
		);
	});

	test("I8: a pattern that makes others try for ever is answered", () => {
		expect(matches(`${"a*".repeat(200)}b`, "a".repeat(400))).toBe(false);
		expect(matches(`${"**/".repeat(100)}b`, Array.from({ length: 30 }, () => "a").join("/"))).toBe(false);
	});
});
