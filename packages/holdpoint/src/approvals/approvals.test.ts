import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { approvalId, callDigest } from "./approvals.ts";

const bound = { run: "r", call: "c1", tool: "pay", version: "1.abc", args: '{"amount":5}' };

describe("the digest of a call", () => {
	test("I5: is another one for another run, call, tool, tool version or arguments", () => {
		const changes = [
			{},
			{ run: "r2" },
			{ call: "c2" },
			{ tool: "pay2" },
			{ version: "1.abd" },
			{ args: '{"amount":6}' },
		];
		const digests = changes.map((change) => callDigest({ ...bound, ...change }));
		expect(new Set(digests).size).toBe(changes.length);
		expect(callDigest({ ...bound })).toBe(digests[0]);
	});

	test("I5: two different calls never have the same text, wherever quotes and line ends stand", () => {
		const nasty = fc.string({ unit: fc.constantFrom('"', "\n", ",", "[", "]", "a", "\\") });
		const anyCall = fc.record({ run: nasty, call: nasty, tool: nasty, version: nasty, args: nasty });
		fc.assert(
			fc.property(anyCall, anyCall, (a, b) => {
				const same = (Object.keys(a) as (keyof typeof a)[]).every((key) => a[key] === b[key]);
				expect(callDigest(a) === callDigest(b)).toBe(same);
			}),
		);
	});

	test("an approval's id is short, plain, and another one each time that a call is asked about", () => {
		const ids = [1, 2, 3].map((ordinal) => approvalId("store", callDigest(bound), ordinal));
		expect(new Set([...ids, approvalId("store-2", callDigest(bound), 1)]).size).toBe(4);
		for (const id of ids) expect(id).toMatch(/^apr_[a-z0-9]{12}$/);
	});
});
