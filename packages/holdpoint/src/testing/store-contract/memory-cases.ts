import assert from "node:assert/strict";
import type { MemoryQuery, MemoryRoom, StoredMemory } from "../../spec/memory.ts";
import { noRun, type Store, type Write } from "../../spec/store.ts";
import { code43, create, everything, fails, head, type StoreCase, signal, step, storeCase } from "./fixture.ts";

const wide: MemoryRoom = { entries: 1_000, bytes: 1_000_000 };

function entryOf(name: string, over: Partial<StoredMemory> = {}): StoredMemory {
	return { space: "s", owner: "o", name, at: 5, text: `text of ${name}`, facts: "k1 {}", mac: code43, ...over };
}

function memory(name: string, over: Partial<StoredMemory> = {}, max = wide): Write {
	return { kind: "memory", entry: entryOf(name, over), max };
}

async function keep(store: Store, ...writes: Write[]): Promise<void> {
	await store.commit(noRun, 0, writes);
}

async function listed(store: Store, query: Partial<MemoryQuery> = {}): Promise<string[]> {
	return (await store.memory.list({ of: { space: "s" }, ...query })).map(({ name }) => name);
}

async function found(store: Store, query: string, space = "s"): Promise<string[]> {
	return (await store.memory.search({ space, query })).map(({ name }) => name);
}

