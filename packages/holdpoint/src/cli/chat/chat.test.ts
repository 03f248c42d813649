import { spawn } from "node:child_process";
import { once } from "node:events";
import { userInfo } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { pathToFileURL } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sqliteStore } from "../../adapters/stores/sqlite.ts";
import { createHarness } from "../../holdpoint.ts";
import type { HoldpointConfig } from "../holdpoint-config.ts";
import type { Host } from "../host.ts";
import { recorded } from "../recording-host.ts";
import { widthOf } from "../render/text-width.ts";
import { runCli } from "../run-cli.ts";
import { type TeamScene, teamScene } from "../team-scene.ts";

let scene: TeamScene;
beforeEach(() => {
	scene = teamScene();
});
afterEach(() => scene.remove());

function talk(lines: readonly string[], ...more: string[]) {
	return scene.typing(lines, "chat", "support", ...more);
}

function sessionOf(out: string): string {
	return /chat_\w+/.exec(out)?.[0] ?? "";
}

async function lastRun(): Promise<string> {
	const [list] = (await scene.cli("runs", "--json")).json() as [{ runs: { run: string }[] }];
	return list.runs[0]?.run ?? "";
}

describe("a conversation in the terminal", () => {
	test("shows who speaks, what is done and who takes over, and a held call is decided in it", async () => {
		const { code, out } = await talk(["refund please", "yes", "/approve", "/quit"]);
		expect(code).toBe(0);
		const said = out.split("\n").filter((line) => /^(you|desk|refund|shipping): |^⇢|^✓/.test(line));
		expect(said.map((line) => line.replace(/ {2}\d+ ms$/, ""))).toEqual([
			"you: refund please",
			'✓ desk · look_up {order: "A-1"} → {order: "A-1", cents: 900}',
			"desk: One moment.",
			"⇢ desk hands on to refund",
			"refund: Shall I pay 9.00?",
			"you: yes",
			`✓ refund · approved by ${userInfo().username} (os)`,
			"✓ refund · pay {cents: 900} → {paid: 900}",
			'refund: Refund: {"paid":900}',
		]);
		expect(out).toMatch(/│ why {7}money leaves/);
		expect(out).toContain("by agent refund, run");
	});

	test("a call is denied with a reason, and another one executed with other arguments", async () => {
		const { out } = await talk(["refund please", "yes", "/deny too late", "yes", '/edit {"cents": 5}']);
		expect(out).toMatch(/refund: Refund: ".*too late"/);
		expect(out).toContain("✓ refund · pay {cents: 5} → {paid: 5}");
	});

	test("arguments that the tool does not take are refused, and the call is still held", async () => {
		const { code, err } = await talk(["refund please", "yes", '/edit {"cents": "all"}']);
		expect(code).toBe(1);
		expect(err).toContain("approval.invalid");
		expect((await scene.cli("approvals")).out).toContain("pay is held");
	});

	test("who leaves comes back to the same conversation, is told which, and sees what was said", async () => {
		const first = await talk(["refund please", "yes"]);
		expect(first.code).toBe(3);
		const session = sessionOf(first.out);
		expect(first.out).toContain(`Come back with: holdpoint chat support --session ${session}`);
		const second = await talk(["/approve"]);
		expect(second.out).toContain(`Conversation ${session}, which goes on`);
		expect(second.out).toMatch(/you: yes\n[\s\S]*pay is held[\s\S]*refund: Refund: \{"paid":900\}/);
		expect(second.code).toBe(0);
		const other = await talk(["hello"], "--new");
		expect(sessionOf(other.out)).not.toBe(session);
		expect((await talk(["hello"], "--session", session)).out).toContain("refund: Refund:");
	});

	test("a call that is left is held still, and is decided later by its id", async () => {
		const { code, out } = await talk(["refund please", "yes", "/later", "/status", "/quit"]);
		expect(code).toBe(3);
		const [, approval = ""] = /(apr_\w+): pay, asked for by refund/.exec(out) ?? [];
		const later = await talk(["/later", `/approve ${approval}`]);
		expect(later.out).toContain('refund: Refund: {"paid":900}');
	});

	test("an answer that somebody leaves elsewhere is read when the conversation goes on", async () => {
		await talk(["refund please", "yes"]);
		const run = await lastRun();
		await scene.cli("approve", "--run", run);
		expect((await talk([])).out).toContain('refund: Refund: {"paid":900}');
	});

	test("the conversation of another user, or of a tenant, is not taken up", async () => {
		const config = pathToFileURL(join(scene.cwd, "holdpoint.config.mjs")).href;
		const { agents, policy } = ((await import(config)) as { config: HoldpointConfig }).config;
		const store = sqliteStore(join(scene.cwd, ".holdpoint/holdpoint.db"));
		const harness = createHarness({ agents, store, ...(policy ? { policy } : {}) });
		await harness.session("hers", agents[0]!).send("refund please", { principal: "somebody else" });
		const tenants = { principal: userInfo().username, tenant: "a" };
		await harness.session("hers too", agents[0]!).send("refund please", tenants);
		await harness.close();
		const { out } = await talk([]);
		expect(out).not.toContain("hers");
		expect(out).toContain("Nothing was said.");
	});

	test("what nobody knows is said with how to settle it, and the exit code says that it waits", async () => {
		const { code, out } = await talk(["where is my parcel"]);
		expect(code).toBe(3);
		expect(out).toContain("⇢ desk hands on to shipping");
		const [, settle = ""] = /holdpoint (settle \S+ \S+ --did-not-happen)/.exec(out) ?? [];
		expect((await scene.cli(...settle.split(" "))).code).toBe(0);
		expect((await talk([])).out).toContain("shipping: Shipping: ");
	});

	test("a provider that is busy is waited for: until when is said, and the conversation is kept", async () => {
		const { code, out } = await talk(["are you busy?", "/resume", "/status"]);
		expect(code).toBe(3);
		expect(out.match(/◷ It waits until \d{4}-\d\d-\d\d/g)).toHaveLength(2);
		expect(out).toMatch(/waits for +\d{4}-/);
	});

	test("of those who work beside each other each one's words are whole", async () => {
		const { out } = await scene.typing(["go"], "chat", "beside");
		const said = out.replace(/\s+/g, " ");
		expect(said).toContain(`left: ${"left says it. ".repeat(9)}`);
		expect(said).toContain(`right: ${"right says it. ".repeat(7)}`);
	});

	test("a team that is done says so, and a single agent goes on with what was said", async () => {
		const office = await scene.typing(["pay it", "/approve"], "chat", "office");
		expect(office.out).toMatch(/⇢ boss · c1 is put to clerk[\s\S]*boss: All is done\.\n✓ office is done/);
		const { out } = await scene.typing(["one", "/deny no"], "chat", "clerk");
		const again = await scene.typing(["two"], "chat", "clerk", "--session", sessionOf(out));
		expect(again.out).toContain("you: one");
	});

	test("words that are no command are refused with what there is; nothing is decided where nothing is held", async () => {
		const { code, err, out } = await talk(["/aprove", "/deny", "/approve", "//approve is my word", "/help"]);
		expect(code).toBe(0);
		expect(err).toContain("There is no /aprove. /help lists what there is");
		expect(err).toContain("/deny needs a reason");
		expect(err).toContain("Nothing is held here");
		expect(out).toContain("desk: Desk: /approve is my word");
		expect(out).toContain("/edit [id] <json>");
	});

	test("what goes wrong ends a script with exit code 1, and the conversation is kept", async () => {
		const { code, err, out } = await talk(["fail", "hello"]);
		expect(code).toBe(1);
		expect(err).toContain("model.refused");
		expect(out).toContain("The conversation is kept.");
		expect(out).not.toContain("you: hello");
	});

	test("words of others move no cursor and change no title", async () => {
		const { out } = await talk(["hostile words \u001b[2J of mine"]);
		expect(out).toContain("desk: Read this");
		expect(out).not.toMatch(/[\u001b\u0007\u202e]/);
	});

	test("with --json each line is an object: how it opened, each event, each result, how it was left", async () => {
		const lines = (await talk(["refund please", "yes", "/approve"], "--json")).json();
		expect(lines[0]).toMatchObject({ type: "chat.opened", agent: "support", isNew: true });
		expect(lines.at(-1)).toMatchObject({ type: "chat.left", session: lines[0]?.["session"], status: "waiting" });
		const types = lines.map(({ type, event }) => type ?? (event as { type: string }).type);
		expect(types).toContain("run.handed");
		expect(types.filter((type) => type === "run.result")).toHaveLength(3);
		expect(types.indexOf("approval.requested")).toBeLessThan(types.indexOf("approval.answered"));
		const [shown] = (await scene.cli("show", await lastRun(), "--json")).json() as [{ events: { event: unknown }[] }];
		expect(lines.flatMap(({ event }) => (event ? [event] : []))).toEqual(shown.events.map(({ event }) => event));
	});

	test("an open conversation with one agent is not continued with another one", async () => {
		const { out } = await talk(["refund please"]);
		const { code, err } = await scene.typing(["hello"], "chat", "office", "--session", sessionOf(out));
		expect(code).toBe(2);
		expect(err).toContain("is with support, and it is open");
	});

	test("Ctrl-C in the middle of an answer leaves it, and whoever comes back gets the answer", {
		timeout: 60_000,
	}, async () => {
		const entry = join(import.meta.dirname, "../main.ts");
		const child = spawn(process.execPath, [entry, "chat", "support"], {
			cwd: scene.cwd,
			env: { PATH: process.env["PATH"], HANGS: "1" },
			stdio: ["pipe", "pipe", "pipe"],
		});
		let out = "";
		child.stdout.setEncoding("utf8").on("data", (text: string) => {
			out += text;
		});
		child.stderr.setEncoding("utf8").on("data", (text: string) => {
			if (text.includes("it hangs")) child.kill("SIGINT");
		});
		child.stdin.write("slowly\n");
		const [code] = (await once(child, "close")) as [number | null];
		expect(code).toBe(130);
		expect(out).toContain("The conversation is kept.");
		expect((await talk([])).out).toMatch(/you: slowly\n[\s\S]*desk: Desk: slowly/);
	});

	test.each([80, 120])("nothing of it is wider than %i columns", async (columns) => {
		const stdin = "refund please\nyes\n/status\n/approve\n/help\n";
		const { out } = await recorded(["chat", "support"], { cwd: scene.cwd, columns, stdin });
		expect(out).toContain('refund: Refund: {"paid":900}');
		const commands = /holdpoint (chat|show|approve|deny)/;
		expect(out.split("\n").filter((line) => widthOf(line) > columns && !commands.test(line))).toEqual([]);
	});
});

