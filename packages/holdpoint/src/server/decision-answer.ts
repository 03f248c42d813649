/** What somebody sent as an answer, looked at before it is believed. */

export interface Answer {
	readonly decision: "approve" | "deny";
	readonly reason: string;
}

/** `refused`: the request is none. `problem`: something is missing that the person can say. */
export type ReadAnswer = Answer | { readonly refused: string; readonly status: number } | { readonly problem: string };

const bytesMax = 16_384;
const reasonCharsMax = 2_000;

/** Never rejects for what was sent. */
export async function readAnswer(request: Request): Promise<ReadAnswer> {
	const type = (request.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase();
	const isForm = type === "application/x-www-form-urlencoded";
	if (!isForm && type !== "application/json")
		return { refused: "An answer is a form (application/x-www-form-urlencoded) or application/json.", status: 415 };
	const text = await readText(request);
	if (text === undefined) return { refused: `An answer has at most ${bytesMax} bytes.`, status: 413 };
	const fields = isForm ? Object.fromEntries(new URLSearchParams(text)) : parsed(text);
	if (fields === undefined) return { refused: "This is no JSON object.", status: 400 };
	return checked(fields);
}

function checked({ decision, reason = "", confirmed }: Record<string, unknown>): ReadAnswer {
	if (decision !== "approve" && decision !== "deny")
		return { refused: 'An answer has a `decision`: "approve" or "deny".', status: 400 };
	if (typeof reason !== "string" || reason.length > reasonCharsMax)
		return { problem: `A reason is a text of at most ${reasonCharsMax} characters.` };
	if (decision === "approve" && confirmed !== "yes" && confirmed !== true)
		return { problem: "Confirm that you have read what would be executed (confirmed)." };
	if (decision === "deny" && reason.trim() === "") return { problem: "Say why: the agent reads the reason." };
	return { decision, reason: reason.trim() };
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
