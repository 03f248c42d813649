import { hash, randomUUID } from "node:crypto";
import type { Json } from "../../../packages/holdpoint/src/spec/json.ts";
import type { ToolOutcome } from "../outcome.ts";
import { canonical } from "./canonical.ts";
import { memoryStore } from "./memory-store.ts";
import type { RetailData } from "./records.ts";
import { sqliteStore } from "./sqlite-store.ts";
import { callRetailTool, retailTools } from "./tools.ts";
import type { EffectRecord, WorldStore } from "./world-store.ts";

/*
 * The world outside the harness: the shop that the tools act on, with a store of its own.
 *
 * 1. A write and the record of its effect are one transaction: after a crash both are there or neither.
 * 2. A key is done once. When it comes again it gets the recorded outcome, even an error, as payment providers do.
 * 3. Without a key a write is done as often as it is called: what a `once` tool has to be guarded from.
 * 4. Both worlds answer equally and hash equally.
 */
export interface RetailWorld {
	/**
	 * Runs a tool. Reads ignore the key.
	 * Errors: throws when the key was used for another call; what a tool refuses is an outcome.
	 */
	call(tool: string, args: unknown, key?: string): ToolOutcome;
	/** SHA-256 of the whole database in canonical form. Shape: lower-case hex. */
	hash(): string;
	/** How many writes took effect. A refused write is recorded too, but is not counted. */
	effectCount(): number;
	/** Every recorded write, in the order of execution. */
	effects(): readonly EffectRecord[];
	close(): void;
}

/**
 * The world in a SQLite file. The first opening of a file needs `seed`; later ones leave what is there.
 * Errors: throws when the file is empty and no seed was given.
 */
export function openRetailWorld(path: string, options: { readonly seed?: RetailData } = {}): RetailWorld {
	return worldOver(sqliteStore(path, options.seed));
}

/** A fresh world in memory, cheap enough to make one for every replay. `data` must not be changed afterwards. */
export function memoryRetailWorld(data: RetailData): RetailWorld {
	return worldOver(memoryStore(data));
}

function worldOver(store: WorldStore): RetailWorld {
	return {
		call(tool, args, key) {
			if (retailTools.get(tool)?.effect !== "write") return callRetailTool(store.db, tool, args);
			return store.transaction(() => write(store, { tool, args, key }));
		},
		hash: () => hash("sha256", store.text()),
		effectCount: () => store.effects().filter(({ outcome }) => "result" in outcome).length,
		effects: () => store.effects().map(({ key, tool, outcome }) => ({ key, tool, outcome })),
		close: () => store.close(),
	};
}

interface Write {
	readonly tool: string;
	readonly args: unknown;
	readonly key: string | undefined;
}

function write(store: WorldStore, { tool, args, key }: Write): ToolOutcome {
	if (key === "") throw new Error("An idempotency key must not be empty");
	const request = hash("sha256", canonical([tool, args as Json]));
	const done = key === undefined ? undefined : store.effect(key);
	if (done && done.request !== request) {
		throw new Error(`The idempotency key ${key} was used for another call of ${done.tool}`);
	}
	if (done) return done.outcome;
	const outcome = callRetailTool(store.db, tool, args);
	store.addEffect({ key: key ?? randomUUID(), tool, request, outcome });
	return outcome;
}

export type { EffectRecord } from "./world-store.ts";
