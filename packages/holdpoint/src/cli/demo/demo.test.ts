import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sandboxName } from "../../testing/sandbox-under-test.ts";
import type { StoredEvent } from "./proof.ts";
import { shopProgram } from "./shop-story.ts";

/** The whole demo with its real processes, as somebody without a terminal would run it. */

const entry = join(import.meta.dirname, "../main.ts");
const patienceMs = 120_000;
let cwd: string;

beforeEach(() => {
	cwd = mkdtempSync(join(tmpdir(), "holdpoint-demo-"));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

interface Shown {
	readonly ok: boolean;
	readonly run: string;
	readonly text: string;
	readonly processes: readonly { readonly does: string; readonly pid: number; readonly exitCode: number }[];
	readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly says: string }[];
	readonly refunds: readonly { readonly orderId: string; readonly amountCents: number }[];
	readonly journal: readonly StoredEvent[];
}

async function cli(...argv: string[]): Promise<{ code: number | null; out: string; err: string }> {
	const env = { PATH: process.env["PATH"], HOME: process.env["HOME"], NO_COLOR: "1", HOLDPOINT_SANDBOX: sandboxName };
	const child = spawn(process.execPath, [entry, ...argv], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
	const parts = { out: "", err: "" };
	child.stdout.setEncoding("utf8").on("data", (text: string) => (parts.out += text));
	child.stderr.setEncoding("utf8").on("data", (text: string) => (parts.err += text));
	const [code] = (await once(child, "close")) as [number | null];
	return { code, ...parts };
}

async function demo(...argv: string[]): Promise<Shown> {
	const { code, out, err } = await cli("demo", "--json", "--act", "1", ...argv);
	expect(code, `${err}\n${out}`).toBe(0);
	return JSON.parse(out) as Shown;
}

interface TeamShown extends Shown {
	readonly replacements: readonly string[];
}

async function secondAct(...argv: string[]): Promise<TeamShown> {
	const { code, out, err } = await cli("demo", "--json", "--act", "2", ...argv);
	expect(code, `${err}\n${out}`).toBe(0);
	return (JSON.parse(out) as { team: TeamShown }).team;
}

function kinds({ journal }: Shown): string[] {
	return journal.map(({ event }) => event.type);
}

/** A server on this machine that speaks as OpenAI-compatible ones do. */
async function withServer(work: (baseUrl: string) => Promise<void>, code = shopProgram): Promise<void> {
	const server = createServer((request, response) => void answer(code, request, response));
	await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
	try {
		await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`);
	} finally {
		server.close();
	}
}

/** A chat completion as OpenAI-compatible servers stream it: first the demo's program, then a last word. */
async function answer(code: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
	const { messages } = (await json(request)) as { messages: { role: string }[] };
	const isFirst = !messages.some(({ role }) => role === "tool");
	const call = {
		index: 0,
		id: "call_1",
		type: "function",
		function: { name: "execute_code", arguments: JSON.stringify({ code }) },
	};
	const delta = isFirst
		? { role: "assistant", tool_calls: [call] }
		: { role: "assistant", content: "All of it is done." };
	const head = { id: "1", object: "chat.completion.chunk", created: 1, model: "any" };
	const chunk = (part: object, finish: string | null): string =>
		`data: ${JSON.stringify({ ...head, choices: [{ index: 0, delta: part, finish_reason: finish }] })}\n\n`;
	response.writeHead(200, { "content-type": "text/event-stream" });
	response.end(`${chunk(delta, null)}${chunk({}, isFirst ? "tool_calls" : "stop")}data: [DONE]\n\n`);
}

describe("the demo", () => {
	test("is frozen in the middle, decided by another process, and goes on in a third: the refund happens once", {
		timeout: patienceMs,
	}, async () => {
		const shown = await demo();
		expect(shown.checks.filter(({ ok }) => !ok)).toEqual([]);
		expect(shown.checks).toHaveLength(7);
		expect(shown.processes.map(({ does, exitCode }) => [does, exitCode])).toEqual([
			["run", 3],
			["approve", 0],
			["resume", 0],
		]);
		expect(new Set(shown.processes.map(({ pid }) => pid)).size).toBe(3);
		// 96.74 is what the policy owes for the broken goods and the shipping, worked out apart from the program:
		// (4 × 9.90 + 39.90 + 2 × 13.50) less 10 %, 2 × 4.90 for shipping, less the 8.91 of before.
		expect(shown.refunds.map(({ orderId, amountCents }) => [orderId, amountCents])).toEqual([
			["O-4002", 490],
			["O-4001", 9_674],
		]);
		expect(shown.text).toContain("€101.64");
		expect(kinds(shown)).toEqual([
			"approval.requested",
			"program.suspended",
			"approval.resolved",
			"call.decided",
			"call.started",
			"call.finished",
			"program.restored",
		]);
		const afterwards = await cli("show", shown.run, "--store", ".holdpoint/demo/holdpoint.db");
		expect(afterwards.out).toMatch(/▶ 59 │ +const receipt = await tools\.refund_order\(claim\);/);
	});

	test("plays a denial out: nothing is refunded, and the customer is told what is true", {
		timeout: patienceMs,
	}, async () => {
		const shown = await demo("--answer", "deny");
		expect(shown.refunds.map(({ orderId }) => orderId)).toEqual(["O-4002"]);
		expect(shown.text).toContain("€96.74 was not refunded");
		expect(kinds(shown)).not.toContain("call.started");
		const { out } = await cli("demo", "--act", "1", "--answer", "deny");
		expect(out).toContain("A person would decide here; --answer denies");
		expect(out).toContain("decided by somebody else, denied, and not done.");
	});

	test("plays another amount out: what was approved is what happens", { timeout: patienceMs }, async () => {
		const shown = await demo("--answer", "60.00");
		expect(shown.refunds).toContainEqual(expect.objectContaining({ orderId: "O-4001", amountCents: 6_000 }));
		expect(shown.text).toContain("€96.74 was asked for, and changed before it was approved");
		const { code, err } = await cli("demo", "--answer", "900.00");
		expect(code).toBe(2);
		expect(err).toMatch(/--answer 900.00: Only €\d+\.\d\d of this order can still be refunded/);
	});

	test("says plainly that its model is scripted, and how to use a real one", { timeout: patienceMs }, async () => {
		const { code, out } = await cli("demo");
		expect(code).toBe(0);
		expect(out).toContain("The model is scripted");
		expect(out).toMatch(/OPENAI_API_KEY=… .*--model openai\/<name>/);
		expect(out).toMatch(/--base-url http:\/\/127\.0\.0\.1/);
		expect(out).toContain("Proven:");
		expect(out).not.toMatch(/\u001b/);
		expect(out).toContain("The three models are scripted");
		expect(out.indexOf("Second act: a team")).toBeGreaterThan(out.indexOf("Proven:"));
	});

	test("the second act: a team hands on, asks the customer and is held, each in another process", {
		timeout: patienceMs,
	}, async () => {
		const team = await secondAct();
		expect(team.checks.filter(({ ok }) => !ok)).toEqual([]);
		expect(team.checks.map(({ name }) => name)).toContain("asked-the-customer");
		expect(team.processes.map(({ does, exitCode }) => [does, exitCode])).toEqual([
			["run", 3],
			["approve", 0],
			["resume", 3],
			["tell", 0],
			["resume", 0],
		]);
		// (4 × 9.90 + 2 × 13.50) less 10 %, 2 × 4.90 for shipping, less the 8.91 of before.
		expect(team.refunds.map(({ orderId, amountCents }) => [orderId, amountCents])).toEqual([["O-4001", 6_083]]);
		expect(team.replacements).toEqual(["Storm lantern, slate of O-4001 to Ole Hansen, next door"]);
		expect(team.text).toMatch(/€60\.83 are on their way to you\.\n.*goes to Ole Hansen/);
	});

	test("the second act without anybody who answers: the team goes on by itself, and a denial is told", {
		timeout: patienceMs,
	}, async () => {
		const team = await secondAct("--interaction", "autonomous", "--answer", "deny");
		expect(team.checks.filter(({ ok }) => !ok)).toEqual([]);
		expect(team.checks.map(({ name }) => name)).toContain("went-on-alone");
		expect(team.processes.map(({ does }) => does)).toEqual(["run", "deny", "resume"]);
		expect(team.refunds).toEqual([]);
		expect(team.text).toContain("Nothing was paid back yet");
	});

	test("an act or an interaction that there is not is said before anything begins", async () => {
		for (const [argv, why] of [
			[["--act", "3"], "--act is 1 or 2"],
			[["--interaction", "alone"], "--interaction is human-in-the-loop or autonomous"],
			[["--act", "2", "--model", "local/any"], "The second act is scripted"],
		] as const) {
			expect(await cli("demo", ...argv)).toMatchObject({ code: 2, err: expect.stringContaining(why) });
		}
		expect(existsSync(join(cwd, ".holdpoint"))).toBe(false);
	});

	test("plays with a real model as well: one that a server of this machine offers", {
		timeout: patienceMs,
	}, async () => {
		await withServer(async (baseUrl) => {
			const shown = await demo("--model", "local/any", "--base-url", baseUrl);
			expect(shown.checks.filter(({ ok }) => !ok)).toEqual([]);
			expect(shown.text).toBe("All of it is done.");
		});
	});

	test("a run of a real model is not continued by the scripted one", { timeout: patienceMs }, async () => {
		const written = `const claim = { orderId: "O-4001", amountCents: 9000, reason: "x" };\nreturn tools.refund_order(claim);`;
		await withServer(async (baseUrl) => {
			await cli("demo", "--act", "1", "--answer", "deny");
			const place = ["--store", ".holdpoint/demo/holdpoint.db", "--config", "holdpoint:demo"];
			const model = ["--model", "local/any", "--base-url", baseUrl];
			const held = await cli("run", "Help her.", "--run-id", "r1", ...place, ...model);
			const [, approve = ""] = /main\.ts (approve .*)/.exec(held.out) ?? [];
			const approved = await cli(...approve.split(" "));
			const [, resume = ""] = /main\.ts (resume .*)/.exec(approved.out) ?? [];
			expect(resume).toBe(["resume", "r1", ...place, ...model].join(" "));
			const refused = await cli("resume", "r1", ...place);
			expect(refused).toMatchObject({
				code: 1,
				err: expect.stringMatching(/Another model began this run[\s\S]*--model/),
			});
			expect(refused.out).not.toContain("Marta");
			expect(await cli(...resume.split(" "))).toMatchObject({
				code: 0,
				out: expect.stringContaining("All of it is done."),
			});
		}, written);
	});

	test(
		"touches no store that it did not make",
		async () => {
			await cli("demo", "--act", "1", "--folder", "mine", "--answer", "deny");
			rmSync(join(cwd, "mine/shop.db"));
			const { code, err } = await cli("demo", "--folder", "mine");
			expect(code).toBe(1);
			expect(err).toContain("holds a store that no demo made");
		},
		patienceMs,
	);
});
