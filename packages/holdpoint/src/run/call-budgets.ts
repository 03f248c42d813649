/** What budgets say of a call, and what has to be held for it. The arithmetic is in `budgets/`. */
import { type Charge, callCharges, isCharge, overReason, uncountableReason } from "../budgets/call-charges.ts";
import { checkBudgets } from "../budgets/check-budgets.ts";
import { joinDecisions } from "../policy/decide.ts";
import type { Budget } from "../spec/budget.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { Hold } from "../spec/events.ts";
import type { Decision, PolicyRequest } from "../spec/policy.ts";
import type { AroundCall } from "./around-call.ts";
import type { Segment } from "./segment.ts";
import type { Wanted } from "./wanted.ts";

export interface Charging {
	/** What others use of accounts that have not enough left for this call. */
	readonly exhausted: ReadonlyMap<string, number>;
	/** Of an attempt before this one. */
	readonly holds: readonly Hold[];
	/** How long it may take. Milliseconds. */
	readonly timeoutMs: number;
	/** What it takes, it takes of the budgets of those that it works for, too. */
	readonly around: Pick<AroundCall, "callers">;
}

export interface Charged {
	/** Of each budget that it is too much for, or that cannot count it. */
	readonly says: readonly Decision[];
	/** Where people or a grant let it go beyond a budget, without that bound. */
	readonly wants: readonly Wanted[];
}

/** Budgets as they were written, looked at. Errors: `config.invalid`. */
export function checkedBudgets(value: unknown): readonly Budget[] {
	const budgets = checkBudgets(value);
	for (const { name, over = "deny" } of budgets) {
		if (over === "deny") continue;
		const { verdict } = joinDecisions([{ verdict: "ask", reason: "", ask: over }]);
		if (verdict === "ask") continue;
		const shown = JSON.stringify(over).slice(0, 200);
		throw new HoldpointError("config.invalid", `In the budgets, the budget ${name} has the over ${shown}`, {
			hint: 'It is "deny", or an ask as of a policy: { roles?, count?, fourEyes?, expiresInMs?, … }.',
		});
	}
	return budgets;
}

const free: Charged = { says: [], wants: [] };

export function chargesOf({ ports }: Segment, request: PolicyRequest, charging: Charging): Charged {
	const { budgets } = ports;
	if (budgets.length === 0) return free;
	const { exhausted, holds, timeoutMs, around } = charging;
	const now = ports.clock.now();
	const says: Decision[] = [];
	const wants: Wanted[] = [];
	const seen = new Set<string>();
	const of = [request.agent, ...around.callers];
	const all = of.flatMap((agent) =>
		callCharges(budgets, { ...request, agent, holds, timeoutMs }, { now, used: exhausted }),
	);
	for (const charge of all) {
		if (!isCharge(charge)) {
			says.push({ verdict: "deny", reason: uncountableReason(charge) });
			continue;
		}
		if (seen.has(charge.account)) continue;
		seen.add(charge.account);
		const used = exhausted.get(charge.account);
		const isShort = used !== undefined && used + charge.amount > charge.budget.max;
		if (isShort) says.push(sayOf(charge, used, now));
		wants.push(wantOf(charge, isShort));
	}
	return { says, wants };
}

function sayOf({ budget, amount }: Charge, used: number, now: number): Decision {
	const reason = overReason(budget, amount, { used, now });
	const { over = "deny" } = budget;
	return over === "deny" ? { verdict: "deny", reason } : { verdict: "ask", reason, ask: over };
}

function wantOf({ budget, account, amount, timeMs, before, until }: Charge, isBeyond: boolean): Wanted {
	// What an attempt before this one holds was within the bound when that began.
	const isHeld = timeMs === undefined && before > 0;
	const max = isBeyond || isHeld ? Number.MAX_SAFE_INTEGER : budget.max;
	return { account, amount, max, until, ...(timeMs === undefined ? {} : { timeMs }) };
}
