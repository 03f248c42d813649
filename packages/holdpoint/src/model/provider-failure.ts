import { fixedLimits } from "../spec/limits.ts";
import { AnswerInvalid, isFields } from "./answer-builder.ts";
import { AttemptTimedOut } from "./attempt.ts";
import { redact } from "./redact.ts";

/** What went wrong in one attempt, and what may be done about it. */
export interface ProviderFailure {
	/**
	 * `refused`: the same request fails again. `unavailable`: nothing was answered. `invalid`: what was answered
	 * cannot be used.
	 */
	readonly kind: "refused" | "unavailable" | "invalid";
	/** For people. Bounded, without secrets. */
	readonly message: string;
	/** HTTP status, where there is one. */
	readonly status?: number;
	/** The provider's own word for it, such as `rate_limit_error`. */
	readonly type?: string;
	/** The prompt is longer than what the model reads. */
	readonly isTooLong?: true;
	/** How long the provider wants to be left alone. */
	readonly retryAfterMs?: number;
	/** The error itself. May hold what people must not read. */
	readonly cause: unknown;
}

type Fields = { readonly [name: string]: unknown };

const messageCharsMax = 600;
/** No provider is obeyed for longer than this. */
const { retryAfterMsMax } = fixedLimits;

const hopeless: ReadonlySet<number> = new Set([400, 401, 403, 404, 422]);
const passing: ReadonlySet<number> = new Set([408, 409, 425, 429]);

/** Errors of AI SDK providers are known by name: their classes may come from any installed copy. */
const configErrors = /^AI_(Load(APIKey|Setting)|Invalid(Prompt|Argument)|Unsupported\w+|NoSuch(Model|Provider))Error$/;
const dataErrors = /^AI_(JSONParse|TypeValidation|InvalidResponseData|EmptyResponseBody|NoContentGenerated)Error$/;
/** Words of error frames inside a stream, which carry no status. */
const hopelessTypes = /authentication|permission|not_found|invalid|context_length|too_large|unsupported/;
/** How providers say it: in a word of theirs, or to people alone. Only of requests that they refused. */
const tooLong =
	/context[_ ]?(length|window|size|limit)|(prompt|input)( length)? (is )?too long|maximum prompt length|prompt contains \d+ tokens|input token count|reduce the length|request_too_large/i;
/** A rate limit that no waiting lifts. */
const outOfMoney = /insufficient_quota|billing/;

/**
 * Sorts an error of a provider by its looks: `statusCode`, `isRetryable`, `responseHeaders`, `data` and `cause`, as
 * AI SDK providers, HTTP clients and error frames in a stream have them. What nobody knows may be tried again: a model
 * call has no effect but its price.
 */
export function providerFailure(error: unknown, nowMs: number, secrets: readonly string[]): ProviderFailure {
	const chain = causes(error);
	const status = first(chain, statusOf);
	const type = first(chain, typeOf);
	const retryAfterMs = first(chain, (link) => retryAfterOf(link, nowMs));
	const kind = kindOf(chain, status, type);
	const said = messageOf(error, chain);
	const isTooLong = kind === "refused" && status !== 401 && status !== 403 && tooLong.test(`${type ?? ""} ${said}`);
	return {
		kind,
		cause: error,
		message: redact(said, secrets).slice(0, messageCharsMax),
		...(status === undefined ? undefined : { status }),
		...(type === undefined ? undefined : { type: redact(type, secrets).slice(0, 64) }),
		...(isTooLong ? { isTooLong } : undefined),
		...(retryAfterMs === undefined ? undefined : { retryAfterMs }),
	};
}

function kindOf(
	chain: readonly Fields[],
	status: number | undefined,
	type: string | undefined,
): ProviderFailure["kind"] {
	if (chain[0] instanceof AnswerInvalid) return "invalid";
	if (chain[0] instanceof AttemptTimedOut) return "unavailable";
	if (type !== undefined && outOfMoney.test(type)) return "refused";
	if (status !== undefined) {
		if (hopeless.has(status)) return "refused";
		if (passing.has(status) || status >= 500) return "unavailable";
	}
	if (first(chain, (link) => (typeof link.isRetryable === "boolean" ? link.isRetryable : undefined)))
		return "unavailable";
	const names = chain.map((link) => String(link.name));
	if (names.some((name) => configErrors.test(name))) return "refused";
	if (names.some((name) => dataErrors.test(name))) return "invalid";
	// The request went well and its answer could not be read.
	if (status !== undefined) return status < 300 ? "invalid" : "refused";
	return type !== undefined && hopelessTypes.test(type) ? "refused" : "unavailable";
}

/** The error and what is behind it, outermost first. */
function causes(error: unknown): readonly Fields[] {
	const chain: Fields[] = [];
	let link = error;
	while (isFields(link) && chain.length < 8 && !chain.includes(link)) {
		chain.push(link);
		link = link.cause ?? link.lastError ?? link.error;
	}
	return chain;
}

function first<T>(chain: readonly Fields[], find: (link: Fields) => T | undefined): T | undefined {
	for (const link of chain) {
		const found = find(link);
		if (found !== undefined) return found;
	}
	return undefined;
}

function statusOf(link: Fields): number | undefined {
	for (const value of [link.statusCode, link.status, link.code]) {
		const status = typeof value === "string" && /^\d{3}$/.test(value) ? Number(value) : value;
		if (typeof status === "number" && Number.isInteger(status) && status >= 200 && status <= 599) return status;
	}
	return undefined;
}

/** `insufficient_quota` and the like say more as a code than their type does. */
function typeOf(link: Fields): string | undefined {
	const data = isFields(link.data) ? link.data : {};
	const told = isFields(data.error) ? data.error : link;
	const words = [told.code, told.type].filter((word) => typeof word === "string" && /^[a-z][a-z_.-]+$/.test(word));
	return words.length === 0 ? undefined : words.join(" ");
}

function messageOf(error: unknown, chain: readonly Fields[]): string {
	const told = first(chain, (link) =>
		typeof link.message === "string" && link.message !== "" ? link.message : undefined,
	);
	return (told ?? (typeof error === "string" ? error : "")) || "the provider gave no reason";
}

function retryAfterOf(link: Fields, nowMs: number): number | undefined {
	const read = headerReader(link.responseHeaders ?? link.headers);
	const ms = parseMs(read("retry-after-ms")) ?? parseSecondsOrDate(read("retry-after"), nowMs);
	return ms === undefined ? undefined : Math.min(Math.max(0, Math.ceil(ms)), retryAfterMsMax);
}

function headerReader(headers: unknown): (name: string) => string | undefined {
	if (!isFields(headers)) return () => undefined;
	if (headers instanceof Headers) return (name) => headers.get(name) ?? undefined;
	return (name) => {
		const found = Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
		return typeof found === "string" || typeof found === "number" ? String(found) : undefined;
	};
}

function parseMs(value: string | undefined): number | undefined {
	return value !== undefined && /^\s*\d+(\.\d+)?\s*$/.test(value) ? Number(value) : undefined;
}

function parseSecondsOrDate(value: string | undefined, nowMs: number): number | undefined {
	if (value === undefined) return undefined;
	const seconds = parseMs(value);
	if (seconds !== undefined) return seconds * 1_000;
	const date = /[a-z]/i.test(value) ? Date.parse(value) : Number.NaN;
	return Number.isNaN(date) ? undefined : date - nowMs;
}
