import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Label } from "../spec/label.ts";
import type { Labels } from "../spec/tool.ts";
import { joinLabels, labelDecision, labelOf, worstLabel } from "./label.ts";

const anyLabel: fc.Arbitrary<Label | undefined> = fc.option(
	fc.record({ untrusted: fc.constantFrom("c1", "c2"), readers: fc.subarray(["a", "b", "c"]) }, { requiredKeys: [] }),
	{ nil: undefined },
);
const isUntrusted = (label: Label | undefined) => label?.untrusted !== undefined;
const mayRead = (label: Label | undefined, who: string) => label?.readers?.includes(who) ?? true;

describe("labels join", () => {
	test("what was made of two things is as bad as the worse of them, in whatever order", () => {
		fc.assert(
			fc.property(anyLabel, anyLabel, (a, b) => {
				for (const joined of [joinLabels(a, b), joinLabels(b, a)]) {
					expect(isUntrusted(joined)).toBe(isUntrusted(a) || isUntrusted(b));
					for (const who of ["a", "b", "c"]) expect(mayRead(joined, who)).toBe(mayRead(a, who) && mayRead(b, who));
				}
			}),
		);
	});

	test("and joining the same again changes nothing", () => {
		fc.assert(fc.property(anyLabel, (a) => void expect(mayReadAll(joinLabels(a, a))).toEqual(mayReadAll(a))));
	});
});

function mayReadAll(label: Label | undefined) {
	return [isUntrusted(label), ...["a", "b", "c"].map((who) => mayRead(label, who))];
}

describe("the label of a result", () => {
	test("is the worst one where its tool says nothing", () => {
		expect(labelOf(undefined, "c1")).toEqual(worstLabel("c1"));
		expect(labelOf({}, "c1")).toEqual(worstLabel("c1"));
		expect(labelOf({ integrity: "trusted" }, "c1")).toEqual({ readers: ["principal"], assumed: true });
		expect(labelOf({ readers: ["everyone"] }, "c1")).toEqual({ untrusted: "c1" });
	});

	test("is none where nothing is wrong with it", () => {
		expect(labelOf({ integrity: "trusted", readers: ["everyone", "a"] }, "c1")).toBeUndefined();
	});
});

describe("what labels say of a call", () => {
	const said = (
		label: Label | undefined,
		labels?: Labels,
		effect: "read" | "write" | "destructive" | "internal" = "write",
	) => labelDecision({ tool: { name: "send", version: "1", effect, tags: [], labels }, label }, {});

	test("nothing where nothing is wrong", () => {
		expect(said(undefined)).toBeUndefined();
		expect(said({ readers: ["a"] }, { audience: ["a"] })).toBeUndefined();
		expect(said({ untrusted: "c1" }, undefined, "read")).toBeUndefined();
		expect(said(worstLabel("c1"), undefined, "internal")).toBeUndefined();
	});

	test("a call that changes something is asked about once untrusted data was read, and its reason names the source", () => {
		for (const effect of ["write", "destructive"] as const) {
			expect(said({ untrusted: "c7" }, { audience: ["everyone"] }, effect)).toEqual({
				verdict: "ask",
				reason: "send was called after untrusted data that c7 had read",
			});
		}
	});

	test("a call that shows data to others is denied where it declares who sees it, and asked about where it does not", () => {
		expect(said({ readers: ["a"] }, { audience: ["a", "b"] }, "read")).toMatchObject({
			verdict: "deny",
			reason: expect.stringMatching(/to b$/),
		});
		expect(said({ readers: ["a"] }, undefined, "read")).toMatchObject({ verdict: "ask" });
		expect(said({ readers: ["a"], assumed: true }, { audience: ["b"] })).toMatchObject({ verdict: "ask" });
		expect(said({ readers: [] }, { audience: ["a"] })).toMatchObject({ verdict: "deny" });
	});

	test("everyone are never among the readers of what not everyone may read", () => {
		expect(said({ readers: ["a", "everyone"] }, { audience: ["everyone"] })).toMatchObject({ verdict: "deny" });
	});

	test("a leak that is denied goes before untrusted data that is asked about", () => {
		expect(said({ untrusted: "c1", readers: ["a"] }, { audience: ["b"] })).toMatchObject({ verdict: "deny" });
	});

	test("a declassifying call is the policy's alone to decide", () => {
		expect(said(worstLabel("c1"), { declassifies: true })).toBeUndefined();
	});
});