export const memoryCases: readonly StoreCase[] = [
	storeCase("an entry of memory comes back as it was kept, and is replaced under its name", async (store, fixture) => {
		assert.equal(await store.memory.get("s", "a"), undefined);
		const first = entryOf("ü/a", { text: "größer\n\u{1f600}", owner: code43, space: code43 });
		await keep(store, { kind: "memory", entry: first, max: wide }, memory("b"));
		assert.deepEqual(await store.memory.get(code43, "ü/a"), first);
		assert.equal(await store.memory.get("s", "ü/a"), undefined);
		const next = { ...first, at: 6, text: "", facts: "k2 {}", mac: "other", owner: "p" };
		await keep(store, { kind: "memory", entry: next, max: wide });
		const again = fixture.reopen ? await fixture.reopen() : store;
		assert.deepEqual(await again.memory.get(code43, "ü/a"), next);
		assert.deepEqual(await again.memory.list({ of: { space: code43 } }), [next]);
		assert.deepEqual(await found(again, "größer", code43), []);
		assert.deepEqual(await found(again, "text"), ["b"]);
	}),

	storeCase("entries are listed newest first, in pages, of a space or of an owner", async (store) => {
		await keep(store, memory("a", { at: 3 }), memory("c", { at: 9 }), memory("b", { at: 9 }), memory("d", { at: 4 }));
		await keep(store, memory("a", { at: 9, space: "t" }), memory("x", { owner: "q", space: "t" }));
		assert.deepEqual(await listed(store), ["b", "c", "d", "a"]);
		assert.deepEqual(await listed(store, { limit: 2 }), ["b", "c"]);
		assert.deepEqual(await listed(store, { before: entryOf("b", { at: 9 }) }), ["c", "d", "a"]);
		assert.deepEqual(await listed(store, { before: entryOf("d", { at: 4 }) }), ["a"]);
		const own = await store.memory.list({ of: { owner: "o" } });
		assert.deepEqual(
			own.map(({ space, name }) => `${space} ${name}`),
			["t a", "s b", "s c", "s d", "s a"],
		);
		const rest = await store.memory.list({ of: { owner: "o" }, before: own[0] as StoredMemory });
		assert.deepEqual(rest, own.slice(1));
		assert.deepEqual(await store.memory.list({ of: { space: "none" } }), []);
	}),

	storeCase("what a run keeps is kept with its commit or not at all", async (store) => {
		await create(store, "r");
		await store.commit("r", 1, [...step(2), memory("a")]);
		assert.deepEqual(await listed(store), ["a"]);
		const before = await everything(store, ["r"]);
		await store.acquire("r", { owner: "you", now: 1, until: 9 });
		await fails(store.commit("r", 1, [memory("b")]), "run.lease_lost");
		await fails(store.commit("r", 1, [{ kind: "memory.drop", space: "s", name: "a" }]), "run.lease_lost");
		await fails(store.commit("r", 1, [{ kind: "memory.forget", owner: "o" }]), "run.lease_lost");
		await fails(store.commit("r", 2, [memory("b"), signal("over", 0)]), "store.failed");
		await fails(store.commit("q", 0, [...step(1), memory("b"), signal("over", 0)]), "store.failed");
		await store.commit("r", 2, [{ kind: "release" }]);
		assert.deepEqual(await listed(store), ["a"]);
		assert.deepEqual((await store.load("r"))?.entries.length, 2);
		assert.equal(JSON.stringify(before).includes("text of a"), false);
	}),

	storeCase("a space never has more than its most, and exactly that is allowed", async (store) => {
		const two = { entries: 2, bytes: 20 };
		const byte = (name: string, text: string, max = two) => memory(name, { text }, max);
		await keep(store, byte("a", "123456789"));
		await fails(store.commit(noRun, 0, [byte("b", "1234567890")]), "memory.full");
		await keep(store, byte("b", "üüüü_"));
		await fails(store.commit(noRun, 0, [byte("b", "üüüü__")]), "memory.full");
		await fails(store.commit(noRun, 0, [byte("c", "")]), "memory.full");
		await keep(store, byte("b", "ü"));
		await fails(store.commit(noRun, 0, [byte("c", "")]), "memory.full");
		assert.deepEqual(await store.memory.usage({ space: "s" }), { entries: 2, bytes: 13 });
		// Room that the same commit makes counts.
		await keep(store, { kind: "memory.drop", space: "s", name: "a" }, byte("c", "12345678901234567".slice(1)));
		assert.deepEqual(await store.memory.usage({ space: "s" }), { entries: 2, bytes: 20 });
		await assert.rejects(store.commit(noRun, 0, [byte("d", "")]), {
			details: { space: "s", used: { entries: 2, bytes: 20 }, max: two },
		});
		// Another space is another matter.
		await keep(store, memory("d", { space: "t" }));
	}),

	storeCase("many at once never exceed the most of a space", async (store) => {
		const runs = Array.from({ length: 20 }, (_, i) => `r${i}`);
		for (const run of runs) await create(store, run);
		const max = { entries: 7, bytes: 1_000 };
		const tries = await Promise.allSettled(runs.map((run) => store.commit(run, 1, [memory(run, {}, max)])));
		assert.equal(tries.filter(({ status }) => status === "fulfilled").length, 7);
		assert.equal((await listed(store)).length, 7);
	}),

	storeCase("an entry is dropped, a space, or all that an owner has, and nothing else", async (store) => {
		await keep(store, memory("a"), memory("b"), memory("b", { space: "t" }), memory("c", { space: "t", owner: "p" }));
		await keep(store, { kind: "memory.drop", space: "s", name: "a" }, { kind: "memory.drop", space: "s", name: "no" });
		assert.deepEqual(await listed(store), ["b"]);
		assert.deepEqual(await found(store, "a"), []);
		await keep(store, { kind: "memory.forget", owner: "o" }, { kind: "memory.forget", owner: "nobody" });
		assert.deepEqual(await listed(store), []);
		assert.deepEqual(await listed(store, { of: { space: "t" } }), ["c"]);
		assert.deepEqual(await found(store, "text"), []);
		assert.deepEqual(await store.memory.usage({ owner: "o" }), { entries: 0, bytes: 0 });
		assert.deepEqual(await store.memory.usage({ owner: "p" }), { entries: 1, bytes: 10 });
		await keep(store, memory("d"), memory("e"));
		await keep(store, { kind: "memory.drop", space: "s" });
		assert.deepEqual(await listed(store), []);
		assert.deepEqual(await store.memory.usage({ space: "s" }), { entries: 0, bytes: 0 });
		assert.deepEqual(await listed(store, { of: { space: "t" } }), ["c"]);
	}),

	storeCase("a search finds words wherever they stand, whatever their case, accents and script", async (store) => {
		await keep(
			store,
			memory("tea", { text: "Ann drinks GRÜNEN Tee, never coffee." }),
			memory("orders/A-17", { text: "The refund was late." }),
			memory("kanji", { text: "返金は退款です。" }),
			memory("arabic", { text: "القهوة السوداء" }),
			memory("hindi", { text: "हिन्दी भाषा" }),
			memory("full", { text: "ＷＩＤＥ ﬁne" }),
		);
		const expected: Record<string, readonly string[]> = {
			grunen: ["tea"],
			grünen: ["tea"],
			"GRU\u0308NEN": ["tea"],
			refunds: [],
			refun: ["orders/A-17"],
			"a-17": ["orders/A-17"],
			退款: ["kanji"],
			款退: [],
			金は退: ["kanji"],
			القهوة: ["arabic"],
			भाषा: ["hindi"],
			wide: ["full"],
			fine: ["full"],
			"": [],
			"  -- !": [],
			"\ud800": [],
		};
		for (const [query, names] of Object.entries(expected)) {
			if (query.isWellFormed()) assert.deepEqual(await found(store, query), names, query);
			else await fails(store.memory.search({ space: "s", query }), "store.failed");
		}
	}),

	storeCase("whatever is searched for is words: nothing of it is a command", async (store) => {
		await keep(store, memory("a", { text: "near and or not quote star" }), memory("b", { space: "t", text: "secret" }));
		const queries = [
			'"',
			"*",
			"NEAR(",
			"name:a",
			"a OR",
			"^a",
			"-a",
			'" OR "secret',
			"secret*",
			"1xsecret",
			"memory_words",
			"'; DROP TABLE memory; --",
			"a\0b",
			"{name text}: a",
			"\\",
			"%",
			"(",
		];
		for (const query of queries) {
			const names = await found(store, query);
			assert.equal(names.includes("b"), false, query);
		}
		assert.deepEqual(await found(store, "secret"), []);
		assert.deepEqual(await found(store, "secret", "t"), ["b"]);
		assert.deepEqual(await found(store, "AND NOT near"), ["a"]);
	}),

	storeCase("the best comes first: more of the words, rarer ones, and those of a name", async (store) => {
		const others = Array.from({ length: 20 }, (_, i) =>
			memory(`other ${i}`, { text: "the order is fine, like most of them" }),
		);
		await keep(
			store,
			...others,
			memory("both", { text: "an order with a zebra on it, and more" }),
			memory("one", { text: "a zebra stands somewhere out there alone" }),
			memory("zebra", { text: "something else is written in here, you see" }),
		);
		assert.equal((await found(store, "zebra"))[0], "zebra");
		assert.deepEqual((await found(store, "zebra")).sort(), ["both", "one", "zebra"]);
		assert.deepEqual((await found(store, "order zebra")).slice(0, 3).sort(), ["both", "one", "zebra"]);
		assert.equal((await found(store, "order zebra somewhere"))[0], "one");
		assert.equal((await store.memory.search({ space: "s", query: "order", limit: 3 })).length, 3);
	}),

	storeCase("what no memory could keep is refused, and nothing has happened", async (store) => {
		const wrong: Write[] = [
			memory(""),
			memory("a\0b"),
			memory("a", { space: "" }),
			memory("a", { owner: "x".repeat(300) }),
			memory("a", { text: "\ud800" }),
			memory("a", { at: 0.5 }),
			memory("a", { facts: 5 as never }),
			memory("a", {}, { entries: -1, bytes: 5 }),
			{ kind: "memory.drop", space: "" },
			{ kind: "memory.drop", space: "s", name: "" },
			{ kind: "memory.forget", owner: "" },
		];
		for (const write of wrong) await fails(store.commit(noRun, 0, [memory("b"), write]), "store.failed");
		assert.deepEqual(await listed(store), []);
		await fails(store.memory.get("", "a"), "store.failed");
		await fails(store.memory.list({ of: { space: "s" }, limit: 0 }), "store.failed");
		await fails(store.memory.usage({ owner: "" }), "store.failed");
		await fails(store.memory.search({ space: "s", query: "a", limit: 2_000 }), "store.failed");
	}),

	storeCase("erasing a run may drop a space with it, and keeps no other memory", async (store) => {
		await create(store, "r", { more: [memory("a"), memory("b", { space: "t" })] });
		await fails(store.commit("r", 1, [{ kind: "erase" }, head(0), memory("c")]), "store.failed");
		await store.commit("r", 1, [{ kind: "erase" }, head(0), { kind: "memory.drop", space: "s" }, { kind: "release" }]);
		assert.deepEqual(await listed(store), []);
		assert.deepEqual(await listed(store, { of: { space: "t" } }), ["b"]);
	}),

	storeCase("memory of a closed store is closed", async (store) => {
		await store.close();
		await fails(store.memory.get("s", "a"), "store.closed");
		await fails(store.memory.list({ of: { space: "s" } }), "store.closed");
		await fails(store.memory.search({ space: "s", query: "a" }), "store.closed");
		await fails(store.memory.usage({ space: "s" }), "store.closed");
	}),
];
