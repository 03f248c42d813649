import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Budget, BudgetScope, BudgetWindow } from "../spec/budget.ts";
import { accountOf, accountPrefix, type Place, readAccount, renewalOf, windowAt } from "./account.ts";

const at = Date.UTC(2030, 0, 31, 23, 59, 59, 999);
const place: Place = { run: "r1", session: undefined, agent: "a", principal: "ann", tenant: undefined };
const budget = (more: Partial<Budget> = {}): Budget => ({ name: "b", counts: "calls", max: 5, ...more });

describe("windows, in UTC", () => {
	test.each([
		["hour", Date.UTC(2030, 0, 31, 23), Date.UTC(2030, 1, 1)],
		["day", Date.UTC(2030, 0, 31), Date.UTC(2030, 1, 1)],
		["month", Date.UTC(2030, 0, 1), Date.UTC(2030, 1, 1)],
	] as const)("the last millisecond of a %s is in it, and the next one in the next", (window, from, until) => {
		expect(windowAt(window, at)).toEqual({ from, until });
		expect(windowAt(window, at + 1).from).toBe(until);
	});

	test("a month of a leap year, and the end of a year", () => {
		expect(windowAt("month", Date.UTC(2028, 1, 29, 12)).until).toBe(Date.UTC(2028, 2, 1));
		expect(windowAt("month", Date.UTC(2030, 11, 31)).until).toBe(Date.UTC(2031, 0, 1));
	});
});

describe("names of accounts", () => {
	test("say what is counted, for whom, and when", () => {
		const name = (more: Partial<Budget>) => accountOf(budget(more), place, at).account;
		expect(name({})).toBe("budget:b/calls");
		expect(name({ counts: { tool: "pay", sum: "order.cents" }, per: ["principal", "tenant"], window: "hour" })).toBe(
			"budget:b/pay.order.cents/principal=ann/tenant-/hour=2030-01-31T23",
		);
		expect(name({ per: "session", window: "month" })).toBe("budget:b/calls/session=r1/month=2030-01");
	});

	const text = fc.oneof(
		fc.string({ unit: "binary", maxLength: 300 }),
		fc.string({ maxLength: 12 }),
		fc.constantFrom("", "-", "#", "%2F", "ann/day=2030-01-01", "principal=ann", "\ud800", "x".repeat(151), "tenant-"),
	);
	const somewhere = fc.record({
		run: text,
		session: fc.option(text, { nil: undefined }),
		agent: text,
		principal: text,
		tenant: fc.option(text, { nil: undefined }),
	});
	const scopes = fc.subarray<BudgetScope>(["run", "session", "agent", "principal", "tenant"]);
	const window = fc.option(fc.constantFrom<BudgetWindow>("hour", "day", "month"), { nil: undefined });

	test("no two places have the same, and each is a name that a store takes", () =>
		fc.assert(
			fc.property(somewhere, somewhere, scopes, window, (one, other, per, kind) => {
				const which = budget({ per, ...(kind ? { window: kind } : {}) });
				const [first, second] = [accountOf(which, one, at).account, accountOf(which, other, at).account];
				const valueOf = (where: Place, scope: BudgetScope) =>
					scope === "session" ? (where.session ?? where.run) : where[scope];
				const isSame = per.every((scope) => valueOf(one, scope) === valueOf(other, scope));
				expect(first === second).toBe(isSame);
				expect(first.length).toBeLessThanOrEqual(1_000);
				expect(first.isWellFormed() && !first.includes("\0")).toBe(true);
				expect(readAccount(which, first, at)).toMatchObject({ isCurrent: true });
			}),
		));

	test("that somebody else wrote are shown as they are", () => {
		const which = budget({ per: ["principal"] });
		expect(readAccount(which, "budget:b/calls/principal=%", at)).toMatchObject({ of: { principal: "%" } });
		const daily = budget({ window: "day" });
		for (const wrong of ["day=", "day=x", "hour=2030-01-01T00", ""]) {
			expect(readAccount(daily, `budget:b/calls/${wrong}`, at)).toBeUndefined();
		}
	});

	test("are read back, and what is of another budget, unit or shape is not", () => {
		const which = budget({ per: ["principal", "tenant"], window: "day" });
		const { account } = accountOf(which, { ...place, principal: "a/b=c" }, at);
		const window = { from: Date.UTC(2030, 0, 31), until: Date.UTC(2030, 1, 1) };
		expect(readAccount(which, account, at)).toEqual({
			of: { principal: "a/b=c", tenant: undefined },
			window,
			isCurrent: true,
		});
		expect(readAccount(which, account, at + 1)).toMatchObject({ isCurrent: false });
		for (const other of [
			budget({ name: "bb", per: ["principal", "tenant"], window: "day" }),
			budget({ counts: "tokens", per: ["principal", "tenant"], window: "day" }),
			budget({ per: ["principal"], window: "day" }),
			budget({ per: ["principal", "tenant"], window: "hour" }),
			budget({ per: ["agent", "tenant"], window: "day" }),
			budget(),
		]) {
			expect(readAccount(other, account, at)).toBeUndefined();
		}
		expect(accountPrefix(budget())).toBe("budget:b/calls");
	});
});

test("an account is kept two days after its window; without one only those of runs and sessions end", () => {
	const until = (more: Partial<Budget>) => accountOf(budget(more), place, at).until;
	expect(until({ window: "day" })).toBe(Date.UTC(2030, 1, 3));
	expect(until({ per: "run" })).toBe(at + 30 * 86_400_000);
	expect(until({ per: ["session", "principal"] })).toBe(at + 30 * 86_400_000);
	expect(until({ per: ["principal"] })).toBeUndefined();
	expect(until({})).toBeUndefined();
});

test.each<readonly [string, Partial<Budget>]>([
	["renewed at 2030-02-01T00:00:00Z.", { window: "day", per: "run" }],
	["not renewed.", {}],
	["not renewed.", { per: ["principal", "tenant"] }],
	["not renewed before it was left unused for 30 days.", { per: "run" }],
	["not renewed before it was left unused for 30 days.", { per: ["session", "principal"] }],
])("whoever is refused reads that it is %s", (said, more) => {
	expect(renewalOf(budget(more), at)).toBe(`It is ${said}`);
});
