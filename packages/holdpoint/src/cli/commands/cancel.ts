import type { RunResult } from "../../spec/result.ts";
import { exitCodes, type Invocation, textOption } from "../command.ts";
import { findRun } from "../find-run.ts";
import { configPath } from "../load-config.ts";
import { openAgents, openInbox, using } from "../open-harness.ts";
import { osApprover } from "../os-user.ts";
import { inlineText } from "../render/safe-text.ts";

/** Ends a run. */
export async function cancel(invocation: Invocation): Promise<number> {
	const { terminal, positionals } = invocation;
	const by = osApprover(invocation);
	const reason = textOption(invocation, "reason");
	const isConfigured = configPath(invocation) !== undefined;
	const opened = isConfigured ? await openAgents(invocation, { isStoreThere: true }) : await openInbox(invocation);
	return using(opened, async (all) => {
		const run = await findRun(all.store, positionals[0] ?? "");
		// Undefined: another process advances it, and has been told.
		const result = await all.harness.cancel(run, { by: by.id, ...(reason ? { reason } : {}) });
		terminal.answer(
			{ run, status: result?.status ?? "cancelling", ...(result?.status === "cancelled" ? { done: result.done } : {}) },
			() => lines(invocation, run, result),
		);
		return exitCodes.done;
	});
}

function lines({ terminal }: Invocation, run: string, result: RunResult | undefined): string[] {
	const { style } = terminal;
	if (!result)
		return [
			`${style.yellow("■")} ${run} ends as soon as somebody advances it; no held call of it is executed any more.`,
		];
	if (result.status !== "cancelled") return [`${run} is over already: ${result.status}.`];
	if (result.done.length === 0) return [`${style.red("■")} ${run} is cancelled. Nothing had been done.`];
	const done = result.done.map(
		(one) => `  ${one.call}  ${inlineText(one.tool, 60)}: ${one.outcome === "ok" ? "was done" : "nobody knows"}`,
	);
	return [`${style.red("■")} ${run} is cancelled. Before that:`, ...done];
}
