/** The statements that change one run. Each function runs inside a transaction of its caller and may throw midway. */

import * as door from "../../../kit/check-commit.ts";
import {
	type CommitReceipt,
	type LeaseRequest,
	noRun,
	type RunHead,
	type StoredRun,
	type Write,
} from "../../../spec/store.ts";
import { cutBlob } from "./blob-pieces.ts";
import { numberOf, packCode, statusCode, textOf, unpackCode } from "./columns.ts";
import type { Connection } from "./connection.ts";
import { dropMemory, forgetMemory, writeMemory } from "./memory-rows.ts";
import { findRun, type RunKey, readLease, readRun } from "./read-run.ts";
import { reserve, revisions, settle, settleRest, writeDocument } from "./shared-rows.ts";

export interface CommitRequest {
	readonly run: string;
	readonly epoch: number;
	readonly shape: door.CommitShape;
	readonly writes: readonly Write[];
}

/** Errors: `run.exists`, `run.lease_lost`, `run.unknown`, `store.failed`. */
export function commitRun(connection: Connection, { run, epoch, shape, writes }: CommitRequest): CommitReceipt {
	const found = findRun(connection, run);
	const refused = door.refusal(run, epoch, { shape, found });
	if (refused) throw refused;
	if (run === noRun) {
		for (const write of inOrder(shape, writes)) {
			if (write.kind === "document") writeDocument(connection, write.document);
			else if (write.kind === "audit") writeLeaf(connection, null, write);
			else if (isMemory(write)) changeMemory(connection, write);
		}
		return { signals: 0, documents: revisions(connection) };
	}
	if (found && shape.head) updateHead(connection, found, shape.head);
	const id = found?.id ?? insertRun(connection, run, shape.head as RunHead);
	for (const write of inOrder(shape, writes)) applyWrite(connection, { run, id }, write);
	return { signals: countSignals(connection, id), documents: revisions(connection) };
}

/** Of several reasons to refuse it, what runs share comes first, and then memory. */
function inOrder({ shared, memory }: door.CommitShape, writes: readonly Write[]): readonly Write[] {
	if (!shared && !memory) return writes;
	const rank = (write: Write): number => (isShared(write) ? 0 : isMemory(write) ? 1 : 2);
	return [...writes].sort((a, b) => rank(a) - rank(b));
}

function isShared({ kind }: Write): boolean {
	return kind === "reserve" || kind === "settle" || kind === "settle.rest" || kind === "document";
}

type MemoryWrite = Extract<Write, { readonly kind: "memory" | "memory.drop" | "memory.forget" }>;

function isMemory(write: Write): write is MemoryWrite {
	return write.kind === "memory" || write.kind === "memory.drop" || write.kind === "memory.forget";
}

function changeMemory(connection: Connection, write: MemoryWrite): void {
	if (write.kind === "memory") writeMemory(connection, write);
	else if (write.kind === "memory.drop") dropMemory(connection, write);
	else forgetMemory(connection, write);
}

/** Returns undefined when there is no such run. Errors: `run.busy`. */
export function acquireRun(connection: Connection, run: string, request: LeaseRequest): StoredRun | undefined {
	const found = findRun(connection, run);
	if (!found) return undefined;
	const lease = readLease(connection, found.id);
	if (lease && door.leaseHolds(lease, request)) throw door.busy(run, lease, request.now);
	connection.sql("UPDATE runs SET epoch = epoch + 1 WHERE id = ?").run(found.id);
	writeLease(connection, found.id, request);
	return readRun(connection, run, 0);
}

function insertRun(connection: Connection, run: string, head: RunHead): number {
	const row = connection
		.sql(
			"INSERT INTO runs (seq, status, agent, session, due_at, updated_at, mac, epoch, run) VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?) RETURNING id",
		)
		.get(...headColumns(head), run);
	return numberOf(row?.id);
}

function updateHead(connection: Connection, { id, indexed }: RunKey, head: RunHead): void {
	const { seq, status, agent, session, dueAt, updatedAt, mac } = head;
	if (status === indexed.status && dueAt === indexed.dueAt && session === indexed.session) {
		// No more than what changes: a column that is set is written to its index again, the same or not.
		connection
			.sql("UPDATE runs SET seq = ?, agent = ?, updated_at = ?, mac = ? WHERE id = ?")
			.run(seq, agent, updatedAt, packCode(mac), id);
		return;
	}
	connection
		.sql(
			"UPDATE runs SET seq = ?, status = ?, agent = ?, session = ?, due_at = ?, updated_at = ?, mac = ? WHERE id = ?",
		)
		.run(...headColumns(head), id);
}

function headColumns({ seq, status, agent, session, dueAt, updatedAt, mac }: RunHead) {
	return [seq, statusCode(status), agent, session ?? null, dueAt ?? null, updatedAt, packCode(mac)] as const;
}

