import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { smallShop } from "./small-shop.ts";
import { memoryRetailWorld, openRetailWorld } from "./world.ts";

const worlds = {
	memory: () => memoryRetailWorld(smallShop()),
	sqlite: () => openRetailWorld(":memory:", { seed: smallShop() }),
};
const cancel = { order_id: "#1", reason: "no longer needed" };
const move = { address1: "2 B St", address2: "", city: "Salem", state: "MA", country: "USA", zip: "01970" };

describe.each(Object.entries(worlds))("the %s world", (_name, open) => {
	test("does a key once and answers it again from the record", () => {
		const world = open();
		const first = world.call("cancel_pending_order", cancel, "k1");
		const after = world.hash();
		expect(first).toMatchObject({ result: { status: "cancelled" } });
		expect(world.call("cancel_pending_order", cancel, "k1")).toEqual(first);
		expect([world.hash(), world.effectCount()]).toEqual([after, 1]);
		expect(world.effects()).toEqual([{ key: "k1", tool: "cancel_pending_order", outcome: first }]);
	});

	test("answers a key with its recorded outcome, also after later writes", () => {
		const world = open();
		const first = world.call("modify_pending_order_address", { order_id: "#1", ...move }, "k1");
		world.call("cancel_pending_order", cancel, "k2");
		expect(world.call("modify_pending_order_address", { order_id: "#1", ...move }, "k1")).toEqual(first);
		expect(first).toMatchObject({ result: { status: "pending" } });
	});

	test("answers a refused key with the same refusal, though it would now succeed", () => {
		const world = open();
		const args = { order_id: "#1", payment_method_id: "gift" };
		const refused = world.call("modify_pending_order_payment", args, "k1");
		expect(refused).toMatchObject({ category: "insufficient_funds" });
		expect(world.call("modify_pending_order_payment", args, "k1")).toEqual(refused);
		expect([world.effects().length, world.effectCount()]).toEqual([1, 0]);
	});

	test("does a write without a key as often as it is called", () => {
		const world = open();
		for (let i = 0; i < 3; i++) world.call("modify_user_address", { user_id: "ann", ...move });
		expect(world.effectCount()).toBe(3);
		expect(new Set(world.effects().map((effect) => effect.key)).size).toBe(3);
	});

	test("refuses a key that was used for another call, and changes nothing", () => {
		const world = open();
		world.call("modify_user_address", { user_id: "ann", ...move }, "k1");
		const before = world.hash();
		const other = { user_id: "ann", ...move, city: "Lynn" };
		expect(() => world.call("modify_user_address", other, "k1")).toThrow(/k1 was used for another call/);
		expect(() => world.call("cancel_pending_order", cancel, "k1")).toThrow(/k1/);
		expect(() => world.call("cancel_pending_order", cancel, "")).toThrow(/must not be empty/);
		expect([world.hash(), world.effectCount()]).toEqual([before, 1]);
	});

	test("takes the same arguments in another order for the same call", () => {
		const world = open();
		world.call("cancel_pending_order", { order_id: "#1", reason: "no longer needed" }, "k1");
		world.call("cancel_pending_order", { reason: "no longer needed", order_id: "#1" }, "k1");
		expect(world.effectCount()).toBe(1);
	});

	test("records a hand-over, and neither a read nor a sum", () => {
		const world = open();
		world.call("transfer_to_human_agents", { summary: "help" }, "k1");
		world.call("get_order_details", { order_id: "#1" }, "k2");
		world.call("calculate", { expression: "1 + 1" }, "k3");
		expect(world.effects().map((effect) => effect.tool)).toEqual(["transfer_to_human_agents"]);
	});

	test("is not changed through a result that it handed out", () => {
		const world = open();
		const before = world.hash();
		const order = world.call("get_order_details", { order_id: "#1" }) as { result: { payment_history: object[] } };
		Reflect.set(order.result, "status", "delivered");
		Reflect.set(order.result.payment_history[0] ?? {}, "amount", 0);
		expect(world.call("get_order_details", { order_id: "#1" })).toEqual({ result: smallShop().orders["#1"] });
		expect(world.hash()).toBe(before);
	});

	test("hands out results that later calls do not change", () => {
		const world = open();
		const before = world.call("get_order_details", { order_id: "#1" });
		const copy = structuredClone(before);
		world.call("cancel_pending_order", cancel);
		expect(before).toEqual(copy);
	});
});

test("of two users who match, the one that was loaded first is found", () => {
	const shop = smallShop();
	const { ann } = shop.users;
	if (!ann) throw new Error("The small shop has lost its customer");
	const seed = { ...shop, users: { zoe: { ...ann, user_id: "zoe" }, ann } };
	for (const world of [memoryRetailWorld(seed), openRetailWorld(":memory:", { seed })]) {
		world.call("modify_user_address", { user_id: "zoe", ...move });
		expect(world.call("find_user_id_by_email", { email: ann.email })).toEqual({ result: "zoe" });
	}
});

test("both worlds hash equally before and after the same writes", () => {
	const memory = worlds.memory();
	const sqlite = worlds.sqlite();
	expect(sqlite.hash()).toBe(memory.hash());
	for (const world of [memory, sqlite]) world.call("cancel_pending_order", cancel, "k1");
	expect(sqlite.hash()).toBe(memory.hash());
	expect(sqlite.hash()).not.toBe(worlds.memory().hash());
});

test("memory worlds of one database do not see each other's writes", () => {
	const shop = smallShop();
	const [one, other] = [memoryRetailWorld(shop), memoryRetailWorld(shop)];
	const before = other.hash();
	one.call("cancel_pending_order", cancel);
	expect(other.hash()).toBe(before);
	expect(one.hash()).not.toBe(before);
	expect(shop).toEqual(smallShop());
});

describe("the file of a SQLite world", () => {
	const folder = mkdtempSync(join(tmpdir(), "retail-file-"));
	afterEach(() => rmSync(folder, { recursive: true, force: true }));

	test("keeps state and records, and is loaded only once", () => {
		const path = join(folder, "world.db");
		const first = openRetailWorld(path, { seed: smallShop() });
		const outcome = first.call("cancel_pending_order", cancel, "k1");
		const after = first.hash();
		first.close();
		const again = openRetailWorld(path, { seed: smallShop() });
		expect(again.hash()).toBe(after);
		expect(again.call("cancel_pending_order", cancel, "k1")).toEqual(outcome);
		expect(again.effectCount()).toBe(1);
		again.close();
	});
});

test("an empty SQLite world without a seed is refused", () => {
	expect(() => openRetailWorld(":memory:")).toThrow(/open it once with `seed`/);
});
