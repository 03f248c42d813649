import { opendir } from "node:fs/promises";
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

/** `true`: everything was looked at. */
export type WalkEnd = { readonly isWhole: boolean };

/**
 * Looks at everything below a folder, in the order of names, links and special files left out: there are no cycles without
 * links. Ends at `visitsMax` entries, what is left out included, which `isWhole` tells.
 */
export async function walkFolder(root: RootFolder, start: readonly string[], options: WalkOptions): Promise<WalkEnd> {
	return new Walk(root, options).below(start);
}

class Walk {
	readonly #root: RootFolder;
	readonly #options: WalkOptions;
	#visits = 0;
	#isWhole = true;

	constructor(root: RootFolder, options: WalkOptions) {
		this.#root = root;
		this.#options = options;
	}

	/** Each folder is opened from the root again: a few calls more, and no descriptor is held while others are read. */
	async below(start: readonly string[]): Promise<WalkEnd> {
		const queue = [start];
		for (let segments = queue.pop(); segments; segments = queue.pop()) {
			const way = segments;
			const opened = this.#root.inFolder(way, (folder) => this.#folder(folder));
			const folders = way === start ? await opened : await opened.catch((error) => this.#closed(error));
			if (!folders) return { isWhole: false };
			if (way.length > this.#options.depthMax && folders.length > 0) this.#isWhole = false;
			else queue.push(...folders.toReversed().map((name) => [...way, name]));
		}
		return { isWhole: this.#isWhole };
	}

	/** One that cannot be entered, or is gone by now, is left out. */
	#closed(error: unknown): string[] {
		if (this.#options.signal?.aborted) throw error;
		this.#isWhole = false;
		return [];
	}

	/** The folders in it that are to be entered; undefined: it is over. */
	async #folder(folder: OpenFolder): Promise<string[] | undefined> {
		const { visit, enters, signal } = this.#options;
		const { entries, isWhole } = await this.#entries(folder);
		for (const { name, kind } of entries) {
			signal?.throwIfAborted();
			if (!(await visit({ folder, name, kind }))) return undefined;
		}
		if (!isWhole) return undefined;
		return entries
			.filter(({ name, kind }) => kind === "folder" && enters([...folder.segments, name]))
			.map(({ name }) => name);
	}

	async #entries(folder: OpenFolder): Promise<{ entries: Omit<WalkEntry, "folder">[]; isWhole: boolean }> {
		const entries: Omit<WalkEntry, "folder">[] = [];
		let isWhole = true;
		for await (const entry of await opendir(folder.self)) {
			this.#options.signal?.throwIfAborted();
			if (++this.#visits > this.#options.visitsMax) {
				isWhole = false;
				break;
			}
			const { name } = entry;
			const kind = entry.isFile() ? "file" : entry.isDirectory() ? "folder" : undefined;
			if (!kind || !isUsableName(name) || this.#isForbidden(folder, name)) continue;
			entries.push({ name, kind });
		}
		// By code units: the same everywhere.
		entries.sort((a, b) => (a.name < b.name ? -1 : 1));
		return { entries, isWhole };
	}

	#isForbidden(folder: OpenFolder, name: string): boolean {
		return folder.isForbidden(name) || this.#root.isForbidden([...folder.segments, name], false);
	}
}

export function entryPath({ folder, name, kind }: WalkEntry): string {
	return pathOf([...folder.segments, name]) + (kind === "folder" ? "/" : "");
}
