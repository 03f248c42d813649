import { labelOfInput, worstLabel } from "../labels/label.ts";
import { checkedName, checkedText, invalid } from "../memory/checked-entry.ts";
import { entryFile, type FileSeal, type MemoryFile, readEntryFile } from "../memory/entry-file.ts";
import { type MemoryHolder, MemorySpace, memoryRoom, ownerOf } from "../memory/memory-space.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { MemoryEntry, MemoryPlace } from "../spec/memory.ts";
import { noRun, type Write } from "../spec/store.ts";
import { checkRunId, checkSessionId } from "./check-request.ts";
import type { RunPorts } from "./run-ports.ts";

/** Whose memory is meant: that of the session or run where one is named, else the principal's. */
export interface MemoryOf {
	/** Default: the user of this process. */
	readonly principal?: string;
	readonly session?: string;
	/** One without a session, which has notes of its own. Not with `session`. */
	readonly run?: string;
	readonly tenant?: string;
}

/** Who changes memory. */
export interface MemoryChange extends MemoryOf {
	/** Default: the user of this process. */
	readonly by?: string;
}

/** `harness.memory`: what agents keep beyond a run, for people. */
export interface HarnessMemory {
	/** Newest first. `limit`: default 100, at most 1,000. `before`: continue after this entry. Errors: `memory.tampered`. */
	list(
		of?: MemoryOf & { readonly limit?: number; readonly before?: Pick<MemoryEntry, "at" | "name"> },
	): Promise<readonly MemoryEntry[]>;
	/** Undefined: there is none of this name. Errors: `memory.tampered`. */
	get(name: string, of?: MemoryOf): Promise<MemoryEntry | undefined>;
	/** Entries with one of these words, the best first. `limit`: default 100, at most 1,000. */
	search(query: string, of?: MemoryOf & { readonly limit?: number }): Promise<readonly MemoryEntry[]>;
	/**
	 * Keeps a text for the principal or the session. `untrusted`: somebody else's words are in it. Where labels are not kept
	 * it counts as that in any case. Errors: `memory.invalid`, `memory.full`.
	 */
	write(name: string, text: string, of?: MemoryChange & { readonly untrusted?: boolean }): Promise<void>;
	/** Whether there was one. What somebody changed outside can be deleted, too. */
	delete(name: string, of?: MemoryOf): Promise<boolean>;
	/** Each entry as a file; its name leads out of no folder. What is written meanwhile may be missing. */
	export(of?: MemoryOf): AsyncIterable<MemoryFile>;
	/**
	 * Keeps the entries of files, all or none. What this store exported for the same principal keeps its author and its label;
	 * everything else is somebody's words, and untrusted. Errors: `memory.invalid`, `memory.full`.
	 */
	import(
		files: Iterable<MemoryFile>,
		of?: MemoryChange,
	): Promise<{ readonly entries: number; readonly untrusted: number }>;
	/**
	 * Deletes all that was written on behalf of a principal, in sessions, too; or all memory of a session. Where an audit log is
	 * kept, that it was done is a leaf of it.
	 */
	forget(
		whose: ({ readonly principal: string } | { readonly session: string }) & Pick<MemoryChange, "tenant" | "by">,
	): Promise<{ readonly entries: number }>;
}

