import type { Order, Product, RetailData, User } from "./records.ts";

/** A shop of one customer, small enough to work out by hand what the tools must do; for tests that need no data set. */
export function smallShop(orderParts: Partial<Order> = {}): RetailData {
	return {
		products: { "10": shirt, "20": mug },
		users: { ann },
		orders: ordersWith(orderParts),
	};
}

const address = { address1: "1 A St", address2: "", city: "Boston", country: "USA", state: "MA", zip: "02101" };

const shirt: Product = {
	name: "Shirt",
	product_id: "10",
	variants: {
		"11": { item_id: "11", options: { color: "red", size: "M" }, available: true, price: 20.1 },
		"12": { item_id: "12", options: { color: "blue" }, available: true, price: 25.35 },
		"13": { item_id: "13", options: { color: "green" }, available: false, price: 5 },
	},
};

const mug: Product = {
	name: "Mug",
	product_id: "20",
	variants: {
		"21": { item_id: "21", options: { volume: "1 pint" }, available: true, price: 7.77 },
		"22": { item_id: "22", options: { volume: "2 pints" }, available: true, price: 9.99 },
	},
};

const ann: User = {
	user_id: "ann",
	name: { first_name: "Ann", last_name: "Lee" },
	address,
	email: "Ann.Lee@example.com",
	payment_methods: {
		card: { source: "credit_card", id: "card", brand: "visa", last_four: "1111" },
		gift: { source: "gift_card", id: "gift", balance: 4.2 },
		rich: { source: "gift_card", id: "rich", balance: 100 },
	},
	orders: ["#1"],
};

const shirtLine = { name: "Shirt", product_id: "10", item_id: "11", price: 20.1, options: { color: "red", size: "M" } };
const mugLine = { name: "Mug", product_id: "20", item_id: "21", price: 7.77, options: { volume: "1 pint" } };

function ordersWith(parts: Partial<Order>): RetailData["orders"] {
	const order: Order = {
		order_id: "#1",
		user_id: "ann",
		address,
		items: [shirtLine, shirtLine, mugLine],
		status: "pending",
		fulfillments: [],
		payment_history: [{ transaction_type: "payment", amount: 47.97, payment_method_id: "card" }],
		...parts,
	};
	return { "#1": order };
}
