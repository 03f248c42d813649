/**
 * The tools of the demo's shop. The readers look into its database; `refund_order` and `send_message` change it, each
 * in one transaction under the call's idempotency key: however often a call is tried, it happens once.
 */
import { nodeSqlite, type SqlDriver, type SqlRow } from "../../adapters/stores/sqlite/sql-engine.ts";
import type { JsonSchema } from "../../spec/json.ts";
import type { Labels, Tool, ToolContext } from "../../spec/tool.ts";
import { defineTool } from "../../tools/define-tool.ts";
import { jsonSchema } from "../../tools/json-schema.ts";
import { euros } from "./euros.ts";
import { freeShippingFromCents, shippingCents } from "./shop-database.ts";

const pageOrders = 5;
const busyMs = 2_000;

const text = { type: "string", minLength: 1, maxLength: 200 } as const;
const cents = { type: "integer" } as const;
const day = { type: "string", description: "YYYY-MM-DD" } as const;

/**
 * What the shop keeps about its customer: numbers, names and the catalogue, and nothing that others wrote. It is the
 * customer's and the shop's to read, and what is asked for stays in the shop.
 */
const records: Labels = { integrity: "trusted", readers: ["principal", "shop"], audience: ["shop"] };
/** The mail goes to the customer. That it is the one on whose behalf the run works is the policy's to see to. */
const mail: Labels = { ...records, audience: ["principal"] };

function record<T>(properties: { readonly [name: string]: JsonSchema }) {
	return jsonSchema<T>({ type: "object", properties, required: Object.keys(properties), additionalProperties: false });
}

function list(properties: { readonly [name: string]: JsonSchema }): JsonSchema {
	return { type: "array", items: { type: "object", properties, required: Object.keys(properties) } };
}

/** The shop's tools over the database in this file, which is opened on first use. */
export function shopTools(path: string): readonly Tool[] {
	let opened: SqlDriver | undefined;
	const shop = (): SqlDriver => (opened ??= nodeSqlite.open(path, { readOnly: false, timeoutMs: busyMs }));
	return [
		findCustomer(shop),
		refundPolicy(shop),
		listOrders(shop),
		getOrder(shop),
		refundOrder(shop),
		sendMessage(shop),
	];
}

type Shop = () => SqlDriver;

/** The shop's own record of what it did, beside ours. */
function log(shop: SqlDriver, tool: string, { idempotencyKey }: ToolContext): void {
	shop.prepare("INSERT INTO access_log VALUES (NULL, ?, ?, ?)").run(tool, idempotencyKey, process.pid);
}

function one(row: SqlRow | undefined, what: string): SqlRow {
	if (row) return row;
	throw new Error(`There is no ${what}`);
}

function findCustomer(shop: Shop): Tool {
	return defineTool({
		name: "find_customer",
		description: "Finds the customer with this e-mail address.",
		effect: "read",
		labels: records,
		input: record<{ email: string }>({ email: text }),
		output: record<{ id: string; name: string; email: string; city: string; customerSince: string }>({
			id: text,
			name: text,
			email: text,
			city: text,
			customerSince: day,
		}),
		execute({ email }, context) {
			const found = shop()
				.prepare("SELECT id, name, email, city, customer_since FROM customers WHERE email = ?")
				.get(email.toLowerCase());
			const row = one(found, `customer with the address ${email}`);
			log(shop(), "find_customer", context);
			return {
				id: String(row.id),
				name: String(row.name),
				email: String(row.email),
				city: String(row.city),
				customerSince: String(row.customer_since),
			};
		},
	});
}

