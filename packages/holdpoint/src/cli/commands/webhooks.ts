import { counted } from "../../kit/counted.ts";
import type { WebhookStatus } from "../../run/webhooks.ts";
import { exitCodes, type Invocation } from "../command.ts";
import { commandLine } from "../command-line.ts";
import { openAgents, using } from "../open-harness.ts";
import { dateTime } from "../render/duration.ts";
import { inlineText } from "../render/safe-text.ts";

/** What is still to be told to the webhooks of the config, and what was given up; with `--deliver` it is sent. */
export async function webhooks(invocation: Invocation): Promise<number> {
	const { terminal, options } = invocation;
	return using(await openAgents(invocation, { isStoreThere: true }), async ({ harness }) => {
		if (options["retry"] !== undefined) await harness.webhooks.retry();
		const isDelivering = options["deliver"] !== undefined || options["retry"] !== undefined;
		const report = isDelivering ? await harness.webhooks.deliver() : undefined;
		const all = await harness.webhooks.status();
		terminal.answer({ webhooks: all, ...(report ? { sent: report.sent } : {}) }, () => [
			...(report ? [`${counted(report.sent, "message was", "messages were")} taken.`] : []),
			...(all.length === 0 ? ["The config has no webhooks."] : all.flatMap((one) => lines(invocation, one))),
		]);
		return exitCodes.done;
	});
}

function lines(invocation: Invocation, { url, pending, failed }: WebhookStatus): string[] {
	const { style } = invocation.terminal;
	const mark = failed.length > 0 ? style.red("✗") : pending.length > 0 ? style.yellow("○") : style.green("✓");
	const next = pending.reduce((least, { dueAt }) => Math.min(least, dueAt), Number.POSITIVE_INFINITY);
	const why = pending.findLast((one) => one.why !== undefined)?.why;
	return [
		`${mark} ${inlineText(url, 200)}  ${pending.length} pending, ${failed.length} given up`,
		...(pending.length > 0
			? [`  next attempt ${dateTime(next)}${why ? `; the last one failed: ${inlineText(why, 300)}` : ""}`]
			: []),
		...failed
			.slice(-5)
			.map(({ type, run, why: reason = "" }) => `  ${type} of ${inlineText(run, 128)}: ${inlineText(reason, 300)}`),
		...(failed.length > 0 ? [`  Try again with: ${commandLine(invocation, "webhooks", "--retry")}`] : []),
	];
}
