import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { belongsTo, isWithin, wayTo } from "./places.ts";

let folder: string;
beforeEach(() => {
	folder = realpathSync(mkdtempSync(join(tmpdir(), "holdpoint-places-")));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("a way ends where the kernel's does, and every link on it is told where it lies", () => {
	mkdirSync(join(folder, "a/b"), { recursive: true });
	symlinkSync("a/b", join(folder, "short"));
	symlinkSync(join(folder, "short"), join(folder, "a/b/round"));
	expect(wayTo(join(folder, "a/b"))).toEqual({ end: join(folder, "a/b"), links: [] });
	const links = ["short", "a/b/round", "short"].map((name) => join(folder, name));
	expect(wayTo(`${folder}/short/round`)).toEqual({ end: join(folder, "a/b"), links });
	// Up from where a link leads to, and not from where it lies.
	expect(wayTo(`${folder}/short/../x`).end).toBe(join(folder, "a/x"));
	expect(wayTo(`${folder}//short/./new/deep.db`).end).toBe(join(folder, "a/b/new/deep.db"));
	expect(wayTo("/")).toEqual({ end: "/", links: [] });
});

test("links that never end are an error, and one to nothing ends where something could be put", () => {
	symlinkSync("loop", join(folder, "loop"));
	expect(() => wayTo(join(folder, "loop/x"))).toThrow("leads over more than 40 links");
	symlinkSync("nowhere", join(folder, "dangling"));
	expect(wayTo(join(folder, "dangling"))).toEqual({ end: join(folder, "nowhere"), links: [join(folder, "dangling")] });
});

test("a folder holds itself, and no neighbour whose name begins like its own", () => {
	expect(isWithin("/a/b", "/a/b")).toBe(true);
	expect(isWithin("/a/b", "/a/b/..c")).toBe(true);
	expect(isWithin("/", "/a")).toBe(true);
	expect(["/a/bc", "/a", "/"].map((path) => isWithin("/a/b", path))).toEqual([false, false, false]);
});

test("what lies beside a file belongs to it by its name, and a longer word does not", () => {
	const own = ["key", "key.pub", "key-wal", "key/a"];
	expect([...own, "keyboard.md", "ke", "akey", "key2"].filter((name) => belongsTo("key", name))).toEqual(own);
});
