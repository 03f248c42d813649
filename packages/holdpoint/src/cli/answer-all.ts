/** Answering held calls: which ones are meant, and one after the other what became of each answer. */
import type { Harness } from "../run/harness.ts";
import type { OpenApproval } from "../run/inbox.ts";
import type { Approver } from "../spec/approver.ts";
import { isHoldpointError } from "../spec/errors.ts";
import type { Store } from "../spec/store.ts";
import { exitCodes, type Invocation, textOption } from "./command.ts";
import { commandLine } from "./command-line.ts";
import { findRun } from "./find-run.ts";
import { configPath } from "./load-config.ts";
import { type Opened, openAgents, openInbox } from "./open-harness.ts";
import { usageInvalid } from "./parse-arguments.ts";
import { jsonText } from "./render/json-text.ts";
import { inlineText, proseText } from "./render/safe-text.ts";

const heldMax = 1_000;

/**
 * With the agents and the approvers of the config where there is one, so that whoever answers in vain is told. A config
 * that cannot be loaded keeps nobody from answering, unless it is needed: the run judges in any case.
 */
export async function openToAnswer(
	invocation: Invocation,
	{ isNeeded }: { readonly isNeeded: boolean },
): Promise<Opened> {
	if (configPath(invocation) === undefined) return openInbox(invocation);
	try {
		return await openAgents(invocation, { isStoreThere: true });
	} catch (error) {
		if (isNeeded || !isHoldpointError(error) || error.code === "run.unknown") throw error;
		invocation.terminal.note(
			`○ ${proseText(error.message, 1_000)}`,
			"  What depends on the config is not checked here.",
		);
		return openInbox(invocation);
	}
}

/** Errors: `usage.invalid`, before anything is opened. */
export function checkMeant({ positionals, options }: Invocation, command: string): void {
	if ((options["run"] === undefined) !== (positionals.length === 0)) return;
	const hint = `Such as \`holdpoint ${command} apr_te4w\`, or \`holdpoint ${command} --run <run>\` for all that it holds.`;
	throw usageInvalid(`${command} needs ids of approvals, or --run <run>, and not both`, hint);
}

/** The approvals that were named, or every one that is open in `--run`. Errors: `run.unknown`. */
export async function meantApprovals(
	invocation: Invocation,
	{ harness, store }: { readonly harness: Harness; readonly store: Store },
): Promise<readonly string[]> {
	const given = textOption(invocation, "run");
	if (given === undefined) return invocation.positionals;
	const run = await findRun(store, given);
	const open = await harness.approvals({ run, limit: heldMax });
	return open
		.filter(({ unread, problem }) => unread.length === 0 && problem === undefined)
		.map(({ approval }) => approval);
}

/** An answer as it is left, and how a line says it. */
export interface Answering {
	readonly by: Approver;
	readonly answer: "approve" | "edit" | "deny";
	readonly leave: (
		approval: string,
		digest: string | undefined,
	) => Promise<{ readonly run: string; readonly approval: string }>;
	/** Lines for one approval that was answered. */
	readonly lines: (left: {
		readonly run: string;
		readonly approval: string;
	}) => readonly string[] | Promise<readonly string[]>;
}

/** Returns the exit code. One that fails is the command's failure; of several the others are answered all the same. */
export async function answerAll(
	invocation: Invocation,
	harness: Harness,
	{ ids, answering }: { readonly ids: readonly string[]; readonly answering: Answering },
): Promise<number> {
	const { terminal } = invocation;
	const { by, answer, leave, lines } = answering;
	const [only] = ids;
	if (ids.length === 1 && only !== undefined) {
		const left = await leave(only, undefined);
		const shown = await lines(left);
		terminal.answer({ ...left, answer, by }, () => shown);
		return exitCodes.done;
	}
	const answers: object[] = [];
	const refused: object[] = [];
	const runs = new Set<string>();
	for (const id of ids) {
		const [open] = await harness.approvals({ approval: id, limit: 1 });
		try {
			const left = await leave(id, open?.digest);
			answers.push({ ...left, answer, by });
			runs.add(left.run);
			terminal.print(`${(await lines(left))[0]}: ${open ? callLine(open) : ""}`);
		} catch (error) {
			if (!isHoldpointError(error)) throw error;
			refused.push({ approval: id, error: error.toJSON() });
			terminal.print(`${terminal.style.red("✗")} ${inlineText(id, 40)}: ${proseText(error.message, 1_000)}`);
		}
	}
	terminal.data({ answers, refused });
	if (ids.length === 0) terminal.print("Nothing is held there that waits for an answer.");
	for (const run of runs) terminal.print(`  Go on with: ${commandLine(invocation, "resume", run)}`);
	return refused.length > 0 ? exitCodes.failed : exitCodes.done;
}

function callLine({ tool, args }: OpenApproval): string {
	return `${inlineText(tool, 60)} ${jsonText(args, 2_000)}`;
}
