/**
 * Keeps traces in a SQLite file of its own, for one machine: `holdpoint trace` reads it.
 *
 * 1. Nothing waits for it: spans are written in batches, a little later. A process that is killed loses its last batch,
 *    and the file is whole.
 * 2. It stays small: old traces go first, by age, number and bytes.
 * 3. Not being able to write is no reason for a run to stop. What does not fit in memory meanwhile is dropped, and said.
 * 4. A trace of which a span was dropped, or swept away, never gets its root: whoever reads can tell that it is not whole.
 * 5. A run that is forgotten is in no byte of the file afterwards, or the error says that it may be.
 */
import { closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { reasonOf } from "../../kit/reason-of.ts";
import { withoutWarning } from "../../kit/without-warning.ts";
import { HoldpointError } from "../../spec/errors.ts";
import { fixedLimits } from "../../spec/limits.ts";
import { epochAttribute, runAttribute, type Span, type TraceExporter } from "../../spec/trace.ts";
import { keptSpan, NoSpans, readSpan, spansIn } from "./sqlite/kept-span.ts";

export interface SqliteTracesOptions {
	/** Default 30. Days. */
	readonly daysMax?: number;
	/** Default 10,000. */
	readonly tracesMax?: number;
	/** Of all spans. Default 256 MiB. Bytes. */
	readonly bytesMax?: number;
	/** Only reads; the file must be there. */
	readonly readOnly?: boolean;
	/** Milliseconds since 1970. Default: the system's clock. */
	readonly now?: () => number;
}

/** What is kept of one segment of a run. */
export interface KeptTrace {
	readonly epoch: number;
	/** In the order in which they ended; the root is the last one where the segment has ended. */
	readonly spans: readonly Span[];
}

export interface SqliteTraces extends TraceExporter {
	/** By epoch. Errors: `store.*`. */
	read(run: string): Promise<readonly KeptTrace[]>;
	/** Writes what waits, now. Errors: `store.*`. */
	flush(): void;
}

const applicationId = 0x68747261;
const version = 1;
const batchSpansMax = 2_000;
const batchDelayMs = 500;
const pendingSpansMax = 20_000;
/** With each so many batches it is looked whether something has to go. */
const sweepEvery = 20;
const dayMs = 86_400_000;
/** Tries for the lock, and what lies between two. Others run meanwhile. */
const tryEveryMs = 50;
const forgetTries = 100;
const closeTries = 30;

const schema = `
CREATE TABLE trace (trace_id TEXT PRIMARY KEY, run TEXT NOT NULL, epoch INTEGER NOT NULL, at INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;
CREATE INDEX trace_run ON trace (run, epoch);
CREATE TABLE part (id INTEGER PRIMARY KEY, trace_id TEXT NOT NULL REFERENCES trace ON DELETE CASCADE, spans TEXT NOT NULL) STRICT;
CREATE INDEX part_trace ON part (trace_id);
PRAGMA application_id = ${applicationId};
PRAGMA user_version = ${version};
`;

interface Owner {
	readonly run: string;
	readonly epoch: number;
	/** Some of it was written. */
	isKept: boolean;
}

/** The file is made when it is first written. Errors: `config.invalid`; when it is used: `store.failed`, `store.damaged`, `store.newer`. */
export function sqliteTraces(path: string, options: SqliteTracesOptions = {}): SqliteTraces {
	checkBounds(options);
	const traces = new Traces(resolve(path), options);
	return {
		began: (span) => traces.began(span),
		ended: (span) => traces.ended(span),
		read: async (run) => traces.read(run),
		forget: (run) => traces.forget(run),
		flush: () => traces.flush(),
		close: () => traces.close(),
	};
}

function checkBounds({ daysMax = 1, tracesMax = 1, bytesMax = 1 }: SqliteTracesOptions): void {
	for (const [name, value] of Object.entries({ daysMax, tracesMax, bytesMax })) {
		const isBound = name === "daysMax" ? Number.isFinite(value) : Number.isSafeInteger(value);
		if (isBound && value > 0) continue;
		const message = `${name} of the trace store is ${String(value)}`;
		throw new HoldpointError("config.invalid", message, { hint: "It takes a number above 0, or is left out." });
	}
}

class Traces {
	private readonly path: string;
	private readonly options: SqliteTracesOptions;
	private readonly now: () => number;
	private database: DatabaseSync | undefined;
	private readonly statements = new Map<string, StatementSync>();
	private readonly owners = new Map<string, Owner>();
	private pending: Span[] = [];
	private dropped = 0;
	private batches = 0;
	private timer: NodeJS.Timeout | undefined;
	/** Another process was writing when it was last tried. */
	private isLocked = false;

	constructor(path: string, options: SqliteTracesOptions) {
		this.path = path;
		this.options = options;
		this.now = options.now ?? Date.now;
	}

	began(span: Span): void {
		const { [runAttribute]: run, [epochAttribute]: epoch } = span.attributes;
		if (span.parentSpanId !== undefined) return;
		this.owners.set(span.traceId, { run: String(run), epoch: Number(epoch), isKept: false });
	}

	ended(span: Span): void {
		if (this.pending.length >= pendingSpansMax) {
			this.lose([span], `The trace store ${this.path} is busy: traces are incomplete`);
			return;
		}
		this.pending.push(span);
		// Each try waits a little for the lock: while another process has it, only the timer tries.
		if (this.pending.length >= batchSpansMax && !this.isLocked) this.flushLater();
		else this.timer ??= setTimeout(() => this.flushLater(), batchDelayMs).unref();
	}

	/** Nobody is there to hear an error. */
	private flushLater(): void {
		this.timer = undefined;
		try {
			this.flush();
		} catch (error) {
			this.lose(this.pending.splice(0), `Traces are not kept: ${reasonOf(error)}`);
		}
	}

	/** Said once. Without its owner nothing more is written of a trace, and so not its root. */
	private lose(spans: readonly Span[], why: string): void {
		if (this.dropped === 0) process.emitWarning(why);
		this.dropped += spans.length;
		for (const { traceId } of spans) this.owners.delete(traceId);
	}

	flush(): void {
		clearTimeout(this.timer);
		this.timer = undefined;
		if (this.pending.length === 0) return;
		const database = this.begin();
		if (!database) return;
		const spans = this.pending;
		this.pending = [];
		try {
			for (const [traceId, of] of byTrace(spans)) this.write(traceId, of);
			if (this.batches++ % sweepEvery === 0) this.sweep(database);
			database.exec("COMMIT");
		} catch (error) {
			rollback(database);
			this.lose(spans, `Traces are not kept: ${reasonOf(error)}`);
			throw failure(this.path, error);
		}
	}

	/** Undefined: another process is writing. What is pending waits for the next time. */
	private begin(): DatabaseSync | undefined {
		try {
			const database = this.open();
			database.exec("BEGIN IMMEDIATE");
			this.isLocked = false;
			return database;
		} catch (error) {
			if (!isBusy(error)) throw failure(this.path, error);
			this.isLocked = true;
			this.timer ??= setTimeout(() => this.flushLater(), batchDelayMs).unref();
			return undefined;
		}
	}

	private write(traceId: string, spans: readonly Span[]): void {
		const owner = this.owners.get(traceId);
		if (!owner) return;
		const text = JSON.stringify(spans.map(keptSpan));
		let at = 0;
		for (const { start, end = start } of spans) at = Math.max(at, Math.floor(end));
		const bytes = Buffer.byteLength(text);
		if (!owner.isKept)
			this.sql("INSERT OR IGNORE INTO trace VALUES (?, ?, ?, 0, 0)").run(traceId, owner.run, owner.epoch);
		owner.isKept = true;
		const grown = this.sql("UPDATE trace SET at = max(at, ?), bytes = bytes + ? WHERE trace_id = ?");
		// Swept away meanwhile, or its run was erased, here or by another process: what comes now is a rest of it.
		if (grown.run(at, bytes, traceId).changes === 0) {
			this.owners.delete(traceId);
			return;
		}
		this.sql("INSERT INTO part (trace_id, spans) VALUES (?, ?)").run(traceId, text);
		// After its root comes nothing of a trace.
		if (spans.some(({ parentSpanId }) => parentSpanId === undefined)) this.owners.delete(traceId);
	}

	/** Prepared once. */
	private sql(text: string): StatementSync {
		const statement = this.statements.get(text) ?? this.open().prepare(text);
		this.statements.set(text, statement);
		return statement;
	}

	private sweep(database: DatabaseSync): void {
		const { daysMax = fixedLimits.traceDaysMax, tracesMax = fixedLimits.tracesMax } = this.options;
		const { bytesMax = fixedLimits.traceBytesMax } = this.options;
		database.prepare("DELETE FROM trace WHERE at < ?").run(Math.floor(this.now() - daysMax * dayMs));
		// The newest ones that fit; the newest of all stays, however large.
		database
			.prepare(
				`DELETE FROM trace WHERE trace_id IN (
				SELECT trace_id FROM (SELECT trace_id, row_number() OVER newest AS n, sum(bytes) OVER newest AS total FROM trace WINDOW newest AS (ORDER BY at DESC, trace_id))
				WHERE n > ? OR (n > 1 AND total > ?))`,
			)
			.run(tracesMax, bytesMax);
	}

	read(run: string): readonly KeptTrace[] {
		this.flush();
		if (!this.database && !existsSync(this.path)) return [];
		try {
			const rows = this.open()
				.prepare(
					"SELECT epoch, trace_id AS traceId, spans FROM trace JOIN part USING (trace_id) WHERE run = ? ORDER BY epoch, id",
				)
				.all(run) as { epoch: number; traceId: string; spans: string }[];
			const found = new Map<number, Span[]>();
			for (const { epoch, traceId, spans } of rows) {
				const kept = spansIn(spans).map((span) => readSpan(traceId, span));
				found.set(epoch, [...(found.get(epoch) ?? []), ...kept]);
			}
			return [...found].map(([epoch, spans]) => ({ epoch, spans }));
		} catch (error) {
			throw failure(this.path, error);
		}
	}

	async forget(run: string): Promise<void> {
		for (const [traceId, owner] of this.owners) if (owner.run === run) this.owners.delete(traceId);
		if (!this.database && !existsSync(this.path)) return;
		try {
			await inTries(forgetTries, () => this.remove(run));
		} catch (error) {
			throw failure(this.path, error);
		}
	}

	/** For good: no copy is left in a page that is free now, or in the file beside it. False: others have the lock. */
	private remove(run: string): boolean {
		try {
			const database = this.open();
			database.prepare("DELETE FROM trace WHERE run = ?").run(run);
			// Somebody who reads an older state keeps it there.
			return database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get()?.["busy"] === 0;
		} catch (error) {
			if (isBusy(error)) return false;
			throw error;
		}
	}

	async close(): Promise<void> {
		try {
			await inTries(closeTries, () => {
				this.flush();
				return this.pending.length === 0;
			});
		} catch (error) {
			if (!(error instanceof StillBusy)) throw error;
			process.emitWarning(`The trace store ${this.path} is busy: its last ${this.pending.length} spans are lost`);
		} finally {
			clearTimeout(this.timer);
			this.statements.clear();
			this.database?.close();
			this.database = undefined;
		}
	}

	private open(): DatabaseSync {
		this.database ??= openFile(this.path, this.options.readOnly ?? false);
		return this.database;
	}
}

function byTrace(spans: readonly Span[]): Map<string, Span[]> {
	const groups = new Map<string, Span[]>();
	for (const span of spans) {
		const group = groups.get(span.traceId);
		if (group) group.push(span);
		else groups.set(span.traceId, [span]);
	}
	return groups;
}

/** For this user alone: what runs did is nobody else's business. */
function openFile(path: string, readOnly: boolean): DatabaseSync {
	try {
		if (!readOnly) makeFile(path);
		const { DatabaseSync } = withoutWarning(/^SQLite is an experimental feature/, () =>
			process.getBuiltinModule("node:sqlite"),
		);
		const database = new DatabaseSync(path, { readOnly, timeout: 10 });
		try {
			makeReady(database, path, readOnly);
			return database;
		} catch (error) {
			database.close();
			throw error;
		}
	} catch (error) {
		throw failure(path, error);
	}
}

function makeReady(database: DatabaseSync, path: string, readOnly: boolean): void {
	const pragma = (name: string) => Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
	const isEmpty = () => !database.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get();
	const isNew = !readOnly && pragma("user_version") === 0 && isEmpty();
	if (!isNew && pragma("application_id") !== applicationId) throw notOurs(path);
	if (pragma("user_version") > version) throw newer(path);
	database.exec("PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA secure_delete = ON");
	if (readOnly) return;
	// A trace may be lost with the power; a process that dies loses none that was written. The disk is waited for with each
	// 16 MB, and at the end.
	database.exec("PRAGMA synchronous = NORMAL; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 4000");
	if (!isNew) return;
	database.exec("BEGIN IMMEDIATE");
	try {
		// Unless another process just did.
		if (isEmpty()) database.exec(schema);
		database.exec("COMMIT");
	} catch (error) {
		rollback(database);
		throw error;
	}
}

function makeFile(path: string): void {
	mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
	if (existsSync(path)) return;
	try {
		closeSync(openSync(path, "wx", 0o600));
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
	}
}

class StillBusy extends Error {
	override readonly message = "Another process uses it";
}

/** Until it is done. Errors: `StillBusy`. */
async function inTries(triesMax: number, isDone: () => boolean): Promise<void> {
	for (let tries = 1; !isDone(); tries++) {
		if (tries === triesMax) throw new StillBusy();
		await new Promise((resolved) => setTimeout(resolved, tryEveryMs));
	}
}

function rollback(database: DatabaseSync): void {
	try {
		database.exec("ROLLBACK");
	} catch {
		// SQLite has rolled back by itself.
	}
}

function isBusy(error: unknown): boolean {
	const { errcode } = ((error as Error | undefined)?.cause ?? error ?? {}) as { errcode?: unknown };
	return typeof errcode === "number" && (errcode & 0xff) === 5;
}

function notOurs(path: string): HoldpointError {
	return new HoldpointError("store.damaged", `${path} is not a trace store of Holdpoint: another program made it`, {
		details: { path },
		hint: "Name another path. The file was left as it is.",
	});
}

function newer(path: string): HoldpointError {
	return new HoldpointError("store.newer", `The trace store ${path} was made by a newer Holdpoint`, {
		details: { path },
	});
}

function failure(path: string, error: unknown): unknown {
	if (error instanceof HoldpointError) return error;
	const { errcode } = (error ?? {}) as { errcode?: unknown };
	const isDamaged = errcode === 11 || errcode === 26 || error instanceof NoSpans;
	return new HoldpointError(
		isDamaged ? "store.damaged" : "store.failed",
		`The trace store ${path} cannot be used: ${reasonOf(error)}`,
		{
			cause: error,
			details: { path },
			...(isDamaged ? { hint: "It holds nothing but traces: delete it, and it is made anew." } : {}),
			...(error instanceof StillBusy ? { hint: "Another process is using it: end that, or try again." } : {}),
		},
	);
}
