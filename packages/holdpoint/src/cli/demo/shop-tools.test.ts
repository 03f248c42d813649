import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { PolicyRequest } from "../../spec/policy.ts";
import { makeShop, planted } from "./shop-database.ts";
import { shopPolicy } from "./shop-policy.ts";
import { readShop } from "./shop-records.ts";
import { shopTools } from "./shop-tools.ts";

let folder: string;
let path: string;

beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "holdpoint-tools-"));
	path = join(folder, "shop.db");
	makeShop(path);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function use(name: string, args: unknown, key: string): unknown {
	const tool = shopTools(path).find((one) => one.name === name);
	const context = {
		run: "r",
		call: "c",
		attempt: 1,
		idempotencyKey: key,
		signal: new AbortController().signal,
		principal: "p",
		session: undefined,
	};
	return tool?.execute(args, context);
}

describe("the shop's tools", () => {
	test("a refund under one key is one refund, however often it is tried", () => {
		const refund = { orderId: planted.smallOrder, amountCents: 490, reason: "shipping" };
		const first = use("refund_order", refund, "k1");
		expect(use("refund_order", refund, "k1")).toEqual(first);
		expect(use("refund_order", { ...refund, amountCents: 100 }, "k2")).not.toEqual(first);
		expect(readShop(path).refunds.map(({ amountCents }) => amountCents)).toEqual([490, 100]);
	});

	test("no more can be refunded than was paid, and nothing is written when it is tried", () => {
		expect(() => use("refund_order", { orderId: planted.smallOrder, amountCents: 900_000, reason: "x" }, "k1")).toThrow(
			"can still be refunded",
		);
		expect(() => use("refund_order", { orderId: "O-none", amountCents: 1, reason: "x" }, "k2")).toThrow(
			"There is no order O-none",
		);
		expect(readShop(path)).toMatchObject({ refunds: [], accesses: [] });
	});

	test("a message under one key is one message", () => {
		const message = { customerId: "C-1417", subject: "s", body: "b" };
		expect(use("send_message", message, "m1")).toEqual(use("send_message", message, "m1"));
		expect(readShop(path).messages).toBe(1);
	});

	test("orders come page by page until there are no more", () => {
		const seen: string[] = [];
		for (let page: number | null = 1; page !== null; ) {
			const found = use("list_orders", { customerId: "C-1417", page }, `p${page}`) as {
				orders: { id: string }[];
				nextPage: number | null;
			};
			seen.push(...found.orders.map(({ id }) => id));
			page = found.nextPage;
		}
		expect(new Set(seen).size).toBe(seen.length);
		expect(seen.length).toBeGreaterThan(5);
		expect(seen).toContain(planted.largeOrder);
	});
});

describe("the shop's policy", () => {
	const verdict = (name: string, effect: PolicyRequest["tool"]["effect"], amountCents = 0): string =>
		shopPolicy({ tool: { name, effect, version: "1", tags: [] }, args: { amountCents } } as unknown as PolicyRequest)
			.verdict;

	test("looks and writes freely, refunds up to 50.00 alone, asks above, and denies what it does not name", () => {
		expect(verdict("get_order", "read")).toBe("allow");
		expect(verdict("execute_code", "internal")).toBe("allow");
		expect(verdict("send_message", "write")).toBe("allow");
		expect(verdict("refund_order", "write", 5_000)).toBe("allow");
		expect(verdict("refund_order", "write", 5_001)).toBe("ask");
		expect(verdict("drop_table", "write")).toBe("deny");
	});
});
