/**
 * A rehearsal on the page of a decision link: which of its rows are shown, and which can be approved there.
 *
 * Invariant: nothing that was not shown whole is approved.
 */
import type { OpenApproval } from "../run/inbox.ts";
import type { RehearsalView } from "../run/rehearsal-view.ts";
import { isJsonObject, type Json } from "../spec/json.ts";
import { fixedLimits } from "../spec/limits.ts";
import { text } from "./decision-text.ts";

type Row = RehearsalView["rows"][number];

export interface ShownRow {
	readonly index: number;
	readonly row: Row;
	/** Pairs of a name and a value as JSON, shortened where they are too long. */
	readonly args: readonly (readonly [name: string, value: string])[];
	readonly isWhole: boolean;
	/** This person can approve it here. */
	readonly isOffered: boolean;
	/** Why it is asked about, where that is not why the held call is. */
	readonly reason: string | undefined;
}

export function shownRows({ reason, rehearsal }: OpenApproval, approver: string): ShownRow[] {
	return (rehearsal?.rows ?? []).slice(0, fixedLimits.linkRowsMax).map((row, index) => {
		const isWhole = JSON.stringify(row.args).length <= fixedLimits.linkRowCharsMax;
		const { verdict, isHeld, isSpent, deniedBy, approvedBy } = row;
		const isOpen = verdict === "ask" && !isSpent && deniedBy === undefined && !approvedBy.includes(approver);
		return {
			index,
			row,
			args: argumentPairs(row.args),
			isWhole,
			isOffered: isOpen && isWhole && !isHeld,
			reason: row.reason === reason ? undefined : row.reason,
		};
	});
}

function argumentPairs(args: Json): (readonly [string, string])[] {
	const pairs = isJsonObject(args) ? Object.entries(args) : [["", args] as const];
	let room: number = fixedLimits.linkRowCharsMax;
	return pairs.flatMap(([name, value]) => {
		if (room <= 0) return [];
		const whole = JSON.stringify(value);
		const shown = whole.length > room ? `${whole.slice(0, room)}…` : whole;
		room -= name.length + whole.length;
		return [[name.slice(0, fixedLimits.linkRowCharsMax), shown] as const];
	});
}

/** `ticked`: rows whose boxes are ticked; all that are offered where nothing was said yet. */
export function rehearsalPart(
	rehearsal: RehearsalView,
	rows: readonly ShownRow[],
	ticked: readonly number[] | "all",
): string {
	const { reads } = rehearsal;
	const made = reads > 0 ? `; ${reads} ${reads === 1 ? "read was" : "reads were"} made to find it out` : "";
	const items = rows.map((row) => rowItem(row, ticked === "all" || ticked.includes(row.index)));
	return `<section class="rehearsal"><h2>What the program would do from here</h2>
<p class="quiet">${doneText(rehearsal)}${made}. Tick what you approve; the held call is part of every yes.</p>
<ol>${items.join("")}</ol>
${hiddenNote(rehearsal.rows.length - rows.length)}
${totals(rehearsal)}
${notes(rehearsal).join("")}</section>`;
}

function doneText({ rows }: RehearsalView): string {
	const done = rows.filter(({ became }) => became === "ok").length;
	if (done === 0) return "Nothing of it was done";
	return `${done} of ${rows.length} calls ${done === 1 ? "was" : "were"} made by now, the others were not`;
}

function rowItem(shown: ShownRow, isTicked: boolean): string {
	const { index, row, args, isWhole, isOffered, reason } = shown;
	const box = isOffered
		? `<input type="checkbox" form="yes" name="row" value="${index}"${isTicked ? " checked" : ""}>`
		: "<i></i>";
	const pairs = args.map(([name, value]) => `${name === "" ? "" : `${text(name)} `}<b>${text(value)}</b>`).join(", ");
	const why = reason === undefined ? "" : `<small>${text(reason)}</small>`;
	const fails = row.fails === undefined ? "" : `<em>It would fail: ${text(row.fails)}</em>`;
	const cut = isWhole ? "" : "<em>Too long to be shown whole: it is asked about when it comes.</em>";
	const body = `${box}<span class="n">${index + 1}</span><span><code>${text(row.tool)}</code> ${pairs}${tags(shown)}${why}${fails}${cut}</span>`;
	return `<li>${isOffered ? `<label>${body}</label>` : `<div>${body}</div>`}</li>`;
}

function tags({ row }: ShownRow): string {
	const { verdict, isHeld, became, deniedBy, approvedBy, uncertain } = row;
	const said: string[] = [];
	if (isHeld) said.push("held now");
	if (verdict === "allow") said.push("allowed");
	else if (verdict === "deny") said.push("denied by the policy");
	else if (became !== undefined && became !== "open") said.push(became === "ok" ? "done" : became);
	else if (deniedBy !== undefined) said.push(`denied by ${deniedBy}`);
	else if (approvedBy.length > 0) said.push(`approved by ${approvedBy.join(", ")}`);
	const doubt = uncertain ? ` <span class="tag doubt">not certain</span>` : "";
	return `${doubt}${said.map((tag) => ` <span class="tag">${text(tag)}</span>`).join("")}`;
}

function hiddenNote(hidden: number): string {
	if (hidden <= 0) return "";
	const what = hidden === 1 ? "One more call is" : `${hidden} more calls are`;
	return `<p class="problem">${what} not shown here, so that no yes on this page is for ${hidden === 1 ? "it" : "them"}: each is asked about when it comes.</p>`;
}

function totals({ totals: list }: RehearsalView): string {
	const lines = list.map(({ tool, count, sums }) => {
		const sum = Object.entries(sums).map(([field, value]) => `, ${text(field)} <b>${value}</b> in all`);
		return `<li><code>${text(tool)}</code> <b>×${count}</b>${sum.join("")}</li>`;
	});
	return lines.length === 0 ? "" : `<h2>To be decided, in all</h2><ul class="totals">${lines.join("")}</ul>`;
}

function notes({ rows, end, why = "" }: RehearsalView): string[] {
	const said: string[] = [];
	if (rows.some(({ uncertain }) => uncertain))
		said.push("Not certain: it rests on a value that was made up. What comes otherwise is asked about then.");
	if (end === "threw") said.push(`After that it would throw: ${why}`);
	if (end === "stopped" || end === "limit") said.push(`More could not be foreseen: ${why}`);
	return said.map((note) => `<p class="note">${text(note)}</p>`);
}
