import type { DoneCall, OpenApproval } from "../../run/inbox.ts";
import { countOfRole } from "../../spec/ask.ts";
import { duration } from "./duration.ts";
import { argumentFields } from "./json-text.ts";
import { programLines } from "./program-text.ts";
import { rehearsalLines } from "./rehearsal-text.ts";
import { inlineText, visibleText } from "./safe-text.ts";
import type { Style } from "./style.ts";
import { padEnd, widthOf, wrap } from "./text-width.ts";

export interface CardOptions {
	readonly style: Style;
	readonly width: number;
	readonly now: number;
	/** The exact commands that answer it. */
	readonly commands: {
		readonly approve: string;
		readonly deny: string;
		readonly resume: string;
		readonly rehearse: string;
	};
	/** Where several calls of one program are held: the lines of all, and whether a card above shows the program. */
	readonly shared?: { readonly lines: readonly number[]; readonly isShown: boolean };
}

const contextLines = 3;

/** What somebody should know before they answer: what, why, for whom, where in the program, what was done. */
export function approvalCard(approval: OpenApproval, options: CardOptions): string[] {
	const { style } = options;
	const head = `${style.yellow("‖")} ${style.bold(inlineText(approval.tool, 80))} ${style.yellow("is held")}`;
	if (approval.problem !== undefined) return unreadableCard(approval, approval.problem, { head, style });
	const args = argumentFields(approval.args);
	const about = aboutFields(approval, options.now);
	const columns = nameColumns([...args, ...about]);
	const body = [
		...fields(args, columns, options),
		"",
		...fields(about, columns, options),
		...(approval.program ? ["", ...programPart(approval.program, columns, options)] : []),
		...rehearsalPart(approval, options),
		"",
		...answerPart(approval, options),
	];
	return [
		`${style.yellow("┌")} ${head}`,
		...body.map((line) => `${style.yellow("│")} ${line}`.trimEnd()),
		style.yellow("└"),
	];
}

/** Once for each program: the list is as long as its program is busy. */
function rehearsalPart({ rehearsal, reason }: OpenApproval, { style, width, shared }: CardOptions): string[] {
	if (!rehearsal) return [];
	if (!shared?.isShown) return ["", ...rehearsalLines(rehearsal, { style, width: width - 2, reason })];
	const at = rehearsal.rows.findIndex(({ isHeld }) => isHeld);
	return at < 0 ? [] : [style.dim(`row ${at + 1} of what the program above would do`)];
}

/** Its run does not verify: nothing of it is shown as if it were true. */
function unreadableCard(
	approval: OpenApproval,
	problem: string,
	{ head, style }: { head: string; style: Style },
): string[] {
	return [
		`${style.yellow("┌")} ${head}, and its run cannot be read`,
		`${style.yellow("│")} ${visibleText(problem, 500)}`,
		`${style.yellow("│")} run ${visibleText(approval.run, 128)}: it cannot be answered before that is mended`,
		style.yellow("└"),
	];
}

function aboutFields(approval: OpenApproval, now: number): [string, string][] {
	const { answeredBy, unread } = approval;
	const who = whoMust(approval);
	const { requestedAt, expiresAt } = approval;
	const since = `asked ${duration(now - requestedAt)} ago, expires in ${duration(expiresAt - now)}`;
	const answered = [
		...answeredBy.map((by) => `${by.id} (${by.via})`),
		...unread.map((one) => `${one.by.id}: ${one.answer}, not yet read by the run`),
	];
	return [
		["why", visibleText(approval.reason, 500)],
		["who", `${who} must say yes; ${since}`],
		["for", `${visibleText(approval.principal, 80)}, by agent ${approval.agent}, run ${approval.run}`],
		...(answered.length > 0 ? [["answers", visibleText(answered.join("; "), 500)] as [string, string]] : []),
	];
}

