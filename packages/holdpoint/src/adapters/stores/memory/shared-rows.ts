/** What runs share: documents and accounts. A change is made on a copy, so that it is all or nothing. */
import * as door from "../../../kit/check-commit.ts";
import { compareText } from "../../../kit/newest-first.ts";
import { fixedLimits } from "../../../spec/limits.ts";
import type { AccountQuery, AccountRow, StoredDocument, Write } from "../../../spec/store.ts";

const { accountsEndedMax, accountsSweepEvery } = fixedLimits;

export interface Shared {
	readonly documents: Map<string, StoredDocument>;
	readonly accounts: Map<string, AccountRow>;
}

export function emptyShared(): Shared {
	return { documents: new Map(), accounts: new Map() };
}

export function revisions({ documents }: Shared): number {
	let sum = 0;
	for (const { rev } of documents.values()) sum += rev;
	return sum;
}

export function readDocument(
	{ documents }: Shared,
	name: string,
	known: number,
): StoredDocument | "unchanged" | undefined {
	door.checkDocumentKey(name, known);
	const found = documents.get(name);
	return found?.rev === known ? "unchanged" : found;
}

export function listAccounts({ accounts }: Shared, query: AccountQuery): AccountRow[] {
	const limit = door.checkAccountQuery(query);
	const rows = [...accounts.values()].filter(({ account }) => account.startsWith(query.prefix ?? ""));
	return rows.sort((a, b) => compareText(a.account, b.account)).slice(0, limit);
}

export interface SharedChange extends Shared {
	/** Of the run. */
	readonly holds: Map<string, number>;
}

/** What runs share as it will be, or an error and nothing has happened. */
export function sharedAfter(
	shared: Shared,
	held: ReadonlyMap<string, number> | undefined,
	writes: readonly Write[],
): SharedChange {
	const change = {
		documents: new Map(shared.documents),
		accounts: new Map(shared.accounts),
		holds: new Map(held ?? []),
	};
	for (const write of writes) {
		if (write.kind === "document") putDocument(change.documents, write.document);
		if (write.kind === "reserve") reserve(change, write);
		if (write.kind === "settle") settle(change, write);
		if (write.kind === "settle.rest") settleRest(change, write);
	}
	return change;
}

function putDocument(documents: Map<string, StoredDocument>, document: StoredDocument): void {
	const { name, rev, body, mac } = document;
	const now = documents.get(name)?.rev ?? 0;
	if (rev !== now + 1) throw door.conflict(document, now);
	documents.set(name, { name, rev, body, mac });
}

function reserve({ accounts, holds }: SharedChange, write: Write & { kind: "reserve" }): void {
	const { account, amount, max, until, now } = write;
	if (!accounts.has(account) && (accounts.size + 1) % accountsSweepEvery === 0) forgetEnded(accounts, now);
	const { spent, held } = accounts.get(account) ?? { spent: 0, held: 0 };
	const key = holdKey(write);
	const others = held - (holds.get(key) ?? 0);
	if (spent + others + amount > max) throw door.exhausted(account, spent + others, write);
	accounts.set(account, { account, spent, held: others + amount, until });
	holds.set(key, amount);
}

/** A clock that is ahead says of every account that it ended: the last ones of all stay. */
function forgetEnded(accounts: SharedChange["accounts"], now: number): void {
	const endOf = ({ until = Number.POSITIVE_INFINITY }: AccountRow) => until;
	const ended = [...accounts.values()].filter((row) => endOf(row) <= now && row.held === 0);
	const tooMany = Math.min(ended.length - accountsEndedMax, 2 * accountsSweepEvery);
	if (tooMany <= 0) return;
	ended.sort((a, b) => endOf(a) - endOf(b));
	for (const { account } of ended.slice(0, tooMany)) accounts.delete(account);
}

function settle({ accounts, holds }: SharedChange, write: Write & { kind: "settle" }): void {
	const key = holdKey(write);
	const amount = holds.get(key);
	const row = accounts.get(write.account);
	if (amount === undefined || !row) return;
	const spent = Math.min(row.spent + write.amount, Number.MAX_SAFE_INTEGER);
	accounts.set(write.account, { ...row, held: row.held - amount, spent });
	holds.delete(key);
}

function settleRest(change: SharedChange, { holder: only, unspent }: Write & { kind: "settle.rest" }): void {
	for (const [key, amount] of change.holds) {
		const [holder, account] = key.split("\0") as [string, string];
		if (only !== undefined && holder !== only) continue;
		settle(change, { kind: "settle", holder, account, amount: unspent ? 0 : amount });
	}
}

function holdKey({ holder, account }: { readonly holder: string; readonly account: string }): string {
	return `${holder}\0${account}`;
}
