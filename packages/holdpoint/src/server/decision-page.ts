/** The pages of decision links: no script, nothing from elsewhere, everything from outside escaped. */
import { hash } from "node:crypto";
import type { DoneCall, OpenApproval } from "../run/inbox.ts";
import { countOfRole } from "../spec/ask.ts";
import { isJsonObject, type Json } from "../spec/json.ts";
import type { Draft } from "./decision-answer.ts";
import { rehearsalPart, shownRows } from "./decision-rows.ts";
import { pageStyle } from "./decision-style.ts";
import { text } from "./decision-text.ts";

const styleHash = hash("sha256", pageStyle, "base64");

export const pageHeaders = {
	"content-security-policy": `default-src 'none'; style-src 'sha256-${styleHash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
	"cache-control": "no-store",
	// The token is in the address; another site learns nothing of it, and a form still says where it came from.
	"referrer-policy": "same-origin",
	"x-content-type-options": "nosniff",
	"x-robots-tag": "noindex, nofollow",
} as const;

function page(title: string, body: string): string {
	return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>${text(title)}</title><style>${pageStyle}</style></head>
<body><main><p class="brand">Holdpoint</p>${body}</main></body></html>
`;
}

export function wordPage({ title, text: says, isWell }: { title: string; text: string; isWell: boolean }): string {
	return page(title, `<h1 class="${isWell ? "well" : "ill"}">${text(title)}</h1><p class="lead">${text(says)}</p>`);
}

export interface Question {
	readonly open: OpenApproval;
	/** Who answers. */
	readonly approver: string;
	/** When the link ends. Milliseconds since 1970. */
	readonly expiresAt: number;
	/** What was missing in the answer before, and what was said there. */
	readonly problem?: string | undefined;
	readonly draft?: Draft | undefined;
}

export function questionPage(asked: Question): string {
	const { open, approver, problem, draft } = asked;
	const { tool, reason, program, rehearsal } = open;
	const rows = shownRows(open, approver);
	return page(
		`${tool} is held`,
		`<h1><code>${text(tool)}</code> is held</h1>
<p class="lead">${text(reason)}</p>
${problem === undefined ? "" : `<p class="problem" role="alert">${text(problem)}</p>`}
<section><h2>It would be executed with</h2>${argumentList(open.args)}</section>
${program ? programPart(program) : ""}
${rehearsal ? rehearsalPart(rehearsal, rows, draft?.rows ?? "all") : ""}
<section><h2>About it</h2><dl>${aboutRows(open)}</dl></section>
${forms(asked, rows.filter(({ isOffered }) => isOffered).length)}`,
	);
}

function row(name: string, value: string): string {
	return `<div><dt>${text(name)}</dt><dd>${value}</dd></div>`;
}

const valueCharsMax = 20_000;

function argumentList(args: Json): string {
	const fields = isJsonObject(args) ? Object.entries(args) : [["value", args] as const];
	if (fields.length === 0) return `<p class="quiet">No arguments.</p>`;
	return `<dl class="args">${fields.map(([name, value]) => row(name, valueText(value))).join("")}</dl>`;
}

function valueText(value: Json): string {
	const whole = typeof value === "string" ? value : JSON.stringify(value, undefined, 2);
	const cut = whole.length > valueCharsMax ? ` <em>… and ${whole.length - valueCharsMax} more characters</em>` : "";
	const shown = text(whole.slice(0, valueCharsMax));
	if (typeof value === "string") return `<span class="string">${shown}</span>${cut}`;
	return typeof value === "object" && value !== null ? `<pre>${shown}</pre>${cut}` : `<code>${shown}</code>`;
}

function programPart({ source, line, call, done }: NonNullable<OpenApproval["program"]>): string {
	const lines = source.split("\n").map((code, at) => {
		const isAsking = at + 1 === line;
		const mark = isAsking ? ` class="asks" aria-current="true"` : "";
		return `<span${mark}><i>${at + 1}</i>${code.split("\t").map(text).join("\t")}\n</span>`;
	});
	const where = line > 0 ? `Line ${line} of program ${text(call)} asks for it` : `Program ${text(call)} asks for it`;
	const before = done.filter(({ outcome }) => outcome !== "open");
	return `<section><h2>${where}</h2><pre class="source" tabindex="0">${lines.join("")}</pre>
${before.length > 0 ? `<details><summary>${before.length} ${before.length === 1 ? "call" : "calls"} of it so far</summary><ul>${before.map(doneRow).join("")}</ul></details>` : ""}</section>`;
}

