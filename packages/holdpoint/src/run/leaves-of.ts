import { callDigest } from "../approvals/approvals.ts";
import type { AuditWrite, RunLeaves } from "../audit/leaf.ts";
import { type Entry, timeOf } from "../journal/journal.ts";
import { canonicalJson } from "../kit/canonical-json.ts";
import type { RunPorts } from "./run-ports.ts";
import { callOf, type RunState } from "./run-state.ts";

/** For the leaves of a run, from its first event on; undefined where there is no audit log. */
export function newLeaves({ audit }: Pick<RunPorts, "audit">, run: string): RunLeaves | undefined {
	return audit?.leavesOf(run, (call, { tool, version, args }) =>
		callDigest({ run, call, tool, version, args: canonicalJson(args) }),
	);
}

/** The leaves of one entry: they go into its commit. */
export function leavesOf(leaves: RunLeaves, state: RunState, entry: Entry): AuditWrite[] {
	const events = entry.events.map((event, index) => ({ at: timeOf(entry, index), event }));
	const own = state.started?.agent.name;
	return leaves.leaves(entry.seq, events, (id) => {
		const { tool, thread } = callOf(state, id);
		return thread.agent === own ? { tool } : { tool, agent: thread.agent };
	});
}
