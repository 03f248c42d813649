/**
 * Makes the demo's shop: a SQLite file that is the same, row for row, for the same seed. Everything in it is generated;
 * two orders of one customer are planted, and they are what the demo's request is about.
 */
import { nodeSqlite, type SqlDriver, type SqlValue } from "../../adapters/stores/sqlite/sql-engine.ts";
import { shopSchema, shopTables } from "./shop-schema.ts";
import { cities, colours, firstNames, lastNames, productKinds } from "./shop-words.ts";

const customerCount = 600;
const orderCount = 3_000;
const firstDay = "2025-01-02";
/** The last day on which somebody ordered. */
const lastDay = "2026-03-12";
const dayMs = 86_400_000;

export const shippingCents = 490;
export const freeShippingFromCents = 6_000;

/** The customer whose request the demo is about. */
export const planted = {
	customer: "Marta Lindqvist",
	email: "marta.lindqvist@example.com",
	largeOrder: "O-4001",
	smallOrder: "O-4002",
} as const;

interface Product {
	readonly id: string;
	readonly name: string;
	readonly cents: number;
}

interface Line {
	readonly product: Product;
	readonly quantity: number;
}

interface NewOrder {
	readonly id: string;
	readonly customer: string;
	readonly placedOn: string;
	readonly deliveredOn: string | null;
	readonly status: "processing" | "shipped" | "delivered" | "cancelled";
	readonly discountPercent: number;
	readonly lines: readonly Line[];
	/** How often shipping was charged; an honest shop does it once or never. */
	readonly shippingCharges: number;
}

/** Writes the shop into a file that must not be there. */
export function makeShop(path: string, seed = 7): void {
	const database = nodeSqlite.open(path, { readOnly: false, timeoutMs: 1_000 });
	try {
		database.exec("PRAGMA journal_mode = WAL; BEGIN");
		database.exec(shopSchema);
		fill(database, randomFrom(seed));
		database.exec("COMMIT");
	} finally {
		database.close();
	}
}

function fill(database: SqlDriver, random: Random): void {
	const products = addProducts(database);
	const customers = addCustomers(database, random);
	const write = orderWriter(database);
	for (let number = 1; number <= orderCount; number++) {
		const order = randomOrder(`O-${1_000 + number}`, { customers, products }, random);
		write(order);
		if (order.status === "delivered" && random.below(60) === 0)
			addRefund(database, order, Math.max(100, goodsCents(order) >> 2));
	}
	plant(database, customers[417] ?? "", products);
}

interface Catalogue {
	readonly customers: readonly string[];
	readonly products: readonly Product[];
}

function addProducts(database: SqlDriver): Product[] {
	const insert = inserter(database, "products", 4);
	return productKinds.flatMap(({ name, category, cents }, kind) =>
		colours.map((colour, at) => {
			const product = {
				id: `P-${100 + kind * colours.length + at}`,
				name: `${name}, ${colour.name}`,
				cents: cents + colour.moreCents,
			};
			insert(product.id, product.name, category, product.cents);
			return product;
		}),
	);
}

function addCustomers(database: SqlDriver, random: Random): string[] {
	const insert = inserter(database, "customers", 5);
	const emails = new Set<string>([planted.email]);
	return Array.from({ length: customerCount }, (_, at) => {
		const id = `C-${1_000 + at}`;
		const isPlanted = at === 417;
		const name = isPlanted ? planted.customer : `${random.of(firstNames)} ${random.of(lastNames)}`;
		const local = name.toLowerCase().replaceAll("ü", "ue").replace(" ", ".");
		let email = isPlanted ? planted.email : `${local}@example.com`;
		for (let n = 2; !isPlanted && emails.has(email); n++) email = `${local}${n}@example.com`;
		emails.add(email);
		insert(id, name, email, random.of(cities), dayAfter("2019-03-01", random.below(2_100)));
		return id;
	});
}

function randomOrder(id: string, { customers, products }: Catalogue, random: Random): NewOrder {
	const placedOn = dayAfter(firstDay, random.below(daysBetween(firstDay, lastDay) + 1));
	const daysOld = daysBetween(placedOn, lastDay);
	const status =
		random.below(40) === 0 ? "cancelled" : daysOld < 2 ? "processing" : daysOld < 5 ? "shipped" : "delivered";
	const lines = Array.from({ length: 1 + random.below(5) }, () => ({
		product: random.of(products),
		quantity: 1 + random.below(3),
	}));
	const order = {
		id,
		customer: random.of(customers),
		placedOn,
		deliveredOn: status === "delivered" ? dayAfter(placedOn, 2 + random.below(4)) : null,
		status,
		discountPercent: random.below(5) === 0 ? 5 * (1 + random.below(3)) : 0,
		lines,
	} as const;
	return { ...order, shippingCharges: goodsCents(order) >= freeShippingFromCents ? 0 : 1 };
}

