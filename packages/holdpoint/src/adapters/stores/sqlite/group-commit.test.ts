import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { create, entry, fails, head, step } from "../../../testing/store-contract/fixture.ts";
import { sqliteStore } from "../sqlite.ts";
import { nodeSqlite, type SqlDriver, type SqlEngine, type SqlValue } from "./sql-engine.ts";

interface Watched {
	readonly engine: SqlEngine;
	/** The statements that ran, in order. */
	readonly ran: string[];
	opened: number;
	/** Throws instead of running a statement. */
	faultOn: (sql: string, values: readonly unknown[]) => Error | undefined;
}

/** SQLite's own, watched, and failing when it is told to. */
function watched(): Watched {
	const state: Watched = {
		ran: [],
		opened: 0,
		faultOn: () => undefined,
		engine: {
			...nodeSqlite,
			open(path, options) {
				state.opened++;
				return watchDriver(nodeSqlite.open(path, options), state);
			},
		},
	};
	return state;
}

function watchDriver(driver: SqlDriver, state: Watched): SqlDriver {
	return {
		exec: (sql) => driver.exec(sql),
		close: () => driver.close(),
		prepare(sql) {
			const statement = driver.prepare(sql);
			const watch =
				<T>(use: (...values: SqlValue[]) => T) =>
				(...values: SqlValue[]): T => {
					state.ran.push(sql);
					const fault = state.faultOn(sql, values);
					if (fault) throw fault;
					return use(...values);
				};
			return {
				run: watch((...values) => statement.run(...values)),
				get: watch((...values) => statement.get(...values)),
				all: watch((...values) => statement.all(...values)),
			};
		},
	};
}

function sqliteError(errcode: number): Error {
	return Object.assign(new Error("disk trouble"), { code: "ERR_SQLITE_ERROR", errcode });
}

async function freshStore(state: Watched) {
	const dir = mkdtempSync(join(tmpdir(), "holdpoint-group-"));
	const store = sqliteStore(join(dir, "runs.db"), { engine: state.engine });
	onTestFinished(async () => {
		await store.close();
		rmSync(dir, { recursive: true });
	});
	await store.id();
	state.ran.length = 0;
	return store;
}

const count = (state: Watched, sql: string) => state.ran.filter((text) => text === sql).length;

test("commits of one turn of the event loop share one transaction", async () => {
	const state = watched();
	const store = await freshStore(state);
	await Promise.all(Array.from({ length: 50 }, (_, i) => create(store, `r${i}`)));
	expect(count(state, "COMMIT")).toBe(1);
	// Those that follow a few promises later are of the same turn.
	await Promise.all(
		Array.from({ length: 50 }, async (_, i) => {
			for (let hop = 0; hop < i % 5; hop++) await undefined;
			await store.commit(`r${i}`, 1, step(2));
		}),
	);
	expect(count(state, "COMMIT")).toBe(2);
	expect((await store.runs({})).every(({ seq }) => seq === 2)).toBe(true);
});

test("a commit alone needs no savepoint", async () => {
	const state = watched();
	const store = await freshStore(state);
	await create(store, "r");
	expect(state.ran.filter((sql) => /SAVEPOINT|RELEASE/.test(sql))).toEqual([]);
});

test("a commit that is refused costs its neighbours nothing", async () => {
	const state = watched();
	const store = await freshStore(state);
	await create(store, "old");
	const works = ["a", "old", "b", "old"].map((run) => create(store, run));
	expect((await Promise.allSettled(works)).map(({ status }) => status === "fulfilled")).toEqual([
		true,
		false,
		true,
		false,
	]);
	expect(count(state, "COMMIT")).toBe(2);
});

test("a large crowd goes in several transactions, in order", async () => {
	const state = watched();
	const store = await freshStore(state);
	const works = [create(store, "r")];
	for (let seq = 2; seq <= 600; seq++) works.push(store.commit("r", 1, step(seq)).then(() => undefined));
	await Promise.all(works);
	expect(count(state, "COMMIT")).toBe(3);
	expect((await store.load("r"))?.entries.length).toBe(600);
});

test("when SQLite fails under one commit the others are written all the same", async () => {
	const state = watched();
	const store = await freshStore(state);
	state.faultOn = (sql, values) =>
		sql.includes("INTO entries") && values.includes("bad") ? sqliteError(13) : undefined;
	const works = Array.from({ length: 9 }, (_, i) =>
		store.commit(`r${i}`, 0, [entry(1, i === 4 ? "bad" : "good"), head(1)]),
	);
	const settled = await Promise.allSettled(works);
	expect(settled.map(({ status }) => status === "fulfilled")).toEqual(Array.from({ length: 9 }, (_, i) => i !== 4));
	await fails(works[4] as Promise<unknown>, "store.full");
	expect((await store.runs({})).length).toBe(8);
});

test("a full disk at COMMIT: each is tried alone, and all are told when none fits", async () => {
	const state = watched();
	const store = await freshStore(state);
	state.faultOn = (sql) => (sql === "COMMIT" ? sqliteError(13) : undefined);
	const works = ["a", "b", "c"].map((run) => create(store, run));
	await Promise.all(works.map((work) => fails(work, "store.full")));
	expect(count(state, "COMMIT")).toBe(4);
	state.faultOn = () => undefined;
	expect(await store.runs({})).toEqual([]);
	await create(store, "a");
});

test("when the disk fails at COMMIT nobody knows, nothing is tried again, and the file is opened anew", async () => {
	const state = watched();
	const store = await freshStore(state);
	state.faultOn = (sql) => (sql === "COMMIT" ? sqliteError(1_034) : undefined);
	const works = ["a", "b", "c"].map((run) => create(store, run));
	await Promise.all(works.map((work) => fails(work, "store.failed")));
	await expect(works[0]).rejects.toMatchObject({
		retry: "unknown",
		details: { sqlite: 1_034 },
		cause: { message: "disk trouble" },
	});
	expect(count(state, "COMMIT")).toBe(1);
	expect(state.opened).toBe(1);
	state.faultOn = () => undefined;
	await create(store, "a");
	expect(state.opened).toBe(2);
});

test("a disk that fails while reading is opened anew as well", async () => {
	const state = watched();
	const store = await freshStore(state);
	await create(store, "r");
	state.faultOn = (sql) => (sql.includes("FROM entries") ? sqliteError(266) : undefined);
	await fails(store.load("r"), "store.failed");
	state.faultOn = () => undefined;
	expect((await store.load("r"))?.entries.length).toBe(1);
	expect(state.opened).toBe(2);
});

test.each([
	[3, "store.read_only"],
	[8, "store.read_only"],
	[1_032, "store.read_only"],
	[11, "store.damaged"],
	[779, "store.damaged"],
	[26, "store.damaged"],
	[522, "store.damaged"],
	[13, "store.full"],
	[4_874, "store.full"],
	[10, "store.failed"],
	[7, "store.failed"],
	[1, "store.failed"],
] as const)("SQLite's result %i is %s", async (result, code) => {
	const state = watched();
	const store = await freshStore(state);
	state.faultOn = (sql) => (sql.includes("INTO runs") ? sqliteError(result) : undefined);
	await fails(create(store, "r"), code);
	state.faultOn = () => undefined;
	await create(store, "r");
});
