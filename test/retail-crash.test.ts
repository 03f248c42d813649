import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { wirings as soloWirings, type Wiring, type WriteRepeat } from "../bench/workloads/retail/agent.ts";
import { type CrashReport, crashMatrix } from "../bench/workloads/retail/crash-matrix.ts";
import { loadRetail, type RetailWorkload, retailDataDir, retailDataName } from "../bench/workloads/retail/tasks.ts";
import { retailTools } from "../bench/workloads/retail/tools.ts";
import { missingDataReason } from "../bench/workloads/shared-data.ts";
import { sandboxName } from "../packages/holdpoint/src/testing/sandbox-under-test.ts";

const dataDir = retailDataDir();

/** Turns and teams have no programs: once is enough. */
const wirings: readonly Wiring[] = sandboxName === "wasm" ? [...soloWirings, "team"] : ["program"];

/** Of one to five writes (104), with refused calls before and between (35, 37, 38, 39, 47), refused writes (105), none (67). */
const everyAppendOf = ["35", "37", "38", "39", "47", "67", "71", "78", "104", "105"];

describe("a process killed with SIGKILL at every journal append", { timeout: 300_000 }, () => {
	let workload: RetailWorkload;
	beforeEach(({ skip }) => skip(!dataDir, missingDataReason(retailDataName)));
	beforeAll(() => {
		if (dataDir) workload = loadRetail(dataDir);
	});

	const tasksOf = (ids: readonly string[]) => workload.tasks.filter(({ id }) => ids.includes(id));

	async function crash(ids: readonly string[], wiring: Wiring, repeat: WriteRepeat): Promise<CrashReport> {
		const report = await crashMatrix({
			workload,
			tasks: tasksOf(ids),
			wirings: [wiring],
			repeat,
			sandbox: sandboxName,
		});
		const { replays, points, kills, settled } = report;
		console.log(
			`${replays} tasks as ${wiring} (${sandboxName}), ${repeat}: ${points} crash points in ${kills} processes, ${settled} settled`,
		);
		expect([replays, report.notKilled]).toEqual([ids.length, 0]);
		return report;
	}

	test.each(wirings)(
		"I1: as %s, each task ends with gold's results and database, no write made twice",
		async (wiring) => {
			const report = await crash(everyAppendOf, wiring, "keyed");
			expect(report.problems).toEqual([]);
			expect(report).toMatchObject({ ...noneWrong, wrongResults: 0, settled: 0 });
			// Of each write its wait, its start and its end are appends of their own.
			const writes = writesOf(everyAppendOf);
			expect(report.points).toBeGreaterThan(2 * 3 * writes);
		},
	);

	test.each(wirings)(
		"I7: as %s, a `once` write that was started is unknown, and settled with the right database",
		async (wiring) => {
			const ids = onceTasks[wiring];
			const report = await crash(ids, wiring, "once");
			// Each write right after its start was written, when it has not been made, and right before its end was.
			expect(report).toMatchObject({ ...noneWrong, settled: 2 * writesOf(ids) });
		},
	);

	test("would show a write made twice: here the world is not given the key that the tool promises to pass on", async () => {
		const report = await crash(["78"], "turns", "keyless");
		// Three writes, each made and its outcome lost once.
		expect(report.doubleWrites).toBe(3);
	});

	function writesOf(ids: readonly string[]): number {
		const actions = tasksOf(ids).flatMap((task) => task.actions);
		return actions.filter(({ name }) => retailTools.get(name)?.effect === "write").length;
	}
});

const onceTasks = { turns: ["38", "78", "105"], program: ["38", "71", "105"], team: ["78"] };
const noneWrong = { wrongHashes: 0, doubleWrites: 0, wrongApprovals: 0, unfinished: 0 };
