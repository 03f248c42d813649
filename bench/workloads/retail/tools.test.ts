import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../../packages/holdpoint/src/spec/json.ts";
import type { Order, PaymentMethod, User } from "./records.ts";
import { smallShop } from "./small-shop.ts";
import { memoryRetailWorld } from "./world.ts";

/* What tools.json says and the gold actions do not show. */

type Shop = ReturnType<typeof smallShop>;
const paid = (payment_method_id: string, amount = 47.97) =>
	({ transaction_type: "payment", amount, payment_method_id }) as const;

function call(shop: Shop, tool: string, args: JsonObject) {
	const world = memoryRetailWorld(shop);
	const outcome = world.call(tool, args);
	const order = (world.call("get_order_details", { order_id: "#1" }) as unknown as { result: Order }).result;
	const user = (world.call("get_user_details", { user_id: "ann" }) as unknown as { result: User }).result;
	return { outcome, order, user };
}

function balance(user: User, id: string): number {
	const method = user.payment_methods[id] as PaymentMethod;
	return method.source === "gift_card" ? method.balance : Number.NaN;
}

const swap = { order_id: "#1", item_ids: ["11"], new_item_ids: ["12"], payment_method_id: "card" };
const move = { address1: "2 B St", address2: "", city: "Salem", state: "MA", country: "USA", zip: "01970" };
const delivered = { status: "delivered" };

describe("refusals", () => {
	const cases: [string, Partial<Order>, JsonObject, string, string][] = [
		["no_such_tool", {}, {}, "not_found", "Tool 'no_such_tool' not found."],
		["constructor", {}, {}, "not_found", "Tool 'constructor' not found."],
		["get_order_details", {}, { order_id: "1" }, "not_found", "Order not found"],
		["get_order_details", {}, { order_id: "__proto__" }, "not_found", "Order not found"],
		["get_item_details", {}, { item_id: "constructor" }, "not_found", "Item not found"],
		["get_user_details", {}, { user_id: "toString" }, "not_found", "User not found"],
		["cancel_pending_order", {}, { order_id: "#1", reason: "whim" }, "invalid_argument", "Invalid reason"],
		[
			"cancel_pending_order",
			{ status: "pending (item modified)" },
			{ order_id: "#1", reason: "whim" },
			"wrong_status",
			"Non-pending order cannot be cancelled",
		],
		[
			"modify_pending_order_address",
			delivered,
			{ order_id: "#1", ...move },
			"wrong_status",
			"Non-pending order cannot be modified",
		],
		["modify_pending_order_items", {}, { ...swap, item_ids: ["11", "11", "11"] }, "item_mismatch", "11 not found"],
		[
			"modify_pending_order_items",
			{},
			{ ...swap, new_item_ids: [] },
			"item_mismatch",
			"The number of items to be exchanged should match",
		],
		[
			"modify_pending_order_items",
			{},
			{ ...swap, new_item_ids: ["11"] },
			"item_mismatch",
			"The new item id should be different from the old item id",
		],
		["modify_pending_order_items", {}, { ...swap, new_item_ids: ["22"] }, "not_found", "Variant not found"],
		["modify_pending_order_items", {}, { ...swap, new_item_ids: ["__proto__"] }, "not_found", "Variant not found"],
		[
			"modify_pending_order_items",
			{},
			{ ...swap, new_item_ids: ["13"] },
			"unavailable",
			"New item 13 not found or available",
		],
		["modify_pending_order_items", { user_id: "bob" }, swap, "not_found", "User not found"],
		["modify_pending_order_items", {}, { ...swap, payment_method_id: "cash" }, "not_found", "Payment method not found"],
		[
			"modify_pending_order_items",
			{},
			{ ...swap, payment_method_id: "gift" },
			"insufficient_funds",
			"Insufficient gift card balance to pay for the new item",
		],
		[
			"exchange_delivered_order_items",
			delivered,
			{ ...swap, item_ids: ["9"] },
			"item_mismatch",
			"Number of 9 not found.",
		],
		[
			"exchange_delivered_order_items",
			delivered,
			{ ...swap, new_item_ids: [] },
			"item_mismatch",
			"The number of items to be exchanged should match.",
		],
		["exchange_delivered_order_items", {}, swap, "wrong_status", "Non-delivered order cannot be exchanged"],
		[
			"return_delivered_order_items",
			delivered,
			{ order_id: "#1", item_ids: ["9"], payment_method_id: "card" },
			"item_mismatch",
			"Some item not found",
		],
		[
			"return_delivered_order_items",
			{ ...delivered, payment_history: [paid("gift")] },
			{ order_id: "#1", item_ids: ["9"], payment_method_id: "card" },
			"payment_not_allowed",
			"Payment method should be the original payment method",
		],
		[
			"modify_pending_order_payment",
			{},
			{ order_id: "#1", payment_method_id: "card" },
			"invalid_argument",
			"The new payment method should be different from the current one",
		],
		[
			"modify_pending_order_payment",
			{},
			{ order_id: "#1", payment_method_id: "gift" },
			"insufficient_funds",
			"Insufficient gift card balance to pay for the order",
		],
		[
			"modify_pending_order_payment",
			{ payment_history: [paid("card"), paid("card")] },
			{ order_id: "#1", payment_method_id: "rich" },
			"wrong_status",
			"There should be exactly one payment for a pending order",
		],
		[
			"modify_pending_order_payment",
			delivered,
			{ order_id: "#1", payment_method_id: "rich" },
			"wrong_status",
			"Non-pending order cannot be modified",
		],
	];
	test.each(cases)("%s on %j with %j", (...row) => {
		const [tool, parts, args, category, error] = row;
		const shop = smallShop(parts);
		const { outcome, order, user } = call(shop, tool, args);
		expect(outcome).toEqual({ error, category });
		expect({ order, user }).toEqual({ order: shop.orders["#1"], user: shop.users["ann"] });
	});

	test.each([{}, { order_id: "#1", extra: "x" }, { order_id: 1 }, { order_id: null }])(
		"arguments %j do not fit the schema",
		(args) => {
			expect(call(smallShop(), "get_order_details", args).outcome).toMatchObject({ category: "validation" });
		},
	);

	test("a list argument must be a list of strings", () => {
		const { outcome } = call(smallShop(), "modify_pending_order_items", { ...swap, item_ids: ["11", 12] });
		expect(outcome).toMatchObject({ category: "validation" });
	});
});

