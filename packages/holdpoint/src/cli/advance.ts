/** Advancing a run while somebody watches: what `run` and `resume` have in common. */

import type { Harness } from "../run/harness.ts";
import type { RunOptions } from "../run/run-options.ts";
import { isHoldpointError } from "../spec/errors.ts";
import type { RunResult } from "../spec/result.ts";
import type { Store } from "../spec/store.ts";
import { exitCodes, type Invocation } from "./command.ts";
import { commandLine } from "./command-line.ts";
import { interruptSignal } from "./interrupt.ts";
import { liveView, type PastEvents } from "./render/live-view.ts";
import { reportError } from "./report-error.ts";
import { showResult } from "./show-result.ts";

export type Watched = Required<Pick<RunOptions, "signal" | "onEvent" | "onDelta">>;

export interface Place {
	readonly harness: Harness;
	readonly store: Store;
	readonly run: string;
	/** What the run did before it is watched here. */
	readonly past?: PastEvents;
}

/** Shows the run as it goes on, and how it stands when it stops. Returns the exit code. Errors: those before there was a run. */
export async function advance(
	invocation: Invocation,
	place: Place,
	work: (watched: Watched) => Promise<RunResult>,
): Promise<number> {
	const { harness, run, past = [] } = place;
	const view = liveView(invocation.terminal, run, past);
	const interrupt = interruptSignal();
	let result: RunResult;
	try {
		result = await work({ onEvent: view.onEvent, onDelta: view.onDelta, signal: interrupt.signal });
	} catch (error) {
		view.close();
		return await stopped(invocation, place, { error, isInterrupted: interrupt.signal.aborted });
	} finally {
		interrupt.done();
		view.close();
	}
	return showResult(invocation, harness, { result, saidAll: view.saidAll() });
}

interface Stop {
	readonly error: unknown;
	readonly isInterrupted: boolean;
}

/** Says why it stopped, and how to go on where there is something to go on with. */
async function stopped(invocation: Invocation, { store, run }: Place, stop: Stop): Promise<number> {
	const { terminal } = invocation;
	const isKept = !isOfAnother(stop.error) && (await isStored(store, run));
	const next = `go on with: ${commandLine(invocation, "resume", run)}`;
	if (stop.isInterrupted) {
		terminal.data({ type: "run.interrupted", ...(isKept ? { run } : {}) });
		terminal.print("", isKept ? `Stopped. The run is kept; ${next}` : "Stopped before anything was written.");
		return exitCodes.interrupted;
	}
	if (!isKept) throw stop.error;
	const code = reportError(stop.error, terminal, { run });
	if (!terminal.isJson) terminal.note(`  The run is kept; ${next}`);
	return code;
}

/** The run that is stored under this id is another piece of work. */
function isOfAnother(error: unknown): boolean {
	return isHoldpointError(error) && error.code === "run.exists";
}

/** A store that cannot be read holds nothing that one could go on with now. */
async function isStored(store: Store, run: string): Promise<boolean> {
	const stored = await store.load(run, Number.MAX_SAFE_INTEGER).catch(() => undefined);
	return stored !== undefined;
}