function whoMust({ ask, principal, escalatedTo }: OpenApproval): string {
	const { roles = [], people: all } = ask;
	const counted = roles.map((role) => `${countOfRole(ask, role)} ${role}`).join(", ");
	const who =
		roles.length > 0 ? `${counted}${all === undefined ? "" : `, ${people(all)} in all`}` : people(ask.count ?? 1);
	const others = escalatedTo ? ` (or ${escalatedTo.join(", ")} in their place)` : "";
	return `${who}${others}${ask.fourEyes ? `, not ${visibleText(principal, 80)},` : ""}`;
}

function people(count: number): string {
	return count === 1 ? "one person" : `${count} people`;
}

function nameColumns(pairs: readonly (readonly [string, string])[]): number {
	return Math.min(24, Math.max(8, ...pairs.map(([name]) => widthOf(name))));
}

function fields(
	pairs: readonly (readonly [string, string])[],
	columns: number,
	{ style, width }: CardOptions,
): string[] {
	return pairs.flatMap(([name, text]) => {
		const lines = wrap(text, width - columns - 5);
		return lines.map((line, at) => `${style.dim(padEnd(at === 0 ? name : "", columns))}  ${line}`);
	});
}

function programPart(program: NonNullable<OpenApproval["program"]>, columns: number, options: CardOptions): string[] {
	const { style, width, shared } = options;
	const which = shared?.isShown ? "the program above" : "a program";
	const asks =
		program.line > 0 ? `line ${program.line} of ${which} (${program.call}) asks for it` : `${which} asks for it`;
	if (shared?.isShown) return [style.dim(asks)];
	const marked = shared?.lines ?? [program.line];
	const place = new Set(marked).size > 1 ? `${asks}; every line of a held call is marked` : asks;
	const view = { source: program.source, marked, context: contextLines, style, width: width - 2 };
	const done = doneSoFar(program.done);
	return [
		...wrap(`${place}:`, width - 2).map((line) => style.dim(line)),
		...(program.line > 0 ? programLines(view) : programLines({ ...view, marked: [] }).slice(0, 12)),
		...(done === "" ? [] : ["", ...fields([["so far", done]], columns, options)]),
	];
}

const marks = { ok: "✓", failed: "✗", denied: "⊘", cancelled: "⊘", unknown: "?", open: "‖" } as const;

/** `get_order ✓×9 · refund_order ✓ · refund_order ‖` */
export function doneSoFar(done: readonly DoneCall[]): string {
	const counts = new Map<string, number>();
	for (const { tool, outcome } of done) {
		// A space that does not break.
		const key = `${inlineText(tool, 60)}\u00a0${marks[outcome]}`;
		counts.set(key, (counts.get(key) ?? 0) + 1);
	}
	return [...counts].map(([key, count]) => (count > 1 ? `${key}×${count}` : key)).join(" · ");
}

function answerPart(approval: OpenApproval, options: CardOptions): string[] {
	const { style, commands } = options;
	if (approval.unread.length > 0) return [`${style.dim("answered; go on with")}  ${commands.resume}`];
	const rows = approval.rehearsal?.rows.some(
		({ verdict, isHeld, isSpent }) => verdict === "ask" && !isHeld && !isSpent,
	);
	const yes = (command: string) => `${style.green("yes")}  ${command}`;
	const no = `${style.red("no ")}  ${commands.deny}`;
	if (!rows) return [yes(commands.approve), no, ...rehearseHint(approval, options)];
	// A digest may begin with a dash.
	const all = `--rows all --seen=${approval.rehearsal?.digest.slice(0, 8)}`;
	return [
		style.dim("To this call alone; the others are asked about when they come:"),
		yes(commands.approve),
		no,
		style.dim("To all of it, or to rows by their numbers, such as --rows 1,3-5:"),
		yes(`${commands.approve} ${all}`),
		`${no} ${all}`,
	];
}

/** Of a program of which one call is known: what else it would do can be found out. */
function rehearseHint({ program, rehearsal }: OpenApproval, { style, commands, shared }: CardOptions): string[] {
	if (!program || rehearsal || shared?.isShown) return [];
	return [`${style.yellow("?  ")}  ${commands.rehearse}  ${style.dim("# what else the program would do")}`];
}
