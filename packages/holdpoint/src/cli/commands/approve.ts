import type { Json } from "../../spec/json.ts";
import { exitCodes, type Invocation, textOption } from "../command.ts";
import { commandLine } from "../command-line.ts";
import { openInbox, using } from "../open-harness.ts";
import { osApprover } from "../os-user.ts";
import { usageInvalid } from "../parse-arguments.ts";
import { jsonText } from "../render/json-text.ts";
import { wrap } from "../render/text-width.ts";

/** Leaves a yes for a held call. */
export async function approve(invocation: Invocation): Promise<number> {
	const { terminal, positionals } = invocation;
	const { style } = terminal;
	const by = osApprover(invocation);
	const args = jsonOption(invocation, "args");
	const reason = textOption(invocation, "reason");
	return using(await openInbox(invocation), async ({ harness }) => {
		const answer = { by, ...(reason ? { reason } : {}), ...(args === undefined ? {} : { args }) };
		const { run, approval } = await harness.approve(positionals[0] ?? "", answer);
		terminal.answer({ run, approval, answer: args === undefined ? "approve" : "edit", by }, () => [
			`${style.green("✓")} ${approval} is approved by ${by.id} (${by.via})${args === undefined ? "" : " with:"}`,
			...(args === undefined ? [] : wrap(`  ${jsonText(args, 2_000)}`, terminal.width)),
			`  Nothing was executed yet. Go on with: ${commandLine(invocation, "resume", run)}`,
		]);
		return exitCodes.done;
	});
}

/** The value of an option that is JSON. Errors: `usage.invalid`. */
export function jsonOption(invocation: Invocation, name: string): Json | undefined {
	const text = textOption(invocation, name);
	if (text === undefined) return undefined;
	try {
		return JSON.parse(text) as Json;
	} catch {
		throw usageInvalid(`--${name} is no JSON`, `Such as --${name} '{"amountCents": 4200}'.`);
	}
}
