import { spawnSync } from "node:child_process";
import {
	chmodSync,
	chownSync,
	existsSync,
	linkSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { callTool, execute, type FileScene, fileScene, toolContext } from "./file-scene.ts";
import { type FileToolsOptions, fileTools } from "./file-tools.ts";

let scene: FileScene;
beforeEach(() => {
	scene = fileScene();
});
afterEach(() => scene.close());

function call(name: string, args: object, options: Partial<FileToolsOptions> = {}): Promise<unknown> {
	return callTool(fileTools({ root: scene.desk, ...options }).tools, name, args);
}

describe("reading", () => {
	test("lines of a file, and where they are", async () => {
		expect(await call("read_file", { path: "notes/a.md" })).toEqual({
			path: "notes/a.md",
			text: "one\ntwo\nthree\n",
			from: 1,
			to: 3,
			lines: 3,
		});
		expect(await call("read_file", { path: "notes/a.md", from: 2, lines: 1 })).toMatchObject({ text: "two\n", to: 2 });
		await expect(call("read_file", { path: "notes/a.md", from: 9 })).rejects.toThrow("has 3 lines; there is no line 9");
	});

	test("I8: no more than the limits say, and it says where it ended", async () => {
		scene.put("desk/long.txt", `${"x".repeat(500)}\n`.repeat(10));
		const limits = { readCharsMax: 1_100, readLinesMax: 5 };
		expect(await call("read_file", { path: "long.txt" }, { limits })).toMatchObject({ to: 2, lines: 10 });
		const one = await call("read_file", { path: "long.txt" }, { limits: { readCharsMax: 100 } });
		expect(one).toMatchObject({ text: "x".repeat(100), to: 1, nextColumn: 101 });
		await expect(call("read_file", { path: "long.txt" }, { limits: { readBytesMax: 1_000 } })).rejects.toThrow(
			"has more than 1000 bytes",
		);
	});

	test("what is too long for one read is read part by part, and no sign is halved", async () => {
		const whole = `${"x😀é".repeat(40)}\nshort\n\n${"😀".repeat(30)}`;
		scene.put("desk/signs.txt", whole);
		interface Part {
			readonly text: string;
			readonly to: number;
			readonly nextColumn?: number;
		}
		for (const readCharsMax of [1, 2, 7, 50, 5_000]) {
			let read = "";
			for (let [from, column] = [1, 1]; from <= 4; ) {
				const part = (await call(
					"read_file",
					{ path: "signs.txt", from, column },
					{ limits: { readCharsMax } },
				)) as Part;
				expect(part.text.isWellFormed()).toBe(true);
				expect(part.text.length).toBeLessThanOrEqual(Math.max(2, readCharsMax));
				read += part.text;
				[from, column] = part.nextColumn ? [part.to, part.nextColumn] : [part.to + 1, 1];
			}
			expect(read).toBe(whole);
		}
		expect(
			await call("read_file", { path: "signs.txt", column: 3, lines: 1 }, { limits: { readCharsMax: 3 } }),
		).toMatchObject({
			text: "😀é",
		});
		await expect(call("read_file", { path: "signs.txt", from: 2, column: 7 })).rejects.toThrow(
			"Line 2 of signs.txt has 6 characters; there is no column 7",
		);
	});

	test("what is no text is refused", async () => {
		scene.put("desk/a.bin", new Uint8Array([1, 0, 2]));
		scene.put("desk/b.bin", new Uint8Array([0xff, 0xfe, 0xfd]));
		await expect(call("read_file", { path: "a.bin" })).rejects.toThrow("NUL");
		await expect(call("read_file", { path: "b.bin" })).rejects.toThrow("UTF-8");
	});

	test("a listing is one folder, or what fits a pattern", async () => {
		scene.put("desk/notes/deep/b.md", "b");
		scene.put("desk/c.txt", "c");
		expect(await call("list_files", {})).toEqual({ entries: ["c.txt", "notes/"] });
		expect(await call("list_files", { pattern: "**/*.md" })).toEqual({ entries: ["notes/a.md", "notes/deep/b.md"] });
		expect(await call("list_files", { path: "notes", pattern: "*.md" })).toEqual({ entries: ["notes/a.md"] });
	});

	test("I8: ten thousand files are not listed, nor searched, without an end", async () => {
		for (let at = 0; at < 300; at++) scene.put(`desk/many/${at}.txt`, "needle");
		const limits = { rowsMax: 20, visitsMax: 100 };
		const listing = (await call("list_files", { path: "many" }, { limits })) as { entries: string[] };
		expect(listing).toMatchObject({ truncated: true });
		expect(listing.entries).toHaveLength(20);
		const found = await call("search_files", { text: "nothing" }, { limits });
		expect(found).toEqual({ matches: [], truncated: true, leftOut: "many/, notes/; to look there, give path" });
	});

	test("I8: links are looked at like anything else, and a folder full of them does not keep a call from being stopped", async () => {
		mkdirSync(join(scene.desk, "links"));
		for (let at = 0; at < 30; at++) symlinkSync("nowhere", join(scene.desk, `links/${at}`));
		const limits = { visitsMax: 20 };
		expect(await call("list_files", { path: "links" }, { limits })).toEqual({ entries: [], truncated: true });
		const list = fileTools({ root: scene.desk }).tools.find(({ name }) => name === "list_files");
		const gone = toolContext(AbortSignal.abort(new Error("stopped")));
		await expect(list?.execute({ path: "links" }, gone)).rejects.toThrow("stopped");
	});

	test("I8: a search reads no more than so many bytes in all, those of files that are no text included", async () => {
		for (let at = 0; at < 5; at++) scene.put(`desk/many/${at}.txt`, at === 1 ? "\0".repeat(100) : "needle".padEnd(100));
		const found = (searchBytesMax: number) =>
			call("search_files", { text: "needle", path: "many" }, { limits: { searchBytesMax } });
		const match = (at: number) => ({ path: `many/${at}.txt`, line: 1, text: "needle".padEnd(100) });
		expect(await found(300)).toEqual({ matches: [match(0), match(2)], skipped: 1, truncated: true });
		expect(await found(500)).toEqual({ matches: [0, 2, 3, 4].map(match), skipped: 1 });
	});

	test("a search finds a text and is no regular expression", async () => {
		scene.put("desk/b.md", "a(b)*\nA(B)*\n");
		const matches = [{ path: "b.md", line: 1, text: "a(b)*" }];
		expect(await call("search_files", { text: "(b)*" })).toEqual({ matches });
		const both = await call("search_files", { text: "(b)*", ignoreCase: true, pattern: "*.md" });
		expect(both).toMatchObject({ matches: [{ line: 1 }, { line: 2 }] });
		scene.put("desk/long.md", `${"y".repeat(1_000)}needle${"z".repeat(1_000)}`);
		const [match] = ((await call("search_files", { text: "needle" })) as { matches: { text: string }[] }).matches;
		expect(match?.text).toContain("needle");
		expect(match?.text.length).toBe(300);
		for (const before of [101, 102]) {
			scene.put("desk/long.md", `${"😀".repeat(before)}${"y".repeat(before)}needle${"😀".repeat(200)}`);
			const found = (await call("search_files", { text: "needle" })) as { matches: { text: string; column: number }[] };
			const [part] = found.matches;
			expect(part?.text.isWellFormed()).toBe(true);
			const there = await call("read_file", { path: "long.md", column: part?.column });
			expect((there as { text: string }).text.startsWith(part?.text ?? "?")).toBe(true);
		}
		// Without case it has twice as many characters.
		scene.put("desk/long.md", `${"İ".repeat(500)}needle`);
		expect(await call("search_files", { text: "NEEDLE", ignoreCase: true })).toMatchObject({
			matches: [{ text: expect.stringContaining("needle") }],
		});
	});

	test("I8: a pattern is no longer than a path", async () => {
		const pattern = "**/".repeat(30_000);
		await expect(call("list_files", { pattern })).rejects.toThrow("pattern is longer than 1024 characters");
		await expect(call("search_files", { text: "one", pattern })).rejects.toThrow("longer than 1024 characters");
	});

	test("packages and versions are not looked into unless they are named, and it is told", async () => {
		for (let at = 0; at < 110; at++) scene.put(`desk/node_modules/p${at}/index.js`, "needle");
		scene.put("desk/.git/config", "needle");
		scene.put("desk/part/node_modules/q/index.js", "needle");
		scene.put("desk/src/deep/main.ts", "needle");
		const limits = { visitsMax: 100 };
		const found = (args: object) => call("search_files", { text: "needle", ...args }, { limits });
		const match = (path: string) => ({ path, line: 1, text: "needle" });
		expect(await found({})).toEqual({
			matches: [match("src/deep/main.ts")],
			leftOut: ".git/, node_modules/, part/node_modules/; to look there, give path",
		});
		expect(await found({ pattern: "src/**" })).toEqual({ matches: [match("src/deep/main.ts")] });
		expect(await found({ path: "node_modules/p7" })).toEqual({ matches: [match("node_modules/p7/index.js")] });
		expect(await found({ path: "part", pattern: "node_modules/**" })).toEqual({
			matches: [match("part/node_modules/q/index.js")],
		});
		expect(await found({ path: ".git" })).toEqual({ matches: [match(".git/config")] });
		expect(await call("list_files", {})).toEqual({ entries: [".git/", "node_modules/", "notes/", "part/", "src/"] });
		expect(await call("list_files", { pattern: "**/*.js" })).toEqual({
			entries: [],
			leftOut: ".git/, node_modules/, part/node_modules/; to look there, give path",
		});
		// What may not be seen is not told either.
		const rules = [{ path: "**/node_modules", read: "deny" }] as const;
		expect(await call("list_files", { pattern: "**/*.ts" }, { rules })).toEqual({
			entries: ["src/deep/main.ts"],
			leftOut: ".git/; to look there, give path",
		});
	});

	test("what a search does not come to any more is told", async () => {
		for (let at = 0; at < 8; at++) scene.put(`desk/d${at}/1.txt`, "needle");
		const found = await call("search_files", { text: "none", path: "." }, { limits: { visitsMax: 10 } });
		expect(found).toEqual({
			matches: [],
			truncated: true,
			leftOut: "d1/, d2/, d3/, d4/, d5/ and 3 more; to look there, give path",
		});
	});

	test("a search stops when its call is stopped", async () => {
		const search = fileTools({ root: scene.desk }).tools.find(({ name }) => name === "search_files");
		const gone = toolContext(AbortSignal.abort(new Error("stopped")));
		await expect(search?.execute({ text: "one" }, gone)).rejects.toThrow("stopped");
	});
});

describe("changing", () => {
	test("a file is made with its folders, and replaced", async () => {
		expect(await call("write_file", { path: "new/x/y.md", text: "äb" })).toEqual({
			path: "new/x/y.md",
			bytes: 3,
			isNew: true,
		});
		expect(await call("write_file", { path: "new/x/y.md", text: "c" })).toEqual({ path: "new/x/y.md", bytes: 1 });
		expect(readFileSync(join(scene.desk, "new/x/y.md"), "utf8")).toBe("c");
		expect(readdirSync(join(scene.desk, "new/x"))).toEqual(["y.md"]);
	});

	test("rights stay what they were", async () => {
		chmodSync(join(scene.desk, "notes/a.md"), 0o640);
		await call("write_file", { path: "notes/a.md", text: "new" });
		expect(statSync(join(scene.desk, "notes/a.md")).mode & 0o777).toBe(0o640);
	});

	test("a passage is replaced where there is exactly one", async () => {
		expect(await call("edit_file", { path: "notes/a.md", old: "two\n", new: "2\n" })).toMatchObject({ line: 2 });
		expect(readFileSync(join(scene.desk, "notes/a.md"), "utf8")).toBe("one\n2\nthree\n");
		await expect(call("edit_file", { path: "notes/a.md", old: "four", new: "" })).rejects.toThrow("does not hold old");
		await expect(call("edit_file", { path: "notes/a.md", old: "e", new: "" })).rejects.toThrow("more than once");
		// Overlapping places are two.
		scene.put("desk/b.md", "aaa");
		await expect(call("edit_file", { path: "b.md", old: "aa", new: "" })).rejects.toThrow("more than once");
	});

	test("edits at the same time are made one after the other", async () => {
		const { tools } = fileTools({ root: scene.desk });
		const edits = [
			["one", "1"],
			["two", "2"],
			["three", "3"],
		].map(([old, now]) => callTool(tools, "edit_file", { path: "notes/a.md", old, new: now }));
		await Promise.all(edits);
		expect(readFileSync(join(scene.desk, "notes/a.md"), "utf8")).toBe("1\n2\n3\n");
	});

	test("I7: a change whose call is stopped while it waits for another one is not made", async () => {
		const { tools } = fileTools({ root: scene.desk });
		const stop = new AbortController();
		const write = (text: string, signal?: AbortSignal) => {
			const tool = tools.find(({ name }) => name === "write_file");
			return tool && execute(tool, { path: "notes/a.md", text }, signal);
		};
		const changes = Promise.allSettled([write("first"), write("stopped", stop.signal)]);
		stop.abort(new Error("stopped"));
		expect(await changes).toMatchObject([{ status: "fulfilled" }, { reason: { message: "stopped" } }]);
		expect(readFileSync(join(scene.desk, "notes/a.md"), "utf8")).toBe("first");
		await write("next");
		expect(readFileSync(join(scene.desk, "notes/a.md"), "utf8")).toBe("next");
	});

	test("what would be too much is not written", async () => {
		const limits = { writeBytesMax: 10, folderEntriesMax: 2 };
		await expect(call("write_file", { path: "b", text: "x".repeat(11) }, { limits })).rejects.toThrow("11 bytes");
		await expect(call("edit_file", { path: "notes/a.md", old: "one", new: "x".repeat(9) }, { limits })).rejects.toThrow(
			"bytes",
		);
		await expect(call("write_file", { path: "b", text: "\ud800" })).rejects.toThrow("surrogate");
		await expect(call("write_file", { path: "b", text: "a\0" })).rejects.toThrow("NUL");
		await call("write_file", { path: "b", text: "" }, { limits });
		await expect(call("write_file", { path: "c", text: "" }, { limits })).rejects.toThrow("2 entries");
		// One that is there is replaced all the same.
		await call("write_file", { path: "b", text: "now" }, { limits });
	});

	test("a file is deleted, a folder is not", async () => {
		await expect(call("delete_file", { path: "notes" })).rejects.toThrow("only files");
		await call("delete_file", { path: "notes/a.md" });
		expect(existsSync(join(scene.desk, "notes/a.md"))).toBe(false);
		await expect(call("delete_file", { path: "notes/a.md" })).rejects.toThrow("does not exist");
	});

	test("I7: of a write that nobody knows of, the file itself says whether it happened", async () => {
		const write = fileTools({ root: scene.desk }).tools.find(({ name }) => name === "write_file");
		const lookup = (text: string) => write?.lookup?.("k", { path: "notes/a.md", text }, toolContext());
		expect(await lookup("one\ntwo\nthree\n")).toEqual({ happened: { path: "notes/a.md", bytes: 14 } });
		expect(await lookup("another")).toHaveProperty("unknown");
	});

	test("effects are what the policy goes by", () => {
		const { tools } = fileTools({ root: scene.desk });
		expect(tools.map(({ name, effect }) => `${name} ${effect}`)).toEqual([
			"list_files read",
			"read_file read",
			"search_files read",
			"write_file write",
			"edit_file write",
			"delete_file destructive",
		]);
		expect(fileTools({ root: scene.desk, isReadOnly: true }).tools).toHaveLength(3);
	});
});

describe("paths that lead elsewhere", () => {
	test.each([
		"../outside/secret.txt",
		"notes/../../outside/secret.txt",
		"/etc/passwd",
		"notes/..",
		"..",
		"．．/outside/secret.txt",
		"notes／..／..／outside",
		"..\\outside",
		"C:/windows",
		"Ｃ:x",
		"notes/a.md\0.txt",
		"notes/\u202ea.md",
		"notes/a\u200b.md",
		"notes/\ud800",
		"notes/...",
		"a/".repeat(40),
		"x".repeat(2_000),
		"x".repeat(300),
	])("%j", async (path) => {
		await expect(call("read_file", { path })).rejects.toThrow(/^The path/);
		await expect(call("write_file", { path, text: "x" })).rejects.toThrow(/^The path/);
		await expect(call("list_files", { path })).rejects.toThrow(/^The path/);
	});

	test("links are not followed, wherever they lead and wherever they stand", async () => {
		symlinkSync(join(scene.folder, "outside/secret.txt"), join(scene.desk, "file-link"));
		symlinkSync(join(scene.folder, "outside"), join(scene.desk, "folder-link"));
		symlinkSync("notes", join(scene.desk, "inner-link"));
		symlinkSync(".", join(scene.desk, "cycle"));
		for (const path of ["file-link", "folder-link/secret.txt", "inner-link/a.md", "cycle/cycle/notes/a.md"]) {
			await expect(call("read_file", { path })).rejects.toThrow("is a link");
			await expect(call("write_file", { path, text: "x" })).rejects.toThrow("is a link");
			await expect(call("edit_file", { path, old: "secret", new: "x" })).rejects.toThrow("is a link");
			await expect(call("delete_file", { path })).rejects.toThrow("is a link");
		}
		expect(readFileSync(join(scene.folder, "outside/secret.txt"), "utf8")).toBe("the secret\n");
		expect(await call("list_files", { pattern: "**" })).toEqual({ entries: ["notes/", "notes/a.md"] });
		expect(await call("search_files", { text: "secret" })).toEqual({ matches: [] });
	});

	test("devices, pipes and sockets are not opened", async () => {
		expect(spawnSync("mkfifo", [join(scene.desk, "pipe")]).status).toBe(0);
		const server = createServer();
		await new Promise<void>((resolve) => server.listen(join(scene.desk, "socket"), resolve));
		const special = ["pipe", "socket"];
		if (process.geteuid?.() === 0 && spawnSync("mknod", [join(scene.desk, "null"), "c", "1", "3"]).status === 0)
			special.push("null");
		for (const path of special) {
			await expect(call("read_file", { path })).rejects.toThrow("a device, a pipe or a socket");
			await expect(call("write_file", { path, text: "x" })).rejects.toThrow("a device, a pipe or a socket");
			await expect(call("delete_file", { path })).rejects.toThrow("a device, a pipe or a socket");
		}
		expect(await call("list_files", {})).toEqual({ entries: ["notes/"] });
		await new Promise((resolve) => server.close(resolve));
	});

	test("the root stays the folder that it was", async () => {
		const { tools } = fileTools({ root: scene.desk });
		renameSync(scene.desk, `${scene.desk}-before`);
		symlinkSync(join(scene.folder, "outside"), scene.desk);
		await expect(callTool(tools, "read_file", { path: "secret.txt" })).rejects.toThrow(/root folder/);
		await expect(callTool(tools, "write_file", { path: "x", text: "x" })).rejects.toThrow(/root folder/);
		rmSync(scene.desk);
		mkdirSync(scene.desk);
		await expect(callTool(tools, "list_files", {})).rejects.toThrow("was exchanged for another one");
	});

	test("what root makes in somebody's folder is theirs", async (context) => {
		if (process.geteuid?.() !== 0) return context.skip("only root makes files of others");
		chownSync(scene.desk, 65_530, 65_530);
		await call("write_file", { path: "new/x.md", text: "x" });
		const owners = ["new", "new/x.md"].map((path) => statSync(join(scene.desk, path)).uid);
		expect(owners).toEqual([65_530, 65_530]);
		chownSync(join(scene.desk, "notes/a.md"), 65_531, 65_531);
		await call("edit_file", { path: "notes/a.md", old: "one", new: "1" });
		expect(statSync(join(scene.desk, "notes/a.md")).uid).toBe(65_531);
	});

	test("who exchanges a folder for a link meanwhile gains nothing", async () => {
		const { tools } = fileTools({ root: scene.desk });
		scene.put("desk/real/secret.txt", "harmless\n");
		symlinkSync(join(scene.folder, "outside"), join(scene.desk, "bad"));
		const [here, real, bad] = ["here", "real", "bad"].map((name) => join(scene.desk, name)) as [string, string, string];
		let isOver = false;
		const exchange = async (): Promise<void> => {
			while (!isOver) {
				renameSync(real, here);
				await new Promise(setImmediate);
				renameSync(here, real);
				renameSync(bad, here);
				await new Promise(setImmediate);
				renameSync(here, bad);
			}
		};
		const exchanging = exchange();
		const read: string[] = [];
		for (let at = 0; at < 300; at++) {
			const part = callTool(tools, "read_file", { path: "here/secret.txt" }) as Promise<{ text: string }>;
			read.push(
				await part.then(
					({ text }) => text,
					() => "refused",
				),
			);
			await callTool(tools, "edit_file", { path: "here/secret.txt", old: "s", new: "S" }).catch(() => undefined);
		}
		isOver = true;
		await exchanging;
		expect(new Set(read)).not.toContain("the secret\n");
		expect(readFileSync(join(scene.folder, "outside/secret.txt"), "utf8")).toBe("the secret\n");
	});
});

describe("what belongs to a store", () => {
	beforeEach(() => {
		scene.put("desk/.holdpoint/holdpoint.db", "rows");
		scene.put("desk/.holdpoint/holdpoint.db.keys", "k1:secret");
	});

	test.each([
		".holdpoint/holdpoint.db.keys",
		".HoldPoint/holdpoint.db.keys",
		".holdpoint./x",
		".holdpoint /x",
		".ｈoldpoint/x",
		".ℎoldpoint/x",
		"notes/.holdpoint/x",
		".holdpoint",
	])("%j is refused by its name", async (path) => {
		for (const [tool, args] of [
			["read_file", {}],
			["list_files", {}],
			["search_files", { text: "secret" }],
			["write_file", { text: "x" }],
			["delete_file", {}],
		] as const) {
			await expect(call(tool, { path, ...args })).rejects.toThrow("no tool reads or changes it");
		}
	});

	test("it is in no listing and in no search", async () => {
		expect(await call("list_files", { pattern: "**" })).toEqual({ entries: ["notes/", "notes/a.md"] });
		expect(await call("search_files", { text: "secret" })).toEqual({ matches: [] });
	});

	test("another name of the same file does not help", async () => {
		linkSync(join(scene.desk, ".holdpoint/holdpoint.db.keys"), join(scene.desk, "notes/harmless.txt"));
		linkSync(join(scene.folder, "outside/secret.txt"), join(scene.desk, "notes/twice.txt"));
		await expect(call("read_file", { path: "notes/harmless.txt" })).rejects.toThrow("no tool reads");
		expect(await call("search_files", { text: "k1" })).toMatchObject({ matches: [], skipped: 1 });
		await expect(call("write_file", { path: "notes/harmless.txt", text: "x" })).rejects.toThrow("no tool reads");
		await expect(call("delete_file", { path: "notes/harmless.txt" })).rejects.toThrow("no tool reads");
		// A file with two names is no crime by itself.
		expect(await call("read_file", { path: "notes/twice.txt" })).toMatchObject({ text: "the secret\n" });
	});

	test("also where more than ten thousand files are forbidden", async () => {
		for (let at = 0; at < 10_001; at++) writeFileSync(join(scene.desk, `.holdpoint/${at}`), "");
		linkSync(join(scene.desk, ".holdpoint/7"), join(scene.desk, "notes/harmless.txt"));
		linkSync(join(scene.folder, "outside/secret.txt"), join(scene.desk, "notes/twice.txt"));
		await expect(call("read_file", { path: "notes/harmless.txt" })).rejects.toThrow("no tool reads");
		expect(await call("read_file", { path: "notes/twice.txt" })).toMatchObject({ text: "the secret\n" });
	});

	test("a store elsewhere is named by forbid, with what lies beside it", async () => {
		for (const name of ["data/my.db", "data/my.db-wal", "data/my.db.keys", "data/other.txt"])
			scene.put(`desk/${name}`, name);
		const options = { forbid: [join(scene.desk, "data/my.db")] };
		for (const name of ["my.db", "my.db-wal", "my.db.keys", "MY.DB"]) {
			await expect(call("read_file", { path: `data/${name}` }, options)).rejects.toThrow("no tool reads");
		}
		linkSync(join(scene.desk, "data/my.db.keys"), join(scene.desk, "keys.txt"));
		await expect(call("read_file", { path: "keys.txt" }, options)).rejects.toThrow("no tool reads");
		expect(await call("read_file", { path: "data/other.txt" }, options)).toMatchObject({ text: "data/other.txt" });
	});

	/** Undefined: this user cannot mount. Shape: places below the scene's folder, mounted until `work` is over. */
	async function mounting(
		mounts: readonly [what: string, where: string][],
		work: () => Promise<void>,
	): Promise<true | undefined> {
		const places = mounts.map((each) => each.map((place) => join(scene.folder, place)) as [string, string]);
		try {
			if (places.some((each) => spawnSync("mount", ["--bind", ...each]).status !== 0)) return undefined;
			await work();
			return true;
		} finally {
			for (const [, where] of places) spawnSync("umount", [where]);
		}
	}

	test("what is mounted in the root is not entered, whatever of a store it is", async (context) => {
		scene.put("desk/.holdpoint/deep/key", "k1:secret");
		scene.put("desk/file.txt", "");
		for (const name of ["whole", "part"]) mkdirSync(join(scene.desk, name));
		const mounts: [string, string][] = [
			["desk/.holdpoint", "desk/whole"],
			["desk/.holdpoint/deep", "desk/part"],
			["desk/.holdpoint/holdpoint.db.keys", "desk/file.txt"],
		];
		const areMounted = await mounting(mounts, async () => {
			await expect(call("read_file", { path: "file.txt" })).rejects.toThrow("is mounted there from elsewhere");
			for (const path of ["whole/holdpoint.db.keys", "part/key", "part/new", "file.txt"]) {
				await expect(call("read_file", { path })).rejects.toThrow(/no tool reads|mounted there/);
				await expect(call("write_file", { path, text: "x" })).rejects.toThrow(/no tool reads|mounted there|EBUSY/);
				await expect(call("delete_file", { path })).rejects.toThrow(/no tool reads|mounted there|EBUSY/);
			}
			expect(await call("list_files", { pattern: "*/*" })).toMatchObject({ entries: ["notes/a.md"] });
			expect(await call("search_files", { text: "secret" })).toMatchObject({ matches: [] });
			expect(readFileSync(join(scene.desk, ".holdpoint/holdpoint.db.keys"), "utf8")).toBe("k1:secret");
			expect(readdirSync(join(scene.desk, ".holdpoint/deep"))).toEqual(["key"]);
		});
		if (!areMounted) return context.skip("this user cannot mount");
	});

	test("a root that is mounted elsewhere has the same store in it, and the same configuration", async (context) => {
		for (const name of ["my.db", "my.db.keys", "my.db-wal", "other.txt", "agent.mjs"]) scene.put(`data/${name}`, name);
		mkdirSync(join(scene.folder, "other"));
		vi.stubEnv("HOLDPOINT_CONFIG", join(scene.folder, "data/agent.mjs"));
		onTestFinished(() => void vi.unstubAllEnvs());
		const areMounted = await mounting([["data", "other"]], async () => {
			const options = { root: join(scene.folder, "other"), forbid: [join(scene.folder, "data/my.db")] };
			for (const path of ["my.db", "my.db.keys", "MY.DB-wal", "my.db-shm"]) {
				await expect(call("read_file", { path }, options)).rejects.toThrow(/no tool reads|not exist/);
				await expect(call("write_file", { path, text: "x" }, options)).rejects.toThrow("no tool reads");
				await expect(call("delete_file", { path }, options)).rejects.toThrow(/no tool reads|not exist/);
			}
			await expect(call("write_file", { path: "my.db/x", text: "x" }, options)).rejects.toThrow("no tool reads");
			await expect(call("write_file", { path: "agent.mjs", text: "x" }, options)).rejects.toThrow("no tool reads");
			await expect(call("delete_file", { path: "agent.mjs" }, options)).rejects.toThrow("no tool reads");
			expect(await call("list_files", {}, options)).toEqual({ entries: ["agent.mjs", "other.txt"] });
			expect(await call("search_files", { text: "my.db" }, options)).toEqual({ matches: [] });
			const left = ["agent.mjs", "my.db", "my.db-wal", "my.db.keys", "other.txt"];
			expect(readdirSync(join(scene.folder, "data")).toSorted()).toEqual(left);
		});
		if (!areMounted) return context.skip("this user cannot mount");
	});

	test("a store that is made after the tools, and named through links, is known", async () => {
		symlinkSync(join(scene.desk, "data"), join(scene.folder, "link"));
		symlinkSync("link/my.db", join(scene.folder, "current.db"));
		const { tools } = fileTools({ root: scene.desk, forbid: [join(scene.folder, "current.db")] });
		const write = (path: string) => callTool(tools, "write_file", { path, text: "x" });
		await expect(write("data/my.db")).rejects.toThrow("no tool reads");
		for (const name of ["my.db", "my.db.keys"]) scene.put(`desk/data/${name}`, name);
		for (const path of ["data/my.db", "data/my.db.keys"]) {
			await expect(callTool(tools, "read_file", { path })).rejects.toThrow("no tool reads");
			await expect(write(path)).rejects.toThrow("no tool reads");
			await expect(callTool(tools, "delete_file", { path })).rejects.toThrow("no tool reads");
		}
	});

	test("what lies beside a link to a store belongs to the store, too", async () => {
		scene.put("data/my.db", "rows");
		scene.put("desk/current.db.keys", "k1");
		symlinkSync("../data/my.db", join(scene.desk, "current.db"));
		symlinkSync(scene.desk, join(scene.folder, "short"));
		const { tools } = fileTools({ root: scene.desk, forbid: [join(scene.folder, "short/current.db")] });
		for (const path of ["current.db", "current.db.keys", "current.db.audit-key"]) {
			await expect(callTool(tools, "read_file", { path })).rejects.toThrow("no tool reads");
			await expect(callTool(tools, "write_file", { path, text: "x" })).rejects.toThrow("no tool reads");
			await expect(callTool(tools, "delete_file", { path })).rejects.toThrow("no tool reads");
		}
		expect(await callTool(tools, "list_files", {})).toEqual({ entries: ["notes/"] });
	});

	test("a file system that is mounted inside is not entered", async (context) => {
		mkdirSync(join(scene.desk, "proc"));
		if (spawnSync("mount", ["-t", "proc", "proc", join(scene.desk, "proc")]).status !== 0)
			return context.skip("this user cannot mount");
		try {
			await expect(call("read_file", { path: "proc/1/environ" })).rejects.toThrow("is mounted there from elsewhere");
		} finally {
			spawnSync("umount", [join(scene.desk, "proc")]);
		}
	});

	test("a configuration of another name is neither, also where it is made later", async () => {
		const config = join(scene.desk, "own/agent.mjs");
		vi.stubEnv("HOLDPOINT_CONFIG", config);
		onTestFinished(() => void vi.unstubAllEnvs());
		const { tools } = fileTools({ root: scene.desk });
		const change = async (path: string): Promise<void> => {
			await expect(callTool(tools, "write_file", { path, text: "x" })).rejects.toThrow("no tool reads or changes");
			await expect(callTool(tools, "delete_file", { path })).rejects.toThrow("no tool reads or changes");
		};
		await change("own/agent.mjs");
		await change("own/agent.mjs/x");
		scene.put("desk/own/agent.mjs", "mine\n");
		await change("OWN/agent.mjs");
		expect(await callTool(tools, "read_file", { path: "own/agent.mjs" })).toMatchObject({ text: "mine\n" });
		expect(await callTool(tools, "write_file", { path: "own/agent.mjs.md", text: "x" })).toMatchObject({ isNew: true });
		expect(readFileSync(config, "utf8")).toBe("mine\n");
	});

	test("the configuration of the next harness is read and never written", async () => {
		scene.put("desk/holdpoint.config.ts", "export const config = {};\n");
		expect(await call("read_file", { path: "holdpoint.config.ts" })).toMatchObject({ lines: 1 });
		await expect(call("write_file", { path: "Holdpoint.Config.ts", text: "x" })).rejects.toThrow(
			"no tool reads or changes",
		);
		await expect(call("edit_file", { path: "holdpoint.config.ts", old: "{}", new: "x" })).rejects.toThrow(
			"no tool reads or changes",
		);
	});

	test("a root that is the store, or lies in it, is no root", () => {
		expect(() => fileTools({ root: join(scene.desk, ".holdpoint") })).toThrow("where no tool comes");
		expect(() => fileTools({ root: join(scene.desk, "notes"), forbid: [scene.desk] })).toThrow("where no tool comes");
		expect(() => fileTools({ root: "/" })).toThrow("cannot be used");
		expect(() => fileTools({ root: join(scene.folder, "nowhere") })).toThrow("cannot be used");
		expect(() => fileTools({ root: join(scene.desk, "notes/a.md") })).toThrow("no folder");
	});
});

test("what is left of a write that died is an ordinary file beside it", async () => {
	const left = ".writing-0123456789abcdef.tmp";
	writeFileSync(join(scene.desk, left), "half");
	expect(await call("read_file", { path: "notes/a.md" })).toMatchObject({ lines: 3 });
	await call("delete_file", { path: left });
	rmSync(join(scene.desk, "notes"), { recursive: true });
	expect(await call("list_files", {})).toEqual({ entries: [] });
});
