import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import {
	type AddressInfo,
	createServer as createSocketServer,
	type Socket,
	type Server as SocketServer,
} from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { OutcomeUnknown } from "../../../tools/outcome-unknown.ts";
import { execute, toolContext } from "../files/file-scene.ts";
import type { Network } from "./exchange.ts";
import type { FetchedPage } from "./fetch-page.ts";
import { type FetchUrlOptions, fetchUrl, fetchUrlOver } from "./fetch-url.ts";

const open = new Set<Server | SocketServer>();
const sockets = new Set<Socket>();
afterEach(async () => {
	for (const socket of sockets) socket.destroy();
	await Promise.all([...open].map((server) => new Promise((resolve) => server.close(resolve))));
	open.clear();
	sockets.clear();
});

function listening<S extends Server | SocketServer>(server: S): Promise<number> {
	open.add(server);
	server.on("connection", (socket: Socket) => sockets.add(socket));
	return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)));
}

/** Of this world: `*.test` is this machine, `private.test` and `mixed.test` lead into a network nobody may reach. */
const asked: string[] = [];
const network: Network = {
	async resolve(host) {
		asked.push(host);
		const here = { address: "127.0.0.1", family: 4 };
		if (host === "private.test") return [{ address: "10.0.0.7", family: 4 }];
		if (host === "mixed.test") return [here, { address: "169.254.169.254", family: 4 }];
		if (host === "empty.test") return [];
		if (host === "nowhere.test") throw new Error("ENOTFOUND");
		return [here];
	},
	isAllowed: (address) => address === "127.0.0.1",
};

interface Site {
	readonly port: number;
	fetch(path: string, more?: object, options?: Partial<FetchUrlOptions>): Promise<FetchedPage>;
}

async function site(listener: RequestListener): Promise<Site> {
	const port = await listening(createServer(listener));
	return {
		port,
		fetch(path, more = {}, options = {}) {
			const domains = ["site.test", "private.test", "mixed.test", "empty.test", "nowhere.test"].map(
				(name) => `${name}:${port}`,
			);
			const tool = fetchUrlOver(network, { domains, canUseHttp: true, ...options });
			const url = path.startsWith("/") ? `http://site.test:${port}${path}` : path;
			return execute(tool, { url, ...more }) as Promise<FetchedPage>;
		},
	};
}

const html = (response: ServerResponse, text: string) =>
	response.setHeader("content-type", "text/html; charset=utf-8").end(text);

describe("what is fetched", () => {
	test("HTML as text, anything else that is text as it is", async () => {
		const { fetch, port } = await site((request, response) => {
			if (request.url === "/json")
				return void response.setHeader("content-type", "application/problem+json").end('{"a":1}');
			if (request.url === "/latin")
				return void response.setHeader("content-type", "text/plain; charset=latin1").end(Buffer.from([0xe4]));
			if (request.url === "/none") return void response.writeHead(404).end("plain");
			html(response, "<h1>Hello</h1><p>World");
		});
		const page = {
			url: `http://site.test:${port}/`,
			status: 200,
			contentType: "text/html; charset=utf-8",
			text: "# Hello\nWorld",
		};
		expect(await fetch("/")).toEqual(page);
		expect(await fetch("/json")).toMatchObject({ text: '{"a":1}' });
		expect(await fetch("/latin")).toMatchObject({ text: "ä" });
		expect(await fetch("/none")).toMatchObject({ status: 404, contentType: "", text: "plain" });
	});

	test.each([
		["gzip", gzipSync],
		["deflate", deflateSync],
		["br", brotliCompressSync],
	] as const)("what is packed with %s is unpacked", async (encoding, pack) => {
		const { fetch } = await site((_, response) => {
			response.writeHead(200, { "content-type": "text/plain", "content-encoding": encoding }).end(pack("hello"));
		});
		expect(await fetch("/")).toMatchObject({ text: "hello" });
	});

	test.each([
		["image/png", "", "and only text is read"],
		["text/plain", "a\0b", "NUL"],
		["text/plain; charset=klingon", "x", "written in klingon"],
	])("%s %j is refused", async (type, body, why) => {
		const { fetch } = await site((_, response) => response.setHeader("content-type", type).end(body));
		await expect(fetch("/")).rejects.toThrow(why);
	});

	test("the request says nothing that nobody asked it to say", async () => {
		let headers: object = {};
		const { fetch, port } = await site((request, response) => {
			headers = request.headers;
			html(response, "x");
		});
		await fetch("/");
		expect(headers).toEqual({
			host: `site.test:${port}`,
			"user-agent": "holdpoint-fetch-url",
			accept: expect.any(String),
			"accept-encoding": "gzip, deflate, br",
			connection: "close",
		});
	});
});

