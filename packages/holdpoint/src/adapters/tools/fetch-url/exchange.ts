/**
 * One request and its answer, over a connection to an address that was looked at: the name is resolved once, every address of
 * it must be allowed, and the connection goes to one of those. Nothing is kept open, and no proxy stands between.
 */
import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import { timerMsMax } from "../../../kit/clock.ts";
import { inTime } from "../../../kit/in-time.ts";
import { reasonOf } from "../../../kit/reason-of.ts";
import { isPublicAddress } from "./public-address.ts";

/** What a test puts in the place of the world. */
export interface Network {
	resolve(host: string): Promise<readonly LookupAddress[]>;
	isAllowed(address: string): boolean;
}

export const internet: Network = {
	resolve: (host) => lookup(host, { all: true, verbatim: true }),
	isAllowed: isPublicAddress,
};

export interface Exchange {
	readonly url: URL;
	readonly method: string;
	readonly body?: { readonly text: string; readonly type: string };
	readonly headerBytesMax: number;
	readonly bodyBytesMax: number;
	readonly network: Network;
	readonly signal: AbortSignal;
}

export interface Answer {
	readonly status: number;
	readonly location: string | undefined;
	readonly type: string;
	/** What came, unpacked. Undefined: the method or the status has none, or `wants` did not want it. */
	readonly body: Buffer | undefined;
	/** There was more. */
	readonly isCut: boolean;
	/** Why the body is not whole, and not because there was too much of it. */
	readonly problem?: string;
}

/** What was not sent has certainly done nothing. */
export class NotSent extends Error {}

export type AnswerHead = Pick<Answer, "status" | "location" | "type">;

/**
 * `wants`: whether the body is read. Errors, all of them before there is an answer: `NotSent`; the signal's reason; what went
 * wrong with the connection.
 */
export async function exchange(what: Exchange, wants: (head: AnswerHead) => boolean): Promise<Answer> {
	const addresses = await checkedAddresses(what);
	const message = await send(what, addresses);
	try {
		const { statusCode = 0, headers } = message;
		const head = { status: statusCode, location: headers.location, type: headers["content-type"] ?? "" };
		if (what.method === "HEAD" || !wants(head)) return { ...head, body: undefined, isCut: false };
		return { ...head, ...(await readBody(message, what)) };
	} finally {
		message.destroy();
	}
}

async function checkedAddresses({ url, network, signal }: Exchange): Promise<readonly LookupAddress[]> {
	const { hostname } = url;
	let addresses: readonly LookupAddress[];
	try {
		addresses = await inTime(network.resolve(hostname), hostname, { timeoutMs: timerMsMax, signal });
	} catch (cause) {
		signal.throwIfAborted();
		throw new NotSent(`${hostname} was not found`, { cause });
	}
	if (addresses.length === 0) throw new NotSent(`${hostname} has no address`);
	// One that is not allowed among others is no mistake of theirs.
	const wrong = addresses.find(({ address }) => !network.isAllowed(address));
	if (wrong) throw new NotSent(`${hostname} leads to ${wrong.address}, which is no address of the public internet`);
	return addresses;
}

function send(what: Exchange, addresses: readonly LookupAddress[]): Promise<IncomingMessage> {
	const { url, method, body, headerBytesMax: maxHeaderSize, signal } = what;
	const isSecure = url.protocol === "https:";
	const agent = isSecure ? new HttpsAgent({ keepAlive: false }) : new HttpAgent({ keepAlive: false });
	const options: RequestOptions = {
		method,
		agent,
		signal,
		maxHeaderSize,
		headers: {
			"user-agent": "holdpoint-fetch-url",
			accept: "text/html, text/plain, application/json, text/*;q=0.9, */*;q=0.1",
			"accept-encoding": "gzip, deflate, br",
			...(body ? { "content-type": body.type, "content-length": Buffer.byteLength(body.text) } : {}),
		},
		// The addresses that were looked at, and no others.
		lookup: (_host, { all }, found) => {
			const [first] = addresses;
			if (all) found(null, [...addresses]);
			else found(null, first?.address ?? "", first?.family);
		},
	};
	const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
	let isConnected = false;
	const request = (isSecure ? httpsRequest : httpRequest)(url, options);
	request.once("socket", (socket) => socket.once(isSecure ? "secureConnect" : "connect", () => (isConnected = true)));
	request.once("response", resolve);
	const fail = (error: Error): void => {
		if (signal.aborted && isConnected) return reject(signal.reason);
		reject(isConnected ? error : new NotSent(`${url.host} could not be reached: ${error.message}`, { cause: error }));
	};
	request.on("error", fail);
	// Neither is an error to Node, and no answer comes after it.
	request.once("upgrade", (_, socket) => {
		socket.destroy();
		fail(new Error(`${url.host} answers 101: it wants to go on in another protocol`));
	});
	request.once("close", () => fail(new Error(`${url.host} closed the connection without an answer`)));
	signal.addEventListener("abort", () => fail(new Error("it was stopped")), { once: true });
	request.end(body?.text);
	return promise;
}

type Body = Pick<Answer, "body" | "isCut" | "problem">;

/** Reads no more than `bodyBytesMax`, packed and unpacked. */
async function readBody(message: IncomingMessage, { bodyBytesMax }: Exchange): Promise<Body> {
	const packing = message.headers["content-encoding"]?.trim().toLowerCase() || "identity";
	const unpack = unpackers[packing]?.();
	if (!unpack && packing !== "identity")
		return { body: undefined, isCut: false, problem: `it is packed as ${packing.slice(0, 40)}, which is not read` };
	const parts: Buffer[] = [];
	if (unpack) feed(unpack, message, bodyBytesMax);
	let bytes = 0;
	try {
		for await (const part of (unpack ?? message) as AsyncIterable<Buffer>) {
			const room = bodyBytesMax - bytes;
			parts.push(part.subarray(0, room));
			bytes += part.length;
			if (part.length > room) return { body: Buffer.concat(parts), isCut: true };
		}
	} catch (error) {
		const body = Buffer.concat(parts);
		return error === tooMuch
			? { body, isCut: true }
			: { body, isCut: false, problem: `it broke off: ${reasonOf(error)}` };
	} finally {
		unpack?.destroy();
	}
	return { body: Buffer.concat(parts), isCut: false };
}

/** The packed bytes are counted too: a stream may unpack to nothing for ever. */
function feed(unpack: Unpack, message: IncomingMessage, bytesMax: number): void {
	let bytes = 0;
	message.on("data", (part: Buffer) => {
		bytes += part.length;
		if (bytes >= bytesMax) unpack.destroy(tooMuch);
	});
	message.on("error", (error) => unpack.destroy(error)).pipe(unpack);
}

type Unpack = ReturnType<typeof createGunzip>;
const tooMuch = new Error("more bytes than are read");
const unpackers: Readonly<Record<string, (() => Unpack) | undefined>> = Object.assign(Object.create(null), {
	gzip: createGunzip,
	"x-gzip": createGunzip,
	deflate: createInflate,
	br: createBrotliDecompress,
});
