import {
	chmodSync,
	chownSync,
	linkSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { defaultShellLimits } from "../../../spec/limits.ts";
import { confinement } from "./confinement.ts";
import { givenEnvironment } from "./given-environment.ts";
import { confinedShell, isRoot, lack, type ShellScene, shell, shellScene } from "./shell-scene.ts";
import { type CommandResult, type ShellToolOptions, shellTool } from "./shell-tool.ts";

let scene: ShellScene;
let folder: string;
let desk: string;
beforeEach(() => {
	scene = shellScene();
	({ folder, desk } = scene);
});
afterEach(() => {
	delete process.env["HOLDPOINT_STORE"];
	scene.close();
});

/** Whoever stored it was careless about rights. */
function put(path: string): string {
	mkdirSync(dirname(path), { recursive: true });
	chmodSync(dirname(path), 0o777);
	writeFileSync(path, "very-secret");
	chmodSync(path, 0o666);
	return path;
}

describe.each(["user", "bwrap"] as const)("what is covered (%s)", (confine) => {
	const why = lack(confine);
	beforeEach((context) => {
		if (why) context.skip(why);
	});
	const sh = async (script: string, options: Partial<ShellToolOptions> = {}): Promise<CommandResult> =>
		confinedShell({ cwd: desk, confine, ...options })(["sh", "-c", script]);

	test("places are what their names lead to", async () => {
		symlinkSync(desk, join(folder, "alias"));
		put(join(desk, "keys/a.key"));
		put(join(desk, ".holdpoint/my.db"));
		process.env["HOLDPOINT_STORE"] = join(folder, "alias/.holdpoint/my.db");
		const { stdout } = await sh("cat keys/a.key .holdpoint/*; ls keys; echo over", {
			forbid: [join(folder, "alias/keys")],
		});
		expect(stdout).toBe("over\n");
	});

	test("what lies beside a file is covered with it, and what only begins like it is not", async () => {
		for (const name of ["key", "key-wal", "key.pub", "keyboard.md"]) put(join(desk, name));
		const script = "cat key key-wal key.pub; cat keyboard.md; echo new > keyboard.md; echo new > keys.md";
		const { stdout } = await sh(script, { forbid: [join(desk, "key")] });
		expect(stdout).toBe("very-secret");
		expect(["key", "keyboard.md", "keys.md"].map((name) => readFileSync(join(desk, name), "utf8"))).toEqual([
			"very-secret",
			"new\n",
			"new\n",
		]);
	});

	test("what lies deeper in the folder, or is a store's single file there, could be exchanged: no tool is made", async () => {
		put(join(desk, "a/b.key"));
		put(join(desk, "runs.db"));
		const deeper = "could exchange it: put it directly into the folder, or outside of it";
		await expect(sh("ls", { forbid: [join(desk, "a/b.key")] })).rejects.toThrow(deeper);
		await expect(sh("ls", { forbid: [join(desk, "nothing")] })).rejects.toThrow("only what is there can be kept");
		for (const store of ["runs.db", "a/.holdpoint/x.db"]) {
			process.env["HOLDPOINT_STORE"] = join(desk, store);
			await expect(sh("ls")).rejects.toThrow(`keep the store in ${join(desk, ".holdpoint")}, or outside of it`);
		}
	});

	test("no command is run where a store of others lies deeper in the folder", async () => {
		const store = put(join(desk, "a/b/.Holdpoint/x.keys"));
		await expect(sh("cat a/b/.*/*")).rejects.toThrow(`there is a store in the agent's folder, ${dirname(store)}`);
		rmSync(dirname(store), { recursive: true });
		expect(await sh("echo begun")).toMatchObject({ stdout: "begun\n" });
	});

	test("I8: a folder that has too much in it to be looked through has no command run in it", async () => {
		for (let at = 0; at < 20; at++) put(join(desk, `a${at % 2}/${at}`));
		const run = (entriesMax: number) => sh("echo begun", { limits: { entriesMax } });
		await expect(run(22)).rejects.toThrow("more than 22 entries (limits.entriesMax)");
		expect(await run(23)).toMatchObject({ stdout: "begun\n" });
	});

	test("I8: no command is run where more is to be covered than there is time for", async () => {
		const own = put(join(desk, "in.db"));
		for (let at = 0; at < 200; at++) put(join(desk, `in.db-${at}`));
		await expect(sh("ls", { forbid: [own] })).rejects.toThrow("more than 200 files are to be covered");
	});

	test("a store that is named by its file is covered with its folder, also before it is there", async () => {
		process.env["HOLDPOINT_STORE"] = join(desk, ".holdpoint/holdpoint.db");
		await sh("mkdir -p .holdpoint; echo forged > .holdpoint/holdpoint.db");
		put(join(desk, ".holdpoint/holdpoint.db"));
		const { stdout } = await sh("cat .holdpoint/holdpoint.db; echo forged > .holdpoint/holdpoint.db-wal; pwd");
		expect(stdout).toBe(`${desk}\n`);
		expect(readdirSync(join(desk, ".holdpoint"))).toEqual(["holdpoint.db"]);
	});

	test("no tool is made where a link in the folder leads to a store: it could be exchanged", async () => {
		put(join(folder, "elsewhere/holdpoint.db"));
		symlinkSync(join(folder, "elsewhere"), join(desk, ".holdpoint"));
		await expect(sh("echo begun")).rejects.toThrow("is no folder, or a link");
		renameSync(join(desk, ".holdpoint"), join(desk, "way"));
		expect(await sh("echo begun")).toMatchObject({ stdout: "begun\n" });
		process.env["HOLDPOINT_STORE"] = join(desk, "way/holdpoint.db");
		await expect(sh("echo begun")).rejects.toThrow("leads over a link in the agent's folder");
	});

	test("no command is run while a file of a store has a second name, wherever the store lies", async () => {
		const store = put(join(folder, "store/my.db"));
		chmodSync(dirname(store), 0o755);
		linkSync(store, join(desk, "notes.txt"));
		const running = sh("cat notes.txt", { forbid: [store] });
		await expect(running).rejects.toThrow(`${store} has a second name (a hard link)`);
		expect(readFileSync(store, "utf8")).toBe("very-secret");
	});
});

describe("root mounts nothing that a command could exchange", () => {
	beforeEach((context) => {
		const why = lack("user");
		if (why) context.skip(why);
	});
	const make =
		(options: Partial<ShellToolOptions> = {}) =>
		() =>
			shellTool({ cwd: desk, confine: "user", commands: [], ...options });

	test("the way to the folder, and to a store, is none that its commands' user could change", () => {
		const store = put(join(folder, "out/side/my.db"));
		expect(make({ forbid: [store] })).toThrow(`(65530) can exchange ${store}`);
		chmodSync(dirname(store), 0o755);
		chownSync(join(folder, "out"), 65_530, 65_530);
		expect(make({ forbid: [store] })).toThrow(`(65530) can exchange ${join(folder, "out/side")}`);
		chownSync(desk, 65_530, 65_530);
		for (const mode of [0o777, 0o1777]) {
			chmodSync(folder, mode);
			expect(make()).toThrow(`(65530) can exchange ${desk}`);
		}
		chownSync(desk, 0, 0);
		// Nobody else renames what is root's in a folder such as /tmp.
		expect(make()).not.toThrow();
	});

	test("what it covers in the folder is what was there when the tool was made", async () => {
		put(join(desk, "keys/a"));
		const run = shell({ cwd: desk, confine: "user", forbid: [join(desk, "keys")] });
		expect(await run(["sh", "-c", "ls keys; echo over"])).toMatchObject({ stdout: "over\n" });
		renameSync(join(desk, "keys"), join(folder, "gone"));
		const echo = () => run(["sh", "-c", "echo begun"]);
		await expect(echo()).rejects.toThrow(`${join(desk, "keys")} is gone, or another one`);
		symlinkSync("/etc", join(desk, "keys"));
		await expect(echo()).rejects.toThrow("start the harness anew");
		rmSync(join(desk, "keys"));
		mkdirSync(join(desk, "keys"));
		await expect(echo()).rejects.toThrow("start the harness anew");
	});

	test("a configuration that a command wrote is none to rest on", () => {
		const config = join(desk, "holdpoint.config.js");
		writeFileSync(config, "evil.so");
		chownSync(config, 65_530, 65_530);
		expect(make()).toThrow(`(65530) can write the configuration ${config}: make it somebody else's`);
		chownSync(config, 0, 0);
		chmodSync(config, 0o666);
		expect(make()).toThrow("can write the configuration");
		chmodSync(config, 0o644);
		expect(make()).not.toThrow();
	});

	test("of the folder itself nothing is mounted: a file that is kept is a copy", () => {
		writeFileSync(join(desk, "holdpoint.config.ts"), "mine");
		put(join(desk, "keys/a"));
		const { wrap } = confinement({
			kind: "user",
			user: { uid: 65_530, gid: 65_530 },
			network: false,
			folder: desk,
			stores: [],
			forbidden: [join(desk, "keys")],
			kept: [],
			limits: defaultShellLimits,
			environment: givenEnvironment({}),
		});
		const named = wrap(["/bin/true"]).filter((word) => word.startsWith(desk));
		const targets = [desk, ...[".holdpoint", "keys", "holdpoint.config.ts"].map((name) => join(desk, name))];
		expect(named).toEqual(targets);
		expect(wrap(["/bin/true"]).join("\n")).not.toContain("--rbind");
	});

	test("two shells of a process share no user, and no folder of which they cover different things", () => {
		put(join(desk, "keys/a"));
		put(join(desk, "other/b"));
		mkdirSync(join(folder, "two"));
		chmodSync(desk, 0o755);
		expect(make()).not.toThrow();
		expect(make()).not.toThrow();
		expect(make({ forbid: [join(desk, "keys")] })).toThrow("covers other places in it");
		expect(make({ cwd: join(folder, "two") })).toThrow("as the same user, 65530");
		expect(make({ cwd: join(folder, "two"), user: { uid: 65_531, gid: 65_531 } })).not.toThrow();
		expect(make({ cwd: join(desk, "other"), user: { uid: 65_532, gid: 65_532 } })).toThrow("keep them apart");
	});
});

test("a closed folder of somebody else is left alone, and one that a command could open is not", async (context) => {
	const why = lack("bwrap") ?? (isRoot ? undefined : "only root makes a folder of somebody else");
	if (why) context.skip(why);
	const run = confinedShell({ cwd: desk, confine: "bwrap" });
	const closed = join(desk, "closed");
	mkdirSync(closed, { mode: 0o700 });
	expect(await run(["sh", "-c", "mkdir own; echo begun"])).toMatchObject({ stdout: "begun\n" });
	chmodSync(closed, 0o711);
	await expect(run(["sh", "-c", "echo begun"])).rejects.toThrow("closed cannot be looked through for stores");
	chmodSync(closed, 0o700);
	chmodSync(join(desk, "own"), 0);
	await expect(run(["sh", "-c", "echo begun"])).rejects.toThrow("own cannot be looked through for stores");
});
