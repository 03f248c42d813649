import { describe, expect, test } from "vitest";
import type { Budget, BudgetWindow } from "../spec/budget.ts";
import { accountOf } from "./account.ts";
import { callCharges } from "./call-charges.ts";

const at = Date.UTC(2030, 0, 31, 23, 59);
const place = { run: "r", session: undefined, principal: "p", tenant: undefined };

describe("a repetition of a call", () => {
	test.each<readonly [string, BudgetWindow | undefined]>([
		["without windows", undefined],
		["by the day, of a call that began the day before", "day"],
	])("holds more time where an attempt before it held some of that agent's budget: %s", (_, window) => {
		const budget: Budget = { name: "t", counts: "wallMs", per: "agent", max: 1_000, ...(window ? { window } : {}) };
		const accounts = ["sub", "bossy", "boss"].map((agent) => accountOf(budget, { ...place, agent }, at).account);
		const [sub, , boss] = accounts;
		const holds = accounts.map((account) => ({ account, amount: 100, timeMs: 100 }));
		const call = { tool: { name: "pay", effect: "write" }, args: {}, timeoutMs: 50, holds } as const;
		const chargedTo = (agent: string) =>
			callCharges([budget], { ...place, ...call, agent }, { now: at + 120_000, used: new Map() });
		expect(chargedTo("sub")).toMatchObject([{ account: sub, amount: 150, before: 100 }]);
		expect(chargedTo("boss")).toMatchObject([{ account: boss, amount: 150, before: 100 }]);
		// Of one that is called by somebody else by now nothing was held.
		expect(chargedTo("bos")).toMatchObject([{ amount: 50, before: 0 }]);
	});
});
