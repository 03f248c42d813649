import { posix } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { foldName, isUsableName, pathOf, toSegments } from "./relative-path.ts";

const limits = { pathCharsMax: 1_024, depthMax: 32 };
const tricks = [
	"..",
	".",
	"/",
	"\\",
	"\0",
	"．",
	"／",
	"a",
	"B",
	"é",
	"..a",
	" ",
	"C:",
	"\u202e",
	"\ud800",
	"․",
	"‥",
	"⁄",
	"∕",
];
const anyPath = fc.oneof(
	fc.array(fc.constantFrom(...tricks), { maxLength: 12 }).map((parts) => parts.join("")),
	fc.array(fc.constantFrom(...tricks), { maxLength: 8 }).map((parts) => parts.join("/")),
	fc.string({ unit: "binary", maxLength: 40 }),
);

function segmentsOrNone(path: string): string[] | undefined {
	try {
		return toSegments(path, limits);
	} catch {
		return undefined;
	}
}

describe("a path of a model's", () => {
	test("whatever it is, its names lead nowhere but down", () => {
		let taken = 0;
		fc.assert(
			fc.property(anyPath, (path) => {
				const segments = segmentsOrNone(path);
				if (!segments) return;
				taken++;
				expect(posix.resolve("/root", ...segments).startsWith(segments.length > 0 ? "/root/" : "/root")).toBe(true);
				for (const segment of segments) {
					expect(segment).not.toMatch(/[/\\\0]/);
					expect(segment.normalize("NFKC")).not.toMatch(/^\.*$|[/\\]/);
					expect(isUsableName(segment)).toBe(true);
				}
			}),
			{ numRuns: 5_000 },
		);
		expect(taken).toBeGreaterThan(300);
	});

	test("a place has one way of being written, and that one leads there", () => {
		fc.assert(
			fc.property(anyPath, (path) => {
				const segments = segmentsOrNone(path);
				if (segments) expect(toSegments(pathOf(segments), limits)).toEqual(segments);
			}),
			{ numRuns: 2_000 },
		);
	});

	test("what is refused is told in a bounded sentence", () => {
		expect(() => toSegments("x".repeat(100_000), limits)).toThrow("is longer than 1024 characters");
		fc.assert(
			fc.property(anyPath, (path) => {
				try {
					toSegments(path, limits);
				} catch (error) {
					expect((error as Error).message.length).toBeLessThan(2_000);
				}
			}),
		);
	});
});

describe("names that some file system takes for the same", () => {
	test.each([
		".HOLDPOINT",
		".Holdpoint.",
		".holdpoint ",
		".ｈｏｌｄｐｏｉｎｔ",
		".hold\u200bpoint",
		".ho\u00adldpoint",
		".ℋoldpoint",
	])("%j", (name) => {
		expect(foldName(name)).toBe(".holdpoint");
	});

	test.each(["holdpoint", ".holdpoints", ".hold-point"])("%j is another one", (name) => {
		expect(foldName(name)).not.toBe(".holdpoint");
	});

	test("case, composition and compatibility forms change nothing, and folding twice neither", () => {
		const anyName = fc.oneof(
			fc.string({ unit: "grapheme", maxLength: 20 }),
			fc.constantFrom("ẞ", "ß", "ſ", "İ", "ς", "ŉ"),
		);
		fc.assert(
			fc.property(anyName, (name) => {
				const folded = foldName(name);
				expect(foldName(folded)).toBe(folded);
				for (const form of ["NFC", "NFD", "NFKC", "NFKD"]) expect(foldName(name.normalize(form))).toBe(folded);
				expect(foldName(name.toUpperCase())).toBe(folded);
			}),
			{ numRuns: 3_000 },
		);
	});
});
