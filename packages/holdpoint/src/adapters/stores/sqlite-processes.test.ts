import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, onTestFinished, test } from "vitest";
import { create, entry, fails, head, signal, step } from "../../testing/store-contract/fixture.ts";
import { sqliteStore } from "./sqlite.ts";

function freshPath(): string {
	const dir = mkdtempSync(join(tmpdir(), "holdpoint-processes-"));
	onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
	return join(dir, "runs.db");
}

interface Child {
	readonly process: ChildProcess;
	readonly lines: AsyncIterableIterator<string>;
	readonly ended: Promise<void>;
}

/** A process of its own, with `store` opened on the path and `say` for its lines. Its script ends with the store closed. */
function child(path: string, script: string): Child {
	const code = `
		import { writeSync } from "node:fs";
		import { sqliteStore } from ${JSON.stringify(new URL("./sqlite.ts", import.meta.url).href)};
		import * as f from ${JSON.stringify(new URL("../../testing/store-contract/fixture.ts", import.meta.url).href)};
		const store = sqliteStore(${JSON.stringify(path)});
		const say = (text) => writeSync(1, text + "\\n");
		const told = () => new Promise((resolve) => process.stdin.once("data", resolve));
		${script}
		await store.close();
		process.exit(0);`;
	const started = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["pipe", "pipe", "inherit"] });
	onTestFinished(() => void started.kill("SIGKILL"));
	return {
		process: started,
		lines: createInterface({ input: started.stdout })[Symbol.asyncIterator](),
		ended: new Promise((resolve) => started.once("exit", () => resolve())),
	};
}

async function rest(lines: AsyncIterableIterator<string>): Promise<string[]> {
	const found: string[] = [];
	for await (const line of lines) found.push(line);
	return found;
}

describe("several processes on one database", () => {
	test("of two that acquire the same runs exactly one gets each", async () => {
		const path = freshPath();
		const store = sqliteStore(path);
		const runs = Array.from({ length: 60 }, (_, i) => `r${i}`);
		await Promise.all(runs.map((run) => create(store, run)));
		const script = `
			await store.id();
			say("ready");
			await told();
			for (let i = 0; i < 60; i++) {
				await store.acquire("r" + i, { owner: String(process.pid), now: 1, until: 100 }).then(
					(run) => say("won " + run.run),
					(error) => { if (error.code !== "run.busy") say(error.code); },
				);
			}`;
		const children = [child(path, script), child(path, script)];
		for (const { lines } of children) expect((await lines.next()).value).toBe("ready");
		for (const { process } of children) process.stdin?.write("go\n");
		const won = await Promise.all(children.map(({ lines }) => rest(lines)));
		expect(won.flat().sort()).toEqual(runs.map((run) => `won ${run}`).sort());
		for (const run of runs) expect(await store.load(run)).toMatchObject({ epoch: 2, lease: { until: 100 } });
		await store.close();
	}, 30_000);

	test("two that make the database at the same time make one", async () => {
		const path = freshPath();
		const script = `say("ready"); await told(); say(await store.id()); await f.create(store, String(process.pid));`;
		const children = [child(path, script), child(path, script)];
		for (const { lines } of children) expect((await lines.next()).value).toBe("ready");
		for (const { process } of children) process.stdin?.write("go\n");
		const ids = (await Promise.all(children.map(({ lines }) => rest(lines)))).flat();
		const store = sqliteStore(path);
		expect(ids).toEqual([await store.id(), await store.id()]);
		expect((await store.runs({})).length).toBe(2);
		await store.close();
	}, 30_000);

	test("signals of another process reach a run that is being written", async () => {
		const path = freshPath();
		const store = sqliteStore(path);
		await create(store, "r");
		const teller = child(
			path,
			`for (let i = 0; i < 40; i++) await store.commit("r", 0, [f.signal("s" + i)]); say("done");`,
		);
		const done = teller.lines.next();
		let waiting = 0;
		let ended = false;
		const exit = teller.ended.then(() => {
			ended = true;
		});
		for (let seq = 2; !ended; seq++) waiting = (await store.commit("r", 1, step(seq))).signals;
		await exit;
		expect((await done).value).toBe("done");
		waiting = (await store.commit("r", 1, [])).signals;
		expect(waiting).toBe(40);
		expect((await store.load("r"))?.signals.map(({ id }) => id)).toEqual(Array.from({ length: 40 }, (_, i) => `s${i}`));
		await store.close();
	}, 30_000);

	test("a writer that is killed has lost nothing that it was told is written", async () => {
		const path = freshPath();
		const script = `
			await f.create(store, "r");
			for (let seq = 2; seq <= 20000; seq++) {
				await store.commit("r", 1, [...f.step(seq), { kind: "blob", digest: "last", body: f.bytes(5000, seq) }]);
				say(String(seq));
			}`;
		for (const killAt of [3, 211, 700]) {
			rmSync(path, { force: true });
			rmSync(`${path}-wal`, { force: true });
			rmSync(`${path}-shm`, { force: true });
			const writer = child(path, script);
			let acknowledged = 0;
			for await (const line of writer.lines) {
				acknowledged = Number(line);
				if (acknowledged === killAt) writer.process.kill("SIGKILL");
			}
			await writer.ended;
			expect(acknowledged).toBeGreaterThanOrEqual(killAt);
			expect(acknowledged).toBeLessThan(20_000);
			const store = sqliteStore(path);
			const seq = (await store.load("r"))?.head.seq ?? 0;
			expect([acknowledged, acknowledged + 1]).toContain(seq);
			expect((await store.load("r"))?.entries.length).toBe(seq);
			expect((await store.blob("r", "last"))?.length).toBe(5_000);
			await store.commit("r", 1, step(seq + 1));
			await store.close();
		}
	}, 60_000);
});

