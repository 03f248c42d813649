/*
 * Real deaths: a process that plays a task is killed with SIGKILL at one journal append, right before or right after it,
 * and another process goes on from what lies on the disk. Done for every append of every task; nothing may tell the
 * result from that of an uninterrupted replay.
 *
 * 1. The world lies in a file apart from the harness's store, as a shop's database would.
 * 2. How many appends a task has, an uninterrupted replay tells; a child that does not die where it should is an error.
 * 3. One process dies several deaths: it plays the task in several worlds, each play stands still at its own append, and
 *    then the kill comes. To start a process for each death would take most of the time.
 * 4. Deaths need a process, going on does not: it happens here, with harness, store and world opened anew.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { sqliteStore } from "../../../packages/holdpoint/src/adapters/stores/sqlite.ts";
import { bestSandbox } from "../../../packages/holdpoint/src/best-sandbox.ts";
import { createHarness } from "../../../packages/holdpoint/src/holdpoint.ts";
import type { SandboxProvider } from "../../../packages/holdpoint/src/spec/sandbox.ts";
import type { Store } from "../../../packages/holdpoint/src/spec/store.ts";
import { crashingStore } from "../../../packages/holdpoint/src/testing/crashing-store.ts";
import { type Wiring, type WriteRepeat, wirings } from "./agent.ts";
import { type Problem, type Replay, replayTask } from "./replay.ts";
import type { ChildJob } from "./replay-child.ts";
import { loadRetail, type RetailTask, type RetailWorkload, retailDataDir } from "./tasks.ts";
import { openRetailWorld } from "./world.ts";

export interface CrashMatrixOptions {
	/** Default: all. */
	readonly tasks?: readonly RetailTask[];
	/** Default: both. */
	readonly wirings?: readonly Wiring[];
	/** How the writes are declared. Default: `keyed`. */
	readonly repeat?: WriteRepeat;
	/** Where programs run, in every process. Default: `wasm`. */
	readonly sandbox?: string;
	/** Default: read from the shared data. */
	readonly workload?: RetailWorkload;
	readonly onProgress?: (report: CrashReport) => void;
	/** Where worlds and stores lie while they are needed. Default: the system's folder for temporary files. */
	readonly folder?: string;
	/** Deaths that one process dies. Default: 16. */
	readonly deathsPerProcess?: number;
}

/** Counts are of crash points where nothing else is said. */
export interface CrashReport {
	/** Tasks times wirings. */
	readonly replays: number;
	readonly points: number;
	/** Processes that were killed. */
	readonly kills: number;
	readonly wrongHashes: number;
	/** Writes that were made twice, or not at all. */
	readonly doubleWrites: number;
	readonly unfinished: number;
	readonly wrongResults: number;
	/** A call was asked about twice, or not at all. */
	readonly wrongApprovals: number;
	/** The process ended otherwise than by its own SIGKILL. */
	readonly notKilled: number;
	/** Calls that ended as `unknown` and were settled. */
	readonly settled: number;
	/** The first ones, in words. */
	readonly problems: readonly string[];
}

type Counts = { -readonly [Key in keyof CrashReport]: Key extends "problems" ? string[] : number };

const problemsMax = 20;

/** Kills a process at every journal append of every task given, and goes on from there. */
export async function crashMatrix(options: CrashMatrixOptions = {}): Promise<CrashReport> {
	const bench = await openBench(options);
	const counts: Counts = {
		replays: 0,
		points: 0,
		kills: 0,
		wrongHashes: 0,
		doubleWrites: 0,
		unfinished: 0,
		wrongResults: 0,
		wrongApprovals: 0,
		notKilled: 0,
		settled: 0,
		problems: [],
	};
	const batches = batchesOf(bench, options, counts);
	const lane = async (): Promise<void> => {
		for (let next = await batches.next(); !next.done; next = await batches.next()) {
			await crashAll(bench, next.value, counts);
			options.onProgress?.(counts);
		}
	};
	try {
		await Promise.all(Array.from({ length: availableParallelism() + 1 }, lane));
	} finally {
		await bench.sandbox.close();
		rmSync(bench.folder, { recursive: true, force: true });
	}
	return counts;
}

interface Bench {
	readonly workload: RetailWorkload;
	readonly folder: string;
	readonly sandbox: SandboxProvider;
	readonly repeat: WriteRepeat;
	/** A fresh folder with a world in it. */
	newPlace(): string;
}

async function openBench(options: CrashMatrixOptions): Promise<Bench> {
	const { workload = loadShared(), repeat = "keyed", sandbox: named = "wasm" } = options;
	const folder = mkdtempSync(join(options.folder ?? tmpdir(), "retail-crash-"));
	const seeded = join(folder, "seeded.db");
	openRetailWorld(seeded, { seed: workload.db }).close();
	let places = 0;
	const newPlace = (): string => {
		const place = join(folder, String(++places));
		mkdirSync(place);
		copyFileSync(seeded, worldFile(place));
		return place;
	};
	const sandbox = await bestSandbox({ isolation: "any", named });
	return { workload, folder, repeat, sandbox, newPlace };
}

function loadShared(): RetailWorkload {
	const dir = retailDataDir();
	if (!dir) throw new Error("The retail data set is not on this machine");
	return loadRetail(dir);
}

const worldFile = (place: string): string => join(place, "world.db");
const storeFile = (place: string): string => join(place, "store.db");

/** One task in one wiring. */
interface Cell {
	readonly task: RetailTask;
	readonly wiring: Wiring;
	readonly jobFile: string;
}

interface Death {
	readonly when: "before" | "after" | "never";
	/** 1, 2, … */
	readonly append: number;
	readonly place: string;
}

interface Batch {
	readonly cell: Cell;
	readonly deaths: readonly Death[];
}

