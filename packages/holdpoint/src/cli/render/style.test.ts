import { expect, test } from "vitest";
import { createStyle, wantsColour } from "./style.ts";

test("colours are for terminals, and whoever refuses them wins", () => {
	const facts = { env: {}, isTTY: true, isRefused: false };
	expect(wantsColour(facts)).toBe(true);
	expect(wantsColour({ ...facts, isTTY: false })).toBe(false);
	expect(wantsColour({ ...facts, isRefused: true })).toBe(false);
	expect(wantsColour({ ...facts, env: { NO_COLOR: "1" } })).toBe(false);
	expect(wantsColour({ ...facts, env: { NO_COLOR: "1", FORCE_COLOR: "1" } })).toBe(false);
	expect(wantsColour({ ...facts, env: { TERM: "dumb" } })).toBe(false);
	expect(wantsColour({ ...facts, isTTY: false, env: { FORCE_COLOR: "1" } })).toBe(true);
});

test("without colours text is only text", () => {
	expect(createStyle(false).red("stop")).toBe("stop");
	expect(createStyle(true).red("stop")).toBe("\u001b[31mstop\u001b[39m");
});
