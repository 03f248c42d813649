/*
 * The records of the retail database and the port through which tools reach them. Records are values: a tool puts a
 * new one instead of changing an old one, so that a result already handed out never changes.
 */

export type Options = { readonly [name: string]: string };
export type Variant = {
	readonly item_id: string;
	readonly options: Options;
	readonly available: boolean;
	readonly price: number;
};
export type Product = {
	readonly name: string;
	readonly product_id: string;
	readonly variants: { readonly [itemId: string]: Variant };
};

export type Address = {
	readonly address1: string;
	readonly address2: string;
	readonly city: string;
	readonly country: string;
	readonly state: string;
	readonly zip: string;
};
export type PaymentMethod =
	| { readonly source: "credit_card"; readonly id: string; readonly brand: string; readonly last_four: string }
	| { readonly source: "gift_card"; readonly id: string; readonly balance: number }
	| { readonly source: "paypal"; readonly id: string };
export type User = {
	readonly user_id: string;
	readonly name: { readonly first_name: string; readonly last_name: string };
	readonly address: Address;
	readonly email: string;
	readonly payment_methods: { readonly [id: string]: PaymentMethod };
	readonly orders: readonly string[];
};

export type OrderLine = {
	readonly name: string;
	readonly product_id: string;
	readonly item_id: string;
	readonly price: number;
	readonly options: Options;
};
export type Payment = {
	readonly transaction_type: "payment" | "refund";
	readonly amount: number;
	readonly payment_method_id: string;
};
export type Order = {
	readonly order_id: string;
	readonly user_id: string;
	readonly address: Address;
	readonly items: readonly OrderLine[];
	readonly status: string;
	readonly fulfillments: readonly { readonly tracking_id: readonly string[]; readonly item_ids: readonly string[] }[];
	readonly payment_history: readonly Payment[];
	readonly cancel_reason?: string;
	readonly exchange_items?: readonly string[];
	readonly exchange_new_items?: readonly string[];
	readonly exchange_payment_method_id?: string;
	readonly exchange_price_difference?: number;
	readonly return_items?: readonly string[];
	readonly return_payment_method_id?: string;
};

export type RetailRecord = User | Order | Product;

/** The content of db.json. */
export type RetailData = {
	readonly products: { readonly [id: string]: Product };
	readonly users: { readonly [id: string]: User };
	readonly orders: { readonly [id: string]: Order };
};

/** What the tools need of a database. No tool writes a product. */
export interface RetailDb {
	user(id: string): User | undefined;
	order(id: string): Order | undefined;
	product(id: string): Product | undefined;
	/** In the order of db.json. */
	users(): Iterable<User>;
	/** In any order. */
	products(): Iterable<Product>;
	putUser(user: User): void;
	putOrder(order: Order): void;
}

/** `table[id]`, for ids from outside: `constructor` and the like are not records. */
export function entry<T>(table: { readonly [id: string]: T }, id: string): T | undefined {
	return Object.hasOwn(table, id) ? table[id] : undefined;
}
