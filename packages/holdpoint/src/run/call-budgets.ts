/** What budgets say of a call, and what has to be held for it. The arithmetic is in `budgets/`. */

import { accountOf, type Place } from "../budgets/account.ts";
import { type Charge, callCharges, isCharge, overReason, uncountableReason } from "../budgets/call-charges.ts";
import { checkBudgets } from "../budgets/check-budgets.ts";
import { canonicalJson } from "../kit/canonical-json.ts";
import { joinDecisions } from "../policy/decide.ts";
import type { Budget } from "../spec/budget.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { Hold } from "../spec/events.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { BudgetsNow, Decision, Policy, PolicyRequest } from "../spec/policy.ts";
import type { Store } from "../spec/store.ts";
import type { AroundCall } from "./around-call.ts";
import type { Segment } from "./segment.ts";
import { givenBack, type Wanted } from "./wanted.ts";

export interface Charging {
	/** What others use of accounts that have not enough left for this call. */
	readonly exhausted: ReadonlyMap<string, number>;
	/** Of an attempt before this one. */
	readonly holds: readonly Hold[];
	/** By account, what calls before it would take that a rehearsal only simulated. */
	readonly foreseen?: ReadonlyMap<string, number>;
	/** How long it may take. Milliseconds. */
	readonly timeoutMs: number;
	/** What it takes, it takes of the budgets of those that it works for, too. */
	readonly around: AroundCall;
}

export interface Charged {
	/** Of each budget that it is too much for, or that cannot count it. */
	readonly says: readonly BudgetSays[];
	/** Where people or a grant let it go beyond a budget, without that bound. */
	readonly wants: readonly Wanted[];
}

export interface BudgetSays {
	/** Its name. */
	readonly budget: string;
	readonly decision: Decision;
}

/** Budgets as they were written, looked at. Errors: `config.invalid`. */
export function checkedBudgets(value: unknown): readonly Budget[] {
	const budgets = checkBudgets(value).map((budget) =>
		budget.over ? { ...budget, over: checkedOver(budget) } : budget,
	);
	const { length } = canonicalJson(budgets);
	if (length <= fixedLimits.budgetsCharsMax) return budgets;
	throw new HoldpointError(
		"config.invalid",
		`The budgets have ${length} characters, and at most ${fixedLimits.budgetsCharsMax} are taken`,
		{
			hint: "Name fewer tools in each, or none: then all are counted.",
		},
	);
}

/** An ask as a decision has it: with its fields and no others. */
function checkedOver({ name, over = "deny" }: Budget): NonNullable<Budget["over"]> {
	if (over === "deny") return over;
	const decision = joinDecisions([{ verdict: "ask", reason: "", ask: over }]);
	if (decision.verdict === "ask" && decision.ask) return decision.ask;
	const shown = JSON.stringify(over).slice(0, 200);
	throw new HoldpointError("config.invalid", `In the budgets, the budget ${name} has the over ${shown}`, {
		hint: 'It is "deny", or an ask as of a policy: { roles?, count?, fourEyes?, expiresInMs?, … }.',
	});
}

const free: Charged = { says: [], wants: [] };

