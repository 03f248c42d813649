import { joinLabels } from "../labels/label.ts";
import { type IndexedEntry, indexText } from "../memory/index-text.ts";
import type { MemoryParts } from "../memory/memory-space.ts";
import type { Label } from "../spec/label.ts";
import { fixedLimits } from "../spec/limits.ts";
import { labelToReader, type RunOfMemory, spacesOf } from "./call-memory.ts";

export interface MemoryIndexOptions {
	/** What the text may take of a prompt, estimated. Units: tokens. */
	readonly tokensMax: number;
	/** Whose memory. Default: both. */
	readonly of?: "session" | "principal";
}

export interface MemoryIndex {
	/** Names and first lines, newest first. */
	readonly text: string;
	/** Of all that is in the text. Undefined: nothing is wrong with it. */
	readonly label: Label | undefined;
}

/** Of the shortest line: a sign, a name, a colon, a text, its end. */
const lineTokensMin = 5;

/**
 * What a run may find in its memory, to be put into its prompt; undefined: nothing. The same memory makes the same text.
 * It is as it is now: whoever needs it again when the run is resumed writes it down.
 * Errors: `memory.tampered`, `journal.key_missing`, `store.*`.
 */
export async function memoryIndex(
	ports: MemoryParts,
	of: RunOfMemory,
	{ tokensMax, ...options }: MemoryIndexOptions,
): Promise<MemoryIndex | undefined> {
	const limit = Math.min(fixedLimits.queryLimitMax, Math.max(1, Math.ceil(tokensMax / lineTokensMin)));
	const spaces = spacesOf(ports, of);
	const entries: IndexedEntry[] = [];
	let total = 0;
	for (const kind of ["session", "principal"] as const) {
		if (options.of !== undefined && options.of !== kind) continue;
		const listed = await spaces[kind].list(limit);
		total += listed.length < limit ? listed.length : (await spaces[kind].usage()).entries;
		entries.push(
			...listed.map((entry) => ({ of: kind === "session" ? ("session" as const) : ("user" as const), entry })),
		);
	}
	const index = indexText(entries, { total, tokensMax });
	if (!index) return undefined;
	const reader = { source: "memory", principal: of.principal };
	const labels = index.shown.map(({ entry }) => labelToReader(entry, reader));
	return { text: index.text, label: labels.reduce(joinLabels, undefined) };
}
