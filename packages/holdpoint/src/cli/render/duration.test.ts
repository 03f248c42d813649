import { expect, test } from "vitest";
import { age, byteSize, duration } from "./duration.ts";

test("durations are said in at most two units", () => {
	const said: [number, string][] = [
		[-5, "0 ms"],
		[4.4, "4 ms"],
		[999, "999 ms"],
		[1_000, "1.0 s"],
		[9_999, "9.9 s"],
		[59_999, "59 s"],
		[60_000, "1 min"],
		[185_000, "3 min 5 s"],
		[7_620_000, "2 h 7 min"],
		[72 * 3_600_000, "3 d"],
	];
	expect(said.map(([ms]) => duration(ms))).toEqual(said.map(([, text]) => text));
});

test("an age has one unit", () => {
	expect([0, 1_500, 185_000, 7_620_000].map(age)).toEqual(["now", "1 s", "3 min", "2 h"]);
});

test("sizes", () => {
	expect([812, 6_130, 1_440_000].map(byteSize)).toEqual(["812 B", "6.1 KB", "1.4 MB"]);
});
