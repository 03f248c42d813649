import type { AuditLog } from "./audit.ts";
import type { MemoryRoom, MemoryRows, StoredMemory } from "./memory.ts";

/**
 * The store port. A store keeps bytes; it knows nothing of what they mean and never decides anything.
 *
 * There is one write, `commit`, and it is atomic: all of its writes or none. It is fenced (I6): a commit whose epoch is
 * not the run's current one changes nothing and fails with `run.lease_lost`. Epoch 0 creates the run and fails with
 * `run.exists` when it is there. Only `signal` writes are unfenced: anyone may leave a signal, waited for or not.
 *
 * 1. A created run is at epoch 1. A fenced commit to no run is `run.lease_lost`; an empty commit is a fence check.
 * 2. A commit with entries has exactly one head, and `head.seq` is the number of entries.
 * 3. Dropping what is not there is no error. The same signal twice is kept once; another body under its id is refused.
 * 4. An expired lease that nobody took still lets its epoch commit: the epoch fences, the lease only keeps others waiting.
 * 5. The bytes of a blob must not change until its commit has settled.
 * 6. A commit that erases leaves of its run an index row whose head has `seq` 0, and nothing else.
 * 7. What belongs to no run is committed under `noRun` with epoch 0: documents, memory and their leaves, and nothing of a run.
 */
export interface Store {
	/** Where the key that seals this store's state is kept by default; undefined: a key for this process alone. */
	readonly keyFile?: string | undefined;
	/** Identity of this store, made once; part of every authentication code and idempotency key. */
	id(): Promise<string>;
	/** Errors: `run.exists`, `run.lease_lost`, `run.unknown` (signal to no run), `store.*`. */
	commit(run: string, epoch: number, writes: readonly Write[]): Promise<CommitReceipt>;
	/**
	 * Takes the lease and returns the run. The new epoch is the old one plus one.
	 * Errors: `run.busy` while another owner's lease is unexpired (unless `request.takeOver(owner)` says that it is dead).
	 * Returns undefined when there is no such run.
	 */
	acquire(run: string, request: LeaseRequest): Promise<StoredRun | undefined>;
	/** The run as it is, without a lease: for readers. `after` leaves out the entries up to that sequence number. */
	load(run: string, after?: number): Promise<StoredRun | undefined>;
	/** A body kept beside the journal. */
	blob(run: string, digest: string): Promise<Uint8Array | undefined>;
	/** Index of runs, newest change first. An index is for finding; what a run is, its journal says. */
	runs(query: RunQuery): Promise<readonly RunRow[]>;
	/** Leaves and checkpoints of the audit log. */
	readonly audit: AuditLog;
	/** What agents and people keep beyond a run. */
	readonly memory: MemoryRows;
	/** Open approvals, oldest first; those of one moment by run, then by call, a shorter call id first (`c2` before `c10`). */
	approvals(query: ApprovalQuery): Promise<readonly ApprovalRow[]>;
	/** A document, or `unchanged` where its revision is still the one that the caller knows; undefined: there is none. */
	document(name: string, known?: number): Promise<StoredDocument | "unchanged" | undefined>;
	/** Accounts by name. */
	accounts(query: AccountQuery): Promise<readonly AccountRow[]>;
	close(): Promise<void>;
}

/** The place of what belongs to no run. No run has this id. */
export const noRun = "-";

export interface LeaseRequest {
	readonly owner: string;
	readonly now: number;
	readonly until: number;
	/** Asked about the owner of an unexpired lease: is that owner certainly dead? */
	readonly takeOver?: (owner: string) => boolean;
}

export interface CommitReceipt {
	/** Signals that wait for the run's writer. */
	readonly signals: number;
	/** Revisions of all documents together: it grows when one of them changes. */
	readonly documents: number;
}

