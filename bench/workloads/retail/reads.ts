import { fail } from "../outcome.ts";
import { compareText } from "./canonical.ts";
import { entry, type RetailDb, type User } from "./records.ts";
import { retailTool } from "./retail-tool.ts";

export const findUserIdByNameZip = retailTool({
	name: "find_user_id_by_name_zip",
	effect: "read",
	params: { first_name: "text", last_name: "text", zip: "text" },
	run(db, args) {
		const first = args.first_name.toLowerCase();
		const last = args.last_name.toLowerCase();
		return findUserId(
			db,
			({ name, address }) =>
				name.first_name.toLowerCase() === first && name.last_name.toLowerCase() === last && address.zip === args.zip,
		);
	},
});

export const findUserIdByEmail = retailTool({
	name: "find_user_id_by_email",
	effect: "read",
	params: { email: "text" },
	run(db, args) {
		const email = args.email.toLowerCase();
		return findUserId(db, (user) => user.email.toLowerCase() === email);
	},
});

function findUserId(db: RetailDb, matches: (user: User) => boolean) {
	for (const user of db.users()) {
		if (matches(user)) return { result: user.user_id };
	}
	return fail("not_found", "User not found");
}

export const getOrderDetails = retailTool({
	name: "get_order_details",
	effect: "read",
	params: { order_id: "text" },
	run(db, args) {
		const order = db.order(args.order_id);
		return order ? { result: order } : fail("not_found", "Order not found");
	},
});

export const getProductDetails = retailTool({
	name: "get_product_details",
	effect: "read",
	params: { product_id: "text" },
	run(db, args) {
		const product = db.product(args.product_id);
		return product ? { result: product } : fail("not_found", "Product not found");
	},
});

export const getItemDetails = retailTool({
	name: "get_item_details",
	effect: "read",
	params: { item_id: "text" },
	run(db, args) {
		for (const product of db.products()) {
			const variant = entry(product.variants, args.item_id);
			if (variant) return { result: variant };
		}
		return fail("not_found", "Item not found");
	},
});

export const getUserDetails = retailTool({
	name: "get_user_details",
	effect: "read",
	params: { user_id: "text" },
	run(db, args) {
		const user = db.user(args.user_id);
		return user ? { result: user } : fail("not_found", "User not found");
	},
});

export const listAllProductTypes = retailTool({
	name: "list_all_product_types",
	effect: "read",
	params: {},
	run(db) {
		const products = [...db.products()].sort((a, b) => compareText(a.name, b.name));
		const members = products.map(({ name, product_id }) => `${asciiText(name)}: ${asciiText(product_id)}`);
		return { result: `{${members.join(", ")}}` };
	},
});

/** JSON text with every character beyond ASCII escaped, as Python's `json.dumps` writes it. */
function asciiText(text: string): string {
	return JSON.stringify(text).replace(
		/[\u007f-\uffff]/g,
		(unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
	);
}