function applyWrite(connection: Connection, target: { readonly run: string; readonly id: number }, write: Write): void {
	const { id } = target;
	switch (write.kind) {
		case "entry":
			connection
				.sql("INSERT INTO entries (run, seq, mac, body) VALUES (?, ?, ?, ?)")
				.run(id, write.seq, packCode(write.mac), write.body);
			break;
		case "blob":
			dropBlob(connection, id, write.digest);
			writeBlob(connection, id, write);
			break;
		case "blob.drop":
			dropBlob(connection, id, write.digest);
			break;
		case "signal":
			writeSignal(connection, target, write);
			break;
		case "signal.drop":
			connection.sql("DELETE FROM signals WHERE run = ? AND id = ?").run(id, write.id);
			break;
		case "approval":
			connection
				.sql("REPLACE INTO approvals (run, approval, call, tool, requested_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)")
				.run(id, write.approval, write.call, write.tool, write.requestedAt, write.expiresAt);
			break;
		case "approval.drop":
			connection.sql("DELETE FROM approvals WHERE run = ? AND approval = ?").run(id, write.approval);
			break;
		case "audit":
			writeLeaf(connection, id, write);
			break;
		case "erase":
			eraseRun(connection, id);
			break;
		case "reserve":
			reserve(connection, id, write);
			break;
		case "settle":
			settle(connection, id, write);
			break;
		case "settle.rest":
			settleRest(connection, id, write);
			break;
		case "memory":
		case "memory.drop":
		case "memory.forget":
			changeMemory(connection, write);
			break;
		case "lease":
			writeLease(connection, id, write);
			break;
		case "release":
			connection.sql("DELETE FROM leases WHERE run = ?").run(id);
			break;
		default:
		// The head is in the run's own row.
	}
}

function writeLeaf(
	connection: Connection,
	run: number | null,
	{ body, salt }: { readonly body: string; readonly salt?: string },
): void {
	connection
		.sql("INSERT INTO audit (run, body, salt) VALUES (?, ?, ?)")
		.run(run, body, salt === undefined ? null : packCode(salt));
}

/** Overwrites the bytes too; a page of the write-ahead log that still has them goes with the next checkpoint of SQLite. */
function eraseRun(connection: Connection, id: number): void {
	connection.exec("PRAGMA secure_delete = ON");
	try {
		for (const table of ["entries", "blobs", "signals", "approvals"])
			connection.sql(`DELETE FROM ${table} WHERE run = ?`).run(id);
		connection.sql("UPDATE audit SET salt = NULL WHERE run = ? AND salt IS NOT NULL").run(id);
	} finally {
		connection.exec("PRAGMA secure_delete = FAST");
	}
}

function writeLease(
	connection: Connection,
	id: number,
	{ owner, until }: { readonly owner: string; readonly until: number },
): void {
	connection.sql("REPLACE INTO leases (run, owner, until) VALUES (?, ?, ?)").run(id, owner, until);
}

function writeBlob(
	connection: Connection,
	id: number,
	{ digest, body }: { readonly digest: string; readonly body: Uint8Array },
): void {
	const [first, ...rest] = cutBlob(body);
	const row = connection
		.sql("INSERT INTO blobs (run, digest, body) VALUES (?, ?, ?) RETURNING id")
		.get(id, packCode(digest), first as Uint8Array);
	rest.forEach((piece, index) => {
		connection.sql("INSERT INTO blob_pieces (blob, piece, body) VALUES (?, ?, ?)").run(numberOf(row?.id), index, piece);
	});
}

/** Its pieces go with it. */
function dropBlob(connection: Connection, id: number, digest: string): void {
	connection.sql("DELETE FROM blobs WHERE run = ? AND digest = ?").run(id, packCode(digest));
}

function writeSignal(
	connection: Connection,
	{ run, id }: { readonly run: string; readonly id: number },
	write: Write & { kind: "signal" },
): void {
	const { signal, max } = write;
	const there = connection.sql("SELECT body, mac FROM signals WHERE run = ? AND id = ?").get(id, signal.id);
	if (there && (textOf(there.body) !== signal.body || unpackCode(there.mac) !== signal.mac))
		throw door.signalClash(run, signal.id);
	if (there) return;
	if (countSignals(connection, id) >= max) throw door.tooManySignals(run, max);
	connection
		.sql(
			"INSERT INTO signals (run, place, id, mac, body) VALUES (?1, (SELECT coalesce(max(place), 0) + 1 FROM signals WHERE run = ?1), ?2, ?3, ?4)",
		)
		.run(id, signal.id, packCode(signal.mac), signal.body);
}

function countSignals(connection: Connection, id: number): number {
	return numberOf(connection.sql("SELECT count(*) AS signals FROM signals WHERE run = ?").get(id)?.signals);
}
