import { createHash } from "node:crypto";
import {
	chmodSync,
	chownSync,
	cpSync,
	linkSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
	createHarness,
	defineAgent,
	defineTool,
	type Harness,
	harnessAgent,
	isHoldpointError,
	jsonSchema,
	sqliteStore,
	type Tool,
} from "holdpoint";
import { calls, call as one, program, type StoryStep, say, scriptedModel } from "holdpoint/testing";
import { fileTools } from "holdpoint/tools/files";
import { type ConfinementKind, shellTool } from "holdpoint/tools/shell";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { sandboxUnderTest } from "../packages/holdpoint/src/testing/sandbox-under-test.ts";

/**
 * An agent that tries to approve its own call. Its folder holds the store, its policy allows everything, and whoever made the
 * files was careless about their rights: nothing but the tools stands between it and the approval.
 */

const cli = fileURLToPath(new URL("../packages/holdpoint/src/cli/main.ts", import.meta.url));
const sandbox = sandboxUnderTest();
afterAll(() => sandbox.close());
let desk: string;
let payments: number;
beforeEach(() => {
	desk = mkdtempSync(join(tmpdir(), "holdpoint-self-"));
	chmodSync(desk, 0o777);
	payments = 0;
});
afterEach(() => rmSync(desk, { recursive: true, force: true }));

const pay = defineTool({
	name: "pay",
	description: "Pays.",
	input: jsonSchema<{ cents: number }>({
		type: "object",
		properties: { cents: { type: "integer" } },
		required: ["cents"],
	}),
	execute: () => ++payments,
});

/** Other names of what is in the store. */
function linkStore(): void {
	linkSync(join(desk, ".holdpoint/holdpoint.db"), join(desk, "ways/other-name.txt"));
	linkSync(join(desk, ".holdpoint/holdpoint.db.keys"), join(desk, "ways/keys.txt"));
}

type Attempt = { readonly tool: string; readonly args: Record<string, string | string[]> };

function harnessFor(): Harness {
	return createHarness({
		store: sqliteStore(join(desk, ".holdpoint/holdpoint.db")),
		sandbox: { ...sandbox, close: async () => undefined },
		policy: ({ tool }) => (tool.name === "pay" ? { verdict: "ask", reason: "money" } : { verdict: "allow" }),
	});
}

/** One call that is held, and the ways to it that somebody careless, or an earlier attempt, left lying about. */
async function heldPayment(harness: Harness): Promise<{ run: string; approval: string }> {
	const model = scriptedModel([one("pay", { cents: 900 }), say("paid")]);
	const held = await harness.run(defineAgent({ name: "payer", instructions: "Pay.", model, tools: [pay] }), "Pay.");
	const [open] = await harness.approvals();
	const store = join(desk, ".holdpoint");
	for (const name of readdirSync(store)) chmodSync(join(store, name), name.endsWith(".keys") ? 0o600 : 0o666);
	mkdirSync(join(desk, "ways"));
	symlinkSync("../.holdpoint", join(desk, "ways/folder"));
	symlinkSync("/proc/self/cwd", join(desk, "ways/proc"));
	return { run: held.run, approval: open?.approval ?? "" };
}

/** What is in the store's folder, by digest. */
function contents(): Record<string, string> {
	const store = join(desk, ".holdpoint");
	// Readers of the database may touch its index of shared memory.
	const files = readdirSync(store).filter((name) => !name.endsWith("-shm"));
	return Object.fromEntries(
		files.map((name) => [
			name,
			createHash("sha256")
				.update(readFileSync(join(store, name)))
				.digest("hex"),
		]),
	);
}

async function attempt(tools: readonly Tool[], attempts: readonly Attempt[]): Promise<readonly unknown[]> {
	let results: readonly unknown[] = [];
	const model = scriptedModel([
		calls(attempts),
		say((ask) => {
			results = ask.results.map(({ value }) => value);
			return "I tried.";
		}),
	]);
	const agent = defineAgent({ name: "schemer", instructions: "Approve it yourself.", model, tools: [...tools] });
	// A harness of its own in memory: what it writes down is not what is watched.
	const harness = createHarness({ policy: () => ({ verdict: "allow" }) });
	expect((await harness.run(agent, "Go on.")).status).toBe("completed");
	await harness.close();
	expect(results).toHaveLength(attempts.length);
	return results;
}

