/** The statements that read one run. Each function runs inside a transaction of its caller. */
import type { RunHead, StoredRun } from "../../../spec/store.ts";
import { bytesOf, numberOf, optionalNumber, optionalText, packCode, statusOf, textOf, unpackCode } from "./columns.ts";
import type { Connection } from "./connection.ts";

export interface RunKey {
	/** Small number that stands for the run in the other tables. */
	readonly id: number;
	readonly epoch: number;
	readonly seq: number;
	/** What the indexes of the runs are made of. */
	readonly indexed: Pick<RunHead, "status" | "dueAt" | "session">;
}

export function findRun(connection: Connection, run: string): RunKey | undefined {
	const row = connection.sql("SELECT id, epoch, seq, status, due_at, session FROM runs WHERE run = ?").get(run);
	if (!row) return undefined;
	const indexed = {
		status: statusOf(row.status),
		dueAt: optionalNumber(row.due_at),
		session: optionalText(row.session),
	};
	return { id: numberOf(row.id), epoch: numberOf(row.epoch), seq: numberOf(row.seq), indexed };
}

export function readLease(connection: Connection, id: number): StoredRun["lease"] {
	const row = connection.sql("SELECT owner, until FROM leases WHERE run = ?").get(id);
	return row && { owner: textOf(row.owner), until: numberOf(row.until) };
}

export function readRun(connection: Connection, run: string, after: number): StoredRun | undefined {
	const row = connection
		.sql("SELECT id, epoch, seq, status, agent, session, due_at, updated_at, mac FROM runs WHERE run = ?")
		.get(run);
	if (!row) return undefined;
	const id = numberOf(row.id);
	const entries = connection
		.sql("SELECT seq, body, mac FROM entries WHERE run = ? AND seq > ? ORDER BY seq")
		.all(id, after);
	const signals = connection.sql("SELECT id, body, mac FROM signals WHERE run = ? ORDER BY place").all(id);
	return {
		run,
		epoch: numberOf(row.epoch),
		head: {
			seq: numberOf(row.seq),
			status: statusOf(row.status),
			agent: textOf(row.agent),
			session: optionalText(row.session),
			dueAt: optionalNumber(row.due_at),
			updatedAt: numberOf(row.updated_at),
			mac: unpackCode(row.mac),
		},
		entries: entries.map((entry) => ({
			seq: numberOf(entry.seq),
			body: textOf(entry.body),
			mac: unpackCode(entry.mac),
		})),
		signals: signals.map((signal) => ({
			id: textOf(signal.id),
			body: textOf(signal.body),
			mac: unpackCode(signal.mac),
		})),
		lease: readLease(connection, id),
	};
}

export function readBlob(connection: Connection, run: string, digest: string): Uint8Array | undefined {
	const row = connection
		.sql("SELECT blobs.id, blobs.body FROM runs JOIN blobs ON blobs.run = runs.id AND digest = ? WHERE runs.run = ?")
		.get(packCode(digest), run);
	if (!row) return undefined;
	const pieces = connection.sql("SELECT body FROM blob_pieces WHERE blob = ? ORDER BY piece").all(numberOf(row.id));
	return joined([row, ...pieces].map((piece) => bytesOf(piece.body)));
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
	const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0));
	let at = 0;
	for (const piece of pieces) {
		whole.set(piece, at);
		at += piece.byteLength;
	}
	return whole;
}
