import { fail } from "../outcome.ts";
import { addressParams, pickAddress } from "./account.ts";
import { covers, credit, findMethod } from "./payment-method.ts";
import type { Order, OrderLine, Payment, RetailDb, Variant } from "./records.ts";
import { retailTool } from "./retail-tool.ts";
import { missingItem, priceSwap } from "./swap.ts";

/* Writes to orders that have not left yet. */

export const cancelPendingOrder = retailTool({
	name: "cancel_pending_order",
	effect: "write",
	params: { order_id: "text", reason: "text" },
	run(db, { order_id, reason }) {
		const order = db.order(order_id);
		if (!order) return fail("not_found", "Order not found");
		if (order.status !== "pending") return fail("wrong_status", "Non-pending order cannot be cancelled");
		if (reason !== "no longer needed" && reason !== "ordered by mistake") {
			return fail("invalid_argument", "Invalid reason");
		}
		const refunds: Payment[] = [];
		// Refunds are refunded again, and a card that an earlier entry raised stays raised when a later entry fails.
		for (const { amount, payment_method_id } of order.payment_history) {
			const found = findMethod(db, order.user_id, payment_method_id);
			if ("error" in found) return found;
			credit(db, found, amount);
			refunds.push({ transaction_type: "refund", amount, payment_method_id });
		}
		return putOrder(db, {
			...order,
			status: "cancelled",
			cancel_reason: reason,
			payment_history: [...order.payment_history, ...refunds],
		});
	},
});

export const modifyPendingOrderAddress = retailTool({
	name: "modify_pending_order_address",
	effect: "write",
	params: { order_id: "text", ...addressParams },
	run(db, args) {
		const order = db.order(args.order_id);
		if (!order) return fail("not_found", "Order not found");
		if (!order.status.includes("pending")) return fail("wrong_status", "Non-pending order cannot be modified");
		return putOrder(db, { ...order, address: pickAddress(args) });
	},
});

export const modifyPendingOrderItems = retailTool({
	name: "modify_pending_order_items",
	effect: "write",
	params: { order_id: "text", item_ids: "texts", new_item_ids: "texts", payment_method_id: "text" },
	run(db, { order_id, item_ids, new_item_ids, payment_method_id }) {
		const order = db.order(order_id);
		if (!order) return fail("not_found", "Order not found");
		if (order.status !== "pending") return fail("wrong_status", "Non-pending order cannot be modified");
		const missing = missingItem(order, item_ids);
		if (missing !== undefined) return fail("item_mismatch", `${missing} not found`);
		if (item_ids.length !== new_item_ids.length) {
			return fail("item_mismatch", "The number of items to be exchanged should match");
		}
		const priced = priceSwap(db, order, { oldIds: item_ids, newIds: new_item_ids, refuse: refuseSameItem });
		if ("error" in priced) return priced;
		const found = findMethod(db, order.user_id, payment_method_id);
		if ("error" in found) return found;
		if (!covers(found.method, priced.difference)) {
			return fail("insufficient_funds", "Insufficient gift card balance to pay for the new item");
		}
		credit(db, found, -priced.difference);
		const settlement: Payment = {
			transaction_type: priced.difference > 0 ? "payment" : "refund",
			amount: Math.abs(priced.difference),
			payment_method_id,
		};
		return putOrder(db, {
			...order,
			status: "pending (item modified)",
			items: swapLines(order.items, item_ids, priced.variants),
			payment_history: [...order.payment_history, settlement],
		});
	},
});

function refuseSameItem(oldId: string, newId: string) {
	if (oldId !== newId) return undefined;
	return fail("item_mismatch", "The new item id should be different from the old item id");
}

/** Every replaced line gets the price and options of the LAST variant: a quirk that the gold states contain. */
function swapLines(
	items: readonly OrderLine[],
	oldIds: readonly string[],
	variants: readonly Variant[],
): readonly OrderLine[] {
	const lines = [...items];
	const last = variants.at(-1);
	for (const [i, variant] of variants.entries()) {
		const at = lines.findIndex((line) => line.item_id === oldIds[i]);
		const line = lines[at];
		if (!line || !last) throw new Error(`No line of item ${oldIds[i]} is left to swap`);
		lines[at] = { ...line, item_id: variant.item_id, price: last.price, options: last.options };
	}
	return lines;
}

export const modifyPendingOrderPayment = retailTool({
	name: "modify_pending_order_payment",
	effect: "write",
	params: { order_id: "text", payment_method_id: "text" },
	run(db, { order_id, payment_method_id }) {
		const order = db.order(order_id);
		if (!order) return fail("not_found", "Order not found");
		if (!order.status.includes("pending")) return fail("wrong_status", "Non-pending order cannot be modified");
		const found = findMethod(db, order.user_id, payment_method_id);
		if ("error" in found) return found;
		const [paid, ...others] = order.payment_history;
		if (paid?.transaction_type !== "payment" || others.length > 0) {
			return fail("wrong_status", "There should be exactly one payment for a pending order");
		}
		if (paid.payment_method_id === payment_method_id) {
			return fail("invalid_argument", "The new payment method should be different from the current one");
		}
		if (!covers(found.method, paid.amount)) {
			return fail("insufficient_funds", "Insufficient gift card balance to pay for the order");
		}
		const payment: Payment = { transaction_type: "payment", amount: paid.amount, payment_method_id };
		const refund: Payment = { ...paid, transaction_type: "refund" };
		const outcome = putOrder(db, { ...order, payment_history: [paid, payment, refund] });
		credit(db, found, -paid.amount);
		const old = findMethod(db, order.user_id, paid.payment_method_id);
		if ("error" in old) return old;
		credit(db, old, paid.amount);
		return outcome;
	},
});

function putOrder(db: RetailDb, order: Order) {
	db.putOrder(order);
	return { result: order };
}