function refundPolicy(shop: Shop): Tool {
	const rules = {
		damageClaimDays: 14,
		shippingCents,
		freeShippingFromCents,
		text:
			"Damage in transit that is reported within 14 days of delivery is refunded in full, at the price paid after " +
			"discount. " +
			`Shipping costs ${euros(shippingCents)} once an order; from ${euros(freeShippingFromCents)} of goods on it is ` +
			"free. What was charged beyond that is refunded. " +
			"What was refunded before is taken off.",
	};
	return defineTool({
		name: "get_refund_policy",
		description: "The shop's rules for refunds, as text and as numbers.",
		effect: "read",
		labels: { ...records, readers: ["everyone"] },
		input: record<Record<never, never>>({}),
		output: record<typeof rules>({
			damageClaimDays: cents,
			shippingCents: cents,
			freeShippingFromCents: cents,
			text: { type: "string" },
		}),
		execute(_, context) {
			log(shop(), "get_refund_policy", context);
			return rules;
		},
	});
}

const orderFields = {
	id: text,
	placedOn: day,
	deliveredOn: { type: ["string", "null"], description: "YYYY-MM-DD" },
	status: text,
} as const;

interface OrderHead {
	readonly id: string;
	readonly placedOn: string;
	readonly deliveredOn: string | null;
	readonly status: string;
}

function orderHead(row: SqlRow): OrderHead {
	const deliveredOn = row.delivered_on === null ? null : String(row.delivered_on);
	return { id: String(row.id), placedOn: String(row.placed_on), deliveredOn, status: String(row.status) };
}

function listOrders(shop: Shop): Tool {
	return defineTool({
		name: "list_orders",
		description: `A customer's orders, the newest first, ${pageOrders} a page.`,
		effect: "read",
		labels: records,
		input: jsonSchema<{ customerId: string; page?: number }>({
			type: "object",
			properties: { customerId: text, page: { type: "integer", minimum: 1, description: "default 1" } },
			required: ["customerId"],
			additionalProperties: false,
		}),
		output: record<{ orders: OrderHead[]; nextPage: number | null }>({
			orders: list(orderFields),
			nextPage: { type: ["integer", "null"] },
		}),
		execute({ customerId, page = 1 }, context) {
			log(shop(), "list_orders", context);
			const rows = shop()
				.prepare(
					"SELECT id, placed_on, delivered_on, status FROM orders WHERE customer_id = ? ORDER BY placed_on DESC, id LIMIT ? OFFSET ?",
				)
				.all(customerId, pageOrders + 1, (page - 1) * pageOrders);
			return { orders: rows.slice(0, pageOrders).map(orderHead), nextPage: rows.length > pageOrders ? page + 1 : null };
		},
	});
}

interface Order extends OrderHead {
	readonly discountPercent: number;
	readonly items: { readonly product: string; readonly quantity: number; readonly unitPriceCents: number }[];
	readonly payments: { readonly kind: string; readonly amountCents: number; readonly capturedOn: string }[];
	readonly refunds: { readonly amountCents: number; readonly reason: string; readonly refundedOn: string }[];
}

function getOrder(shop: Shop): Tool {
	return defineTool({
		name: "get_order",
		description:
			"One order with its items, the payments that were taken, and earlier refunds. Discount applies to items.",
		effect: "read",
		labels: records,
		input: record<{ orderId: string }>({ orderId: text }),
		output: record<Order>({
			...orderFields,
			discountPercent: cents,
			items: list({ product: text, quantity: cents, unitPriceCents: cents }),
			payments: list({ kind: { enum: ["goods", "shipping"] }, amountCents: cents, capturedOn: day }),
			refunds: list({ amountCents: cents, reason: text, refundedOn: day }),
		}),
		execute({ orderId }, context) {
			const order = readOrder(shop(), orderId);
			log(shop(), "get_order", context);
			return order;
		},
	});
}

