/**
 * One space of memory: sealed entries under names.
 *
 * Owns: whose a space is, the sealed form of an entry, and how much fits. Does not own: where rows lie (the store), what
 * labels mean (`run/call-memory.ts`).
 *
 * 1. A space is the digest of (store, tenant, kind, name) in a form in which no two of them are the same text: whatever
 *    anybody is called, nobody comes to another's. Which space it is, the run says, and never an argument.
 * 2. An entry's code covers store, space, owner, name, time, facts and text: one that was changed, renamed, or brought from
 *    another space does not verify, and is not used. One that is deleted, or put back as it once was, is not missed.
 * 3. Who writes looks first whether there is room, and is told what to do. What others write meanwhile may come on top: at
 *    twice as much the store refuses it.
 */
import { canonicalJson } from "../kit/canonical-json.ts";
import { memoryBytes } from "../kit/check-commit.ts";
import { digest } from "../kit/digest.ts";
import type { KeyRing } from "../kit/seal.ts";
import { HoldpointError } from "../spec/errors.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { MemoryEntry, MemoryQuery, MemoryRoom, StoredMemory } from "../spec/memory.ts";
import type { Store, Write } from "../spec/store.ts";

export interface MemoryParts {
	readonly store: Store;
	readonly storeId: string;
	readonly ring: KeyRing;
}

/** Whose memory it is. */
export interface MemoryHolder {
	readonly tenant: string | undefined;
	readonly kind: "principal" | "session" | "run";
	/** Of the principal, session or run. */
	readonly name: string;
}

/** The most that whoever looked before may write. */
export const memoryRoom: MemoryRoom = { entries: fixedLimits.memoryEntriesMax, bytes: fixedLimits.memoryBytesMax };
/** The most that a store takes, whoever writes at the same time. */
const twice: MemoryRoom = { entries: 2 * memoryRoom.entries, bytes: 2 * memoryRoom.bytes };

export function spaceOf(storeId: string, { tenant, kind, name }: MemoryHolder): string {
	return digest(canonicalJson(["memory", storeId, tenant ?? null, kind, name]));
}

/** Stands for a principal in every space. */
export function ownerOf(storeId: string, tenant: string | undefined, principal: string): string {
	return digest(canonicalJson(["memory of", storeId, tenant ?? null, principal]));
}

type Facts = Pick<MemoryEntry, "by" | "principal" | "label">;

export class MemorySpace {
	/** Its digest. */
	readonly space: string;
	private readonly parts: MemoryParts;
	private readonly tenant: string | undefined;

	constructor(parts: MemoryParts, holder: MemoryHolder) {
		this.parts = parts;
		this.tenant = holder.tenant;
		this.space = spaceOf(parts.storeId, holder);
	}

	/** Newest first. Errors: `memory.tampered`, `journal.key_missing`, `store.*`. */
	async list(limit: number, before?: Pick<MemoryEntry, "at" | "name">): Promise<readonly MemoryEntry[]> {
		const { space } = this;
		const query: MemoryQuery = { of: { space }, limit, ...(before ? { before: { ...before, space } } : {}) };
		return (await this.parts.store.memory.list(query)).map((stored) => this.open(stored));
	}

	/** Errors: as `list`. */
	async get(name: string): Promise<MemoryEntry | undefined> {
		const stored = await this.parts.store.memory.get(this.space, name);
		if (stored && stored.name !== name) throw this.tampered(stored);
		return stored && this.open(stored);
	}

	/** The best first. Errors: as `list`. */
	async search(query: string, limit: number): Promise<readonly MemoryEntry[]> {
		const found = await this.parts.store.memory.search({ space: this.space, query, limit });
		return found.map((stored) => this.open(stored));
	}

	usage(): Promise<MemoryRoom> {
		return this.parts.store.memory.usage({ space: this.space });
	}

	/** Whether an entry of this name is there, as it is or changed by somebody. */
	async has(name: string): Promise<boolean> {
		return (await this.parts.store.memory.get(this.space, name)) !== undefined;
	}

	/** Errors: `memory.full`. */
	async assertRoom(entry: Pick<MemoryEntry, "name" | "text">): Promise<void> {
		const [used, before] = await Promise.all([this.usage(), this.parts.store.memory.get(this.space, entry.name)]);
		const bytes = used.bytes + memoryBytes(entry) - (before ? memoryBytes(before) : 0);
		const entries = used.entries + (before ? 0 : 1);
		if (entries <= memoryRoom.entries && bytes <= memoryRoom.bytes) return;
		const message = `Memory is full: ${used.entries} of ${memoryRoom.entries} entries, ${used.bytes} of ${memoryRoom.bytes} bytes are used. Delete entries or shorten them first`;
		throw new HoldpointError("memory.full", message, { details: { used, max: memoryRoom } });
	}

	/** What writes it. `max`: default twice what is meant for a space. */
	write(entry: MemoryEntry, max: MemoryRoom = twice): Write {
		const { name, at, text, by, principal, label } = entry;
		const { storeId, ring } = this.parts;
		const facts: Facts = { by, principal, label };
		const owner = ownerOf(storeId, this.tenant, principal);
		const plain = { space: this.space, owner, name, at, text, facts: `${ring.current} ${JSON.stringify(facts)}` };
		return { kind: "memory", entry: { ...plain, mac: this.code(ring.current, plain) }, max };
	}

	drop(name: string): Write {
		return { kind: "memory.drop", space: this.space, name };
	}

	private open(stored: StoredMemory): MemoryEntry {
		const key = /^([A-Za-z0-9_-]{1,32}) /.exec(stored.facts)?.[1];
		if (key === undefined || stored.space !== this.space || stored.mac !== this.code(key, stored))
			throw this.tampered(stored);
		const { name, at, text } = stored;
		// Its seal was right, so we wrote it: no further check of its form.
		const { by, principal, label } = JSON.parse(stored.facts.slice(key.length + 1)) as Facts;
		return { name, text, at, by, principal, label };
	}

	private code(key: string, { space, owner, name, at, facts, text }: Omit<StoredMemory, "mac">): string {
		const { ring, storeId } = this.parts;
		const code = ring.code(
			key,
			`memory\n${storeId}\n${space}\n${owner}\n${at}\n${JSON.stringify(name)}\n${facts}\n${text}`,
		);
		if (code !== undefined) return code;
		const message = `Memory of this store is sealed with the key "${key}", which is not here`;
		throw new HoldpointError("journal.key_missing", message, { details: { key } });
	}

	/** The message has no word of the entry: a model may read it. */
	private tampered({ name }: StoredMemory): HoldpointError {
		return new HoldpointError(
			"memory.tampered",
			"An entry of memory was changed outside of Holdpoint, and is not used",
			{
				details: { name, space: this.space },
				hint: `Somebody changed the database: look who did. \`holdpoint memory delete\` drops the entry ${JSON.stringify(name)}.`,
			},
		);
	}
}
