/** Runs that wait in SQLite: what they hold in memory, what they take on disk, what it costs to go on with them. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
	createHarness,
	defineAgent,
	defineTool,
	type Harness,
	type RunEvent,
	type Store,
	sqliteStore,
} from "holdpoint";
import { z } from "zod";
import { mainThread } from "../../packages/holdpoint/src/run/run-state.ts";
import { scriptModel } from "../script-model.ts";
import { median, type Numbers } from "../statistics.ts";
import { serveRows, settledBytes } from "../subject.ts";
import { check, instructions, lookup, prompt, toolDescription } from "../work.ts";

const folder = process.argv[2] ?? ".";
const input = z.object({ id: z.number() });
const find = defineTool({ name: "lookup", description: toolDescription, input, effect: "read", execute: lookup });
const pay = defineTool({ name: "pay", description: "pay an item", input, effect: "write", execute: lookup });
const limits = { turnsMax: 10_000, callsMax: 10_000 };
let files = 0;

interface Scene {
	readonly harness: Harness;
	readonly path: string;
	/** Milliseconds that the store took for what was asked of it so far. */
	readonly storeMs: () => number;
	readonly snapshotBytes: () => number;
	/** Starts a run and leaves it waiting after this many calls. */
	suspend(calls: number): Promise<Waiting>;
	/** The same, inside a program. */
	suspendProgram(): Promise<Waiting>;
}

interface Waiting {
	readonly run: string;
	readonly approval: string;
}

/** Calls of `pay` are held. */
function openScene(): Scene {
	const path = join(folder, `runs-${files++}.db`);
	const { store, storeMs } = watched(sqliteStore(path));
	let snapshotBytes = 0;
	const onEvent = (event: RunEvent): void => {
		if (event.type === "program.suspended") snapshotBytes += event.snapshot?.bytes ?? 0;
	};
	const agents = new Map<number, ReturnType<typeof callingAgent>>();
	const writing = programAgent();
	const harness = createHarness({ store, agents: [writing], policy });
	const waitOf = async (running: ReturnType<Harness["run"]>): Promise<Waiting> => {
		const result = await running;
		const wait = result.status === "waiting" ? result.waits[0] : undefined;
		check(wait?.kind === "approval", result.status);
		return { run: result.run, approval: wait.approval };
	};
	return {
		harness,
		path,
		storeMs,
		snapshotBytes: () => snapshotBytes,
		suspend(calls) {
			const agent = agents.get(calls) ?? callingAgent(calls);
			agents.set(calls, agent);
			return waitOf(harness.run(agent, prompt));
		},
		suspendProgram: () => waitOf(harness.run(writing, prompt, { onEvent })),
	};
}

function policy({ tool }: { readonly tool: { readonly name: string } }) {
	return tool.name === "pay" ? ({ verdict: "ask", reason: "it costs" } as const) : ({ verdict: "allow" } as const);
}

/** Looks up so many items, then pays. */
function callingAgent(calls: number) {
	const model = scriptModel(({ prompt: messages }) => {
		const turn = (messages.length - 2) / 2;
		return turn <= calls ? { tool: turn < calls ? "lookup" : "pay", args: { id: turn } } : "done";
	});
	return defineAgent({ name: `after-${calls}`, instructions, model, tools: [find, pay], limits });
}

function programAgent() {
	const code = "const r = await tools.pay({ id: 7 }); return r.price";
	const model = scriptModel(({ prompt: messages }) =>
		messages.length === 2 ? { tool: "execute_code", args: { code } } : "done",
	);
	return defineAgent({ name: "writes-programs", instructions, model, tools: [find, pay], programs: true });
}

/** Adds up the time that commits and leases take, so that it can be told apart from our own. */
function watched(store: Store) {
	let ms = 0;
	async function clocked<T>(work: Promise<T>): Promise<T> {
		const began = performance.now();
		try {
			return await work;
		} finally {
			ms += performance.now() - began;
		}
	}
	const watching: Store = {
		...store,
		commit: (run, epoch, writes) => clocked(store.commit(run, epoch, writes)),
		acquire: (run, request) => clocked(store.acquire(run, request)),
	};
	return { store: watching, storeMs: () => ms };
}

