import { expect, test } from "vitest";
import { AskedCalls } from "./asked-calls.ts";

test("I8: the oldest is forgotten, and one that is asked about again is new", () => {
	const asked = new AskedCalls();
	for (const call of ["old", "again"]) asked.add({ run: "r", call });
	asked.add({ run: "r", call: "old" });
	for (let at = 0; at < 9_999; at++) asked.add({ run: "r", call: `${at}` });
	expect(["old", "again", "9998"].map((call) => asked.has({ run: "r", call }))).toEqual([true, false, true]);
	expect(asked.has({ run: "other", call: "old" })).toBe(false);
});
