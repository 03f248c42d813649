import { type Entry, timeOf } from "../journal/journal.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { RunEvent } from "../spec/events.ts";
import { openRun } from "./open-run.ts";
import { Redactor } from "./redactor.ts";
import type { RunPorts } from "./run-ports.ts";
import type { RunState } from "./run-state.ts";

/** A stored run for readers: nothing of it is advanced. */
export interface RunView {
	readonly run: string;
	readonly state: RunState;
	/** `seq`: the entry with which it became durable. `at`: when it happened. Units: milliseconds since 1970. */
	readonly events: readonly { readonly seq: number; readonly at: number; readonly event: RunEvent }[];
	/** Each lease under which something was written: its epoch, and the index of its first event. */
	readonly segments: readonly { readonly epoch: number; readonly from: number }[];
	/** Shows what is said of the run to people who only look on: without what tools mark as sensitive. */
	readonly redactor: Redactor;
	readonly lease: { readonly owner: string; readonly until: number } | undefined;
	/** Signals that the run has not read yet. */
	readonly unread: number;
}

/** From its verified journal. Errors: `run.unknown`, `run.erased`, `journal.*`. */
export async function showRun(ports: RunPorts, run: string): Promise<RunView> {
	const stored = await ports.store.load(run);
	if (!stored) throw new HoldpointError("run.unknown", `There is no run ${run} in this store`, { details: { run } });
	const opened = await openRun(ports, stored);
	const { state, entries } = opened;
	const redactor = Redactor.ofRun(opened, "all");
	const events = entries.flatMap((entry) =>
		entry.events.map((event, index) => ({ seq: entry.seq, at: timeOf(entry, index), event })),
	);
	const { lease, signals } = stored;
	return { run, state, events, segments: segmentsOf(entries), redactor, lease, unread: signals.length };
}

function segmentsOf(entries: readonly Entry[]): RunView["segments"] {
	const segments: { readonly epoch: number; readonly from: number }[] = [];
	let from = 0;
	for (const { seq, epoch, events } of entries) {
		if (seq === 1 || epoch !== undefined) segments.push({ epoch: epoch ?? 1, from });
		from += events.length;
	}
	return segments;
}
