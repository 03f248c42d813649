import assert from "node:assert/strict";
import type { RunQuery, RunStatus, Store, Write } from "../../spec/store.ts";
import { approval, create, fails, head, lease, type StoreCase, signal, storeCase } from "./fixture.ts";

async function listed(store: Store, query: RunQuery): Promise<string[]> {
	return (await store.runs(query)).map(({ run }) => run);
}

/** All pages of a query, one after the other. */
async function paged(store: Store, query: RunQuery & { limit: number }): Promise<string[]> {
	const found: string[] = [];
	let before: RunQuery["before"];
	for (;;) {
		const page = await store.runs({ ...query, ...(before ? { before } : {}) });
		found.push(...page.map(({ run }) => run));
		before = page.at(-1);
		if (page.length < query.limit) return found;
	}
}

export const indexCases: readonly StoreCase[] = [
	storeCase("a row of the index says what the head says", async (store) => {
		await create(store, "r", {
			status: "waiting",
			session: "s",
			dueAt: 70,
			updatedAt: 60,
			more: [lease("me", 9), signal("a")],
		});
		const row = {
			run: "r",
			epoch: 1,
			seq: 1,
			status: "waiting",
			agent: "support",
			session: "s",
			dueAt: 70,
			updatedAt: 60,
		};
		assert.deepEqual(await store.runs({}), [{ ...row, signals: 1, lease: { owner: "me", until: 9 } }]);
		await store.commit("r", 1, [{ kind: "release" }, { kind: "signal.drop", id: "a" }]);
		assert.deepEqual(await store.runs({}), [{ ...row, signals: 0, lease: undefined }]);
	}),

	storeCase("runs are listed newest change first, among equals by descending id", async (store) => {
		for (const [run, updatedAt] of [
			["b", 5],
			["a", 5],
			["c", 9],
			["d", 1],
			["𝒳", 5],
			["\uffee", 5],
		] as const) {
			await create(store, run, { updatedAt });
		}
		assert.deepEqual(await listed(store, {}), ["c", "𝒳", "\uffee", "b", "a", "d"]);
		await store.commit("d", 1, [head(1, { updatedAt: 10 })]);
		assert.deepEqual(await listed(store, { limit: 2 }), ["d", "c"]);
	}),

	storeCase("runs are found by status and by session", async (store) => {
		const statuses: RunStatus[] = ["running", "waiting", "completed", "failed", "cancelled"];
		for (const [i, status] of statuses.entries()) {
			await create(store, `${status} 1`, { status, updatedAt: i, session: "s" });
			await create(store, `${status} 2`, { status, updatedAt: 10 + i });
		}
		assert.deepEqual(await listed(store, { status: ["failed"] }), ["failed 2", "failed 1"]);
		assert.deepEqual(await listed(store, { status: ["running", "waiting", "running"], limit: 3 }), [
			"waiting 2",
			"running 2",
			"waiting 1",
		]);
		assert.deepEqual(await listed(store, { status: [] }), []);
		assert.deepEqual(
			await listed(store, { session: "s" }),
			[...statuses].reverse().map((status) => `${status} 1`),
		);
		assert.deepEqual(await listed(store, { session: "s", status: ["running", "failed"] }), ["failed 1", "running 1"]);
		assert.deepEqual(await listed(store, { session: "other" }), []);
	}),

	storeCase("pages follow each other without gap or repetition", async (store) => {
		const names = Array.from({ length: 25 }, (_, i) => `r${String(i).padStart(2, "0")}`);
		for (const [i, run] of names.entries()) {
			const status = i % 3 === 0 ? "waiting" : "completed";
			await create(store, run, { updatedAt: Math.floor(i / 4), status, session: i % 2 === 0 ? "s" : "t" });
		}
		const all = await listed(store, {});
		assert.deepEqual([...all].sort(), names);
		assert.deepEqual(await paged(store, { limit: 3 }), all);
		assert.deepEqual(
			await paged(store, { limit: 2, status: ["waiting"] }),
			await listed(store, { status: ["waiting"] }),
		);
		assert.deepEqual(await paged(store, { limit: 2, session: "s" }), await listed(store, { session: "s" }));
		assert.deepEqual(await paged(store, { limit: 2, readyAt: 5 }), []);
	}),

	storeCase("a hundred rows unless asked otherwise, and never over a thousand", async (store) => {
		await Promise.all(Array.from({ length: 120 }, (_, i) => create(store, `r${i}`, { more: [approval(`a${i}`)] })));
		assert.equal((await store.runs({})).length, 100);
		assert.equal((await store.runs({ limit: 1_000 })).length, 120);
		assert.equal((await store.approvals({})).length, 100);
		assert.equal((await store.approvals({ limit: 1_000 })).length, 120);
		for (const limit of [0, -1, 1.5, 1_001, Number.NaN]) {
			await fails(store.runs({ limit }), "store.failed", `runs, limit ${limit}`);
			await fails(store.approvals({ limit }), "store.failed", `approvals, limit ${limit}`);
		}
	}),

	storeCase("ready are runs that somebody should advance now", async (store) => {
		await create(store, "waits", { status: "waiting" });
		await create(store, "waits long", { status: "waiting", dueAt: 101 });
		await create(store, "finished", { status: "completed" });
		await create(store, "due", { status: "waiting", dueAt: 100, updatedAt: 8 });
		await create(store, "told", { status: "waiting", updatedAt: 7, more: [signal("a")] });
		await create(store, "told late", { status: "completed", updatedAt: 6, more: [signal("a"), signal("b")] });
		await create(store, "orphan", { status: "running", updatedAt: 5 });
		await create(store, "expired", { status: "running", updatedAt: 4, more: [lease("you", 100)] });
		for (const [run, over] of [
			["a", { status: "running" }],
			["b", { status: "waiting", dueAt: 1 }],
			["c", { status: "waiting" }],
		] as const) {
			await create(store, `held ${run}`, { ...over, more: [lease("you", 101), ...(run === "c" ? [signal("a")] : [])] });
		}
		assert.deepEqual(await listed(store, { readyAt: 100 }), ["due", "told", "told late", "orphan", "expired"]);
		assert.deepEqual(await listed(store, { readyAt: 99 }), ["told", "told late", "orphan"]);
		assert.deepEqual(await paged(store, { readyAt: 100, limit: 1 }), ["due", "told", "told late", "orphan", "expired"]);
		assert.deepEqual(await listed(store, { readyAt: 100, status: ["waiting"] }), ["due", "told"]);
		assert.deepEqual(await listed(store, { readyAt: 100, session: "s" }), []);
		assert.equal((await listed(store, { readyAt: 101 })).length, 9);
	}),

	storeCase("a run is ready no more when it is held or its signals are read", async (store) => {
		await create(store, "r", { status: "waiting", more: [signal("a")] });
		assert.deepEqual(await listed(store, { readyAt: 5 }), ["r"]);
		await store.acquire("r", { owner: "me", now: 5, until: 9 });
		assert.deepEqual(await listed(store, { readyAt: 8 }), []);
		await store.commit("r", 2, [{ kind: "signal.drop", id: "a" }, { kind: "release" }]);
		assert.deepEqual(await listed(store, { readyAt: 100 }), []);
	}),

	storeCase("open approvals are listed oldest first", async (store) => {
		await create(store, "r", { more: [approval("ap_b", 9), approval("ap_a", 9)] });
		await create(store, "q", { more: [approval("ap_c", 3), approval("ap_a", 9), approval("AP_d", 12)] });
		const seen = (await store.approvals({})).map(({ approval: id, run }) => [id, run]);
		assert.deepEqual(seen, [
			["ap_c", "q"],
			["ap_a", "q"],
			["ap_a", "r"],
			["ap_b", "r"],
			["AP_d", "q"],
		]);
		assert.deepEqual(await store.approvals({ limit: 1 }), [
			{ approval: "ap_c", run: "q", call: "call of ap_c", tool: "refund", requestedAt: 3, expiresAt: 103 },
		]);
	}),

	storeCase("approvals of one moment are listed by run, then in the order of their calls", async (store) => {
		const of = (id: string, call: string): Write => ({ ...approval(id), call }) as Write;
		await create(store, "r", {
			more: [of("z", "c1.2"), of("b", "c1.10"), of("y", "c10"), of("x", "c2"), of("a", "c1.9")],
		});
		await create(store, "q", { more: [of("z", "c3"), of("a", "c4")] });
		assert.deepEqual(
			(await store.approvals({})).map(({ run, call }) => `${run} ${call}`),
			["q c3", "q c4", "r c2", "r c10", "r c1.2", "r c1.9", "r c1.10"],
		);
	}),

	storeCase("approvals are found by run and by the start of their id", async (store) => {
		await create(store, "r", {
			more: [approval("ap_1x"), approval("ap_12"), approval("ap%"), approval("ap'"), approval("𝒳y")],
		});
		await create(store, "q", { more: [approval("ap_12")] });
		const found = async (query: object) =>
			(await store.approvals(query)).map(({ approval: id, run }) => `${run} ${id}`);
		assert.deepEqual(await found({ prefix: "ap_1" }), ["q ap_12", "r ap_12", "r ap_1x"]);
		assert.deepEqual(await found({ prefix: "ap_12", run: "r" }), ["r ap_12"]);
		assert.deepEqual(await found({ run: "q" }), ["q ap_12"]);
		for (const prefix of ["ap%", "ap'", "𝒳"]) assert.equal((await found({ prefix })).length, 1, prefix);
		for (const prefix of ["AP", "p_", "ap_123", "%", "a*", "?"]) assert.deepEqual(await found({ prefix }), [], prefix);
		assert.equal((await found({ prefix: "" })).length, 6);
		assert.deepEqual(await found({ run: "none" }), []);
	}),

	storeCase("a closed approval is gone, from its own run only", async (store) => {
		await create(store, "r", { more: [approval("a"), approval("b")] });
		await create(store, "q", { more: [approval("a")] });
		await store.commit("r", 1, [{ kind: "approval.drop", approval: "a" }, approval("b", 77)]);
		assert.deepEqual(
			(await store.approvals({})).map(({ approval: id, run, requestedAt }) => [id, run, requestedAt]),
			[
				["a", "q", 5],
				["b", "r", 77],
			],
		);
	}),
];
