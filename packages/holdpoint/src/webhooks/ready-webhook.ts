import { digest } from "../kit/digest.ts";
import { HoldpointError } from "../spec/errors.ts";
import { fixedLimits } from "../spec/limits.ts";
import { type Webhook, type WebhookEvent, webhookEvents } from "../spec/webhooks.ts";

/** A webhook that was looked at before it is believed. */
export interface ReadyWebhook extends Pick<Webhook, "link"> {
	/** From its URL: what is pending for it is kept under this. */
	readonly id: string;
	readonly url: URL;
	readonly keys: readonly Buffer[];
	readonly events: ReadonlySet<WebhookEvent>;
	readonly hasArguments: boolean;
	readonly timeoutMs: number;
}

/** Errors: `config.invalid`; no message says a secret. */
export function readyWebhooks(webhooks: readonly Webhook[]): readonly ReadyWebhook[] {
	if (!Array.isArray(webhooks)) throw invalid("webhooks", "is no list");
	const ready = webhooks.map((webhook, at) => readyWebhook(webhook, `webhooks[${at}]`));
	const twice = ready.findIndex(({ id }, at) => ready.findIndex((other) => other.id === id) < at);
	if (twice >= 0) throw invalid(`webhooks[${twice}].url`, "is there twice");
	return ready;
}

function readyWebhook(webhook: Webhook, place: string): ReadyWebhook {
	const {
		url,
		secret,
		events = webhookEvents,
		payload = "none",
		link,
		timeoutMs = fixedLimits.webhookTimeoutMs,
	} = webhook;
	const secrets = typeof secret === "string" ? [secret] : secret;
	if (!Array.isArray(secrets) || secrets.length === 0) throw invalid(`${place}.secret`, "is missing");
	const keys = secrets.map((each, at) => keyOf(each, `${place}.secret[${at}]`));
	const unknown = Array.isArray(events) ? events.find((event) => !webhookEvents.includes(event)) : events;
	if (unknown !== undefined)
		throw invalid(`${place}.events`, `names ${JSON.stringify(unknown)}; known: ${webhookEvents.join(", ")}`);
	if (payload !== "none" && payload !== "arguments")
		throw invalid(`${place}.payload`, 'is neither "none" nor "arguments"');
	if (!(timeoutMs >= 1 && timeoutMs <= 120_000)) throw invalid(`${place}.timeoutMs`, "is no time up to 2 minutes");
	const parsed = urlOf(url, `${place}.url`);
	const id = digest(parsed.href).replace(/[-_]/g, "").slice(0, 12).toLowerCase();
	const hasArguments = payload === "arguments";
	return { id, url: parsed, keys, events: new Set(events), hasArguments, timeoutMs, ...(link ? { link } : {}) };
}

function keyOf(secret: unknown, place: string): Buffer {
	const text = typeof secret === "string" ? /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret)?.[1] : undefined;
	const key = Buffer.from(text ?? "", "base64");
	if (key.length >= 24 && key.length <= 64) return key;
	throw invalid(
		place,
		"is not `whsec_` and 24 to 64 bytes in base64",
		"Make one with `openssl rand -base64 32`, and put `whsec_` before it.",
	);
}

function urlOf(url: unknown, place: string): URL {
	const parsed = typeof url === "string" ? URL.parse(url) : null;
	if (!parsed) throw invalid(place, "is no URL");
	if (parsed.username !== "" || parsed.password !== "") throw invalid(place, "carries a user or a password");
	const isHere = /^(localhost|127\.0\.0\.1|\[::1\])$/.test(parsed.hostname);
	if (parsed.protocol === "https:" || (parsed.protocol === "http:" && isHere)) return parsed;
	throw invalid(place, `begins with ${parsed.protocol}//: only https is sent to other machines`);
}

function invalid(place: string, what: string, hint?: string): HoldpointError {
	return new HoldpointError("config.invalid", `${place} ${what}`, hint === undefined ? {} : { hint });
}
