import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { approvalId, callDigest, lacking } from "./approvals.ts";

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
