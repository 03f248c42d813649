import { exitCodes, type Invocation } from "../command.ts";
import { openInbox, using } from "../open-harness.ts";
import { osApprover } from "../os-user.ts";
import { inlineText } from "../render/safe-text.ts";

/** Takes a standing grant back: from the next decision on it answers nothing. */
export async function revoke(invocation: Invocation): Promise<number> {
	const { terminal, positionals } = invocation;
	const by = osApprover(invocation);
	const [grant = ""] = positionals;
	return using(await openInbox(invocation), async ({ harness }) => {
		await harness.governance.revoke(grant, { by: by.id });
		terminal.answer({ grant, revokedBy: by }, () => [
			`${terminal.style.green("✓")} ${inlineText(grant, 40)} is revoked by ${by.id} (${by.via}): from the next decision on it answers nothing`,
		]);
		return exitCodes.done;
	});
}
