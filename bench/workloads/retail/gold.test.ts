import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { Json } from "../../../packages/holdpoint/src/spec/json.ts";
import { parameterSchema } from "../arguments.ts";
import type { ToolOutcome } from "../outcome.ts";
import { missingDataReason } from "../shared-data.ts";
import { crashWrites } from "./crash-writes.ts";
import { loadRetail, type RetailTask, type RetailWorkload, retailDataDir, retailDataName } from "./tasks.ts";
import { retailEffects, retailTools } from "./tools.ts";
import { memoryRetailWorld, openRetailWorld, type RetailWorld } from "./world.ts";

const dataDir = retailDataDir();

describe("the retail workload", { timeout: 60_000 }, () => {
	let workload: RetailWorkload;
	let folder: string;
	let seeded: string;
	let copies = 0;

	beforeEach(({ skip }) => skip(!dataDir, missingDataReason(retailDataName)));
	beforeAll(() => {
		folder = mkdtempSync(join(tmpdir(), "retail-world-"));
		if (!dataDir) return;
		workload = loadRetail(dataDir);
		seeded = join(folder, "seeded.db");
		openRetailWorld(seeded, { seed: workload.db }).close();
	});
	afterAll(() => rmSync(folder, { recursive: true, force: true }));

	const newPath = () => join(folder, `world-${copies++}.db`);
	const worlds: Record<string, () => RetailWorld> = {
		memory: () => memoryRetailWorld(workload.db),
		sqlite() {
			const path = newPath();
			cpSync(seeded, path);
			return openRetailWorld(path);
		},
	};

	test.each(Object.keys(worlds))("the %s world replays all 114 tasks with every recorded result and hash", (name) => {
		let actions = 0;
		for (const task of workload.tasks) actions += replay(worlds[name]?.() as RetailWorld, task);
		expect(workload.tasks.length).toBe(114);
		expect(actions).toBe(550);
	});

	test("both worlds start from the recorded database", () => {
		for (const open of Object.values(worlds)) expect(open().hash()).toBe(workload.initialHash);
	});

	test("the tools are those of tools.json, with the same parameters and kinds", () => {
		expect([...retailTools.keys()]).toEqual(workload.tools.map((tool) => tool.name));
		for (const spec of workload.tools) {
			const tool = retailTools.get(spec.name);
			expect(tool && parameterSchema(tool.params)).toEqual(withoutDescriptions(spec.parameters));
		}
		const kinds = workload.tools.filter(({ type }) => type !== "generic").map(({ name, type }) => [name, type]);
		const generic = [
			["calculate", "internal"],
			["transfer_to_human_agents", "write"],
		];
		const effects = Object.entries(retailEffects).map(([name, { effect }]) => [name, effect]);
		expect(effects.toSorted()).toEqual([...kinds, ...generic].toSorted());
	});

	test("after a mix of all tasks, both worlds have given the same answers and hold the same", () => {
		const calls = workload.tasks.flatMap((task) => task.actions);
		const answers = Object.values(worlds).map((open) => {
			const world = open();
			const outcomes = calls.map((call) => world.call(call.name, call.arguments));
			const answer = { outcomes, hash: world.hash(), effectCount: world.effectCount() };
			world.close();
			return answer;
		});
		expect(answers[1]).toStrictEqual(answers[0]);
	});

	describe("killed in the middle of writes", () => {
		const positions = ["before", "after"].flatMap((side) => [0, 1, 2, 5, 9].map((commit) => ({ side, commit })));

		test.each(positions)("$side commit $commit, it is as if exactly the committed writes had been made", async (at) => {
			const path = newPath();
			const { signal } = await runChild([path, at.side, String(at.commit)]);
			expect(signal).toBe("SIGKILL");
			// Commit 0 loads the database, so commit n is the n-th write.
			const committed = at.side === "after" ? at.commit : Math.max(0, at.commit - 1);
			expectPrefix(path, committed);
		});

		test("from outside, at no chosen moment, no answered write is lost", async () => {
			const path = newPath();
			const { signal, answered } = await runChild([path], 25);
			expect(signal).toBe("SIGKILL");
			const world = openRetailWorld(path);
			const done = world.effects().length;
			world.close();
			// At most the write in hand had been committed without an answer having been seen.
			expect([answered, answered + 1]).toContain(done);
			expectPrefix(path, done);
		});
	});

	/** The world at `path` holds the first `count` writes, and goes on to the same end as an uninterrupted one. */
	function expectPrefix(path: string, count: number): void {
		const world = openRetailWorld(path, { seed: workload.db });
		const reference = memoryRetailWorld(workload.db);
		const writes = crashWrites(workload);
		for (let i = 0; i < count; i++) applyNext(reference, writes);
		expect(world.effects().map((effect) => effect.key)).toEqual(reference.effects().map((effect) => effect.key));
		expect(world.hash()).toBe(reference.hash());

		for (let i = 0; i < 10; i++) applyNext(reference, writes);
		const again = crashWrites(workload);
		for (let i = 0; i < count + 10; i++) applyNext(world, again);
		expect(world.effects()).toEqual(JSON.parse(JSON.stringify(reference.effects())));
		expect(world.hash()).toBe(reference.hash());
		world.close();
	}

	/** Runs the child until it dies; with `killAfter` it is killed from here once it has answered that many writes. */
	async function runChild(args: readonly string[], killAfter = Number.POSITIVE_INFINITY) {
		const script = join(import.meta.dirname, "crash-child.ts");
		const child = spawn(process.execPath, [script, dataDir ?? "", ...args], { stdio: ["ignore", "pipe", "inherit"] });
		onTestFinished(() => void child.kill("SIGKILL"));
		// `close` comes after `exit` and after the last line.
		const closed = once(child, "close");
		let answered = 0;
		createInterface({ input: child.stdout }).on("line", () => {
			if (++answered === killAfter) child.kill("SIGKILL");
		});
		const [, signal] = await closed;
		return { signal: signal as NodeJS.Signals | null, answered };
	}
});

/** Replays one task, checking each result and hash; returns the number of actions. */
function replay(world: RetailWorld, task: RetailTask): number {
	const answers = task.actions.map((action, i) => ({
		recorded: recordedForm(world.call(action.name, action.arguments, `${task.id}/${i}`)),
		hashAfter: action.hashAfter && world.hash(),
	}));
	const gold = task.actions.map(({ recorded, hashAfter }) => ({ recorded, hashAfter }));
	expect({ id: task.id, answers }).toStrictEqual({ id: task.id, answers: gold });
	expect(world.hash()).toBe(task.finalHash);
	const written = task.actions.filter((action) => retailTools.get(action.name)?.effect === "write");
	expect(world.effects().length).toBe(written.length);
	expect(world.effectCount()).toBe(written.filter((action) => "result" in action.recorded).length);
	world.close();
	return task.actions.length;
}

function recordedForm(outcome: ToolOutcome): { result: Json } | { error: string } {
	return "error" in outcome ? { error: outcome.error } : outcome;
}

function applyNext(world: RetailWorld, writes: ReturnType<typeof crashWrites>): void {
	const { name, arguments: args, key } = writes.next().value;
	world.call(name, args, key);
}

function withoutDescriptions(schema: Json): Json {
	return JSON.parse(JSON.stringify(schema, (key, value) => (key === "description" ? undefined : value)));
}
