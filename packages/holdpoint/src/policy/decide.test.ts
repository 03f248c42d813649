import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Decision, PolicyRequest } from "../spec/policy.ts";
import { decide, joinDecisions, type PolicyLike, toPolicy } from "./decide.ts";

const request: PolicyRequest = {
	run: "r",
	call: "c1",
	principal: "ann",
	tenant: undefined,
	session: undefined,
	agent: "tester",
	depth: 0,
	provenance: { via: "model" },
	tool: { name: "pay", version: "1", effect: "write", tags: [] },
	args: { amount: 5 },
	approvedBy: [],
};

const asked = (policy: PolicyLike, timeoutMs = 1_000) => decide(toPolicy(policy), request, timeoutMs);
/** A policy that answers something that no policy may answer. */
const answering =
	(answer: unknown): PolicyLike =>
	() =>
		answer as Decision;
const hostile = (): never => {
	throw new Error("hostile");
};

describe("asking a policy", () => {
	test.each<Decision>([
		{ verdict: "allow" },
		{ verdict: "allow", reason: "small" },
		{ verdict: "deny", reason: "no" },
		{ verdict: "ask", reason: "large", ask: { roles: ["manager"], count: 2, expiresInMs: 5 } },
	])("a decision is taken as it is: %j", async (decision) => {
		expect(asked(answering(decision))).toEqual(decision);
		expect(await asked(answering(Promise.resolve(decision)))).toEqual(decision);
	});

	test("a synchronous policy is answered synchronously", () => {
		expect(asked(() => ({ verdict: "allow" }))).not.toBeInstanceOf(Promise);
	});

	test("an ask without details asks one person", () => {
		expect(asked(answering({ verdict: "ask" }))).toMatchObject({ verdict: "ask", ask: {} });
	});

	test.each([
		["an error", new Error("broken")],
		["a text", "broken"],
		["nothing", undefined],
		["an object without a prototype", Object.create(null)],
		["an object that cannot be shown", { toString: hostile }],
		["an error whose message cannot be read", Object.defineProperty(new Error(), "message", { get: hostile })],
	])("I4: a policy that throws %s has denied", async (_, thrown) => {
		const throwing = (): never => {
			throw thrown;
		};
		expect(asked(throwing)).toMatchObject({ verdict: "deny", reason: expect.stringContaining("The policy failed") });
		expect(await asked(async () => throwing())).toMatchObject({ verdict: "deny" });
	});

	test("I4: a policy that never answers has denied", async () => {
		const decision = await asked(() => new Promise<Decision>(() => undefined), 5);
		expect(decision).toEqual({ verdict: "deny", reason: "The policy failed: it did not answer within 5 ms" });
	});

	test("I4: a limit longer than a timer can be is long, not over at once", async () => {
		const late = new Promise<Decision>((resolve) => setTimeout(() => resolve({ verdict: "allow" }), 20));
		expect(await asked(() => late, 2 ** 32)).toEqual({ verdict: "allow" });
	});

	test.each([
		["an unknown verdict", { verdict: "maybe" }],
		["a verdict in other letters", { verdict: "ALLOW" }],
		["no verdict", {}],
		["nothing", undefined],
		["null", null],
		["true", true],
		["the word alone", "allow"],
		["a list", ["allow"]],
		["a function", () => ({ verdict: "allow" })],
		["a reason that is no text", { verdict: "allow", reason: 5 }],
		["an ask that is no object", { verdict: "ask", ask: "manager" }],
		["an ask that is null-like", { verdict: "ask", ask: 0 }],
		["roles that are no list", { verdict: "ask", ask: { roles: "manager" } }],
		["a role that is no text", { verdict: "ask", ask: { roles: [5] } }],
		["an empty role", { verdict: "ask", ask: { roles: [""] } }],
		["a count of nobody", { verdict: "ask", ask: { count: 0 } }],
		["half a person", { verdict: "ask", ask: { count: 1.5 } }],
		["more people than any ask has", { verdict: "ask", ask: { count: 1e9 } }],
		[
			"more roles than any ask has",
			{ verdict: "ask", ask: { roles: Array.from({ length: 5_000 }, (_, i) => `r${i}`) } },
		],
		["an expiry in the past", { verdict: "ask", ask: { expiresInMs: -1 } }],
		["no number as expiry", { verdict: "ask", ask: { expiresInMs: Number.NaN } }],
		["an expiry that is no time any more", { verdict: "ask", ask: { expiresInMs: 1e300 } }],
		[
			"an answer that cannot be read",
			{
				get verdict() {
					return hostile();
				},
			},
		],
		[
			"an ask that cannot be read",
			{
				verdict: "ask",
				get ask() {
					return hostile();
				},
			},
		],
		[
			"an answer whose `then` cannot be read",
			{
				verdict: "allow",
				get then() {
					return hostile();
				},
			},
		],
		["a `then` that throws", { then: hostile }],
	])("I4: %s is no decision and has denied", async (_, answer) => {
		expect(await asked(answering(answer))).toMatchObject({ verdict: "deny", reason: expect.any(String) });
		expect(await asked(async () => answer as Decision)).toMatchObject({ verdict: "deny" });
	});

	test("I4: whatever a policy answers, the decision is one of three, well-formed, and `allow` only if it said so", async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.anything({ withNullPrototype: true, withDate: true, withMap: true }),
				fc.boolean(),
				async (answer, later) => {
					const decision = await asked(later ? async () => answer as Decision : answering(answer));
					expect(["allow", "deny", "ask"]).toContain(decision.verdict);
					if (decision.verdict !== "allow") expect(typeof decision.reason).toBe("string");
					else expect((answer as Decision).verdict).toBe("allow");
				},
			),
		);
	});

	test("only the fields of a decision are kept, and they are the policy's no more", () => {
		const roles = ["manager"];
		const decision = asked(
			answering({ verdict: "ask", reason: "r", ask: { roles, count: 1, more: 1 }, more: 1 }),
		) as Decision;
		roles.push("intern");
		expect(decision).toEqual({ verdict: "ask", reason: "r", ask: { roles: ["manager"], count: 1 } });
	});

	test("an expiry is a whole number of milliseconds", () => {
		expect(asked(answering({ verdict: "ask", reason: "r", ask: { expiresInMs: 0.5 } }))).toMatchObject({
			ask: { expiresInMs: 1 },
		});
	});

	test("a function's version is that of its text", () => {
		const version = (policy: PolicyLike) => toPolicy(policy).version;
		expect(version(() => ({ verdict: "allow" }))).toBe(version(() => ({ verdict: "allow" })));
		expect(version(() => ({ verdict: "allow" }))).not.toBe(version(() => ({ verdict: "deny", reason: "" })));
	});
});

