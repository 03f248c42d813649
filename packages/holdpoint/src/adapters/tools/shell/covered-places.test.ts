import {
	chmodSync,
	linkSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { confinedShell, isRoot, lack, type ShellScene, shellScene } from "./shell-scene.ts";
import type { CommandResult, ShellToolOptions } from "./shell-tool.ts";

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
		for (const name of ["keys/a.key", "my.db", "my.db.keys"]) put(join(desk, name));
		process.env["HOLDPOINT_STORE"] = join(folder, "alias/my.db");
		const forbid = [join(folder, "alias/keys")];
		const { stdout } = await sh("cat keys/a.key my.db my.db.keys; ls keys; echo over", { forbid });
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

	test("no folder above a store is renamed, so that no other store comes into its place", async () => {
		const stores = [join(desk, "a/b/my.db"), join(desk, "a/c/.holdpoint/holdpoint.db"), join(folder, "out/side/my.db")];
		for (const store of stores) put(store);
		for (const open of ["desk/a", "desk/a/c", "out", "."]) chmodSync(join(folder, open), 0o777);
		put(join(desk, "free/x"));
		const renames = ["a", "a/b", "a/c", "../out", "../out/side", desk, `/proc/self/cwd/a`, "free"];
		const { stdout } = await sh(
			`for each in ${renames.join(" ")}; do mv $each $each-gone && echo $each; done; cat a/b/* a/c/.holdpoint/* ../out/side/*; ls a; pwd`,
			{ forbid: stores },
		);
		expect(stdout).toBe(`free\nb\nc\n${desk}\n`);
		expect(stores.map((store) => readFileSync(store, "utf8"))).toEqual(stores.map(() => "very-secret"));
	});

	test("stores of others, deeper in the folder, are covered without being named", async () => {
		const stores = [join(desk, "a/.holdpoint/holdpoint.db"), join(desk, "a/b/.Holdpoint/x.keys")];
		for (const store of stores) put(store);
		const { stdout } = await sh(
			"cat a/.*/* a/b/.*/*; mv a z; mv a/b a/z; for each in a/.holdpoint a/b/.Holdpoint; do echo forged > $each/x.keys; mv $each $each-gone; done; ls; ls -A a",
		);
		expect(stdout).toBe("a\n.holdpoint\nb\n");
		expect(stores.map((store) => readFileSync(store, "utf8"))).toEqual(["very-secret", "very-secret"]);
	});

	test("I8: a folder that has too much in it to be looked through has no command run in it", async () => {
		for (let at = 0; at < 20; at++) put(join(desk, `a${at % 2}/${at}`));
		const run = (entriesMax: number) => sh("echo begun", { limits: { entriesMax } });
		await expect(run(22)).rejects.toThrow("more than 22 entries (limits.entriesMax)");
		expect(await run(23)).toMatchObject({ stdout: "begun\n" });
	});

	test("I8: no command is run where others made more to be covered than there is time for", async () => {
		const own = put(join(desk, "in.db"));
		for (let at = 0; at < 400; at++) put(join(desk, `in.db-${at}`));
		await expect(sh("ls", { forbid: [own] })).rejects.toThrow("more than 400 stores, files of stores and folders");
		// Few stores, and many folders above them.
		const deep = "mkdir -p d/$(seq -s / 140)/.holdpoint e/$(seq -s / 140)/.holdpoint; ls -d d";
		expect(await sh(deep)).toMatchObject({ stdout: "d\n" });
		expect(await sh("mkdir -p f/$(seq -s / 140)/.holdpoint; ls -d f")).toMatchObject({ stdout: "f\n" });
		await expect(sh("ls")).rejects.toThrow("more than 400 stores, files of stores and folders");
	});

	test("a folder of a store's name deeper in the folder that is a link could be exchanged: no command is run", async () => {
		put(join(folder, "elsewhere/holdpoint.db"));
		put(join(desk, "a/x"));
		symlinkSync(join(folder, "elsewhere"), join(desk, "a/.Holdpoint"));
		await expect(sh("echo begun")).rejects.toThrow("leads over a link in the agent's folder");
	});

	test("a store that is named by its file is covered with its folder, also before it is there", async () => {
		process.env["HOLDPOINT_STORE"] = join(desk, ".holdpoint/holdpoint.db");
		await sh("mkdir -p .holdpoint; echo forged > .holdpoint/holdpoint.db");
		put(join(desk, ".holdpoint/holdpoint.db"));
		const { stdout } = await sh("cat .holdpoint/holdpoint.db; echo forged > .holdpoint/holdpoint.db-wal; pwd");
		expect(stdout).toBe(`${desk}\n`);
		expect(readdirSync(join(desk, ".holdpoint"))).toEqual(["holdpoint.db"]);
	});

	test("no command is run where a link in the folder leads to a store: it could be exchanged", async () => {
		put(join(folder, "elsewhere/holdpoint.db"));
		symlinkSync(join(folder, "elsewhere"), join(desk, ".holdpoint"));
		await expect(sh("echo begun")).rejects.toThrow("leads over a link in the agent's folder");
		renameSync(join(desk, ".holdpoint"), join(desk, "way"));
		expect(await sh("echo begun")).toMatchObject({ stdout: "begun\n" });
		process.env["HOLDPOINT_STORE"] = join(desk, "way/holdpoint.db");
		await expect(sh("echo begun")).rejects.toThrow("leads over a link in the agent's folder");
	});

	test("no command is run while a file of a store has a second name, wherever the store lies", async () => {
		const store = put(join(folder, "my.db"));
		linkSync(store, join(desk, "notes.txt"));
		const running = sh("cat notes.txt", { forbid: [store] });
		await expect(running).rejects.toThrow(`${store} has a second name (a hard link)`);
		expect(readFileSync(store, "utf8")).toBe("very-secret");
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
