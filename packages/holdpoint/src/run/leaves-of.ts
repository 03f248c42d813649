import type { AuditWrite, RunLeaves } from "../audit/leaf.ts";
import { type Entry, timeOf } from "../journal/journal.ts";
import { callOf, type RunState } from "./run-state.ts";

/** The leaves of one entry: they go into its commit. */
export function leavesOf(leaves: RunLeaves, state: RunState, entry: Entry): AuditWrite[] {
	const events = entry.events.map((event, index) => ({ at: timeOf(entry, index), event }));
	return leaves.leaves(entry.seq, events, (call) => callOf(state, call).tool);
}
