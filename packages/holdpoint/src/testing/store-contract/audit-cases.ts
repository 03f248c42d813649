import assert from "node:assert/strict";
import type { Store, Write } from "../../spec/store.ts";
import {
	approval,
	bytes,
	code43,
	create,
	entry,
	everything,
	fails,
	head,
	type StoreCase,
	signal,
	step,
	storeCase,
} from "./fixture.ts";

function leaf(body: string, salt?: string): Write {
	return { kind: "audit", body, ...(salt === undefined ? {} : { salt }) };
}

const checkpoint = (size: number) => ({ size, note: `note of ${size} — ü\n`, frontier: `["${size}"]` });

async function bodies(store: Store): Promise<string[]> {
	return (await store.audit.leaves({ limit: 1_000 })).map(({ body }) => body);
}

export const auditCases: readonly StoreCase[] = [
	storeCase("a store without a leaf has an empty log", async ({ audit }) => {
		assert.deepEqual(await audit.head(), { size: 0, checkpoint: undefined });
		assert.deepEqual(await audit.leaves({}), []);
		assert.deepEqual(await audit.leaves({ run: "none" }), []);
		assert.deepEqual(await audit.checkpoints({}), []);
	}),

	storeCase("leaves get their index in the order of the commits, whatever their run", async (store) => {
		await create(store, "r", { more: [leaf("a", "salt of a"), leaf("b")] });
		await create(store, "q", { more: [leaf("c", code43)] });
		await store.commit("r", 1, [...step(2), leaf("ü✓ d")]);
		assert.deepEqual(await store.audit.leaves({}), [
			{ index: 0, body: "a", salt: "salt of a" },
			{ index: 1, body: "b", salt: undefined },
			{ index: 2, body: "c", salt: code43 },
			{ index: 3, body: "ü✓ d", salt: undefined },
		]);
		assert.equal((await store.audit.head()).size, 4);
	}),

	storeCase("leaves are read in pages, and of one run", async (store) => {
		await create(store, "r", { more: [leaf("0"), leaf("1")] });
		await create(store, "q", { more: [leaf("2")] });
		await store.commit("r", 1, [...step(2), leaf("3"), leaf("4")]);
		const read = async (query: Parameters<Store["audit"]["leaves"]>[0]) =>
			(await store.audit.leaves(query)).map(({ index }) => index);
		assert.deepEqual(await read({ from: 1, limit: 2 }), [1, 2]);
		assert.deepEqual(await read({ from: 5 }), []);
		assert.deepEqual(await read({ run: "r" }), [0, 1, 3, 4]);
		assert.deepEqual(await read({ run: "r", from: 1, limit: 2 }), [1, 3]);
		assert.deepEqual(await read({ run: "none" }), []);
	}),

	storeCase("a leaf of a commit that is refused is not there, and leaves no gap", async (store) => {
		await create(store, "r", { more: [leaf("0")] });
		await fails(store.commit("r", 0, [...step(1), leaf("x")]), "run.exists");
		await fails(store.commit("r", 7, [...step(2), leaf("x")]), "run.lease_lost");
		await fails(store.commit("r", 1, [leaf("x"), ...step(5)]), "store.failed");
		await fails(store.commit("r", 1, [leaf("x"), signal("s", 0)]), "store.failed");
		await fails(store.commit("q", 1, [leaf("x")]), "run.lease_lost");
		await store.commit("r", 1, [...step(2), leaf("1")]);
		assert.deepEqual(await bodies(store), ["0", "1"]);
	}),

	storeCase("commits at the same time give every index once, each run's leaves in their order", async (store) => {
		const runs = Array.from({ length: 12 }, (_, at) => `r${at}`);
		await Promise.all(
			runs.map(async (run) => {
				await create(store, run, { more: [leaf(`${run} 0`), leaf(`${run} 1`)] });
				for (let n = 1; n < 5; n++)
					await store.commit(run, 1, [...step(n + 1), leaf(`${run} ${2 * n}`), leaf(`${run} ${2 * n + 1}`)]);
			}),
		);
		const leaves = await store.audit.leaves({ limit: 1_000 });
		assert.deepEqual(
			leaves.map(({ index }) => index),
			Array.from({ length: 120 }, (_, at) => at),
		);
		for (const run of runs) {
			const own = leaves.filter(({ body }) => body.startsWith(`${run} `));
			assert.deepEqual(
				own.map(({ body }) => body),
				Array.from({ length: 10 }, (_, at) => `${run} ${at}`),
			);
			// Those of one commit stand together.
			for (let at = 0; at < own.length; at += 2) assert.equal(own[at + 1]?.index, (own[at]?.index ?? 0) + 1);
		}
	}),

	storeCase("checkpoints are kept once for a size, and are read in order", async ({ audit }) => {
		for (const size of [5, 1, 9]) await audit.keep(checkpoint(size));
		await audit.keep({ ...checkpoint(5), note: "another" });
		assert.deepEqual(await audit.checkpoints({}), [1, 5, 9].map(checkpoint));
		assert.deepEqual(await audit.checkpoints({ from: 2, limit: 1 }), [checkpoint(5)]);
		assert.deepEqual((await audit.head()).checkpoint, checkpoint(9));
	}),

	storeCase("erasing drops all that a run had but its row and its leaves", async (store) => {
		const had = [leaf("0", "salt"), { kind: "blob", digest: "d", body: bytes(9_000) } as const, approval("a")];
		await create(store, "r", { more: had });
		await create(store, "q", { more: [leaf("1", "other salt"), { kind: "blob", digest: "d", body: bytes(10) }] });
		await store.commit("r", 0, [signal("s")]);
		const others = await everything(store, ["q"], ["d"]);
		await store.commit("r", 1, [{ kind: "erase" }, head(0, { status: "completed" }), leaf("2"), { kind: "release" }]);
		const left = await store.load("r");
		assert.deepEqual([left?.entries, left?.signals, left?.head.seq, left?.head.status], [[], [], 0, "completed"]);
		assert.equal(await store.blob("r", "d"), undefined);
		assert.deepEqual(await store.approvals({ run: "r" }), []);
		assert.deepEqual(
			(await store.audit.leaves({})).map(({ body, salt }) => [body, salt]),
			[
				["0", undefined],
				["1", "other salt"],
				["2", undefined],
			],
		);
		const after = await everything(store, ["q"], ["d"]);
		assert.deepEqual(after, { ...(others as object), rows: (after as { rows: unknown }).rows, approvals: [] });
	}),

	storeCase("erasing is fenced, and comes with a head of no entry", async (store) => {
		await create(store, "r");
		const before = await everything(store, ["r"]);
		const erase = { kind: "erase" } as const;
		await fails(store.commit("r", 2, [erase, head(0)]), "run.lease_lost");
		await fails(store.commit("r", 1, [erase]), "store.failed");
		await fails(store.commit("r", 1, [erase, head(1)]), "store.failed");
		await fails(store.commit("r", 1, [erase, entry(1), head(1)]), "store.failed");
		await fails(store.commit("r", 1, [erase, entry(2), head(2)]), "store.failed");
		assert.deepEqual(await everything(store, ["r"]), before);
	}),

	storeCase("what no log could keep is refused", async (store) => {
		await create(store, "r");
		for (const wrong of [leaf(5 as never), leaf("\ud800"), leaf("x", 5 as never), leaf("x", "s".repeat(300))]) {
			await fails(store.commit("r", 1, [wrong]), "store.failed");
		}
		await fails(store.audit.leaves({ from: -1 }), "store.failed");
		await fails(store.audit.leaves({ limit: 1_001 }), "store.failed");
		await fails(store.audit.leaves({ run: "" }), "store.failed");
		await fails(store.audit.keep({ ...checkpoint(1), size: 1.5 }), "store.failed");
		await fails(store.audit.keep({ ...checkpoint(1), note: "\ud800" }), "store.failed");
		assert.deepEqual(await store.audit.head(), { size: 0, checkpoint: undefined });
	}),

	storeCase("the log is there after the store was closed and opened again", async (store, { reopen }) => {
		if (!reopen) return;
		await create(store, "r", { more: [leaf("0", "salt")] });
		await store.audit.keep(checkpoint(1));
		const again = await reopen();
		assert.deepEqual(await again.audit.head(), { size: 1, checkpoint: checkpoint(1) });
		await again.commit("r", 1, [...step(2), leaf("1")]);
		assert.deepEqual(await bodies(again), ["0", "1"]);
	}),

	storeCase("the log of a closed store is closed", async (store) => {
		await create(store, "r");
		await store.close();
		await fails(store.audit.head(), "store.closed");
		await fails(store.audit.leaves({}), "store.closed");
		await fails(store.audit.keep(checkpoint(1)), "store.closed");
		await fails(store.audit.checkpoints({}), "store.closed");
	}),
];
