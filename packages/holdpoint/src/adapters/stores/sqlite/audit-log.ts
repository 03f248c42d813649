/** The statements of the audit log. Each function runs inside a transaction of its caller. */
import * as door from "../../../kit/check-commit.ts";
import type { KeptCheckpoint, LeafQuery, StoredLeaf } from "../../../spec/audit.ts";
import { numberOf, textOf, unpackCode } from "./columns.ts";
import type { Connection } from "./connection.ts";
import type { SqlRow } from "./sql-engine.ts";

export function auditHead(connection: Connection): {
	readonly size: number;
	readonly checkpoint: KeptCheckpoint | undefined;
} {
	const row = connection.sql("SELECT coalesce(max(id), 0) AS size FROM audit").get();
	const last = connection.sql("SELECT size, note, frontier FROM audit_checkpoints ORDER BY size DESC LIMIT 1").get();
	return { size: numberOf(row?.size), checkpoint: last && checkpointOf(last) };
}

export function listLeaves(connection: Connection, query: LeafQuery): StoredLeaf[] {
	const { from, limit } = door.checkLeafQuery(query);
	const { run } = query;
	const rows =
		run === undefined
			? connection.sql("SELECT id, body, salt FROM audit WHERE id > ? ORDER BY id LIMIT ?").all(from, limit)
			: connection
					.sql(
						"SELECT id, body, salt FROM audit WHERE run = (SELECT id FROM runs WHERE run = ?) AND id > ? ORDER BY id LIMIT ?",
					)
					.all(run, from, limit);
	return rows.map(({ id, body, salt }) => ({
		index: numberOf(id) - 1,
		body: textOf(body),
		salt: salt === null ? undefined : unpackCode(salt),
	}));
}

export function keepCheckpoint(connection: Connection, { size, note, frontier }: KeptCheckpoint): void {
	connection
		.sql("INSERT OR IGNORE INTO audit_checkpoints (size, note, frontier) VALUES (?, ?, ?)")
		.run(size, note, frontier);
}

export function listCheckpoints(
	connection: Connection,
	query: { readonly from?: number; readonly limit?: number },
): KeptCheckpoint[] {
	const { from, limit } = door.checkLeafQuery(query);
	return connection
		.sql("SELECT size, note, frontier FROM audit_checkpoints WHERE size >= ? ORDER BY size LIMIT ?")
		.all(from, limit)
		.map(checkpointOf);
}

function checkpointOf({ size, note, frontier }: SqlRow): KeptCheckpoint {
	return { size: numberOf(size), note: textOf(note), frontier: textOf(frontier) };
}
