import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Json } from "../spec/json.ts";
import { canonicalJson, jsonDepthMax, parseJson } from "./canonical-json.ts";

function nested(depth: number): unknown {
	let value: unknown = 1;
	for (let i = 0; i < depth; i++) value = i % 2 ? [value] : { a: value };
	return value;
}

/** The number with these bits. */
function double(bits: string): number {
	return Buffer.from(bits, "hex").readDoubleBE(0);
}

/** The same value with the keys of every object in another order. */
function shuffled(value: Json): Json {
	if (Array.isArray(value)) return value.map(shuffled);
	if (typeof value !== "object" || value === null) return value;
	return Object.fromEntries(
		Object.entries(value)
			.map(([key, item]) => [key, shuffled(item)] as const)
			.reverse(),
	);
}

describe("canonical JSON as RFC 8785 has it", () => {
	test("the example of section 3.2.2", () => {
		const input = String.raw`{
			"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
			"string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
			"literals": [null, true, false]
		}`;
		expect(canonicalJson(JSON.parse(input))).toBe(
			String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
		);
	});

	test("the keys of section 3.2.3 are sorted by UTF-16 code units, not by code points", () => {
		const keys = ["\u20ac", "\r", "\ufb33", "1", "\ud83d\ude00", "\u0080", "\u00f6"];
		const text = canonicalJson(Object.fromEntries(keys.map((key) => [key, 0])));
		const sorted = [...text.matchAll(/"((?:[^"\\]|\\.)*)":/g)].map((match) => JSON.parse(`"${match[1]}"`));
		expect(sorted).toEqual(["\r", "1", "\u0080", "\u00f6", "\u20ac", "\ud83d\ude00", "\ufb33"]);
	});

	test.each([
		["0000000000000000", "0"],
		["8000000000000000", "0"],
		["0000000000000001", "5e-324"],
		["8000000000000001", "-5e-324"],
		["7fefffffffffffff", "1.7976931348623157e+308"],
		["4340000000000000", "9007199254740992"],
		["4430000000000000", "295147905179352830000"],
		["44b52d02c7e14af5", "9.999999999999997e+22"],
		["44b52d02c7e14af6", "1e+23"],
		["444b1ae4d6e2ef4f", "999999999999999900000"],
		["444b1ae4d6e2ef50", "1e+21"],
		["3eb0c6f7a0b5ed8c", "9.999999999999997e-7"],
		["3eb0c6f7a0b5ed8d", "0.000001"],
		["41b3de4355555554", "333333333.33333325"],
		["43143ff3c1cb0959", "1424953923781206.2"],
	])("number %s of appendix B is %s", (bits, text) => {
		expect(canonicalJson(double(bits))).toBe(text);
	});
});

describe("canonical JSON", () => {
	test("is parsed back to the same value, and does not depend on the order of keys", () => {
		fc.assert(
			fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
				const plain = JSON.parse(JSON.stringify(value)) as Json;
				const text = canonicalJson(plain);
				expect(JSON.parse(text)).toEqual(plain);
				expect(canonicalJson(shuffled(plain))).toBe(text);
				expect(canonicalJson(JSON.parse(text))).toBe(text);
			}),
		);
	});

	test("tells different values apart", () => {
		fc.assert(
			fc.property(fc.jsonValue({ maxDepth: 3 }), fc.jsonValue({ maxDepth: 3 }), (a, b) => {
				const [left, right] = [plainOf(a), plainOf(b)];
				expect(canonicalJson(left) === canonicalJson(right)).toBe(isDeepStrictEqual(left, right));
			}),
		);
	});

	test("an absent optional field is the same as none", () => {
		expect(canonicalJson({ a: 1, b: undefined })).toBe('{"a":1}');
	});

	test.each([
		["NaN", { a: [Number.NaN] }, "$.a[0] is NaN"],
		["Infinity", Number.POSITIVE_INFINITY, "$ is Infinity"],
		["undefined in a list", [undefined], "$[0] is a undefined"],
		["a hole in a list", [, 1], "$[0] is a undefined"],
		["a BigInt", { n: 1n }, "$.n is a bigint"],
		["a function", { f: () => 1 }, "$.f is a function"],
		["a symbol", Symbol("s"), "$ is a symbol"],
		["a Date", { at: new Date(0) }, "$.at is a Date"],
		["a Map", new Map(), "$ is a Map"],
		["an instance of a class", new (class Money {})(), "$ is a Money"],
	])("%s is refused by its path, never lost in silence", (_, value, message) => {
		expect(() => canonicalJson(value)).toThrow(TypeError);
		expect(() => canonicalJson(value)).toThrow(message);
	});

	test("I8: depth is bounded, so that a cycle is an error and no overflow", () => {
		const cycle: Record<string, unknown> = {};
		cycle["self"] = cycle;
		expect(() => canonicalJson(cycle)).toThrow(`deeper than ${jsonDepthMax}`);
		expect(canonicalJson(nested(jsonDepthMax))).toContain("1");
		expect(() => canonicalJson(nested(jsonDepthMax + 1))).toThrow(TypeError);
	});
});

/** What JSON carries of it: -0 is 0. */
function plainOf(value: unknown): Json {
	return JSON.parse(JSON.stringify(value)) as Json;
}

describe("parseJson", () => {
	test("gives what JSON.parse gives", () => {
		fc.assert(
			fc.property(fc.json(), (text) => {
				fc.pre(!text.includes("__proto__"));
				expect(parseJson(text, text.length)).toEqual(JSON.parse(text));
			}),
		);
	});

	test("I8: text over the limit is not parsed", () => {
		expect(parseJson('"1234"', 6)).toBe("1234");
		expect(() => parseJson('"1234"', 5)).toThrow(RangeError);
	});

	test("I8: depth is bounded", () => {
		expect(parseJson(JSON.stringify(nested(jsonDepthMax)), 10_000)).toEqual(nested(jsonDepthMax));
		expect(() => parseJson(JSON.stringify(nested(jsonDepthMax + 1)), 10_000)).toThrow(RangeError);
		expect(() => parseJson("[".repeat(1_000) + "]".repeat(1_000), 10_000)).toThrow(RangeError);
	});

	test("`__proto__` keys are dropped wherever they stand", () => {
		const text = '{"__proto__":{"admin":true},"list":[{"__proto__":1,"b":2}],"text":"__proto__"}';
		const value = parseJson(text, 1_000) as Record<string, unknown>;
		expect(Object.keys(value)).toEqual(["list", "text"]);
		expect(JSON.stringify(value)).toBe('{"list":[{"b":2}],"text":"__proto__"}');
		expect((value as { admin?: boolean }).admin).toBeUndefined();
	});

	test("a `__proto__` key written with escapes is dropped too", () => {
		const value = parseJson(String.raw`{"\u005f_proto__":{"admin":true},"a":1}`, 1_000);
		expect(Object.keys(value as object)).toEqual(["a"]);
	});

	test("what is no JSON is a SyntaxError", () => {
		expect(() => parseJson("{a:1}", 100)).toThrow(SyntaxError);
	});
});
