import type { BenchContext, Benchmark, Row, Unit, Values } from "../benchmark.ts";
import { numbersOf, workloadLane } from "../lanes.ts";
import { missingDataReason, sharedDataPath } from "../workloads/shared-data.ts";

const dataName = "tau2-retail";
const taskCount = 114;
/** Every n-th task is replayed, or crashed, by default. */
const replayEvery = 4;
const crashEvery = 23;

function exactly(name: string, unit: Unit, says: string): Row {
	return { name: `retail.${name}`, unit, op: "<=", target: 0, says };
}

const replayRows = {
	tasks: { name: "retail.replay_tasks", unit: "tasks", says: "tasks replayed in each wiring, SQLite on disk" },
	turnsWrong: exactly("replay_turns_wrong", "tasks", "tasks that came to another end than recorded, one call a turn"),
	turnsMs: { name: "retail.replay_turns_ms", unit: "ms", says: "a task, one call a turn" },
	programWrong: exactly("replay_program_wrong", "tasks", "the same, each task as one program"),
	programMs: { name: "retail.replay_program_ms", unit: "ms", says: "a task as one program" },
} as const satisfies { readonly [number: string]: Row };

const crashRows = {
	points: {
		name: "retail.crash_points",
		unit: "crash points",
		says: "`kill -9` right before and right after every write of the journal, in both wirings",
	},
	doubleWrites: exactly("crash_double_writes", "crash points", "after which a write was made twice, or not at all"),
	others: exactly("crash_others_wrong", "crash points", "after which anything else differed from an uninterrupted run"),
} as const satisfies { readonly [number: string]: Row };

const teamRows = {
	tasks: { name: "retail.team_tasks", unit: "tasks", says: "tasks replayed by a team of four, SQLite on disk" },
	wrong: exactly(
		"team_wrong",
		"tasks",
		"tasks that came to another end than recorded, or over other handoffs than planned",
	),
	handoffs: {
		name: "retail.team_handoffs",
		unit: "handoffs",
		says: "handoffs in them, between any two actions of different hands",
	},
	ms: { name: "retail.team_ms", unit: "ms", says: "a task" },
} as const satisfies { readonly [number: string]: Row };

const teamCrashRows = {
	points: {
		name: "retail.team_crash_points",
		unit: "crash points",
		says: "`kill -9` right before and right after every write of the journal",
	},
	doubleWrites: exactly("team_crash_double_writes", "crash points", crashRows.doubleWrites.says),
	others: exactly("team_crash_others_wrong", "crash points", crashRows.others.says),
} as const satisfies { readonly [number: string]: Row };

const longRunRows = {
	wrong: exactly("long_run_wrong", "tasks", "results, writes and prompts that are not what they must be"),
	perSecond: { name: "retail.long_run_tasks_per_s", unit: "tasks/s", says: "tasks a second, SQLite on disk" },
	compactions: {
		name: "retail.long_run_compactions",
		unit: "compactions",
		op: ">=",
		target: 24,
		says: "how often the conversation was compacted",
	},
	summaries: {
		name: "retail.long_run_summaries",
		unit: "answers",
		says: "of which so many asked the model for a summary",
	},
	share: {
		name: "retail.long_run_prompt_share",
		unit: "×",
		op: "<=",
		target: 1,
		says: "the largest prompt, as the model counts it, divided by what the window leaves it",
	},
} as const satisfies { readonly [number: string]: Row };

const longRunKilledRows = {
	kills: { name: "retail.long_run_kills", unit: "processes", says: "killed at random commits, before or after" },
	wrong: exactly("long_run_killed_wrong", "tasks", longRunRows.wrong.says),
} as const satisfies { readonly [number: string]: Row };

interface LongRun {
	readonly row: "longRun" | "longRunKilled";
	readonly rows: { readonly [number: string]: Row };
}

async function measureLongRun(context: BenchContext, { row, rows }: LongRun): Promise<Values> {
	if (isMissing(context, row)) return nothing(rows);
	const args = { tasks: context.count(taskCount), kills: context.count(100) };
	const laps = await context.race([[workloadLane(row, "retail", { row, args })]], { rounds: 1, slices: 1 });
	return numbersOf(rows, laps, row);
}

function isMissing(context: BenchContext, row: string): boolean {
	if (sharedDataPath(dataName) !== undefined) return false;
	context.note(`retail.${row} skipped: ${missingDataReason(dataName)}`);
	return true;
}

function nothing(rows: { readonly [number: string]: Row }): Values {
	return Object.fromEntries(Object.values(rows).map(({ name }) => [name, undefined]));
}

interface Work {
	readonly row: "replay" | "crash" | "team" | "teamCrash";
	readonly rows: { readonly [number: string]: Row };
	readonly every: number;
}

async function measure(context: BenchContext, { row, rows, every }: Work): Promise<Values> {
	if (isMissing(context, row)) return nothing(rows);
	const step = context.smoke ? taskCount : context.full ? 1 : every;
	const args = { every: step, ...(context.smoke ? { wiringCount: 1 } : {}) };
	if (step > 1 && !context.smoke) {
		context.note(`retail.${row}: a sample, ${Math.ceil(taskCount / step)} of ${taskCount} tasks; \`--full\` takes all`);
	}
	const laps = await context.race([[workloadLane(row, "retail", { row, args })]], { rounds: 1, slices: 1 });
	return numbersOf(rows, laps, row);
}

/** Recorded work of a shop's support desk: what comes of it is known to the last byte. */
export const retail: readonly Benchmark[] = [
	{
		title: "Retail tasks, replayed (tau2-bench's tools and gold actions)",
		rows: Object.values(replayRows),
		run: (context) => measure(context, { row: "replay", rows: replayRows, every: replayEvery }),
	},
	{
		title: "Retail tasks, killed at every write of the journal and gone on with in another process",
		rows: Object.values(crashRows),
		run: (context) => measure(context, { row: "crash", rows: crashRows, every: crashEvery }),
	},
	{
		title: "Retail tasks over a team: a coordinator and three specialists, each with its own tools",
		rows: Object.values(teamRows),
		run: (context) => measure(context, { row: "team", rows: teamRows, every: replayEvery }),
	},
	{
		title: "Retail tasks over a team, killed at every write of the journal and gone on with in another process",
		rows: Object.values(teamCrashRows),
		run: (context) => measure(context, { row: "teamCrash", rows: teamCrashRows, every: crashEvery }),
	},
	{
		title: "All retail tasks in one session, in a window of 8,000 tokens",
		rows: Object.values(longRunRows),
		run: (context) => measureLongRun(context, { row: "longRun", rows: longRunRows }),
	},
	{
		title: "All retail tasks in one session, killed again and again and gone on with in another process",
		rows: Object.values(longRunKilledRows),
		full: true,
		run: (context) => measureLongRun(context, { row: "longRunKilled", rows: longRunKilledRows }),
	},
];