/** Two parcels of this week: in the large one things were broken, and both paid for shipping once too often. */
function plant(database: SqlDriver, customer: string, products: readonly Product[]): void {
	const line = (name: string, quantity: number): Line => {
		const product = products.find((one) => one.name === name);
		if (!product) throw new Error(`The shop has no ${name}`);
		return { product, quantity };
	};
	const write = orderWriter(database);
	const large: NewOrder = {
		id: planted.largeOrder,
		customer,
		placedOn: "2026-03-06",
		deliveredOn: "2026-03-11",
		status: "delivered",
		discountPercent: 10,
		lines: [
			line("Enamel mug, moss", 4),
			line("Storm lantern, slate", 1),
			line("Wool blanket, cream", 1),
			line("Dinner plate, cream", 2),
		],
		shippingCharges: 2,
	};
	write(large);
	// One mug was paid back at the door; what is owed now is less by that.
	addRefund(database, large, 891);
	write({
		...large,
		id: planted.smallOrder,
		placedOn: "2026-03-08",
		deliveredOn: "2026-03-12",
		discountPercent: 0,
		lines: [line("Linen towel, moss", 1), line("Seed box, moss", 1)],
		shippingCharges: 2,
	});
}

/** What the customer pays for the goods of an order: each line after discount, rounded to the cent. */
export function goodsCents({ lines, discountPercent }: Pick<NewOrder, "lines" | "discountPercent">): number {
	return lines.reduce(
		(sum, { product, quantity }) => sum + Math.round((product.cents * quantity * (100 - discountPercent)) / 100),
		0,
	);
}

function orderWriter(database: SqlDriver): (order: NewOrder) => void {
	const insertOrder = inserter(database, "orders", 6);
	const insertItem = inserter(database, "items", 5);
	const insertPayment = inserter(database, "payments", 5);
	return (order) => {
		insertOrder(order.id, order.customer, order.placedOn, order.deliveredOn, order.status, order.discountPercent);
		for (const [at, { product, quantity }] of order.lines.entries())
			insertItem(order.id, at + 1, product.id, quantity, product.cents);
		insertPayment(null, order.id, "goods", goodsCents(order), order.placedOn);
		for (let n = 0; n < order.shippingCharges; n++)
			insertPayment(null, order.id, "shipping", shippingCents, order.placedOn);
	};
}

function addRefund(database: SqlDriver, order: NewOrder, cents: number): void {
	inserter(database, "refunds", 6)(
		null,
		order.id,
		cents,
		"settled at the door",
		order.deliveredOn ?? order.placedOn,
		`door-${order.id}`,
	);
}

function inserter(
	database: SqlDriver,
	table: (typeof shopTables)[number],
	columns: number,
): (...values: SqlValue[]) => unknown {
	const statement = database.prepare(
		`INSERT INTO ${table} VALUES (${Array.from({ length: columns }, () => "?").join(", ")})`,
	);
	return (...values) => statement.run(...values);
}

/** Every row of every table in a fixed order: equal shops have equal texts. */
export function canonicalDump(path: string): string {
	const database = nodeSqlite.open(path, { readOnly: true, timeoutMs: 1_000 });
	try {
		return shopTables
			.flatMap((table) => [
				table,
				...database
					.prepare(`SELECT * FROM ${table} ORDER BY 1, 2`)
					.all()
					.map((row) => JSON.stringify(Object.values(row))),
			])
			.join("\n");
	} finally {
		database.close();
	}
}

interface Random {
	/** A whole number from 0 to below `end`. */
	below(end: number): number;
	of<T>(list: readonly T[]): T;
}

/** Mulberry32: small, and the same everywhere. */
function randomFrom(seed: number): Random {
	let state = seed >>> 0;
	const below = (end: number): number => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * end);
	};
	return { below, of: (list) => list[below(list.length)] as (typeof list)[number] };
}

function dayAfter(day: string, days: number): string {
	return new Date(Date.parse(day) + days * dayMs).toISOString().slice(0, 10);
}

function daysBetween(from: string, to: string): number {
	return Math.round((Date.parse(to) - Date.parse(from)) / dayMs);
}
