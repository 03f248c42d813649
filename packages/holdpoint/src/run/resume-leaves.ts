import type { RunLeaves } from "../audit/leaf.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { StoredRun } from "../spec/store.ts";
import { leavesOf, newLeaves } from "./leaves-of.ts";
import type { OpenedRun } from "./open-run.ts";
import type { RunPorts } from "./run-ports.ts";

/** For a run that is gone on with. What it did before there was an audit log is in it from here on. */
export async function resumeLeaves(
	ports: RunPorts,
	{ run, epoch }: StoredRun,
	{ state, entries }: OpenedRun,
): Promise<RunLeaves | undefined> {
	const { audit, store } = ports;
	const leaves = newLeaves(ports, run);
	if (!audit || !leaves) return undefined;
	if (await audit.knows(run)) {
		for (const { events } of entries) leaves.pass(events);
		return leaves;
	}
	const before = entries.flatMap((entry) => leavesOf(leaves, state, entry));
	for (let from = 0; from < before.length; from += fixedLimits.writesMax) {
		await store.commit(run, epoch, before.slice(from, from + fixedLimits.writesMax));
	}
	audit.wrote(before.length);
	return leaves;
}