function readOrder(shop: SqlDriver, orderId: string): Order {
	const row = one(shop.prepare("SELECT * FROM orders WHERE id = ?").get(orderId), `order ${orderId}`);
	const items = shop.prepare(
		"SELECT name, quantity, unit_price_cents FROM items JOIN products ON products.id = product_id WHERE order_id = ? ORDER BY position",
	);
	const payments = shop.prepare("SELECT kind, amount_cents, captured_on FROM payments WHERE order_id = ? ORDER BY id");
	const refunds = shop.prepare("SELECT amount_cents, reason, refunded_on FROM refunds WHERE order_id = ? ORDER BY id");
	return {
		...orderHead(row),
		discountPercent: Number(row.discount_percent),
		items: items.all(orderId).map((item) => ({
			product: String(item.name),
			quantity: Number(item.quantity),
			unitPriceCents: Number(item.unit_price_cents),
		})),
		payments: payments.all(orderId).map((paid) => ({
			kind: String(paid.kind),
			amountCents: Number(paid.amount_cents),
			capturedOn: String(paid.captured_on),
		})),
		refunds: refunds.all(orderId).map((one) => ({
			amountCents: Number(one.amount_cents),
			reason: String(one.reason),
			refundedOn: String(one.refunded_on),
		})),
	};
}

function refundOrder(shop: Shop): Tool {
	return defineTool({
		name: "refund_order",
		description: "Pays money of an order back to its customer. A large refund must be approved by a person first.",
		effect: "write",
		repeat: "keyed",
		labels: records,
		input: record<{ orderId: string; amountCents: number; reason: string }>({
			orderId: text,
			amountCents: { type: "integer", minimum: 1, maximum: 1_000_000 },
			reason: text,
		}),
		output: record<{ refund: number; orderId: string; amountCents: number }>({
			refund: cents,
			orderId: text,
			amountCents: cents,
		}),
		execute({ orderId, amountCents, reason }, context) {
			const find = (key: string) =>
				shop().prepare("SELECT id, order_id, amount_cents FROM refunds WHERE idempotency_key = ?").get(key);
			const make = (key: string): void => {
				const { payments, refunds } = readOrder(shop(), orderId);
				const left = total(payments) - total(refunds);
				if (amountCents > left) throw new Error(`Of order ${orderId} only ${euros(left)} can still be refunded`);
				const today = new Date().toISOString().slice(0, 10);
				shop()
					.prepare("INSERT INTO refunds VALUES (NULL, ?, ?, ?, ?, ?)")
					.run(orderId, amountCents, reason, today, key);
			};
			const row = onceUnderKey(shop(), { tool: "refund_order", context, find, make });
			return { refund: Number(row.id), orderId: String(row.order_id), amountCents: Number(row.amount_cents) };
		},
	});
}

function total(amounts: readonly { readonly amountCents: number }[]): number {
	return amounts.reduce((sum, { amountCents }) => sum + amountCents, 0);
}

function sendMessage(shop: Shop): Tool {
	return defineTool({
		name: "send_message",
		description: "Sends the customer an e-mail.",
		effect: "write",
		repeat: "keyed",
		labels: mail,
		input: record<{ customerId: string; subject: string; body: string }>({
			customerId: text,
			subject: text,
			body: { type: "string", minLength: 1, maxLength: 5_000 },
		}),
		output: record<{ message: number }>({ message: cents }),
		execute({ customerId, subject, body }, context) {
			const find = (key: string) => shop().prepare("SELECT id FROM messages WHERE idempotency_key = ?").get(key);
			const make = (key: string): void => {
				one(shop().prepare("SELECT id FROM customers WHERE id = ?").get(customerId), `customer ${customerId}`);
				shop().prepare("INSERT INTO messages VALUES (NULL, ?, ?, ?, ?)").run(customerId, subject, body, key);
			};
			return { message: Number(onceUnderKey(shop(), { tool: "send_message", context, find, make }).id) };
		},
	});
}

interface Change {
	readonly tool: string;
	readonly context: ToolContext;
	find(key: string): SqlRow | undefined;
	make(key: string): void;
}

/** Makes a change under its idempotency key, or finds that it was made: in one transaction, so that once means once. */
export function onceUnderKey(shop: SqlDriver, { tool, context, find, make }: Change): SqlRow {
	const key = context.idempotencyKey;
	shop.exec("BEGIN IMMEDIATE");
	try {
		if (!find(key)) make(key);
		log(shop, tool, context);
		shop.exec("COMMIT");
	} catch (error) {
		shop.exec("ROLLBACK");
		throw error;
	}
	return one(find(key), `row under the key ${key}`);
}
