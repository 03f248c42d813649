/** Memory, space by space. A change is made on copies of the spaces that it touches, so that it is all or nothing. */
import * as door from "../../../kit/check-commit.ts";
import { memoryWords, type SearchTerm, searchTerms, timesIn } from "../../../kit/memory-words.ts";
import { compareText } from "../../../kit/newest-first.ts";
import type { MemoryPlace, MemoryQuery, MemoryRoom, MemoryRows, StoredMemory } from "../../../spec/memory.ts";
import type { Write } from "../../../spec/store.ts";

export interface MemorySpaces {
	readonly spaces: Map<string, Space>;
}

interface Space {
	readonly entries: Map<string, StoredMemory>;
	bytes: number;
}

export function memoryRowsOf({ spaces }: MemorySpaces, assertOpen: () => void): MemoryRows {
	return {
		async get(space, name) {
			assertOpen();
			door.checkMemoryKey(space, name);
			return spaces.get(space)?.entries.get(name);
		},
		async list(query) {
			assertOpen();
			const limit = door.checkMemoryQuery(query);
			return entriesOf(spaces, query.of).filter(isAfter(query)).sort(newestFirst).slice(0, limit);
		},
		async search(search) {
			assertOpen();
			const limit = door.checkMemorySearch(search);
			return found(entriesOf(spaces, search), searchTerms(search.query)).slice(0, limit);
		},
		async usage(of) {
			assertOpen();
			door.checkMemoryPlace(of);
			const entries = entriesOf(spaces, of);
			return { entries: entries.length, bytes: entries.reduce((sum, entry) => sum + door.memoryBytes(entry), 0) };
		},
	};
}

function entriesOf(spaces: ReadonlyMap<string, Space>, of: MemoryPlace): StoredMemory[] {
	if ("space" in of) return [...(spaces.get(of.space)?.entries.values() ?? [])];
	return [...spaces.values()].flatMap(({ entries }) => [...entries.values()].filter(({ owner }) => owner === of.owner));
}

function newestFirst(a: Placed, b: Placed): number {
	return b.at - a.at || compareText(a.name, b.name) || compareText(a.space, b.space);
}

type Placed = Pick<StoredMemory, "at" | "name" | "space">;

function isAfter({ before }: MemoryQuery): (entry: Placed) => boolean {
	return (entry) => !before || newestFirst(before, entry) < 0;
}

interface Words {
	readonly name: readonly string[];
	readonly text: readonly string[];
	readonly length: number;
}

/** Entries are immutable once they are here. */
const known = new WeakMap<StoredMemory, Words>();

function wordsOf(entry: StoredMemory): Words {
	const found = known.get(entry);
	if (found) return found;
	const [name, text] = [memoryWords(entry.name), memoryWords(entry.text)];
	const words = { name, text, length: name.length + text.length };
	known.set(entry, words);
	return words;
}

/** BM25: a word counts more where fewer entries have it, and less in a long text; a name counts four times. */
function found(entries: readonly StoredMemory[], terms: readonly SearchTerm[]): StoredMemory[] {
	if (terms.length === 0) return [];
	const texts = entries.map(wordsOf);
	const mean = texts.reduce((sum, { length }) => sum + length, 0) / Math.max(1, texts.length);
	const scores = new Map<StoredMemory, number>();
	for (const term of terms) {
		const timesOf = (one: SearchTerm) => texts.map(({ name, text }) => 4 * timesIn(name, one) + timesIn(text, one));
		const exact = timesOf({ ...term, isPrefix: false });
		const times = exact.some((count) => count > 0) ? exact : timesOf(term);
		const having = times.filter((count) => count > 0).length;
		const weight = Math.max(1e-6, Math.log((entries.length - having + 0.5) / (having + 0.5)));
		entries.forEach((entry, at) => {
			const count = times[at] ?? 0;
			if (count === 0) return;
			const share = count + 1.2 * (0.25 + (0.75 * (texts[at]?.length ?? 0)) / mean);
			scores.set(entry, (scores.get(entry) ?? 0) + (weight * count * 2.2) / share);
		});
	}
	return [...scores].sort(([a, x], [b, y]) => y - x || newestFirst(a, b)).map(([entry]) => entry);
}

/** The spaces that change, as they will be, or an error and nothing has happened. */
export function spacesAfter({ spaces }: MemorySpaces, writes: readonly Write[]): ReadonlyMap<string, Space> {
	const changed = new Map<string, Space>();
	const copyOf = (name: string): Space => {
		const { entries, bytes } = changed.get(name) ?? spaces.get(name) ?? { entries: new Map(), bytes: 0 };
		const space = changed.get(name) ?? { entries: new Map(entries), bytes };
		changed.set(name, space);
		return space;
	};
	for (const write of writes) {
		if (write.kind === "memory") put(copyOf(write.entry.space), write);
		if (write.kind === "memory.drop") drop(copyOf(write.space), write.name);
		if (write.kind === "memory.forget")
			for (const name of new Set([...spaces.keys(), ...changed.keys()])) forget(copyOf(name), write.owner);
	}
	return changed;
}

export function keepSpaces({ spaces }: MemorySpaces, changed: ReadonlyMap<string, Space>): void {
	for (const [name, space] of changed) {
		if (space.entries.size > 0) spaces.set(name, space);
		else spaces.delete(name);
	}
}

function put(space: Space, { entry, max }: { readonly entry: StoredMemory; readonly max: MemoryRoom }): void {
	const { space: name, owner, at, text, facts, mac } = entry;
	const before = space.entries.get(entry.name);
	const used = { entries: space.entries.size, bytes: space.bytes };
	const bytes = used.bytes + door.memoryBytes(entry) - (before ? door.memoryBytes(before) : 0);
	if (used.entries + (before ? 0 : 1) > max.entries || bytes > max.bytes) throw door.memoryFull(name, used, max);
	space.entries.set(entry.name, { space: name, owner, name: entry.name, at, text, facts, mac });
	space.bytes = bytes;
}

function drop(space: Space, name: string | undefined): void {
	for (const entry of space.entries.values()) if (name === undefined || entry.name === name) remove(space, entry);
}

function forget(space: Space, owner: string): void {
	for (const entry of space.entries.values()) if (entry.owner === owner) remove(space, entry);
}

function remove(space: Space, entry: StoredMemory): void {
	space.entries.delete(entry.name);
	space.bytes -= door.memoryBytes(entry);
}
