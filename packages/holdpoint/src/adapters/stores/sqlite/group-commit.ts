/**
 * Puts the changes of many runs into one transaction: they share its one wait for the disk.
 *
 * 1. Changes run in the order they came in. Those that came in during one turn of the event loop, or while the last
 *    transaction ran, go together; a change on an idle store waits for the end of that turn and no longer.
 * 2. A change that refuses (its lease is lost, its run exists) is undone alone.
 * 3. When SQLite fails under a group, all of it is undone and each change is tried alone: nobody fails for a neighbour.
 * 4. A promise resolves only after COMMIT has returned.
 */
import type { HoldpointError } from "../../../spec/errors.ts";
import { type Connection, rollback } from "./connection.ts";

export interface GroupCommit {
	submit<T>(apply: (connection: Connection) => T): Promise<T>;
	/** Resolves when everything submitted is settled. */
	settled(): Promise<void>;
}

export interface GroupPorts {
	/** Runs the action, again and again while another process has the lock. */
	readonly whenFree: (action: (connection: Connection) => void) => Promise<void>;
	/** Is it SQLite that failed, and not a change that refused? */
	readonly isFault: (error: unknown) => boolean;
	/** Names what failed. Its `retry` is `safe` where nothing has happened. */
	readonly fail: (error: unknown) => HoldpointError;
}

interface Change {
	readonly apply: (connection: Connection) => unknown;
	readonly resolve: (value: unknown) => void;
	readonly reject: (error: HoldpointError) => void;
	/** It was in a group under which SQLite failed. */
	readonly alone: boolean;
}

/** So many go together; then the event loop has its turn. */
const groupMax = 256;

export function groupCommit({ whenFree, isFault, fail }: GroupPorts): GroupCommit {
	let queue: Change[] = [];
	let draining: Promise<void> | undefined;

	async function drain(): Promise<void> {
		while (queue.length > 0) {
			await new Promise((resolve) => setImmediate(resolve));
			try {
				await whenFree(runNext);
			} catch (error) {
				// It could not be opened or locked: no change was begun.
				for (const change of queue.splice(0)) change.reject(fail(error));
			}
		}
		draining = undefined;
	}

	function runNext(connection: Connection): void {
		connection.sql("BEGIN IMMEDIATE").run();
		const group = queue.splice(0, queue[0]?.alone ? 1 : groupMax);
		let settle: (() => void)[];
		try {
			settle = group.map((change) =>
				group.length === 1 ? applyOnly(connection, change) : applyOne(connection, change),
			);
		} catch (error) {
			rollback(connection);
			return giveUp(group, error, true);
		}
		try {
			connection.sql("COMMIT").run();
		} catch (error) {
			rollback(connection);
			return giveUp(group, error, fail(error).retry === "safe");
		}
		for (const done of settle) done();
	}

	function applyOnly(connection: Connection, change: Change): () => void {
		const value = change.apply(connection);
		return () => change.resolve(value);
	}

	function applyOne(connection: Connection, change: Change): () => void {
		connection.sql("SAVEPOINT change").run();
		try {
			const done = applyOnly(connection, change);
			connection.sql("RELEASE change").run();
			return done;
		} catch (error) {
			if (isFault(error)) throw error;
			connection.sql("ROLLBACK TO change").run();
			connection.sql("RELEASE change").run();
			return () => change.reject(fail(error));
		}
	}

	function giveUp(group: readonly Change[], error: unknown, nothingHappened: boolean): void {
		if (nothingHappened && group.length > 1) {
			queue = [...group.map((change) => ({ ...change, alone: true })), ...queue];
			return;
		}
		for (const change of group) change.reject(fail(error));
	}

	return {
		submit: <T>(apply: (connection: Connection) => T) =>
			new Promise<T>((resolve, reject) => {
				queue.push({ apply, resolve: resolve as Change["resolve"], reject, alone: false });
				draining ??= drain();
			}),
		settled: async () => draining,
	};
}
