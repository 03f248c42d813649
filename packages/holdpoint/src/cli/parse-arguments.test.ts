import { describe, expect, test } from "vitest";
import type { CommandSpec } from "./command.ts";
import { nearest, parseArguments } from "./parse-arguments.ts";

const spec: CommandSpec = {
	name: "approve",
	summary: "",
	positionals: [
		{ name: "approval", about: "which one" },
		{ name: "more", about: "optional", optional: true },
	],
	options: [
		{ name: "reason", value: "text", about: "" },
		{ name: "force", about: "" },
	],
	load: () => Promise.reject(new Error("not run")),
};

function failure(...argv: string[]): string {
	try {
		parseArguments(spec, argv);
	} catch (error) {
		expect(error).toMatchObject({ code: "usage.invalid" });
		return (error as Error).message;
	}
	throw new Error("it was accepted");
}

describe("arguments", () => {
	test("are positionals and options in any order", () => {
		expect(parseArguments(spec, ["--reason", "a b", "apr_1", "--force", "--store=x.db"])).toEqual({
			positionals: ["apr_1"],
			options: { reason: "a b", force: true, store: "x.db" },
		});
	});

	test("after -- are words, whatever they look like", () => {
		expect(parseArguments(spec, ["--", "--reason"]).positionals).toEqual(["--reason"]);
	});

	test("that are missing or too many are named", () => {
		expect(failure()).toBe("approve needs <approval>: which one");
		expect(failure("a", "b", "c")).toBe('approve does not know what to do with "c"');
		expect(failure("a", "--reason")).toBe("--reason needs a value: --reason <text>");
		expect(failure("a", "--force=yes")).toBe("--force takes no value");
	});

	test("that do not exist are answered with the nearest that does", () => {
		expect(failure("a", "--reasn", "x")).toBe("There is no option --reasn; did you mean --reason?");
		expect(failure("a", "--zzzzzz")).toBe("There is no option --zzzzzz");
		expect(failure("a", "--\u001b[2Jx")).not.toMatch(/\u001b/);
	});

	test("that ask for help need nothing else", () => {
		expect(parseArguments(spec, ["-h"]).options["help"]).toBe(true);
	});

	test("nearest names", () => {
		expect(nearest("aprove", ["approve", "approvals"])).toBe("approve");
		const names = ["run", "runs", "resume"];
		expect(["runz", "rusn", "rnu", "rn"].map((given) => nearest(given, names))).toEqual(["runs", "runs", "run", "run"]);
		expect(nearest("xyz", ["approve", "approvals"])).toBeUndefined();
		expect(nearest("", ["run"])).toBeUndefined();
	});
});
