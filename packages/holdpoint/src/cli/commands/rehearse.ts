import { exitCodes, type Invocation } from "../command.ts";
import { openAgents, using } from "../open-harness.ts";
import { osApprover } from "../os-user.ts";
import { cardsOf } from "../show-result.ts";

/** Finds out what a held program would do, without any effect, and shows it. */
export async function rehearse(invocation: Invocation): Promise<number> {
	const { id } = osApprover(invocation);
	const opened = await openAgents(invocation, { isStoreThere: true });
	return using(opened, async ({ harness }) => {
		const approval = await harness.rehearse(invocation.positionals[0] ?? "", { by: id });
		invocation.terminal.answer({ approval }, () => cardsOf(invocation, [approval]).flat());
		return exitCodes.done;
	});
}
