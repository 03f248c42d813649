/** What the second act's agents can do beyond the first one's: send a thing again. In the same database, as the others. */
import { nodeSqlite, type SqlDriver } from "../../adapters/stores/sqlite/sql-engine.ts";
import type { Tool } from "../../spec/tool.ts";
import { defineTool } from "../../tools/define-tool.ts";
import { jsonSchema } from "../../tools/json-schema.ts";
import { onceUnderKey } from "./shop-tools.ts";

const table = `CREATE TABLE IF NOT EXISTS replacements (
	id INTEGER PRIMARY KEY,
	order_id TEXT NOT NULL REFERENCES orders (id),
	product TEXT NOT NULL,
	send_to TEXT NOT NULL,
	idempotency_key TEXT NOT NULL UNIQUE
) STRICT`;

const busyMs = 2_000;

interface Replacement {
	readonly orderId: string;
	readonly product: string;
	readonly sendTo: string;
}

const text = { type: "string", minLength: 1, maxLength: 200 } as const;

/** Over the database of the shop in this file. */
export function sendAgain(path: string): Tool {
	let opened: SqlDriver | undefined;
	const shop = (): SqlDriver => {
		if (opened) return opened;
		opened = nodeSqlite.open(path, { readOnly: false, timeoutMs: busyMs });
		opened.exec(table);
		return opened;
	};
	return defineTool({
		name: "send_again",
		description: "Sends one item of an order again, free of charge.",
		effect: "write",
		repeat: "keyed",
		input: jsonSchema<Replacement>({
			type: "object",
			properties: { orderId: text, product: text, sendTo: text },
			required: ["orderId", "product", "sendTo"],
			additionalProperties: false,
		}),
		execute({ orderId, product, sendTo }, context) {
			const find = (key: string) => shop().prepare("SELECT id FROM replacements WHERE idempotency_key = ?").get(key);
			const make = (key: string): void => {
				shop().prepare("INSERT INTO replacements VALUES (NULL, ?, ?, ?, ?)").run(orderId, product, sendTo, key);
			};
			const row = onceUnderKey(shop(), { tool: "send_again", context, find, make });
			return { replacement: Number(row.id), orderId, product, sendTo };
		},
	});
}

/** What was sent again, as the shop's database has it. */
export function replacementsOf(path: string): readonly string[] {
	const shop = nodeSqlite.open(path, { readOnly: false, timeoutMs: busyMs });
	try {
		shop.exec(table);
		const rows = shop.prepare("SELECT order_id, product, send_to FROM replacements ORDER BY id").all();
		return rows.map((row) => `${row.product} of ${row.order_id} to ${row.send_to}`);
	} finally {
		shop.close();
	}
}
