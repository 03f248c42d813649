import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { webhookReceiver, webhookSecret } from "../testing/webhook-receiver.ts";
import { type Recorded, recorded } from "./recording-host.ts";

/** Grants, kill switches, batches and webhooks from the command line, with an agent that pays what its message lists. */

let cwd: string;
const me = userInfo().username;

function source(path: string): string {
	return JSON.stringify(pathToFileURL(join(import.meta.dirname, path)).href);
}

function config(more = ""): string {
	return `
import { defineAgent } from ${source("../run/define-agent.ts")};
import { defineTool } from ${source("../tools/define-tool.ts")};
import { jsonSchema } from ${source("../tools/json-schema.ts")};
import { scriptedModel } from ${source("../testing/scripted-model.ts")};
import { calls, say } from ${source("../testing/story.ts")};

const pay = defineTool({
	name: "pay",
	description: "Pays.",
	effect: "write",
	input: jsonSchema({ type: "object", properties: { cents: { type: "integer" }, to: { type: "string" } }, required: ["cents", "to"] }),
	execute: ({ cents }) => ({ paid: cents }),
});
const story = (ask) =>
	ask.results.length > 0
		? say(ask.results.map(({ value }) => JSON.stringify(value)).join(" "))
		: calls(ask.lastUser.split(" ").map((cents) => ({ tool: "pay", args: { cents: Number(cents), to: "shop" } })));
export const config = {
	agents: [defineAgent({ name: "payer", instructions: "Pay.", tools: [pay] })],
	model: scriptedModel(story, { countTokens: false }),
	${more}
};
`;
}

beforeEach(() => {
	cwd = mkdtempSync(join(tmpdir(), "holdpoint-governing-"));
	writeFileSync(join(cwd, "holdpoint.config.mjs"), config());
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

function cli(...argv: string[]): Promise<Recorded> {
	return recorded(argv, { cwd });
}

interface Held {
	readonly run: string;
	readonly ids: readonly string[];
}

async function held(message: string): Promise<Held> {
	const started = await cli("run", message, "--json");
	const result = started.json().at(-1) as { run: string; waits: { approval: string }[] };
	return { run: result.run, ids: result.waits.map(({ approval }) => approval) };
}

describe("approve --always", () => {
	test("prints the whole grant first; then later calls within it are not asked about, until it is revoked", async () => {
		const { run, ids } = await held("900");
		const [id = ""] = ids;
		const approved = await cli(
			"approve",
			id,
			"--always",
			"principal",
			"--max",
			"cents=2000",
			"--uses",
			"2",
			"--for",
			"7d",
		);
		expect(approved.code).toBe(0);
		const before = approved.out.slice(0, approved.out.indexOf("is approved"));
		expect(before).toMatch(/tool +pay, as it is now/);
		expect(before).toMatch(/cents +a number up to 2000/);
		expect(before).toMatch(/to +only "shop"/);
		expect(before).toMatch(new RegExp(`for +${me}, by agent payer, in every session`));
		expect(before).toMatch(/until +\d{4}-.*; 2 calls/);
		expect((await cli("grants")).out).toContain("Nothing is granted");
		expect((await cli("resume", run)).code).toBe(0);
		expect((await cli("run", "2000")).code).toBe(0);
		expect((await cli("run", "2001")).code).toBe(3);
		const listed = await cli("grants");
		expect(listed.out).toContain(`given by ${me} (os) with ${id}`);
		expect(listed.out).toContain("2 calls, 1 of them used");
		const [json] = (await cli("grants", "--json")).json();
		expect(json).toMatchObject({
			grants: [{ tool: "pay", used: 1, usesMax: 2, args: { cents: { max: 2_000 }, to: { is: "shop" } } }],
		});
		const [, revoke = ""] = /Take it back with: holdpoint (revoke \S+)/.exec(listed.out) ?? [];
		expect(await cli(...revoke.split(" "))).toMatchObject({
			code: 0,
			out: expect.stringContaining(`revoked by ${me}`),
		});
		expect((await cli("run", "900")).code).toBe(3);
		expect((await cli("grants")).out).toContain(`revoked by ${me}`);
		expect(await cli("revoke", "grt_nothing")).toMatchObject({
			code: 1,
			err: expect.stringContaining("grant.unknown"),
		});
	});

	test("--always agent is for whoever the agent works for, and says so", async () => {
		const { run, ids } = await held("900");
		const approved = await cli("approve", ids[0] ?? "", "--always", "agent", "--uses", "1");
		expect(approved.out).toMatch(/for +anybody, by agent payer, in every session/);
		await cli("resume", run);
		expect((await cli("grants")).out).toMatch(/for +anybody, by agent payer/);
		expect((await cli("grants", "--json")).json()[0]).toMatchObject({ grants: [{ scope: { agent: "payer" } }] });
		expect((await cli("run", "900")).code).toBe(0);
		expect((await cli("grants")).out).toContain("used up: it answers nothing any more");
	});

	test("--any, --in and --min widen field by field", async () => {
		const { ids } = await held("900");
		const approved = await cli(
			"approve",
			ids[0] ?? "",
			"--always",
			"principal",
			"--any",
			"to",
			"--min",
			"cents=1",
			"--max",
			"cents=1e3",
		);
		expect(approved.out).toMatch(/to +any value, or none/);
		expect(approved.out).toMatch(/cents +a number from 1 to 1000/);
		const other = await held("901");
		const listed = await cli(
			"approve",
			other.ids[0] ?? "",
			"--always",
			"principal",
			"--in",
			"to=shop,post",
			"--in",
			"cents=[901, 902]",
		);
		expect(listed.out).toMatch(/to +one of \["shop","post"\]/);
		expect(listed.out).toMatch(/cents +one of \[901,902\]/);
	});

	test.each([
		[["--max", "cents=5"], "--max needs --always"],
		[["--always", "world"], "--always is session, principal, agent"],
		[["--always", "principal", "--max", "cents"], "has no field"],
		[["--always", "principal", "--max", "cents=much"], "takes a number"],
		[["--always", "principal", "--min", "cents=1"], "needs --max"],
		[["--always", "principal", "--any", "to", "--in", "to=a"], "named twice"],
		[["--always", "principal", "--for", "soon"], "--for takes a time"],
		[["--always", "principal", "--for"], "--for needs a value"],
	])("%j is wrong usage", async (words, message) => {
		expect(await cli("approve", "apr_x", ...words)).toMatchObject({ code: 2, err: expect.stringContaining(message) });
	});

	test("what does not cover the call, or what no session is there for, is refused and nothing is answered", async () => {
		const { ids } = await held("900");
		for (const words of [["principal", "--max", "cents=5"], ["session"], ["principal", "--for", "91d"]]) {
			const refused = await cli("approve", ids[0] ?? "", "--always", ...words);
			expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("grant.invalid") });
		}
		const [open] = (await cli("approvals", "--json")).json();
		expect(open).toMatchObject({ approvals: [{ unread: [] }] });
	});
});