describe("addresses", () => {
	test.each([
		["private.test", "leads to 10.0.0.7, which is no address of the public internet"],
		["mixed.test", "leads to 169.254.169.254"],
		["empty.test", "has no address"],
		["nowhere.test", "was not found"],
	])("%s: nothing is sent", async (host, why) => {
		let requests = 0;
		const { fetch, port } = await site((_, response) => {
			requests++;
			html(response, "x");
		});
		await expect(fetch(`http://${host}:${port}/`)).rejects.toThrow(why);
		expect(requests).toBe(0);
	});

	test("a name is resolved once, and what it means afterwards is nothing to this connection", async () => {
		const { port } = await site((_, response) => html(response, "here"));
		let turn = 0;
		const rebinding: Network = {
			...network,
			resolve: async () => [{ address: turn++ === 0 ? "127.0.0.1" : "10.0.0.7", family: 4 }],
		};
		const tool = fetchUrlOver(rebinding, { domains: [`site.test:${port}`], canUseHttp: true });
		expect(await tool.execute({ url: `http://site.test:${port}/` }, toolContext())).toMatchObject({ text: "here" });
		expect(turn).toBe(1);
		await expect(tool.execute({ url: `http://site.test:${port}/` }, toolContext())).rejects.toThrow("10.0.0.7");
	});

	test("the tool as it is published reaches nothing of this machine", async () => {
		const { port } = await site((_, response) => html(response, "x"));
		// A name that leads here by every resolver: it is refused for its address, or is not found.
		const tool = fetchUrl({ domains: [`localhost.localdomain:${port}`], canUseHttp: true });
		await expect(tool.execute({ url: `http://localhost.localdomain:${port}/` }, toolContext())).rejects.toThrow(
			/no address of the public internet|was not found/,
		);
	});
});

describe("redirects", () => {
	const to = (location: string) =>
		site((request, response) => {
			if (request.url === "/end") return void html(response, "the end");
			response.writeHead(302, { location }).end();
		});

	test("are followed within what is allowed, each looked at like the first", async () => {
		const { fetch, port } = await to("/end");
		asked.length = 0;
		expect(await fetch("/")).toMatchObject({ url: `http://site.test:${port}/end`, text: "the end" });
		expect(asked).toEqual(["site.test", "site.test"]);
	});

	test.each([
		["http://127.0.0.1/", "names an address"],
		["http://[::1]/", "names an address"],
		["http://2130706433/", "names an address"],
		["http://evil.example/", "of a domain that is not allowed"],
		["//evil.example/", "of a domain that is not allowed"],
		["\\\\evil.example/", "of a domain that is not allowed"],
		["http://user:word@site.test/", "name or password"],
		["file:///etc/passwd", "does not begin with"],
		["http://", "no URL"],
	])("to %s are not", async (location, why) => {
		const { fetch } = await to(location);
		await expect(fetch("/")).rejects.toThrow(why);
	});

	test("to a name that leads to a private address are not", async () => {
		const port = await listening(
			createServer((request, response) => {
				response.writeHead(302, { location: `http://private.test:${request.socket.localPort}/` }).end();
			}),
		);
		const tool = fetchUrlOver(network, { domains: [`site.test:${port}`, `private.test:${port}`], canUseHttp: true });
		await expect(tool.execute({ url: `http://site.test:${port}/` }, toolContext())).rejects.toThrow(
			"leads to 10.0.0.7",
		);
	});

	test("I8: without an end are not", async () => {
		let count = 0;
		const { fetch } = await site((_, response) => response.writeHead(302, { location: `/${count++}` }).end());
		await expect(fetch("/")).rejects.toThrow("redirected more than 5 times");
		expect(count).toBe(6);
	});
});

