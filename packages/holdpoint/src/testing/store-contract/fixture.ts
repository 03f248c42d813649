import assert from "node:assert/strict";
import type { ErrorCode } from "../../spec/errors.ts";
import { isHoldpointError } from "../../spec/errors.ts";
import type { RunHead, Store, Write } from "../../spec/store.ts";

export interface StoreFixture {
	readonly store: Store;
	/** Closes the store and opens the same data again; absent where nothing outlives a store. */
	readonly reopen?: () => Promise<Store>;
	/** Closes what is open and removes the data. */
	close(): Promise<void>;
}

export interface StoreCase {
	readonly name: string;
	run(makeStore: () => Promise<StoreFixture>): Promise<void>;
}

/** A case on one fresh store. */
export function storeCase(name: string, body: (store: Store, fixture: StoreFixture) => Promise<void>): StoreCase {
	return {
		name,
		async run(makeStore) {
			const fixture = await makeStore();
			try {
				await body(fixture.store, fixture);
			} finally {
				await fixture.close();
			}
		},
	};
}

/** Codes and digests look like this; the store must give back any text. */
export const code43 = "3q2-7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs";

export function entry(seq: number, body = `body ${seq}`, mac = code43): Write {
	return { kind: "entry", seq, body, mac };
}

export function headOf(seq: number, over: Partial<RunHead> = {}): RunHead {
	return {
		seq,
		status: "running",
		agent: "support",
		session: undefined,
		dueAt: undefined,
		updatedAt: 1_000 + seq,
		mac: code43,
		...over,
	};
}

export function head(seq: number, over: Partial<RunHead> = {}): Write {
	return { kind: "head", head: headOf(seq, over) };
}

/** One more entry with its head. */
export function step(seq: number, over: Partial<RunHead> = {}): Write[] {
	return [entry(seq), head(seq, over)];
}

export function signal(id: string, max = 1_000, body = `signal ${id}`): Write {
	return { kind: "signal", signal: { id, body, mac: code43 }, max };
}

export function approval(id: string, requestedAt = 5): Write {
	return {
		kind: "approval",
		approval: id,
		call: `call of ${id}`,
		tool: "refund",
		requestedAt,
		expiresAt: requestedAt + 100,
	};
}

export function lease(owner: string, until: number): Write {
	return { kind: "lease", owner, until };
}

export function bytes(length: number, seed = 1): Uint8Array {
	const body = new Uint8Array(length);
	for (let i = 0; i < length; i++) body[i] = i * 31 + (i >> 8) * 7 + seed;
	return body;
}

/** Makes a run with one entry, its head as given, and `more` in the same commit. */
export async function create(
	store: Store,
	run: string,
	{ more = [], ...over }: Partial<RunHead> & { readonly more?: readonly Write[] } = {},
): Promise<void> {
	await store.commit(run, 0, [...step(1, over), ...more]);
}

export async function fails(work: Promise<unknown>, code: ErrorCode, what = code as string): Promise<void> {
	await assert.rejects(
		work,
		(error) => {
			assert.ok(isHoldpointError(error), `${what}: not a HoldpointError: ${String(error)}`);
			assert.equal(error.code, code, `${what}: ${error.message}`);
			return true;
		},
		`${what} should fail with ${code}`,
	);
}

/** Everything that can be seen of a store, to find out that nothing changed. */
export async function everything(
	store: Store,
	runs: readonly string[],
	digests: readonly string[] = [],
): Promise<unknown> {
	return {
		runs: await Promise.all(runs.map((run) => store.load(run))),
		blobs: await Promise.all(runs.flatMap((run) => digests.map((digest) => store.blob(run, digest)))),
		rows: await store.runs({ limit: 1_000 }),
		approvals: await store.approvals({ limit: 1_000 }),
	};
}