describe("several answers at once", () => {
	test("the calls that were approved run, the others stay held; what fails keeps no other from being answered", async () => {
		const { run, ids } = await held("100 200 300");
		const [first = "", second = "", third = ""] = ids;
		const some = await cli("approve", first, "apr_nothing", second);
		expect(some.code).toBe(1);
		expect(some.out).toContain(`${first} is approved by ${me} (os): pay {cents: 100, to: "shop"}`);
		expect(some.out).toContain("apr_nothing: No open approval has the id apr_nothing");
		expect(some.out.match(/Go on with/g)).toHaveLength(1);
		expect((await cli("resume", run)).out).toContain("{paid: 200}");
		const rest = await cli("approve", "--run", run.slice(0, 20), "--json");
		expect(rest.json()).toMatchObject([{ run, approval: third, answer: "approve" }]);
		const again = await cli("approve", "--run", run);
		expect(again).toMatchObject({ code: 0, out: expect.stringContaining("Nothing is held there") });
		expect((await cli("resume", run)).out).toContain('{"paid":100} {"paid":200} {"paid":300}');
	});

	test("denied together, with one reason", async () => {
		const { run, ids } = await held("100 200");
		const denied = await cli("deny", "--run", run, "--reason", "not today", "--json");
		expect(denied.json()).toMatchObject([
			{ answers: ids.map((approval) => ({ approval, answer: "deny" })), refused: [] },
		]);
		expect((await cli("resume", run)).out.match(/not today/g)?.length).toBeGreaterThanOrEqual(2);
	});

	test.each([
		["approve", "apr_a", "--run", "r"],
		["deny", "--reason", "x"],
		["deny", "apr_a", "--run", "r", "--reason", "x"],
	])("%s %s %s is wrong usage", async (...words) => {
		expect(await cli(...words)).toMatchObject({ code: 2, err: expect.stringContaining("and not both") });
	});

	test("arguments and grants are for one call", async () => {
		const { ids } = await held("100 200");
		for (const words of [
			["--args", '{"cents":1,"to":"x"}'],
			["--always", "principal"],
		]) {
			expect(await cli("approve", ...ids, ...words)).toMatchObject({
				code: 2,
				err: expect.stringContaining("one approval at a time"),
			});
		}
	});
});

test("who answers, grants, revokes or switches is who is logged in: no option claims another name", async () => {
	const commands = [
		["approve", "x"],
		["deny", "x", "--reason", "r"],
		["revoke", "x"],
		["off", "all", "--reason", "r"],
		["on", "all"],
		["settle", "r", "c", "--did-not-happen"],
		["cancel", "r"],
	];
	for (const words of commands) {
		expect(await cli(...words, "--as", "root")).toMatchObject({
			code: 1,
			err: expect.stringContaining("a claimed name is no proof"),
		});
		for (const option of ["--by", "--user"])
			expect((await cli(...words, option, "root")).code, words.join(" ")).toBe(2);
	}
});

