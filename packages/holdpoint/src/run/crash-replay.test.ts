import { describe, expect, test } from "vitest";
import { z } from "zod";
import { memoryStore } from "../adapters/stores/memory.ts";
import type { HarnessOptions } from "../holdpoint.ts";
import { isHoldpointError } from "../spec/errors.ts";
import type { Json } from "../spec/json.ts";
import type { ModelPrompt } from "../spec/model.ts";
import type { RunResult } from "../spec/result.ts";
import type { Store } from "../spec/store.ts";
import type { Repeatability } from "../spec/tool.ts";
import { type CrashPlan, crashingStore } from "../testing/crashing-store.ts";
import { promptProblems } from "../testing/prompt-order.ts";
import { type Stage, stage } from "../testing/stage.ts";
import { call, calls, json, type Story } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";

/**
 * One story with a read, a keyed write, a write that needs an approval and a write that may happen once. Its process
 * dies before and after every commit in turn; others go on until it is finished. Each time the world must end up the
 * same, and nothing may have happened twice.
 */

/** What is outside: it honours idempotency keys, and counts what really happened. */
class World {
	readonly keys = new Set<string>();
	readonly happened: string[] = [];

	keyed(what: string, key: string): string {
		if (!this.keys.has(key)) this.happened.push(what);
		this.keys.add(key);
		return what;
	}

	once(what: string): string {
		this.happened.push(what);
		return what;
	}
}

function worldTools(world: World) {
	const input = z.object({ what: z.string() });
	const tool = (name: string, repeat: Repeatability | undefined, execute: (what: string, key: string) => Json) =>
		defineTool({
			name,
			description: name,
			input,
			effect: repeat ? "write" : "read",
			...(repeat ? { repeat } : {}),
			execute: ({ what }, { idempotencyKey }) => execute(what, idempotencyKey),
		});
	return [
		tool("look", undefined, (what) => `seen ${what}`),
		tool("book", "keyed", (what, key) => world.keyed(`booked ${what}`, key)),
		tool("refund", "keyed", (what, key) => world.keyed(`refunded ${what}`, key)),
		tool("mail", "once", (what) => world.once(`mailed ${what}`)),
	];
}

const policy: NonNullable<HarnessOptions["policy"]> = ({ tool }) =>
	tool.name === "refund" ? { verdict: "ask", reason: "money" } : { verdict: "allow" };

/** Told that the mail was not sent after all, the model sends it again. */
const story: Story = (ask, n) => {
	const [last] = ask.results;
	const sent = n >= 3 && !last?.failed;
	const steps = [
		calls([
			{ tool: "look", args: { what: "a" } },
			{ tool: "book", args: { what: "b" } },
		]),
		calls([
			{ tool: "refund", args: { what: "c" } },
			{ tool: "look", args: { what: "d" } },
		]),
		call("mail", { what: "e" }),
	];
	return sent ? json({ last: last?.value }) : steps[Math.min(n, 2)];
};

const everything = ["booked b", "refunded c", "mailed e"];
const options = { runId: "r", principal: "ann" };
const by = { id: "ann", via: "test" };

interface Played {
	readonly world: World;
	readonly result: RunResult;
	/** Whether the mail had really been sent, each time that a person had to find that out. */
	readonly settled: readonly boolean[];
	readonly crashes: number;
	/** Of the first process. */
	readonly commits: number;
	readonly store: Store;
	readonly prompts: readonly ModelPrompt[];
}

/** Processes one after the other, each with its plan of a crash and the last one without, until the run is finished. */
async function play(plans: readonly CrashPlan[]): Promise<Played> {
	const world = new World();
	const store = memoryStore();
	const processes = [...plans, {}].map((plan) => crashingStore(store, plan));
	const base = stage({ story, tools: worldTools(world), store, harness: { policy } });
	const scenes: Stage[] = [];
	const settled: boolean[] = [];
	let result: RunResult | undefined;
	for (const process of processes) {
		if (result && result.status !== "waiting") break;
		const scene = base.again({ store: process });
		scenes.push(scene);
		try {
			result = await work(scene, world, settled);
		} catch (error) {
			if (!process.crashed) throw error;
			// The lease of a dead process runs out.
			base.clock.advance(60_000);
		}
	}
	if (!result) throw new Error("It does not come to an end");
	const crashes = processes.filter(({ crashed }) => crashed).length;
	const prompts = scenes.flatMap((scene) => scene.prompts);
	return { world, result, settled, crashes, commits: processes[0]?.commits ?? 0, store, prompts };
}

/** What a worker and a person do: go on, approve what is asked, find out what is unknown. */
async function work(scene: Stage, world: World, settled: boolean[]): Promise<RunResult> {
	for (let round = 0; round < 10; round++) {
		const result = await scene.harness.run(scene.agent, "go", options);
		if (result.status !== "waiting") return result;
		for (const wait of result.waits) {
			if (wait.kind === "approval") await scene.harness.approve(wait.approval, { by }).catch(onlyIfAnswered);
			if (wait.kind !== "unknown") continue;
			const happened = world.happened.includes("mailed e");
			settled.push(happened);
			await scene.harness.settle("r", wait.call, { happened, result: "mailed e" });
		}
	}
	throw new Error("It does not come to an end");
}

/** The process died after the answer was left: it is there already. */
function onlyIfAnswered(error: unknown): void {
	if (!isHoldpointError(error) || error.code !== "approval.forbidden") throw error;
}

const uninterrupted = await play([]);

function expectSameEnd(played: Played): void {
	expect(played.result).toEqual({ ...uninterrupted.result, usage: expect.anything() });
	expect(played.world.happened).toEqual(everything);
	expect(played.prompts.flatMap(promptProblems)).toEqual([]);
}

describe("I1 I7: a run whose process dies", () => {
	test("uninterrupted it ends like this", () => {
		expect(uninterrupted.result).toMatchObject({ status: "completed", output: '{"last":"mailed e"}' });
		expect(uninterrupted.world.happened).toEqual(everything);
		expect(uninterrupted.commits).toBeGreaterThanOrEqual(6);
		expect(uninterrupted.settled).toEqual([]);
	});

	const places = Array.from({ length: uninterrupted.commits }, (_, i) => i + 1).flatMap((at) =>
		(["before", "after"] as const).map((when) => ({ at, when })),
	);
	test.each(places)("$when commit $at: it ends the same, and no effect happened twice", async (place) => {
		const played = await play([place]);
		expect(played.crashes).toBe(1);
		expectSameEnd(played);
		const stored = await played.store.load("r");
		expect(stored).toMatchObject({ signals: [], lease: undefined, head: { status: "completed" } });
		expect(await played.store.approvals({})).toEqual([]);
	});

	test("a `once` effect whose outcome was not written is the one thing that a person must find out", async () => {
		const settled: string[] = [];
		for (const place of places) {
			for (const happened of (await play([place])).settled) settled.push(`${place.when} ${place.at}: ${happened}`);
		}
		// The intent is written and it did not happen yet; it has happened and that is not written.
		expect(settled.map((line) => line.split(": ")[1])).toEqual(["false", "true"]);
	});

	test("at any place, and once more soon after", async () => {
		const soon = places.filter(({ at }) => at <= 3);
		for (const first of places) for (const second of soon) expectSameEnd(await play([first, second]));
	});
});
