import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { promptProblems } from "../testing/prompt-order.ts";
import { gate, ofType, onlyWait, type StageOptions, stage } from "../testing/stage.ts";
import { breaking, call, calls, failing, say } from "../testing/story.ts";
import { defineTool, type ToolDefinition } from "../tools/define-tool.ts";

const by = { id: "ann", via: "test" };
const empty = z.object({});
const policy = ({ tool }: { tool: { name: string } }) =>
	tool.name === "pay" ? ({ verdict: "ask", reason: "money" } as const) : ({ verdict: "allow" } as const);

/** A run whose one call is in flight, in the hands of the test. */
async function inFlight(definition: Partial<ToolDefinition<typeof empty>>, options: Partial<StageOptions> = {}) {
	const begun = gate<void>();
	const ends = gate<unknown>();
	let executions = 0;
	const tool = defineTool({
		name: "work",
		description: "Works.",
		input: empty,
		execute: () => {
			executions++;
			begun.resolve();
			return ends.promise;
		},
		...definition,
	});
	const scene = stage({ story: [call("work"), say("done")], tools: [tool], harness: { policy }, ...options });
	const running = scene.harness.run(scene.agent, "go", { runId: "r" });
	running.catch(() => undefined);
	if (!definition.execute) await begun.promise;
	return { scene, running, ends, begun, executions: () => executions };
}

describe("cancelling a run that waits", () => {
	test("ends it: open approvals close, a later answer executes nothing, and what was done is listed", async () => {
		const paid: unknown[] = [];
		const tools = [
			defineTool({ name: "look", description: "Looks.", input: empty, effect: "read", execute: () => "seen" }),
			defineTool({ name: "pay", description: "Pays.", input: empty, execute: () => void paid.push(1) }),
		];
		const story = [calls([{ tool: "look" }, { tool: "pay" }]), say("done")];
		const scene = stage({ story, tools, harness: { policy } });
		const first = await scene.harness.run(scene.agent, "go");
		const wait = onlyWait(first, "approval");
		const result = await scene.harness.cancel(first.run, { by: "ann", reason: "changed my mind" });
		expect(result).toMatchObject({ status: "cancelled", done: [{ call: "c1", tool: "look", outcome: "ok" }] });
		expect(await scene.harness.approvals()).toEqual([]);
		await expect(scene.harness.approve(wait.approval, { by })).rejects.toMatchObject({ code: "approval.unknown" });
		expect(await scene.harness.resume(first.run)).toMatchObject({ status: "cancelled" });
		expect(paid).toEqual([]);
		const events = await scene.events(first.run);
		expect(ofType(events, "cancel.requested")).toMatchObject([{ by: "ann", reason: "changed my mind" }]);
		expect(ofType(events, "approval.closed")).toMatchObject([{ why: "cancelled" }]);
		expect(ofType(events, "call.finished").at(-1)?.outcome).toEqual({ cancelled: "changed my mind" });
		expect(events.at(-1)?.type).toBe("run.finished");
	});

	test("lists as done what ran and gave a result that cannot be used", async () => {
		const [big, wrong] = [() => "x".repeat(100), () => 10n];
		const tools = [
			defineTool({ name: "big", description: "Gives much.", input: empty, execute: big }),
			defineTool({ name: "wrong", description: "Gives no JSON.", input: empty, execute: wrong }),
			defineTool({
				name: "broken",
				description: "Throws.",
				input: empty,
				execute: () => {
					throw new Error("no");
				},
			}),
			defineTool({ name: "pay", description: "Pays.", input: empty, execute: () => null }),
		];
		const story = [calls(tools.map(({ name }) => ({ tool: name })))];
		const scene = stage({ story, tools, harness: { policy }, limits: { resultBytesMax: 50 } });
		const { run } = await scene.harness.run(scene.agent, "go");
		expect(await scene.harness.cancel(run)).toMatchObject({
			done: [
				{ tool: "big", outcome: "ok" },
				{ tool: "wrong", outcome: "ok" },
			],
		});
	});

	test("with an answer already left: whichever came first counts, and nothing runs after the cancellation", async () => {
		const paid: unknown[] = [];
		const pay = defineTool({ name: "pay", description: "Pays.", input: empty, execute: () => void paid.push(1) });
		const scene = stage({ story: [call("pay"), say("done")], tools: [pay], harness: { policy } });
		const first = await scene.harness.run(scene.agent, "go");
		await scene.harness.approve(onlyWait(first, "approval").approval, { by });
		expect(await scene.harness.cancel(first.run)).toMatchObject({ status: "cancelled", done: [] });
		expect(paid).toEqual([]);
	});

	test("a second cancellation changes nothing", async () => {
		const pay = defineTool({ name: "pay", description: "Pays.", input: empty, execute: () => null });
		const scene = stage({ story: [call("pay"), say("done")], tools: [pay], harness: { policy } });
		const { run } = await scene.harness.run(scene.agent, "go");
		const first = await scene.harness.cancel(run);
		expect(await scene.harness.cancel(run)).toEqual(first);
		expect(ofType(await scene.events(run), "run.finished")).toHaveLength(1);
	});
});

