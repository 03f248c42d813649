/**
 * Decision links: a page for one person on which one held call is read and answered.
 *
 * 1. GET shows and never decides, so that whatever looks at links ahead of people decides nothing. POST decides, after a
 *    confirmation, and only for the call that the link was made for: one that changed since is not answered.
 * 2. A link is used up with its answer: a person counts once for a question, and a question that is answered is closed.
 *    No list of used links is kept.
 * 3. What a program would do is approved by row, bound to the digest of the rehearsal that was shown; of a long one the
 *    page shows a part, and no yes given there is for another row.
 * 4. It answers as the person whom its maker named. Whether that person's answer counts, the run judges like any other.
 */
import { reasonOf } from "../kit/reason-of.ts";
import type { Harness } from "../run/harness.ts";
import type { OpenApproval } from "../run/inbox.ts";
import { HoldpointError, isHoldpointError } from "../spec/errors.ts";
import { type Answer, type Draft, readAnswer } from "./decision-answer.ts";
import { pageHeaders, questionPage, wordPage } from "./decision-page.ts";
import { shownRows } from "./decision-rows.ts";
import {
	checkApprover,
	checkSecrets,
	type DecisionTicket,
	keyedDigests,
	openTicket,
	sealTicket,
} from "./decision-token.ts";

export interface DecisionLinksOptions {
	readonly harness: Pick<Harness, "approvals" | "approve" | "deny">;
	/** 32 characters or more. Of several the first signs and all verify. */
	readonly secret: string | readonly string[];
	/** Where `fetch` is mounted, as people reach it; a link is this, a slash and its token. */
	readonly baseUrl: string;
	/** Told when an answer was left: resume the run then, here or elsewhere. */
	readonly onAnswered?: (answered: { readonly run: string; readonly approval: string }) => unknown;
	/** Milliseconds since 1970. Default: the time of this machine. */
	readonly now?: () => number;
}

export interface DecisionLinks {
	/** For this person alone; never longer than the approval stays open. Default: as long. Errors: `approval.invalid`. */
	link(
		approval: Pick<OpenApproval, "approval" | "digest" | "expiresAt">,
		approver: string,
		options?: { readonly expiresInMs?: number },
	): string;
	/** Answers every request, and never rejects. */
	fetch(request: Request): Promise<Response>;
}

/** Errors: `config.invalid`. */
export function decisionLinks(options: DecisionLinksOptions): DecisionLinks {
	const { baseUrl, now = Date.now } = options;
	const secrets = checkSecrets(options.secret);
	const base = URL.parse(baseUrl);
	if (!base || !/^https?:$/.test(base.protocol)) {
		throw new HoldpointError(
			"config.invalid",
			`decisionLinks({ baseUrl }) is no address: ${String(baseUrl).slice(0, 200)}`,
		);
	}
	const place = { options, secrets, base, now };
	return {
		link(approval, approver, { expiresInMs = Number.POSITIVE_INFINITY } = {}) {
			checkApprover(approver);
			const expiresAt = Math.min(approval.expiresAt, now() + expiresInMs);
			const [digest = ""] = keyedDigests(approval.digest, secrets);
			const ticket = { approval: approval.approval, digest, approver, expiresAt };
			return `${base.href.replace(/\/$/, "")}/${sealTicket(ticket, secrets)}`;
		},
		fetch: async (request) => {
			const isJson = wantsJson(request);
			const reply = await answered(place, request).catch(failed);
			return respond(reply, { isJson, isHead: request.method === "HEAD" });
		},
	};
}

interface Place {
	readonly options: DecisionLinksOptions;
	readonly secrets: readonly string[];
	readonly base: URL;
	readonly now: () => number;
}

interface Reply {
	readonly status: number;
	readonly json: unknown;
	readonly html: string;
	readonly headers?: Readonly<Record<string, string>>;
}

/** In words, for people and for machines. */
function word(status: number, title: string, text: string): Reply {
	const json = status < 400 ? { message: text } : { error: { message: `${title}. ${text}` } };
	return { status, json, html: wordPage({ title, text, isWell: status < 400 }) };
}

const methods = "GET, HEAD, POST";

async function answered(place: Place, request: Request): Promise<Reply> {
	const { method } = request;
	if (!methods.split(", ").includes(method))
		return { ...word(405, "This cannot be done here", `Known: ${methods}.`), headers: { allow: methods } };
	const ticket = openTicket(new URL(request.url).pathname.split("/").at(-1) ?? "", place.secrets);
	if (!ticket) return word(404, "This link is not valid", "It was not made here, or a part of it is missing.");
	if (place.now() >= ticket.expiresAt)
		return word(
			410,
			"This link has expired",
			"Nothing was decided with it. Ask for a new one if the call still waits.",
		);
	const open = await questionOf(place, ticket);
	if ("status" in open) return open;
	return method === "POST" ? decide(place, request, { ticket, open }) : question(ticket, open, { status: 200 });
}

/** What is asked, or why this link is of no use for it. */
async function questionOf(
	{ options, secrets }: Place,
	{ approval, digest, approver }: DecisionTicket,
): Promise<OpenApproval | Reply> {
	const [open] = (await options.harness.approvals({ approval, limit: 2 })).filter((one) => one.approval === approval);
	if (!open)
		return word(410, "This is not open any more", "It was answered or withdrawn, it expired, or its run has ended.");
	if (open.problem !== undefined)
		return word(503, "This cannot be read now", "Its run does not verify. Nothing was decided.");
	if (!keyedDigests(open.digest, secrets).includes(digest))
		return word(
			409,
			"The call has changed",
			"It is not the one that this link was made for, so nothing is decided here. Ask for a new link.",
		);
	const isDone = open.answeredBy.some(({ id }) => id === approver) || open.unread.some(({ by }) => by.id === approver);
	if (isDone) return word(410, "You have answered", "Your answer is kept, and this link is used up.");
	return open;
}

