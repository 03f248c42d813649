import assert from "node:assert/strict";
import type { Store } from "../../spec/store.ts";
import {
	approval,
	bytes,
	code43,
	create,
	everything,
	fails,
	lease,
	type StoreCase,
	signal,
	step,
	storeCase,
} from "./fixture.ts";

/** Around the sizes at which stores change how they keep a body. */
const blobSizes = [0, 1, 489, 959, 960, 961, 1_500, 4_580, 4_581, 4_582, 6_144, 8_673, 20_000, 70_001, 1_200_000];

export const lifeCases: readonly StoreCase[] = [
	storeCase("a blob of any size comes back as it was", async (store) => {
		await create(store, "r");
		for (const size of blobSizes) await store.commit("r", 1, [{ kind: "blob", digest: `d${size}`, body: bytes(size) }]);
		for (const size of blobSizes) {
			const body = await store.blob("r", `d${size}`);
			assert.ok(body instanceof Uint8Array);
			assert.ok(Buffer.from(bytes(size)).equals(body), `blob of ${size} bytes`);
		}
	}),

	storeCase("a view of a larger buffer is kept as what it shows", async (store) => {
		const whole = bytes(5_000);
		await create(store, "r", { more: [{ kind: "blob", digest: code43, body: whole.subarray(1_000, 3_000) }] });
		whole.fill(0);
		const body = (await store.blob("r", code43)) as Uint8Array;
		assert.deepEqual(body, bytes(5_000).slice(1_000, 3_000));
		body.fill(0);
		assert.deepEqual(await store.blob("r", code43), bytes(5_000).slice(1_000, 3_000));
	}),

	storeCase("a blob belongs to its run, can be replaced, and is gone when dropped", async (store) => {
		const put = (seed: number, size = 6_000) => ({ kind: "blob", digest: "d", body: bytes(size, seed) }) as const;
		await create(store, "r", { more: [put(1)] });
		await create(store, "q", { more: [put(2)] });
		assert.equal(await store.blob("r", "other"), undefined);
		assert.equal(await store.blob("none", "d"), undefined);
		await store.commit("r", 1, [put(3, 50)]);
		assert.deepEqual(await store.blob("r", "d"), bytes(50, 3));
		await store.commit("r", 1, [{ kind: "blob.drop", digest: "d" }]);
		assert.equal(await store.blob("r", "d"), undefined);
		assert.deepEqual(await store.blob("q", "d"), bytes(6_000, 2));
		await store.commit("r", 1, [put(4), { kind: "blob.drop", digest: "d" }, put(5)]);
		assert.deepEqual(await store.blob("r", "d"), bytes(6_000, 5));
	}),

	{
		name: "each store has an id of its own, which stays",
		async run(makeStore) {
			const [one, two] = [await makeStore(), await makeStore()];
			try {
				const id = await one.store.id();
				assert.ok(id.length >= 16, id);
				assert.equal(await one.store.id(), id);
				assert.notEqual(await two.store.id(), id);
				if (one.reopen) assert.equal(await (await one.reopen()).id(), id);
			} finally {
				await one.close();
				await two.close();
			}
		},
	},

	storeCase("what was committed is there after the store was closed and opened again", async (store, { reopen }) => {
		if (!reopen) return;
		await create(store, "r", {
			session: "s",
			more: [{ kind: "blob", digest: "d", body: bytes(7_000) }, approval("a"), lease("me", 9)],
		});
		await store.commit("r", 0, [signal("s1"), signal("s2")]);
		await store.acquire("r", { owner: "me", now: 1, until: 50 });
		await store.commit("r", 2, step(2, { status: "waiting", dueAt: 6, session: "s" }));
		const before = await everything(store, ["r"], ["d"]);
		const again = await reopen();
		assert.deepEqual(await everything(again, ["r"], ["d"]), before);
		await fails(again.commit("r", 1, step(3)), "run.lease_lost");
		await again.commit("r", 2, step(3));
	}),

	storeCase("a commit that was under way when the store was closed is done", async (store, { reopen }) => {
		const work = Promise.all([create(store, "r"), create(store, "q")]);
		const closing = store.close();
		await work;
		await closing;
		if (reopen) assert.equal((await (await reopen()).runs({})).length, 2);
	}),

	storeCase("a closed store does nothing more", async (store) => {
		await create(store, "r");
		await store.close();
		await store.close();
		const works: Record<string, (store: Store) => Promise<unknown>> = {
			id: ({ id }) => id(),
			commit: ({ commit }) => commit("r", 1, step(2)),
			signal: ({ commit }) => commit("r", 0, [signal("s")]),
			acquire: ({ acquire }) => acquire("r", { owner: "me", now: 1, until: 2 }),
			load: ({ load }) => load("r"),
			blob: ({ blob }) => blob("r", "d"),
			runs: ({ runs }) => runs({}),
			approvals: ({ approvals }) => approvals({}),
			document: ({ document }) => document("d"),
			accounts: ({ accounts }) => accounts({}),
		};
		for (const [what, work] of Object.entries(works)) await fails(work(store), "store.closed", what);
	}),
];
