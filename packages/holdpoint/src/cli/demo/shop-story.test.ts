import { expect, test } from "vitest";
import { shopProgram, shopRequest } from "./shop-story.ts";

test("the program fits a terminal of 80 columns, and the ticket leaves the breaking of lines to it", () => {
	const wide = shopProgram.split("\n").filter((line) => line.length > 73);
	expect(wide).toEqual([]);
	// A subject, a greeting, a paragraph, a name.
	expect(shopRequest.split("\n").filter((line) => line !== "")).toHaveLength(4);
});
