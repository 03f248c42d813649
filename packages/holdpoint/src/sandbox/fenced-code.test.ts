import { expect, test } from "vitest";
import { codeInside } from "./fenced-code.ts";

test.each([
	["a block", "```ts\nf();\n```", "f();"],
	["tildes, other line ends, blanks around", "\n ~~~ js \r\nf();\r\n~~~ \n", "f();"],
	["an empty block", "```\n```", ""],
	["a block in a block", "~~~\n```js\nf();\n```\n~~~", "f();"],
	["no block", "f();\n", "f();\n"],
	["a template", "`a`", "`a`"],
	["a block that is not all of it", "```\nf();\n```\ng();", "```\nf();\n```\ng();"],
	["a block that another fence ends", "````\nf();\n```", "````\nf();\n```"],
	["words behind the fence", "```f(); g();\n```", "```f(); g();\n```"],
])("%s", (...[, source, code]) => {
	expect(codeInside(source)).toBe(code);
	expect(codeInside(codeInside(source))).toBe(code);
});

test("blocks without end in each other are taken out at once", () => {
	const deep = 20_000;
	expect(codeInside(`${"```\n".repeat(deep)}f();${"\n```".repeat(deep)}`)).toBe("f();");
});
