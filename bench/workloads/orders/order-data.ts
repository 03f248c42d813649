import { readJson, sharedDataPath } from "../shared-data.ts";

/* The order-totals workload: eight users, eleven order lines, and the grand totals that come out. */

export type OrderUser = { readonly id: number; readonly name: string; readonly region: string; readonly tier: string };
export type OrderLine = { readonly item: string; readonly quantity: number; readonly unitPrice: number };
export type GrandTotal = { readonly name: string; readonly grandTotal: number };

export interface OrderData {
	readonly users: readonly OrderUser[];
	/** By user id. */
	readonly orders: { readonly [userId: string]: readonly OrderLine[] };
	/** By tier. */
	readonly discountRates: { readonly [tier: string]: number };
	/** By region. */
	readonly taxRates: { readonly [region: string]: number };
	/** Highest first. */
	readonly expectedGrandTotals: readonly GrandTotal[];
	/** What was published about this work elsewhere. */
	readonly published: {
		readonly traditional: PublishedRun;
		readonly codeact: PublishedRun;
		/** Parts of 1. */
		readonly reduction: { readonly latency: number; readonly tokens: number };
	};
}

export type PublishedRun = { readonly seconds: number; readonly tokens: number };

export const orderDataName = "order-totals.json";

export function orderDataPath(): string | undefined {
	return sharedDataPath(orderDataName);
}

export function loadOrderData(path: string): OrderData {
	return readJson(path) as OrderData;
}
