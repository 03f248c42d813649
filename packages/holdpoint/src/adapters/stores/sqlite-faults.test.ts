import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, onTestFinished, type TestContext, test } from "vitest";
import { bytes, create, entry, fails, head, step } from "../../testing/store-contract/fixture.ts";
import { migrations } from "./sqlite/schema.ts";
import { nodeSqlite, type SqlEngine } from "./sqlite/sql-engine.ts";
import { sqliteStore } from "./sqlite.ts";

function freshDir(): string {
	const dir = mkdtempSync(join(tmpdir(), "holdpoint-faults-"));
	onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
	return dir;
}

/** Mounts, or skips the test and says why. */
function mount(context: TestContext, target: string, ...args: string[]): void {
	try {
		execFileSync("mount", [...args, target], { stdio: "pipe" });
	} catch (error) {
		context.skip(`this user cannot mount a file system: ${(error as Error).message}`);
	}
	onTestFinished(() => void execFileSync("umount", [target]));
}

/** A database with 40 runs, closed. */
async function filled(path: string): Promise<void> {
	const store = sqliteStore(path);
	await Promise.all(
		Array.from({ length: 40 }, (_, i) =>
			store.commit(`r${i}`, 0, [
				entry(1, "x".repeat(900)),
				head(1),
				{ kind: "blob", digest: "d", body: bytes(9_000, i) },
			]),
		),
	);
	await store.close();
}

/** Reads everything of `filled` and writes once; returns the codes of what failed. */
async function useAll(path: string): Promise<Set<string>> {
	const store = sqliteStore(path);
	const names = Array.from({ length: 40 }, (_, i) => `r${i}`);
	const works = [
		...names.map((run) => store.load(run)),
		...names.map((run) => store.blob(run, "d")),
		store.runs({}),
		store.runs({ readyAt: 5 }),
		store.approvals({}),
		create(store, "new"),
	];
	const settled = await Promise.allSettled<unknown>(works);
	await store.close();
	return new Set(settled.flatMap((one) => (one.status === "rejected" ? [String(one.reason.code)] : [])));
}

describe("making the database", () => {
	test("the folder and the files are for this user alone", async () => {
		const path = join(freshDir(), "a", "b", "runs.db");
		const store = sqliteStore(path);
		await create(store, "r");
		const mode = (of: string) => statSync(of).mode & 0o777;
		expect([mode(join(path, "..", "..")), mode(join(path, ".."))]).toEqual([0o700, 0o700]);
		expect([mode(path), mode(`${path}-wal`), mode(`${path}-shm`)]).toEqual([0o600, 0o600, 0o600]);
		await store.close();
	});

	test("a commit survives the loss of power: write-ahead log, synced in full, foreign keys on", async () => {
		const path = join(freshDir(), "runs.db");
		let opened: ReturnType<SqlEngine["open"]> | undefined;
		const engine: SqlEngine = { ...nodeSqlite, open: (...args) => (opened = nodeSqlite.open(...args)) };
		const store = sqliteStore(path, { engine });
		await create(store, "r");
		const pragma = (name: string) => Object.values(opened?.prepare(`PRAGMA ${name}`).get() ?? {})[0];
		expect(["journal_mode", "synchronous", "foreign_keys"].map(pragma)).toEqual(["wal", 2, 1]);
		await store.close();
	});

	test.each([":memory:", "file:x?mode=memory"])("the path %s is the name of a file", async (name) => {
		const dir = freshDir();
		const before = process.cwd();
		process.chdir(dir);
		const store = sqliteStore(name);
		process.chdir(before);
		await create(store, "r");
		await store.close();
		expect(statSync(join(dir, name)).size).toBeGreaterThan(0);
	});

	test("an empty path and a broken timeout are refused at once", () => {
		expect(() => sqliteStore("")).toThrow(expect.objectContaining({ code: "config.invalid" }));
		expect(() => sqliteStore("a\0b")).toThrow(expect.objectContaining({ code: "config.invalid" }));
		expect(() => sqliteStore("x", { busyTimeoutMs: Number.NaN })).toThrow(
			expect.objectContaining({ code: "config.invalid" }),
		);
	});
});

