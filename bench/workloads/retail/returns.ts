import { fail } from "../outcome.ts";
import { round2 } from "../round2.ts";
import { sorted } from "./canonical.ts";
import { covers, findMethod } from "./payment-method.ts";
import type { Order } from "./records.ts";
import { retailTool } from "./retail-tool.ts";
import { missingItem, priceSwap } from "./swap.ts";

/* Requests about delivered orders: they are filed, no money and no item moves yet. */

export const exchangeDeliveredOrderItems = retailTool({
	name: "exchange_delivered_order_items",
	effect: "write",
	params: { order_id: "text", item_ids: "texts", new_item_ids: "texts", payment_method_id: "text" },
	run(db, { order_id, item_ids, new_item_ids, payment_method_id }) {
		const order = db.order(order_id);
		if (!order) return fail("not_found", "Order not found");
		if (order.status !== "delivered") return fail("wrong_status", "Non-delivered order cannot be exchanged");
		const missing = missingItem(order, item_ids);
		if (missing !== undefined) return fail("item_mismatch", `Number of ${missing} not found.`);
		if (item_ids.length !== new_item_ids.length) {
			return fail("item_mismatch", "The number of items to be exchanged should match.");
		}
		const priced = priceSwap(db, order, { oldIds: item_ids, newIds: new_item_ids });
		if ("error" in priced) return priced;
		const found = findMethod(db, order.user_id, payment_method_id);
		if ("error" in found) return found;
		// A tiny negative sum rounds to -0, which JSON does not know: adding 0 makes it 0.
		const difference = round2(priced.difference) + 0;
		if (!covers(found.method, difference)) {
			return fail("insufficient_funds", "Insufficient gift card balance to pay for the price difference");
		}
		const changed: Order = {
			...order,
			status: "exchange requested",
			exchange_items: sorted(item_ids),
			exchange_new_items: sorted(new_item_ids),
			exchange_payment_method_id: payment_method_id,
			exchange_price_difference: difference,
		};
		db.putOrder(changed);
		return { result: changed };
	},
});

export const returnDeliveredOrderItems = retailTool({
	name: "return_delivered_order_items",
	effect: "write",
	params: { order_id: "text", item_ids: "texts", payment_method_id: "text" },
	run(db, { order_id, item_ids, payment_method_id }) {
		const order = db.order(order_id);
		if (!order) return fail("not_found", "Order not found");
		if (order.status !== "delivered") return fail("wrong_status", "Non-delivered order cannot be returned");
		const found = findMethod(db, order.user_id, payment_method_id);
		if ("error" in found) return found;
		const original = order.payment_history[0]?.payment_method_id;
		if (found.method.source !== "gift_card" && payment_method_id !== original) {
			return fail("payment_not_allowed", "Payment method should be the original payment method");
		}
		if (missingItem(order, item_ids) !== undefined) return fail("item_mismatch", "Some item not found");
		const changed: Order = {
			...order,
			status: "return requested",
			return_items: sorted(item_ids),
			return_payment_method_id: payment_method_id,
		};
		db.putOrder(changed);
		return { result: changed };
	},
});
