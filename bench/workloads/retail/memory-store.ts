import { canonical, sorted } from "./canonical.ts";
import type { Order, Product, RetailData, RetailDb, RetailRecord, User } from "./records.ts";
import type { StoredEffect, WorldStore } from "./world-store.ts";

/*
 * Copy-on-write over one frozen copy of the initial database, which all stores of that database share: a new store
 * costs three empty maps. Records are frozen, so results may be handed out as they are, and the canonical text of a
 * record is worked out once in its life. A transaction is not undone when a tool throws: none does, but by a fault.
 */
export function memoryStore(data: RetailData): WorldStore {
	const base = baseOf(data);
	const users = new Map<string, User>();
	const orders = new Map<string, Order>();
	const effects = new Map<string, StoredEffect>();
	const db: RetailDb = {
		user: (id) => users.get(id) ?? base.users.get(id),
		order: (id) => orders.get(id) ?? base.orders.get(id),
		product: (id) => base.products.get(id),
		*users() {
			for (const [id, user] of base.users) yield users.get(id) ?? user;
		},
		products: () => base.products.values(),
		putUser: (user) => void users.set(user.user_id, freeze(user)),
		putOrder: (order) => void orders.set(order.order_id, freeze(order)),
	};
	return {
		db,
		transaction: (work) => work(),
		effect: (key) => effects.get(key),
		addEffect: (effect) => void effects.set(effect.key, freeze(effect)),
		effects: () => [...effects.values()],
		text() {
			const orderText = tableText(base.orderIds, db.order);
			const productText = tableText(base.productIds, db.product);
			const userText = tableText(base.userIds, db.user);
			return `{"orders":${orderText},"products":${productText},"users":${userText}}`;
		},
		close() {},
	};
}

interface Base {
	readonly users: ReadonlyMap<string, User>;
	readonly orders: ReadonlyMap<string, Order>;
	readonly products: ReadonlyMap<string, Product>;
	/** Ids in canonical order. */
	readonly userIds: readonly string[];
	readonly orderIds: readonly string[];
	readonly productIds: readonly string[];
}

const bases = new WeakMap<RetailData, Base>();

function baseOf(data: RetailData): Base {
	const known = bases.get(data);
	if (known) return known;
	const own = freeze(structuredClone(data));
	const base: Base = {
		users: new Map(Object.entries(own.users)),
		orders: new Map(Object.entries(own.orders)),
		products: new Map(Object.entries(own.products)),
		userIds: sorted(Object.keys(own.users)),
		orderIds: sorted(Object.keys(own.orders)),
		productIds: sorted(Object.keys(own.products)),
	};
	bases.set(data, base);
	return base;
}

function freeze<T>(value: T): T {
	// What is frozen was frozen here, to its leaves: a new record shares most of its parts with the old one.
	if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
	for (const part of Object.values(value)) freeze(part);
	return Object.freeze(value);
}

const texts = new WeakMap<RetailRecord, string>();

function tableText(ids: readonly string[], find: (id: string) => RetailRecord | undefined): string {
	const members: string[] = [];
	for (const id of ids) {
		const record = find(id);
		if (record) members.push(`${JSON.stringify(id)}:${recordText(record)}`);
	}
	return `{${members.join(",")}}`;
}

function recordText(record: RetailRecord): string {
	const known = texts.get(record);
	if (known !== undefined) return known;
	const text = canonical(record);
	texts.set(record, text);
	return text;
}
