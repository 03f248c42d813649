import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import type { OpenApproval } from "../run/inbox.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { Ask, Decision, PolicyRequest } from "../spec/policy.ts";
import { sandboxUnderTest } from "../testing/sandbox-under-test.ts";
import { type StageOptions, stage } from "../testing/stage.ts";
import { call, program, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";
import { decisionLinks } from "./decision-links.ts";

const secret = "a secret of more than thirty-two characters";
const baseUrl = "https://app.test/decide";
const hourMs = 3_600_000;

interface Pay {
	readonly amount: number;
	readonly note: string;
}

async function heldPayment(options: Partial<StageOptions> & { readonly ask?: Ask; readonly args?: Pay } = {}) {
	const { ask = {}, args = { amount: 5, note: "for <b>Ann</b>" }, harness, ...rest } = options;
	const paid: unknown[] = [];
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		input: z.object({ amount: z.int(), note: z.string() }),
		execute: (given) => void paid.push(given),
	});
	const policy = { version: "p1", decide: () => ({ verdict: "ask", reason: 'over "50" & more', ask }) as const };
	const scene = stage({
		story: [call("pay", args), say("done")],
		tools: [pay],
		harness: { policy, ...harness },
		...rest,
	});
	const result = await scene.harness.run(scene.agent, "pay it", { principal: "kim" });
	const answered: unknown[] = [];
	const links = decisionLinks({
		harness: scene.harness,
		secret,
		baseUrl,
		now: () => scene.clock.now(),
		onAnswered: (left) => answered.push(left),
	});
	const look = async (): Promise<OpenApproval> => (await scene.harness.approvals())[0] as OpenApproval;
	const open = await look();
	return { scene, paid, run: result.run, open, links, look, answered };
}

type Links = Awaited<ReturnType<typeof heldPayment>>["links"];

const json = { accept: "application/json" };

async function get({ fetch }: Links, url: string, headers: Record<string, string> = {}) {
	const response = await fetch(new Request(url, { headers }));
	return { status: response.status, text: await response.text(), headers: response.headers };
}

async function post(
	{ fetch }: Links,
	url: string,
	fields: Record<string, string> | [string, string][],
	headers: Record<string, string> = {},
) {
	const response = await fetch(new Request(url, { method: "POST", body: new URLSearchParams(fields), headers }));
	return { status: response.status, text: await response.text() };
}

const yes = { decision: "approve", confirmed: "yes" };
const no = { decision: "deny", reason: "not today" };

