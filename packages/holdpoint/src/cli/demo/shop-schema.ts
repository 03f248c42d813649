/** The tables of the demo's shop. Money is in cents, days are `YYYY-MM-DD`. */
export const shopSchema = `
CREATE TABLE customers (
	id TEXT PRIMARY KEY,
	name TEXT NOT NULL,
	email TEXT NOT NULL UNIQUE,
	city TEXT NOT NULL,
	customer_since TEXT NOT NULL
) STRICT;
CREATE TABLE products (
	id TEXT PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	category TEXT NOT NULL,
	price_cents INTEGER NOT NULL CHECK (price_cents > 0)
) STRICT;
CREATE TABLE orders (
	id TEXT PRIMARY KEY,
	customer_id TEXT NOT NULL REFERENCES customers (id),
	placed_on TEXT NOT NULL,
	delivered_on TEXT,
	status TEXT NOT NULL CHECK (status IN ('processing', 'shipped', 'delivered', 'cancelled')),
	discount_percent INTEGER NOT NULL CHECK (discount_percent BETWEEN 0 AND 50)
) STRICT;
CREATE INDEX orders_by_customer ON orders (customer_id, placed_on DESC);
CREATE TABLE items (
	order_id TEXT NOT NULL REFERENCES orders (id),
	position INTEGER NOT NULL,
	product_id TEXT NOT NULL REFERENCES products (id),
	quantity INTEGER NOT NULL CHECK (quantity > 0),
	unit_price_cents INTEGER NOT NULL,
	PRIMARY KEY (order_id, position)
) STRICT;
CREATE TABLE payments (
	id INTEGER PRIMARY KEY,
	order_id TEXT NOT NULL REFERENCES orders (id),
	kind TEXT NOT NULL CHECK (kind IN ('goods', 'shipping')),
	amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),
	captured_on TEXT NOT NULL
) STRICT;
CREATE INDEX payments_by_order ON payments (order_id);
CREATE TABLE refunds (
	id INTEGER PRIMARY KEY,
	order_id TEXT NOT NULL REFERENCES orders (id),
	amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),
	reason TEXT NOT NULL,
	refunded_on TEXT NOT NULL,
	-- Once means once: a second refund under the same key is the first one.
	idempotency_key TEXT NOT NULL UNIQUE
) STRICT;
CREATE INDEX refunds_by_order ON refunds (order_id);
CREATE TABLE messages (
	id INTEGER PRIMARY KEY,
	customer_id TEXT NOT NULL REFERENCES customers (id),
	subject TEXT NOT NULL,
	body TEXT NOT NULL,
	idempotency_key TEXT NOT NULL UNIQUE
) STRICT;
-- The shop's own record of who called what, and from which process.
CREATE TABLE access_log (
	id INTEGER PRIMARY KEY,
	tool TEXT NOT NULL,
	idempotency_key TEXT NOT NULL,
	process_id INTEGER NOT NULL
) STRICT;
`;

/** In an order in which rows may be written. */
export const shopTables = [
	"customers",
	"products",
	"orders",
	"items",
	"payments",
	"refunds",
	"messages",
	"access_log",
] as const;