describe("kill switches", () => {
	test("off denies from the next decision on, is shown where people look, and on ends it", async () => {
		await held("100");
		const off = await cli("off", "tool", "pay", "--reason", "it pays twice");
		expect(off).toMatchObject({ code: 0, out: expect.stringContaining(`The tool pay is switched off by ${me} (os)`) });
		expect((await cli("run", "100")).out).toContain("it pays twice");
		for (const words of [["grants"], ["doctor"]]) {
			expect((await cli(...words)).out.replace(/\s+/g, " ")).toContain(`tool pay is switched off by ${me}`);
		}
		const [, on = ""] = /On again with: holdpoint (.*)/.exec(off.out) ?? [];
		expect(await cli(...on.split(" "))).toMatchObject({ code: 0, out: expect.stringContaining("switched on") });
		expect((await cli("run", "100")).code).toBe(3);
		expect((await cli("on", "tool", "pay")).out).toContain("was not switched off");
	});

	test("off of a name that no agent has says so, and holds", async () => {
		await held("100");
		const off = await cli("off", "tool", "pya", "--reason", "r");
		expect(off).toMatchObject({ code: 0, out: expect.stringContaining("is it spelt right?") });
		expect((await cli("off", "agent", "payer", "--reason", "r")).out).not.toContain("spelt");
		const [listed] = (await cli("grants", "--json")).json();
		expect(listed).toMatchObject({ switches: [{ name: "pya" }, { of: "agent" }] });
	});

	test.each([
		[["off", "world", "x", "--reason", "r"], "There is no switch"],
		[["off", "tool", "--reason", "r"], "Its name is missing"],
		[["off", "all", "x", "--reason", "r"], "all takes no name"],
		[["off", "all"], "needs a reason"],
		[["on", "tool"], "Its name is missing"],
	])("%j is wrong usage", async (words, message) => {
		expect(await cli(...words)).toMatchObject({ code: 2, err: expect.stringContaining(message) });
	});

	test("off without a store is an error: it would stop nothing", async () => {
		expect(await cli("off", "all", "--reason", "r")).toMatchObject({
			code: 1,
			err: expect.stringContaining("There is no store"),
		});
		expect((await cli("grants")).out).toContain("Nothing is granted or switched off");
	});
});

describe("the config of whoever answers", () => {
	test("tells at once whose answer would count for nothing", async () => {
		const policy =
			'policy: () => ({ verdict: "ask", reason: "money", ask: { roles: ["manager"] } }), rolesOf: () => [],';
		writeFileSync(join(cwd, "holdpoint.config.mjs"), config(policy));
		const { ids } = await held("100");
		const refused = await cli("approve", ids[0] ?? "");
		expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("none of the roles") });
	});

	test("that is broken keeps nobody from answering", async () => {
		const { run, ids } = await held("100");
		const other = join(cwd, "broken.config.mjs");
		writeFileSync(other, "export const config = {");
		const answered = await cli("approve", ids[0] ?? "", "--config", "broken.config.mjs");
		expect(answered).toMatchObject({ code: 0, err: expect.stringContaining("is not checked here") });
		expect((await cli("resume", run)).code).toBe(0);
	});
});

test("webhooks: what is pending and why is shown, and sent when somebody says so", async () => {
	await using there = await webhookReceiver();
	there.answer = (response) => response.writeHead(503).end();
	const webhook = `webhooks: [{ url: ${JSON.stringify(`${there.url}?token=x`)}, secret: ${JSON.stringify(webhookSecret)}, events: ["approval.requested"] }],`;
	writeFileSync(join(cwd, "holdpoint.config.mjs"), config(webhook));
	await held("100 200");
	const shown = await cli("webhooks");
	expect(shown).toMatchObject({ code: 0, out: expect.stringContaining("2 pending, 0 given up") });
	expect(shown.out).toContain("it answered 503");
	expect(shown.out).not.toContain("token");
	there.answer = (response) => response.writeHead(204).end();
	expect((await cli("webhooks", "--deliver")).out).toContain("0 messages were taken");
	const [sent] = (await cli("webhooks", "--retry", "--json")).json();
	expect(sent).toMatchObject({ sent: 2, webhooks: [{ pending: [], failed: [] }] });
	expect(new Set(there.received.map(({ id }) => id)).size).toBe(2);
	writeFileSync(join(cwd, "other.config.mjs"), config());
	expect((await cli("webhooks", "--config", "other.config.mjs")).out).toContain("The config has no webhooks");
});
