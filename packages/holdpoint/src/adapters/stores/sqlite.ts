import { resolve } from "node:path";
import * as door from "../../kit/check-commit.ts";
import { HoldpointError } from "../../spec/errors.ts";
import { fixedLimits } from "../../spec/limits.ts";
import type { Store } from "../../spec/store.ts";
import { auditHead, keepCheckpoint, listCheckpoints, listLeaves } from "./sqlite/audit-log.ts";
import { textOf } from "./sqlite/columns.ts";
import { type Connection, type Place, rollback } from "./sqlite/connection.ts";
import { groupCommit } from "./sqlite/group-commit.ts";
import { heldConnection, wasClosed } from "./sqlite/held-connection.ts";
import { listApprovals, listRuns } from "./sqlite/list-rows.ts";
import { listMemory, memoryUsage, readMemory, searchMemory } from "./sqlite/memory-rows.ts";
import { readBlob, readRun } from "./sqlite/read-run.ts";
import { listAccounts, readDocument } from "./sqlite/shared-rows.ts";
import { nodeSqlite, type SqlEngine } from "./sqlite/sql-engine.ts";
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
	const held = heldConnection(place, timeoutOf(options));
	const group = groupCommit({ ...held, isFault: (error) => place.engine.codeOf(error) !== undefined });
	let closed = false;

	function assertOpen(): void {
		if (closed) throw wasClosed(place);
	}

	/** In one snapshot, so that what is read together belongs together. */
	async function read<T>(query: (connection: Connection) => T): Promise<T> {
		assertOpen();
		try {
			return await held.whenFree((connection) => inSnapshot(connection, query));
		} catch (error) {
			throw held.fail(error);
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
		audit: {
			head: () => read(auditHead),
			leaves: (query) => read((connection) => listLeaves(connection, query)),
			async keep(checkpoint) {
				assertOpen();
				door.checkCheckpoint(checkpoint);
				return group.submit((connection) => keepCheckpoint(connection, checkpoint));
			},
			checkpoints: (query) => read((connection) => listCheckpoints(connection, query)),
		},
		memory: {
			get: (space, name) => read((connection) => readMemory(connection, space, name)),
			list: (query) => read((connection) => listMemory(connection, query)),
			search: (search) => read((connection) => searchMemory(connection, search)),
			usage: (of) => read((connection) => memoryUsage(connection, of)),
		},
		approvals: (query) => read((connection) => listApprovals(connection, query)),
		async document(name, known = 0) {
			door.checkDocumentKey(name, known);
			return read((connection) => readDocument(connection, name, known));
		},
		accounts: (query) => read((connection) => listAccounts(connection, query)),
		async close() {
			closed = true;
			await group.settled();
			held.end();
		},
	};
}

function timeoutOf({ busyTimeoutMs = fixedLimits.busyTimeoutMs }: SqliteStoreOptions): number {
	if (busyTimeoutMs >= 0) return busyTimeoutMs;
	throw new HoldpointError("config.invalid", `busyTimeoutMs is ${busyTimeoutMs}, which is no time`);
}

function placeOf(path: string, { readOnly = false, engine = nodeSqlite }: SqliteStoreOptions): Place {
	if (path === "" || path.includes("\0")) {
		throw new HoldpointError("config.invalid", "The path of a SQLite store is empty or has a NUL in it");
	}
	// An absolute path is a file and nothing else: `:memory:` and `file:` mean other things to SQLite.
	return { engine, path: resolve(path), readOnly };
}

function inSnapshot<T>(connection: Connection, query: (connection: Connection) => T): T {
	connection.sql("BEGIN").run();
	try {
		return query(connection);
	} finally {
		rollback(connection);
	}
}
