import { randomBytes } from "node:crypto";
import { accessSync, closeSync, constants, existsSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { HoldpointError } from "../../../spec/errors.ts";
import { pageBytes } from "./blob-pieces.ts";
import { applicationId, migrations } from "./schema.ts";
import type { SqlDriver, SqlEngine, SqlStatement } from "./sql-engine.ts";

/** An open database whose statements are prepared once. */
export interface Connection {
	exec(sql: string): void;
	sql(text: string): SqlStatement;
	close(): void;
}

export interface Place {
	readonly engine: SqlEngine;
	/** Absolute. */
	readonly path: string;
	readonly readOnly: boolean;
}

/**
 * SQLite itself waits this long for another process's lock. It blocks the event loop while it waits, and with it the
 * heartbeats of every run: longer waits are the caller's, between tries. Units: ms.
 */
const lockWaitMs = 10;

/**
 * Opens the database, makes it where there is none, and brings an older one to this version.
 * Errors: `store.damaged` (not a database, or not one of ours), `store.newer`, `store.read_only`, `store.full`, and
 * SQLite's own, among them BUSY. A database that is not ours is left as it was.
 */
export function openConnection(place: Place): Connection {
	if (place.readOnly) assertThere(place.path);
	else makeFile(place.path);
	const driver = place.engine.open(place.path, { readOnly: place.readOnly, timeoutMs: lockWaitMs });
	try {
		const version = atOnce(driver, () => versionOf(driver, place.path));
		if (place.readOnly && version < migrations.length) throw notReadable(place.path, version);
		// `secure_delete`: a row that SQLite moves leaves no copy behind, so that it can be erased for good later.
		driver.exec(
			"PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA cache_size = -8192; PRAGMA secure_delete = FAST",
		);
		if (!place.readOnly) makeReady(driver, place.path, version);
	} catch (error) {
		driver.close();
		throw error;
	}
	const statements = new Map<string, SqlStatement>();
	return {
		exec: (sql) => driver.exec(sql),
		sql(text) {
			const statement = statements.get(text) ?? driver.prepare(text);
			statements.set(text, statement);
			return statement;
		},
		close: () => driver.close(),
	};
}

/** In one snapshot: another process may be making the database, and half of it would look like somebody else's. */
function atOnce<T>(driver: SqlDriver, look: () => T): T {
	driver.exec("BEGIN");
	try {
		return look();
	} finally {
		rollback(driver);
	}
}

/** 0 for a fresh file. */
function versionOf(driver: SqlDriver, path: string): number {
	const pragma = (name: string) => Number(driver.prepare(`PRAGMA ${name}`).get()?.[name]);
	const version = pragma("user_version");
	const owner = pragma("application_id");
	if (owner === 0 && version === 0 && !driver.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get()) return 0;
	if (owner !== applicationId || version < 1) throw notOurs(path, "another program made it");
	if (version > migrations.length) {
		throw new HoldpointError(
			"store.newer",
			`The database ${path} has version ${version}; this library knows ${migrations.length}`,
			{
				details: { path, version, known: migrations.length },
			},
		);
	}
	return version;
}

function makeReady(driver: SqlDriver, path: string, version: number): void {
	// The page size counts for a fresh file only, and only before it has a journal.
	if (version === 0) driver.exec(`PRAGMA page_size = ${pageBytes}`);
	driver.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864");
	if (version === migrations.length) return;
	driver.exec("BEGIN IMMEDIATE");
	try {
		// Looked at again under the lock: another process may have done it meanwhile.
		for (let done = versionOf(driver, path); done < migrations.length; done++) migrate(driver, done);
		driver.exec("COMMIT");
	} catch (error) {
		rollback(driver);
		throw error;
	}
}

function migrate(driver: SqlDriver, done: number): void {
	driver.exec(migrations[done] as string);
	if (done === 0) driver.prepare("INSERT INTO store VALUES (?)").run(randomBytes(16).toString("base64url"));
	driver.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${done + 1}`);
}

/** Where SQLite has rolled back by itself there is nothing left to do, and it says so with an error. */
export function rollback(connection: { exec(sql: string): void }): void {
	try {
		connection.exec("ROLLBACK");
	} catch {}
}

/** The folder for this user alone, and the file too; SQLite gives its companions the mode of the file. */
function makeFile(path: string): void {
	mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
	if (existsSync(path)) return;
	try {
		// `wx`: never opened when it is there; closing it would drop the locks of a connection in this process.
		closeSync(openSync(path, "wx", 0o600));
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
	}
}

function assertThere(path: string): void {
	if (existsSync(path)) return;
	throw new HoldpointError("store.failed", `There is no database at ${path}`, {
		details: { path },
		hint: "Check the path. A database is made by the first run that is started on it.",
	});
}

function notReadable(path: string, version: number): HoldpointError {
	const what = version === 0 ? "is empty" : `has the older version ${version}`;
	return new HoldpointError("store.read_only", `The database ${path} ${what} and was opened for reading only`, {
		details: { path, version },
		hint: "Open it once for writing.",
	});
}

function notOurs(path: string, why: string): HoldpointError {
	return new HoldpointError("store.damaged", `${path} is not a database of Holdpoint: ${why}`, {
		details: { path },
		hint: "Name another path. The file was left as it is.",
	});
}

/** May this user write the file and its folder? SQLite and `mkdir` do not tell a place without permission from none. */
export function isWritable(path: string): boolean {
	let there = path;
	while (!existsSync(there) && there !== dirname(there)) there = dirname(there);
	try {
		accessSync(there, constants.W_OK);
		if (there === path) accessSync(dirname(path), constants.W_OK);
		return true;
	} catch {
		return false;
	}
}
