import { ownerIsDead } from "../kit/owner.ts";
import type { RunRow, Store } from "../spec/store.ts";

const rowsMax = 1_000;

/** Runs that somebody should advance now: answered, due, or left by a process that died, were it a second ago. */
export async function readyRuns(store: Store): Promise<string[]> {
	const due = await store.runs({ readyAt: Date.now(), limit: rowsMax });
	// The lease of a dead process still counts for the store, which cannot know; this machine can.
	const open = await store.runs({ status: ["running", "waiting"], limit: rowsMax });
	return [...new Set([...due, ...open.filter(isAbandoned)].map((row) => row.run))];
}

/** Its lease belongs to a process that is certainly gone. */
export function isAbandoned({ lease }: Pick<RunRow, "lease">): boolean {
	return lease !== undefined && ownerIsDead(lease.owner);
}
