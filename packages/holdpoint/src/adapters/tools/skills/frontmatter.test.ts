import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { skillDocument } from "./frontmatter.ts";

const document = (...lines: string[]): string => ["---", ...lines, "---", "", "# Body", ""].join("\n");
const description = (...lines: string[]): string => skillDocument(document("name: a", ...lines)).head.description;

describe("the head of a skill", () => {
	test("name, description, and the text below", () => {
		const text = document(
			"name: pdf-forms",
			"description: Fills forms. Use it for PDFs.",
			"license: MIT",
			"metadata:",
			"  author: someone",
			'  version: "1.0"',
			"allowed-tools: Read Bash(git:*)",
		);
		expect(skillDocument(text)).toEqual({
			head: { name: "pdf-forms", description: "Fills forms. Use it for PDFs." },
			body: "# Body",
		});
		expect(skillDocument(`\ufeff${text.replaceAll("\n", "\r\n")}`).body).toBe("# Body");
	});

	test.each([
		[["description: >-", "  One", "  two", "", "  three"], "One two\nthree"],
		[["description: |", "  One", "    two"], "One\n  two"],
		[["description: One", "  two", "  three"], "One two three"],
		[['description: "One: \\"two\\" # three"'], 'One: "two" # three'],
		[["description: 'It''s one' # really"], "It's one"],
		[["# a remark", "", "description: One # two"], "One"],
		[["description: Use when: a colon is in it"], "Use when: a colon is in it"],
	])("%j", (lines, value) => {
		expect(description(...lines)).toBe(value);
	});

	test.each([
		["", "does not begin with a head"],
		["# no head", "does not begin with a head"],
		["---\nname: a\n", "does not begin with a head"],
		[document("description: x"), 'has the name ""'],
		[document("name: A b", "description: x"), 'has the name "A b"'],
		[document("name: a--b", "description: x"), "has the name"],
		[document("name: ../a", "description: x"), "has the name"],
		[document(`name: ${"a".repeat(65)}`, "description: x"), "the limit is 64"],
		[document("name: a"), "has no description"],
		[document("name: a", "description:   "), "has no description"],
		[document("name: a", `description: ${"x".repeat(1_025)}`), "the limit is 1024"],
		[document("name: a", "description: x", `compatibility: ${"x".repeat(501)}`), "the limit is 500"],
		[document("name: a", "name: b", "description: x"), "has name twice"],
		[document("name: a", "description: *anchor"), "no plain text"],
		[document("name: a", "description: &a [x]"), "no plain text"],
		[document("name: a", "description: !!js/function x"), "no plain text"],
		[document("name: a", 'description: "open'), "cannot be read"],
		[document("name: a", "description: 'open"), "not closed"],
		[document("name: a", "- item", "description: x"), "no field"],
		[document("__proto__: x", "name: a", "constructor: y"), "has no description"],
	])("%j is refused", (text, why) => {
		expect(() => skillDocument(text)).toThrow(why);
	});

	test("what it takes means what YAML says", () => {
		const word = fc.constantFrom("one", "two's", "three.", "4", "five (six)", "seven-8", "nine, ten");
		const words = fc.array(word, { minLength: 1, maxLength: 6 });
		const style = fc.constantFrom("plain", "single", "double", "folded", "literal");
		fc.assert(
			fc.property(fc.array(words, { minLength: 1, maxLength: 4 }), style, (lines, how) => {
				const texts = lines.map((line) => `x ${line.join(" ")}`);
				const field = {
					plain: [`description: ${texts[0]}`, ...texts.slice(1).map((text) => `  ${text}`)],
					single: [`description: '${texts[0]?.replaceAll("'", "''")}'`],
					double: [`description: ${JSON.stringify(texts[0])}`],
					folded: ["description: >-", ...texts.map((text) => `  ${text}`)],
					literal: ["description: |-", ...texts.map((text) => `  ${text}`)],
				}[how] as string[];
				expect(description(...field)).toBe(
					(parse(["name: a", ...field].join("\n")) as { description: string }).description,
				);
			}),
		);
	});

	test("I8: no head is read for ever", () => {
		for (const piece of [" ", "\n", "a: b\n", "a:\n ", "#", "'", '"\\', ">\n  x\n", "x\n\n "]) {
			const text = `---\nname: a\ndescription: ${piece.repeat(60_000)}\n---\n`;
			expect(() => skillDocument(text)).toThrow();
		}
	});
});
