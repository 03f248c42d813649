import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import type { Store } from "../../../spec/store.ts";
import { create } from "../../../testing/store-contract/fixture.ts";
import { sqliteStore } from "../sqlite.ts";
import { nodeSqlite, type SqlEngine } from "./sql-engine.ts";

const before = { updatedAt: 5, run: "r" };

test.each<[string, (store: Store) => Promise<unknown>]>([
	["all runs", (store) => store.runs({})],
	["a page of runs", (store) => store.runs({ before })],
	["runs by status", (store) => store.runs({ status: ["failed", "waiting"] })],
	["runs of a session", (store) => store.runs({ session: "s", status: ["waiting"], before })],
	["ready runs", (store) => store.runs({ readyAt: 5 })],
	["ready runs by status", (store) => store.runs({ readyAt: 5, status: ["waiting"], before })],
	["open approvals", (store) => store.approvals({})],
	["approvals of a run", (store) => store.approvals({ run: "r" })],
	["one run", (store) => store.load("r")],
	["a blob", (store) => store.blob("r", "d")],
])("%s are found without walking a table", async (_, query) => {
	const dir = mkdtempSync(join(tmpdir(), "holdpoint-list-"));
	onTestFinished(() => rmSync(dir, { recursive: true }));
	const prepared: string[] = [];
	const engine: SqlEngine = {
		...nodeSqlite,
		open(path, options) {
			const driver = nodeSqlite.open(path, options);
			const prepare = (sql: string) => {
				prepared.push(sql);
				return driver.prepare(sql);
			};
			return { exec: (sql) => driver.exec(sql), close: () => driver.close(), prepare };
		},
	};
	const store = sqliteStore(join(dir, "runs.db"), { engine });
	await create(store, "r");
	prepared.length = 0;
	await query(store);
	await store.close();

	const database = new DatabaseSync(join(dir, "runs.db"));
	const selects = prepared.filter((sql) => /^\s*SELECT/.test(sql));
	const steps = selects.flatMap((sql) => database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all());
	database.close();
	expect(selects.length).toBeGreaterThan(0);
	// Unread signals are few: they may be walked. An index that gives the order may be walked up to the limit.
	const walks = steps.map(({ detail }) => String(detail)).filter((detail) => /^SCAN (?!signals)/.test(detail));
	expect(walks.filter((detail) => !detail.startsWith("SCAN approvals USING INDEX approvals_by_age"))).toEqual([]);
});
