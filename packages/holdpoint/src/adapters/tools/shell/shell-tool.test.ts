import { spawnSync } from "node:child_process";
import {
	chmodSync,
	closeSync,
	existsSync,
	mkdirSync,
	openSync,
	readdirSync,
	readFileSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, type TestContext, test, vi } from "vitest";
import { createHarness } from "../../../holdpoint.ts";
import { defineAgent } from "../../../run/define-agent.ts";
import { scriptedModel } from "../../../testing/scripted-model.ts";
import { call, say } from "../../../testing/story.ts";
import { OutcomeUnknown } from "../../../tools/outcome-unknown.ts";
import { givenEnvironment } from "./given-environment.ts";
import { runCommand } from "./run-command.ts";
import type { ShellChildAnswer } from "./shell-child.ts";
import { confinedShell, harness, isRoot, lack, type Run, type ShellScene, shell, shellScene } from "./shell-scene.ts";
import { type ShellToolOptions, shellTool } from "./shell-tool.ts";

let scene: ShellScene;
let folder: string;
let desk: string;
beforeEach(() => {
	scene = shellScene();
	({ folder, desk } = scene);
	process.env["HOLDPOINT_KEYS"] = "k1:very-secret";
});
afterEach(() => {
	delete process.env["HOLDPOINT_KEYS"];
	vi.unstubAllEnvs();
	scene.close();
});

