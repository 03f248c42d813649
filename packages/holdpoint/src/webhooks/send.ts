/** One attempt to deliver one message, as Standard Webhooks 1.0 wants it. */
import { createHmac } from "node:crypto";
import { reasonOf } from "../kit/reason-of.ts";
import type { ReadyWebhook } from "./ready-webhook.ts";

/** What the receiver verifies: `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`, one for each key. */
export function signatureOf(
	keys: readonly Buffer[],
	{ id, timestamp, body }: { readonly id: string; readonly timestamp: number; readonly body: string },
): string {
	const sign = (key: Buffer): string => createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
	return keys.map((key) => `v1,${sign(key)}`).join(" ");
}

export interface Attempt {
	readonly id: string;
	readonly body: string;
	/** Milliseconds since 1970. */
	readonly now: number;
	readonly signal: AbortSignal;
}

/** Why it was not taken, and how long the receiver wants to be left alone; undefined: it was taken. Never rejects. */
export async function send(
	webhook: Pick<ReadyWebhook, "url" | "keys" | "timeoutMs">,
	{ id, body, now, signal }: Attempt,
): Promise<{ readonly why: string; readonly waitMs: number } | undefined> {
	const timestamp = Math.floor(now / 1_000);
	try {
		const response = await fetch(webhook.url, {
			method: "POST",
			headers: {
				"content-type": "application/json",
				"user-agent": "holdpoint",
				"webhook-id": id,
				"webhook-timestamp": String(timestamp),
				"webhook-signature": signatureOf(webhook.keys, { id, timestamp, body }),
			},
			body,
			redirect: "manual",
			signal: AbortSignal.any([signal, AbortSignal.timeout(webhook.timeoutMs)]),
		});
		// What it says besides its status is of no interest, however long it is.
		await response.body?.cancel();
		return response.ok ? undefined : { why: `it answered ${response.status}`, waitMs: waitOf(response) };
	} catch (error) {
		const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
		return { why: `${reasonOf(error)}${cause}`.slice(0, 300), waitMs: 0 };
	}
}

const dayMs = 24 * 3_600_000;

function waitOf({ headers }: Response): number {
	const seconds = Number(headers.get("retry-after") ?? 0);
	return seconds > 0 ? Math.min(seconds * 1_000, dayMs) : 0;
}