describe("where a person sits at the terminal", () => {
	/** Types each part when what it answers is on the screen. */
	async function sitting(
		parts: readonly (readonly [after: string, keys: string])[],
	): Promise<{ code: number; screen: string }> {
		const keyboard = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined });
		const stdout = Object.assign(new PassThrough(), { isTTY: true, columns: 100 });
		const left = [...parts];
		let screen = "";
		let seen = 0;
		stdout.setEncoding("utf8").on("data", (text: string) => {
			screen += text;
			const [next] = left;
			const at = next ? screen.indexOf(next[0], seen) : -1;
			if (!next || at < 0) return;
			seen = screen.length;
			left.shift();
			setImmediate(() => keyboard.write(next[1]));
		});
		const host: Host = {
			env: { TERM: "xterm" },
			cwd: scene.cwd,
			stdin: keyboard,
			stdout,
			stderr: { write: () => true },
			command: "holdpoint",
			entry: "",
		};
		const code = await runCli(["chat", "support"], host);
		return { code, screen: stripVTControlCharacters(screen) };
	}

	const down = "\u001b[B";

	test("messages are typed at a prompt that says whom they reach, and a held call is a choice", async () => {
		const { code, screen } = await sitting([
			["you", "refund please\r"],
			["you, to refund", "yes\r"],
			["What do you say?", "\r"],
			["you, to refund", "/quit\r"],
		]);
		expect(code).toBe(0);
		expect(screen).toContain("pay {cents: 900} → {paid: 900}");
		expect(screen).not.toContain("you: refund please");
	});

	test("other arguments, a denial and leaving it are choices as well; Ctrl-C leaves the conversation", async () => {
		const { code, screen } = await sitting([
			["you", "refund please\r"],
			["you, to refund", "yes\r"],
			["What do you say?", `${down}\r`],
			["With which arguments?", '\u0015{"cents": 5}\r'],
			["you, to refund", "yes\r"],
			["What do you say?", `${down}${down}\r`],
			["Why not?", "too late\r"],
			["you, to refund", "yes\r"],
			["What do you say?", `${down}${down}${down}${down}\r`],
			["pay is held; an empty line shows it again", "\u0003"],
		]);
		expect(screen).toContain("pay {cents: 5} → {paid: 5}");
		expect(screen).toContain("too late");
		expect(code).toBe(3);
	});
});
