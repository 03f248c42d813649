/**
 * What a session's run did not read before it ended: it belongs to the session's next run.
 *
 * 1. The next run's id follows from the session and the run before. Of two who start it at once one is refused by the
 *    store, in whatever processes they are: a session is a chain, never a fork.
 * 2. A message is dropped from a run that is over only when the next run has it: in its input, or unread.
 */
import { canonicalJson } from "../kit/canonical-json.ts";
import { digest } from "../kit/digest.ts";
import { HoldpointError, isHoldpointError } from "../spec/errors.ts";
import type { RunStarted } from "../spec/events.ts";
import type { Signal } from "../spec/signals.ts";
import type { StoredSignal } from "../spec/store.ts";
import { storeSignal } from "./inbox.ts";
import { openRun } from "./open-run.ts";
import type { RunPorts } from "./run-ports.ts";
import { isOfSession, sessionKey } from "./session-key.ts";

export interface UnreadMessage {
	readonly id: string;
	readonly signal: Extract<Signal, { kind: "message" }>;
}

/** `session`: its key. */
export function runAfter(session: string, after: string | undefined): string {
	const place = digest(canonicalJson(after === undefined ? [session] : [session, after]));
	return `run_${place.replace(/[-_]/g, "").slice(0, 26).toLowerCase()}`;
}

/** Of what came too late to a run that is over: the messages, if it is of a session; in the order in which they were said. */
export function unreadMessages(
	started: RunStarted | undefined,
	signals: readonly StoredSignal[],
	open: (stored: StoredSignal) => { readonly signal: Signal | undefined },
): UnreadMessage[] {
	if (!started?.session) return [];
	const found = signals.flatMap((stored) => {
		const { signal } = open(stored);
		return signal?.kind === "message" ? { id: stored.id, signal } : [];
	});
	return found.sort((a, b) => a.signal.at - b.signal.at);
}

interface Ended {
	readonly run: string;
	readonly started: RunStarted;
}

/** Leaves them in the next run, those that it has not read. False: there is none yet. Errors: `run.exists`, `journal.*`. */
export async function passOn(ports: RunPorts, { run, started }: Ended, messages: readonly UnreadMessage[]) {
	const session = started.session?.id ?? "";
	const next = runAfter(sessionKey(session, started.tenant), run);
	const stored = await ports.store.load(next);
	if (!stored) return false;
	const { state } = await openRun(ports, stored);
	if (!state.started || !isOfSession(state.started, { id: session, tenant: started.tenant })) {
		throw new HoldpointError("run.exists", `Run ${next} is not of the session ${session}, whose next run it would be`);
	}
	for (const { id, signal } of messages) {
		if (!state.signals.has(id)) await storeSignal(ports, next, { id, signal });
	}
	return true;
}

/** What the next run is to answer: as many of them as fit, and at least one. */
export function inputOf(messages: readonly UnreadMessage[], bytesMax: number) {
	let input = "";
	const read: string[] = [];
	for (const { id, signal } of messages) {
		const joined = input === "" ? signal.text : `${input}\n\n${signal.text}`;
		if (read.length > 0 && Buffer.byteLength(joined) >= bytesMax) break;
		input = joined;
		read.push(id);
	}
	return { input, read };
}

/** Catches that this run is there already: somebody else was faster. */
export function unlessThere(run: string) {
	return (error: unknown): undefined => {
		if (!isHoldpointError(error) || error.code !== "run.exists" || error.details["run"] !== run) throw error;
	};
}
