import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { type Recorded, recorded } from "./recording-host.ts";
import { widthOf } from "./render/text-width.ts";

/** The commands on a store of their own, with an agent that pays when it is asked to. */

let cwd: string;
const me = { id: userInfo().username, via: "os" };

const config = `
import { defineAgent } from "${pathToFileURL(join(import.meta.dirname, "../run/define-agent.ts")).href}";
import { defineTool } from "${pathToFileURL(join(import.meta.dirname, "../tools/define-tool.ts")).href}";
import { jsonSchema } from "${pathToFileURL(join(import.meta.dirname, "../tools/json-schema.ts")).href}";
import { OutcomeUnknown } from "${pathToFileURL(join(import.meta.dirname, "../tools/outcome-unknown.ts")).href}";
import { scriptedModel } from "${pathToFileURL(join(import.meta.dirname, "../testing/scripted-model.ts")).href}";
import { call, failing, say } from "${pathToFileURL(join(import.meta.dirname, "../testing/story.ts")).href}";

const cents = jsonSchema({ type: "object", properties: { cents: { type: "integer" } }, required: ["cents"] });
const pay = defineTool({
	name: "pay",
	description: "Pays.",
	effect: "write",
	input: cents,
	execute: ({ cents }) => ({ paid: cents }),
});
const guess = defineTool({
	name: "guess",
	description: "Nobody knows.",
	effect: "write",
	input: cents,
	execute: () => { throw new OutcomeUnknown("the line was cut"); },
});
const story = (ask) => {
	if (ask.results.length > 0) return say("Result: " + JSON.stringify(ask.results[0].value));
	if (ask.lastUser.includes("refuse")) return failing(400);
	if (ask.lastUser.includes("guess")) return call("guess", { cents: 1 });
	return ask.lastUser.includes("pay") ? call("pay", { cents: 900 }) : say("You said: " + ask.lastUser);
};
export const config = {
	agents: [defineAgent({ name: "payer", instructions: "Pay.", tools: [pay, guess] })],
	model: scriptedModel(story, { countTokens: false }),
	policy: ({ tool }) => (tool.name === "guess" ? { verdict: "allow" } : { verdict: "ask", reason: "money" }),
};
`;

