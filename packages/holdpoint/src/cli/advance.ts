/** Advancing a run while somebody watches: what `run` and `resume` have in common. */

import type { Harness } from "../run/harness.ts";
import type { RunOptions } from "../run/run-options.ts";
import type { RunResult } from "../spec/result.ts";
import { exitCodes, type Invocation } from "./command.ts";
import { commandLine } from "./command-line.ts";
import { interruptSignal } from "./interrupt.ts";
import { liveView, type PastEvents } from "./render/live-view.ts";
import { showResult } from "./show-result.ts";

export type Watched = Required<Pick<RunOptions, "signal" | "onEvent" | "onDelta">>;

export interface Place {
	readonly harness: Harness;
	readonly run: string;
	/** What the run did before it is watched here. */
	readonly past?: PastEvents;
}

/** Shows the run as it goes on, and how it stands when it stops. Returns the exit code. */
export async function advance(
	invocation: Invocation,
	{ harness, run, past = [] }: Place,
	work: (watched: Watched) => Promise<RunResult>,
): Promise<number> {
	const { terminal } = invocation;
	const view = liveView(terminal, run, past);
	const interrupt = interruptSignal();
	let result: RunResult;
	try {
		result = await work({ onEvent: view.onEvent, onDelta: view.onDelta, signal: interrupt.signal });
	} catch (error) {
		if (!interrupt.signal.aborted) throw error;
		view.close();
		terminal.data({ type: "run.interrupted", run });
		terminal.print("", `Stopped. The run is kept; go on with: ${commandLine(invocation, "resume", run)}`);
		return exitCodes.interrupted;
	} finally {
		interrupt.done();
		view.close();
	}
	return showResult(invocation, harness, { result, saidAll: view.saidAll() });
}
