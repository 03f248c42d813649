import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WordList } from "./word-list.ts";

function listOf(...words: readonly string[]): WordList {
	const list = new WordList();
	for (const word of words) list.add(word, `[${word.length}]`);
	return list;
}

describe("words are taken out of a text", () => {
	test.each([
		["pay 4711-abc now", "pay [8] now"],
		["4711-abc", "[8]"],
		["4711-abc4711-abc", "[8][8]"],
		["4711-ab, 711-abc", "4711-ab, 711-abc"],
		["", ""],
	])("%j", (text, shown) => {
		expect(listOf("4711-abc").replaceIn(text)).toBe(shown);
	});

	test("of words within each other the longest; those that overlap are one gap", () => {
		const list = listOf("1234", "12345678", "5678-abcdef");
		expect(list.replaceIn("1234 12345678 12345678-abcdef.")).toBe("[4] [8] [11].");
	});

	test("what is too short to be one is none", () => {
		const list = listOf("abc");
		expect(list.size).toBe(0);
		expect(list.replaceIn("abc")).toBe("abc");
	});

	test("a text without one is the same", () => {
		const text = "nothing of it \\n here";
		expect(listOf("something").replaceIn(text)).toBe(text);
	});

	test("what was put in a word's place is not looked through", () => {
		const list = new WordList();
		list.add("a-word", "[secret]");
		list.add("secret", "[secret]");
		expect(list.replaceIn("a-word")).toBe("[secret]");
	});
});

describe("however it is escaped", () => {
	test.each([
		["of one character", '{"t":"Frau M\\u00fcller."}', '{"t":"Frau [6]."}'],
		["with capitals", '{"t":"\\u004d\\u00FCller"}', '{"t":"[6]"}'],
		["of a slash", '{"t":"https:\\/\\/x\\/tok"}', '{"t":"[13]"}'],
		["of JavaScript", "say('M\\xfcller', \"M\\u{fc}ller\", `M\\\nüller`)", "say('[6]', \"[6]\", `[6]`)"],
		["no escape", "C:\\new\\Müller", "C:\\new[6]"],
		["at the end", "Müller\\", "[6]\\"],
	])("%s", (_, text, shown) => {
		expect(listOf("Müller", "https://x/tok").replaceIn(text)).toBe(shown);
	});

	test("a word that is in JSON, in JSON of that, and so on, is found, and what is left is JSON", async () => {
		await fc.assert(
			fc.property(
				fc.string({ minLength: 4, unit: "binary" }),
				fc.string(),
				fc.integer({ min: 0, max: 4 }),
				(word, around, times) => {
					let text = `${around}|${word}|${around}`;
					for (let time = 0; time < times; time++) text = JSON.stringify({ a: text });
					const list = new WordList();
					list.add(word, "<>");
					let shown = list.replaceIn(text);
					for (let time = 0; time < times; time++) shown = (JSON.parse(shown) as { a: string }).a;
					expect(shown).toContain("<>");
					expect(shown.split("<>").join("")).not.toContain(`|${word}|`);
				},
			),
		);
	});
});

test("a text costs what it is long, however many words are known", () => {
	let looked = 0;
	class Counted extends Map<string, Map<number, Map<string, string>>> {
		override get(key: string) {
			looked++;
			return super.get(key);
		}
	}
	const list = new WordList();
	Object.assign(list, { words: new Counted() });
	for (let at = 0; at < 5_000; at++) list.add(`card-number-${at}`, "[card]");
	looked = 0;
	expect(list.replaceIn("a card-number-4999 and no other card")).toBe("a [card] and no other card");
	expect(looked).toBeLessThan(40);
});
