import { exitCodes, type Invocation } from "../command.ts";
import { commandLine } from "../command-line.ts";
import { findRun } from "../find-run.ts";
import { openInbox, using } from "../open-harness.ts";
import { osApprover } from "../os-user.ts";
import { usageInvalid } from "../parse-arguments.ts";
import { jsonOption } from "./approve.ts";

/** Says what became of a call that was started and whose outcome nobody knows. */
export async function settle(invocation: Invocation): Promise<number> {
	const { terminal, positionals, options } = invocation;
	const { style } = terminal;
	const by = osApprover(invocation);
	const [given = "", call = ""] = positionals;
	const result = jsonOption(invocation, "happened");
	const happened = result !== undefined;
	if (happened === (options["did-not-happen"] !== undefined)) {
		throw usageInvalid(
			"Say which: --happened <json> or --did-not-happen",
			"Look into it first; the program goes on with what you say.",
		);
	}
	return using(await openInbox(invocation), async ({ harness, store }) => {
		const run = await findRun(store, given);
		await harness.settle(run, call, { happened, by, ...(happened ? { result } : {}) });
		terminal.answer({ run, call, happened, by }, () => [
			`${style.green("✓")} Noted: ${call} ${happened ? "happened" : "did not happen"}, says ${by.id} (${by.via})`,
			`  Go on with: ${commandLine(invocation, "resume", run)}`,
		]);
		return exitCodes.done;
	});
}