describe("a decision link", () => {
	test("shows on GET and HEAD, however often, and decides nothing", async () => {
		const { links, open, look, scene, run, paid } = await heldPayment();
		const url = links.link(open, "mia");
		// Whoever reads it learns no digest by which guessed arguments could be confirmed.
		const token = url.split("/").at(-1)?.split(".")[0] ?? "";
		const carried = Buffer.from(token, "base64url").toString();
		expect(carried).toContain(open.approval);
		expect(carried).not.toContain(open.digest);
		expect(url).toMatch(/^https:\/\/app\.test\/decide\/[\w-]+\.[\w-]{43}$/);
		for (let times = 0; times < 3; times++) {
			const { status, text, headers } = await get(links, url);
			expect(status).toBe(200);
			expect(text).toContain("<code>pay</code> is held");
			expect(text).toContain("for &#60;b&#62;Ann&#60;/b&#62;");
			expect(text).toContain("over &#34;50&#34; &#38; more");
			expect(text).toContain("You answer as <b>mia</b>");
			expect(headers.get("cache-control")).toBe("no-store");
			expect(headers.get("content-security-policy")).toMatch(
				/^default-src 'none'; style-src 'sha256-[^']+'; form-action 'self'/,
			);
			expect(text).not.toMatch(/<script|https?:\/\//);
			const style = createHash("sha256")
				.update(/<style>([\s\S]*)<\/style>/.exec(text)?.[1] ?? "")
				.digest("base64");
			expect(headers.get("content-security-policy")).toContain(`'sha256-${style}'`);
		}
		const head = await links.fetch(new Request(url, { method: "HEAD" }));
		expect([head.status, await head.text()]).toEqual([200, ""]);
		expect((await look()).unread).toEqual([]);
		expect(await scene.harness.resume(run)).toMatchObject({ status: "waiting" });
		expect(paid).toEqual([]);
	});

	test("approves with a confirmed POST, as that person, once", async () => {
		const { links, open, scene, run, paid, answered } = await heldPayment();
		const url = links.link(open, "mia");
		expect(await post(links, url, { decision: "approve" })).toMatchObject({ status: 422 });
		expect((await scene.harness.approvals())[0]?.unread).toEqual([]);
		const done = await post(
			links,
			url,
			{ ...yes, reason: "looks right" },
			{ origin: "https://app.test", "sec-fetch-site": "same-origin" },
		);
		expect(done).toMatchObject({ status: 200, text: expect.stringContaining("You said yes") });
		expect(answered).toEqual([{ run, approval: open.approval }]);
		for (const again of [await get(links, url), await post(links, url, no)]) {
			expect(again).toMatchObject({ status: 410, text: expect.stringContaining("You have answered") });
		}
		expect(paid).toEqual([]);
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toHaveLength(1);
		const resolved = (await scene.events(run)).find(({ type }) => type === "approval.resolved");
		expect(resolved).toMatchObject({ by: { id: "mia", via: "link" }, reason: "looks right" });
		expect(await get(links, url)).toMatchObject({ status: 410, text: expect.stringContaining("not open any more") });
	});

	test("denies with a reason, and not without one", async () => {
		const { links, open, scene, run, paid } = await heldPayment();
		const url = links.link(open, "mia");
		expect(await post(links, url, { decision: "deny" })).toMatchObject({
			status: 422,
			text: expect.stringContaining('role="alert"'),
		});
		expect(await post(links, url, no)).toMatchObject({ status: 200, text: expect.stringContaining("You said no") });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toEqual([]);
	});

	test("speaks JSON to whoever asks for it", async () => {
		const { links, open, run } = await heldPayment();
		const url = links.link(open, "mia");
		const shown = await get(links, url, json);
		expect(shown.headers.get("content-type")).toBe("application/json");
		expect(JSON.parse(shown.text)).toMatchObject({
			approver: "mia",
			approval: { tool: "pay", args: open.args, digest: open.digest },
		});
		const send = (body: unknown) =>
			links.fetch(
				new Request(url, {
					method: "POST",
					headers: { ...json, "content-type": "application/json" },
					body: JSON.stringify(body),
				}),
			);
		expect(await (await send({ decision: "approve" })).json()).toEqual({
			error: { message: expect.stringContaining("(confirmed)") },
		});
		const response = await send({ decision: "approve", confirmed: true });
		expect([response.status, await response.json()]).toEqual([
			200,
			{ run, approval: open.approval, decision: "approve" },
		]);
		expect(JSON.parse((await get(links, url, json)).text)).toEqual({
			error: { message: expect.stringContaining("You have answered") },
		});
	});

	test("expires when it says, and never outlives its approval", async () => {
		const { links, open, scene } = await heldPayment();
		const [short, long] = [
			links.link(open, "mia", { expiresInMs: hourMs }),
			links.link(open, "mia", { expiresInMs: 1_000 * hourMs }),
		];
		scene.clock.advance(hourMs);
		expect(await post(links, short, yes)).toMatchObject({ status: 410, text: expect.stringContaining("has expired") });
		expect(await get(links, long)).toMatchObject({ status: 200 });
		scene.clock.advance(71 * hourMs);
		expect(await get(links, long)).toMatchObject({ status: 410, text: expect.stringContaining("has expired") });
	});

	test("I5: is for the call that it was made for: after an edit it decides nothing", async () => {
		const { links, open, scene, run, look, paid } = await heldPayment({ ask: { count: 2 } });
		const url = links.link(open, "mia");
		await scene.harness.approve(open.approval, { by: { id: "bob", via: "test" }, args: { amount: 6_000, note: "x" } });
		await scene.harness.resume(run);
		const now = await look();
		expect(now.digest).not.toBe(open.digest);
		// The edit made another question; the one of the link is over.
		expect(await post(links, url, yes)).toMatchObject({ status: 410 });
		const stale = links.link({ ...now, digest: open.digest }, "mia");
		expect(await get(links, stale)).toMatchObject({ status: 409, text: expect.stringContaining("has changed") });
		expect(await post(links, stale, yes)).toMatchObject({ status: 409 });
		expect(paid).toEqual([]);
		expect(await post(links, links.link(now, "mia"), yes)).toMatchObject({ status: 200 });
		await scene.harness.resume(run);
		expect(paid).toEqual([{ amount: 6_000, note: "x" }]);
	});

	test("I5: a call that changes between the look and the answer is not answered", async () => {
		const { links, open, scene, look } = await heldPayment();
		const { fetch, link } = decisionLinks({
			harness: {
				approvals: async () => [await look()],
				deny: scene.harness.deny.bind(scene.harness),
				approve: async (id, answer = {}) => scene.harness.approve(id, { ...answer, digest: "another" }),
			},
			secret,
			baseUrl,
			now: () => scene.clock.now(),
		});
		const reply = await post({ fetch, link }, link(open, "mia"), yes);
		expect(reply).toMatchObject({ status: 409, text: expect.stringContaining("not the one that was shown") });
		expect((await look()).unread).toEqual([]);
		expect(await get(links, link(open, "mia"))).toMatchObject({ status: 200 });
	});

	test("of two seats each person fills one, with a link each; the same link twice fills no second one", async () => {
		const { links, open, scene, run, paid } = await heldPayment({ ask: { count: 2 } });
		const [mia, bob] = [links.link(open, "mia"), links.link(open, "bob")];
		expect(await post(links, mia, yes)).toMatchObject({ status: 200 });
		expect(await post(links, mia, yes)).toMatchObject({ status: 410 });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "waiting" });
		expect(await post(links, mia, yes)).toMatchObject({
			status: 410,
			text: expect.stringContaining("You have answered"),
		});
		expect(await get(links, bob)).toMatchObject({ text: expect.stringContaining("mia: yes") });
		expect(await post(links, bob, yes)).toMatchObject({ status: 200 });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toHaveLength(1);
	});

	test("gives nobody a say: who has none is told, and nothing is left", async () => {
		const rolesOf = ({ id }: { id: string }) => (id === "mia" ? ["manager"] : []);
		const { links, open, look } = await heldPayment({
			ask: { roles: ["manager"], fourEyes: true },
			harness: { rolesOf },
		});
		expect(await post(links, links.link(open, "bob"), yes)).toMatchObject({
			status: 403,
			text: expect.stringContaining("none of the roles"),
		});
		expect(await post(links, links.link(open, "kim"), yes)).toMatchObject({ status: 403 });
		expect((await look()).unread).toEqual([]);
		expect(await post(links, links.link(open, "mia"), yes)).toMatchObject({ status: 200 });
	});

	test("that was forged, changed or made with another secret shows nothing and says nothing", async () => {
		const { links, open, scene } = await heldPayment();
		const url = links.link(open, "mia");
		const [body = "", code = ""] = (url.split("/").at(-1) ?? "").split(".");
		const fields = JSON.parse(Buffer.from(body, "base64url").toString()) as unknown[];
		const asBob = Buffer.from(JSON.stringify(fields.with(2, "bob"))).toString("base64url");
		const other = decisionLinks({
			harness: scene.harness,
			secret: "x".repeat(32),
			baseUrl,
			now: () => scene.clock.now(),
		});
		const tokens = [
			`${asBob}.${code}`,
			body,
			`${body}.`,
			`${body}.${"A".repeat(43)}`,
			`${body}.${code}x`,
			"",
			"x".repeat(5_000),
			"a.b.c",
		];
		for (const wrong of [...tokens.map((token) => `${baseUrl}/${token}`), other.link(open, "mia")]) {
			for (const reply of [await get(links, wrong), await post(links, wrong, yes)]) {
				expect(reply.status).toBe(404);
				expect(reply.text).not.toContain("pay");
			}
		}
		const rotated = decisionLinks({
			harness: scene.harness,
			secret: ["y".repeat(40), secret],
			baseUrl,
			now: () => scene.clock.now(),
		});
		expect(await get(rotated, url)).toMatchObject({ status: 200 });
		expect(await get(links, rotated.link(open, "mia"))).toMatchObject({ status: 404 });
	});

	test("takes no answer from another page, another method, another kind or size of body", async () => {
		const { links, open, look } = await heldPayment();
		const url = links.link(open, "mia");
		for (const headers of [
			{ origin: "https://evil.test" },
			{ origin: "null" },
			{ "sec-fetch-site": "cross-site" },
			{ "sec-fetch-site": "same-site" },
		]) {
			expect(await post(links, url, yes, headers)).toMatchObject({ status: 403 });
		}
		for (const method of ["PUT", "DELETE", "OPTIONS", "PATCH"]) {
			const response = await links.fetch(new Request(url, { method }));
			expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD, POST"]);
		}
		const send = async (body: string, type?: string) =>
			(await links.fetch(new Request(url, { method: "POST", body, headers: type ? { "content-type": type } : {} })))
				.status;
		expect(await send("decision=approve&confirmed=yes")).toBe(415);
		expect(await send("decision=approve", "multipart/form-data; boundary=x")).toBe(415);
		expect(await send("{", "application/json")).toBe(400);
		expect(await send('"approve"', "application/json")).toBe(400);
		expect(await send("decision=perhaps", "application/x-www-form-urlencoded")).toBe(400);
		expect(await send(`decision=deny&reason=${"x".repeat(20_000)}`, "application/x-www-form-urlencoded")).toBe(413);
		expect(await send(`decision=deny&reason=${"x".repeat(2_001)}`, "application/x-www-form-urlencoded")).toBe(422);
		expect(await send('{"decision":"deny","reason":{"a":1}}', "application/json")).toBe(422);
		expect((await look()).unread).toEqual([]);
	});

	test("a body without end is not read to its end", async () => {
		const { links, open } = await heldPayment();
		let pulled = 0;
		const body = new ReadableStream({
			pull: (to) => {
				pulled++;
				to.enqueue(new Uint8Array(4_096));
			},
		});
		const headers = { "content-type": "application/json" };
		const request = new Request(links.link(open, "mia"), { method: "POST", body, headers, duplex: "half" });
		expect((await links.fetch(request)).status).toBe(413);
		expect(pulled).toBeLessThan(10);
	});

	test("I4: a store that fails decides nothing and says nothing of this machine; what fails after an answer changes it no more", async () => {
		const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
		const { links, open, scene } = await heldPayment();
		const { link, fetch } = decisionLinks({
			harness: {
				approvals: () => Promise.reject(new Error("SQLITE_CORRUPT at /var/secret")),
				approve: scene.harness.approve.bind(scene.harness),
				deny: scene.harness.deny.bind(scene.harness),
			},
			secret,
			baseUrl,
			now: () => scene.clock.now(),
		});
		expect(await get({ link, fetch }, link(open, "mia"))).toMatchObject({
			status: 503,
			text: expect.not.stringContaining("SQLITE"),
		});
		const throwing = decisionLinks({
			harness: scene.harness,
			secret,
			baseUrl,
			now: () => scene.clock.now(),
			onAnswered: () => Promise.reject(new Error("no worker")),
		});
		expect(await post(throwing, links.link(open, "mia"), yes)).toMatchObject({ status: 200 });
		await vi.waitFor(() => expect(warn).toHaveBeenCalledTimes(2));
		warn.mockRestore();
	});

	test.each([
		[{ secret: "short", baseUrl }, /32 characters/],
		[{ secret: [], baseUrl }, /32 characters/],
		[{ secret, baseUrl: "nowhere" }, /is no address/],
		[{ secret, baseUrl: "javascript:alert(1)" }, /is no address/],
	])("that is made wrongly is not made: %j", (options, message) => {
		const harness = { approvals: async () => [], approve: async () => ({}) as never, deny: async () => ({}) as never };
		expect(() => decisionLinks({ harness, ...options })).toThrow(
			expect.objectContaining({ code: "config.invalid", message: expect.stringMatching(message) }),
		);
	});

	test("is for somebody", async () => {
		const { links, open } = await heldPayment();
		for (const nobody of ["", "x".repeat(201), undefined as never]) {
			expect(() => links.link(open, nobody)).toThrow(expect.objectContaining({ code: "approval.invalid" }));
		}
	});
});