describe.each(["user", "bwrap"] as const)("commands that are confined (%s)", (confine) => {
	const why = lack(confine);
	const confined = (options: Partial<ShellToolOptions> = {}): Run => confinedShell({ cwd: desk, confine, ...options });
	const sh = (script: string, context: TestContext, options: Partial<ShellToolOptions> = {}) => {
		if (why) context.skip(why);
		return confined(options)(["sh", "-c", script]);
	};

	test("what a command says is returned, whatever its exit code", async (context) => {
		expect(await sh("echo out; echo err >&2; exit 3", context)).toEqual({ exit: 3, stdout: "out\n", stderr: "err\n" });
		expect(await sh("sh -c 'kill -SEGV $$'; echo $?", context)).toMatchObject({ exit: 0, stdout: "139\n" });
	});

	test("nothing of the harness is in its environment, and nothing of its processes is seen", async (context) => {
		const { stdout } = await sh("env; cat /proc/*/environ | tr '\\0' '\\n'; ls /proc | grep -c '^[0-9]'", context, {
			env: { TOPIC: "x" },
		});
		expect(stdout).toContain("TOPIC=x");
		expect(stdout).not.toMatch(/HOLDPOINT|very-secret/);
		expect(Number(stdout.trim().split("\n").at(-1))).toBeLessThan(8);
	});

	test("what it is given reaches nothing that is run before it, and nobody else's eyes", async (context) => {
		const env = { LD_DEBUG: "files", TOKEN: "a b'$(id)\n\"c", EMPTY: "" };
		const { stdout, stderr } = await sh(
			'printf %s "$TOKEN:$EMPTY:$LD_DEBUG"; cat /proc/*/cmdline | grep -c "given[-]secret"; set | grep -c ^given',
			context,
			{ env: { ...env, OTHER: "given-secret" } },
		);
		expect(stdout).toBe(`${env.TOKEN}::files0\n0\n`);
		const started = [...stderr.matchAll(/transferring control: (\S+)/g)].map(([, program = ""]) => basename(program));
		expect(started[0]).toBe("sh");
		expect(started).not.toEqual(expect.arrayContaining([expect.stringMatching(/setpriv|unshare|mount|prlimit|bwrap/)]));
	});

	test("it is somebody without rights, and has no network", async (context) => {
		const { stdout } = await sh(
			"id -u; grep -E 'CapEff|NoNewPrivs' /proc/self/status; tail -n +3 /proc/net/dev",
			context,
		);
		expect(stdout).toMatch(/CapEff:\s+0+\n/);
		expect(stdout).toMatch(/NoNewPrivs:\s+1\n/);
		expect(stdout.match(/^\s*\w+:/gm)?.filter((line) => !/lo:|Cap|NoNew/.test(line)) ?? []).toEqual([]);
		if (confine === "user") expect(stdout).toMatch(/^65530\n/);
	});

	test("the store in its own folder, and one elsewhere, cannot be read, replaced or made anew", async (context) => {
		mkdirSync(join(desk, ".holdpoint"));
		// Whoever stored it was careless about rights.
		for (const path of [
			join(desk, ".holdpoint/holdpoint.db.keys"),
			join(folder, "my.db"),
			join(folder, "my.db.keys"),
			join(desk, "in.db"),
			join(desk, "in.db-wal"),
		]) {
			writeFileSync(path, "very-secret");
			chmodSync(path, 0o666);
		}
		const options = { forbid: [join(folder, "my.db"), join(desk, "in.db")] };
		const { stdout } = await sh(
			`cat .holdpoint/* ${folder}/my.db* in.db-wal /proc/self/root${desk}/.holdpoint/*; mv .holdpoint other; rm -rf .holdpoint; echo forged > .holdpoint/x; echo forged > in.db-wal; mv in.db-wal gone; ls -A`,
			context,
			options,
		);
		expect(stdout.split("\n").filter(Boolean).toSorted()).toEqual([".holdpoint", "in.db", "in.db-wal"]);
		expect(readdirSync(join(desk, ".holdpoint"))).toEqual(["holdpoint.db.keys"]);
		expect(readFileSync(join(desk, "in.db-wal"), "utf8")).toBe("very-secret");
	});

	test("a store that is not there yet cannot be put there by a command", async (context) => {
		await sh("rmdir .holdpoint; mkdir -p .holdpoint; echo forged > .holdpoint/holdpoint.db", context);
		expect(readdirSync(join(desk, ".holdpoint"))).toEqual([]);
	});

	test("the configuration of the next harness is read and never written", async (context) => {
		writeFileSync(join(desk, "holdpoint.config.ts"), "mine");
		const { stdout } = await sh(
			"cat holdpoint.config.ts; echo x > holdpoint.config.ts; mv holdpoint.config.ts y; rm -f holdpoint.config.ts",
			context,
		);
		expect(stdout).toBe("mine");
		expect(readFileSync(join(desk, "holdpoint.config.ts"), "utf8")).toBe("mine");
	});

	test("a configuration of another name is kept where HOLDPOINT_CONFIG names it", async (context) => {
		const file = join(desk, "ours.ts");
		writeFileSync(file, "mine");
		vi.stubEnv("HOLDPOINT_CONFIG", file);
		const { stdout } = await sh("cat ours.ts; echo x > ours.ts; mv ours.ts gone; rm -f ours.ts; echo end", context);
		expect(stdout).toBe("mineend\n");
		expect(readFileSync(file, "utf8")).toBe("mine");
	});

	test("one that lies in a store is covered with it, and one deeper in the folder could be exchanged", async (context) => {
		mkdirSync(join(desk, ".holdpoint"));
		writeFileSync(join(desk, ".holdpoint/ours.ts"), "mine");
		vi.stubEnv("HOLDPOINT_CONFIG", join(desk, ".holdpoint/ours.ts"));
		expect(await sh("cat .holdpoint/ours.ts; echo end", context)).toMatchObject({ stdout: "end\n" });
		mkdirSync(join(desk, "conf"));
		writeFileSync(join(desk, "conf/ours.ts"), "mine");
		vi.stubEnv("HOLDPOINT_CONFIG", join(desk, "conf/ours.ts"));
		const deeper = async () => sh("ls", context);
		await expect(deeper()).rejects.toThrow("it must be a file directly in the folder, or outside of it");
	});

	test("I7: a command that is killed is unknown, and so is all that it had started over", async (context) => {
		spawnSync("mkfifo", ["-m", "666", join(desk, "pipe")]);
		const stop = new AbortController();
		if (why) return context.skip(why);
		const script = "(exec setsid sleep 1000 > pipe) & (sleep 1000 &) ; echo begun > begun; exec sleep 1000 > pipe";
		const running = confined()(["sh", "-c", script], stop.signal);
		// Opened as soon as somebody writes to it, and at its end when nobody does any more.
		const pipe = await open(join(desk, "pipe"), "r");
		stop.abort();
		await expect(running).rejects.toThrow(OutcomeUnknown);
		expect((await pipe.read(Buffer.alloc(1))).bytesRead).toBe(0);
		await pipe.close();
	});

	test("I8: a command that does not end is killed when its time is over", async (context) => {
		const endless = sh("while :; do :; done", context, { limits: { commandTimeoutMs: 300 } });
		await expect(endless).rejects.toThrow("it did not end within 300 ms; what it had done by then stands");
	});

	test("what it leaves behind ends with it", async (context) => {
		spawnSync("mkfifo", ["-m", "666", join(desk, "pipe")]);
		if (why) return context.skip(why);
		const done = sh("(exec setsid sleep 1000 > pipe) & : > pipe; echo left", context);
		const pipe = await open(join(desk, "pipe"), "r");
		expect(await done).toMatchObject({ exit: 0, stdout: "left\n" });
		expect((await pipe.read(Buffer.alloc(1))).bytesRead).toBe(0);
		await pipe.close();
	});

	test("I8: one that forks for ever has so many processes at once, and no more", async (context) => {
		// A user of its own: what others run does not count with it.
		const options = { user: { uid: 65_531, gid: 65_531 }, limits: { processesMax: 32 } };
		// Whatever it starts stays, so that all are there at once when no more can be started.
		const { stderr } = await sh("while :; do sleep 1000 & echo x >> started; done", context, options);
		expect(stderr).toMatch(/fork/i);
		const started = readFileSync(join(desk, "started"), "utf8").length / 2;
		expect(started).toBeLessThan(32);
		expect(started).toBeGreaterThan(16);
		expect(await sh("echo well", context, options)).toMatchObject({ stdout: "well\n" });
	});

	test("I8: output, memory and files are bounded", async (context) => {
		const limits = { outputBytesMax: 1_000, fileBytesMax: 10_000, memoryBytesMax: 200_000_000 };
		const much = await sh("yes äö | head -c 3000000", context, { limits });
		expect(much).toMatchObject({ exit: 0, truncated: true });
		expect(Buffer.byteLength(much.stdout)).toBeLessThanOrEqual(1_000);
		await sh("head -c 100000 /dev/zero > big", context, { limits });
		expect(readFileSync(join(desk, "big")).length).toBe(10_000);
		const hungry = await sh("head -c 500000000 /dev/zero | tail -c 400000000 | wc -c", context, { limits });
		expect(hungry.stdout.trim()).not.toBe("400000000");
	});

	test("its input is closed", async (context) => {
		expect(await sh("cat; echo over", context)).toMatchObject({ stdout: "over\n" });
	});

	test("it has none of the files that the harness was started with", async (context) => {
		if (why) return context.skip(why);
		writeFileSync(join(folder, "secret"), "very-secret");
		const secret = openSync(join(folder, "secret"), "r");
		const command = ["sh", "-c", "ls /proc/self/fd >&2; cat /proc/self/fd/20; echo over"];
		const options = { cwd: desk, confine, commands: [{ command: ["sh", "-c", "*"] }], command };
		// Node would see to those before the first gap.
		const child = harness(options, [...Array<"ignore">(17).fill("ignore"), secret]);
		const { result } = JSON.parse(await text(child.stdout as Readable)) as ShellChildAnswer;
		closeSync(secret);
		expect(result?.stdout).toBe("over\n");
		expect(result?.stderr).toContain("20\n");
	});

	test("it dies with the harness", async (context) => {
		if (why) return context.skip(why);
		spawnSync("mkfifo", ["-m", "666", join(desk, "pipe")]);
		const script = "(exec setsid sleep 1000 > pipe) & exec sleep 1000 > pipe";
		const commands = [{ command: ["sh", "-c", "*"] }];
		const child = harness({ cwd: desk, confine, commands, command: ["sh", "-c", script] });
		const pipe = await open(join(desk, "pipe"), "r");
		child.kill("SIGKILL");
		expect((await pipe.read(Buffer.alloc(1))).bytesRead).toBe(0);
		await pipe.close();
	});
});

