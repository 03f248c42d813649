import { exitCodes, type Invocation } from "../command.ts";
import { findRun } from "../find-run.ts";
import { openInbox, using } from "../open-harness.ts";
import { cardLines } from "../show-result.ts";

/** Lists held calls, the oldest first. */
export async function approvals(invocation: Invocation): Promise<number> {
	const { terminal, positionals } = invocation;
	return using(await openInbox(invocation), async ({ harness, store }) => {
		const [given] = positionals;
		const found = await harness.approvals(given === undefined ? {} : { run: await findRun(store, given) });
		terminal.answer({ approvals: found }, () => {
			if (found.length === 0) return ["Nothing is held."];
			return found.flatMap((approval, at) => [...(at > 0 ? [""] : []), ...cardLines(invocation, approval)]);
		});
		return exitCodes.done;
	});
}
