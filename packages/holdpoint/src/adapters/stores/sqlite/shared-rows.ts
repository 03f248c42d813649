/** The statements for what runs share: documents and accounts. Each runs inside a transaction of its caller. */
import * as door from "../../../kit/check-commit.ts";
import { fixedLimits } from "../../../spec/limits.ts";
import type { AccountQuery, AccountRow, StoredDocument, Write } from "../../../spec/store.ts";
import { numberOf, optionalNumber, packCode, textOf, unpackCode } from "./columns.ts";
import type { Connection } from "./connection.ts";

const { accountsEndedMax, accountsSweepEvery } = fixedLimits;

export function readDocument(
	connection: Connection,
	name: string,
	known: number,
): StoredDocument | "unchanged" | undefined {
	const row = connection.sql("SELECT rev FROM documents WHERE name = ?").get(name);
	if (!row) return undefined;
	const rev = numberOf(row.rev);
	if (rev === known) return "unchanged";
	const found = connection.sql("SELECT mac, body FROM documents WHERE name = ?").get(name);
	return { name, rev, body: textOf(found?.body), mac: unpackCode(found?.mac) };
}

export function revisions(connection: Connection): number {
	return numberOf(connection.sql("SELECT coalesce(sum(rev), 0) AS documents FROM documents").get()?.documents);
}

/** Errors: `store.conflict`. */
export function writeDocument(connection: Connection, document: StoredDocument): void {
	const { name, rev, body, mac } = document;
	const row = connection.sql("SELECT rev FROM documents WHERE name = ?").get(name);
	const now = row ? numberOf(row.rev) : 0;
	if (rev !== now + 1) throw door.conflict(document, now);
	// The one before may hold what is to be gone: in pages of a long text, too.
	connection.exec("PRAGMA secure_delete = ON");
	try {
		connection
			.sql("REPLACE INTO documents (name, rev, mac, body) VALUES (?, ?, ?, ?)")
			.run(name, rev, packCode(mac), body);
	} finally {
		connection.exec("PRAGMA secure_delete = FAST");
	}
}

/** Errors: `budget.exhausted`. */
export function reserve(connection: Connection, run: number, write: Write & { kind: "reserve" }): void {
	const { account, holder, amount, max, until, now } = write;
	const { id, spent, held } = accountRow(connection, account, now);
	const others = held - (heldBy(connection, { run, holder, id }) ?? 0);
	if (spent + others + amount > max) throw door.exhausted(account, spent + others, write);
	connection.sql("REPLACE INTO holds (run, holder, account, amount) VALUES (?, ?, ?, ?)").run(run, holder, id, amount);
	connection.sql("UPDATE accounts SET held = ?, until = ? WHERE id = ?").run(others + amount, until ?? null, id);
}

export function settle(connection: Connection, run: number, write: Write & { kind: "settle" }): void {
	const found = connection.sql("SELECT id FROM accounts WHERE account = ?").get(write.account);
	if (!found) return;
	const hold = { run, holder: write.holder, id: numberOf(found.id) };
	const held = heldBy(connection, hold);
	if (held === undefined) return;
	connection
		.sql("UPDATE accounts SET held = held - ?, spent = min(spent + ?, ?) WHERE id = ?")
		.run(held, write.amount, Number.MAX_SAFE_INTEGER, hold.id);
	connection.sql("DELETE FROM holds WHERE run = ? AND holder = ? AND account = ?").run(run, hold.holder, hold.id);
}

export function settleRest(connection: Connection, run: number, write: Write & { kind: "settle.rest" }): void {
	const holder = write.holder ?? null;
	const rows = connection
		.sql("SELECT account, amount FROM holds WHERE run = ?1 AND (?2 IS NULL OR holder = ?2)")
		.all(run, holder);
	for (const row of rows) {
		const amount = numberOf(row.amount);
		connection
			.sql("UPDATE accounts SET held = held - ?, spent = min(spent + ?, ?) WHERE id = ?")
			.run(amount, write.unspent ? 0 : amount, Number.MAX_SAFE_INTEGER, numberOf(row.account));
	}
	if (rows.length > 0)
		connection.sql("DELETE FROM holds WHERE run = ?1 AND (?2 IS NULL OR holder = ?2)").run(run, holder);
}

/** A clock that is ahead says of every account that it ended: the last ones of all stay. */
function forgetEnded(connection: Connection, now: number): void {
	const row = connection.sql("SELECT count(*) AS ended FROM accounts WHERE until <= ? AND held = 0").get(now);
	const tooMany = Math.min(numberOf(row?.ended) - accountsEndedMax, 2 * accountsSweepEvery);
	if (tooMany <= 0) return;
	const first = "SELECT id FROM accounts WHERE until <= ? AND held = 0 ORDER BY until LIMIT ?";
	connection.sql(`DELETE FROM accounts WHERE id IN (${first})`).run(now, tooMany);
}

/** Only with new ones does their number grow: some of them look after that. */
function accountRow(connection: Connection, account: string, now: number) {
	const found = connection.sql("SELECT id, spent, held FROM accounts WHERE account = ?").get(account);
	if (found) return { id: numberOf(found.id), spent: numberOf(found.spent), held: numberOf(found.held) };
	const row = connection.sql("INSERT INTO accounts (account, spent, held) VALUES (?, 0, 0) RETURNING id").get(account);
	const id = numberOf(row?.id);
	if (id % accountsSweepEvery === 0) forgetEnded(connection, now);
	return { id, spent: 0, held: 0 };
}

interface Hold {
	readonly run: number;
	readonly holder: string;
	/** Of the account. */
	readonly id: number;
}

function heldBy(connection: Connection, { run, holder, id }: Hold): number | undefined {
	const row = connection
		.sql("SELECT amount FROM holds WHERE run = ? AND holder = ? AND account = ?")
		.get(run, holder, id);
	return row && numberOf(row.amount);
}

export function listAccounts(connection: Connection, query: AccountQuery): AccountRow[] {
	const limit = door.checkAccountQuery(query);
	const { prefix = "" } = query;
	const rows = connection
		.sql(
			"SELECT account, spent, held, until FROM accounts WHERE account >= ?1 AND substr(account, 1, length(?1)) = ?1 ORDER BY account LIMIT ?2",
		)
		.all(prefix, limit);
	return rows.map((row) => ({
		account: textOf(row.account),
		spent: numberOf(row.spent),
		held: numberOf(row.held),
		until: optionalNumber(row.until),
	}));
}
