import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { runStatuses } from "../../kit/check-commit.ts";
import { isHoldpointError } from "../../spec/errors.ts";
import { noRun, type Store, type Write } from "../../spec/store.ts";
import { memoryStore } from "./memory.ts";
import { sqliteStore } from "./sqlite.ts";

const run = fc.constantFrom("a", "b", "ü");
const small = fc.nat({ max: 6 });
const text = fc.string({ unit: "grapheme", maxLength: 8 });
const id = fc.constantFrom("x", "y", "z'");
const mac = fc.oneof(
	text,
	fc.uint8Array({ minLength: 32, maxLength: 32 }).map((raw) => Buffer.from(raw).toString("base64url")),
);
const owner = fc.constantFrom("me", "you");
const head = fc.record({
	seq: small,
	status: fc.constantFrom(...runStatuses),
	agent: fc.constantFrom("one", "two"),
	session: fc.option(fc.constantFrom("s", "t"), { nil: undefined }),
	dueAt: fc.option(small, { nil: undefined }),
	updatedAt: small,
	mac,
});
const account = fc.constantFrom("all", "al_", "ü");
const space = fc.constantFrom("s", "t", "1x");
const words = fc
	.array(fc.constantFrom("tea", "Teas", "1xtea", "GRÜN", "grun", "退款", "款", "or", '"', "*", "name:", "x"), {
		maxLength: 5,
	})
	.map((list) => list.join(" "));
const memoryWrite: fc.Arbitrary<Write> = fc.oneof(
	fc.record({
		kind: fc.constant("memory" as const),
		entry: fc.record({
			space,
			owner: fc.oneof(account, mac.filter(Boolean)),
			name: account,
			at: small,
			text: words,
			facts: text,
			mac,
		}),
		max: fc.record({ entries: small, bytes: fc.nat({ max: 60 }) }),
	}),
	fc.record({ kind: fc.constant("memory.drop" as const), space, name: account }, { requiredKeys: ["kind", "space"] }),
	fc.record({ kind: fc.constant("memory.forget" as const), owner: account }),
);
const loneWrite: fc.Arbitrary<Write> = fc.oneof(
	head.map((head) => ({ kind: "head" as const, head })),
	fc.record({ kind: fc.constant("entry" as const), seq: small, body: text, mac }),
	fc.record({ kind: fc.constant("blob" as const), digest: id, body: fc.uint8Array({ maxLength: 2_000 }) }),
	fc.record({ kind: fc.constant("blob.drop" as const), digest: id }),
	fc.record({
		kind: fc.constant("signal" as const),
		signal: fc.record({ id, body: fc.constantFrom("1", "2"), mac }),
		max: small,
	}),
	fc.record({ kind: fc.constant("signal.drop" as const), id }),
	fc.record({
		kind: fc.constant("approval" as const),
		approval: id,
		call: id,
		tool: id,
		requestedAt: small,
		expiresAt: small,
	}),
	fc.record({ kind: fc.constant("approval.drop" as const), approval: id }),
	fc.record({ kind: fc.constant("lease" as const), owner, until: small }),
	fc.constant({ kind: "release" as const }),
	fc.record({ kind: fc.constant("audit" as const), body: text, salt: mac }),
	fc.constant({ kind: "erase" as const }),
	fc.record({
		kind: fc.constant("reserve" as const),
		account,
		holder: id,
		amount: fc.integer({ min: 1, max: 4 }),
		max: small,
		until: fc.option(small, { nil: undefined }),
		now: small,
	}),
	memoryWrite,
	fc.record({ kind: fc.constant("settle" as const), account, holder: id, amount: small }),
	fc.record(
		{ kind: fc.constant("settle.rest" as const), holder: id, unspent: fc.constant(true as const) },
		{ requiredKeys: ["kind"] },
	),
);
/** What the run is just before a step, so that most steps fit it. */
interface Now {
	readonly epoch: number;
	readonly seq: number;
}
interface Step {
	readonly run: string;
	/** Only changes can be thrown together: a read would see another moment. */
	readonly change: boolean;
	take(store: Store, now: Now): Promise<unknown>;
}

