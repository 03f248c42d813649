import type { ToolOutcome } from "../outcome.ts";
import type { RetailDb } from "./records.ts";

/** Where a retail world keeps its records and effects; the rules about keys are the world's own. */
export interface WorldStore {
	readonly db: RetailDb;
	/** All that `work` puts and adds is kept, or, where the store can undo, nothing. */
	transaction<T>(work: () => T): T;
	effect(key: string): StoredEffect | undefined;
	addEffect(effect: StoredEffect): void;
	/** In the order of execution. */
	effects(): readonly StoredEffect[];
	/** The whole database as canonical JSON text. */
	text(): string;
	close(): void;
}

export interface EffectRecord {
	readonly key: string;
	readonly tool: string;
	readonly outcome: ToolOutcome;
}

export interface StoredEffect extends EffectRecord {
	/** Digest of tool and arguments. */
	readonly request: string;
}
