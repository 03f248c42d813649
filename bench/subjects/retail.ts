/** The retail tasks, replayed through the whole harness, and killed at every write of their journals. */
import { join } from "node:path";
import { createHarness, type Harness, sqliteStore } from "holdpoint";
import { median, type Numbers } from "../statistics.ts";
import { serveRows } from "../subject.ts";
import { type Wiring, wirings } from "../workloads/retail/agent.ts";
import { crashMatrix } from "../workloads/retail/crash-matrix.ts";
import { longRunBudget } from "../workloads/retail/long-run.ts";
import { killLongRun } from "../workloads/retail/long-run-kills.ts";
import { openLongRun } from "../workloads/retail/long-run-stage.ts";
import { replayTask } from "../workloads/retail/replay.ts";
import { loadRetail, type RetailTask, type RetailWorkload, retailDataDir } from "../workloads/retail/tasks.ts";
import { memoryRetailWorld, openRetailWorld } from "../workloads/retail/world.ts";

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

/** All tasks in one session, by this process alone. */
async function longRun({ tasks: taskCount = 114 }: Numbers): Promise<Numbers> {
	const workload = load();
	const store = sqliteStore(join(folder, "long-run.db"));
	const world = memoryRetailWorld(workload.db);
	const stage = await openLongRun({ workload, wiring: "turns", store, world, taskCount });
	try {
		const times = await stage.play();
		const { problems, compactions, promptTokens } = await stage.judge();
		for (const problem of [...problems, ...stage.watch.problems]) console.error(problem);
		const sum = times.reduce((total, ms) => total + ms, 0);
		return {
			wrong: problems.length + stage.watch.problems.length,
			perSecond: times.length / (sum / 1_000),
			compactions: compactions.length,
			summaries: stage.watch.summaries,
			share: Math.max(...promptTokens) / longRunBudget,
		};
	} finally {
		await stage.close();
	}
}

/** The same by processes that are killed. */
async function longRunKilled({ tasks: taskCount = 114, kills = 100 }: Numbers): Promise<Numbers> {
	const workload = load();
	const world = openRetailWorld(join(folder, "world.db"), { seed: workload.db });
	const commits = 9 * taskCount;
	const killed = await killLongRun({ folder, wiring: "turns", taskCount, commits, kills, seed: 1 });
	const store = sqliteStore(join(folder, "store.db"));
	const stage = await openLongRun({ workload, wiring: "turns", store, world, taskCount });
	try {
		const { problems } = await stage.judge();
		for (const problem of problems) console.error(problem);
		return { kills: killed, wrong: problems.length };
	} finally {
		await stage.close();
	}
}

await serveRows({
	longRun: ({ args }) => longRun(args),
	longRunKilled: ({ args }) => longRunKilled(args),
	replay: ({ args }) => replay(args),
	crash: ({ args }) => crash(wirings.slice(0, args.wiringCount), args),
	team: ({ args }) => team(args),
	teamCrash: ({ args }) => crash(["team"], args),
});
