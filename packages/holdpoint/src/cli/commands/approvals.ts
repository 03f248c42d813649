import { existsSync } from "node:fs";
import type { OpenApproval } from "../../run/inbox.ts";
import type { Store } from "../../spec/store.ts";
import { exitCodes, type Invocation } from "../command.ts";
import { shownPath } from "../command-line.ts";
import { findRun } from "../find-run.ts";
import { openInbox, storePath, using } from "../open-harness.ts";
import { cardsOf, waitLines } from "../show-result.ts";
import { type UnknownCall, unlistedWaits } from "../unlisted-waits.ts";

const runsMax = 1_000;

/** Everything that waits for a person: held calls, the oldest first, and calls whose outcome nobody knows. */
export async function approvals(invocation: Invocation): Promise<number> {
	const { host, terminal, positionals } = invocation;
	const path = storePath(invocation);
	if (positionals.length === 0 && !existsSync(path)) {
		const nothing = `Nothing is held: there is no store at ${shownPath(path, host.cwd)}.`;
		terminal.answer({ approvals: [], unknown: [] }, () => [nothing]);
		return exitCodes.done;
	}
	return using(await openInbox(invocation), async ({ harness, store }) => {
		const [given] = positionals;
		const run = given === undefined ? undefined : await findRun(store, given);
		const held = await harness.approvals(run === undefined ? {} : { run });
		const { unknown } = await unlistedWaits(harness, run === undefined ? await mayHoldUnknown(store, held) : [run]);
		terminal.answer({ approvals: held, unknown }, () => lines(invocation, held, unknown));
		return exitCodes.done;
	});
}

/** A run that waits for nothing that the index knows of, or for something else besides. */
async function mayHoldUnknown(store: Store, held: readonly OpenApproval[]): Promise<string[]> {
	const waiting = await store.runs({ status: ["waiting"], limit: runsMax });
	return [...waiting.filter(({ dueAt }) => dueAt === undefined), ...held].map(({ run }) => run);
}

function lines(
	invocation: Invocation,
	held: readonly OpenApproval[],
	unknown: readonly UnknownCall[],
): readonly string[] {
	const parts = [
		...cardsOf(invocation, held),
		...unknown.map((call) => waitLines(invocation, call.run, { kind: "unknown", ...call })),
	];
	if (parts.length === 0) return ["Nothing is held."];
	return parts.flatMap((part, at) => (at > 0 ? ["", ...part] : part));
}