describe("I8: answers without an end", () => {
	const limits = { bodyBytesMax: 100_000, textCharsMax: 1_000, fetchTimeoutMs: 10_000 };

	test("an endless body is cut", async () => {
		let gone: (() => void) | undefined;
		const isGone = new Promise<void>((resolve) => (gone = resolve));
		const { fetch } = await site((_, response) => {
			response.setHeader("content-type", "text/plain");
			const more = (): void =>
				void (response.write("x".repeat(10_000)) ? setImmediate(more) : response.once("drain", more));
			response.once("close", () => gone?.());
			more();
		});
		const page = await fetch("/", {}, { limits });
		expect(page).toMatchObject({ text: "x".repeat(1_000), truncated: true });
		await isGone;
	});

	test.each([
		["gzip", gzipSync],
		["br", brotliCompressSync],
	] as const)("a bomb of %s is not unpacked", async (encoding, pack) => {
		const bomb = pack(Buffer.alloc(50_000_000, 0x78));
		const { fetch } = await site((_, response) => {
			response.writeHead(200, { "content-type": "text/plain", "content-encoding": encoding }).end(bomb);
		});
		expect(await fetch("/", {}, { limits })).toMatchObject({ text: "x".repeat(1_000), truncated: true });
	});

	test("a stream that unpacks to nothing for ever is cut", async () => {
		const nothing = gzipSync("");
		const { fetch } = await site((_, response) => {
			response.writeHead(200, { "content-type": "text/plain", "content-encoding": "gzip" });
			const more = (): void => void (response.write(nothing) ? setImmediate(more) : response.once("drain", more));
			more();
		});
		expect(await fetch("/", {}, { limits })).toMatchObject({ text: "", truncated: true });
	});

	test("packing within packing, or an unknown one, is not unpacked", async () => {
		const { fetch } = await site((_, response) => {
			response.writeHead(200, { "content-type": "text/plain", "content-encoding": "gzip, gzip" }).end("x");
		});
		await expect(fetch("/")).rejects.toThrow("packed as gzip, gzip");
	});

	test.each([
		"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nab",
		"HTTP/1.1 200 OK\r\nx-slow: ",
		"",
	])("a server that stops after %j is given up", async (said) => {
		const port = await listening(createSocketServer((socket) => socket.on("error", () => undefined).write(said)));
		const tool = fetchUrlOver(network, {
			domains: [`site.test:${port}`],
			canUseHttp: true,
			limits: { fetchTimeoutMs: 200 },
		});
		const fetching = tool.execute({ url: `http://site.test:${port}/` }, toolContext());
		await expect(fetching).rejects.toThrow("It took longer than 200 ms");
	});

	test("I7: a server that wants another protocol is no answer", async () => {
		const said = "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n";
		const port = await listening(createSocketServer((socket) => socket.on("error", () => undefined).write(said)));
		const tool = fetchUrlOver(network, { domains: [`site.test:${port}`], canUseHttp: true, methods: ["GET", "POST"] });
		const ask = (more: object) => tool.execute({ url: `http://site.test:${port}/`, ...more }, toolContext());
		await expect(ask({})).rejects.toThrow("answers 101");
		await expect(ask({ method: "POST", body: "{}" })).rejects.toThrow(OutcomeUnknown);
	});

	test("headers without an end, and a line that is none, are failures", async () => {
		for (const said of [`HTTP/1.1 200 OK\r\n${`x: ${"y".repeat(1_000)}\r\n`.repeat(100)}`, "hello\r\n\r\n"]) {
			const port = await listening(createSocketServer((socket) => socket.on("error", () => undefined).end(said)));
			const tool = fetchUrlOver(network, { domains: [`site.test:${port}`], canUseHttp: true });
			await expect(tool.execute({ url: `http://site.test:${port}/` }, toolContext())).rejects.toThrow(
				/Parse|overflow/i,
			);
		}
	});

	test("a call that is stopped stops", async () => {
		const stop = new AbortController();
		const port = await listening(createServer(() => stop.abort(new Error("stopped"))));
		const tool = fetchUrlOver(network, { domains: [`site.test:${port}`], canUseHttp: true });
		await expect(tool.execute({ url: `http://site.test:${port}/` }, toolContext(stop.signal))).rejects.toThrow(
			"stopped",
		);
	});
});