test("what its launchers came to is no result of a command", async () => {
	const options = {
		cwd: desk,
		env: {},
		outputBytesMax: 1_000,
		timeoutMs: 10_000,
		signal: new AbortController().signal,
	};
	const end = await runCommand(["/bin/sh", "-c", "echo no such place >&2; exit 125"], options);
	expect(end).toEqual({ kind: "not-started", why: "no such place" });
	expect(await runCommand(["/bin/sh", "-c", "printf . >&3; exit 125"], options)).toMatchObject({
		kind: "ended",
		result: { exit: 125 },
	});
});

test("a harness that has no descriptors left says so, and lives", () => {
	const module = JSON.stringify(new URL("./run-command.ts", import.meta.url).href);
	const script = `
		import { closeSync, openSync } from "node:fs";
		import { runCommand } from ${module};
		const open = [];
		try { for (;;) open.push(openSync("/dev/null")); } catch {}
		for (const descriptor of open.splice(-4)) closeSync(descriptor);
		const options = { cwd: "/", env: {}, outputBytesMax: 100, timeoutMs: 9_000, signal: new AbortController().signal };
		const end = await runCommand(["/bin/true"], options).catch((error) => error);
		for (const descriptor of open) closeSync(descriptor);
		console.log(JSON.stringify(end));`;
	const words = ["-c", 'ulimit -n 100; exec "$@"', "sh", process.execPath, "--input-type=module", "-e", script];
	const { stdout, stderr } = spawnSync("sh", words, { encoding: "utf8" });
	expect(stderr).not.toContain("Error");
	expect(JSON.parse(stdout)).toMatchObject({ kind: "not-started", why: expect.stringContaining("EMFILE") });
});

