import { exitCodes, type Invocation, textOption } from "../command.ts";
import { commandLine } from "../command-line.ts";
import { openInbox, using } from "../open-harness.ts";
import { osApprover } from "../os-user.ts";
import { usageInvalid } from "../parse-arguments.ts";

/** Leaves a no for a held call. */
export async function deny(invocation: Invocation): Promise<number> {
	const { terminal, positionals } = invocation;
	const { style } = terminal;
	const by = osApprover(invocation);
	const reason = textOption(invocation, "reason");
	if (!reason)
		throw usageInvalid(
			"deny needs a reason: the program and the model read it",
			'Such as --reason "ask for photos first".',
		);
	return using(await openInbox(invocation), async ({ harness }) => {
		const { run, approval } = await harness.deny(positionals[0] ?? "", { by, reason });
		terminal.answer({ run, approval, answer: "deny", by }, () => [
			`${style.red("⊘")} ${approval} is denied by ${by.id} (${by.via})`,
			`  The program reads why. Go on with: ${commandLine(invocation, "resume", run)}`,
		]);
		return exitCodes.done;
	});
}