describe("reads", () => {
	test("names and emails are found in any case, the postal code only as it is", () => {
		const found = { result: "ann" };
		const names = { first_name: "ANN", last_name: "lee" };
		expect(call(smallShop(), "find_user_id_by_email", { email: "ann.LEE@EXAMPLE.com" }).outcome).toEqual(found);
		expect(call(smallShop(), "find_user_id_by_name_zip", { ...names, zip: "02101" }).outcome).toEqual(found);
		expect(call(smallShop(), "find_user_id_by_name_zip", { ...names, zip: "2101" }).outcome).toMatchObject({
			error: "User not found",
		});
	});

	test("product types are a JSON text with Python's spaces, sorted by name", () => {
		const shop = smallShop();
		const tea = { name: "Ökotee", product_id: "30", variants: {} };
		const { outcome } = call({ ...shop, products: { ...shop.products, "30": tea } }, "list_all_product_types", {});
		expect(outcome).toEqual({ result: '{"Mug": "20", "Shirt": "10", "\\u00d6kotee": "30"}' });
	});
});

describe("writes", () => {
	test("a cancelled order refunds every entry, refunds too, and gift cards at once", () => {
		const history = [paid("card"), paid("gift", 0.1), { ...paid("rich", 10), transaction_type: "refund" as const }];
		const { outcome, order, user } = call(smallShop({ payment_history: history }), "cancel_pending_order", {
			order_id: "#1",
			reason: "ordered by mistake",
		});
		const refunds = history.map((entry) => ({ ...entry, transaction_type: "refund" }));
		expect(order).toMatchObject({ status: "cancelled", cancel_reason: "ordered by mistake" });
		expect(order.payment_history).toEqual([...history, ...refunds]);
		expect(outcome).toEqual({ result: order });
		expect([balance(user, "gift"), balance(user, "rich")]).toEqual([4.3, 110]);
	});

	test("a cancellation that fails at a later entry leaves the earlier gift card raised", () => {
		const shop = smallShop({ payment_history: [paid("gift", 1), paid("gone", 1)] });
		const args = { order_id: "#1", reason: "no longer needed" };
		const { outcome, order, user } = call(shop, "cancel_pending_order", args);
		expect(outcome).toEqual({ error: "Payment method not found", category: "not_found" });
		expect(order).toEqual(shop.orders["#1"]);
		expect(balance(user, "gift")).toBe(5.2);
	});

	test("changed items all take the price and options of the last new one, and the payment stays unrounded", () => {
		const args = { ...swap, item_ids: ["11", "21"], new_item_ids: ["12", "22"], payment_method_id: "rich" };
		const { order, user } = call(smallShop(), "modify_pending_order_items", args);
		const last = { price: 9.99, options: { volume: "2 pints" } };
		expect(order.items).toMatchObject([
			{ name: "Shirt", product_id: "10", item_id: "12" },
			{ item_id: "11", price: 20.1 },
			{ name: "Mug", item_id: "22" },
		]);
		expect([order.items[0], order.items[2]]).toMatchObject([last, last]);
		expect(order.items[0]?.options).toEqual(last.options);
		const difference = 0 + (25.35 - 20.1) + (9.99 - 7.77);
		expect(order.payment_history.at(-1)).toEqual(paid("rich", difference));
		expect(difference).not.toBe(7.47);
		expect(balance(user, "rich")).toBe(92.53);
		expect(order.status).toBe("pending (item modified)");
	});

	test("a chain of items takes the line that an earlier pair has just changed", () => {
		const [first] = smallShop().orders["#1"]?.items ?? [];
		const line = (item_id: string) => ({ name: "", product_id: "10", price: 1, options: {}, ...first, item_id });
		const shop = smallShop({ items: [line("11"), line("12")] });
		const args = { ...swap, item_ids: ["11", "12"], new_item_ids: ["12", "11"] };
		const { order } = call(shop, "modify_pending_order_items", args);
		expect(order.items.map((item) => item.item_id)).toEqual(["11", "12"]);
	});

	test("empty lists change the status and note a refund of nothing", () => {
		const args = { ...swap, item_ids: [], new_item_ids: [] };
		const { order } = call(smallShop(), "modify_pending_order_items", args);
		expect(order.payment_history.at(-1)).toEqual({ ...paid("card", 0), transaction_type: "refund" });
		expect(order.status).toBe("pending (item modified)");
	});

	test("a payment moves from one gift card to another", () => {
		const shop = smallShop({ payment_history: [paid("gift", 10.1)] });
		const { order, user } = call(shop, "modify_pending_order_payment", { order_id: "#1", payment_method_id: "rich" });
		expect(order.payment_history).toEqual([
			paid("gift", 10.1),
			paid("rich", 10.1),
			{ ...paid("gift", 10.1), transaction_type: "refund" },
		]);
		expect([balance(user, "gift"), balance(user, "rich"), order.status]).toEqual([14.3, 89.9, "pending"]);
	});

	test("when the old payment method is gone, the move fails with the new payment made", () => {
		const shop = smallShop({ payment_history: [paid("gone", 10)] });
		const args = { order_id: "#1", payment_method_id: "rich" };
		const { outcome, order, user } = call(shop, "modify_pending_order_payment", args);
		expect(outcome).toEqual({ error: "Payment method not found", category: "not_found" });
		expect([order.payment_history.length, balance(user, "rich")]).toEqual([3, 90]);
	});

	test("an exchange notes sorted lists and the rounded difference, and moves nothing", () => {
		const args = { ...swap, item_ids: ["21", "11", "11"], new_item_ids: ["22", "12", "11"] };
		const shop = smallShop(delivered);
		const { order, user } = call(shop, "exchange_delivered_order_items", args);
		expect(order).toEqual({
			...shop.orders["#1"],
			status: "exchange requested",
			exchange_items: ["11", "11", "21"],
			exchange_new_items: ["11", "12", "22"],
			exchange_payment_method_id: "card",
			exchange_price_difference: 7.47,
		});
		expect(user).toEqual(shop.users["ann"]);
	});

	test("a difference that rounds to nothing is 0, never -0", () => {
		const ids = ["11", "11", "21"];
		const priced = smallShop().orders["#1"]?.items.map((item, i) => ({
			...item,
			price: item.price + (i === 0 ? 1e-9 : 0),
		}));
		const shop = smallShop({ ...delivered, items: priced ?? [] });
		const { order } = call(shop, "exchange_delivered_order_items", { ...swap, item_ids: ids, new_item_ids: ids });
		expect(order.exchange_price_difference).toBe(0);
	});

	test("a return is accepted for any gift card, and only the request is noted", () => {
		const args = { order_id: "#1", item_ids: ["21", "11"], payment_method_id: "gift" };
		const shop = smallShop(delivered);
		const { order } = call(shop, "return_delivered_order_items", args);
		expect(order).toEqual({
			...shop.orders["#1"],
			status: "return requested",
			return_items: ["11", "21"],
			return_payment_method_id: "gift",
		});
	});

	test("addresses of the order and of the user are separate", () => {
		const ofOrder = call(smallShop(), "modify_pending_order_address", { order_id: "#1", ...move });
		expect([ofOrder.order.address, ofOrder.user.address.zip]).toEqual([move, "02101"]);
		const ofUser = call(smallShop(), "modify_user_address", { user_id: "ann", ...move });
		expect([ofUser.user.address, ofUser.order.address.zip]).toEqual([move, "02101"]);
	});
});
