/**
 * The statements for memory. Each function runs inside a transaction of its caller and may throw midway.
 *
 * Every word in the index begins with the number of its space, so that a search reads nothing of other spaces, and no word of
 * theirs counts in its order. The words are those of `memory-words.ts`; the tokenizer only takes them apart at spaces.
 */
import * as door from "../../../kit/check-commit.ts";
import { memoryWords, searchTerms } from "../../../kit/memory-words.ts";
import type { MemoryPlace, MemoryQuery, MemoryRoom, MemorySearch, StoredMemory } from "../../../spec/memory.ts";
import type { Write } from "../../../spec/store.ts";
import { numberOf, packCode, textOf, unpackCode } from "./columns.ts";
import type { Connection } from "./connection.ts";
import type { SqlRow, SqlValue } from "./sql-engine.ts";

const columns = "memory_spaces.space, owner, name, at, text, facts, mac";
const rows = "memory JOIN memory_spaces ON memory_spaces.id = memory.space";

export function readMemory(connection: Connection, space: string, name: string): StoredMemory | undefined {
	door.checkMemoryKey(space, name);
	const row = connection
		.sql(`SELECT ${columns} FROM ${rows} WHERE memory_spaces.space = ? AND name = ?`)
		.get(space, name);
	return row && entryOf(row);
}

export function listMemory(connection: Connection, query: MemoryQuery): StoredMemory[] {
	const limit = door.checkMemoryQuery(query);
	const { of, before } = query;
	const { where, value } = placeOf(of);
	const values: SqlValue[] = [value];
	let after = "";
	if (before) {
		after = "AND at <= ?2 AND (at < ?2 OR name > ?3 OR (name = ?3 AND memory_spaces.space > ?4))";
		values.push(before.at, before.name, before.space);
	}
	return connection
		.sql(
			`SELECT ${columns} FROM ${rows} WHERE ${where} ${after} ORDER BY at DESC, name, memory_spaces.space LIMIT ${limit}`,
		)
		.all(...values)
		.map(entryOf);
}

/** Of entries that are as good, the newest. */
export function searchMemory(connection: Connection, search: MemorySearch): StoredMemory[] {
	const limit = door.checkMemorySearch(search);
	const space = spaceId(connection, search.space);
	const terms = searchTerms(search.query);
	if (space === undefined || terms.length === 0) return [];
	// Beginnings cost much more than words: they are looked for where there is no such word.
	const match = terms.map((term) => {
		const phrase = `"${inSpace(space, term.words)}"`;
		const stands = "SELECT 1 FROM memory_words WHERE memory_words MATCH ? LIMIT 1";
		return term.isPrefix && !connection.sql(stands).get(phrase) ? `${phrase} *` : phrase;
	});
	return connection
		.sql(
			`SELECT ${columns} FROM (
				SELECT rowid, bm25(memory_words, 4.0, 1.0) AS score FROM memory_words
				WHERE memory_words MATCH ? ORDER BY score LIMIT ?
			) AS found JOIN memory ON memory.id = found.rowid JOIN memory_spaces ON memory_spaces.id = memory.space
			ORDER BY score, at DESC, name`,
		)
		.all(match.join(" OR "), limit)
		.map(entryOf);
}

export function memoryUsage(connection: Connection, of: MemoryPlace): MemoryRoom {
	door.checkMemoryPlace(of);
	const row =
		"space" in of
			? connection.sql("SELECT entries, bytes FROM memory_spaces WHERE space = ?").get(of.space)
			: connection
					.sql("SELECT count(*) AS entries, coalesce(sum(bytes), 0) AS bytes FROM memory WHERE owner = ?")
					.get(packCode(of.owner));
	return { entries: numberOf(row?.entries ?? 0), bytes: numberOf(row?.bytes ?? 0) };
}