test("what says that a command begins could not be written: it does not", () => {
	const { words, carried } = givenEnvironment({ TOPIC: "x" });
	const [program = "", ...args] = [...words("/bin/sh"), "/bin/echo", "begun"];
	// No descriptor 3.
	const { stdout, status } = spawnSync(program, args, { env: carried, encoding: "utf8" });
	expect([stdout, status]).toEqual(["", 125]);
});

describe("commands that are not confined", () => {
	test("nobody gets that without saying so", () => {
		const commands = [{ command: ["ls"] }];
		const user = { uid: 0, gid: 0 };
		if (isRoot) expect(() => shellTool({ cwd: desk, commands, user })).toThrow("commands are not run as root");
		else expect(() => shellTool({ cwd: desk, commands, confine: "user" })).toThrow('or say confine: "none"');
		expect(shellTool({ cwd: desk, commands, confine: "none" }).confinement).toBe("none");
	});

	test("they are ended with their group all the same, and find a clean environment", async () => {
		const run = shell({ cwd: desk, confine: "none", limits: { commandTimeoutMs: 200 } });
		await expect(run(["sh", "-c", "sleep 1000 & sleep 1000"])).rejects.toThrow(OutcomeUnknown);
		const { stdout } = await run(["sh", "-c", "sleep 1000 & env"]);
		expect(stdout).not.toContain("very-secret");
	});
});

