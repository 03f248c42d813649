import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { askOf, lacking, needOf, whyNot } from "./need.ts";

const answered = (...people: readonly (readonly [string, ...string[]])[]) =>
	people.map(([id, ...roles]) => ({ by: { id, via: "test", roles } }));

describe("what an ask lacks", () => {
	test("without roles any people count, each once", () => {
		const two = { roles: [], count: 2 };
		expect(lacking(two, [])).toBe("2 more people");
		expect(lacking(two, answered(["ann"], ["ann"]))).toBe("1 more person");
		expect(lacking(two, answered(["ann"], ["bob"]))).toBeUndefined();
		expect(lacking(two, answered(["ann"], ["bob"], ["eve"]))).toBeUndefined();
	});

	test("each role needs its count of people", () => {
		const ask = { roles: ["manager", "finance"], count: 2 };
		const people = answered(["ann", "manager"], ["bob", "manager"], ["eve", "finance"]);
		expect(lacking(ask, people)).toBe("finance");
		expect(lacking(ask, [...people, ...answered(["dan", "finance"])])).toBeUndefined();
	});

	test("one person fills one role, and others make room where they can", () => {
		const ask = { roles: ["manager", "finance"], count: 1 };
		expect(lacking(ask, answered(["ann", "manager", "finance"]))).toBe("finance");
		expect(lacking(ask, answered(["ann", "manager", "finance"], ["bob", "manager"]))).toBeUndefined();
	});

	test("people without the role count for nothing", () => {
		expect(lacking({ roles: ["manager"], count: 1 }, answered(["ann"], ["bob", "finance"]))).toBe("manager");
		expect(lacking({ roles: ["manager"], count: 1 }, [{ by: { id: "ann", via: "test" } }])).toBe("manager");
	});

	test("of a person who answered twice the last roles count", () => {
		const ask = { roles: ["manager"], count: 1 };
		expect(lacking(ask, answered(["ann", "manager"], ["ann"]))).toBe("manager");
		expect(lacking(ask, answered(["ann"], ["ann", "manager"]))).toBeUndefined();
	});

	test("a role may need another count, and more people in all than its roles", () => {
		const ask = { roles: ["manager", "finance"], count: 1, counts: { finance: 2 }, people: 4 };
		const three = answered(["ann", "manager"], ["bob", "finance"], ["eve", "finance"]);
		expect(lacking(ask, three.slice(0, 2))).toBe("finance");
		expect(lacking(ask, three)).toBe("1 more person");
		expect(lacking(ask, [...three, ...answered(["dan"])])).toBeUndefined();
	});

	test("four eyes: whose wish it is does not count, and is told so", () => {
		const need = needOf({ count: 1, fourEyes: true }, "ann");
		expect(lacking(need, answered(["ann"]))).toBe("1 more person");
		expect(lacking(need, answered(["ann"], ["bob"]))).toBeUndefined();
		expect(whyNot(need, { id: "ann", via: "test" })).toContain("another one must answer");
		expect(whyNot(need, { id: "bob", via: "test" })).toBeUndefined();
		expect(askOf(need)).toEqual({ count: 1, fourEyes: true });
	});

	test("after an escalation its people fill any seat, each one", () => {
		const need = { roles: ["manager"], count: 2, substitutes: ["director"] };
		expect(lacking(need, answered(["ann", "director"]))).toBe("manager");
		expect(lacking(need, answered(["ann", "director"], ["bob", "manager"]))).toBeUndefined();
		expect(whyNot(need, { id: "ann", via: "test", roles: ["director"] })).toBeUndefined();
		expect(whyNot(need, { id: "eve", via: "test", roles: ["clerk"] })).toContain("none of the roles");
	});

	test("a role that is called like a member of every object has no hidden count", () => {
		const need = { roles: ["toString"], count: 1, counts: {} };
		expect(lacking(need, answered(["ann", "toString"]))).toBeUndefined();
	});

	test("is what trying every seating finds", () => {
		const roleNames = ["a", "b", "c"];
		const anyAsk = fc.record({
			roles: fc.uniqueArray(fc.constantFrom(...roleNames)),
			count: fc.integer({ min: 1, max: 2 }),
		});
		const anyPerson = fc.tuple(fc.constantFrom("p1", "p2", "p3", "p4", "p5"), fc.subarray(roleNames));
		fc.assert(
			fc.property(anyAsk, fc.array(anyPerson, { maxLength: 6 }), (ask, list) => {
				const answers = list.map(([id, roles]) => ({ by: { id, via: "test", roles } }));
				expect(lacking(ask, answers) === undefined).toBe(canBeSeated(ask, new Map(list)));
			}),
			{ numRuns: 2_000 },
		);
	});

	test("I8: the largest ask that a policy may make is answered at once", () => {
		const roles = Array.from({ length: 100 }, (_, i) => `role-${i}`);
		const people = answered(...roles.map((role, i) => [`p${i}`, role, ...roles.slice(0, 3)] as const));
		expect(lacking({ roles, count: 1 }, people)).toBeUndefined();
		expect(lacking({ roles, count: 100 }, people)).toContain("role-5");
	});
});

/** Brute force: every seat tries every person who is free. */
function canBeSeated(
	ask: { roles: readonly string[]; count: number },
	people: ReadonlyMap<string, readonly string[]>,
): boolean {
	if (ask.roles.length === 0) return people.size >= ask.count;
	const [seat, ...others] = ask.roles.flatMap((role) => Array.from({ length: ask.count }, () => role));
	return seatAll(seat, others, people);
}

function seatAll(
	seat: string | undefined,
	others: readonly string[],
	people: ReadonlyMap<string, readonly string[]>,
): boolean {
	if (seat === undefined) return true;
	return [...people].some(([id, roles]) => {
		const rest = new Map([...people].filter(([other]) => other !== id));
		return roles.includes(seat) && seatAll(others[0], others.slice(1), rest);
	});
}
