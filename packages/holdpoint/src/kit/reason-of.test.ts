import { expect, test } from "vitest";
import { reasonOf } from "./reason-of.ts";

const hostile = (): never => {
	throw new Error("hostile");
};

test.each([
	["an error", new TypeError("broken"), "broken"],
	["a text", "broken", "broken"],
	["nothing", undefined, "undefined"],
	["a symbol", Symbol("s"), "Symbol(s)"],
	["an error with a number as message", Object.assign(new Error(), { message: 42 }), "42"],
])("%s is told", (_, thrown, text) => {
	expect(reasonOf(thrown)).toBe(text);
});

test.each([
	["an object without a prototype", Object.create(null)],
	["a text that throws", { toString: hostile }],
	["a message that throws", Object.defineProperty(new Error(), "message", { get: hostile })],
	["a proxy that throws", new Proxy({}, { get: hostile, getPrototypeOf: hostile })],
])("%s throws nothing further", (_, thrown) => {
	expect(reasonOf(thrown)).toBe("something was thrown that cannot be shown");
});
