import type { Label } from "./label.ts";

/**
 * Memory as a store keeps it: entries by space and name. Entries are written by `commit`, with the state change that they
 * belong to.
 *
 * 1. A space is a name like any other to a store: whose it is, and that nobody comes to another's, is made sure above it.
 * 2. A search finds the entries of its space in which one of its words stands, those first in which more and rarer ones
 *    do; a word that stands in none of them is taken for the beginning of one. Which words stand in an entry is said by
 *    `kit/memory-words.ts`. Nothing in a query has another meaning.
 * 3. An entry counts with the UTF-8 bytes of its name and its text.
 */
export interface MemoryRows {
	/** The entry of this name; undefined: there is none. */
	get(space: string, name: string): Promise<StoredMemory | undefined>;
	/** Newest first; those of one moment by name, then by space. */
	list(query: MemoryQuery): Promise<readonly StoredMemory[]>;
	/** What is found, the best first. Nothing is found where there is no word in `query`. */
	search(search: MemorySearch): Promise<readonly StoredMemory[]>;
	/** How many entries a space has, or all spaces of an owner, and their bytes. */
	usage(of: MemoryPlace): Promise<MemoryRoom>;
}

/** An entry, sealed: its meaning is that of whoever wrote it. */
export interface StoredMemory {
	/** Digest that stands for whose memory it is. */
	readonly space: string;
	/** Digest that stands for on whose behalf it was written. */
	readonly owner: string;
	readonly name: string;
	/** When it was written. Milliseconds since 1970. */
	readonly at: number;
	readonly text: string;
	/** Who wrote it, and its label. */
	readonly facts: string;
	/** Code over store and every other field here. */
	readonly mac: string;
}

/** One space, or every space in which an owner has entries. */
export type MemoryPlace = { readonly space: string } | { readonly owner: string };

export interface MemoryQuery {
	readonly of: MemoryPlace;
	/** Default 100, at most 1,000. */
	readonly limit?: number;
	/** Continue after this entry. */
	readonly before?: Pick<StoredMemory, "at" | "name" | "space">;
}

export interface MemorySearch {
	readonly space: string;
	/** Words, whatever else is in it. */
	readonly query: string;
	/** Default 100, at most 1,000. */
	readonly limit?: number;
}

export interface MemoryRoom {
	readonly entries: number;
	/** UTF-8 bytes of their names and texts. */
	readonly bytes: number;
}

/** Who wrote an entry. An id stays where what it names is erased. */
export type MemoryAuthor =
	/** A call of a run. */
	| { readonly run: string; readonly call: string; readonly agent: string }
	/** A person, by hand or with a file. */
	| { readonly person: string };

/** An entry that was verified. */
export interface MemoryEntry {
	/** Shape: parts with `/` between them, such as `orders/A-17`. */
	readonly name: string;
	readonly text: string;
	/** When it was written. Milliseconds since 1970. */
	readonly at: number;
	readonly by: MemoryAuthor;
	/** On whose behalf it was written. */
	readonly principal: string;
	/** Of what its author had seen. Undefined: nothing is wrong with it. */
	readonly label: Label | undefined;
}