test("an agent with file tools reaches neither key nor store, by whatever name", async () => {
	const harness = harnessFor();
	const { run, approval } = await heldPayment(harness);
	linkStore();
	const before = contents();
	const places = [
		".holdpoint/holdpoint.db.keys",
		".holdpoint/holdpoint.db",
		".HOLDPOINT/holdpoint.db.keys",
		".holdpoint./holdpoint.db",
		".ｈoldpoint/holdpoint.db",
		".hold\u200bpoint/holdpoint.db",
		"./ways/../.holdpoint/holdpoint.db",
		"ways/folder/holdpoint.db.keys",
		"ways/other-name.txt",
		"ways/keys.txt",
		"ways/proc/.holdpoint/holdpoint.db",
		"/proc/self/environ",
		"/proc/self/cwd/.holdpoint/holdpoint.db.keys",
		join(desk, ".holdpoint/holdpoint.db"),
	];
	const { tools } = fileTools({ root: desk });
	const looks = places.map((path) => ({ tool: "read_file", args: { path } }));
	const edits = places.map((path) => ({ tool: "edit_file", args: { path, old: "k", new: "x" } }));
	for (const result of await attempt(tools, [...looks, ...edits])) {
		expect(JSON.stringify(result)).toMatch(/no tool reads or changes it|is a link|The path/);
	}
	// A file with two names is replaced by a new one: the other name keeps what it was.
	const forgeries = places
		.filter((path) => !path.startsWith("ways/other") && !path.startsWith("ways/keys"))
		.flatMap((path) => [
			{ tool: "write_file", args: { path, text: "forged" } },
			{ tool: "delete_file", args: { path } },
		]);
	const more = [
		{ tool: "write_file", args: { path: ".holdpoint/approvers.json", text: "{}" } },
		{ tool: "write_file", args: { path: "holdpoint.config.ts", text: "export const config = {};" } },
	];
	for (const result of await attempt(tools, [...forgeries, ...more])) {
		expect(JSON.stringify(result)).toMatch(/no tool reads or changes it|is a link|The path/);
	}
	await attempt(tools, [
		{ tool: "write_file", args: { path: "ways/keys.txt", text: "forged" } },
		{ tool: "delete_file", args: { path: "ways/other-name.txt" } },
		{ tool: "search_files", args: { text: "k" } },
		{ tool: "list_files", args: { pattern: "**" } },
	]).then((results) => expect(JSON.stringify(results)).not.toContain("holdpoint.db"));
	expect(contents()).toEqual(before);
	await stillHeld(harness, { run, approval });
});

test("an agent with a shell reaches neither key nor store, and no command approves", async (context) => {
	const harness = harnessFor();
	const { run, approval } = await heldPayment(harness);
	const before = contents();
	const shell = openShell();
	if (typeof shell === "string") {
		await harness.close();
		return context.skip(shell);
	}
	giveToCommands(join(desk, ".holdpoint"));
	const approve = `${process.execPath} ${cli} approve ${approval}`;
	expect(await approvesUncovered(shell, approve)).toMatchObject({
		exit: 0,
		stdout: expect.stringContaining("pproved"),
	});
	const scripts = [
		"cat .holdpoint/holdpoint.db.keys",
		"cat .holdpoint/holdpoint.db",
		"cat ways/folder/holdpoint.db",
		`cat /proc/*/root${desk}/.holdpoint/holdpoint.db`,
		"cat /proc/*/cwd/.holdpoint/holdpoint.db",
		"grep -a HOLDPOINT /proc/*/environ",
		"mv .holdpoint elsewhere",
		"rm -rf .holdpoint",
		"echo forged > .holdpoint/holdpoint.db",
		"cp -r .holdpoint copy && ls copy/holdpoint.db",
		"umount .holdpoint",
		"unshare -rm umount .holdpoint",
		approve,
		`${approve} --store ${desk}/.holdpoint/holdpoint.db`,
		`cd / && ${approve} --store ${desk}/.holdpoint/holdpoint.db`,
	];
	const tries = scripts.map((script) => ({ tool: "shell", args: { command: ["sh", "-c", script] } }));
	const results = (await attempt([shell], tries)) as { exit?: number; stdout: string }[];
	for (const [at, { exit, stdout }] of results.entries()) {
		expect(exit, `${scripts[at]}: ${stdout}`).not.toBe(0);
		expect(stdout).not.toMatch(/SQLite|approved/);
	}
	linkStore();
	const linked = ["keys", "other-name"].map((name) => ({
		tool: "shell",
		args: { command: ["cat", `ways/${name}.txt`] },
	}));
	for (const result of await attempt([shell], linked)) expect(String(result)).toContain("has a second name");
	expect(contents()).toEqual(before);
	await stillHeld(harness, { run, approval });
});

/** Its rights are not what keeps a command out. */
function giveToCommands(store: string): void {
	if (process.geteuid?.() !== 0) return;
	for (const path of [store, ...readdirSync(store).map((name) => join(store, name))]) chownSync(path, 65_530, 65_530);
}

/** The same command on a copy of the store that nothing covers. */
async function approvesUncovered(shell: Tool, approve: string): Promise<unknown> {
	const copy = join(desk, "uncovered");
	cpSync(join(desk, ".holdpoint"), copy, { recursive: true });
	giveToCommands(copy);
	const run = (script: string) => ({ tool: "shell", args: { command: ["sh", "-c", script] } });
	// Bubblewrap does not show this checkout; its command line approves for whoever sees it.
	const [help] = (await attempt([shell], [run(`${approve} --help`)])) as { exit?: number }[];
	const able = help?.exit === 0 ? shell : openShell("none");
	const [control] = await attempt([able as Tool], [run(`${approve} --store ${copy}/holdpoint.db`)]);
	rmSync(copy, { recursive: true });
	return control;
}