describe("a database that another process has locked", () => {
	function lock(path: string): DatabaseSync {
		const other = new DatabaseSync(path);
		other.exec("BEGIN IMMEDIATE");
		return other;
	}

	test("is tried until the time is over; reading goes on", async () => {
		const path = freshPath();
		const store = sqliteStore(path, { busyTimeoutMs: 40 });
		await create(store, "r");
		const other = lock(path);
		const works = [
			store.commit("r", 1, step(2)),
			store.acquire("r", { owner: "me", now: 1, until: 9 }),
			create(store, "q"),
		];
		await Promise.all(works.map((work) => fails(work, "store.locked")));
		expect((await store.load("r"))?.head.seq).toBe(1);
		expect(await store.load("q")).toBeUndefined();
		other.exec("ROLLBACK");
		await store.commit("r", 1, step(2));
		other.close();
		await store.close();
	});

	test("is waited for without stopping the event loop", async () => {
		const path = freshPath();
		const store = sqliteStore(path, { busyTimeoutMs: 30_000 });
		await create(store, "r");
		const other = lock(path);
		const work = store.commit("r", 1, [entry(2), head(2), signal("s")]);
		// Only a turning event loop gets here while the commit waits.
		await new Promise((resolve) => setTimeout(resolve, 1));
		other.exec("COMMIT");
		expect(await work).toMatchObject({ signals: 1 });
		other.close();
		await store.close();
	});

	test("that is locked before it was ever opened is waited for too", async () => {
		const path = freshPath();
		const other = lock(path);
		const early = sqliteStore(path, { busyTimeoutMs: 20 });
		await fails(early.id(), "store.locked");
		await early.close();
		const store = sqliteStore(path, { busyTimeoutMs: 30_000 });
		const id = store.id();
		await new Promise((resolve) => setTimeout(resolve, 1));
		other.exec("ROLLBACK");
		other.close();
		expect((await id).length).toBe(22);
		await store.close();
	});
});
