import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { lacking, needOf } from "../approvals/need.ts";
import type { Ask } from "../spec/policy.ts";
import { uniteAsks } from "./unite-asks.ts";

const roleNames = ["a", "b", "c"];
const people = ["p0", "p1", "p2", "p3", "p4"];
const anyRoles = fc.uniqueArray(fc.constantFrom(...roleNames), { maxLength: 2 });
const anyAsk: fc.Arbitrary<Ask> = fc
	.record({
		roles: anyRoles,
		count: fc.integer({ min: 1, max: 2 }),
		own: fc.integer({ min: 1, max: 3 }),
		people: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
		fourEyes: fc.boolean(),
	})
	.map(({ roles, own, people, ...ask }) => ({
		...ask,
		roles,
		...(roles[0] === undefined ? {} : { counts: { [roles[0]]: own } }),
		...(people === undefined ? {} : { people }),
	}));
const anyAnswers = fc
	.uniqueArray(fc.tuple(fc.constantFrom(...people), fc.subarray(roleNames)), { selector: ([id]) => id })
	.map((list) => list.map(([id, roles]) => ({ by: { id, via: "test", roles } })));

describe("asks unite", () => {
	test("whoever covers the one question covers each that it stands for", () => {
		let covered = 0;
		fc.assert(
			fc.property(fc.array(anyAsk, { minLength: 1, maxLength: 3 }), anyAnswers, (asks, answers) => {
				const one = needOf(uniteAsks(asks), "p0");
				if (lacking(one, answers) !== undefined) return;
				covered++;
				for (const ask of asks) expect(lacking(needOf(ask, "p0"), answers)).toBeUndefined();
			}),
			{ numRuns: 5_000 },
		);
		expect(covered).toBeGreaterThan(100);
	});

	test("one alone stays what it was", () => {
		fc.assert(
			fc.property(anyAsk, anyAnswers, (ask, answers) => {
				const one = lacking(needOf(uniteAsks([ask]), "p0"), answers);
				expect(one === undefined).toBe(lacking(needOf(ask, "p0"), answers) === undefined);
			}),
			{ numRuns: 2_000 },
		);
	});

	test("any two people and a manager are two people, one of them a manager", () => {
		expect(uniteAsks([{ count: 2 }, { roles: ["manager"] }])).toEqual({ roles: ["manager"], count: 1, people: 2 });
	});

	test("others stand in only where every ask lets them, and not before the last of them does", () => {
		const [one, two] = [
			{ escalate: { afterMs: 5, roles: ["director", "owner"] } },
			{ escalate: { afterMs: 9, roles: ["owner"] } },
		];
		expect(uniteAsks([one, two]).escalate).toEqual({ afterMs: 9, roles: ["owner"] });
		expect(uniteAsks([one, {}]).escalate).toBeUndefined();
	});
});
