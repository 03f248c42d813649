import { answerAll, checkMeant, meantApprovals } from "../answer-all.ts";
import { type Invocation, textOption } from "../command.ts";
import { commandLine } from "../command-line.ts";
import { openInbox, using } from "../open-harness.ts";
import { osApprover } from "../os-user.ts";
import { usageInvalid } from "../parse-arguments.ts";
import { rowsOption, rowsText } from "../rows-option.ts";

/** Leaves a no for held calls. */
export async function deny(invocation: Invocation): Promise<number> {
	const { style } = invocation.terminal;
	const by = osApprover(invocation);
	checkMeant(invocation, "deny");
	const reason = textOption(invocation, "reason");
	if (!reason)
		throw usageInvalid(
			"deny needs a reason: the program and the model read it",
			'Such as --reason "ask for photos first".',
		);
	const rows = rowsOption(invocation);
	return using(await openInbox(invocation), async ({ harness, store }) => {
		const ids = await meantApprovals(invocation, { harness, store });
		if (ids.length !== 1 && rows)
			throw usageInvalid("--rows is for one approval at a time", "Name one: its rows are those of one program.");
		return answerAll(invocation, harness, {
			ids,
			answering: {
				by,
				answer: "deny",
				leave: (id, digest) =>
					harness.deny(id, {
						by,
						reason,
						...(rows ? { rows, rehearsal: textOption(invocation, "seen") ?? "" } : {}),
						...(digest === undefined ? {} : { digest }),
					}),
				lines: ({ run, approval }) => [
					`${style.red("⊘")} ${approval} is denied by ${by.id} (${by.via})${rowsText(rows)}`,
					`  The program reads why. Go on with: ${commandLine(invocation, "resume", run)}`,
				],
			},
		});
	});
}