const doneCharsMax = 300;

function doneRow({ tool, args, outcome }: DoneCall): string {
	const shown = JSON.stringify(args);
	const cut = shown.length > doneCharsMax ? "…" : "";
	return `<li><b>${text(outcome)}</b> <code>${text(tool)} ${text(shown.slice(0, doneCharsMax))}${cut}</code></li>`;
}

function aboutRows(open: OpenApproval): string {
	const { principal, agent, run, requestedAt, expiresAt, answeredBy, unread } = open;
	const people = [
		...answeredBy.map(({ id }) => `${id}: yes`),
		...unread.map(({ by, answer }) => `${by.id}: ${answer}`),
	];
	return [
		row("On behalf of", text(principal)),
		row("Agent", text(agent)),
		row("Run", `<code>${text(run)}</code>`),
		row("Who must say yes", text(whoMust(open))),
		...(people.length > 0 ? [row("Answers so far", text(people.join(", ")))] : []),
		row("Asked", time(requestedAt)),
		row("Expires", time(expiresAt)),
	].join("");
}

function whoMust({ ask, principal, escalatedTo }: OpenApproval): string {
	const { roles = [], count = 1, people } = ask;
	const ofRoles = roles.map((role) => `${countOfRole(ask, role)} ${role}`).join(", ");
	const all = roles.length > 0 ? people : (people ?? count);
	const inAll =
		all === undefined ? "" : `${all === 1 ? "one person" : `${all} people`}${ofRoles === "" ? "" : " in all"}`;
	const others = escalatedTo ? ` (or ${escalatedTo.join(", ")} in their place)` : "";
	return `${[ofRoles, inAll].filter(Boolean).join("; ")}${others}${ask.fourEyes ? `, but not ${principal}` : ""}`;
}

function time(at: number): string {
	const iso = new Date(at).toISOString();
	return `<time datetime="${iso}">${iso.slice(0, 16).replace("T", " ")} UTC</time>`;
}

/** `offered`: so many rows of a rehearsal can be approved with the call. */
function forms({ open, approver, expiresAt, draft }: Question, offered: number): string {
	const digest = open.rehearsal?.digest;
	const seen = digest === undefined ? "" : `<input type="hidden" name="rehearsal" value="${text(digest)}">`;
	const said = (decision: Draft["decision"]): string => (draft?.decision === decision ? text(draft.reason) : "");
	return `<section class="answer"><h2>Your answer</h2>
<p class="quiet">You answer as <b>${text(approver)}</b>. This link is for you alone, holds for one answer, and ends ${time(expiresAt)}.</p>
<div class="forms">
<form method="post" id="yes"><input type="hidden" name="decision" value="approve">${seen}
<label for="note">Note (kept in the journal)</label><textarea id="note" name="reason" rows="2" maxlength="2000">${said("approve")}</textarea>
<label class="check"><input type="checkbox" name="confirmed" value="yes" required> I have read what would be executed</label>
${yesButtons(offered)}</form>
<form method="post"><input type="hidden" name="decision" value="deny">${seen}
<label for="why">Why not (the agent reads it)</label><textarea id="why" name="reason" rows="2" maxlength="2000" required>${said("deny")}</textarea>
${offered > 0 ? denyChoice : ""}<button class="no">Deny</button></form>
</div></section>`;
}

function yesButtons(offered: number): string {
	if (offered === 0) return `<button class="yes">Approve</button>`;
	return `<button class="yes" name="rows" value="ticked">Approve the held call and <span class="count">the ticked</span> of ${offered} ${offered === 1 ? "row" : "rows"}</button>
<button class="plain" name="rows" value="none">Approve the held call alone</button>`;
}

const denyChoice = `<label class="check"><input type="radio" name="rows" value="all" checked> All of what the program would do</label>
<label class="check"><input type="radio" name="rows" value="none"> The held call alone; the rest is asked about when it comes</label>
`;
