import { expect, test } from "vitest";
import { counted, numberText } from "./counted.ts";

test("numbers are read with their thousands, and one is not many", () => {
	expect([0, 7, 1_495, 2_000_000].map(numberText)).toEqual(["0", "7", "1,495", "2,000,000"]);
	expect([0, 1, 2, 4_439].map((count) => counted(count, "commit"))).toEqual([
		"0 commits",
		"1 commit",
		"2 commits",
		"4,439 commits",
	]);
	expect([1, 2].map((count) => counted(count, "read was", "reads were"))).toEqual(["1 read was", "2 reads were"]);
});
