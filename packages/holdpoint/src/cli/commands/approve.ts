import type { Json } from "../../spec/json.ts";
import { exitCodes, type Invocation, textOption } from "../command.ts";
import { commandLine } from "../command-line.ts";
import { configPath } from "../load-config.ts";
import { openAgents, openInbox, using } from "../open-harness.ts";
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
	// Other arguments are checked with the tool's schema, which is in the config.
	const needsAgents = args !== undefined && configPath(invocation) !== undefined;
	const opened = needsAgents ? await openAgents(invocation, { isStoreThere: true }) : await openInbox(invocation);
	return using(opened, async ({ harness, store, agents }) => {
		const answer = { by, ...(reason ? { reason } : {}), ...(args === undefined ? {} : { args }) };
		const { run, approval } = await harness.approve(positionals[0] ?? "", answer);
		const agent = (await store.load(run, Number.MAX_SAFE_INTEGER))?.head.agent;
		const isChecked = args === undefined || agents.some(({ name }) => name === agent);
		terminal.answer({ run, approval, answer: args === undefined ? "approve" : "edit", by }, () => [
			`${style.green("✓")} ${approval} is approved by ${by.id} (${by.via})${args === undefined ? "" : " with:"}`,
			...(args === undefined ? [] : wrap(`  ${jsonText(args, 2_000)}`, terminal.width)),
			...(isChecked
				? []
				: ["  Whether they fit the tool is checked when the run goes on: its agent is not known here."]),
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
