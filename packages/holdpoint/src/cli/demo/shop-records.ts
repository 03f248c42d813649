import { nodeSqlite } from "../../adapters/stores/sqlite/sql-engine.ts";

/** What the shop's own database says happened, asked after the fact. */
export interface ShopRecords {
	/** Of the agent; earlier ones of the shop are left out. */
	readonly refunds: readonly { readonly orderId: string; readonly amountCents: number; readonly key: string }[];
	readonly messages: number;
	readonly accesses: readonly { readonly tool: string; readonly key: string; readonly pid: number }[];
	readonly orders: number;
}

/** What of the payments for an order was not paid back yet. Units: cents. */
export function refundableCents(path: string, orderId: string): number {
	const database = nodeSqlite.open(path, { readOnly: true, timeoutMs: 1_000 });
	try {
		const sum = (table: "payments" | "refunds"): number =>
			Number(
				database.prepare(`SELECT coalesce(sum(amount_cents), 0) AS n FROM ${table} WHERE order_id = ?`).get(orderId)?.n,
			);
		return sum("payments") - sum("refunds");
	} finally {
		database.close();
	}
}

export function readShop(path: string): ShopRecords {
	const database = nodeSqlite.open(path, { readOnly: true, timeoutMs: 1_000 });
	try {
		const refunds = database
			.prepare(
				"SELECT order_id, amount_cents, idempotency_key FROM refunds WHERE idempotency_key NOT LIKE 'door-%' ORDER BY id",
			)
			.all();
		const accesses = database.prepare("SELECT tool, idempotency_key, process_id FROM access_log ORDER BY id").all();
		const count = (table: "messages" | "orders"): number =>
			Number(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n);
		return {
			refunds: refunds.map((row) => ({
				orderId: String(row.order_id),
				amountCents: Number(row.amount_cents),
				key: String(row.idempotency_key),
			})),
			messages: count("messages"),
			accesses: accesses.map((row) => ({
				tool: String(row.tool),
				key: String(row.idempotency_key),
				pid: Number(row.process_id),
			})),
			orders: count("orders"),
		};
	} finally {
		database.close();
	}
}