const offset = fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, fc.integer({ min: -1, max: 2 }));
const growth = fc.record({ offset, bodies: fc.array(text, { maxLength: 2 }), mac, head });
const commit: fc.Arbitrary<Step> = fc
	.record({ run, offset, create: fc.boolean(), growth: fc.option(growth), lone: fc.array(loneWrite, { maxLength: 3 }) })
	.map(({ run, offset, create, growth, lone }) => ({
		run,
		change: true,
		take(store, now) {
			const first = now.seq + 1 + (growth?.offset ?? 0);
			const entries = (growth?.bodies ?? []).map(
				(body, i): Write => ({ kind: "entry", seq: first + i, body, mac: growth?.mac ?? "" }),
			);
			const head: Write[] = growth ? [{ kind: "head", head: { ...growth.head, seq: first + entries.length - 1 } }] : [];
			const epoch = now.epoch === 0 && create ? 0 : now.epoch + offset;
			return store.commit(run, epoch, [...entries, ...head, ...lone]);
		},
	}));
const erase: fc.Arbitrary<Step> = fc.record({ run, head, leaf: text, offset }).map(({ run, head, leaf, offset }) => ({
	run,
	change: true,
	take: (store, now) =>
		store.commit(run, now.epoch + offset, [
			{ kind: "erase" },
			{ kind: "head", head: { ...head, seq: 0 } },
			{ kind: "audit", body: leaf },
		]),
}));
const keep: fc.Arbitrary<Step> = fc
	.record({ size: small, note: text, frontier: text })
	.map((checkpoint) => ({ run: "a", change: true, take: (store: Store) => store.audit.keep(checkpoint) }));
const documents: fc.Arbitrary<Step> = fc
	.array(fc.record({ name: account, rev: fc.integer({ min: 1, max: 3 }), body: text, mac }), {
		minLength: 1,
		maxLength: 2,
	})
	.map((list) => ({
		run: "a",
		change: true,
		take: (store) =>
			store.commit(
				noRun,
				0,
				list.map((document) => ({ kind: "document", document })),
			),
	}));
const memory: fc.Arbitrary<Step> = fc
	.array(memoryWrite, { minLength: 1, maxLength: 3 })
	.map((writes) => ({ run: "a", change: true, take: (store) => store.commit(noRun, 0, writes) }));
const acquire: fc.Arbitrary<Step> = fc
	.record({ run, owner, now: small, until: small, dead: fc.boolean() })
	.map(({ run, dead, ...request }) => ({
		run,
		change: true,
		take: (store) => store.acquire(run, { ...request, takeOver: () => dead }),
	}));
const read: fc.Arbitrary<Step> = fc.oneof(
	fc
		.record({ run, after: small })
		.map(({ run, after }) => ({ run, change: false, take: (store: Store) => store.load(run, after) })),
	fc
		.record(
			{
				status: fc.subarray([...runStatuses]),
				session: fc.constantFrom("s", "t"),
				readyAt: small,
				limit: fc.integer({ min: 1, max: 3 }),
			},
			{ requiredKeys: [] },
		)
		.map((query) => ({ run: "a", change: false, take: (store: Store) => store.runs(query) })),
	fc
		.record({ run, prefix: id, limit: fc.constantFrom(1, 5) }, { requiredKeys: [] })
		.map((query) => ({ run: "a", change: false, take: (store: Store) => store.approvals(query) })),
	fc
		.record({ run, from: small, limit: fc.constantFrom(1, 5) }, { requiredKeys: [] })
		.map((query) => ({ run: "a", change: false, take: (store: Store) => store.audit.leaves(query) })),
	fc
		.record({ from: small, limit: fc.constantFrom(1, 5) }, { requiredKeys: [] })
		.map((query) => ({ run: "a", change: false, take: (store: Store) => store.audit.checkpoints(query) })),
	fc
		.record(
			{
				of: fc.oneof(fc.record({ space }), fc.record({ owner: account })),
				limit: fc.constantFrom(1, 5),
				before: fc.record({ at: small, name: account, space }),
			},
			{ requiredKeys: ["of"] },
		)
		.map((query) => ({ run: "a", change: false, take: (store: Store) => store.memory.list(query) })),
	// What is found is the same; which of it is best, each says by its own count of everything.
	fc.record({ space, query: words }).map((search) => ({
		run: "a",
		change: false,
		take: async (store: Store) => (await store.memory.search(search)).map(({ name }) => name).sort(),
	})),
);
const step = fc.oneof(
	{ weight: 6, arbitrary: commit },
	{ weight: 2, arbitrary: acquire },
	{ weight: 1, arbitrary: erase },
	{ weight: 1, arbitrary: keep },
	{ weight: 1, arbitrary: documents },
	{ weight: 3, arbitrary: memory },
	{ weight: 2, arbitrary: read },
);