describe("a link to a program that was rehearsed", () => {
	interface Refunding extends Partial<StageOptions> {
		readonly orders?: readonly { readonly order: string; readonly cents: number }[];
		readonly code?: string;
	}

	const four = [1, 2, 3, 4].map((n) => ({ order: `o<${n}>`, cents: n * 100 }));
	const refundAll = "for (const one of await tools.list({})) await tools.refund(one).catch(() => {});";

	async function rehearsed({ orders = four, code = refundAll, ...rest }: Refunding = {}) {
		const sandbox = sandboxUnderTest();
		onTestFinished(() => sandbox.close());
		const refunded: string[] = [];
		let price = 0;
		const read = (name: string, execute: () => unknown) =>
			defineTool({ name, description: "Reads.", effect: "read", input: z.object({}), execute });
		const refund = defineTool({
			name: "refund",
			description: "Refunds.",
			input: z.object({ order: z.string(), cents: z.int() }),
			output: z.object({ id: z.string() }),
			execute: ({ order }) => {
				refunded.push(order);
				return { id: `r-${order}` };
			},
		});
		const note = defineTool({ name: "note", description: "Notes.", input: z.object({}), execute: () => "noted" });
		const decide = ({ tool }: PolicyRequest): Decision =>
			tool.name === "refund" ? { verdict: "ask", reason: "money" } : { verdict: "allow" };
		const held = await heldPayment({
			story: [program(code), say("done")],
			tools: [read("list", () => orders), read("price", () => ++price), refund, note],
			programs: { rehearse: true },
			harness: { sandbox, policy: { version: "p1", decide } },
			...rest,
		});
		const { links, open, run, scene } = held;
		const digest = open.rehearsal?.digest ?? "";
		const url = links.link(open, "mia");
		/** As the form sends it, with these boxes ticked. */
		const approve = (rows: readonly (number | string)[], more: Record<string, string> = {}) => {
			const fields = { ...yes, rows: "ticked", rehearsal: digest, ...more };
			return post(links, url, [...Object.entries(fields), ...rows.map((row): [string, string] => ["row", `${row}`])]);
		};
		return { ...held, refunded, digest, url, approve, resume: () => scene.harness.resume(run) };
	}

	const boxes = (text: string) =>
		[...text.matchAll(/name="row" value="(\d+)"( checked)?/g)].map(([, row]) => Number(row));

	test("shows all that it would do with totals, and what is not certain; looking at it decides nothing", async () => {
		const { links, url, look, refunded, resume } = await rehearsed({ code: `${refundAll} await tools.note({});` });
		const { text, headers } = await get(links, url);
		expect(text).toContain("What the program would do from here");
		expect(text).toContain("<code>refund</code> cents <b>400</b>, order <b>&#34;o&#60;4&#62;&#34;</b>");
		expect(text).toContain("<code>refund</code> <b>×4</b>, cents <b>1000</b> in all");
		expect(text.match(/tag doubt/g)).toHaveLength(4);
		expect(text).toContain("it rests on a value that was made up");
		expect(text).toContain('<span class="tag">allowed</span>');
		// The held call is part of every yes, and an allowed one needs none.
		expect(boxes(text)).toEqual([1, 2, 3]);
		expect(text).not.toMatch(/<script|https?:\/\//);
		expect(headers.get("content-security-policy")).toMatch(/^default-src 'none'/);
		expect((await look()).unread).toEqual([]);
		expect(await resume()).toMatchObject({ status: "waiting" });
		expect(refunded).toEqual([]);
	});

	test("approves the rows that are ticked; what was not is asked about when it comes", async () => {
		const { links, url, approve, resume, look, refunded } = await rehearsed();
		expect(await approve([1, 3])).toMatchObject({
			status: 200,
			text: expect.stringContaining("the held call and 2 more"),
		});
		expect(await get(links, url)).toMatchObject({ status: 410, text: expect.stringContaining("You have answered") });
		expect(refunded).toEqual([]);
		expect(await resume()).toMatchObject({ status: "waiting" });
		expect(refunded).toEqual(["o<1>", "o<2>"]);
		const now = await look();
		expect(now.args).toEqual(four[2]);
		const page = (await get(links, links.link(now, "mia"))).text;
		expect(page).toContain('<span class="tag">done</span>');
		expect(page).toContain('<span class="tag">approved by mia</span>');
		expect(page).toContain("<code>refund</code> <b>×2</b>, cents <b>700</b> in all");
		expect(boxes(page)).toEqual([]);
		expect(await post(links, links.link(now, "mia"), yes)).toMatchObject({ status: 200 });
		expect(await resume()).toMatchObject({ status: "completed" });
		expect(refunded).toEqual(four.map(({ order }) => order));
	});

	test("approves all of it where all is ticked, and the held call alone where nothing is", async () => {
		const all = await rehearsed();
		expect(await all.approve([1, 2, 3])).toMatchObject({ status: 200 });
		expect(await all.resume()).toMatchObject({ status: "completed" });
		expect(all.refunded).toHaveLength(4);
		for (const alone of [{}, { rows: "none" }]) {
			const one = await rehearsed();
			expect(await one.approve("rows" in alone ? [1, 2, 3] : [], alone)).toMatchObject({ status: 200 });
			expect(await one.resume()).toMatchObject({ status: "waiting" });
			expect(one.refunded).toEqual(["o<1>"]);
		}
	});

	test("denies all of it, or the held call alone, and not without a reason", async () => {
		const all = await rehearsed();
		const denyAll = { decision: "deny", rows: "all", rehearsal: all.digest };
		expect(await post(all.links, all.url, denyAll)).toMatchObject({ status: 422 });
		expect(await post(all.links, all.url, { ...denyAll, reason: "not today" })).toMatchObject({ status: 200 });
		expect(await all.resume()).toMatchObject({ status: "completed" });
		expect(all.refunded).toEqual([]);
		const one = await rehearsed();
		expect(await post(one.links, one.url, { ...no, rows: "none", rehearsal: one.digest })).toMatchObject({
			status: 200,
		});
		expect(await one.resume()).toMatchObject({ status: "waiting" });
		expect((await one.look()).args).toEqual(four[1]);
	});

	test("keeps what was ticked and written where something is missing", async () => {
		const { approve, look } = await rehearsed();
		const { status, text } = await approve([2], { confirmed: "", reason: "only <this>" });
		expect(status).toBe(422);
		expect([...text.matchAll(/value="(\d+)" checked/g)].map(([, row]) => Number(row))).toEqual([2]);
		expect(boxes(text)).toEqual([1, 2, 3]);
		expect(text).toContain("only &#60;this&#62;</textarea>");
		expect((await look()).unread).toEqual([]);
	});

	test("I5: rows of another rehearsal than the one that was shown are not answered", async () => {
		const code = "for (const order of ['a', 'b']) await tools.refund({ order, cents: await tools.price({}) });";
		const { scene, open, approve, look, links, url, digest } = await rehearsed({ code });
		await scene.harness.rehearse(open.approval);
		expect((await look()).rehearsal?.digest).not.toBe(digest);
		for (const rehearsal of [digest, "", (await look()).rehearsal?.digest.slice(0, 8) ?? ""]) {
			const stale = await approve([1], { rehearsal });
			expect(stale).toMatchObject({ status: 409, text: expect.stringContaining("found out anew") });
		}
		const denied = await post(links, url, { ...no, rows: "all", rehearsal: digest });
		expect(denied).toMatchObject({ status: 409 });
		expect((await look()).unread).toEqual([]);
		// The held call is still the one that was shown.
		expect(await approve([], { rows: "none" })).toMatchObject({ status: 200 });
	});

	test("I5: approves nothing that it did not offer", async () => {
		const { approve, look } = await rehearsed({ code: `${refundAll} await tools.note({});` });
		for (const row of [0, 4, 5, 99_999, "x", "-1", "1e0", "0x1", ""]) {
			expect([row, (await approve([1, row])).status]).toEqual([row, 400]);
		}
		expect(await approve([], { rows: "all" })).toMatchObject({ status: 400 });
		expect((await look()).unread).toEqual([]);
	});

	test("I8: shows so many rows and no more, says so, and approves none of the others", async () => {
		const { linkRowsMax: max, linkRowCharsMax } = fixedLimits;
		const orders = Array.from({ length: max + 3 }, (_, n) => ({
			order: n === 1 ? "x".repeat(linkRowCharsMax) : `o${n}`,
			cents: n,
		}));
		const { links, url, approve, resume, refunded, look } = await rehearsed({
			orders,
			code: "return Promise.all((await tools.list({})).map((one) => tools.refund(one)))",
			limits: { callsMax: 1_000 },
		});
		const { text } = await get(links, url);
		expect(text).toContain("3 more calls are not shown here");
		expect(text).toContain("Too long to be shown whole");
		expect(boxes(text)).toEqual(Array.from({ length: max - 2 }, (_, n) => n + 2));
		expect(text).toContain(`<b>×${max + 3}</b>`);
		for (const unseen of [1, max, max + 2]) expect(await approve([2, unseen])).toMatchObject({ status: 400 });
		expect((await look()).unread).toEqual([]);
		expect(await approve(boxes(text))).toMatchObject({ status: 200 });
		expect(await resume()).toMatchObject({ status: "waiting", waits: { length: 4 } });
		expect(refunded).toHaveLength(max - 1);
	});

	test("speaks JSON: rows, or all of them, with the digest of the whole rehearsal", async () => {
		const { links, url, digest, resume, refunded } = await rehearsed();
		const send = async (body: object) => {
			const headers = { ...json, "content-type": "application/json" };
			return links.fetch(
				new Request(url, { method: "POST", headers, body: JSON.stringify({ ...body, confirmed: true }) }),
			);
		};
		expect(JSON.parse((await get(links, url, json)).text)).toMatchObject({ approval: { rehearsal: { digest } } });
		for (const rows of ["some", [-1], [0.5], ["1"], {}, 1, Array.from({ length: 501 }, () => 1)]) {
			expect((await send({ decision: "approve", rows, rehearsal: digest })).status).toBe(400);
		}
		expect((await send({ decision: "approve", rows: "all", rehearsal: {} })).status).toBe(400);
		expect((await send({ decision: "approve", rows: "all" })).status).toBe(409);
		expect((await send({ decision: "approve", rows: [9], rehearsal: digest })).status).toBe(409);
		expect((await send({ decision: "approve", rows: "all", rehearsal: digest })).status).toBe(200);
		expect(await resume()).toMatchObject({ status: "completed" });
		expect(refunded).toHaveLength(4);
	});
});

test("rows of a call that was not rehearsed are not answered", async () => {
	const { links, open, look } = await heldPayment();
	const url = links.link(open, "mia");
	expect(await post(links, url, { ...no, rows: "all" })).toMatchObject({ status: 409 });
	expect((await get(links, url)).text).not.toContain('name="rows"');
	expect((await look()).unread).toEqual([]);
});

test("the page shows the program with the line that asks, what was done, and nothing that hides", async () => {
	const sandbox = sandboxUnderTest();
	const source =
		'const first = await tools.look({});\nawait tools.pay({ amount: 7, note: "a\\u202eb" });\nreturn "</pre><script>";';
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		input: z.object({ amount: z.int(), note: z.string() }),
		execute: () => "paid",
	});
	const look = defineTool({
		name: "look",
		description: "Looks.",
		effect: "read",
		input: z.object({}),
		execute: () => 1,
	});
	const { links, open, scene } = await heldPayment({
		story: [program(source), say("done")],
		tools: [pay, look],
		programs: true,
		harness: {
			sandbox,
			policy: ({ tool }) => (tool.name === "pay" ? { verdict: "ask", reason: "money" } : { verdict: "allow" }),
		},
	});
	const { text } = await get(links, links.link(open, "mia"));
	expect(text).toContain('<span class="asks" aria-current="true"><i>2</i>await tools.pay');
	expect(text).toContain("Line 2 of program c1 asks for it");
	expect(text).toContain("1 call of it so far");
	expect(text).toContain("a\\u{202e}b");
	expect(text).not.toContain("<script>");
	await scene.harness.close();
	await sandbox.close();
});

