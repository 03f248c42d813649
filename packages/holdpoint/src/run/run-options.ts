import type { RunEvent } from "../spec/events.ts";
import type { ModelDelta } from "../spec/model.ts";

export interface RunOptions {
	/** Names this piece of work: the same id with the same input joins it. Default: a fresh one. */
	readonly runId?: string;
	/** On whose behalf. Default: the user of this process. */
	readonly principal?: string;
	readonly tenant?: string;
	/** Stops advancing; the run is kept and can be resumed. To end it, cancel it. */
	readonly signal?: AbortSignal;
	readonly onEvent?: (event: RunEvent) => void;
	readonly onDelta?: (delta: ModelDelta) => void | Promise<void>;
}