beforeEach(() => {
	cwd = mkdtempSync(join(tmpdir(), "holdpoint-commands-"));
	writeFileSync(join(cwd, "holdpoint.config.mjs"), config);
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

function cli(...argv: string[]): Promise<Recorded> {
	return recorded(argv, { cwd });
}

/** Runs until it is held; returns run and approval. */
async function heldRun(): Promise<{ run: string; approval: string }> {
	const started = await cli("run", "pay please", "--json");
	expect(started.code).toBe(3);
	const result = started.json().at(-1) as { run: string; waits: { approval: string }[] };
	return { run: result.run, approval: result.waits[0]?.approval ?? "" };
}

describe("the commands", () => {
	test("a run that completes is exit code 0 and shows what was said", async () => {
		const { code, out } = await cli("run", "hello");
		expect(code).toBe(0);
		expect(out).toContain("│ You said: hello");
		expect(out).toContain("completed");
	});

	test("a message can come from standard input", async () => {
		const { out } = await recorded(["run", "-"], { cwd, stdin: "from a pipe" });
		expect(out).toContain("You said: from a pipe");
	});

	test("live events are lines of JSON, the result is the last", async () => {
		for (const flags of [[], ["--run-id", "job-1"], ["--session", "s1"]]) {
			const lines = (await cli("run", "hello", ...flags, "--json")).json();
			const result = lines.pop();
			expect(result).toMatchObject({ type: "run.result", status: "completed", output: "You said: hello" });
			const [shown] = (await cli("show", String(result?.["run"]), "--json")).json() as [
				{ events: { event: unknown }[] },
			];
			expect(lines).toEqual(shown.events.map(({ event }) => ({ run: result?.["run"], at: expect.any(Number), event })));
		}
	});

	test("a run that waits is exit code 3, says for what, and prints the commands that answer it", async () => {
		const { code, out } = await cli("run", "pay please");
		expect(code).toBe(3);
		expect(out).toContain("pay is held");
		const [approve = ""] = /holdpoint approve \S+/.exec(out) ?? [];
		const [resume = ""] = /holdpoint resume \S+/.exec(out) ?? [];
		expect((await cli(...approve.split(" ").slice(1))).code).toBe(0);
		const resumed = await cli(...resume.split(" ").slice(1));
		expect(resumed.code).toBe(0);
		expect(resumed.out).toContain(`approved by ${me.id} (os)`);
		expect(resumed.out).toContain('│ Result: {"paid":900}');
	});

	test("printed commands carry what this one was given, on every screen up to the end", async () => {
		renameSync(join(cwd, "holdpoint.config.mjs"), join(cwd, "other.mjs"));
		const given = ["--store", "my runs.db", "--config", "other.mjs"];
		const carried = "--store 'my runs.db' --config other.mjs";
		const started = await cli("run", "pay please", ...given);
		const [, run = ""] = /holdpoint resume (\S+)/.exec(started.out) ?? [];
		const [, approval = ""] = /holdpoint approve (\S+)/.exec(started.out) ?? [];
		const model = ["--model", "local/any", "--base-url", "http://127.0.0.1:9/v1"];
		const all = `${carried} --model local/any --base-url http://127.0.0.1:9/v1`;
		for (const { out } of [started, await cli("show", run, ...given), await cli("approvals", ...given)]) {
			expect(out).toContain(`holdpoint approve ${approval} ${carried}`);
			expect(out).toContain(`holdpoint deny ${approval} --reason '…' ${carried}`);
		}
		expect((await cli("approvals", ...given, ...model)).out).toContain(`holdpoint approve ${approval} ${all}`);
		const approved = await cli("approve", approval, ...given, ...model);
		expect(approved.out).toContain(`Go on with: holdpoint resume ${run} ${all}`);
	});

	test("file tools keep away from the config and the store that options name", async () => {
		const from = (path: string): string => pathToFileURL(join(import.meta.dirname, path)).href;
		const clerk = `
			import { defineAgent } from "${from("../run/define-agent.ts")}";
			import { scriptedModel } from "${from("../testing/scripted-model.ts")}";
			import { call, say } from "${from("../testing/story.ts")}";
			import { fileTools } from "${from("../adapters/tools/files/file-tools.ts")}";
			const { tools } = fileTools({ root: ${JSON.stringify(cwd)} });
			const calls = [call("write_file", { path: "clerk.mjs", text: "" }), call("read_file", { path: "clerk.db" })];
			const model = scriptedModel(({ n, results }) => calls[n] ?? say(JSON.stringify(results)), { countTokens: false });
			export const config = {
				agents: [defineAgent({ name: "clerk", instructions: "Keep files.", tools })],
				model,
				policy: () => ({ verdict: "allow" }),
			};`;
		writeFileSync(join(cwd, "clerk.mjs"), clerk);
		for (const name of ["HOLDPOINT_CONFIG", "HOLDPOINT_STORE"]) vi.stubEnv(name, "");
		onTestFinished(() => void vi.unstubAllEnvs());
		const argv = ["run", "go on", "--config", "clerk.mjs", "--store", "clerk.db"];
		const { out } = await recorded(argv, { cwd, env: process.env });
		expect(out).toContain("clerk.mjs belongs to Holdpoint itself");
		expect(out).toContain("clerk.db belongs to Holdpoint itself");
		expect(readFileSync(join(cwd, "clerk.mjs"), "utf8")).toBe(clerk);
	});

	test("approvals are answered by a shortened id; resume without one goes on with all that is ready", async () => {
		const { run, approval } = await heldRun();
		const listed = (await cli("approvals", "--json")).json()[0] as { approvals: Record<string, unknown>[] };
		expect(listed.approvals).toEqual([
			expect.objectContaining({ approval, run, tool: "pay", args: { cents: 900 }, reason: "money" }),
		]);
		expect((await cli("resume", "--json")).json()).toEqual([{ type: "resume.nothing" }]);
		expect((await cli("approve", approval.slice(0, 7), "--json")).json()).toEqual([
			{ run, approval, answer: "approve", by: me },
		]);
		expect((await cli("runs")).out).toContain("has news: resume it");
		const resumed = (await cli("resume", "--json")).json();
		expect(resumed.at(-1)).toMatchObject({ type: "run.result", run, status: "completed" });
		expect((await cli("approvals")).out).toBe("Nothing is held.\n");
	});

	test("the list of runs keeps to a narrow terminal, with beginnings of ids that the other commands take", async () => {
		const { run } = await heldRun();
		await cli("run", "hello");
		expect((await cli("runs")).out).toContain(run);
		for (const columns of [60, 44]) {
			const { out } = await recorded(["runs"], { cwd, columns });
			for (const line of out.split("\n")) expect(widthOf(line), line).toBeLessThanOrEqual(columns);
			const [, short = ""] = /^(\S+) +waiting/m.exec(out) ?? [];
			expect((await cli("show", short)).out).toContain(`${run}  waiting`);
			expect(out).toContain("approval of");
		}
	});

	test("an approval can change the arguments", async () => {
		const { run, approval } = await heldRun();
		await cli("approve", approval, "--args", '{"cents": 5}', "--reason", "less will do");
		const { out } = await cli("resume", run);
		expect(out).toContain("changed and approved");
		expect(out).toContain("with {cents: 5}");
		expect(out).toContain('"less will do"');
		expect(out).toContain('"paid":5');
	});

	test("arguments that do not fit the tool are refused at once; where no config is, it is said that they are checked later", async () => {
		const { run, approval } = await heldRun();
		const wrong = await cli("approve", approval, "--args", '{"cents": "five"}');
		expect(wrong).toMatchObject({ code: 1, err: expect.stringContaining("approval.invalid") });
		expect((await cli("show", run, "--json")).json()).toMatchObject([{ unread: 0 }]);
		expect((await cli("approve", approval, "--args", '{"cents": 5}')).out).not.toContain("is checked when");
		await cli("resume", run);
		const other = await heldRun();
		rmSync(join(cwd, "holdpoint.config.mjs"));
		const later = await cli("approve", other.approval, "--args", '{"cents": "five"}');
		expect(later).toMatchObject({ code: 0, out: expect.stringContaining("is checked when the run goes on") });
	});

	test("a denial is read by the model", async () => {
		const { run, approval } = await heldRun();
		expect((await cli("deny", approval, "--reason", "not today")).code).toBe(0);
		expect((await cli("resume", run)).out).toContain("not today");
		const again = await cli("approve", approval);
		expect(again).toMatchObject({ code: 1, err: expect.stringContaining("approval.unknown") });
	});

	test("an answer that comes after another is not noted as if it counted; a no counts over a yes", async () => {
		const { run, approval } = await heldRun();
		await cli("approve", approval);
		const more = await cli("approve", approval, "--args", '{"cents": 5}');
		expect(more).toMatchObject({ code: 1, err: expect.stringContaining(`${me.id} approved it before`) });
		expect(more.err).toContain(`Resume run ${run}`);
		expect((await cli("deny", approval, "--reason", "no, wait")).code).toBe(0);
		const { out } = await cli("resume", run);
		expect(out).toContain("no, wait");
		expect(out).not.toContain('"paid"');
	});

	test("show tells the story afterwards, by a shortened id or for the newest run", async () => {
		const { run, approval } = await heldRun();
		await cli("approve", approval);
		await cli("resume");
		const shown = await cli("show");
		expect(shown.out).toContain(`${run}  completed`);
		expect(shown.out).toMatch(
			/held {2}pay \{cents: 900\}[\s\S]*approved by[\s\S]*pay \{cents: 900\} → \{paid: 900\}[\s\S]*completed/,
		);
		const [value] = (await cli("show", run.slice(0, -2), "--json")).json() as [
			{ run: string; events: { event: { type: string } }[] },
		];
		expect(value.run).toBe(run);
		expect(value.events.map(({ event }) => event.type)).toContain("approval.resolved");
	});

	test("a call that nobody knows of is a wait with its own commands, and can be settled", async () => {
		const started = await cli("run", "guess");
		expect(started.code).toBe(3);
		expect(started.out).toContain("nobody knows whether it happened");
		const [settle = "", run = "", call = ""] = /holdpoint settle (\S+) (\S+) --did-not-happen/.exec(started.out) ?? [];
		// It is found again by whoever did not see the screen of `run`.
		expect((await cli("runs")).out).toContain("unknown: guess");
		for (const argv of [["approvals"], ["approvals", run], ["show", run], ["resume", run]]) {
			const { out } = await cli(...argv);
			expect(out).toMatch(/^\? guess \{cents: 1\}$/m);
			expect(out).toContain(settle);
			expect(out).not.toContain("✗");
		}
		const inbox = (await cli("approvals", "--json")).json();
		expect(inbox).toEqual([{ approvals: [], unknown: [expect.objectContaining({ run, call, tool: "guess" })] }]);
		expect((await cli("settle", run, "c9", "--did-not-happen")).err).toContain("settle.invalid");
		expect((await cli("settle", run, call, "--happened", '{"paid":1}', "--json")).json()).toEqual([
			{ run, call, happened: true, by: me },
		]);
		const again = await cli("settle", run, call, "--did-not-happen");
		expect(again).toMatchObject({ code: 1, err: expect.stringContaining(`${me.id} has said already`) });
		expect((await cli("resume", run)).out).toContain('│ Result: {"paid":1}');
	});

	test("a run can be cancelled, and its held call is never executed", async () => {
		const { run, approval } = await heldRun();
		const cancelled = (await cli("cancel", run, "--reason", "changed my mind", "--json")).json();
		expect(cancelled).toEqual([{ run, status: "cancelled", done: [] }]);
		expect((await cli("approve", approval)).code).toBe(1);
		expect((await cli("runs", "--status", "cancelled")).out).toContain(run);
	});

	test("a run can be cancelled where its agent is not known", async () => {
		const { run, approval } = await heldRun();
		rmSync(join(cwd, "holdpoint.config.mjs"));
		const cancelled = (await cli("cancel", run, "--json")).json();
		expect(cancelled).toEqual([{ run, status: "cancelled", done: [] }]);
		expect((await cli("approve", approval)).code).toBe(1);
	});

	test("a session remembers, and its waiting run is reached by the next message", async () => {
		await cli("run", "--session", "s1", "hello");
		const second = await cli("run", "--session", "s1", "again");
		expect(second).toMatchObject({ code: 0, out: expect.stringContaining("You said: again") });
		expect((await cli("run", "--session", "s1", "--run-id", "x", "hi")).code).toBe(2);
	});

	test("a run id names one piece of work", async () => {
		await cli("run", "--run-id", "job-1", "hello");
		expect((await cli("run", "--run-id", "job-1", "hello", "--json")).json()).toEqual([
			expect.objectContaining({ type: "run.result", run: "job-1" }),
		]);
		expect(await cli("run", "--run-id", "job-1", "other")).toMatchObject({
			code: 1,
			err: expect.stringContaining("run.exists"),
		});
	});

	test("a run whose model fails in its first answer is kept: it says how to go on, and for machines which run it is", async () => {
		for (const flags of [[], ["--session", "s1"]]) {
			const failed = await cli("run", "refuse", ...flags);
			expect(failed).toMatchObject({ code: 1, err: expect.stringContaining("(model.refused)") });
			const [, run = ""] = /go on with: holdpoint resume (\S+)/.exec(failed.err) ?? [];
			expect((await cli("runs", "--json")).out).toContain(run);
			const again = await cli("resume", run, "--json");
			expect(again).toMatchObject({ code: 1, err: "" });
			expect(again.json()).toEqual([
				{ error: expect.objectContaining({ code: "model.refused", details: expect.objectContaining({ run }) }) },
			]);
		}
	});

	test("where no run was kept, nothing is said of going on", async () => {
		await cli("run", "--run-id", "job-1", "hello");
		const other = await cli("run", "--run-id", "job-1", "other");
		expect(other.err).toContain("run.exists");
		expect(other.err).not.toContain("go on with");
		const nothing = await cli("run", "--run-id", "job-2", " ");
		expect(nothing.err).toContain("run.input_invalid");
		expect(nothing.err).not.toContain("go on with");
	});

	test("an agent, a model or a config that does not exist is named", async () => {
		expect((await cli("run", "--agent", "nobody", "hi")).err).toContain("It has: payer.");
		expect((await cli("run", "--model", "nowhere/x", "hi")).err).toContain("model.unknown");
		expect((await cli("run", "--base-url", "http://127.0.0.1:1", "hi")).code).toBe(2);
		expect((await cli("run", "--config", "nope.ts", "hi")).err).toContain("does not exist");
	});

	test("an agent without a model is named before anything starts", async () => {
		writeFileSync(join(cwd, "bare.mjs"), config.replace(/\tmodel: .*\n/, ""));
		const bare = ["--config", "bare.mjs"];
		const refused = await cli("run", "hello", "--run-id", "job", ...bare);
		expect(refused).toMatchObject({
			code: 1,
			out: "",
			err: expect.stringMatching(/payer has no model.*--model provider/s),
		});
		expect((await cli("runs")).out).not.toContain("job");
		expect((await cli("doctor", ...bare)).out).toMatch(/○ config .*without a model:\s+payer/s);
		const { run } = await heldRun();
		expect(await cli("resume", run, ...bare)).toMatchObject({
			code: 1,
			out: "",
			err: expect.stringContaining("payer has no model"),
		});
		expect((await cli("cancel", run, ...bare)).code).toBe(0);
	});

	test("what has a shape and does not fit it is answered with the shape", async () => {
		const id = await cli("run", "--run-id", "my job", "hi");
		expect(id).toMatchObject({
			code: 2,
			err: expect.stringMatching(/--run-id "my job" is no run id.*Letters, digits/s),
		});
		const model = await cli("run", "--model", "openai", "hi");
		expect(model).toMatchObject({
			code: 2,
			err: expect.stringMatching(/--model takes provider\/name.*openai\/<name>/s),
		});
	});

	test("the doctor finds what is there and mends what is not", async () => {
		await cli("run", "hello");
		const [well] = (await cli("doctor", "--json")).json() as [
			{ ok: boolean; findings: { name: string; state: string }[] },
		];
		expect(well.ok).toBe(true);
		expect(well.findings.map(({ name, state }) => `${name} ${state}`)).toEqual([
			"node ok",
			"platform ok",
			"store ok",
			"key ok",
			expect.stringMatching(/^sandbox microvm (ok|note)$/),
			"sandbox wasm ok",
			expect.stringMatching(/^sandbox hyperlight (ok|note)$/),
			"models note",
			"config ok",
		]);
		writeFileSync(join(cwd, "no.db"), "this is no database, and it is long enough to be looked at as one");
		const ill = await cli("doctor", "--store", "no.db", "--config", "nope.ts");
		expect(ill.code).toBe(1);
		expect(ill.out).toContain("→ Restore it from a backup");
	});

	test("a key file that is lost is never replaced: nothing could be read with a new one, and the doctor says so", async () => {
		await cli("run", "hello");
		const keys = join(cwd, ".holdpoint", "holdpoint.db.keys");
		const key = readFileSync(keys, "utf8");
		rmSync(keys);
		for (const command of [["show"], ["run", "hello"]]) {
			expect(await cli(...command)).toMatchObject({ code: 1, err: expect.stringContaining("journal.key_missing") });
		}
		expect(existsSync(keys)).toBe(false);
		const gone = await cli("doctor");
		expect(gone).toMatchObject({ code: 1, out: expect.stringContaining("is gone") });
		writeFileSync(keys, key.replace(/:.*/, `:${Buffer.alloc(32, 9).toString("base64url")}`), { mode: 0o600 });
		expect(await cli("doctor")).toMatchObject({ code: 1, out: expect.stringContaining("was changed") });
		writeFileSync(keys, key, { mode: 0o600 });
		expect(await cli("doctor")).toMatchObject({ code: 0, out: expect.stringContaining("verifies the newest run") });
	});

	test("the doctor changes nothing where nothing is", async () => {
		expect((await cli("doctor", "--store", "new/store.db")).code).toBe(0);
		expect(existsSync(join(cwd, "new"))).toBe(false);
	});
});
