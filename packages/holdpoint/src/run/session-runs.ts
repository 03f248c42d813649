/** Finds the runs of a session. The index says which; whose they are, their journals say. */
import { HoldpointError } from "../spec/errors.ts";
import type { StoredRun } from "../spec/store.ts";
import { startOfRun } from "./open-run.ts";
import type { RunPorts } from "./run-ports.ts";
import type { SessionRun } from "./session.ts";
import { isOfSession, type SessionOwn, sessionKey } from "./session-key.ts";

/** What the index takes for the session's last run. */
export async function newestOfSession(ports: RunPorts, own: SessionOwn): Promise<SessionRun | undefined> {
	const { store } = ports;
	const { id, tenant } = own;
	const key = sessionKey(id, tenant);
	const [row] = await store.runs({ session: key, limit: 1 });
	// A run that is over and has nothing unread is only gone on after, and that looks whose it was.
	const isOver = row && row.status !== "running" && row.status !== "waiting" && row.signals === 0;
	if (isOver || (row && tenant !== undefined)) return row;
	// Until sessions belonged to tenants the index knew them all by their names alone.
	const [found] = row ? [row] : tenant === undefined ? [] : await store.runs({ session: id, limit: 1 });
	const stored = found && (await store.load(found.run));
	if (!stored || stored.head.seq === 0) return row;
	return isOfSession(startOfRun(ports, stored), own) ? found : undefined;
}

/** Errors: `run.exists` where it is not of that session. */
export async function findInSession(ports: RunPorts, run: string, own: SessionOwn): Promise<SessionRun | undefined> {
	const stored = await ports.store.load(run);
	if (!stored) return undefined;
	if (!isThere(ports, stored, own)) {
		throw new HoldpointError("run.exists", `Run ${run} is not of the session ${own.id}, whose next run it would be`);
	}
	return { run, ...stored.head, signals: stored.signals.length };
}

function isThere(ports: RunPorts, stored: StoredRun, own: SessionOwn): boolean {
	// Of a run that was erased only the index says it.
	if (stored.head.seq === 0) return stored.head.session === sessionKey(own.id, own.tenant);
	return isOfSession(startOfRun(ports, stored), own);
}
