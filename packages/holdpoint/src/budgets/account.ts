/**
 * The accounts of budgets: their names, and until when they count.
 *
 * Shape: `budget:<name>/<what it counts>/<scope>=<value>/…/<window>=<its start>`. Values are percent-escaped, so that no
 * principal's name is another account's; a value that is too long stands as `#` and its digest, which no escaped one has.
 */
import { digest } from "../kit/digest.ts";
import type { Budget, BudgetAccount, BudgetScope, BudgetWindow, Counted } from "../spec/budget.ts";

/** Where a call is made. */
export interface Place {
	readonly run: string;
	readonly session: string | undefined;
	readonly agent: string;
	readonly principal: string;
	readonly tenant: string | undefined;
}

export interface Account {
	readonly account: string;
	/** When it ends; the store says when it is forgotten after that. Milliseconds since 1970. */
	readonly until: number | undefined;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** A clock that is put back finds the account of the window before; what is held there is settled there. */
const graceMs = 2 * dayMs;
/** An account of a run or a session is forgotten so long after it was last used. */
const idleDays = 30;
const valueCharsMax = 150;

export function accountOf(budget: Budget, place: Place, now: number): Account {
	const scopes = scopesOf(budget);
	const parts = scopes.map((scope) => {
		const value = scope === "session" ? (place.session ?? place.run) : place[scope];
		return value === undefined ? `${scope}-` : `${scope}=${escaped(value)}`;
	});
	if (!budget.window) {
		const until = isBrief(budget) ? now + idleDays * dayMs : undefined;
		return { account: [accountPrefix(budget), ...parts].join("/"), until };
	}
	const { from, until } = windowAt(budget.window, now);
	const window = `${budget.window}=${labelOf(budget.window, from)}`;
	return { account: [accountPrefix(budget), ...parts, window].join("/"), until: until + graceMs };
}

function isBrief(budget: Pick<Budget, "per">): boolean {
	const scopes = scopesOf(budget);
	return scopes.includes("run") || scopes.includes("session");
}

/** When there is more again, as a sentence. */
export function renewalOf(budget: Pick<Budget, "window" | "per">, now: number): string {
	const { window } = budget;
	if (window) return `It is renewed at ${new Date(windowAt(window, now).until).toISOString().replace(/\.000Z$/, "Z")}.`;
	if (!isBrief(budget)) return "It is not renewed.";
	return `It is not renewed before it was left unused for ${idleDays} days.`;
}

/** Whether it is the account of this place, be it of a window before. */
export function isAccountOf({ window: _any, ...budget }: Budget, place: Place, account: string): boolean {
	const { account: own } = accountOf(budget, place, 0);
	return account.startsWith(own) && /^(?:\/(?:hour|day|month)=[^/]+)?$/.test(account.slice(own.length));
}

/** Another unit is another account: what was counted as calls is no amount of money. */
export function accountPrefix({ name, counts }: Pick<Budget, "name" | "counts">): string {
	return `budget:${name}/${escaped(unitOf(counts))}`;
}

export function unitOf(counts: Counted): string {
	return typeof counts === "string" ? counts : `${counts.tool}.${counts.sum}`;
}

export function scopesOf({ per }: Pick<Budget, "per">): readonly BudgetScope[] {
	if (per === undefined) return [];
	return typeof per === "string" ? [per] : per;
}

function escaped(value: string): string {
	// Half of a surrogate pair cannot be escaped.
	const text = value.isWellFormed() ? encodeURIComponent(value) : undefined;
	return text !== undefined && text.length <= valueCharsMax ? text : `#${digest(JSON.stringify(value))}`;
}

export interface Window {
	readonly from: number;
	/** Where the next one begins. */
	readonly until: number;
}

export function windowAt(window: BudgetWindow, now: number): Window {
	if (window === "month") {
		const date = new Date(now);
		const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
		return { from: Date.UTC(year, month), until: Date.UTC(year, month + 1) };
	}
	const ms = window === "hour" ? hourMs : dayMs;
	const from = Math.floor(now / ms) * ms;
	return { from, until: from + ms };
}

const labelChars: { readonly [Window in BudgetWindow]: number } = { hour: 13, day: 10, month: 7 };

function labelOf(window: BudgetWindow, from: number): string {
	return new Date(from).toISOString().slice(0, labelChars[window]);
}

/** Whose an account is, and of which window, from its name; undefined: it is none of this budget as it is now. */
export function readAccount(
	budget: Budget,
	account: string,
	now: number,
): Pick<BudgetAccount, "of" | "window" | "isCurrent"> | undefined {
	const prefix = accountPrefix(budget);
	if (account !== prefix && !account.startsWith(`${prefix}/`)) return undefined;
	const parts = account.slice(prefix.length + 1).split("/");
	const scopes = scopesOf(budget);
	const named = parts[0] === "" ? [] : parts;
	if (named.length !== scopes.length + (budget.window ? 1 : 0)) return undefined;
	const of: { [Scope in BudgetScope]?: string | undefined } = {};
	for (const [at, scope] of scopes.entries()) {
		const part = named[at] ?? "";
		if (part !== `${scope}-` && !part.startsWith(`${scope}=`)) return undefined;
		of[scope] = part === `${scope}-` ? undefined : unescaped(part.slice(scope.length + 1));
	}
	if (!budget.window) return { of, window: undefined, isCurrent: true };
	const window = windowNamed(budget.window, named.at(-1) ?? "");
	return window && { of, window, isCurrent: window.from <= now && now < window.until };
}

/** Accounts are not sealed: what somebody else wrote is shown as it is. */
function unescaped(text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}

function windowNamed(kind: BudgetWindow, part: string): Window | undefined {
	if (!part.startsWith(`${kind}=`)) return undefined;
	const from = Date.parse(
		`${part.slice(kind.length + 1)}${{ hour: ":00Z", day: "T00:00Z", month: "-01T00:00Z" }[kind]}`,
	);
	return Number.isNaN(from) ? undefined : windowAt(kind, from);
}