describe("methods", () => {
	const methods = ["GET", "POST"] as const;

	test("what changes something is a write, and its body is sent as it is", async () => {
		let got = "";
		const { fetch } = await site((request, response) => {
			request
				.on("data", (part) => (got += part))
				.on("end", () => response.writeHead(201, { "content-type": "image/png" }).end("x"));
		});
		// Done is done, whatever comes back.
		const page = await fetch("/", { method: "POST", body: '{"a":1}' }, { methods });
		expect(page).toMatchObject({ status: 201, text: "", problem: expect.stringContaining("only text") });
		expect(got).toBe('{"a":1}');
		expect(fetchUrl({ domains: ["a.example"] }).effect).toBe("read");
		expect(fetchUrl({ domains: ["a.example"], methods: ["GET", "HEAD"] }).effect).toBe("read");
		expect(fetchUrl({ domains: ["a.example"], methods }).effect).toBe("write");
	});

	test("one that is not allowed is refused by the tool itself, and nothing is sent", async () => {
		const got: (string | undefined)[] = [];
		const { fetch, port } = await site((request, response) => {
			got.push(request.method);
			html(response, "x");
		});
		await expect(fetch("/", { method: "DELETE" }, { methods })).rejects.toThrow('expected "GET" or "POST"');
		const direct = (args: object, allowed: FetchUrlOptions["methods"]) => {
			const tool = fetchUrlOver(network, { domains: [`site.test:${port}`], canUseHttp: true, methods: allowed ?? [] });
			return tool.execute({ url: `http://site.test:${port}/`, ...args }, toolContext()) as Promise<unknown>;
		};
		await expect(direct({ method: "DELETE" }, methods)).rejects.toThrow("DELETE is not allowed here: GET, POST");
		await expect(direct({ method: "post" }, methods)).rejects.toThrow("is not allowed here");
		await expect(direct({ method: "POST" }, ["GET"])).rejects.toThrow("POST is not allowed here: GET");
		await expect(direct({}, ["POST"])).rejects.toThrow("GET is not allowed here: POST");
		expect(got).toEqual([]);
	});

	test("it is sent to no other place", async () => {
		const { fetch, port } = await site((_, response) => response.writeHead(307, { location: "/other" }).end());
		const page = await fetch("/", { method: "POST", body: "{}" }, { methods });
		expect(page).toMatchObject({ status: 307, location: "/other", url: `http://site.test:${port}/` });
	});

	test("I7: without an answer nobody knows whether it happened; what was never sent did not", async () => {
		const port = await listening(
			createSocketServer((socket) => socket.on("error", () => undefined).once("data", () => socket.destroy())),
		);
		const tool = fetchUrlOver(network, { domains: [`site.test:${port}`, "private.test"], canUseHttp: true, methods });
		const post = (url: string) => tool.execute({ url, method: "POST", body: "{}" }, toolContext()) as Promise<unknown>;
		await expect(post(`http://site.test:${port}/`)).rejects.toThrow(OutcomeUnknown);
		await expect(post("http://private.test/")).rejects.not.toThrow(OutcomeUnknown);
		await expect(post(`http://site.test:1/`)).rejects.not.toThrow(OutcomeUnknown);
	});

	test("a HEAD has no text", async () => {
		const { fetch } = await site((_, response) => response.setHeader("content-type", "text/plain").end());
		expect(await fetch("/", { method: "HEAD" }, { methods: ["GET", "HEAD"] })).toMatchObject({ status: 200, text: "" });
	});

	test("the schema offers what there is and no more", () => {
		const fields = (options: Partial<FetchUrlOptions>) =>
			Object.keys(fetchUrl({ domains: ["a.example"], ...options }).inputSchema.properties ?? {});
		expect(fields({})).toEqual(["url"]);
		expect(fields({ methods: ["GET", "HEAD"] })).toEqual(["url", "method"]);
		expect(fields({ methods })).toEqual(["url", "method", "body", "bodyType"]);
	});

	test("what cannot work is an error at the start", () => {
		expect(() => fetchUrl({ domains: [] })).toThrow("it names no domain");
		expect(() => fetchUrl({ domains: ["10.0.0.1"] })).toThrow("is no domain");
		expect(() => fetchUrl({ domains: ["a.example"], methods: ["CONNECT" as "GET"] })).toThrow(
			"its methods are some of",
		);
		expect(() => fetchUrl({ domains: ["a.example"], limits: { redirectsMax: 0 } })).toThrow("redirectsMax");
	});
});

test("a certificate that nobody vouches for is refused", async (context) => {
	const folder = mkdtempSync(join(tmpdir(), "holdpoint-tls-"));
	try {
		const files = ["-keyout", join(folder, "key.pem"), "-out", join(folder, "cert.pem")];
		const args = [
			"req",
			"-x509",
			"-newkey",
			"ec",
			"-pkeyopt",
			"ec_paramgen_curve:P-256",
			"-nodes",
			"-subj",
			"/CN=site.test",
			"-days",
			"2",
		];
		if (spawnSync("openssl", [...args, ...files]).status !== 0) return context.skip("this machine has no openssl");
		const [key, cert] = ["key.pem", "cert.pem"].map((name) => readFileSync(join(folder, name)));
		let requests = 0;
		const server = createSecureServer({ key, cert }, (_, response) => {
			requests++;
			response.end("x");
		});
		const port = await listening(server);
		const tool = fetchUrlOver(network, { domains: [`site.test:${port}`] });
		await expect(tool.execute({ url: `https://site.test:${port}/` }, toolContext())).rejects.toThrow(
			"self-signed certificate",
		);
		expect(requests).toBe(0);
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
});

test("labels: results are a stranger's words, and the address is read by strangers", () => {
	expect(fetchUrl({ domains: ["a.example"] }).labels).toEqual({
		integrity: "untrusted",
		readers: ["everyone"],
		audience: ["everyone"],
	});
});
