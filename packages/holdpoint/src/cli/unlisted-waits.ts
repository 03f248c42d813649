import { waitsOf } from "../run/conclude.ts";
import type { Harness } from "../run/harness.ts";
import { isHoldpointError } from "../spec/errors.ts";
import type { Wait } from "../spec/result.ts";
import { shownWait } from "./show-result.ts";

/** A call that was started and of which nobody knows whether it happened (I7): somebody must look, and settle it. */
export interface UnknownCall extends Omit<Extract<Wait, { kind: "unknown" }>, "kind"> {
	readonly run: string;
}

/** An agent of a team that waits for what its user says. */
export interface AskedUser extends Omit<Extract<Wait, { kind: "user" }>, "kind"> {
	readonly run: string;
}

export interface UnlistedWaits {
	readonly unknown: readonly UnknownCall[];
	readonly asked: readonly AskedUser[];
}

/** Read from the journals, because no index knows. A run that cannot be read has none here; `show` says why. */
export async function unlistedWaits(harness: Pick<Harness, "show">, runs: Iterable<string>): Promise<UnlistedWaits> {
	const unknown: UnknownCall[] = [];
	const asked: AskedUser[] = [];
	for (const run of new Set(runs)) {
		const view = await harness.show(run).catch(unreadable);
		for (const wait of view ? waitsOf(view.state).map((one) => shownWait(view, one)) : []) {
			const { kind, ...about } = wait;
			if (kind === "unknown") unknown.push({ run, ...(about as Omit<UnknownCall, "run">) });
			if (kind === "user") asked.push({ run, ...(about as Omit<AskedUser, "run">) });
		}
	}
	return { unknown, asked };
}

/** One run that was tampered with must not hide the others. */
function unreadable(error: unknown): undefined {
	if (!isHoldpointError(error) || !error.code.startsWith("journal.")) throw error;
}