describe("the list of commands", () => {
	const commands = [
		{ command: ["ls", "*"] },
		{ command: ["ls", "-la"], verdict: "allow" },
		{ command: ["ls", "-R", "*"], verdict: "deny" },
		{ command: ["echo", "a b"] },
	] as const;

	test("what no rule names is refused, and the longest rule decides", async () => {
		const run = shell({ cwd: desk, confine: "none", commands });
		await expect(run(["rm", "-rf", "x"])).rejects.toThrow(
			'No rule allows this command. Allowed: echo "a b", ls *, ls -la',
		);
		await expect(run(["ls", "-R", "x"])).rejects.toThrow("No rule allows");
		await expect(run(["echo", "a", "b"])).rejects.toThrow("No rule allows");
		await expect(run(["/bin/ls"])).rejects.toThrow("No rule allows");
		await expect(run(["ls\0", "x"])).rejects.toThrow("No rule allows");
		await expect(run([])).rejects.toThrow();
		await expect(run(["ls", ...Array.from({ length: 200 }, () => "x")])).rejects.toThrow();
		await expect(run(["ls", "x".repeat(20_000)])).rejects.toThrow("20002 characters");
		await expect(run(["ls", "a\0b"])).rejects.toThrow("NUL");
		expect(await run(["echo", "a b"])).toMatchObject({ stdout: "a b\n" });
	});

	test("words are words: nothing of a shell is in them", async () => {
		const run = shell({ cwd: desk, confine: "none", commands: [{ command: ["echo", "*"] }] });
		expect(await run(["echo", "$(id)", ";", "id", "`id`", "*", "> x"])).toMatchObject({
			stdout: "$(id) ; id `id` * > x\n",
		});
		expect(existsSync(join(desk, "x"))).toBe(false);
	});

	test("a command that could never be run is an error at the start", () => {
		const make =
			(command: readonly string[], more: object = {}) =>
			() =>
				shellTool({ cwd: desk, confine: "none", commands: [{ command, ...more }] });
		expect(make(["no-such-program"])).toThrow("there is no program no-such-program");
		expect(make(["./run"])).toThrow("neither a name nor an absolute path");
		expect(make([])).toThrow("is no rule");
		expect(make(["*"])).toThrow("is no rule");
		expect(make(["ls"], { verdict: "yes" })).toThrow("is no rule");
		expect(make(["git", "*", "push"], { verdict: "deny" })).toThrow('"*" stands for further words only at the end');
		const twice = (...verdicts: ("allow" | "deny" | undefined)[]) => {
			const command = ["ls", "-l"];
			const rules = verdicts.map((verdict) => (verdict ? { command, verdict } : { command }));
			return () => shellTool({ cwd: desk, confine: "none", commands: rules });
		};
		expect(twice("allow", "deny")).toThrow("say different things of ls -l");
		expect(twice(undefined, "deny")).toThrow("say different things of ls -l");
		expect(twice("allow", "allow")).not.toThrow();
		expect(make(["ls"], { veto: "deny" })).toThrow("is no rule");
		writeFileSync(join(desk, "mine"), "#!/bin/sh\n", { mode: 0o755 });
		expect(make([join(desk, "mine")])).toThrow("could put another one into its place");
		// Also what leads out of it again.
		symlinkSync("/bin", join(desk, "bin"));
		symlinkSync("/bin/ls", join(desk, "list"));
		symlinkSync(join(desk, "list"), join(folder, "list"));
		symlinkSync(join(desk, "bin"), join(folder, "bin"));
		for (const way of ["desk/list", "desk/bin/ls", "list", "bin/ls"])
			expect(make([join(folder, way)])).toThrow("could put another one into its place");
		for (const name of ["holdpoint", "/usr/bin/holdpoint", "holdpoint.js"])
			expect(make([name])).toThrow("answers approvals");
		expect(() => shellTool({ cwd: join(desk, "nowhere"), commands: [] })).toThrow("ENOENT");
		for (const [name, value] of [
			["a b", "x"],
			["A=B", "x"],
			["given_0", "x"],
			["A", "x\0y"],
		] as const) {
			const make = () => shellTool({ cwd: desk, confine: "none", commands: [], env: { [name]: value } });
			expect(make).toThrow("env: ");
		}
	});

	test("a folder that holds nothing but a store, or everything, is none for commands", () => {
		const make = (cwd: string, more: Partial<ShellToolOptions> = {}) => shellTool({ cwd, commands: [], ...more });
		mkdirSync(join(desk, ".Holdpoint/sub"), { recursive: true });
		mkdirSync(join(desk, "keys/sub"), { recursive: true });
		symlinkSync("/", join(folder, "all"));
		symlinkSync(join(desk, "keys"), join(folder, "alias"));
		for (const confine of ["user", "bwrap", "none"] as const) {
			for (const root of ["/", join(folder, "all")])
				expect(() => make(root, { confine })).toThrow("the root of the file system is no folder of an agent's");
			for (const store of [".Holdpoint", ".Holdpoint/sub"])
				expect(() => make(join(desk, store), { confine })).toThrow("where no tool comes");
			for (const cwd of ["keys", "keys/sub"])
				expect(() => make(join(desk, cwd), { confine, forbid: [join(folder, "alias")] })).toThrow(
					`lies in ${join(desk, "keys")}, where no tool comes`,
				);
		}
	});

	test("it is destructive, and only a rule says otherwise", () => {
		const made = shellTool({
			cwd: desk,
			confine: "none",
			commands: [...commands, { command: ["id"], verdict: "ask" }],
		});
		const verdict = (own: Parameters<typeof made.policy>[0], ...command: string[]) => {
			const tool = { name: made.tool.name, version: "1", effect: made.tool.effect, tags: [] };
			return made.policy(own).decide({ tool, args: { command } } as never);
		};
		expect([made.tool.effect, made.tool.repeat]).toEqual(["destructive", "once"]);
		expect(verdict(undefined, "ls", "x")).toMatchObject({ verdict: "ask", ask: { count: 2 } });
		expect(verdict(undefined, "ls", "-la")).toMatchObject({ verdict: "allow" });
		expect(verdict(undefined, "id")).toMatchObject({ verdict: "ask", reason: "A rule of commands says ask to id" });
		expect(verdict(undefined, "ls", "-R")).toMatchObject({ verdict: "deny" });
		expect(verdict(undefined, "rm")).toMatchObject({ verdict: "deny" });
		expect(verdict(() => ({ verdict: "deny", reason: "no" }), "ls", "-la")).toMatchObject({ verdict: "deny" });
		expect(verdict(() => ({ verdict: "allow" }), "rm")).toMatchObject({ verdict: "deny" });
	});

	test("what must be asked for is refused where no policy knows of it", async () => {
		const run = shell({ cwd: desk, confine: "none", commands: [{ command: ["id"], verdict: "ask" }] });
		await expect(run(["id"])).rejects.toThrow("has no policy() of it");
	});

	test("an ask holds in every harness for itself, and rules for their own tool", async () => {
		const one = shellTool({ cwd: desk, confine: "none", commands: [{ command: ["id"], verdict: "ask" }] });
		const said = call("shell", { command: ["id"] });
		const model = () => scriptedModel(({ n, heard }) => (n === 0 ? said : say(heard)), { countTokens: false });
		const agent = (tools = [one.tool]) => defineAgent({ name: "clerk", instructions: "Look.", model: model(), tools });
		const governed = createHarness({ policy: one.policy() });
		const other = createHarness({ policy: () => ({ verdict: "allow" }) });
		const held = await governed.run(agent(), "Who are you?");
		expect(held.status).toBe("waiting");
		expect(await other.run(agent(), "Who are you?")).toMatchObject({
			text: expect.stringContaining("has no policy() of it"),
		});
		const another = shellTool({ cwd: desk, confine: "none", commands: [{ command: ["id"] }] });
		await expect(governed.run(agent([another.tool]), "Who?")).rejects.toThrow(
			"is not the one that the policy has rules for",
		);
		await Promise.all([governed.close(), other.close()]);
	});
});
