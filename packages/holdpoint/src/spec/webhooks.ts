import type { Approver } from "./approver.ts";
import type { ErrorCode } from "./errors.ts";
import type { RunFailureCode } from "./events.ts";
import type { Json } from "./json.ts";

/** Somewhere that is told, signed as Standard Webhooks wants it, what waits for people and how runs stand. */
export interface Webhook {
	/** Only `https:`, but for this machine itself. */
	readonly url: string;
	/** `whsec_` and 24 to 64 bytes in base64. Of several each one signs, so that the receiver can change over. */
	readonly secret: string | readonly string[];
	/** Default: all of them. */
	readonly events?: readonly WebhookEvent[];
	/** `none` (default): nothing of what a call says leaves, nor what follows from it. `arguments`: arguments and reasons, too. */
	readonly payload?: "none" | "arguments";
	/** Where a person looks at it, or answers. One that throws is left out. */
	readonly link?: (about: { readonly run: string; readonly approval?: string }) => string | undefined;
	/** Default 15 s. Milliseconds. */
	readonly timeoutMs?: number;
}

export const webhookEvents = [
	"approval.requested",
	"approval.escalated",
	"approval.resolved",
	"approval.closed",
	"run.waiting",
	"run.finished",
] as const;

export type WebhookEvent = (typeof webhookEvents)[number];

/** What is sent. The same event has the same `webhook-id` however often it comes. */
export interface WebhookMessage {
	readonly type: WebhookEvent;
	/** When it happened, ISO 8601. */
	readonly timestamp: string;
	readonly data: WebhookData;
}

export interface WebhookData {
	readonly run: string;
	readonly agent: string;
	readonly session?: string;
	/** On whose behalf; only with `payload: "arguments"`, like every reason and argument. */
	readonly principal?: string;
	readonly approval?: string;
	readonly call?: string;
	readonly tool?: string;
	readonly args?: Json;
	readonly reason?: string;
	/** Who must answer: how many people, of which roles. */
	readonly roles?: readonly string[];
	readonly count?: number;
	readonly expiresAt?: string;
	readonly answer?: "approve" | "deny" | "edit";
	readonly by?: Pick<Approver, "id" | "via">;
	/** More answers are needed. */
	readonly open?: true;
	/** Of `approval.closed`. */
	readonly why?: "expired" | "cancelled";
	/** Of `run.waiting`: what for. */
	readonly waits?: readonly {
		readonly kind: "approval" | "unknown" | "timer" | "user";
		readonly approval?: string;
		readonly call?: string;
	}[];
	/** Of `run.finished`. */
	readonly status?: "completed" | "failed" | "cancelled";
	readonly error?: RunFailureCode | ErrorCode;
	readonly link?: string;
}