describe("what is not a database of ours", () => {
	test.each([
		["noise", () => Buffer.from(bytes(20_000))],
		["a short text", () => Buffer.from("hello")],
		["a database cut in its first page", (whole: Buffer) => whole.subarray(0, 100)],
		["a database cut after its first page", (whole: Buffer) => whole.subarray(0, 4_096)],
		["half a database", (whole: Buffer) => whole.subarray(0, whole.length >> 1)],
		["a database without its last page", (whole: Buffer) => whole.subarray(0, whole.length - 4_096)],
	])("%s is damaged, and says so", async (_, make) => {
		const dir = freshDir();
		await filled(join(dir, "whole.db"));
		writeFileSync(join(dir, "bad.db"), make(readFileSync(join(dir, "whole.db"))));
		expect(await useAll(join(dir, "bad.db"))).toContain("store.damaged");
	});

	test("changed bytes are noticed with a clear error, or hurt nobody here", async () => {
		const dir = freshDir();
		await filled(join(dir, "whole.db"));
		const whole = readFileSync(join(dir, "whole.db"));
		const seen = new Set<string>();
		for (let at = 0; at < whole.length; at += 4_096) {
			const bad = Buffer.from(whole);
			// The head of a page, where its structure is, and something in its middle.
			bad.fill(0xa5, at + (at === 0 ? 100 : 0), at + 108);
			bad.fill(0x5a, at + 2_000, at + 2_010);
			writeFileSync(join(dir, "bad.db"), bad);
			for (const code of await useAll(join(dir, "bad.db"))) seen.add(code);
		}
		expect([...seen]).toEqual(["store.damaged"]);
	});

	test("the database of another program is left as it was", async () => {
		const path = join(freshDir(), "other.db");
		const other = new DatabaseSync(path);
		other.exec("CREATE TABLE notes (text)");
		other.close();
		const before = readFileSync(path);
		const store = sqliteStore(path);
		await fails(store.id(), "store.damaged");
		await fails(create(store, "r"), "store.damaged");
		await store.close();
		expect(readFileSync(path).equals(before)).toBe(true);
	});

	test.each([2, 3])(
		"a database of version %i becomes one of this version, and keeps what it holds",
		async (version) => {
			const path = join(freshDir(), "runs.db");
			await filled(path);
			const older = new DatabaseSync(path);
			const later = migrations.slice(version).join("\n");
			const tables = [...later.matchAll(/CREATE (?:VIRTUAL )?TABLE (\w+)/g)].map(([, name]) => name);
			expect(tables).not.toEqual([]);
			for (const name of tables.reverse()) older.exec(`DROP TABLE ${name}`);
			older.exec(`PRAGMA user_version = ${version}`);
			older.close();
			const store = sqliteStore(path);
			expect((await store.load("r1"))?.run).toBe("r1");
			expect(await store.memory.list({ of: { owner: "o" } })).toEqual([]);
			const before = (await store.audit.head()).size;
			const entry = { space: "s", owner: "o", name: "a", at: 1, text: "tea", facts: "f", mac: "m" };
			const memory = { kind: "memory", entry, max: { entries: 1, bytes: 9 } } as const;
			await create(store, "new", { more: [{ kind: "audit", body: "new" }, memory] });
			expect((await store.audit.leaves({ from: before })).map(({ body }) => body)).toEqual(["new"]);
			expect(await store.memory.search({ space: "s", query: "tea" })).toEqual([entry]);
			await store.close();
		},
	);

	test("a database of a newer version is left as it was", async () => {
		const path = join(freshDir(), "runs.db");
		await filled(path);
		const newer = new DatabaseSync(path);
		newer.exec("PRAGMA user_version = 999");
		newer.close();
		const store = sqliteStore(path);
		await fails(store.load("r1"), "store.newer");
		await fails(create(store, "r"), "store.newer");
		await store.close();
	});
});

