import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type SoloWiring, wirings as soloWirings } from "../bench/workloads/retail/agent.ts";
import { longRunBudget } from "../bench/workloads/retail/long-run.ts";
import { killLongRun } from "../bench/workloads/retail/long-run-kills.ts";
import { type LongRunStage, openLongRun } from "../bench/workloads/retail/long-run-stage.ts";
import { loadRetail, type RetailWorkload, retailDataDir, retailDataName } from "../bench/workloads/retail/tasks.ts";
import { openRetailWorld } from "../bench/workloads/retail/world.ts";
import { missingDataReason } from "../bench/workloads/shared-data.ts";
import { sqliteStore } from "../packages/holdpoint/src/adapters/stores/sqlite.ts";
import { sandboxName, sandboxUnderTest } from "../packages/holdpoint/src/testing/sandbox-under-test.ts";

const dataDir = retailDataDir();

/** Turns have no programs: once is enough. */
const wirings: readonly SoloWiring[] = sandboxName === "wasm" ? soloWirings : ["program"];
/** What is played in both ways. */
const firstTasks = 16;

describe("all retail tasks in one session, in a window of 8,000 tokens", { timeout: 300_000 }, () => {
	let workload: RetailWorkload;
	let folder: string;
	beforeEach(({ skip }) => {
		skip(!dataDir, missingDataReason(retailDataName));
		folder = mkdtempSync(join(tmpdir(), "retail-long-run-"));
	});
	beforeAll(() => {
		if (dataDir) workload = loadRetail(dataDir);
	});
	afterEach(() => {
		if (folder) rmSync(folder, { recursive: true, force: true });
	});

	/** The store and the world of a process that is not killed. */
	async function openIn(place: string, wiring: SoloWiring, taskCount?: number): Promise<LongRunStage> {
		const store = sqliteStore(join(place, "store.db"));
		const world = openRetailWorld(join(place, "world.db"));
		return openLongRun({ workload, wiring, store, world, taskCount, sandbox: sandboxUnderTest() });
	}

	function newPlace(name: string): string {
		const place = join(folder, name);
		mkdirSync(place);
		openRetailWorld(join(place, "world.db"), { seed: workload.db }).close();
		return place;
	}

	test.each(wirings)(
		"as %s, results, database and every prompt are what they must be, be its processes killed or not",
		async (wiring) => {
			const alone = await openIn(newPlace("alone"), wiring, firstTasks);
			await alone.play();
			const expected = await alone.judge();
			await alone.close();
			const { watch } = alone;
			expect([...expected.problems, ...watch.problems]).toEqual([]);
			expect(new Set(expected.compactions.map(({ how }) => how))).toEqual(new Set(["clear", "fold"]));
			expect(Math.min(watch.results.whole, watch.results.cleared)).toBeGreaterThan(0);

			const place = newPlace("killed");
			const commits = 9 * firstTasks;
			const kills = await killLongRun({ folder: place, wiring, taskCount: firstTasks, commits, kills: 5, seed: 2 });
			const stage = await openIn(place, wiring, firstTasks);
			const report = await stage.judge();
			await stage.close();
			expect(kills).toBe(5);
			// The same prompts, by their tokens, and the same summaries.
			expect(report).toEqual(expected);
		},
	);

	test.each(wirings.filter((wiring) => wiring === "turns"))(
		"as %s, all 114, killed a dozen times: gold's results and database, no write twice, dozens of compactions",
		async (wiring) => {
			const place = newPlace("all");
			const kills = await killLongRun({ folder: place, wiring, taskCount: 114, commits: 1_011, kills: 14, seed: 1 });
			const stage = await openIn(place, wiring);
			const { problems, compactions, promptTokens } = await stage.judge();
			await stage.close();
			const most = Math.max(...promptTokens);
			console.log(`${kills} processes killed, ${compactions.length} compactions, prompts of at most ${most} tokens`);
			expect(problems).toEqual([]);
			expect(kills).toBeGreaterThanOrEqual(12);
			expect(compactions.length).toBeGreaterThanOrEqual(24);
			expect([promptTokens.length, most <= longRunBudget]).toEqual([550 + 114, true]);
		},
	);
});