interface Said {
	readonly status: number;
	readonly problem?: string;
	readonly draft?: Draft;
}

function question(ticket: DecisionTicket, open: OpenApproval, { status, problem, draft }: Said): Reply {
	const { approver, expiresAt } = ticket;
	const json = problem === undefined ? { approver, expiresAt, approval: open } : { error: { message: problem } };
	return { status, json, html: questionPage({ open, approver, expiresAt, problem, draft }) };
}

interface Deciding {
	readonly ticket: DecisionTicket;
	readonly open: OpenApproval;
}

async function decide(place: Place, request: Request, { ticket, open }: Deciding): Promise<Reply> {
	if (isForeign(request, place.base))
		return word(403, "This came from another page", "Open the link itself, and answer there. Nothing was decided.");
	const answer = await readAnswer(request);
	if ("refused" in answer) return word(answer.status, "Nothing was decided", answer.refused);
	if ("problem" in answer) return question(ticket, open, { status: 422, ...answer });
	const wrong = wrongRows(answer, { ticket, open });
	return wrong ?? leave(place, { ticket, open }, answer);
}

/** Invariant 3: why these rows are not answered here. */
function wrongRows({ decision, rows, rehearsal, isForm }: Answer, { ticket, open }: Deciding): Reply | undefined {
	if (rows !== "all" && rows.length === 0) return undefined;
	if (rehearsal !== open.rehearsal?.digest) {
		const what = "What the program would do is not what was shown here: it was found out anew.";
		return word(409, "Nothing was decided", `${what} Open the link again, and answer what it shows now.`);
	}
	if (decision === "deny" || !isForm) return undefined;
	const shown = shownRows(open, ticket.approver);
	const unseen = rows === "all" ? 0 : rows.find((row) => !shown[row]?.isOffered);
	if (unseen === undefined) return undefined;
	const what = `Row ${unseen + 1} cannot be approved on this page.`;
	return word(400, "Nothing was decided", `${what} Open the link again, and answer what it shows.`);
}

/** A browser says where a form was sent from. */
function isForeign({ headers }: Request, base: URL): boolean {
	const origin = headers.get("origin");
	const site = headers.get("sec-fetch-site");
	return (origin !== null && origin !== base.origin) || (site !== null && site !== "same-origin" && site !== "none");
}

async function leave({ options }: Place, { ticket, open }: Deciding, answer: Answer): Promise<Reply> {
	const { approval, approver } = ticket;
	const { decision, reason, rows, rehearsal } = answer;
	const { harness, onAnswered } = options;
	const isByRow = rows === "all" || rows.length > 0;
	const said = {
		by: { id: approver, via: "link" },
		// The ticket's is of the same call: `questionOf`.
		digest: open.digest,
		...(reason === "" ? {} : { reason }),
		...(isByRow ? { rows, rehearsal } : {}),
	};
	try {
		const left = decision === "approve" ? await harness.approve(approval, said) : await harness.deny(approval, said);
		tell(onAnswered, left);
		const text = decision === "approve" ? yesText(rows, open) : noText(rows);
		return { ...word(200, decision === "approve" ? "Approved" : "Denied", text), json: { ...left, decision } };
	} catch (error) {
		if (!isHoldpointError(error)) throw error;
		const status = {
			"approval.forbidden": 403,
			"approval.invalid": 409,
			"approval.closed": 410,
			"approval.unknown": 410,
		}[error.code as string];
		if (status === undefined) throw error;
		return word(status, "Nothing was decided", `${error.message}. ${error.hint}`);
	}
}

function yesText(rows: Answer["rows"], { rehearsal }: OpenApproval): string {
	if (!rehearsal) return "You said yes. It is executed when its run goes on.";
	const what =
		rows === "all"
			? "all that the program would do"
			: `the held call${rows.length > 0 ? ` and ${rows.length} more` : ""}`;
	return `You said yes to ${what}. It is executed when its run goes on; whatever else the program does is asked about then.`;
}

function noText(rows: Answer["rows"]): string {
	return rows === "all"
		? "You said no to all that the program would do. None of it is executed."
		: "You said no. It is not executed.";
}

/** What comes of it is its own business: the answer is left. */
function tell(onAnswered: DecisionLinksOptions["onAnswered"], left: { run: string; approval: string }): void {
	const warn = (error: unknown): void =>
		process.emitWarning(`After the answer to ${left.approval} onAnswered failed: ${reasonOf(error)}`);
	try {
		const done: unknown = onAnswered?.(left);
		if (done instanceof Promise) done.catch(warn);
	} catch (error) {
		warn(error);
	}
}

/** The reason stays here: whoever has a link need not know how this machine is made. */
function failed(error: unknown): Reply {
	process.emitWarning(`A decision link could not be served: ${reasonOf(error)}`);
	return word(503, "This does not work now", "Nothing was decided. Try again in a while.");
}

function wantsJson({ headers }: Request): boolean {
	const accept = headers.get("accept") ?? "";
	return accept.includes("application/json") && !accept.includes("text/html");
}

function respond(
	{ status, json, html, headers = {} }: Reply,
	{ isJson, isHead }: { readonly isJson: boolean; readonly isHead: boolean },
): Response {
	const type = isJson ? "application/json" : "text/html; charset=utf-8";
	const body = isJson ? JSON.stringify(json) : html;
	return new Response(isHead ? null : body, { status, headers: { ...pageHeaders, "content-type": type, ...headers } });
}
