import { waitsOf } from "../run/conclude.ts";
import type { Harness } from "../run/harness.ts";
import { isHoldpointError } from "../spec/errors.ts";
import type { Wait } from "../spec/result.ts";

/** A call that was started and of which nobody knows whether it happened (I7): somebody must look, and settle it. */
export interface UnknownCall extends Omit<Extract<Wait, { kind: "unknown" }>, "kind"> {
	readonly run: string;
}

/** Read from the journals, because no index knows. A run that cannot be read has none here; `show` says why. */
export async function unknownCalls(harness: Pick<Harness, "show">, runs: Iterable<string>): Promise<UnknownCall[]> {
	const found: UnknownCall[] = [];
	for (const run of new Set(runs)) {
		const view = await harness.show(run).catch(unreadable);
		for (const wait of view ? waitsOf(view.state) : []) {
			if (wait.kind !== "unknown") continue;
			const { kind: _kind, ...call } = wait;
			const shown = view?.redactor.value(call.args, call.call) ?? call.args;
			found.push({ run, ...call, args: shown });
		}
	}
	return found;
}

/** One run that was tampered with must not hide the others. */
function unreadable(error: unknown): undefined {
	if (!isHoldpointError(error) || !error.code.startsWith("journal.")) throw error;
}
