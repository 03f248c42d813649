/** What somebody sent as an answer, looked at before it is believed. */
import { fixedLimits } from "../spec/limits.ts";

export interface Answer {
	readonly decision: "approve" | "deny";
	readonly reason: string;
	/** Rows of the rehearsal, from 0, that are answered with the held call. */
	readonly rows: readonly number[] | "all";
	/** Digest of the rehearsal that was shown; empty: none was. */
	readonly rehearsal: string;
	/** It came from the page, which shows a part of a long rehearsal. */
	readonly isForm: boolean;
}

/** `refused`: the request is none. `problem`: something is missing that the person can say; `draft` is what was said. */
export type ReadAnswer =
	| Answer
	| { readonly refused: string; readonly status: number }
	| { readonly problem: string; readonly draft: Draft };

/** What a person sees again where something is missing. */
export type Draft = Pick<Answer, "decision" | "reason" | "rows">;

const bytesMax = 16_384;
const reasonCharsMax = 2_000;
const digestCharsMax = 200;

/** Never rejects for what was sent. */
export async function readAnswer(request: Request): Promise<ReadAnswer> {
	const type = (request.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase();
	const isForm = type === "application/x-www-form-urlencoded";
	if (!isForm && type !== "application/json")
		return { refused: "An answer is a form (application/x-www-form-urlencoded) or application/json.", status: 415 };
	const text = await readText(request);
	if (text === undefined) return { refused: `An answer has at most ${bytesMax} bytes.`, status: 413 };
	const fields = isForm ? formFields(new URLSearchParams(text)) : parsed(text);
	if (fields === undefined) return { refused: "This is no JSON object.", status: 400 };
	return checked(fields, isForm);
}

/** Of the page: `rows` says whether the boxes that are ticked count, or all of it, or the held call alone. */
function formFields(form: URLSearchParams): Record<string, unknown> {
	const { rows, row: _, ...fields } = Object.fromEntries(form);
	if (rows === "all") return { ...fields, rows };
	const ticked = form.getAll("row").map((row) => (/^\d{1,6}$/.test(row) ? Number(row) : row));
	return rows === "ticked" ? { ...fields, rows: ticked } : fields;
}

function checked(fields: Record<string, unknown>, isForm: boolean): ReadAnswer {
	const { decision, reason = "", confirmed, rows = [], rehearsal = "" } = fields;
	if (decision !== "approve" && decision !== "deny")
		return { refused: 'An answer has a `decision`: "approve" or "deny".', status: 400 };
	if (rows !== "all" && !areRows(rows))
		return { refused: 'The `rows` of an answer are "all", or numbers of rows from 0 on.', status: 400 };
	if (typeof rehearsal !== "string" || rehearsal.length > digestCharsMax)
		return { refused: "The `rehearsal` of an answer is the digest of what was shown.", status: 400 };
	const draft = { decision, reason: "", rows } as const;
	if (typeof reason !== "string" || reason.length > reasonCharsMax)
		return { problem: `A reason is a text of at most ${reasonCharsMax} characters.`, draft };
	const said = { ...draft, reason: reason.trim() };
	if (decision === "approve" && confirmed !== "yes" && confirmed !== true)
		return { problem: "Confirm that you have read what would be executed (confirmed).", draft: said };
	if (decision === "deny" && said.reason === "")
		return { problem: "Say why: the agent reads the reason.", draft: said };
	return { ...said, rehearsal, isForm };
}

function areRows(rows: unknown): rows is readonly number[] {
	const isRow = (row: unknown) => Number.isInteger(row) && (row as number) >= 0;
	return Array.isArray(rows) && rows.length <= fixedLimits.rehearsalCallsMax && rows.every(isRow);
}

function parsed(text: string): Record<string, unknown> | undefined {
	try {
		const value: unknown = JSON.parse(text);
		return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
	} catch {
		return undefined;
	}
}

/** Undefined: it is too long. No more than that is read. */
async function readText({ body }: Request): Promise<string | undefined> {
	const parts: Uint8Array[] = [];
	let size = 0;
	for await (const part of body ?? []) {
		size += part.byteLength;
		if (size > bytesMax) return undefined;
		parts.push(part);
	}
	return Buffer.concat(parts).toString("utf8");
}
