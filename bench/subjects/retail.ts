/** The retail tasks, replayed through the whole harness, and killed at every write of their journals. */
import { join } from "node:path";
import { createHarness, type Harness, sqliteStore } from "holdpoint";
import { median, type Numbers } from "../statistics.ts";
import { serveRows } from "../subject.ts";
import { type Wiring, wirings } from "../workloads/retail/agent.ts";
import { crashMatrix } from "../workloads/retail/crash-matrix.ts";
import { replayTask } from "../workloads/retail/replay.ts";
import { loadRetail, type RetailTask, type RetailWorkload, retailDataDir } from "../workloads/retail/tasks.ts";
import { memoryRetailWorld } from "../workloads/retail/world.ts";

const folder = process.argv[2] ?? ".";

function load(): RetailWorkload {
	const dir = retailDataDir();
	if (!dir) throw new Error("The retail data is not here");
	return loadRetail(dir);
}

/** Every n-th task, so that a sample has of each kind. */
function sampleOf({ tasks }: RetailWorkload, every: number) {
	return tasks.filter((_, at) => at % every === 0);
}

interface ReplaySet {
	readonly wiring: Wiring;
	readonly tasks: readonly RetailTask[];
}

interface Replays {
	readonly wrong: number;
	readonly handoffs: number;
	readonly ms: number;
}

async function replayAll(harness: Harness, workload: RetailWorkload, { wiring, tasks }: ReplaySet): Promise<Replays> {
	const times: number[] = [];
	let wrong = 0;
	let handed = 0;
	for (const task of tasks) {
		const world = memoryRetailWorld(workload.db);
		const began = performance.now();
		const { problems, handoffs } = await replayTask({ task, wiring, desk: workload, harness, world });
		times.push(performance.now() - began);
		handed += handoffs;
		if (problems.length > 0) wrong++;
		world.close();
	}
	return { wrong, handoffs: handed, ms: median(times) };
}

async function replay({ every = 1 }: Numbers): Promise<Numbers> {
	const workload = load();
	const harness = createHarness({ store: sqliteStore(join(folder, "replay.db")) });
	try {
		const tasks = sampleOf(workload, every);
		const turns = await replayAll(harness, workload, { wiring: "turns", tasks });
		const program = await replayAll(harness, workload, { wiring: "program", tasks });
		return {
			tasks: tasks.length,
			turnsWrong: turns.wrong,
			turnsMs: turns.ms,
			programWrong: program.wrong,
			programMs: program.ms,
		};
	} finally {
		await harness.close();
	}
}

async function team({ every = 1 }: Numbers): Promise<Numbers> {
	const workload = load();
	const harness = createHarness({ store: sqliteStore(join(folder, "team.db")) });
	try {
		const tasks = sampleOf(workload, every);
		return { tasks: tasks.length, ...(await replayAll(harness, workload, { wiring: "team", tasks })) };
	} finally {
		await harness.close();
	}
}

async function crash(chosen: readonly Wiring[], { every = 1 }: Numbers): Promise<Numbers> {
	const workload = load();
	const tasks = sampleOf(workload, every);
	const report = await crashMatrix({ workload, tasks, wirings: chosen, folder });
	for (const problem of report.problems) console.error(problem);
	const { points, doubleWrites, wrongHashes, wrongResults, unfinished, notKilled } = report;
	const others = wrongHashes + wrongResults + unfinished + notKilled + report.problems.length;
	return { tasks: tasks.length, points, doubleWrites, others };
}

await serveRows({
	replay: ({ args }) => replay(args),
	crash: ({ args }) => crash(wirings.slice(0, args.wiringCount), args),
	team: ({ args }) => team(args),
	teamCrash: ({ args }) => crash(["team"], args),
});
