import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "vitest";
import { storeContract } from "../../testing/store-contract.ts";
import { sqliteStore } from "./sqlite.ts";

describe("sqlite store", () => {
	for (const { name, run } of storeContract) {
		test(name, () =>
			run(async () => {
				const dir = mkdtempSync(join(tmpdir(), "holdpoint-store-"));
				let store = sqliteStore(join(dir, "runs.db"));
				return {
					store,
					reopen: async () => {
						await store.close();
						store = sqliteStore(join(dir, "runs.db"));
						return store;
					},
					close: async () => {
						await store.close();
						rmSync(dir, { recursive: true });
					},
				};
			}),
		);
	}
});