export function chargesOf({ ports }: Segment, request: PolicyRequest, charging: Charging): Charged {
	const { budgets } = ports;
	if (budgets.length === 0) return free;
	const { exhausted, holds, timeoutMs, around } = charging;
	const now = ports.clock.now();
	const says: BudgetSays[] = [];
	const wants: Wanted[] = [];
	const seen = new Set<string>();
	const of = [request.agent, ...around.callers];
	const all = of.flatMap((agent) =>
		callCharges(budgets, { ...request, agent, holds, timeoutMs }, { now, used: exhausted }),
	);
	for (const charge of all) {
		if (!isCharge(charge)) {
			const decision = { verdict: "deny", reason: uncountableReason(charge) } as const;
			says.push({ budget: charge.budget.name, decision });
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

function sayOf({ budget, amount }: Charge, used: number, now: number): BudgetSays {
	const reason = overReason(budget, amount, { used, now });
	const { name, over = "deny" } = budget;
	return {
		budget: name,
		decision: over === "deny" ? { verdict: "deny", reason } : { verdict: "ask", reason, ask: over },
	};
}

/** Budgets that deny what was asked for. */
export function refusing({ says }: Pick<Charged, "says">): readonly string[] {
	return says.flatMap(({ budget, decision }) => (decision.verdict === "deny" ? budget : []));
}

/** Of the accounts that a call wants something of, those that have not enough left, with what others use of them. */
export async function shortOf(
	segment: Segment,
	wants: readonly Wanted[],
	{ own = [], foreseen }: { readonly own?: readonly Hold[]; readonly foreseen?: ReadonlyMap<string, number> },
): Promise<ReadonlyMap<string, number>> {
	const rows = await segment.accountsOf(wants.map(({ account }) => account));
	const short = wants.flatMap(({ account, amount, max }) => {
		const { spent = 0, held = 0 } = rows.get(account) ?? {};
		const before = own.find((hold) => hold.account === account)?.amount ?? 0;
		const used = spent + held - before + (foreseen?.get(account) ?? 0);
		return used + amount > max ? [[account, used] as const] : [];
	});
	return new Map(short);
}

function wantOf({ budget, account, amount, timeMs, before, until }: Charge, isBeyond: boolean): Wanted {
	// What an attempt before this one holds was within the bound when that began.
	const isHeld = timeMs === undefined && before > 0;
	const max = isBeyond || isHeld ? Number.MAX_SAFE_INTEGER : budget.max;
	return { account, amount, max, until, ...(timeMs === undefined ? {} : { timeMs }) };
}

/** Whether the policy wants to see them. One that fails at that is shown them, and fails where it decides (I4). */
export function readsBudgets(policy: Policy, request: PolicyRequest): boolean {
	try {
		return policy.readsBudgets?.(request) === true;
	} catch {
		return true;
	}
}

/** The request with the budgets as they stand for it. What the call itself holds is no use by others. */
export async function withBudgets(
	segment: Segment,
	request: PolicyRequest,
	charging: Charging,
): Promise<PolicyRequest> {
	// What this run spent or gave back by now counts as that.
	await segment.flush();
	// Of a process that died before it began; the call has begun where it holds something.
	if (charging.holds.length === 0 && !segment.isNew(request.call)) await segment.settle([givenBack(request.call)]);
	return withBudgetsOf(segment, request, charging);
}

/** The same for another agent that it is decided for. */
export async function withBudgetsOf(
	{ ports }: Segment,
	request: PolicyRequest,
	{ holds, foreseen }: Charging,
): Promise<PolicyRequest> {
	const { store, budgets, clock } = ports;
	const now = await budgetsNow(budgets, request, { store, now: clock.now(), holds, ...(foreseen ? { foreseen } : {}) });
	return { ...request, budgets: now };
}

interface Looking extends Partial<Pick<Charging, "holds" | "foreseen">> {
	readonly store: Pick<Store, "accounts">;
	readonly now: number;
}

/** How budgets stand for a place. Errors: `store.*`. */
export async function budgetsNow(
	budgets: readonly Budget[],
	place: Place,
	{ store, now, holds = [], foreseen }: Looking,
): Promise<BudgetsNow> {
	const found: [string, BudgetsNow[string]][] = [];
	for (const budget of budgets) {
		const { account } = accountOf(budget, place, now);
		// Whatever else begins like this comes after it.
		const [row] = await store.accounts({ prefix: account, limit: 1 });
		const { spent, held } = row?.account === account ? row : { spent: 0, held: 0 };
		const own = holds.find((hold) => hold.account === account)?.amount ?? 0;
		const others = Math.max(0, held - own) + (foreseen?.get(account) ?? 0);
		found.push([budget.name, { spent, held: Math.min(others, Number.MAX_SAFE_INTEGER), max: budget.max }]);
	}
	return Object.fromEntries(found);
}