describe("a full disk", () => {
	/** Fails when the database is full, goes on when there is space; nothing half done in between. */
	async function fillAndFree(path: string, { engine, free }: { engine?: SqlEngine; free: () => void }): Promise<void> {
		const store = sqliteStore(path, engine ? { engine } : {});
		await create(store, "r");
		let seq = 1;
		let full: unknown;
		while (full === undefined && seq < 5_000) {
			const writes = [...step(seq + 1), { kind: "blob", digest: `d${seq}`, body: bytes(3_000) } as const];
			await store.commit("r", 1, writes).then(
				() => seq++,
				(error) => (full = error),
			);
		}
		expect(full).toMatchObject({ code: "store.full", retry: "safe" });
		expect(await store.load("r")).toMatchObject({ head: { seq }, entries: { length: seq } });
		expect(await store.blob("r", `d${seq}`)).toBeUndefined();

		// A neighbour too large for the disk fails alone.
		const large = store.commit("q", 0, [entry(1, "x".repeat(2_000_000)), head(1)]);
		const small = store.commit("r", 1, []);
		await fails(large, "store.full");
		expect(await small).toMatchObject({ signals: 0 });
		expect(await store.load("q")).toBeUndefined();

		free();
		await store.commit("r", 1, step(seq + 1));
		await store.close();
		const again = sqliteStore(path);
		expect(await again.load("r")).toMatchObject({ head: { seq: seq + 1 } });
		await again.close();
	}

	test("by a limit on pages", async () => {
		let driver: ReturnType<SqlEngine["open"]> | undefined;
		const engine: SqlEngine = {
			...nodeSqlite,
			open: (...args) => {
				driver = nodeSqlite.open(...args);
				driver.exec("PRAGMA max_page_count = 60");
				return driver;
			},
		};
		await fillAndFree(join(freshDir(), "runs.db"), {
			engine,
			free: () => driver?.exec("PRAGMA max_page_count = 10000"),
		});
	});

	test("on a small file system", async (context) => {
		const dir = freshDir();
		mount(context, dir, "-t", "tmpfs", "-o", "size=1m", "none");
		const free = () => void execFileSync("mount", ["-o", "remount,size=16m", dir]);
		await fillAndFree(join(dir, "runs.db"), { free });
	});

	test("from the very first byte", async (context) => {
		const dir = freshDir();
		mount(context, dir, "-t", "tmpfs", "-o", "size=16k", "none");
		const store = sqliteStore(join(dir, "runs.db"));
		await fails(create(store, "r"), "store.full");
		execFileSync("mount", ["-o", "remount,size=16m", dir]);
		await create(store, "r");
		await store.close();
	});
});

describe("a place without permission to write", () => {
	/** For root permissions do not bind: a read-only mount does. */
	function forbidWriting(context: TestContext, dir: string): void {
		if (process.getuid?.() === 0) {
			mount(context, dir, "--bind", dir);
			execFileSync("mount", ["-o", "remount,bind,ro", dir]);
			return;
		}
		chmodSync(join(dir, "runs.db"), 0o400);
		chmodSync(dir, 0o500);
		onTestFinished(() => chmodSync(dir, 0o700));
	}

	test("a folder", async (context) => {
		const dir = freshDir();
		await filled(join(dir, "runs.db"));
		forbidWriting(context, dir);
		for (const path of [join(dir, "new.db"), join(dir, "new", "runs.db"), join(dir, "runs.db")]) {
			const store = sqliteStore(path);
			await fails(create(store, "r"), "store.read_only", path);
			await store.close();
		}
	});

	test("a store for readers reads, and does not write or make anything", async () => {
		const dir = freshDir();
		await filled(join(dir, "runs.db"));
		const store = sqliteStore(join(dir, "runs.db"), { readOnly: true });
		expect((await store.load("r1"))?.entries.length).toBe(1);
		expect((await store.runs({})).length).toBe(40);
		await fails(store.commit("r1", 1, step(2)), "store.read_only");
		await fails(store.acquire("r1", { owner: "me", now: 1, until: 2 }), "store.read_only");
		await store.close();
		mkdirSync(join(dir, "empty"));
		const none = sqliteStore(join(dir, "empty", "runs.db"), { readOnly: true });
		await fails(none.load("r1"), "store.failed");
		await none.close();
		writeFileSync(join(dir, "empty", "runs.db"), "");
		const empty = sqliteStore(join(dir, "empty", "runs.db"), { readOnly: true });
		await fails(empty.load("r1"), "store.read_only");
		await empty.close();
	});

	test("a folder where the file should be, and a file where the folder should be", async () => {
		const dir = freshDir();
		await filled(join(dir, "runs.db"));
		await fails(sqliteStore(dir).id(), "store.failed");
		await fails(sqliteStore(join(dir, "runs.db", "more.db")).id(), "store.failed");
	});
});
