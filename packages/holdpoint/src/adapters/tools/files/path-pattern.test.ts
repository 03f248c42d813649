import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loosePattern, pathPattern } from "./path-pattern.ts";

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

	test("what was asked before changes nothing", () => {
		const part = fc.constantFrom("**", "*", "a", "b", "a*");
		const path = fc.array(fc.constantFrom("a", "b", "ab"), { minLength: 1, maxLength: 3 });
		fc.assert(
			fc.property(fc.array(part, { maxLength: 4 }), fc.array(path, { maxLength: 8 }), (parts, paths) => {
				const asked = pathPattern(parts.join("/"));
				for (const each of paths) {
					expect(asked.matches(each)).toBe(pathPattern(parts.join("/")).matches(each));
					expect(asked.mayMatchBelow(each)).toBe(pathPattern(parts.join("/")).mayMatchBelow(each));
				}
			}),
		);
	});

	test("I8: a pattern that makes others try for ever is answered", () => {
		expect(matches(`${"a*".repeat(200)}b`, "a".repeat(400))).toBe(false);
		const deep = Array.from({ length: 30 }, () => "a");
		expect(matches(`${"**/".repeat(100)}b`, deep.join("/"))).toBe(false);
		const many = pathPattern(`${"**/".repeat(300_000)}z`);
		for (let at = 0; at < 200; at++) expect(many.matches([...deep, `${at}`])).toBe(false);
		expect(many.matches([...deep, "z"])).toBe(true);
		// As many names as one listing looks at, in one folder.
		const mixed = pathPattern(`${"**/a*/".repeat(170)}z`);
		for (let at = 0; at < 10_000; at++) mixed.matches([...deep, `a${at}`]);
	});
});

describe("loosely", () => {
	const holds = (pattern: string, path: string): boolean => loosePattern(pattern).matches(path.split("/"));

	test.each([
		["**/.*", "a/.env", true],
		["**/.*", "a/env", false],
		["*.*", "a.b", true],
		["*.*", "ab", false],
		["config.*", "CONFIG.ts", true],
		["config.*", "configuration", false],
		["*.", "a", false],
		["*.", "a.", true],
		["key.", "KEY", true],
		["key", "key. .", true],
		["a b*", "A B.md", true],
		["a *", "ab", false],
		["?.key", "é.key", true],
		["?.key", "e\u0301.KEY.", true],
		["?.key", "É．ＫＥＹ", true],
		["?.key", "ﬁ.KEY", true],
		["??.key", "ﬁ.key", true],
		["?.key", "ab.key", false],
		["ΑΣ*", "ασα", true],
		["secret", "SECRET/deep/c.md", true],
		["secret", "secrets/c.md", false],
		["a/*.md", "a/x.md/below", true],
		["a/b", "a", false],
	])("%s · %s · %s", (pattern, path, isMatch) => {
		expect(holds(pattern, path)).toBe(isMatch);
	});

	test("what a pattern fits it fits loosely, however it is written", () => {
		const part = fc.constantFrom("**", "*", "?", "é*", "*.*", ".?", "ﬁ?", "Σ", "a.", "*a");
		const name = fc.array(fc.constantFrom("a", "é", "ﬁ", "Σ", ".", "x", "İ"), { minLength: 1, maxLength: 4 });
		const path = fc.array(
			name.map((chars) => chars.join("")),
			{ minLength: 1, maxLength: 4 },
		);
		let fits = 0;
		fc.assert(
			fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), path, (parts, names) => {
				const pattern = parts.join("/");
				if (!pathPattern(pattern).matches(names)) return;
				fits++;
				for (const write of [
					(each: string) => each,
					(each: string) => each.normalize("NFD"),
					// As long as it stays one character: `?` is no two.
					(each: string) => each.replace(/[^ﬁ]/gu, (char) => char.toUpperCase()),
					(each: string) => (each.endsWith(".") ? each : `${each}. `),
				])
					expect(loosePattern(pattern).matches(names.map(write))).toBe(true);
			}),
			{ numRuns: 5_000 },
		);
		expect(fits).toBeGreaterThan(100);
	});
});
