import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nodeSqlite, type SqlRow } from "../../adapters/stores/sqlite/sql-engine.ts";
import { canonicalDump, makeShop, planted } from "./shop-database.ts";

let folder: string;
let path: string;

beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), "holdpoint-shop-"));
	path = join(folder, "shop.db");
	makeShop(path);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function rows(sql: string): SqlRow[] {
	const database = nodeSqlite.open(path, { readOnly: true, timeoutMs: 1_000 });
	try {
		return database.prepare(sql).all();
	} finally {
		database.close();
	}
}

describe("the generated shop", () => {
	test("is the same for the same seed, and another for another", () => {
		const digest = (file: string): string => createHash("sha256").update(canonicalDump(file)).digest("hex");
		makeShop(join(folder, "again.db"));
		makeShop(join(folder, "other.db"), 8);
		expect(digest(join(folder, "again.db"))).toBe(digest(path));
		expect(digest(join(folder, "other.db"))).not.toBe(digest(path));
		// Held, so that a change of the generator is noticed: the demo's words name its orders.
		expect(digest(path)).toBe("bc2ea3428f8dfab3dcc098262e16b1c9590abbd21b612aafa5b0b81a833a7076");
	});

	test("has the size of a shop, and its rows belong together", () => {
		expect(
			rows(
				"SELECT (SELECT count(*) FROM customers) AS c, (SELECT count(*) FROM products) AS p, (SELECT count(*) FROM orders) AS o",
			),
		).toEqual([{ c: 600, p: 80, o: 3_002 }]);
		expect(rows("PRAGMA foreign_key_check")).toEqual([]);
		expect(rows("SELECT id FROM orders WHERE id NOT IN (SELECT order_id FROM items)")).toEqual([]);
	});

	test("charges what it says: goods after discount, shipping once or never", () => {
		const wrong = rows(`
			SELECT o.id FROM orders o WHERE
				(SELECT sum(amount_cents) FROM payments WHERE order_id = o.id AND kind = 'goods')
				<> (SELECT sum(CAST(round(quantity * unit_price_cents * (100 - o.discount_percent) / 100.0) AS INTEGER)) FROM items WHERE order_id = o.id)`);
		expect(wrong).toEqual([]);
		const twice = rows(
			"SELECT order_id FROM payments WHERE kind = 'shipping' GROUP BY order_id HAVING count(*) > 1 ORDER BY 1",
		);
		expect(twice.map((row) => row["order_id"])).toEqual([planted.largeOrder, planted.smallOrder]);
	});
});
