import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { wirings as soloWirings, type Wiring } from "../bench/workloads/retail/agent.ts";
import { type Replay, replayTask } from "../bench/workloads/retail/replay.ts";
import {
	loadRetail,
	type RetailTask,
	type RetailWorkload,
	retailDataDir,
	retailDataName,
} from "../bench/workloads/retail/tasks.ts";
import { memoryRetailWorld, openRetailWorld, type RetailWorld } from "../bench/workloads/retail/world.ts";
import { missingDataReason } from "../bench/workloads/shared-data.ts";
import { sqliteStore } from "../packages/holdpoint/src/adapters/stores/sqlite.ts";
import { createHarness } from "../packages/holdpoint/src/holdpoint.ts";
import type { Harness } from "../packages/holdpoint/src/run/harness.ts";
import { sandboxName, sandboxUnderTest } from "../packages/holdpoint/src/testing/sandbox-under-test.ts";

const dataDir = retailDataDir();

/** Turns and teams have no programs: once is enough. */
const wirings: readonly Wiring[] = sandboxName === "wasm" ? [...soloWirings, "team"] : ["program"];
/** Answers of models in all tasks together: an answer for each of 550 actions, and one to end a task. */
const turnsOf = { turns: 550 + 114, program: 2 * 114, team: 550 + 459 + 2 * 114 };

describe("the retail desk through the whole harness", { timeout: 120_000 }, () => {
	let workload: RetailWorkload;
	let folder: string;
	beforeEach(({ skip }) => skip(!dataDir, missingDataReason(retailDataName)));
	beforeAll(() => {
		folder = mkdtempSync(join(tmpdir(), "retail-desk-"));
		if (dataDir) workload = loadRetail(dataDir);
	});
	afterAll(() => rmSync(folder, { recursive: true, force: true }));

	interface Stage {
		readonly harness: Harness;
		readonly wiring: Wiring;
		readonly world?: RetailWorld;
	}

	function replay(
		task: RetailTask,
		{ harness, wiring, world = memoryRetailWorld(workload.db) }: Stage,
	): Promise<Replay> {
		return replayTask({ task, wiring, desk: workload, harness, world });
	}

	test.each(wirings)("all 114 tasks as %s: every result and every final database is gold's", async (wiring) => {
		await using harness = closing(createHarness({ sandbox: sandboxUnderTest() }));
		const replays: Replay[] = [];
		for (const task of workload.tasks) replays.push(await replay(task, { harness, wiring }));
		expect(replays.flatMap(({ problems }) => problems)).toEqual([]);
		const equal = replays.filter(({ hash }, i) => hash === workload.tasks[i]?.finalHash);
		expect([replays.length, equal.length]).toEqual([114, 114]);
		const sum = (count: (replay: Replay) => number) => replays.reduce((total, each) => total + count(each), 0);
		// Every write was held, the refused ones too, and nothing else: 176 that change the database and 4 hand-overs.
		expect([sum(({ approvals }) => approvals), sum(({ effects }) => effects.length)]).toEqual([180, 180]);
		expect([sum(({ turns }) => turns), sum(({ handoffs }) => handoffs)]).toEqual([
			turnsOf[wiring],
			wiring === "team" ? 459 : 0,
		]);
	});

	test.each(wirings)("as %s with store and world in files of their own", async (wiring) => {
		const tasks = workload.tasks.filter(({ id }) => ["20", "39", "47", "55", "104"].includes(id));
		expect(tasks.length).toBe(5);
		await using harness = closing(
			createHarness({ sandbox: sandboxUnderTest(), store: sqliteStore(join(folder, `${wiring}.db`)) }),
		);
		for (const task of tasks) {
			const world = openRetailWorld(join(folder, `${wiring}-${task.id}.db`), { seed: workload.db });
			expect((await replay(task, { harness, wiring, world })).problems).toEqual([]);
			world.close();
		}
	});

	test.each(wirings)("a replay as %s that differs from the recording says in what", async (wiring) => {
		const task = workload.tasks.find(({ id }) => id === "38");
		if (!task) throw new Error("There is no task 38");
		await using harness = closing(createHarness({ sandbox: sandboxUnderTest() }));
		const [first, ...rest] = task.actions;
		if (!first) throw new Error("Task 38 has no actions");
		const other = {
			...task,
			finalHash: workload.initialHash,
			actions: [{ ...first, recorded: { error: "no" } }, ...rest],
		};
		const { problems } = await replay(other, { harness, wiring });
		expect(problems.map(({ what }) => what)).toEqual(["results", "results", "hash"]);
		await using another = closing(createHarness({ sandbox: sandboxUnderTest() }));
		const shorter = { ...task, actions: rest };
		const world = memoryRetailWorld(workload.db);
		world.call("transfer_to_human_agents", { summary: "somebody else did this" }, "foreign");
		const { problems: more } = await replay(shorter, { harness: another, wiring, world });
		expect(more.map(({ what }) => what)).toEqual(["writes", "writes", "writes"]);
	});
});

function closing(harness: Harness): Harness & AsyncDisposable {
	return Object.assign(harness, { [Symbol.asyncDispose]: () => harness.close() });
}
