import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { isHoldpointError } from "../../spec/errors.ts";
import type { Store, Write } from "../../spec/store.ts";
import { runStatuses } from "./check-commit.ts";
import { memoryStore } from "./memory.ts";
import { sqliteStore } from "./sqlite.ts";

const run = fc.constantFrom("a", "b", "ü");
const small = fc.nat({ max: 6 });
const text = fc.string({ unit: "grapheme", maxLength: 8 });
const id = fc.constantFrom("x", "y", "z'");
const mac = fc.oneof(text, fc.uint8Array({ minLength: 32, maxLength: 32 }).map((raw) => Buffer.from(raw).toString("base64url")));
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
const loneWrite: fc.Arbitrary<Write> = fc.oneof(
	head.map((head) => ({ kind: "head" as const, head })),
	fc.record({ kind: fc.constant("entry" as const), seq: small, body: text, mac }),
	fc.record({ kind: fc.constant("blob" as const), digest: id, body: fc.uint8Array({ maxLength: 2_000 }) }),
	fc.record({ kind: fc.constant("blob.drop" as const), digest: id }),
	fc.record({ kind: fc.constant("signal" as const), signal: fc.record({ id, body: fc.constantFrom("1", "2"), mac }), max: small }),
	fc.record({ kind: fc.constant("signal.drop" as const), id }),
	fc.record({ kind: fc.constant("approval" as const), approval: id, call: id, tool: id, requestedAt: small, expiresAt: small }),
	fc.record({ kind: fc.constant("approval.drop" as const), approval: id }),
	fc.record({ kind: fc.constant("lease" as const), owner, until: small }),
	fc.constant({ kind: "release" as const }),
);
/** Entries with a head that mostly fits, so that journals grow. */
const growth = fc.record({ from: small, body: text, mac, head }).map(({ from, body, mac, head }): Write[] => [
	{ kind: "entry", seq: from + 1, body, mac },
	{ kind: "head", head: { ...head, seq: from + 1 } },
]);
const writes = fc
	.tuple(fc.option(growth, { nil: [] }), fc.array(loneWrite, { maxLength: 3 }))
	.map(([grown, lone]) => [...grown, ...lone.filter((write) => grown.length === 0 || write.kind !== "head")]);

type Step = (store: Store) => Promise<unknown>;

const query = fc.record(
	{ status: fc.subarray([...runStatuses]), session: fc.constantFrom("s", "t"), readyAt: small, limit: fc.integer({ min: 1, max: 3 }) },
	{ requiredKeys: [] },
);
const step: fc.Arbitrary<Step> = fc.oneof(
	{ weight: 6, arbitrary: fc.tuple(run, small, writes).map(([run, epoch, writes]): Step => (store) => store.commit(run, epoch, writes)) },
	fc.tuple(run, growth).map(([run, writes]): Step => (store) => store.commit(run, 0, writes)),
	fc.tuple(run, owner, small, small, fc.boolean()).map(
		([run, owner, now, until, dead]): Step =>
			(store) => store.acquire(run, { owner, now, until, takeOver: () => dead }),
	),
	fc.tuple(run, small).map(([run, after]): Step => (store) => store.load(run, after)),
	query.map((query): Step => (store) => store.runs(query)),
	fc.record({ run, prefix: id, limit: fc.constantFrom(1, 5) }, { requiredKeys: [] }).map((query): Step => (store) => store.approvals(query)),
);

async function outcome(work: Promise<unknown>): Promise<unknown> {
	try {
		return { value: await work };
	} catch (error) {
		return isHoldpointError(error) ? { code: error.code, message: error.message } : { error };
	}
}

async function all(store: Store): Promise<unknown> {
	const runs = ["a", "b", "ü"];
	return {
		loaded: await Promise.all(runs.map((run) => store.load(run))),
		blobs: await Promise.all(runs.flatMap((run) => ["x", "y", "z'"].map((digest) => store.blob(run, digest)))),
		rows: await store.runs({}),
		approvals: await store.approvals({}),
	};
}

test("whatever is done to them, the sqlite store and the memory store answer alike", async () => {
	const dir = mkdtempSync(join(tmpdir(), "holdpoint-property-"));
	let trial = 0;
	const property = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), fc.boolean(), async (steps, together) => {
		const memory = memoryStore();
		const sqlite = sqliteStore(join(dir, `${trial++}.db`));
		if (together) {
			// All at once: one transaction with a savepoint for each. Reads would see another moment; they come after.
			const [want, have] = [memory, sqlite].map((store) => Promise.all(steps.filter(isChange).map((step) => outcome(step(store)))));
			expect(await have).toEqual(await want);
		} else {
			for (const step of steps) expect(await outcome(step(sqlite))).toEqual(await outcome(step(memory)));
		}
		expect(await all(sqlite)).toEqual(await all(memory));
		await sqlite.close();
	});
	try {
		await fc.assert(property, { numRuns: 60 });
	} finally {
		rmSync(dir, { recursive: true });
	}
}, 60_000);

const isChange = (step: Step) => /commit|acquire/.test(String(step));
