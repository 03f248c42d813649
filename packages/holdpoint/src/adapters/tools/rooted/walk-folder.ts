import { opendirSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { isUsableName, pathOf } from "./relative-path.ts";
import type { OpenFolder, RootFolder } from "./root-folder.ts";

export interface WalkEntry {
	readonly folder: OpenFolder;
	readonly name: string;
	readonly kind: "file" | "folder";
}

export interface WalkOptions {
	readonly visitsMax: number;
	readonly depthMax: number;
	readonly signal?: AbortSignal;
	/** Whether to enter a folder. */
	enters(segments: readonly string[]): boolean;
	/** False: it was seen enough. */
	visit(entry: WalkEntry): Promise<boolean>;
}

export interface WalkEnd {
	/** Everything was looked at. */
	readonly isWhole: boolean;
	/** Folders that were to be entered, and were not, or not whole, as there were too many entries. */
	readonly rest: readonly (readonly string[])[];
}

/**
 * Looks at everything below a folder, what is near to it first and then by name, links and special files left out: there are
 * no cycles without links. Ends at `visitsMax` entries, what is left out included.
 */
export async function walkFolder(root: RootFolder, start: readonly string[], options: WalkOptions): Promise<WalkEnd> {
	return new Walk(root, options).below(start);
}

const entriesPerTurn = 32;

class Walk {
	readonly #root: RootFolder;
	readonly #options: WalkOptions;
	#visits = 0;
	#turns = 0;
	#isWhole = true;

	constructor(root: RootFolder, options: WalkOptions) {
		this.#root = root;
		this.#options = options;
	}

	/** Each folder is opened from the root again: a few calls more, and no descriptor is held while others are read. */
	async below(start: readonly string[]): Promise<WalkEnd> {
		const refused = await this.#root.refused();
		const queue = [start];
		for (const [at, way] of queue.entries()) {
			const opened = this.#root.inFolder(way, (folder) => this.#folder(folder), { refused });
			const end = at === 0 ? await opened : await opened.catch((error) => this.#closed(error));
			if (end === "seen enough") return { isWhole: false, rest: [] };
			if (end === "too many") return { isWhole: false, rest: queue.slice(Math.max(at, 1)) };
			if (way.length > this.#options.depthMax && end.length > 0) this.#isWhole = false;
			else for (const name of end) queue.push([...way, name]);
		}
		return { isWhole: this.#isWhole, rest: [] };
	}

	/** One that cannot be entered, or is gone by now, is left out. */
	#closed(error: unknown): string[] {
		if (this.#options.signal?.aborted) throw error;
		this.#isWhole = false;
		return [];
	}

	/** The folders in it that are to be entered, or why it is over. */
	async #folder(folder: OpenFolder): Promise<string[] | "seen enough" | "too many"> {
		const { visit, enters } = this.#options;
		const { entries, isWhole } = await this.#entries(folder);
		for (const { name, kind } of entries) {
			await this.#turn();
			if (!(await visit({ folder, name, kind }))) return "seen enough";
		}
		if (!isWhole) return "too many";
		return entries
			.filter(({ name, kind }) => kind === "folder" && enters([...folder.segments, name]))
			.map(({ name }) => name);
	}

	async #entries(folder: OpenFolder): Promise<{ entries: Omit<WalkEntry, "folder">[]; isWhole: boolean }> {
		const entries: Omit<WalkEntry, "folder">[] = [];
		const opened = opendirSync(folder.self, { bufferSize: 256 });
		let isWhole = true;
		try {
			for (let entry = opened.readSync(); entry && isWhole; entry = opened.readSync()) {
				await this.#turn();
				isWhole = ++this.#visits <= this.#options.visitsMax;
				const { name } = entry;
				const kind = entry.isFile() ? "file" : entry.isDirectory() ? "folder" : undefined;
				if (isWhole && kind && isUsableName(name) && !this.#isForbidden(folder, name)) entries.push({ name, kind });
			}
		} finally {
			opened.closeSync();
		}
		// By code units: the same everywhere.
		entries.sort((a, b) => (a.name < b.name ? -1 : 1));
		return { entries, isWhole };
	}

	/** Now and then others have theirs, also where nothing has to be waited for. */
	async #turn(): Promise<void> {
		this.#options.signal?.throwIfAborted();
		if (++this.#turns % entriesPerTurn === 0) await setImmediate();
	}

	#isForbidden(folder: OpenFolder, name: string): boolean {
		return folder.isForbidden(name) || this.#root.isForbidden([...folder.segments, name], false);
	}
}

export function entryPath({ folder, name, kind }: WalkEntry): string {
	return pathOf([...folder.segments, name]) + (kind === "folder" ? "/" : "");
}
