import assert from "node:assert/strict";
import type { Write } from "../../spec/store.ts";
import {
	approval,
	bytes,
	code43,
	create,
	entry,
	everything,
	fails,
	head,
	headOf,
	lease,
	type StoreCase,
	signal,
	step,
	storeCase,
} from "./fixture.ts";

const everyKind: readonly Write[] = [
	...step(2),
	{ kind: "blob", digest: "d", body: bytes(10) },
	{ kind: "blob.drop", digest: "kept" },
	signal("s"),
	{ kind: "signal.drop", id: "kept" },
	approval("a"),
	{ kind: "approval.drop", approval: "kept" },
	lease("me", 9),
];

const kept: readonly Write[] = [
	{ kind: "blob", digest: "kept", body: bytes(5) },
	signal("kept"),
	approval("kept"),
	lease("you", 7),
];

export const commitCases: readonly StoreCase[] = [
	storeCase("epoch 0 creates the run, at epoch 1", async (store) => {
		assert.equal(await store.load("r"), undefined);
		const receipt = await store.commit("r", 0, [
			entry(1),
			entry(2),
			head(2, { session: "s", dueAt: 5 }),
			lease("me", 9),
		]);
		assert.equal(receipt.signals, 0);
		assert.deepEqual(await store.load("r"), {
			run: "r",
			epoch: 1,
			head: headOf(2, { session: "s", dueAt: 5 }),
			entries: [
				{ seq: 1, body: "body 1", mac: code43 },
				{ seq: 2, body: "body 2", mac: code43 },
			],
			signals: [],
			lease: { owner: "me", until: 9 },
		});
	}),

	storeCase("a run is created once, and the second attempt changes nothing", async (store) => {
		await create(store, "r", { more: kept });
		const before = await everything(store, ["r"], ["kept", "d"]);
		await fails(store.commit("r", 0, [...step(1, { agent: "other" }), signal("s"), lease("me", 9)]), "run.exists");
		assert.deepEqual(await everything(store, ["r"], ["kept", "d"]), before);
	}),

	storeCase("of many that create a run at the same time one wins", async (store) => {
		const agents = Array.from({ length: 8 }, (_, i) => `agent ${i}`);
		const settled = await Promise.allSettled(agents.map((agent) => create(store, "r", { agent })));
		const winners = agents.filter((_, i) => settled[i]?.status === "fulfilled");
		assert.equal(winners.length, 1);
		assert.equal((await store.load("r"))?.head.agent, winners[0]);
	}),

	storeCase("entries append, and the head is rewritten with them", async (store) => {
		await create(store, "r");
		await store.commit("r", 1, [entry(2), entry(3), head(3, { status: "waiting", dueAt: 8 })]);
		await store.commit("r", 1, step(4, { status: "completed", session: "s" }));
		const run = await store.load("r");
		assert.deepEqual(
			run?.entries.map(({ seq, body }) => [seq, body]),
			[1, 2, 3, 4].map((seq) => [seq, `body ${seq}`]),
		);
		assert.deepEqual(run?.head, headOf(4, { status: "completed", session: "s" }));
	}),

	storeCase("a head may be rewritten without an entry", async (store) => {
		await create(store, "r");
		await store.commit("r", 1, [head(1, { status: "waiting", dueAt: 77, updatedAt: 5_000 })]);
		assert.deepEqual((await store.load("r"))?.head, headOf(1, { status: "waiting", dueAt: 77, updatedAt: 5_000 }));
	}),

	storeCase("an entry that does not follow the head is refused", async (store) => {
		await create(store, "r", { more: kept });
		const before = await everything(store, ["r", "n"], ["kept", "d"]);
		const wrong: Record<string, () => Promise<unknown>> = {
			again: () => store.commit("r", 1, [entry(1), head(1)]),
			gap: () => store.commit("r", 1, [entry(3), head(3)]),
			"gap inside": () => store.commit("r", 1, [entry(2), entry(4), head(4)]),
			"reverse order": () => store.commit("r", 1, [entry(3), entry(2), head(3)]),
			"head ahead": () => store.commit("r", 1, [entry(2), head(3)]),
			"head behind": () => store.commit("r", 1, [entry(2), entry(3), head(2)]),
			"head alone ahead": () => store.commit("r", 1, [head(2)]),
			"no head": () => store.commit("r", 1, [entry(2), { kind: "blob", digest: "d", body: bytes(3) }]),
			"two heads": () => store.commit("r", 1, [entry(2), head(2), head(2)]),
			"first is not 1": () => store.commit("n", 0, [entry(2), head(2)]),
			"created without a head": () => store.commit("n", 0, [lease("me", 9)]),
			"created with nothing": () => store.commit("n", 0, []),
		};
		for (const [what, work] of Object.entries(wrong)) await fails(work(), "store.failed", what);
		assert.deepEqual(await everything(store, ["r", "n"], ["kept", "d"]), before);
		await store.commit("r", 1, step(2));
	}),

	storeCase("a commit of another epoch changes nothing at all", async (store) => {
		await create(store, "r", { more: kept });
		await store.acquire("r", { owner: "next", now: 8, until: 20 });
		const before = await everything(store, ["r"], ["kept", "d"]);
		for (const epoch of [1, 3, 99]) {
			await fails(store.commit("r", epoch, everyKind), "run.lease_lost", `epoch ${epoch}`);
			for (const write of everyKind) {
				if (write.kind === "signal" || write.kind === "entry") continue;
				const writes = write.kind === "head" ? step(2) : [write];
				await fails(store.commit("r", epoch, writes), "run.lease_lost", `${write.kind} of epoch ${epoch}`);
			}
			await fails(store.commit("r", epoch, [{ kind: "release" }]), "run.lease_lost", "release");
			await fails(store.commit("r", epoch, []), "run.lease_lost", "no writes");
		}
		assert.deepEqual(await everything(store, ["r"], ["kept", "d"]), before);
		assert.equal((await store.commit("r", 2, everyKind)).signals, 1);
	}),

	storeCase("a fenced commit to no run is a lost lease", async (store) => {
		await fails(store.commit("r", 1, step(1)), "run.lease_lost");
		assert.deepEqual(await store.runs({}), []);
	}),

	storeCase("a commit that is refused at its last write leaves nothing of the others", async (store) => {
		await create(store, "r", { more: kept });
		const before = await everything(store, ["r", "n"], ["kept", "d"]);
		await fails(store.commit("r", 1, [...everyKind, { kind: "release" }, signal("over", 1)]), "store.failed");
		await fails(store.commit("n", 0, [...step(1), approval("a"), signal("s"), signal("over", 1)]), "store.failed");
		assert.deepEqual(await everything(store, ["r", "n"], ["kept", "d"]), before);
	}),

	storeCase("a commit that fails does not fail those beside it", async (store) => {
		await create(store, "old");
		const names = Array.from({ length: 20 }, (_, i) => `r${i}`);
		const works = names.map((run, i) => {
			if (i % 4 === 1) return store.commit("old", 0, step(1));
			if (i % 4 === 2) return store.commit("old", 7, step(2));
			if (i % 4 === 3) return store.commit(run, 0, [...step(1), approval("a"), signal("over", 0)]);
			return create(store, run);
		});
		const settled = await Promise.allSettled(works);
		assert.deepEqual(
			settled.map(({ status }) => status === "fulfilled"),
			names.map((_, i) => i % 4 === 0),
		);
		const rows = await store.runs({});
		assert.deepEqual(rows.map(({ run }) => run).sort(), ["old", ...names.filter((_, i) => i % 4 === 0)].sort());
		assert.deepEqual(await store.approvals({}), []);
	}),

	storeCase("commits take effect in the order they were made", async (store) => {
		const works = [create(store, "r")];
		for (let seq = 2; seq <= 30; seq++) works.push(store.commit("r", 1, step(seq)).then(() => undefined));
		await Promise.all(works);
		assert.equal((await store.load("r"))?.entries.length, 30);
	}),

	storeCase("an unknown kind of write refuses the whole commit", async (store) => {
		await create(store, "r");
		const before = await everything(store, ["r"], ["d"]);
		const unknown = { kind: "grant", id: "g" } as unknown as Write;
		await fails(store.commit("r", 1, [...everyKind, unknown]), "store.failed");
		await fails(store.commit("r", 1, [signal("s"), unknown]), "store.failed", "beside a signal");
		await fails(store.commit("r", 1, [null as unknown as Write]), "store.failed", "null");
		assert.deepEqual(await everything(store, ["r"], ["d"]), before);
	}),

	storeCase("what no store could keep is refused at the door", async (store) => {
		const wrong: Record<string, () => Promise<unknown>> = {
			"long id": () => create(store, "r".repeat(201)),
			"empty id": () => create(store, ""),
			"NUL in an id": () => create(store, "a\0b"),
			"half a pair in an id": () => create(store, "a\ud800"),
			"id of a reader": () => store.load("r".repeat(201)),
			"id of a lease": () => store.acquire("", { owner: "me", now: 1, until: 2 }),
			"id of a blob": () => store.blob("", "d"),
			"no id": () => create(store, undefined as unknown as string),
			"negative epoch": () => store.commit("r", -1, step(1)),
			"broken epoch": () => store.commit("r", 0.5, step(1)),
			"no list": () => store.commit("r", 0, undefined as unknown as Write[]),
			"half a pair in a body": () => store.commit("r", 0, [entry(1, "a\udfff"), head(1)]),
			"no body": () => store.commit("r", 0, [entry(1, 5 as unknown as string), head(1)]),
			"unknown status": () => create(store, "r", { status: "paused" as "running" }),
			"broken time": () => create(store, "r", { updatedAt: 0.5 }),
			"no time": () => create(store, "r", { dueAt: Number.NaN }),
			"broken lease": () => create(store, "r", { more: [lease("me", Number.POSITIVE_INFINITY)] }),
			"broken after": () => store.load("r", -1),
			"no bytes": () =>
				create(store, "r", { more: [{ kind: "blob", digest: "d", body: "text" as unknown as Uint8Array }] }),
			"large blob": () =>
				create(store, "r", { more: [{ kind: "blob", digest: "d", body: new Uint8Array(64 * 1_048_576 + 1) }] }),
			"many writes": () =>
				create(store, "r", { more: Array.from({ length: 10_001 }, () => ({ kind: "release" }) as const) }),
		};
		for (const [what, work] of Object.entries(wrong)) await fails(work(), "store.failed", what);
		assert.deepEqual(await store.runs({}), []);
	}),

	storeCase("any text comes back as it was", async (store) => {
		const texts = [
			"",
			"\0",
			"a\0b",
			"𝒳 ü\u2028",
			"'; DROP TABLE runs; --",
			`${"A".repeat(42)}B`,
			"-_".repeat(21),
			code43.slice(1),
			"x".repeat(1_200_000),
		];
		const ids = ["'; DROP TABLE runs; --", "%", "ü".repeat(200), "𝒳", " ", "a\nb", "__proto__"];
		for (const run of ids) {
			const entries = texts.map((text, i) => entry(i + 1, text, text.slice(0, 200)));
			await store.commit(run, 0, [
				...entries,
				head(texts.length, { agent: run, session: run, mac: `${"A".repeat(42)}B` }),
			]);
			const stored = await store.load(run);
			assert.deepEqual(
				stored?.entries.map(({ body, mac }) => [body, mac]),
				texts.map((text) => [text, text.slice(0, 200)]),
			);
			assert.deepEqual(stored?.head, headOf(texts.length, { agent: run, session: run, mac: `${"A".repeat(42)}B` }));
		}
		assert.deepEqual((await store.runs({})).map(({ run }) => run).sort(), [...ids].sort());
	}),

	storeCase("load leaves out what the reader has", async (store) => {
		await store.commit("r", 0, [entry(1), entry(2), entry(3), head(3)]);
		for (const [after, seqs] of [
			[0, [1, 2, 3]],
			[2, [3]],
			[3, []],
			[9, []],
		] as const) {
			const run = await store.load("r", after);
			assert.deepEqual(
				run?.entries.map(({ seq }) => seq),
				seqs,
			);
			assert.equal(run?.head.seq, 3);
		}
	}),

	storeCase("what was loaded does not change under its reader", async (store) => {
		await create(store, "r");
		const run = await store.load("r");
		await store.commit("r", 1, [...step(2, { status: "waiting" }), signal("s"), lease("me", 9)]);
		assert.equal(run?.entries.length, 1);
		assert.equal(run?.head.status, "running");
		assert.equal(run?.signals.length, 0);
		assert.equal(run?.lease, undefined);
	}),
];
