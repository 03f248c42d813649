import { resolve } from "node:path";
import { HoldpointError } from "../../spec/errors.ts";
import type { Store } from "../../spec/store.ts";
import * as door from "./check-commit.ts";
import { textOf } from "./sqlite/columns.ts";
import { type Connection, openConnection, type Place, rollback } from "./sqlite/connection.ts";
import { groupCommit } from "./sqlite/group-commit.ts";
import { listApprovals, listRuns } from "./sqlite/list-rows.ts";
import { readBlob, readRun } from "./sqlite/read-run.ts";
import { nodeSqlite, type SqlEngine } from "./sqlite/sql-engine.ts";
import { isBusy, isIoError, storeFailure } from "./sqlite/store-failure.ts";
import { acquireRun, commitRun } from "./sqlite/write-run.ts";

export type { SqlDriver, SqlEngine, SqlRow, SqlStatement, SqlValue } from "./sqlite/sql-engine.ts";

export interface SqliteStoreOptions {
	/** How long to try while another process holds the database. Default 5,000. Units: milliseconds. */
	readonly busyTimeoutMs?: number;
	/** For readers of a database that others write. */
	readonly readOnly?: boolean;
	/** Another binding than `node:sqlite`. */
	readonly engine?: SqlEngine;
}

/**
 * Keeps runs in one SQLite file, made on first use: durable when a commit returns, and many commits to one disk sync.
 *
 * Several processes may open the file: one advances runs, others read, or leave signals.
 * Invariant: the bytes of a blob must not change before its commit has settled.
 * Units: a blob has at most 64 MiB; one of a megabyte or more stops the event loop while it is written or read.
 * Errors: `store.locked`, `store.read_only`, `store.full`, `store.damaged`, `store.newer`, `store.closed`, `store.failed`.
 */
export function sqliteStore(path: string, options: SqliteStoreOptions = {}): Store {
	const place = placeOf(path, options);
	const { busyTimeoutMs = 5_000 } = options;
	if (!(busyTimeoutMs >= 0))
		throw new HoldpointError("config.invalid", `busyTimeoutMs is ${busyTimeoutMs}, which is no time`);
	let open: Connection | undefined;
	let state: "open" | "closing" | "closed" = "open";

	async function whenFree<T>(action: (connection: Connection) => T): Promise<T> {
		const deadline = performance.now() + busyTimeoutMs;
		for (;;) {
			if (state === "closed") throw wasClosed(place);
			try {
				open ??= openConnection(place);
				return action(open);
			} catch (error) {
				if (!isBusy(place, error) || performance.now() >= deadline) throw error;
			}
			await new Promise((wake) => setTimeout(wake, busyRetryMs));
		}
	}

	function fail(error: unknown): HoldpointError {
		if (isIoError(place, error)) {
			open?.close();
			open = undefined;
		}
		return storeFailure(place, error);
	}

	const group = groupCommit({ whenFree, fail, isFault: (error) => place.engine.codeOf(error) !== undefined });

	function assertOpen(): void {
		if (state !== "open") throw wasClosed(place);
	}

	/** In one snapshot, so that what is read together belongs together. */
	async function read<T>(query: (connection: Connection) => T): Promise<T> {
		assertOpen();
		try {
			return await whenFree((connection) => inSnapshot(connection, query));
		} catch (error) {
			throw fail(error);
		}
	}

	return {
		keyFile: `${place.path}.keys`,
		id: () => read((connection) => textOf(connection.sql("SELECT id FROM store").get()?.id)),
		async commit(run, epoch, writes) {
			assertOpen();
			const shape = door.checkCommit(run, epoch, writes);
			return group.submit((connection) => commitRun(connection, { run, epoch, shape, writes }));
		},
		async acquire(run, request) {
			assertOpen();
			door.checkLease(run, request);
			return group.submit((connection) => acquireRun(connection, run, request));
		},
		async load(run, after = 0) {
			door.checkAfter(run, after);
			return read((connection) => readRun(connection, run, after));
		},
		async blob(run, digest) {
			door.checkBlobKey(run, digest);
			return read((connection) => readBlob(connection, run, digest));
		},
		runs: (query) => read((connection) => listRuns(connection, query)),
		approvals: (query) => read((connection) => listApprovals(connection, query)),
		async close() {
			state = "closing";
			await group.settled();
			state = "closed";
			open?.close();
			open = undefined;
		},
	};
}

/** Between two tries for a lock that another process has. Units: ms. */
const busyRetryMs = 5;

function placeOf(path: string, { readOnly = false, engine = nodeSqlite }: SqliteStoreOptions): Place {
	if (path === "" || path.includes("\0")) {
		throw new HoldpointError("config.invalid", "The path of a SQLite store is empty or has a NUL in it");
	}
	// An absolute path is a file and nothing else: `:memory:` and `file:` mean other things to SQLite.
	return { engine, path: resolve(path), readOnly };
}

function wasClosed({ path }: Place): HoldpointError {
	return new HoldpointError("store.closed", `The store ${path} was closed`, { details: { path } });
}

function inSnapshot<T>(connection: Connection, query: (connection: Connection) => T): T {
	connection.sql("BEGIN").run();
	try {
		return query(connection);
	} finally {
		rollback(connection);
	}
}