async function outcome(work: Promise<unknown>): Promise<object> {
	try {
		return { value: await work };
	} catch (error) {
		return isHoldpointError(error) ? { code: error.code, message: error.message } : { error };
	}
}

async function nowOf(store: Store, run: string): Promise<Now> {
	const stored = await store.load(run);
	return stored ? { epoch: stored.epoch, seq: stored.head.seq } : { epoch: 0, seq: 0 };
}

async function all(store: Store): Promise<unknown> {
	const runs = ["a", "b", "ü"];
	return {
		loaded: await Promise.all(runs.map((run) => store.load(run))),
		blobs: await Promise.all(runs.flatMap((run) => ["x", "y", "z'"].map((digest) => store.blob(run, digest)))),
		rows: await store.runs({}),
		approvals: await store.approvals({}),
		head: await store.audit.head(),
		leaves: await store.audit.leaves({}),
		checkpoints: await store.audit.checkpoints({}),
		accounts: await store.accounts({}),
		memory: await Promise.all(["s", "t", "1x"].map((space) => store.memory.list({ of: { space } }))),
		room: await Promise.all(["s", "t", "1x"].map((space) => store.memory.usage({ space }))),
		owned: await Promise.all(["all", "al_", "ü"].map((owner) => store.memory.usage({ owner }))),
		documents: await Promise.all(["all", "al_", "ü"].map((name) => store.document(name))),
	};
}

describe("whatever is done to them, the sqlite store and the memory store answer alike", () => {
	const dir = mkdtempSync(join(tmpdir(), "holdpoint-property-"));
	afterAll(() => rmSync(dir, { recursive: true }));
	let trial = 0;

	async function both(act: (memory: Store, sqlite: Store) => Promise<void>): Promise<void> {
		const memory = memoryStore();
		const sqlite = sqliteStore(join(dir, `${trial++}.db`));
		await act(memory, sqlite);
		expect(await all(sqlite)).toEqual(await all(memory));
		await sqlite.close();
	}

	test("one step after the other", async () => {
		let done = 0;
		const property = fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), (steps) =>
			both(async (memory, sqlite) => {
				for (const { run, take } of steps) {
					const now = await nowOf(memory, run);
					const want = await outcome(take(memory, now));
					expect(await outcome(take(sqlite, now))).toEqual(want);
					if ("value" in want) done++;
				}
			}),
		);
		await fc.assert(property, { numRuns: 40 });
		// Most steps must do something, or this test says little.
		expect(done).toBeGreaterThan(400);
	}, 60_000);

	test("many at once, in one transaction", async () => {
		const property = fc.asyncProperty(fc.array(fc.array(step, { maxLength: 8 }), { maxLength: 6 }), (rounds) =>
			both(async (memory, sqlite) => {
				for (const round of rounds) {
					const changes = round.filter(({ change }) => change);
					const nows = await Promise.all(changes.map(({ run }) => nowOf(memory, run)));
					const take = (store: Store) =>
						Promise.all(changes.map(({ take }, i) => outcome(take(store, nows[i] as Now))));
					expect(await take(sqlite)).toEqual(await take(memory));
				}
			}),
		);
		await fc.assert(property, { numRuns: 40 });
	}, 60_000);
});