describe("cancelling a run that is being advanced", () => {
	test("I7: a `once` call in flight ends as unknown, never as failed", async () => {
		const { scene, running } = await inFlight({});
		const cancelled = scene.harness.cancel("r", { reason: "stop" });
		expect(await running).toMatchObject({
			status: "cancelled",
			done: [{ call: "c1", tool: "work", outcome: "unknown" }],
		});
		expect(await cancelled).toMatchObject({ status: "cancelled" });
		const [finished] = ofType(await scene.events("r"), "call.finished");
		expect(finished?.outcome).toHaveProperty("unknown");
	});

	test("a tool that notices and says what became of it is believed", async () => {
		const { scene, running, begun } = await inFlight({});
		void begun;
		await scene.harness.cancel("r");
		await running;
		const heard = gate<void>();
		const noticing = await inFlight({
			execute: (_, { signal }) =>
				new Promise((resolve) => {
					heard.resolve();
					signal.addEventListener("abort", () => resolve("half of it"), { once: true });
				}),
		});
		await heard.promise;
		await noticing.scene.harness.cancel("r");
		expect(await noticing.running).toMatchObject({ status: "cancelled", done: [{ outcome: "ok" }] });
		expect(ofType(await noticing.scene.events("r"), "call.finished")[0]?.outcome).toEqual({ ok: "half of it" });
	});

	test("I7: a tool that notices and only throws does not know either", async () => {
		const heard = gate<void>();
		const { scene, running } = await inFlight({
			execute: (_, { signal }) =>
				new Promise((_resolve, reject) => {
					heard.resolve();
					signal.addEventListener("abort", () => reject(signal.reason), { once: true });
				}),
		});
		await heard.promise;
		await scene.harness.cancel("r");
		expect(await running).toMatchObject({ done: [{ outcome: "unknown" }] });
	});

	test("a read in flight changed nothing: it ends as cancelled", async () => {
		const { scene, running } = await inFlight({ effect: "read" });
		await scene.harness.cancel("r", { reason: "stop" });
		expect(await running).toMatchObject({ status: "cancelled", done: [] });
		expect(ofType(await scene.events("r"), "call.finished")[0]?.outcome).toEqual({ cancelled: "stop" });
	});

	test("a tool that ignores it does not hold the run back", async () => {
		const { scene, running, executions } = await inFlight({ repeat: "keyed" });
		await scene.harness.cancel("r");
		expect(await running).toMatchObject({ status: "cancelled", done: [{ outcome: "unknown" }] });
		expect(executions()).toBe(1);
	});

	describe("is not held back after the grace", () => {
		beforeEach(() => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
		afterEach(() => vi.useRealTimers());

		test("by a tool that has taken its signal and does not heed it", async () => {
			const heard = gate<void>();
			const { scene, running } = await inFlight({
				timeoutMs: 3_600_000,
				execute: (_, { signal }) => {
					expect(signal.aborted).toBe(false);
					heard.resolve();
					return new Promise(() => undefined);
				},
			});
			await heard.promise;
			const cancelled = scene.harness.cancel("r");
			while (vi.getTimerCount() < 2) await new Promise((resolve) => setImmediate(resolve));
			await vi.advanceTimersByTimeAsync(2_000);
			expect(await running).toMatchObject({ status: "cancelled", done: [{ outcome: "unknown" }] });
			expect(await cancelled).toMatchObject({ status: "cancelled" });
			expect(await scene.store.load("r")).toMatchObject({ head: { status: "cancelled" }, lease: undefined });
			// Nothing is left that would keep the process alive.
			expect(vi.getTimerCount()).toBe(0);
		});

		test("by a layer around the model that never comes back, and whose late answer means nothing", async () => {
			const asked = gate<void>();
			const late = gate<never>();
			const scene = stage({
				story: [],
				middleware: [
					{
						name: "hangs",
						model: () => {
							asked.resolve();
							return late.promise;
						},
					},
				],
			});
			const seen: string[] = [];
			const running = scene.harness.run(scene.agent, "go", { runId: "r", onEvent: ({ type }) => seen.push(type) });
			await asked.promise;
			const cancelled = scene.harness.cancel("r");
			while (vi.getTimerCount() < 1) await new Promise((resolve) => setImmediate(resolve));
			await vi.advanceTimersByTimeAsync(2_000);
			expect(await running).toMatchObject({ status: "cancelled" });
			await cancelled;
			late.resolve({ content: [], finish: "stop", usage: { inputTokens: 0, outputTokens: 0 } } as never);
			await new Promise((resolve) => setImmediate(resolve));
			expect(seen.at(-1)).toBe("run.finished");
		});
	});

	test("I7: a call that waits for its next attempt is not begun again", async () => {
		const clock = (await import("../testing/fake-clock.ts")).fakeClock();
		let executions = 0;
		const { OutcomeUnknown } = await import("../tools/outcome-unknown.ts");
		const { scene, running } = await inFlight(
			{
				repeat: "keyed",
				execute: () => {
					executions++;
					throw new OutcomeUnknown("lost");
				},
			},
			{ clock },
		);
		while (clock.sleeping === 0) await new Promise((resolve) => setImmediate(resolve));
		await scene.harness.cancel("r");
		expect(await running).toMatchObject({ status: "cancelled", done: [{ outcome: "unknown" }] });
		expect(executions).toBe(1);
	});

	test("from another harness: it is heard at the next heartbeat", async () => {
		const { scene, running } = await inFlight({}, { limits: { leaseMs: 150 } });
		const other = scene.again();
		expect(await other.harness.cancel("r")).toBeUndefined();
		expect(await running).toMatchObject({ status: "cancelled" });
		expect(await other.harness.resume("r")).toMatchObject({ status: "cancelled" });
	});

	test("while the model is asked: the run is cancelled, also in its very first answer", async () => {
		for (const story of [[say("never said")], [call("look"), say("never said")]]) {
			const asked = gate<void>();
			const look = defineTool({
				name: "look",
				description: "Looks.",
				input: empty,
				effect: "read",
				execute: () => "seen",
			});
			let answers = 0;
			const scene = stage({
				story,
				tools: [look],
				around: (model) => ({
					...model,
					doGenerate: (options) => {
						if (++answers < story.length) return model.doGenerate(options);
						asked.resolve();
						return new Promise((_, reject) =>
							options.abortSignal?.addEventListener("abort", () => reject(new Error("aborted"))),
						);
					},
				}),
			});
			const running = scene.harness.run(scene.agent, "go", { runId: "r" });
			await asked.promise;
			await scene.harness.cancel("r");
			expect(await running).toMatchObject({ status: "cancelled" });
			expect((await scene.events("r")).at(-1)?.type).toBe("run.finished");
		}
	});

	test("while it waits for the model's patience", async () => {
		const scene = stage({ story: [failing(429, { "retry-after": "3600" }), say("done")] });
		const first = await scene.harness.run(scene.agent, "go");
		expect(onlyWait(first, "timer")).toMatchObject({ kind: "timer" });
		expect(await scene.harness.cancel(first.run)).toMatchObject({ status: "cancelled" });
		expect(await scene.harness.readyRuns()).toEqual([]);
	});

	test("between the attempts of a model call", async () => {
		const clock = (await import("../testing/fake-clock.ts")).fakeClock();
		const scene = stage({ story: [breaking(), say("done")], clock });
		const running = scene.harness.run(scene.agent, "go", { runId: "r" });
		while (clock.sleeping === 0) await new Promise((resolve) => setImmediate(resolve));
		await scene.harness.cancel("r");
		expect(await running).toMatchObject({ status: "cancelled" });
	});
});

test("the session's next run sees every call of the cancelled one with a result, the unknown ones too", async () => {
	const begun = gate<void>();
	const tools = [
		defineTool({ name: "pay", description: "Pays.", input: empty, execute: () => "paid" }),
		defineTool({
			name: "work",
			description: "Works.",
			input: empty,
			execute: () => {
				begun.resolve();
				return new Promise(() => undefined);
			},
		}),
	];
	const scene = stage({
		story: [calls([{ tool: "pay" }, { tool: "work" }]), say("as you like")],
		tools,
		harness: { policy },
	});
	const session = scene.harness.session("chat", scene.agent);
	const running = session.send("go");
	await begun.promise;
	const [row] = await scene.harness.runs();
	await scene.harness.cancel(row?.run ?? "");
	expect(await running).toMatchObject({ status: "cancelled" });
	expect(await session.send("what happened?")).toMatchObject({ status: "completed" });
	expect(scene.prompts.flatMap(promptProblems)).toEqual([]);
	expect(JSON.stringify(scene.prompts.at(-1))).toContain("its outcome is being looked into");
});