/** So many at a time: they share their commits. */
async function inParallel<T>(count: number, work: (index: number) => Promise<T>, width = 64): Promise<T[]> {
	const results: T[] = [];
	let next = 0;
	const lane = async (): Promise<void> => {
		for (let index = next++; index < count; index = next++) results[index] = await work(index);
	};
	await Promise.all(Array.from({ length: Math.min(width, count) }, lane));
	return results;
}

/** Bytes of every row of the database, those of indexes included; pages are not counted where they are empty. */
function rowBytes(path: string): number {
	const database = new DatabaseSync(path, { readOnly: true });
	try {
		return Number(database.prepare("SELECT sum(payload) AS bytes FROM dbstat").get()?.["bytes"]);
	} finally {
		database.close();
	}
}

/** Of the file, once the write-ahead log was brought into it. */
function diskBytes(path: string): number {
	const database = new DatabaseSync(path);
	try {
		database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
		return statSync(path).size;
	} finally {
		database.close();
	}
}

async function suspended({ calls = 0, runs = 1_000 }: Numbers): Promise<Numbers> {
	const scene = openScene();
	for (let i = 0; i < 20; i++) await scene.suspend(calls);
	const before = { heap: await settledBytes(), rows: rowBytes(scene.path) };
	const [sample] = await inParallel(runs, () => scene.suspend(calls));
	const heap = (await settledBytes()) - before.heap;
	const stored = (rowBytes(scene.path) - before.rows) / runs;
	check(sample !== undefined, "a run waits");
	const { state } = await scene.harness.show(sample.run);
	const messages = Buffer.byteLength(JSON.stringify(mainThread(state).messages));
	await scene.harness.close();
	return { heap, stored, messages, beyond: stored - messages };
}

/** A tenth of them waits inside a program. */
async function waiting({ runs = 10_000, resumed = 300 }: Numbers): Promise<Numbers> {
	const scene = openScene();
	const suspend = (index: number) => (index % 10 === 9 ? scene.suspendProgram() : scene.suspend(0));
	for (let i = 0; i < 20; i++) await suspend(i);
	const before = { heap: await settledBytes(), disk: diskBytes(scene.path), snapshots: scene.snapshotBytes() };
	const began = performance.now();
	const all = await inParallel(runs, suspend);
	const suspendMs = performance.now() - began;
	const heap = (await settledBytes()) - before.heap;
	const snapshots = scene.snapshotBytes() - before.snapshots;
	const disk = diskBytes(scene.path) - before.disk - snapshots;
	const plain = all.filter((_, index) => index % 10 !== 9);
	const inProgram = all.filter((_, index) => index % 10 === 9);
	const sampleOf = (list: Waiting[]) => list.filter((_, at) => at % Math.ceil(list.length / resumed) === 0);
	const times = [];
	for (const each of sampleOf(plain)) times.push(await goOn(scene, each));
	const programs = [];
	for (const each of sampleOf(inProgram)) programs.push((await goOn(scene, each)).own);
	await scene.harness.close();
	return {
		heap,
		disk: disk / runs,
		snapshot: snapshots / inProgram.length,
		perSecond: runs / (suspendMs / 1_000),
		answer: median(times.map(({ answer }) => answer)),
		resume: median(times.map(({ own }) => own)),
		resumeWhole: median(times.map(({ whole }) => whole)),
		resumeProgram: median(programs),
	};
}

/** Goes on to the end with one that was answered. Gives the time of it, and of it without that of the store's commits. */
async function goOn({ harness, storeMs }: Scene, { run, approval }: Waiting) {
	const asked = performance.now();
	await harness.approve(approval);
	const [began, before] = [performance.now(), storeMs()];
	const result = await harness.resume(run);
	const whole = performance.now() - began;
	check(result.status === "completed", result.status);
	return { answer: began - asked, whole, own: whole - (storeMs() - before) };
}

await serveRows({
	suspended: ({ args }) => suspended(args),
	waiting: ({ args }) => waiting(args),
});
