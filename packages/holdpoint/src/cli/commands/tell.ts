import { exitCodes, type Invocation } from "../command.ts";
import { commandLine } from "../command-line.ts";
import { findRun } from "../find-run.ts";
import { openInbox, using } from "../open-harness.ts";
import { messageOf } from "../read-message.ts";

/** Leaves a message for a run; it reads it when it goes on. */
export async function tell(invocation: Invocation): Promise<number> {
	const { terminal, positionals, options } = invocation;
	const [given = "", text = ""] = positionals;
	const mode = options["queue"] === undefined ? "turn" : "queue";
	const message = await messageOf(invocation.host.stdin, text);
	return using(await openInbox(invocation), async ({ harness, store }) => {
		const run = await findRun(store, given);
		await harness.tell(run, message, mode);
		terminal.answer({ run, told: message, mode }, () => [
			`${terminal.style.green("✓")} ${run} is told.`,
			`  It reads it when it goes on: ${commandLine(invocation, "resume", run)}`,
		]);
		return exitCodes.done;
	});
}
