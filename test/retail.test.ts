import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Wiring, wirings } from "../bench/workloads/retail/agent.ts";
import { type Replay, replayTask } from "../bench/workloads/retail/replay.ts";
import { loadRetail, type RetailWorkload, retailDataDir, retailDataName } from "../bench/workloads/retail/tasks.ts";
import { memoryRetailWorld, openRetailWorld } from "../bench/workloads/retail/world.ts";
import { missingDataReason } from "../bench/workloads/shared-data.ts";
import { sqliteStore } from "../packages/holdpoint/src/adapters/stores/sqlite.ts";
import { createHarness } from "../packages/holdpoint/src/holdpoint.ts";
import type { Harness } from "../packages/holdpoint/src/run/harness.ts";

const dataDir = retailDataDir();

describe("the retail desk through the whole harness", () => {
	let workload: RetailWorkload;
	beforeEach(({ skip }) => skip(!dataDir, missingDataReason(retailDataName)));
	beforeAll(() => {
		if (dataDir) workload = loadRetail(dataDir);
	});

	describe("in memory", () => {
		let harness: Harness;
		beforeAll(() => {
			harness = createHarness();
		});
		afterAll(() => harness.close());

		test.each(wirings)("all 114 tasks as %s: every result and every final database is gold's", async (wiring) => {
			const replays: Replay[] = [];
			for (const task of workload.tasks) {
				const world = memoryRetailWorld(workload.db);
				replays.push(await replayTask({ task, wiring, desk: workload, harness, world }));
			}
			expect(replays.flatMap(({ problems }) => problems)).toEqual([]);
			const equal = replays.filter(({ hash }, i) => hash === workload.tasks[i]?.finalHash);
			expect([replays.length, equal.length]).toEqual([114, 114]);
			const sum = (count: (replay: Replay) => number) => replays.reduce((total, replay) => total + count(replay), 0);
			// Every write was held, the refused ones too, and nothing else was: 176 of the database and 4 hand-overs.
			expect([sum(({ approvals }) => approvals), sum(({ effects }) => effects)]).toEqual([180, 180]);
			expect(sum(({ turns }) => turns)).toBe(wiring === "turns" ? 550 + 114 : 2 * 114);
		});
	});
});