/** Errors: `memory.full`. */
export function writeMemory(connection: Connection, { entry, max }: Write & { kind: "memory" }): void {
	const space = spaceId(connection, entry.space) ?? insertSpace(connection, entry.space);
	const used = memoryUsage(connection, entry);
	const before = connection.sql("SELECT id, bytes FROM memory WHERE space = ? AND name = ?").get(space, entry.name);
	const bytes = door.memoryBytes(entry);
	const after = {
		entries: used.entries + (before ? 0 : 1),
		bytes: used.bytes + bytes - (before ? numberOf(before.bytes) : 0),
	};
	if (after.entries > max.entries || after.bytes > max.bytes) throw door.memoryFull(entry.space, used, max);
	if (before) overwriting(connection, () => deleteRow(connection, { space, ...rowKey(before) }));
	const { owner, name, at, text, facts, mac } = entry;
	const row = connection
		.sql(
			"INSERT INTO memory (space, owner, name, at, bytes, mac, facts, text) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
		)
		.get(space, packCode(owner), name, at, bytes, packCode(mac), facts, text);
	connection
		.sql("INSERT INTO memory_words (rowid, name, text) VALUES (?, ?, ?)")
		.run(numberOf(row?.id), inSpace(space, memoryWords(name)), inSpace(space, memoryWords(text)));
	count(connection, { space, entries: 1, bytes });
}

export function dropMemory(connection: Connection, { space: name, ...write }: Write & { kind: "memory.drop" }): void {
	const space = spaceId(connection, name);
	if (space === undefined) return;
	const found = connection
		.sql("SELECT space, id, bytes FROM memory WHERE space = ?1 AND (?2 IS NULL OR name = ?2)")
		.all(space, write.name ?? null);
	dropRows(connection, found);
}

export function forgetMemory(connection: Connection, { owner }: Write & { kind: "memory.forget" }): void {
	dropRows(connection, connection.sql("SELECT space, id, bytes FROM memory WHERE owner = ?").all(packCode(owner)));
}

function dropRows(connection: Connection, found: readonly SqlRow[]): void {
	if (found.length === 0) return;
	overwriting(connection, () => {
		for (const row of found) deleteRow(connection, { space: numberOf(row.space), ...rowKey(row) });
		for (const space of new Set(found.map((row) => numberOf(row.space))))
			connection.sql("DELETE FROM memory_spaces WHERE id = ? AND entries = 0").run(space);
	});
}

/** Overwrites the bytes too; a page of the write-ahead log that still has them goes with the next checkpoint of SQLite. */
function overwriting(connection: Connection, work: () => void): void {
	connection.exec("PRAGMA secure_delete = ON");
	try {
		work();
	} finally {
		connection.exec("PRAGMA secure_delete = FAST");
	}
}

interface RowKey {
	readonly id: number;
	readonly bytes: number;
}

function rowKey(row: SqlRow): RowKey {
	return { id: numberOf(row.id), bytes: numberOf(row.bytes) };
}

function deleteRow(connection: Connection, { space, id, bytes }: RowKey & { readonly space: number }): void {
	connection.sql("DELETE FROM memory_words WHERE rowid = ?").run(id);
	connection.sql("DELETE FROM memory WHERE id = ?").run(id);
	count(connection, { space, entries: -1, bytes: -bytes });
}

function count(connection: Connection, { space, entries, bytes }: MemoryRoom & { readonly space: number }): void {
	connection
		.sql("UPDATE memory_spaces SET entries = entries + ?, bytes = bytes + ? WHERE id = ?")
		.run(entries, bytes, space);
}

function spaceId(connection: Connection, space: string): number | undefined {
	const row = connection.sql("SELECT id FROM memory_spaces WHERE space = ?").get(space);
	return row && numberOf(row.id);
}

function insertSpace(connection: Connection, space: string): number {
	const row = connection
		.sql("INSERT INTO memory_spaces (space, entries, bytes) VALUES (?, 0, 0) RETURNING id")
		.get(space);
	return numberOf(row?.id);
}

function inSpace(space: number, words: readonly string[]): string {
	return words.map((word) => `${space}x${word}`).join(" ");
}

function placeOf(of: MemoryPlace): { readonly where: string; readonly value: SqlValue } {
	return "space" in of
		? { where: "memory.space = (SELECT id FROM memory_spaces WHERE space = ?1)", value: of.space }
		: { where: "owner = ?1", value: packCode(of.owner) };
}

function entryOf(row: SqlRow): StoredMemory {
	return {
		space: textOf(row.space),
		owner: unpackCode(row.owner),
		name: textOf(row.name),
		at: numberOf(row.at),
		text: textOf(row.text),
		facts: textOf(row.facts),
		mac: unpackCode(row.mac),
	};
}
