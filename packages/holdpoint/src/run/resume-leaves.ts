import type { AuditWrite, RunLeaves } from "../audit/leaf.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { StoredRun } from "../spec/store.ts";
import { leavesOf, newLeaves } from "./leaves-of.ts";
import type { OpenedRun } from "./open-run.ts";
import type { RunPorts } from "./run-ports.ts";

/**
 * For a run that is gone on with, or that is over. What it did before there was an audit log, or in a process that keeps
 * none, is in the log from here on: a process that dies meanwhile leaves what the next one adds to.
 */
export async function resumeLeaves(
	ports: RunPorts,
	{ run, epoch }: StoredRun,
	{ state, entries }: OpenedRun,
): Promise<RunLeaves | undefined> {
	const { audit, store } = ports;
	const leaves = newLeaves(ports, run);
	if (!audit || !leaves) return undefined;
	let known = await audit.eventsOf(run);
	const missing: AuditWrite[] = [];
	for (const entry of entries) {
		const { events } = entry;
		if (known >= events.length) leaves.pass(events);
		else missing.push(...leavesOf(leaves, state, entry).slice(Math.max(0, known)));
		known -= events.length;
	}
	for (let from = 0; from < missing.length; from += fixedLimits.writesMax) {
		await store.commit(run, epoch, missing.slice(from, from + fixedLimits.writesMax));
	}
	audit.wrote(missing.length);
	return leaves;
}
