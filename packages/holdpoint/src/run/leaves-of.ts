import type { AuditWrite, RunLeaves } from "../audit/leaf.ts";
import { type Entry, timeOf } from "../journal/journal.ts";
import { callOf, type RunState } from "./run-state.ts";

/** The leaves of one entry: they go into its commit. */
export function leavesOf(leaves: RunLeaves, state: RunState, entry: Entry): AuditWrite[] {
	const events = entry.events.map((event, index) => ({ at: timeOf(entry, index), event }));
	const own = state.started?.agent.name;
	return leaves.leaves(entry.seq, events, (id) => {
		const { tool, thread } = callOf(state, id);
		return thread.agent === own ? { tool } : { tool, agent: thread.agent };
	});
}