async function* batchesOf(bench: Bench, options: CrashMatrixOptions, counts: Counts): AsyncGenerator<Batch, void> {
	const { tasks = bench.workload.tasks, wirings: chosen = wirings, deathsPerProcess = 16 } = options;
	const warm = new Set<Wiring>();
	for (const task of tasks) {
		for (const wiring of chosen) {
			const cell = { task, wiring, jobFile: writeJob(bench, task, wiring) };
			const appends = await countAppends(bench, cell, counts);
			counts.replays++;
			// One process of each wiring lives to its end: compiled modules are kept only then.
			if (!warm.has(wiring)) await runChild(bench, cell, [{ when: "never", append: 0, place: bench.newPlace() }]);
			warm.add(wiring);
			const ordinals = Array.from({ length: appends }, (_, i) => i + 1);
			const points = ordinals.flatMap((append) => [
				{ when: "before" as const, append },
				{ when: "after" as const, append },
			]);
			for (let from = 0; from < points.length; from += deathsPerProcess) {
				const deaths = points
					.slice(from, from + deathsPerProcess)
					.map((point) => ({ ...point, place: bench.newPlace() }));
				yield { cell, deaths };
			}
		}
	}
}

function writeJob({ workload, folder, repeat, sandbox }: Bench, task: RetailTask, wiring: Wiring): string {
	const { policy, tools } = workload;
	const jobFile = join(folder, `${task.id}-${wiring}.json`);
	const actions = task.actions.map(({ name, arguments: args }) => ({ name, arguments: args }));
	const { id, request } = task;
	const desk = {
		policy,
		tools: tools.map(({ name, type, description, parameters }) => ({ name, type, description, parameters })),
	};
	const job: ChildJob = { task: { id, request, actions }, wiring, desk, repeat, sandbox: sandbox.name };
	writeFileSync(jobFile, JSON.stringify(job));
	return jobFile;
}

/** By an uninterrupted replay, which is judged like any other. */
async function countAppends(bench: Bench, cell: Cell, counts: Counts): Promise<number> {
	const place = bench.newPlace();
	const store = crashingStore(sqliteStore(storeFile(place)));
	const replay = await replayHere(bench, cell, { place, store });
	addProblems(counts, replay.problems, "uninterrupted");
	rmSync(place, { recursive: true });
	return store.commits;
}

interface Here {
	readonly place: string;
	readonly store: Store;
}

/** Plays the cell to its end in this process, with everything opened anew but the sandbox's threads. */
async function replayHere(bench: Bench, { task, wiring }: Cell, { place, store }: Here): Promise<Replay> {
	const { workload, repeat } = bench;
	const sandbox = { ...bench.sandbox, close: async () => {} };
	const harness = createHarness({ store, sandbox });
	const world = openRetailWorld(worldFile(place));
	try {
		return await replayTask({ task, wiring, desk: workload, harness, world, repeat });
	} finally {
		await harness.close();
		world.close();
	}
}

async function crashAll(bench: Bench, { cell, deaths }: Batch, counts: Counts): Promise<void> {
	const { signal, said } = await runChild(bench, cell, deaths);
	counts.kills++;
	for (const { place, when, append } of deaths) {
		note(counts, await goOn(bench, cell, place), `killed ${when} append ${append}`);
		rmSync(place, { recursive: true });
	}
	if (signal === "SIGKILL") return;
	counts.notKilled += deaths.length;
	const text = `task ${cell.task.id} as ${cell.wiring}: the process ended with ${signal}: ${said.slice(0, 500)}`;
	addProblems(counts, [{ text }], "not killed");
}

/** What throws has not come to its end either. */
async function goOn(bench: Bench, cell: Cell, place: string): Promise<Pick<Replay, "problems" | "settled">> {
	try {
		return await replayHere(bench, cell, { place, store: sqliteStore(storeFile(place)) });
	} catch (error) {
		const text = `task ${cell.task.id} as ${cell.wiring}: ${error instanceof Error ? error.stack : String(error)}`;
		return { settled: 0, problems: [{ what: "status", text }] };
	}
}

interface ChildEnd {
	readonly signal: NodeJS.Signals | null;
	readonly said: string;
}

const script = join(import.meta.dirname, "replay-child.ts");
/** A process that takes longer hangs; it is ended by another signal than its own. */
const childTimeoutMs = 120_000;

async function runChild({ folder }: Bench, { jobFile }: Cell, deaths: readonly Death[]): Promise<ChildEnd> {
	const positions = deaths.flatMap(({ when, append, place }) => [when, String(append), place]);
	const child = spawn(process.execPath, [script, jobFile, ...positions], {
		stdio: ["ignore", "ignore", "pipe"],
		env: { ...process.env, NODE_COMPILE_CACHE: join(folder, "compiled"), NODE_NO_WARNINGS: "1" },
		timeout: childTimeoutMs,
		killSignal: "SIGTERM",
	});
	const [said, [, signal]] = await Promise.all([text(child.stderr), once(child, "close")]);
	return { signal: signal as NodeJS.Signals | null, said };
}

function note(counts: Counts, { problems, settled }: Pick<Replay, "problems" | "settled">, where: string): void {
	const has = (kind: Problem["what"]) => Number(problems.some(({ what }) => what === kind));
	counts.points++;
	counts.settled += settled;
	counts.unfinished += has("status");
	counts.wrongResults += has("results");
	counts.wrongApprovals += has("approvals");
	counts.doubleWrites += has("writes");
	counts.wrongHashes += has("hash");
	addProblems(counts, problems, where);
}

function addProblems(counts: Counts, problems: readonly Pick<Problem, "text">[], where: string): void {
	for (const { text } of problems) {
		if (counts.problems.length < problemsMax) counts.problems.push(`${text} (${where})`);
	}
}
