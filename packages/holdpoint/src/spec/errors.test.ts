import { expect, test } from "vitest";
import { errorCodes } from "./errors.ts";

const hints = Object.entries(errorCodes).map(([code, { hint }]) => [code, hint] as const);

test.each(hints)("the hint of %s can be followed by whoever sees it, a user of the command line too", (_, hint) => {
	// The command line shows message and hint, and no cause.
	expect(hint).not.toContain("`cause`");
	// What is set in code has its place in the config as well.
	if (hint.includes("`createHarness")) expect(hint).toContain("holdpoint.config.ts");
});