test("over HTTP: mounted in a server, a person's browser reads and answers", async () => {
	const { scene, open, run } = await heldPayment();
	let handle: (request: Request) => Promise<Response>;
	const server = createServer((incoming, outgoing) => {
		const parts: Buffer[] = [];
		incoming.on("data", (part: Buffer) => parts.push(part));
		incoming.on("end", async () => {
			const { method = "GET", url = "/", headers } = incoming;
			const body = method === "POST" ? { body: Buffer.concat(parts) } : {};
			const plain = Object.entries(headers).flatMap(([name, value]) =>
				typeof value === "string" ? [[name, value] as [string, string]] : [],
			);
			const response = await handle(new Request(`http://${headers.host}${url}`, { method, headers: plain, ...body }));
			outgoing.writeHead(response.status, Object.fromEntries(response.headers)).end(await response.text());
		});
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	const links = decisionLinks({
		harness: scene.harness,
		secret,
		baseUrl: `${origin}/decide`,
		now: () => scene.clock.now(),
	});
	handle = links.fetch;
	const url = links.link(open, "mia");
	expect((await fetch(url)).status).toBe(200);
	const body = new URLSearchParams(yes);
	expect((await fetch(url, { method: "POST", body, headers: { origin } })).status).toBe(200);
	expect((await fetch(url)).status).toBe(410);
	expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
	await new Promise((resolve) => server.close(resolve));
});
