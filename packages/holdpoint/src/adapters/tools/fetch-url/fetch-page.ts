import type { FetchLimits } from "../../../spec/limits.ts";
import { OutcomeUnknown } from "../../../tools/outcome-unknown.ts";
import { checkedUrl, type UrlRules } from "./checked-url.ts";
import { type Answer, type AnswerHead, exchange, type Network, NotSent } from "./exchange.ts";
import { readableText } from "./readable-text.ts";

export interface Fetching {
	readonly network: Network;
	readonly limits: FetchLimits;
	readonly methods: readonly string[];
	readonly rules: UrlRules;
}

export interface FetchArguments {
	readonly url: string;
	readonly method?: string;
	readonly body?: string;
	readonly bodyType?: string;
}

export interface FetchedPage {
	/** Where it was in the end. */
	readonly url: string;
	readonly status: number;
	readonly contentType: string;
	readonly text: string;
	/** There was more. */
	readonly truncated?: true;
	/** Of a redirect that was not followed. */
	readonly location?: string;
	/** Why there is no text, where the request itself was carried out. */
	readonly problem?: string;
}

/** Errors: one for the model; `OutcomeUnknown` where something was sent that changes things, and no answer came. */
export async function fetchPage(fetching: Fetching, args: FetchArguments, outer: AbortSignal): Promise<FetchedPage> {
	const { limits, rules, methods } = fetching;
	const { method = "GET" } = args;
	// The schema says so, too; whoever calls past it sends nothing either.
	if (!methods.includes(method)) throw new Error(`${method.slice(0, 20)} is not allowed here: ${methods.join(", ")}`);
	const url = checkedUrl(args.url, rules);
	const body = bodyOf(args, limits);
	const time = AbortSignal.timeout(limits.fetchTimeoutMs);
	const signal = AbortSignal.any([outer, time]);
	try {
		return await follow(fetching, { url, method, body, signal });
	} catch (error) {
		const why = time.aborted ? `It took longer than ${limits.fetchTimeoutMs} ms` : (error as Error).message;
		if (error instanceof NotSent || isSafe(method)) throw new Error(why, { cause: error });
		throw new OutcomeUnknown(`${why}; whether the ${method} was carried out is not known`, { cause: error });
	}
}

function bodyOf(
	{ method = "GET", body, bodyType = "application/json" }: FetchArguments,
	{ sentCharsMax }: FetchLimits,
) {
	if (body === undefined) return undefined;
	if (isSafe(method)) throw new Error(`${method} sends no body`);
	if (body.length > sentCharsMax)
		throw new Error(`The body has ${body.length} characters; the limit is ${sentCharsMax}`);
	if (!/^[\w.+-]+\/[\w.+-]+(; ?charset=[\w-]+)?$/.test(bodyType))
		throw new Error("bodyType is no type like application/json");
	return { text: body, type: bodyType };
}

function isSafe(method: string): boolean {
	return method === "GET" || method === "HEAD";
}

interface Request {
	readonly url: URL;
	readonly method: string;
	readonly body: ReturnType<typeof bodyOf>;
	readonly signal: AbortSignal;
}

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Each place is checked like the first one, its address too. What changes things is sent to no other place. */
async function follow({ network, limits, rules }: Fetching, request: Request): Promise<FetchedPage> {
	const { method, body, signal } = request;
	const { headerBytesMax, bodyBytesMax, textCharsMax, redirectsMax } = limits;
	let { url } = request;
	for (let count = 0; ; count++) {
		const what = { url, method, ...(body ? { body } : {}), headerBytesMax, bodyBytesMax, network, signal };
		const isFollowed = ({ status, location }: AnswerHead): boolean =>
			redirects.has(status) && location !== undefined && isSafe(method);
		const answer = await exchange(what, (head) => !isFollowed(head) && isText(head.type));
		if (!isFollowed(answer)) {
			const page = pageOf(answer, url, textCharsMax);
			if (page.problem === undefined || !isSafe(method)) return page;
			throw new Error(`${url.href} cannot be read (status ${page.status}): ${page.problem}`);
		}
		if (count >= redirectsMax) throw new Error(`It was redirected more than ${redirectsMax} times`);
		url = redirected(answer.location ?? "", url, rules);
	}
}

function redirected(location: string, from: URL, rules: UrlRules): URL {
	if (!URL.canParse(location, from.href)) throw new Error(`${from.host} redirects to what is no URL`);
	const to = new URL(location, from.href);
	to.hash = "";
	if (from.protocol === "https:" && to.protocol === "http:")
		throw new Error(`${from.host} redirects from https to http`);
	try {
		return checkedUrl(to.href, rules);
	} catch (error) {
		throw new Error(`${from.host} redirects: ${(error as Error).message}`, { cause: error });
	}
}

function isText(type: string): boolean {
	const [mime = ""] = type.toLowerCase().split(";");
	return type === "" || /^\s*(text\/.+|application\/(.+\+)?(json|xml|javascript|x-ndjson|yaml|x-yaml))\s*$/.test(mime);
}

function pageOf(answer: Answer, url: URL, textCharsMax: number): FetchedPage {
	const { status, location, type, body, isCut } = answer;
	const moved = location === undefined ? {} : { location: location.slice(0, 2_048) };
	const page = { url: url.href, status, contentType: type.slice(0, 200), ...moved };
	const read =
		answer.problem === undefined ? textOf(body, type, { url, charsMax: textCharsMax }) : { problem: answer.problem };
	if ("problem" in read) return { ...page, text: "", problem: read.problem };
	const isLong = read.text.length > textCharsMax;
	const text = isLong ? read.text.slice(0, textCharsMax).toWellFormed() : read.text;
	return { ...page, text, ...(isLong || isCut ? { truncated: true } : {}) };
}

/** `charsMax`: what is longer may be only the beginning. */
function textOf(
	body: Buffer | undefined,
	type: string,
	{ url, charsMax }: { readonly url: URL; readonly charsMax: number },
): { text: string } | { problem: string } {
	if (!isText(type)) return { problem: `it is ${JSON.stringify(type.slice(0, 100))}, and only text is read` };
	if (!body) return { text: "" };
	if (body.includes(0)) return { problem: "it is no text: it has a NUL byte" };
	const charset = /;\s*charset="?([\w.:-]{1,40})/i.exec(type)?.[1] ?? "utf-8";
	try {
		const text = new TextDecoder(charset).decode(body);
		return { text: /\bhtml\b/i.test(type) ? readableText(text, url.href, charsMax) : text };
	} catch {
		return { problem: `it is written in ${charset}, which is not known here` };
	}
}