/** Closed union: a store that meets an unknown kind refuses the whole commit. */
export type Write =
	/** Appends. `seq` must be the head's plus one (1 for the first). */
	| { readonly kind: "entry"; readonly seq: number; readonly body: string; readonly mac: string }
	/** The run's index row, rewritten with every entry. */
	| { readonly kind: "head"; readonly head: RunHead }
	| { readonly kind: "blob"; readonly digest: string; readonly body: Uint8Array }
	| { readonly kind: "blob.drop"; readonly digest: string }
	/** Unfenced; any epoch. Errors: `run.unknown`; `store.failed` past `max` unread ones. */
	| { readonly kind: "signal"; readonly signal: StoredSignal; readonly max: number }
	/** The writer has turned this signal into an event of the same commit. */
	| { readonly kind: "signal.drop"; readonly id: string }
	| {
			readonly kind: "approval";
			readonly approval: string;
			readonly call: string;
			readonly tool: string;
			readonly requestedAt: number;
			readonly expiresAt: number;
	  }
	| { readonly kind: "approval.drop"; readonly approval: string }
	/** Appends a leaf to the audit log of all runs; the store gives it its index. */
	| { readonly kind: "audit"; readonly body: string; readonly salt?: string }
	/**
	 * Drops the run's entries, bodies, signals and open approvals, and the salts of its leaves, for good: where a store can
	 * overwrite their bytes, it does. Goes with a head whose `seq` is 0, and with no entry.
	 */
	| { readonly kind: "erase" }
	/** Replaces the document. `rev` is the one before plus one (1 for the first). Errors: `store.conflict`. */
	| { readonly kind: "document"; readonly document: StoredDocument }
	/**
	 * Holds an amount of a shared account for one call of this run, in the place of what that call held there before. With
	 * all of them the account must stay at or below `max`. An amount is 1 or more. Errors: `budget.exhausted`, with the account and what is used.
	 */
	| {
			readonly kind: "reserve";
			readonly account: string;
			readonly holder: string;
			readonly amount: number;
			readonly max: number;
			/** When the account ends; undefined: never. Milliseconds since 1970. */
			readonly until: number | undefined;
			/**
			 * Of accounts that ended by now, on which nothing is held, the last `accountsEndedMax` are kept, whatever clock
			 * says so; of others those that ended first may be forgotten. Milliseconds since 1970.
			 */
			readonly now: number;
	  }
	/** What the call held there is given back, and so much is spent. Where it held nothing, nothing happens. */
	| { readonly kind: "settle"; readonly account: string; readonly holder: string; readonly amount: number }
	/**
	 * Whatever the run holds still is spent: it ends, and nobody will say any more what became of it. With a holder only
	 * what that one holds; `unspent`: it is given back, because nothing came of it.
	 */
	| { readonly kind: "settle.rest"; readonly holder?: string; readonly unspent?: true }
	/**
	 * Keeps the entry in the place of the one that has its name in its space. With it the space must stay within `max`.
	 * Errors: `memory.full`, with what is used.
	 */
	| { readonly kind: "memory"; readonly entry: StoredMemory; readonly max: MemoryRoom }
	/** Drops the entry of this name, or all of the space: where a store can overwrite bytes, it does. */
	| { readonly kind: "memory.drop"; readonly space: string; readonly name?: string }
	/** The same for every entry of the owner, whatever its space. */
	| { readonly kind: "memory.forget"; readonly owner: string }
	/** With epoch 0: the creator's lease. Otherwise the heartbeat. */
	| { readonly kind: "lease"; readonly owner: string; readonly until: number }
	| { readonly kind: "release" };

export type RunStatus = "running" | "waiting" | "completed" | "failed" | "cancelled";

/** What an index needs to know, authenticated as a whole by `mac`. */
export interface RunHead {
	readonly seq: number;
	readonly status: RunStatus;
	readonly agent: string;
	readonly session: string | undefined;
	/** When the run must be looked at again, or undefined. Milliseconds since 1970. */
	readonly dueAt: number | undefined;
	readonly updatedAt: number;
	/** Code over (store, run, last entry's code, and every other field here): without it dropping the last entries would go unseen. */
	readonly mac: string;
}

export interface StoredEntry {
	readonly seq: number;
	readonly body: string;
	readonly mac: string;
}

/** What somebody outside told a run. `body` is sealed by `mac`. */
export interface StoredSignal {
	readonly id: string;
	readonly body: string;
	readonly mac: string;
}

export interface StoredRun {
	readonly run: string;
	/** The current epoch; after `acquire` it is the caller's. */
	readonly epoch: number;
	readonly head: RunHead;
	/** In order of `seq`. */
	readonly entries: readonly StoredEntry[];
	/** In order of arrival. */
	readonly signals: readonly StoredSignal[];
	readonly lease: { readonly owner: string; readonly until: number } | undefined;
}

/** A small sealed text that runs share. */
export interface StoredDocument {
	readonly name: string;
	/** 1, 2, … */
	readonly rev: number;
	readonly body: string;
	readonly mac: string;
}

/** A shared counter. What is used is what is spent and what is held. Whole numbers, in the account's own unit. */
export interface AccountRow {
	readonly account: string;
	readonly spent: number;
	readonly held: number;
	readonly until: number | undefined;
}

export interface AccountQuery {
	/** Only names that start with this. */
	readonly prefix?: string;
	/** Default 100, at most 1,000. */
	readonly limit?: number;
}

export interface RunQuery {
	readonly status?: readonly RunStatus[];
	readonly session?: string;
	/** Only runs that nobody holds and somebody should advance now: unread signals, due, or left `running`. */
	readonly readyAt?: number;
	/** Default 100, at most 1,000. */
	readonly limit?: number;
	/** Continue after this row (its `updatedAt` and run id). */
	readonly before?: { readonly updatedAt: number; readonly run: string };
}

export interface RunRow extends Omit<RunHead, "mac"> {
	readonly run: string;
	readonly epoch: number;
	readonly signals: number;
	readonly lease: { readonly owner: string; readonly until: number } | undefined;
}

export interface ApprovalQuery {
	readonly run?: string;
	/** Only ids that start with this. */
	readonly prefix?: string;
	readonly limit?: number;
}

export interface ApprovalRow {
	readonly approval: string;
	readonly run: string;
	readonly call: string;
	readonly tool: string;
	readonly requestedAt: number;
	readonly expiresAt: number;
}
