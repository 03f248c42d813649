import type { Approver } from "../spec/approver.ts";
import type { RunEvent } from "../spec/events.ts";
import type { GrantTerms } from "../spec/governance.ts";
import type { Json } from "../spec/json.ts";
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

/** How a held call is denied. */
export interface DenyOptions {
	/** Default: the user of this process. */
	readonly by?: Approver;
	/** Of what was shown: a call that is another one by now is not answered. */
	readonly digest?: string;
	readonly reason?: string;
	/** Of the rehearsal: rows from 0, or `all` that need an answer. */
	readonly rows?: readonly number[] | "all";
	/** Digest of the rehearsal that was seen, or its first 8 characters or more; needed with rows. */
	readonly rehearsal?: string;
}

/** How a held call is approved. */
export interface ApproveOptions extends DenyOptions {
	/** It is executed with these instead. */
	readonly args?: Json;
	/** It holds for later calls, too, within these bounds. */
	readonly always?: GrantTerms;
	/** The rows hold in their order only. */
	readonly inOrder?: boolean;
}
