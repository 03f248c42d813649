import { fail, type ToolFailure } from "../outcome.ts";
import { entry, type Order, type RetailDb, type Variant } from "./records.ts";

/*
 * What a change of items (pending order) and an exchange (delivered order) share: they pair old items with new
 * variants and sum the price differences, unrounded, in the order of the pairs.
 */

export interface Swap {
	readonly oldIds: readonly string[];
	readonly newIds: readonly string[];
	/** Another check, made first on each pair. */
	readonly refuse?: (oldId: string, newId: string) => ToolFailure | undefined;
}

export interface PricedSwap {
	readonly variants: readonly Variant[];
	/** Units: dollars, unrounded. Positive: the customer owes it. */
	readonly difference: number;
}

/** The first id that is asked for more often than the order has it. */
export function missingItem(order: Order, itemIds: readonly string[]): string | undefined {
	const left = new Map<string, number>();
	for (const { item_id } of order.items) left.set(item_id, (left.get(item_id) ?? 0) + 1);
	for (const id of itemIds) left.set(id, (left.get(id) ?? 0) - 1);
	return itemIds.find((id) => (left.get(id) ?? 0) < 0);
}

/** Checks and prices pair after pair. Both lists have one length, and the order has every old item. */
export function priceSwap(db: RetailDb, order: Order, swap: Swap): PricedSwap | ToolFailure {
	const variants: Variant[] = [];
	let difference = 0;
	for (const [i, oldId] of swap.oldIds.entries()) {
		const newId = swap.newIds[i] ?? "";
		const refusal = swap.refuse?.(oldId, newId);
		if (refusal) return refusal;
		const line = order.items.find((each) => each.item_id === oldId);
		const product = line && db.product(line.product_id);
		if (!product) return fail("not_found", "Product not found");
		const variant = entry(product.variants, newId);
		if (!variant) return fail("not_found", "Variant not found");
		if (!variant.available) return fail("unavailable", `New item ${newId} not found or available`);
		difference += variant.price - line.price;
		variants.push(variant);
	}
	return { variants, difference };
}
