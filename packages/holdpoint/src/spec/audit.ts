/**
 * The audit log as a store keeps it: leaves in one order over all runs, and checkpoints of it. Leaves are written by
 * `commit`, with the state change that they tell of.
 *
 * 1. A leaf's index is its place: 0, 1, 2, …, given inside the commit's transaction. No gap, no second leaf at a place.
 * 2. A leaf is never changed and never dropped; of an erased run only the salts go.
 * 3. A store knows nothing of trees and signatures: what is kept here is text.
 */
export interface AuditLog {
	/** How many leaves there are, and the last checkpoint that was kept. */
	head(): Promise<{ readonly size: number; readonly checkpoint: KeptCheckpoint | undefined }>;
	/** In order of their index. */
	leaves(query: LeafQuery): Promise<readonly StoredLeaf[]>;
	/** Keeps a checkpoint; one of a size that is there already is left as it is. */
	keep(checkpoint: KeptCheckpoint): Promise<void>;
	/** In order of their size. `from`: only those of at least this size. `limit`: default 100, at most 1,000. */
	checkpoints(query: { readonly from?: number; readonly limit?: number }): Promise<readonly KeptCheckpoint[]>;
}

export interface LeafQuery {
	/** From this index on. */
	readonly from?: number;
	/** Only those of this run. */
	readonly run?: string;
	/** Default 100, at most 1,000. */
	readonly limit?: number;
}

export interface StoredLeaf {
	readonly index: number;
	readonly body: string;
	/** What the digest of its payload is salted with; undefined where it has none, or where it was erased. */
	readonly salt: string | undefined;
}

export interface KeptCheckpoint {
	/** How many leaves it is of. */
	readonly size: number;
	/** The signed note. */
	readonly note: string;
	/** What the tree of this size needs to grow on. */
	readonly frontier: string;
}
