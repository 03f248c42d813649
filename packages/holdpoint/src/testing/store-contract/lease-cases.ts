import assert from "node:assert/strict";
import { create, entry, everything, fails, head, lease, type StoreCase, signal, step, storeCase } from "./fixture.ts";

export const leaseCases: readonly StoreCase[] = [
	storeCase("acquire finds no run where there is none, and makes none", async (store) => {
		assert.equal(await store.acquire("r", { owner: "me", now: 1, until: 9 }), undefined);
		assert.equal(await store.load("r"), undefined);
	}),

	storeCase("acquire takes the lease, raises the epoch by one and returns the whole run", async (store) => {
		await store.commit("r", 0, [entry(1), entry(2), head(2)]);
		await store.commit("r", 0, [signal("a"), signal("b")]);
		const run = await store.acquire("r", { owner: "me", now: 1, until: 9 });
		assert.equal(run?.epoch, 2);
		assert.deepEqual(run?.lease, { owner: "me", until: 9 });
		assert.deepEqual(
			run?.entries.map(({ seq }) => seq),
			[1, 2],
		);
		assert.deepEqual(
			run?.signals.map(({ id }) => id),
			["a", "b"],
		);
		assert.deepEqual(await store.load("r"), run);
		await store.commit("r", 2, step(3));
	}),

	storeCase("a run is busy while the lease of another owner is unexpired", async (store) => {
		await create(store, "r", { more: [lease("you", 10)] });
		const before = await everything(store, ["r"]);
		await fails(store.acquire("r", { owner: "me", now: 9, until: 20 }), "run.busy");
		assert.deepEqual(await everything(store, ["r"]), before);
		await store.commit("r", 1, step(2));
		assert.equal((await store.acquire("r", { owner: "me", now: 10, until: 20 }))?.epoch, 2);
		await fails(store.commit("r", 1, step(3)), "run.lease_lost");
	}),

	storeCase("an owner may take its own run again, and fences itself off", async (store) => {
		await create(store, "r", { more: [lease("me", 10)] });
		assert.equal((await store.acquire("r", { owner: "me", now: 5, until: 20 }))?.epoch, 2);
		await fails(store.commit("r", 1, step(2)), "run.lease_lost");
	}),

	storeCase("of many that acquire at the same time one wins", async (store) => {
		await create(store, "r");
		const owners = Array.from({ length: 8 }, (_, i) => `owner ${i}`);
		const settled = await Promise.allSettled(owners.map((owner) => store.acquire("r", { owner, now: 1, until: 9 })));
		assert.deepEqual(settled.map(({ status }) => status).sort(), ["fulfilled", ...Array(7).fill("rejected")]);
		assert.equal((await store.load("r"))?.epoch, 2);
	}),

	storeCase("a dead owner's lease is taken over, and only a dead one's", async (store) => {
		await create(store, "r", { more: [lease("you", 10)] });
		const asked: string[] = [];
		const request = (dead: boolean, now: number) => ({
			owner: "me",
			now,
			until: 30,
			takeOver: (owner: string) => {
				asked.push(owner);
				return dead;
			},
		});
		await fails(store.acquire("r", request(false, 5)), "run.busy");
		assert.equal((await store.acquire("r", request(true, 5)))?.epoch, 2);
		assert.deepEqual(asked, ["you", "you"]);
		// Its own lease, and an expired one, are no question.
		await store.acquire("r", request(false, 5));
		await store.acquire("r", { ...request(false, 30), owner: "third" });
		assert.deepEqual(asked, ["you", "you"]);
	}),

	storeCase("a question that throws takes nothing over", async (store) => {
		await create(store, "r", { more: [lease("you", 10)] });
		const before = await everything(store, ["r"]);
		const takeOver = () => {
			throw new Error("no idea");
		};
		await assert.rejects(store.acquire("r", { owner: "me", now: 5, until: 9, takeOver }), /no idea/);
		assert.deepEqual(await everything(store, ["r"]), before);
		await store.commit("r", 1, step(2));
	}),

	storeCase("a heartbeat prolongs the lease, and a lost one does not", async (store) => {
		await create(store, "r", { more: [lease("you", 10)] });
		await store.commit("r", 1, [lease("you", 20)]);
		assert.deepEqual((await store.load("r"))?.lease, { owner: "you", until: 20 });
		await fails(store.acquire("r", { owner: "me", now: 19, until: 30 }), "run.busy");
		await store.acquire("r", { owner: "me", now: 20, until: 30 });
		await fails(store.commit("r", 1, [lease("you", 40)]), "run.lease_lost");
		assert.deepEqual((await store.load("r"))?.lease, { owner: "me", until: 30 });
	}),

	storeCase("a released run is free at once and keeps its epoch", async (store) => {
		await create(store, "r", { more: [lease("you", 1_000)] });
		await store.commit("r", 1, [...step(2, { status: "waiting" }), { kind: "release" }]);
		const run = await store.load("r");
		assert.equal(run?.lease, undefined);
		assert.equal(run?.epoch, 1);
		assert.equal((await store.acquire("r", { owner: "me", now: 5, until: 9 }))?.epoch, 2);
	}),

	storeCase("a writer whose lease ran out goes on until somebody takes the run", async (store) => {
		await create(store, "r", { more: [lease("you", 10)] });
		await store.commit("r", 1, [...step(2, { updatedAt: 50 }), lease("you", 60)]);
		assert.deepEqual((await store.load("r"))?.lease, { owner: "you", until: 60 });
	}),
];