export function memoryDoors(openPorts: () => Promise<RunPorts>, principal: () => string): HarnessMemory {
	const opened = async (of: MemoryOf = {}): Promise<OpenedSpace> => {
		const ports = await openPorts();
		const whom = of.principal ?? principal();
		return { ports, space: new MemorySpace(ports, holderOf(of, whom)), principal: whom, tenant: of.tenant };
	};
	return {
		async list({ limit = 100, before, ...of } = {}) {
			return (await opened(of)).space.list(limit, before);
		},
		async get(name, of) {
			return (await opened(of)).space.get(checkedName(name));
		},
		async search(query, { limit = 100, ...of } = {}) {
			return (await opened(of)).space.search(query, limit);
		},
		async write(name, text, { by = principal(), untrusted = false, ...of } = {}) {
			const open = await opened(of);
			const { labels, clock } = open.ports;
			const label = labels && !untrusted ? labelOfInput(labels) : worstLabel("edit");
			const entry = { name: checkedName(name), text: checkedText(text), at: clock.now(), by: { person: by } };
			await commitAlone(open.ports, [open.space.write({ ...entry, principal: open.principal, label }, memoryRoom)]);
		},
		async delete(name, of) {
			const { ports, space } = await opened(of);
			// A row that somebody made may have any name.
			const isThere = await space.has(name);
			if (isThere) await commitAlone(ports, [space.drop(name)]);
			return isThere;
		},
		async *export(of) {
			const open = await opened(of);
			let before: MemoryEntry | undefined;
			do {
				const entries = await open.space.list(fixedLimits.queryLimitMax, before);
				for (const entry of entries) yield entryFile(entry, sealOf(open));
				before = entries.at(-1);
			} while (before);
		},
		async import(files, { by = principal(), ...of } = {}) {
			return importFiles(await opened(of), files, by);
		},
		async forget({ by = principal(), ...whose }) {
			return forget(await openPorts(), whose, by);
		},
	};
}

interface OpenedSpace {
	readonly ports: RunPorts;
	readonly space: MemorySpace;
	readonly principal: string;
	readonly tenant: string | undefined;
}

function holderOf({ session, run, tenant }: MemoryOf, principal: string): MemoryHolder {
	if (session !== undefined && run !== undefined)
		throw invalid("Memory is that of a session or of a run, and not of both");
	if (run !== undefined) {
		checkRunId(run);
		return { tenant, kind: "run", name: run };
	}
	if (session === undefined) return { tenant, kind: "principal", name: principal };
	checkSessionId(session);
	return { tenant, kind: "session", name: session };
}

function sealOf({ ports, principal, tenant }: OpenedSpace): FileSeal {
	const { storeId, ring } = ports;
	return { storeId, ring, owner: ownerOf(storeId, tenant, principal) };
}

async function commitAlone({ store }: RunPorts, writes: readonly Write[]): Promise<void> {
	await store.commit(noRun, 0, writes);
}

async function importFiles(open: OpenedSpace, files: Iterable<MemoryFile>, by: string) {
	const { ports, space, principal } = open;
	const entries = new Map<string, MemoryEntry>();
	let untrusted = 0;
	for (const file of files) {
		if (entries.size >= fixedLimits.memoryFilesMax)
			throw invalid(`One import takes ${fixedLimits.memoryFilesMax} files; there are more`);
		const { name, text, own } = readEntryFile(file, sealOf(open));
		if (entries.has(name)) throw invalid(`Two files hold an entry with the name ${JSON.stringify(name)}`);
		// Bound to the owner by its seal, so that it is the same principal.
		const foreign = { name, text, at: ports.clock.now(), by: { person: by }, principal, label: worstLabel("edit") };
		const entry = own ?? foreign;
		if (entry.label?.untrusted !== undefined) untrusted++;
		entries.set(name, entry);
	}
	await commitAlone(
		ports,
		[...entries.values()].map((entry) => space.write(entry, memoryRoom)),
	);
	return { entries: entries.size, untrusted };
}

type Forgotten = Parameters<HarnessMemory["forget"]>[0];

async function forget(ports: RunPorts, whose: Forgotten, by: string): Promise<{ readonly entries: number }> {
	const { store, storeId, audit, clock } = ports;
	const { tenant } = whose;
	const place: MemoryPlace =
		"session" in whose
			? { space: new MemorySpace(ports, holderOf(whose, "")).space }
			: { owner: ownerOf(storeId, tenant, whose.principal) };
	const { entries } = await store.memory.usage(place);
	const drop: Write =
		"space" in place ? { kind: "memory.drop", space: place.space } : { kind: "memory.forget", owner: place.owner };
	const leaves: readonly Write[] = audit ? [audit.forgottenLeaf({ entries, at: clock.now(), by })] : [];
	await commitAlone(ports, [drop, ...leaves]);
	audit?.wrote(leaves.length);
	return { entries };
}