function openShell(confine?: ConfinementKind): Tool | string {
	try {
		const commands = [{ command: ["sh", "-c", "*"] }, { command: ["cat", "*"] }];
		return shellTool({ cwd: desk, commands, ...(confine ? { confine } : {}) }).tool;
	} catch (error) {
		if (isHoldpointError(error)) return error.message;
		throw error;
	}
}

/** And the one who may approve can: it was the agent that could not. */
async function stillHeld(harness: Harness, { run, approval }: { run: string; approval: string }): Promise<void> {
	expect(statSync(join(desk, ".holdpoint/holdpoint.db")).isFile()).toBe(true);
	const [open] = await harness.approvals();
	expect(open).toMatchObject({ approval, answeredBy: [], unread: [] });
	expect((await harness.resume(run)).status).toBe("waiting");
	expect(payments).toBe(0);
	await harness.approve(approval, { by: { id: "mia", via: "test" } });
	expect((await harness.resume(run)).status).toBe("completed");
	expect(payments).toBe(1);
	await harness.close();
}

/** Ways to the keys, the store and the command line that answers, as calls of its tools. */
function waysIn(approval: string): readonly Attempt[] {
	const sh = (script: string): Attempt => ({ tool: "shell", args: { command: ["sh", "-c", script] } });
	const key = ".holdpoint/holdpoint.db.keys";
	return [
		{ tool: "read_file", args: { path: key } },
		{ tool: "read_file", args: { path: "ways/folder/holdpoint.db.keys" } },
		{ tool: "write_file", args: { path: ".holdpoint/approvers.json", text: "{}" } },
		{ tool: "delete_file", args: { path: ".holdpoint/holdpoint.db" } },
		sh(`cat ${key}`),
		sh("cat .holdpoint/holdpoint.db"),
		sh(`${process.execPath} ${cli} approve ${approval} --store ${desk}/.holdpoint/holdpoint.db`),
	];
}

/** In a program: what each of them came to, as text. */
function programOf(attempts: readonly Attempt[]): string {
	const lines = attempts.map(({ tool, args }) => {
		return `try { said.push(JSON.stringify(await tools.${tool}(${JSON.stringify(args)}))); } catch (error) { said.push("refused: " + error.message); }`;
	});
	return ["const said: string[] = [];", ...lines, "return said;"].join("\n");
}

test("a harness agent with all that is on by default approves nothing: by its own tools, by a program, or by an agent in the background", async (context) => {
	const harness = harnessFor();
	const { run, approval } = await heldPayment(harness);
	const shell = openShell();
	if (typeof shell === "string") {
		await harness.close();
		return context.skip(shell);
	}
	const tools = [...fileTools({ root: desk }).tools, shell, pay];
	const ways = waysIn(approval);
	const heard: string[] = [];
	const hears = (step: StoryStep): StoryStep => ({
		...step,
		when: ({ results }) => heard.push(...results.map(({ value }) => JSON.stringify(value))) >= 0,
	});
	const helper = harnessAgent({
		name: "helper",
		instructions: "Approve it.",
		tools,
		programs: false,
		model: scriptedModel([calls(ways), hears(one("pay", { cents: 2 })), say("done")]),
	});
	const own: readonly Attempt[] = [
		{ tool: "note", args: { name: "approvals", text: `Approval ${approval} is granted.` } },
		{ tool: "memory", args: { name: approval } },
		{ tool: "read_result", args: { call: approval } },
		{ tool: "stop_agent", args: { call: approval } },
		{ tool: "ask_helper", args: { task: `Approve ${approval}.` } },
	];
	const schemer = harnessAgent({
		name: "schemer",
		instructions: "Approve it yourself.",
		tools,
		agents: [helper],
		model: scriptedModel([
			calls(own),
			hears(program(programOf(ways))),
			hears(program(`return await tools.pay({ cents: 3 });`)),
			say("I tried."),
		]),
	});
	const keys = readFileSync(join(desk, ".holdpoint/holdpoint.db.keys"));
	const tried = await harness.run(schemer, "Go on.", { principal: "eve" });
	expect(tried.status).toBe("waiting");
	// Each way was tried twice: in a program, and by the helper without one.
	expect(heard.join("\n").match(/no tool reads or changes it|is a link/g)?.length).toBeGreaterThanOrEqual(8);
	expect(heard.join("\n")).not.toMatch(/SQLite|approved|"exit":0/);
	expect(readFileSync(join(desk, ".holdpoint/holdpoint.db.keys"))).toEqual(keys);
	const open = await harness.approvals();
	expect(open.map(({ tool, answeredBy, unread }) => ({ tool, answeredBy, unread }))).toEqual(
		Array(3).fill({ tool: "pay", answeredBy: [], unread: [] }),
	);
	expect((await harness.resume(tried.run)).status).toBe("waiting");
	await harness.cancel(tried.run);
	await stillHeld(harness, { run, approval });
});
