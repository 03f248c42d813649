import { DatabaseSync } from "node:sqlite";
import type { ToolOutcome } from "../outcome.ts";
import { canonical } from "./canonical.ts";
import type { Order, Product, RetailData, RetailDb, RetailRecord, User } from "./records.ts";
import type { StoredEffect, WorldStore } from "./world-store.ts";

/*
 * The shop in a SQLite file. A record's body is its canonical text, so the canonical text of the database is its rows
 * in the order of their ids (SQLite compares text byte by byte, which for UTF-8 is by code point). Rows keep the order
 * in which db.json was loaded in their rowid. Every commit is on the disk before it is answered.
 */

const schema = `
	CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, body TEXT NOT NULL);
	CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, body TEXT NOT NULL);
	CREATE TABLE IF NOT EXISTS products (id TEXT PRIMARY KEY, body TEXT NOT NULL);
	CREATE TABLE IF NOT EXISTS effects (
		key TEXT PRIMARY KEY, tool TEXT NOT NULL, result TEXT NOT NULL, request TEXT NOT NULL
	);
`;
const busyTimeoutMs = 5000;
const tables = ["orders", "products", "users"] as const;
type Table = (typeof tables)[number];

export function sqliteStore(path: string, seed: RetailData | undefined): WorldStore {
	const sqlite = new DatabaseSync(path, { timeout: busyTimeoutMs });
	sqlite.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
	const transaction = transactionsOf(sqlite);
	transaction(() => {
		sqlite.exec(schema);
		if (isEmpty(sqlite)) load(sqlite, seed, path);
	});
	return {
		db: databaseOf(sqlite),
		transaction,
		...effectsOf(sqlite),
		text: textOf(sqlite),
		close: () => sqlite.close(),
	};
}

function transactionsOf(sqlite: DatabaseSync): WorldStore["transaction"] {
	return (work) => {
		sqlite.exec("BEGIN IMMEDIATE");
		try {
			const result = work();
			sqlite.exec("COMMIT");
			return result;
		} catch (error) {
			if (sqlite.isTransaction) sqlite.exec("ROLLBACK");
			throw error;
		}
	};
}

function isEmpty(sqlite: DatabaseSync): boolean {
	return sqlite.prepare("SELECT 1 FROM products LIMIT 1").get() === undefined;
}

function load(sqlite: DatabaseSync, seed: RetailData | undefined, path: string): void {
	if (!seed) throw new Error(`The retail world ${path} is empty: open it once with \`seed\`, the content of db.json`);
	for (const table of tables) {
		const insert = sqlite.prepare(`INSERT INTO ${table} (id, body) VALUES (?, ?)`);
		for (const [id, record] of Object.entries<RetailRecord>(seed[table])) insert.run(id, canonical(record));
	}
}

function databaseOf(sqlite: DatabaseSync): RetailDb {
	const user = finder<User>(sqlite, "users");
	const order = finder<Order>(sqlite, "orders");
	const product = finder<Product>(sqlite, "products");
	const putUser = sqlite.prepare("UPDATE users SET body = ? WHERE id = ?");
	const putOrder = sqlite.prepare("UPDATE orders SET body = ? WHERE id = ?");
	return {
		user: user.one,
		order: order.one,
		product: product.one,
		users: user.all,
		products: product.all,
		putUser: (record) => void putUser.run(canonical(record), record.user_id),
		putOrder: (record) => void putOrder.run(canonical(record), record.order_id),
	};
}

function finder<T extends RetailRecord>(sqlite: DatabaseSync, table: Table) {
	const one = sqlite.prepare(`SELECT body FROM ${table} WHERE id = ?`);
	const all = sqlite.prepare(`SELECT body FROM ${table} ORDER BY rowid`);
	return {
		one(id: string): T | undefined {
			const row = one.get(id);
			return row && (JSON.parse(String(row["body"])) as T);
		},
		*all(): Iterable<T> {
			for (const row of all.iterate()) yield JSON.parse(String(row["body"])) as T;
		},
	};
}

function effectsOf(sqlite: DatabaseSync): Pick<WorldStore, "effect" | "addEffect" | "effects"> {
	const one = sqlite.prepare("SELECT key, tool, result, request FROM effects WHERE key = ?");
	const all = sqlite.prepare("SELECT key, tool, result, request FROM effects ORDER BY rowid");
	const add = sqlite.prepare("INSERT INTO effects (key, tool, result, request) VALUES (?, ?, ?, ?)");
	return {
		effect(key) {
			const row = one.get(key);
			return row && effectOf(row);
		},
		addEffect: ({ key, tool, outcome, request }) => void add.run(key, tool, JSON.stringify(outcome), request),
		effects: () => all.all().map(effectOf),
	};
}

function effectOf(row: Record<string, unknown>): StoredEffect {
	return {
		key: String(row["key"]),
		tool: String(row["tool"]),
		outcome: JSON.parse(String(row["result"])) as ToolOutcome,
		request: String(row["request"]),
	};
}

function textOf(sqlite: DatabaseSync): () => string {
	const selects = tables.map((table) => sqlite.prepare(`SELECT id, body FROM ${table} ORDER BY id`));
	const tableText = (table: Table, i: number) => {
		const rows = selects[i]?.all() ?? [];
		return `"${table}":{${rows.map((row) => `${JSON.stringify(row["id"])}:${row["body"]}`).join(",")}}`;
	};
	return () => {
		// One read transaction sees one state, also while another process writes.
		sqlite.exec("BEGIN");
		try {
			return `{${tables.map(tableText).join(",")}}`;
		} finally {
			sqlite.exec("ROLLBACK");
		}
	};
}
