import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, onTestFinished, test } from "vitest";
import { create, fails, step } from "../../../testing/store-contract/fixture.ts";
import { sqliteStore } from "../sqlite.ts";
import { migrations } from "./schema.ts";

/** As the version of Holdpoint left it that knew the first tables only. */
function oldDatabase(): string {
	const dir = mkdtempSync(join(tmpdir(), "holdpoint-old-"));
	onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
	const path = join(dir, "runs.db");
	const database = new DatabaseSync(path);
	database.exec(migrations[0] as string);
	database.exec("INSERT INTO store VALUES ('its id'); PRAGMA application_id = 0x48504e54; PRAGMA user_version = 1");
	database.exec(
		"INSERT INTO runs (run, epoch, seq, status, agent, updated_at, mac) VALUES ('old', 1, 0, 0, 'a', 1, 'm')",
	);
	database.close();
	return path;
}

describe("a database of an older version", () => {
	test("keeps what it holds, and can all that a fresh one can", async () => {
		const store = sqliteStore(oldDatabase());
		expect(await store.id()).toBe("its id");
		expect(await store.runs({})).toMatchObject([{ run: "old" }]);
		await store.commit("old", 1, step(1));
		await create(store, "new", {
			more: [{ kind: "reserve", account: "all", holder: "c1", amount: 1, max: 1, until: undefined, now: 0 }],
		});
		expect(await store.accounts({})).toMatchObject([{ account: "all", held: 1 }]);
		await store.close();
	});

	test("is not brought forward by who may only read it", async () => {
		const store = sqliteStore(oldDatabase(), { readOnly: true });
		await fails(store.runs({}), "store.read_only");
		await store.close();
	});
});
