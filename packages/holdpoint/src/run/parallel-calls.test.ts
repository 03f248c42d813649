import { describe, expect, test } from "vitest";
import { z } from "zod";
import { memoryStore } from "../adapters/stores/memory.ts";
import type { Store } from "../spec/store.ts";
import { promptProblems } from "../testing/prompt-order.ts";
import { gate, ofType, onlyWait, stage } from "../testing/stage.ts";
import { calls, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";

const input = z.object({ n: z.int() });
const numbers = (...list: number[]) => list.map((n) => ({ tool: "look", args: { n } }));

/** A tool whose calls end when the test says so. */
function gatedTool(effect: "read" | "write" = "read") {
	const gates = new Map<number, ReturnType<typeof gate>>();
	const started: number[] = [];
	let running = 0;
	let runningMax = 0;
	let moved = gate<void>();
	const open = (n: number) => {
		const found = gates.get(n) ?? gate();
		gates.set(n, found);
		return found;
	};
	const tool = defineTool({
		name: "look",
		description: "Looks.",
		input,
		effect,
		async execute({ n }) {
			started.push(n);
			runningMax = Math.max(runningMax, ++running);
			moved.resolve();
			moved = gate();
			await open(n).promise;
			running--;
			return `seen ${n}`;
		},
	});
	return {
		tool,
		started,
		release: (n: number) => open(n).resolve(undefined),
		get runningMax() {
			return runningMax;
		},
		/** Resolves when that many have started. */
		async untilStarted(count: number): Promise<void> {
			while (started.length < count) await moved.promise;
		},
	};
}

describe("parallel calls", () => {
	test("run at the same time, and their results are in the order of the calls, not of their ends", async () => {
		const gated = gatedTool();
		const scene = stage({ story: [calls(numbers(1, 2, 3)), say("done")], tools: [gated.tool] });
		const running = scene.harness.run(scene.agent, "go");
		await gated.untilStarted(3);
		for (const n of [3, 1, 2]) gated.release(n);
		const result = await running;
		expect(result.status).toBe("completed");
		const last = scene.prompts[1]?.at(-1);
		const values = last?.role === "tool" ? last.content.map((part) => part.type === "tool-result" && part.output) : [];
		expect(values).toEqual([1, 2, 3].map((n) => ({ type: "text", value: `seen ${n}` })));
		const finished = ofType(await scene.events(result.run), "call.finished").map((event) => event.call);
		expect(finished).toEqual(["c3", "c1", "c2"]);
	});

	test("I8: no more run at the same time than concurrencyMax", async () => {
		const gated = gatedTool();
		const scene = stage({
			story: [calls(numbers(1, 2, 3, 4, 5)), say("done")],
			tools: [gated.tool],
			limits: { concurrencyMax: 2 },
		});
		const running = scene.harness.run(scene.agent, "go");
		await gated.untilStarted(2);
		gated.release(2);
		await gated.untilStarted(3);
		for (const n of [1, 3, 4, 5]) gated.release(n);
		await running;
		expect(gated.started).toEqual([1, 2, 3, 4, 5]);
		expect(gated.runningMax).toBe(2);
	});

	test("a held call does not hold back its siblings; the run returns when nothing else can move", async () => {
		const paid: number[] = [];
		const pay = defineTool({ name: "pay", description: "Pays.", input, execute: ({ n }) => paid.push(n) });
		const gated = gatedTool();
		const story = [calls([{ tool: "pay", args: { n: 9 } }, ...numbers(1, 2)]), say("done")];
		const scene = stage({ story, tools: [pay, gated.tool] });
		const running = scene.harness.run(scene.agent, "go");
		await gated.untilStarted(2);
		gated.release(1);
		gated.release(2);
		const wait = onlyWait(await running, "approval");
		expect(wait).toMatchObject({ call: "c1", tool: "pay", args: { n: 9 } });
		expect(paid).toEqual([]);
		expect(scene.prompts).toHaveLength(1);
		const [open] = await scene.harness.approvals();
		await scene.harness.approve(wait.approval);
		const result = await scene.harness.resume(open?.run ?? "");
		expect(result).toMatchObject({ status: "completed", text: "done" });
		expect(paid).toEqual([9]);
		expect(gated.started).toEqual([1, 2]);
		expect(scene.prompts.flatMap(promptProblems)).toEqual([]);
	});

	test("a held call is in the inbox while its siblings still run", async () => {
		const pay = defineTool({ name: "pay", description: "Pays.", input, execute: () => "paid" });
		const gated = gatedTool();
		const scene = stage({
			story: [calls([{ tool: "pay", args: { n: 9 } }, ...numbers(1)]), say("done")],
			tools: [pay, gated.tool],
		});
		const running = scene.harness.run(scene.agent, "go");
		await gated.untilStarted(1);
		const [open] = await scene.harness.approvals();
		await scene.harness.approve(open?.approval ?? "");
		gated.release(1);
		expect(await running).toMatchObject({ status: "completed" });
		expect(scene.prompts).toHaveLength(2);
	});

	test("a sibling that fails or is denied leaves the others alone", async () => {
		const tools = [
			defineTool({ name: "look", description: "Looks.", input, effect: "read", execute: ({ n }) => `seen ${n}` }),
			defineTool({
				name: "fail",
				description: "Fails.",
				input,
				effect: "read",
				execute: () => Promise.reject(new Error("broken")),
			}),
			defineTool({ name: "never", description: "Is denied.", input, effect: "read", execute: () => "ran" }),
		];
		const list = ["look", "fail", "never", "look"].map((tool, n) => ({ tool, args: { n } }));
		const policy = {
			version: "p",
			decide: ({ tool }: { tool: { name: string } }) =>
				tool.name === "never" ? ({ verdict: "deny", reason: "never" } as const) : ({ verdict: "allow" } as const),
		};
		const scene = stage({ story: [calls(list), say("done")], tools, harness: { policy } });
		const { run } = await scene.harness.run(scene.agent, "go");
		const outcomes = Object.fromEntries(
			ofType(await scene.events(run), "call.finished").map(({ call, outcome }) => [call, outcome]),
		);
		expect(outcomes).toEqual({
			c1: { ok: "seen 0" },
			c2: { failed: "broken", code: "tool.threw" },
			c3: { denied: "never", by: "policy" },
			c4: { ok: "seen 3" },
		});
	});

	test("I8: of the calls of one answer those within callsMax run, and the rest read why not", async () => {
		const look = defineTool({ name: "look", description: "Looks.", input, effect: "read", execute: ({ n }) => n });
		const story = [calls(numbers(1, 2)), calls(numbers(3, 4, 5)), say("done")];
		const scene = stage({ story, tools: [look], limits: { callsMax: 3 } });
		const { run } = await scene.harness.run(scene.agent, "go");
		const outcomes = ofType(await scene.events(run), "call.finished").map(({ outcome }) =>
			"ok" in outcome ? outcome.ok : "failed" in outcome && outcome.code,
		);
		expect(outcomes.filter((one) => typeof one === "number")).toEqual([1, 2, 3]);
		expect(outcomes.filter((one) => one === "limit.calls")).toHaveLength(2);
	});

	test("I8: a call that was held within callsMax runs when it is approved, however many were made since", async () => {
		const paid: number[] = [];
		const pay = defineTool({ name: "pay", description: "Pays.", input, execute: ({ n }) => paid.push(n) });
		const look = defineTool({ name: "look", description: "Looks.", input, effect: "read", execute: ({ n }) => n });
		const story = [calls([{ tool: "pay", args: { n: 1 } }]), calls(numbers(1, 2)), say("talked"), say("done")];
		const scene = stage({ story, tools: [pay, look], limits: { callsMax: 2 } });
		const first = await scene.harness.run(scene.agent, "go");
		await scene.harness.tell(first.run, "meanwhile");
		const wait = onlyWait(await scene.harness.resume(first.run), "approval");
		await scene.harness.approve(wait.approval);
		expect(await scene.harness.resume(first.run)).toMatchObject({ status: "completed" });
		expect(paid).toEqual([1]);
	});

	test("the model sees no result of a write before it is durable, whoever else is done by then", async () => {
		const inner = memoryStore();
		const written = gate<void>();
		const isWriting = gate<void>();
		const slow: Store = {
			...inner,
			async commit(run, epoch, writes) {
				// The outcome of the second call, which its sibling's outcome has nothing to do with.
				const isSecond = writes.some((one) => one.kind === "entry" && one.body.includes('"call":"c2","outcome"'));
				if (isSecond) {
					isWriting.resolve();
					await written.promise;
				}
				return inner.commit(run, epoch, writes);
			},
		};
		const { tool, release, untilStarted } = gatedTool("write");
		const scene = stage({
			story: [calls(numbers(1, 2)), say("done"), say("really done")],
			tools: [tool],
			store: slow,
			harness: { policy: () => ({ verdict: "allow" }) },
		});
		const running = scene.harness.run(scene.agent, "go", { runId: "r" });
		await untilStarted(2);
		release(1);
		release(2);
		await isWriting.promise;
		const other = scene.again({ store: inner });
		await other.harness.tell("r", "how is it going?");
		for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
		expect(scene.prompts).toHaveLength(1);
		written.resolve();
		expect(await running).toMatchObject({ status: "completed" });
		expect(scene.prompts.flatMap(promptProblems)).toEqual([]);
	});
});
