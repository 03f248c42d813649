import assert from "node:assert/strict";
import { fixedLimits } from "../../spec/limits.ts";
import { noRun, type Store, type Write } from "../../spec/store.ts";
import { code43, create, everything, fails, head, type StoreCase, signal, step, storeCase } from "./fixture.ts";

function document(rev: number, name = "grants"): Write {
	return { kind: "document", document: { name, rev, body: `body ${rev} ü`, mac: code43 } };
}

interface Hold {
	readonly account?: string;
	readonly max?: number;
	readonly until?: number;
	readonly now?: number;
}

function reserve(holder: string, amount: number, { account = "all", max = 10, until, now = 5 }: Hold = {}): Write {
	return { kind: "reserve", account, holder, amount, max, until, now };
}

function settle(holder: string, amount: number, account = "all"): Write {
	return { kind: "settle", account, holder, amount };
}

async function account(store: Store, name = "all") {
	const row = (await store.accounts({ prefix: name })).find((one) => one.account === name);
	return row && [row.spent, row.held];
}

export const sharedCases: readonly StoreCase[] = [
	storeCase("a document is replaced by the revision that follows, and by no other", async (store, { reopen }) => {
		assert.equal(await store.document("grants"), undefined);
		await fails(store.commit(noRun, 0, [document(2)]), "store.conflict");
		await store.commit(noRun, 0, [document(1)]);
		await fails(store.commit(noRun, 0, [document(1)]), "store.conflict");
		await store.commit(noRun, 0, [document(2), document(1, "switches")]);
		await fails(store.commit(noRun, 0, [document(3), document(1, "switches")]), "store.conflict");
		const again = reopen ? await reopen() : store;
		assert.deepEqual(await again.document("grants"), { name: "grants", rev: 2, body: "body 2 ü", mac: code43 });
		assert.equal(await again.document("grants", 2), "unchanged");
		assert.equal((await again.document("grants", 1)) !== "unchanged", true);
		assert.equal(await again.document("switches", 1), "unchanged");
		assert.deepEqual(await again.runs({}), []);
	}),

	storeCase("of two who change a document at once one wins", async (store) => {
		const tries = await Promise.allSettled([1, 2, 3].map(() => store.commit(noRun, 0, [document(1)])));
		assert.equal(tries.filter(({ status }) => status === "fulfilled").length, 1);
	}),

	storeCase("what belongs to a run goes under its id, and what belongs to none under no run's", async (store) => {
		await create(store, "r");
		await fails(store.commit("r", 1, [document(1)]), "store.failed");
		await fails(store.commit("r", 0, [document(1)]), "store.failed");
		await fails(store.commit(noRun, 0, [signal("s")]), "store.failed");
		await fails(store.commit(noRun, 0, step(1)), "store.failed");
		await fails(store.commit(noRun, 1, [document(1)]), "store.failed");
		await fails(store.commit(noRun, 0, [reserve("c1", 1)]), "store.failed");
		assert.equal(await store.document("grants"), undefined);
		assert.equal(await store.load(noRun), undefined);
	}),

	storeCase("an account never holds and has spent more than its most, and exactly that is allowed", async (store) => {
		await create(store, "r");
		await store.commit("r", 1, [reserve("c1", 6)]);
		await fails(store.commit("r", 1, [reserve("c2", 5)]), "budget.exhausted");
		await store.commit("r", 1, [reserve("c2", 4)]);
		assert.deepEqual(await account(store), [0, 10]);
		await fails(store.commit("r", 1, [reserve("c3", 1)]), "budget.exhausted");
		await store.commit("r", 1, [settle("c1", 2)]);
		assert.deepEqual(await account(store), [2, 4]);
		await store.commit("r", 1, [reserve("c3", 4)]);
		await fails(store.commit("r", 1, [reserve("c4", 1)]), "budget.exhausted");
	}),

	storeCase("the error says which account, and what is used of it", async (store) => {
		await create(store, "r");
		await store.commit("r", 1, [reserve("c1", 6)]);
		await assert.rejects(store.commit("r", 1, [reserve("c2", 5)]), {
			details: { account: "all", used: 6, amount: 5, max: 10 },
		});
	}),

	storeCase("of two reasons to refuse a commit every store says the same", async (store) => {
		await create(store, "r");
		const full: Write = { ...signal("s"), max: 0 } as Write;
		await fails(store.commit("r", 1, [full, reserve("c1", 11)]), "budget.exhausted");
		await fails(store.commit("r", 1, [full, reserve("c1", 10)]), "store.failed");
		assert.equal(await account(store), undefined);
	}),

	storeCase("to reserve again is to change what is held, not to add to it", async (store) => {
		await create(store, "r");
		await store.commit("r", 1, [reserve("c1", 6)]);
		await store.commit("r", 1, [reserve("c1", 9)]);
		assert.deepEqual(await account(store), [0, 9]);
		await store.commit("r", 1, [settle("c1", 9), settle("c1", 9)]);
		await store.commit("r", 1, [settle("c1", 9)]);
		assert.deepEqual(await account(store), [9, 0]);
	}),

	storeCase("two runs hold for themselves, under the same names", async (store) => {
		await create(store, "r");
		await create(store, "q");
		await store.commit("r", 1, [reserve("c1", 6)]);
		await fails(store.commit("q", 1, [reserve("c1", 6)]), "budget.exhausted");
		await store.commit("q", 1, [reserve("c1", 4)]);
		await store.commit("r", 1, [settle("c1", 0)]);
		assert.deepEqual(await account(store), [0, 4]);
	}),

	storeCase("all of a commit or nothing: what is held, what is spent, and the entry beside it", async (store) => {
		await create(store, "r");
		await store.commit("r", 1, [reserve("c1", 3), reserve("c1", 5, { account: "other" })]);
		const before = await everything(store, ["r"]);
		const accounts = await store.accounts({});
		const far = reserve("c2", 9, { account: "other" });
		await fails(store.commit("r", 1, [...step(2), settle("c1", 1), reserve("c2", 1), far]), "budget.exhausted");
		assert.deepEqual(await everything(store, ["r"]), before);
		assert.deepEqual(await store.accounts({}), accounts);
		await store.commit("r", 1, [...step(2), settle("c1", 1)]);
		assert.deepEqual(await account(store), [1, 0]);
	}),

	storeCase("a writer whose lease is lost neither reserves nor settles", async (store) => {
		await create(store, "r");
		await store.commit("r", 1, [reserve("c1", 3)]);
		await store.acquire("r", { owner: "you", now: 1, until: 9 });
		await fails(store.commit("r", 1, [reserve("c2", 1)]), "run.lease_lost");
		await fails(store.commit("r", 1, [settle("c1", 1)]), "run.lease_lost");
		assert.deepEqual(await account(store), [0, 3]);
		await store.commit("r", 2, [settle("c1", 1), head(1)]);
		assert.deepEqual(await account(store), [1, 0]);
	}),

	storeCase("many at once never overdraw an account", async (store) => {
		const runs = Array.from({ length: 20 }, (_, i) => `r${i}`);
		for (const run of runs) await create(store, run);
		const wants = runs.flatMap((run, i) => [1, 2, 3].map((n) => ({ run, holder: `c${n}`, amount: 1 + ((i + n) % 4) })));
		const max = 30;
		const tries = await Promise.allSettled(
			wants.map(({ run, holder, amount }) => store.commit(run, 1, [reserve(holder, amount, { max })])),
		);
		const held = wants.filter((_, i) => tries[i]?.status === "fulfilled").reduce((sum, { amount }) => sum + amount, 0);
		assert.deepEqual(await account(store), [0, held]);
		assert.equal(held <= max && held > max - 5, true);
	}),

	storeCase("a clock that is ahead, and then back, makes no account forgotten", async (store) => {
		await create(store, "r");
		const day = { account: "day 1", until: 100 };
		await store.commit("r", 1, [reserve("c1", 9, day)]);
		await store.commit("r", 1, [settle("c1", 9, "day 1")]);
		const later = Array.from({ length: 500 }, (_, n) => reserve(`c${n}`, 1, { account: `later ${n}`, now: 1e15 }));
		await store.commit("r", 1, later);
		assert.deepEqual(await account(store, "day 1"), [9, 0]);
		await fails(store.commit("r", 1, [reserve("c1", 2, day)]), "budget.exhausted");
	}),

	storeCase("of accounts that ended, those that ended first are forgotten, where there are too many", async (store) => {
		await create(store, "r");
		const { accountsEndedMax: kept, accountsSweepEvery: every } = fixedLimits;
		const name = (n: number) => `day ${n}`;
		const day = (n: number) => ({ account: name(n), until: 10 + n });
		const days = Array.from({ length: kept + 4 * every }, (_, n) => n);
		for (let at = 0; at < days.length; at += 2_000) {
			const some = days.slice(at, at + 2_000);
			const done = some.filter((n) => n > 0).map((n) => settle("c1", 5, name(n)));
			await store.commit("r", 1, [...some.map((n) => reserve("c1", 5, day(n))), ...done]);
		}
		const others = Array.from({ length: 2 * every }, (_, n) => `other ${n}`);
		for (const other of others)
			await store.commit("r", 1, [reserve("c2", 1, { account: other, now: 1e15 }), settle("c2", 1, other)]);
		// Something is held on the first.
		assert.deepEqual(await account(store, name(0)), [0, 5]);
		for (const n of [1, 2, every]) assert.equal(await account(store, name(n)), undefined);
		for (const n of days.slice(-kept)) if (n % 500 === 0) assert.deepEqual(await account(store, name(n)), [5, 0]);
		assert.deepEqual(await account(store, name(days.length - 1)), [5, 0]);
		await store.commit("r", 1, [reserve("c3", 10, day(1))]);
		assert.deepEqual(await account(store, name(1)), [0, 10]);
	}),

	storeCase("accounts are found by the beginning of their names, each as it stands", async (store, { reopen }) => {
		await create(store, "r");
		const names = ["a_b", "a%b", "aXb", "b"];
		await store.commit(
			"r",
			1,
			names.map((name, i) => reserve("c1", i + 1, { account: name })),
		);
		await store.commit("r", 1, [settle("c1", 7, "b")]);
		const again = reopen ? await reopen() : store;
		const rows = async (prefix: string) => (await again.accounts({ prefix })).map((row) => row.account);
		assert.deepEqual(await rows("a"), ["a%b", "aXb", "a_b"]);
		assert.deepEqual(await rows("a_"), ["a_b"]);
		assert.deepEqual(await again.accounts({ prefix: "b" }), [{ account: "b", spent: 7, held: 0, until: undefined }]);
		assert.deepEqual((await again.accounts({ limit: 1 })).length, 1);
	}),

	storeCase("the end of a run spends what it holds still, and of no other run", async (store) => {
		await create(store, "r");
		await create(store, "q");
		await store.commit("r", 1, [reserve("c1", 2), reserve("c2", 3), reserve("c1", 4, { account: "other" })]);
		await store.commit("q", 1, [reserve("c1", 1)]);
		await store.commit("r", 1, [settle("c2", 0), { kind: "settle.rest" }]);
		assert.deepEqual(
			[await account(store), await account(store, "other")],
			[
				[2, 1],
				[4, 0],
			],
		);
		await store.commit("r", 1, [{ kind: "settle.rest" }, settle("c1", 9)]);
		assert.deepEqual(await account(store), [2, 1]);
	}),

	storeCase(
		"what one holder holds still is spent or given back, wherever it is, and of no other one",
		async (store) => {
			await create(store, "r");
			await create(store, "q");
			const both = (holder: string) => [reserve(holder, 2), reserve(holder, 4, { account: "other" })];
			await store.commit("r", 1, [...both("c1"), ...both("c2")]);
			await store.commit("q", 1, [reserve("c1", 1)]);
			await store.commit("r", 1, [{ kind: "settle.rest", holder: "c1", unspent: true }]);
			assert.deepEqual(
				[await account(store), await account(store, "other")],
				[
					[0, 3],
					[0, 4],
				],
			);
			await store.commit("r", 1, [{ kind: "settle.rest", holder: "c2" }, reserve("c2", 7)]);
			assert.deepEqual(
				[await account(store), await account(store, "other")],
				[
					[2, 8],
					[4, 0],
				],
			);
			await store.commit("r", 1, [{ kind: "settle.rest", unspent: true }]);
			assert.deepEqual(await account(store), [2, 1]);
			await fails(store.commit("r", 1, [{ kind: "settle.rest", holder: "" }]), "store.failed");
		},
	),

	storeCase("a receipt says whether documents changed since another one", async (store) => {
		const receipt = async (write: Write, run = "r") =>
			(await store.commit(run, run === "r" ? 1 : 0, [write])).documents;
		await create(store, "r");
		const first = await receipt({ kind: "release" });
		assert.equal(await receipt({ kind: "release" }), first);
		const second = await receipt(document(1), noRun);
		assert.notEqual(second, first);
		assert.equal(await receipt({ kind: "release" }), second);
		await store.commit(noRun, 0, [document(1, "switches")]);
		await store.commit(noRun, 0, [document(2)]);
		assert.equal(new Set([first, second, await receipt({ kind: "release" })]).size, 3);
	}),

	storeCase("what no account can be is refused, and nothing has happened", async (store) => {
		await create(store, "r");
		const wrong: Write[] = [
			reserve("c1", -1),
			reserve("c1", 0),
			reserve("c1", 0.5),
			reserve("c1", Number.NaN),
			reserve("", 1),
			reserve("c1", 1, { account: "" }),
			reserve("c1", 1, { account: "a\0b" }),
			settle("c1", -1),
			settle("c1", Number.POSITIVE_INFINITY),
			{ ...reserve("c1", 1), max: -1 } as Write,
		];
		for (const write of wrong) await fails(store.commit("r", 1, [write]), "store.failed");
		assert.deepEqual(await store.accounts({}), []);
	}),

	storeCase("the largest numbers do not overflow", async (store) => {
		await create(store, "r");
		const most = Number.MAX_SAFE_INTEGER;
		await store.commit("r", 1, [reserve("c1", most, { max: most })]);
		await fails(store.commit("r", 1, [reserve("c2", 1, { max: most })]), "budget.exhausted");
		await store.commit("r", 1, [settle("c1", most)]);
		await store.commit("r", 1, [reserve("c3", 1, { account: "b", max: most }), settle("c3", most, "b")]);
		await store.commit("r", 1, [reserve("c3", 1, { account: "c", max: most }), settle("c3", 5, "c")]);
		await store.commit("r", 1, [reserve("c3", 1, { account: "c", max: most }), settle("c3", most, "c")]);
		assert.deepEqual(
			[await account(store, "b"), await account(store, "c")],
			[
				[most, 0],
				[most, 0],
			],
		);
	}),
];
