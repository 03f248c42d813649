/**
 * The tables, and how a database of an older version becomes one of this version.
 *
 * 1. A migration that was published never changes; a new one is added at the end.
 * 2. Rows are appended: entries and blobs of many runs fill pages one after the other, wherever their run began, and a
 *    group of commits touches few pages. Small indexes find them.
 * 3. A run that goes on is written with every entry and is in no index that this changes: running ones are few, and are
 *    sorted when they are looked for.
 * 4. Only what a run holds right now (lease, signals, open approvals) has a row of its own that comes and goes.
 */

/** "HPNT": tells our databases from those of other programs. */
export const applicationId = 0x48504e54;

/** The status column: 0 running, 1 waiting, 2 completed, 3 failed, 4 cancelled. */
export const migrations: readonly string[] = [
	`
	CREATE TABLE store (id TEXT NOT NULL) STRICT;

	CREATE TABLE runs (
		id INTEGER PRIMARY KEY,
		run TEXT NOT NULL UNIQUE,
		epoch INTEGER NOT NULL,
		seq INTEGER NOT NULL,
		status INTEGER NOT NULL,
		agent TEXT NOT NULL,
		session TEXT,
		due_at INTEGER,
		updated_at INTEGER NOT NULL,
		mac ANY NOT NULL
	) STRICT;
	CREATE INDEX runs_by_status ON runs (status, updated_at) WHERE status <> 0;
	CREATE INDEX runs_running ON runs (status) WHERE status = 0;
	CREATE INDEX runs_by_due ON runs (due_at) WHERE due_at IS NOT NULL;
	CREATE INDEX runs_by_session ON runs (session) WHERE session IS NOT NULL;

	CREATE TABLE leases (
		run INTEGER PRIMARY KEY REFERENCES runs,
		owner TEXT NOT NULL,
		until INTEGER NOT NULL
	) STRICT;

	CREATE TABLE entries (
		run INTEGER NOT NULL REFERENCES runs,
		seq INTEGER NOT NULL,
		mac ANY NOT NULL,
		body TEXT NOT NULL,
		UNIQUE (run, seq)
	) STRICT;

	CREATE TABLE blobs (
		id INTEGER PRIMARY KEY,
		run INTEGER NOT NULL REFERENCES runs,
		digest ANY NOT NULL,
		body BLOB NOT NULL,
		UNIQUE (run, digest)
	) STRICT;
	CREATE TABLE blob_pieces (
		blob INTEGER NOT NULL REFERENCES blobs ON DELETE CASCADE,
		piece INTEGER NOT NULL,
		body BLOB NOT NULL,
		PRIMARY KEY (blob, piece)
	) STRICT, WITHOUT ROWID;

	CREATE TABLE signals (
		run INTEGER NOT NULL REFERENCES runs,
		place INTEGER NOT NULL,
		id TEXT NOT NULL,
		mac ANY NOT NULL,
		body TEXT NOT NULL,
		PRIMARY KEY (run, place)
	) STRICT, WITHOUT ROWID;

	CREATE TABLE approvals (
		run INTEGER NOT NULL REFERENCES runs,
		approval TEXT NOT NULL,
		call TEXT NOT NULL,
		tool TEXT NOT NULL,
		requested_at INTEGER NOT NULL,
		expires_at INTEGER NOT NULL,
		PRIMARY KEY (run, approval)
	) STRICT, WITHOUT ROWID;
	CREATE INDEX approvals_by_age ON approvals (requested_at);
	`,
	`
	CREATE TABLE documents (
		name TEXT PRIMARY KEY,
		rev INTEGER NOT NULL,
		mac ANY NOT NULL,
		body TEXT NOT NULL
	) STRICT;

	CREATE TABLE accounts (
		id INTEGER PRIMARY KEY,
		account TEXT NOT NULL UNIQUE,
		spent INTEGER NOT NULL,
		held INTEGER NOT NULL,
		until INTEGER
	) STRICT;
	CREATE INDEX accounts_by_end ON accounts (until) WHERE until IS NOT NULL;
	CREATE TABLE holds (
		run INTEGER NOT NULL REFERENCES runs,
		holder TEXT NOT NULL,
		account INTEGER NOT NULL REFERENCES accounts,
		amount INTEGER NOT NULL,
		PRIMARY KEY (run, holder, account)
	) STRICT, WITHOUT ROWID;
	`,
	// The audit log: `id` is a leaf's index plus one, which SQLite gives without gaps as long as no row is deleted.
	`
	CREATE TABLE audit (
		id INTEGER PRIMARY KEY,
		run INTEGER REFERENCES runs,
		body TEXT NOT NULL,
		salt ANY
	) STRICT;
	CREATE INDEX audit_by_run ON audit (run) WHERE run IS NOT NULL;
	CREATE TABLE audit_checkpoints (
		size INTEGER PRIMARY KEY,
		note TEXT NOT NULL,
		frontier TEXT NOT NULL
	) STRICT;
	`,
	// Memory. The index keeps the words that it was given: a row that was changed by hand cannot make it wrong. What is
	// deleted is overwritten in it, too, as `secure_delete` does for tables.
	`
	CREATE TABLE memory_spaces (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		space TEXT NOT NULL UNIQUE,
		entries INTEGER NOT NULL,
		bytes INTEGER NOT NULL
	) STRICT;
	CREATE TABLE memory (
		id INTEGER PRIMARY KEY,
		space INTEGER NOT NULL REFERENCES memory_spaces,
		owner ANY NOT NULL,
		name TEXT NOT NULL,
		at INTEGER NOT NULL,
		bytes INTEGER NOT NULL,
		mac ANY NOT NULL,
		facts TEXT NOT NULL,
		text TEXT NOT NULL,
		UNIQUE (space, name)
	) STRICT;
	CREATE INDEX memory_by_age ON memory (space, at DESC, name);
	CREATE INDEX memory_by_owner ON memory (owner, at DESC, name);
	CREATE VIRTUAL TABLE memory_words USING fts5 (name, text, tokenize = 'ascii');
	INSERT INTO memory_words (memory_words, rank) VALUES ('secure-delete', 1);
	`,
];