describe("joining decisions", () => {
	const allow: Decision = { verdict: "allow" };
	const deny: Decision = { verdict: "deny", reason: "no" };
	const ask = (details: NonNullable<Extract<Decision, { verdict: "ask" }>["ask"]> = {}): Decision => ({
		verdict: "ask",
		reason: "why",
		ask: details,
	});

	test("deny over ask over allow", () => {
		expect(joinDecisions([allow, ask(), deny, allow])).toEqual(deny);
		expect(joinDecisions([allow, ask({ count: 2 }), allow])).toEqual(ask({ count: 2 }));
		expect(joinDecisions([allow, allow])).toEqual(allow);
	});

	test("I4: where nobody said anything, it is denied", () => {
		expect(joinDecisions([]).verdict).toBe("deny");
	});

	test("asks unite: every role, the larger count, the shorter expiry, each reason once", () => {
		const joined = joinDecisions([
			ask({ roles: ["a", "b"], expiresInMs: 9 }),
			ask({ roles: ["b", "c"], count: 3, expiresInMs: 7 }),
		]);
		expect(joined).toEqual({
			verdict: "ask",
			reason: "why",
			ask: { roles: ["a", "b", "c"], count: 3, counts: { a: 1 }, expiresInMs: 7 },
		});
		const other: Decision = { verdict: "ask", reason: "another" };
		expect(joinDecisions([ask(), other, ask()])).toMatchObject({ reason: "why; another" });
	});

	test.each([
		["an unknown verdict", { verdict: "DENY", reason: "no" }],
		["a promise", Promise.resolve(deny)],
		["nothing", undefined],
		["null", null],
		["a wrong ask", { verdict: "ask", ask: { count: 0 } }],
	])("I4: %s beside an allow is a denial", (_, wrong) => {
		expect(joinDecisions([allow, wrong as Decision]).verdict).toBe("deny");
		expect(joinDecisions([wrong as Decision]).verdict).toBe("deny");
	});

	test("the order does not change the verdict, and a further decision never makes it milder", () => {
		const anyDecision = fc.constantFrom(allow, deny, ask(), ask({ count: 2 }), ask({ roles: ["a"] }));
		const strictness = { allow: 0, ask: 1, deny: 2 };
		fc.assert(
			fc.property(fc.array(anyDecision, { minLength: 1 }), anyDecision, (list, more) => {
				const joined = joinDecisions(list);
				expect(joinDecisions([...list].reverse()).verdict).toBe(joined.verdict);
				expect(strictness[joinDecisions([...list, more]).verdict]).toBeGreaterThanOrEqual(strictness[joined.verdict]);
			}),
		);
	});
});
