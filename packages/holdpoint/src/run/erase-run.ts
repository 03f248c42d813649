import { runSeal } from "../journal/journal.ts";
import { spaceOf } from "../memory/memory-space.ts";
import { HoldpointError, isHoldpointError } from "../spec/errors.ts";
import type { StoredRun, Write } from "../spec/store.ts";
import { eventsOf, type OpenedRun, openRun } from "./open-run.ts";
import type { RunPorts } from "./run-ports.ts";

export interface EraseRequest {
	/** Who wants it; it is a fact of the audit log. */
	readonly by: string;
	readonly leaseMs: number;
}

/**
 * Drops what a run said and did, for good: its journal, its values, the salts of its leaves, memory that it alone had, the grants that
 * were given with its calls, and its traces. Its row stays and says so, its leaves stay and prove what they proved; that it was erased is a leaf of
 * its own.
 *
 * A run and not a call: what a call returned is in what the model said afterwards.
 * Errors: `run.unknown`, `run.busy`, `run.open`, `run.erased`, `journal.*`, `store.*`.
 */
export async function eraseRun(ports: RunPorts, run: string, { by, leaseMs }: EraseRequest): Promise<void> {
	const { store, clock, owner, ownerIsDead } = ports;
	const now = clock.now();
	const stored = await store.acquire(run, { owner, now, until: now + leaseMs, takeOver: ownerIsDead });
	if (!stored) throw new HoldpointError("run.unknown", `There is no run ${run} in this store`, { details: { run } });
	try {
		await eraseHeld(ports, stored, by);
	} catch (error) {
		await store.commit(run, stored.epoch, [{ kind: "release" }]).catch(() => undefined);
		// A process that had taken part in it may have written the last of its traces since.
		if (isHoldpointError(error) && error.code === "run.erased") await ports.tracer?.forget(run);
		throw error;
	}
}

async function eraseHeld(ports: RunPorts, stored: StoredRun, by: string): Promise<void> {
	const { store, storeId, ring, clock, audit, tracer } = ports;
	const { run, epoch, head } = stored;
	const opened = await openRun(ports, stored);
	const { state } = opened;
	if (state.status === "running") {
		throw new HoldpointError("run.open", `Run ${run} is not over, and cannot be erased`, { details: { run } });
	}
	const at = clock.now();
	await eraseGrants(ports, opened, { by, at });
	// First, so that a process that dies here, or cannot, leaves a run that is erased the next time.
	await tracer?.forget(run);
	const { status, agent, session } = head;
	const erased = runSeal(ring, storeId, run).erased({ status, agent, session, updatedAt: at });
	const leaves: readonly Write[] = audit ? [audit.erasedLeaf({ run, at, by })] : [];
	// Memory of a session, or of a principal, is not the run's: who wrote it stays as an id.
	const space = spaceOf(storeId, { tenant: state.started?.tenant, kind: "run", name: run });
	const drops: readonly Write[] = [{ kind: "erase" }, { kind: "memory.drop", space }];
	await store.commit(run, epoch, [...drops, { kind: "head", head: erased }, ...leaves, { kind: "release" }]);
	audit?.wrote(leaves.length);
}

/**
 * A grant has the arguments of the call with which it was given. Grants go first: they are found by the approvals in the
 * journal, so that a process that dies here leaves a run that is erased the next time.
 */
async function eraseGrants(
	{ standing }: RunPorts,
	opened: OpenedRun,
	erased: { readonly by: string; readonly at: number },
): Promise<void> {
	const asked = eventsOf(opened).flatMap((event) => (event.type === "approval.requested" ? event.approval : []));
	const approvals = new Set(asked);
	if (approvals.size === 0) return;
	const { grants } = await standing.refresh();
	for (const { id: grant, approval } of grants)
		if (approvals.has(approval)) await standing.change({ type: "grant.erased", grant, ...erased });
}
