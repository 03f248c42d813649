/** How a run stands after it was advanced: what came out of it, or what it waits for and the exact next commands. */

import type { Harness } from "../run/harness.ts";
import type { OpenApproval } from "../run/inbox.ts";
import type { RunView } from "../run/show-run.ts";
import type { RunResult, Wait } from "../spec/result.ts";
import { exitCodes, type Invocation } from "./command.ts";
import { commandLine } from "./command-line.ts";
import { approvalCard, type CardOptions } from "./render/approval-card.ts";
import { dateTime } from "./render/duration.ts";
import { jsonText } from "./render/json-text.ts";
import { inlineText, proseText } from "./render/safe-text.ts";
import { wrap } from "./render/text-width.ts";

const outputCharsMax = 100_000;

export interface ShownResult {
	readonly result: RunResult;
	/** The model's last words were shown already. */
	readonly saidAll: boolean;
}

/** Prints it; returns the exit code that says the same. */
export async function showResult(invocation: Invocation, harness: Harness, shown: ShownResult): Promise<number> {
	const { terminal } = invocation;
	const result = await withoutSensitive(harness, shown.result);
	if (terminal.isJson) terminal.data({ type: "run.result", ...result });
	else terminal.print(...(await resultLines(invocation, harness, { ...shown, result })));
	return exitCodeOf(result);
}

/** What the tools of the run mark as sensitive is not printed, whoever said it. */
export async function withoutSensitive(harness: Harness, result: RunResult): Promise<RunResult> {
	const view = await harness.show(result.run);
	if (!view.events.some(({ event }) => "marks" in event)) return result;
	const { redactor } = view;
	const shown = { ...result, text: redactor.text(result.text) };
	switch (shown.status) {
		case "waiting":
			return { ...shown, waits: shown.waits.map((wait) => shownWait(view, wait)) };
		case "completed":
			return { ...shown, output: redactor.value(shown.output) };
		case "failed":
			return { ...shown, error: { ...shown.error, message: redactor.text(shown.error.message) } };
		case "cancelled":
			return shown;
	}
}

/** A wait as it is shown to people who only look on. */
export function shownWait<One extends Wait>({ redactor }: Pick<RunView, "redactor">, wait: One): One {
	if (wait.kind === "user") return { ...wait, text: redactor.text(wait.text) };
	return "args" in wait ? { ...wait, args: redactor.value(wait.args, wait.call) } : wait;
}

export function exitCodeOf(result: RunResult): number {
	if (result.status === "completed") return exitCodes.done;
	return result.status === "waiting" ? exitCodes.waiting : exitCodes.failed;
}

async function resultLines(
	invocation: Invocation,
	harness: Harness,
	{ result, saidAll }: ShownResult,
): Promise<string[]> {
	const { style } = invocation.terminal;
	switch (result.status) {
		case "completed": {
			if (saidAll && typeof result.output === "string") return [];
			const text = typeof result.output === "string" ? result.output : JSON.stringify(result.output, undefined, 2);
			return ["", proseText(text, outputCharsMax)];
		}
		case "waiting": {
			const approvals = await harness.approvals({ run: result.run });
			const cards = cardsOf(invocation, approvals).flatMap((card) => ["", ...card]);
			const others = result.waits.flatMap((wait) =>
				wait.kind === "approval" ? [] : ["", ...waitLines(invocation, result.run, wait)],
			);
			const next = commandLine(invocation, "resume", result.run);
			return [...cards, ...others, "", `${style.yellow("‖")} The run waits; this process ends. Afterwards: ${next}`];
		}
		case "failed":
			return ["", `${style.red("✗")} ${proseText(result.error.message, 4_000)} ${style.dim(`(${result.error.code})`)}`];
		case "cancelled":
			return [];
	}
}

/** A card for each; a program that holds several calls is shown on the first of its cards. */
export function cardsOf(
	invocation: Invocation,
	approvals: readonly OpenApproval[],
	typed?: CardOptions["commands"],
): string[][] {
	const programOf = ({ run, program }: OpenApproval): string => `${run} ${program?.call}`;
	return approvals.map((approval, at) => {
		const same = approvals.filter((one) => one.program && programOf(one) === programOf(approval));
		const lines = same.map(({ program }) => program?.line ?? 0);
		const isShown = approvals.slice(0, at).some((one) => same.includes(one));
		return cardLines(invocation, approval, { shared: { lines, isShown }, typed });
	});
}

interface CardParts extends Pick<CardOptions, "shared"> {
	/** What is typed where it is shown. Default: commands. */
	readonly typed: CardOptions["commands"] | undefined;
}

function cardLines(invocation: Invocation, approval: OpenApproval, { shared, typed }: CardParts): string[] {
	const { style, width } = invocation.terminal;
	const commands = typed ?? {
		approve: commandLine(invocation, "approve", approval.approval),
		deny: commandLine(invocation, "deny", approval.approval, "--reason", "…"),
		resume: commandLine(invocation, "resume", approval.run),
		rehearse: commandLine(invocation, "rehearse", approval.approval),
	};
	return approvalCard(approval, { style, width, now: Date.now(), commands, ...(shared ? { shared } : {}) });
}

/** What a run waits for besides approvals, and how to answer it. */
export function waitLines(invocation: Invocation, run: string, wait: Exclude<Wait, { kind: "approval" }>): string[] {
	const { style, width } = invocation.terminal;
	if (wait.kind === "timer") {
		return [`${style.yellow("◷")} It waits until ${dateTime(wait.dueAt)}: ${inlineText(wait.why, 500)}`];
	}
	if (wait.kind === "user") {
		return [
			`${style.cyan("?")} ${style.bold(inlineText(wait.agent, 80))} waits for an answer:`,
			`  ${commandLine(invocation, "tell", run, "…")}`,
		];
	}
	const name = inlineText(wait.tool, 80);
	const reason = `was started, and nobody knows whether it happened: ${inlineText(wait.why, 500)}`;
	return [
		`${style.yellow("?")} ${style.bold(name)} ${jsonText(wait.args, width - name.length - 4)}`,
		...wrap(reason, width - 2).map((line) => `  ${line}`),
		"  Look into it, then say which:",
		`  ${commandLine(invocation, "settle", run, wait.call, "--happened", "null")}`,
		`  ${commandLine(invocation, "settle", run, wait.call, "--did-not-happen")}`,
	];
}
