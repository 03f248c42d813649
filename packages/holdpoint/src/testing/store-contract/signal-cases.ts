import assert from "node:assert/strict";
import type { Store } from "../../spec/store.ts";
import { code43, create, everything, fails, head, lease, type StoreCase, signal, step, storeCase } from "./fixture.ts";

async function unread(store: Store, run: string): Promise<string[] | undefined> {
	return (await store.load(run))?.signals.map(({ id }) => id);
}

export const signalCases: readonly StoreCase[] = [
	storeCase("anyone may leave a signal to a running, waiting or finished run", async (store) => {
		for (const status of ["running", "waiting", "completed", "failed", "cancelled"] as const) {
			await create(store, status, { status, more: [lease("you", 1_000)] });
			await store.acquire(status, { owner: "you", now: 1, until: 1_000 });
			for (const epoch of [0, 1, 2, 99]) await store.commit(status, epoch, [signal(`s${epoch}`)]);
			assert.deepEqual(await unread(store, status), ["s0", "s1", "s2", "s99"]);
			const run = await store.load(status);
			assert.equal(run?.epoch, 2);
			assert.equal(run?.head.status, status);
			assert.deepEqual(run?.signals[0], { id: "s0", body: "signal s0", mac: code43 });
		}
	}),

	storeCase("a signal to no run is refused and makes none", async (store) => {
		await fails(store.commit("r", 0, [signal("s")]), "run.unknown");
		await fails(store.commit("r", 3, [signal("s")]), "run.unknown");
		assert.equal(await store.load("r"), undefined);
	}),

	storeCase("signals wait in the order of arrival", async (store) => {
		await create(store, "r");
		const ids = Array.from({ length: 40 }, (_, i) => `s${(i * 17) % 40}`);
		await Promise.all(ids.map((id) => store.commit("r", 0, [signal(id)])));
		assert.deepEqual(await unread(store, "r"), ids);
		await store.commit("r", 1, [
			{ kind: "signal.drop", id: ids[0] as string },
			{ kind: "signal.drop", id: ids[39] as string },
		]);
		await store.commit("r", 0, [signal("late"), signal("later")]);
		assert.deepEqual(await unread(store, "r"), [...ids.slice(1, 39), "late", "later"]);
	}),

	storeCase("every receipt says how many signals wait", async (store) => {
		assert.equal((await store.commit("r", 0, [...step(1), signal("first")])).signals, 1);
		assert.equal((await store.commit("r", 0, [signal("a"), signal("b")])).signals, 3);
		assert.equal((await store.commit("r", 1, step(2))).signals, 3);
		assert.equal((await store.commit("r", 1, [...step(3), { kind: "signal.drop", id: "a" }])).signals, 2);
		assert.equal((await store.commit("r", 1, [lease("me", 9)])).signals, 2);
		assert.equal((await store.commit("r", 1, [{ kind: "signal.drop", id: "b" }, signal("c")])).signals, 2);
		assert.deepEqual(await unread(store, "r"), ["first", "c"]);
	}),

	storeCase("only the writer takes a signal away, with what it made of it", async (store) => {
		await create(store, "r");
		await store.commit("r", 0, [signal("a"), signal("b")]);
		await store.acquire("r", { owner: "me", now: 1, until: 9 });
		await fails(store.commit("r", 1, [{ kind: "signal.drop", id: "a" }]), "run.lease_lost");
		assert.deepEqual(await unread(store, "r"), ["a", "b"]);
		await store.commit("r", 2, [...step(2), { kind: "signal.drop", id: "a" }]);
		assert.deepEqual(await unread(store, "r"), ["b"]);
	}),

	storeCase("to drop what is not there is no error", async (store) => {
		await create(store, "r");
		const drops = [
			{ kind: "signal.drop", id: "x" },
			{ kind: "blob.drop", digest: "x" },
			{ kind: "approval.drop", approval: "x" },
		] as const;
		assert.equal((await store.commit("r", 1, [...drops, { kind: "release" }])).signals, 0);
	}),

	storeCase("no more signals wait than the most that were allowed", async (store) => {
		await create(store, "r");
		for (const id of ["a", "b", "c"]) await store.commit("r", 0, [signal(id, 3)]);
		const before = await everything(store, ["r"]);
		await fails(store.commit("r", 0, [signal("d", 3)]), "store.failed");
		await fails(store.commit("r", 0, [signal("d", 0)]), "store.failed");
		assert.deepEqual(await everything(store, ["r"]), before);
		await store.commit("r", 1, [{ kind: "signal.drop", id: "a" }]);
		await store.commit("r", 0, [signal("d", 3)]);
		assert.deepEqual(await unread(store, "r"), ["b", "c", "d"]);
	}),

	storeCase("a signal left twice is there once, and never under another body", async (store) => {
		await create(store, "r");
		await store.commit("r", 0, [signal("a", 1)]);
		assert.equal((await store.commit("r", 0, [signal("a", 1)])).signals, 1);
		await fails(store.commit("r", 0, [signal("a", 9, "another")]), "store.failed");
		assert.deepEqual((await store.load("r"))?.signals, [{ id: "a", body: "signal a", mac: code43 }]);
	}),

	storeCase("the same signal may wait in two runs", async (store) => {
		await create(store, "r");
		await create(store, "q");
		await store.commit("r", 0, [signal("a", 9, "for r")]);
		await store.commit("q", 0, [signal("a", 9, "for q")]);
		await store.commit("r", 1, [{ kind: "signal.drop", id: "a" }]);
		assert.deepEqual(await unread(store, "r"), []);
		assert.deepEqual(await unread(store, "q"), ["a"]);
	}),

	storeCase("a signal that arrives while the writer parks is not lost", async (store) => {
		await create(store, "r", { more: [lease("you", 1_000)] });
		const park = store.commit("r", 1, [head(1, { status: "waiting" }), { kind: "release" }]);
		const [parked, left] = await Promise.all([park, store.commit("r", 0, [signal("s")])]);
		assert.equal(parked.signals + left.signals > 0, true);
		assert.deepEqual(
			(await store.runs({ readyAt: 5 })).map(({ run }) => run),
			["r"],
		);
	}),
];
