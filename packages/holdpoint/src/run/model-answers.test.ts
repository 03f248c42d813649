import { describe, expect, test } from "vitest";
import { z } from "zod";
import { memoryStore } from "../adapters/stores/memory.ts";
import type { Middleware } from "../spec/agent.ts";
import { HoldpointError } from "../spec/errors.ts";
import { promptProblems } from "../testing/prompt-order.ts";
import { scriptedModel } from "../testing/scripted-model.ts";
import { ofType, onlyWait, type StageOptions, stage } from "../testing/stage.ts";
import { breaking, call, calls, failing, json, type StoryStep, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";

const hourMs = 3_600_000;
const look = defineTool({
	name: "look",
	description: "Looks.",
	input: z.object({}),
	effect: "read",
	execute: () => "seen",
});
const play = (story: readonly StoryStep[], options: Partial<StageOptions> = {}) =>
	stage({ story, tools: [look], ...options });

/** A model that answers whatever the test says, past the story. */
function answering(content: (n: number) => unknown): NonNullable<StageOptions["around"]> {
	let n = 0;
	return (model) => ({
		...model,
		doGenerate: async () =>
			({ content: content(++n), finishReason: { unified: "stop", raw: undefined }, usage: {}, warnings: [] }) as never,
	});
}

describe("an answer of the model", () => {
	test("is the output of the run, with its usage", async () => {
		const scene = play([call("look", {}, { text: "let me see" }), say("done")]);
		const result = await scene.harness.run(scene.agent, "go");
		expect(result).toMatchObject({ status: "completed", output: "done", text: "done" });
		expect(result.usage).toEqual({ inputTokens: expect.any(Number), outputTokens: expect.any(Number) });
	});

	test("says which model gave it, where that is another one than before, a layer of its own included", async () => {
		const held = defineTool({ name: "held", description: "Held.", input: z.object({}), execute: () => "done" });
		const story = [call("look"), call("held"), say("well"), say("not this")];
		const scene = play(story, { tools: [look, held] });
		const named = (modelId: string) => scriptedModel(story, { modelId, countTokens: false });
		const first = scene.again({ agent: { model: named("small") } });
		const { run } = await first.harness.run(first.agent, "go");
		const usage = { inputTokens: 0, outputTokens: 0 };
		const recalled = { content: [{ type: "text", text: "recalled" }], finish: "stop", usage } as const;
		const alone: Middleware = { name: "memory", model: async () => recalled };
		const second = scene.again({ agent: { model: named("large"), middleware: [] } });
		await second.harness.approve((await second.harness.approvals())[0]?.approval ?? "");
		await second.harness.resume(run);
		const models = ofType(await scene.events(run), "model.answered").map(({ model }) => model);
		expect(models).toEqual(["holdpoint.scripted/small", undefined, "holdpoint.scripted/large"]);
		const third = scene.again({ agent: { middleware: [alone] } });
		const other = await third.harness.run(third.agent, "go");
		expect(ofType(await scene.events(other.run), "model.answered")).toMatchObject([{ model: "middleware" }]);
	});

	test.each([
		["nothing", []],
		["an empty text", [{ type: "text", text: "" }]],
		["reasoning alone", [{ type: "reasoning", text: "hm" }]],
	])("that is %s: it is asked once more, then the run has failed and says so", async (_, content) => {
		const scene = play([], { around: answering(() => content) });
		const result = await scene.harness.run(scene.agent, "go");
		expect(result).toMatchObject({ status: "failed", error: { code: "model.answered_nothing" } });
		expect(scene.prompts).toHaveLength(2);
		expect(JSON.stringify(scene.prompts[1]?.at(-1))).toContain("Your answer was empty");
		expect(JSON.stringify(scene.prompts[1]?.at(-1))).not.toContain("JSON");
	});

	test("that is empty once does no harm", async () => {
		const scene = play([], { around: answering((n) => (n === 1 ? [] : [{ type: "text", text: "done" }])) });
		expect(await scene.harness.run(scene.agent, "go")).toMatchObject({ status: "completed", text: "done" });
	});

	test.each([
		["no content", undefined],
		["a text that is no list", "hello"],
		["parts that are nothing", [null, 5, "text"]],
	])("that is rubbish (%s) is asked for again, then the run is kept", async (_, content) => {
		const scene = play([], { around: answering(() => content) });
		const failed = scene.harness.run(scene.agent, "go", { runId: "r" });
		await expect(failed).rejects.toMatchObject({ code: "model.answer_invalid", retry: "safe" });
		expect(scene.prompts.length).toBeGreaterThan(1);
	});

	test("I8: a model that never comes to an end is stopped at turnsMax, not before and not after", async () => {
		const scene = play([call("look"), call("look"), say("done")], { limits: { turnsMax: 3 } });
		expect(await scene.harness.run(scene.agent, "go")).toMatchObject({ status: "completed" });
		const endless = stage({ story: () => call("look"), tools: [look], limits: { turnsMax: 3 } });
		const result = await endless.harness.run(endless.agent, "go");
		expect(result).toMatchObject({ status: "failed", error: { code: "limit.turns" } });
		expect(endless.prompts).toHaveLength(3);
		expect(ofType(await endless.events(result.run), "call.finished")).toHaveLength(3);
	});

	test("I8: at turnsMax a question does not give up what is held; the run ends when that is decided", async () => {
		const pay = defineTool({ name: "pay", description: "Pays.", input: z.object({}), execute: () => "paid" });
		const scene = stage({ story: [call("pay")], tools: [pay], limits: { turnsMax: 1 } });
		const session = scene.harness.session("chat", scene.agent);
		const wait = onlyWait(await session.send("pay"), "approval");
		expect(await session.send("hurry")).toMatchObject({ status: "waiting" });
		expect(await scene.harness.approvals()).toHaveLength(1);
		await scene.harness.deny(wait.approval);
		const [open] = await scene.harness.runs({ session: "chat" });
		const result = await scene.harness.resume(open?.run ?? "");
		expect(result).toMatchObject({ status: "failed", error: { code: "limit.turns" } });
		expect(await scene.harness.approvals()).toEqual([]);
	});

	test("with call ids that it used before: every result belongs to one call", async () => {
		const same = { id: "call_1" };
		const story = [
			call("look", {}, same),
			call("look", {}, { id: "c3" }),
			call("look", {}, same),
			call("look", {}, same),
			say("done"),
		];
		const scene = play(story);
		expect(await scene.harness.run(scene.agent, "go")).toMatchObject({ status: "completed" });
		expect(scene.prompts.flatMap(promptProblems)).toEqual([]);
	});

	test("with an id that is one of ours", async () => {
		const story = [
			call("look", {}, { id: "c2" }),
			call("look", {}, { id: "c2" }),
			call("look", {}, { id: "c2_" }),
			say("done"),
		];
		const scene = play(story);
		await scene.harness.run(scene.agent, "go");
		expect(scene.prompts.flatMap(promptProblems)).toEqual([]);
	});

	test("with the same id for two calls of one answer", async () => {
		const scene = play([
			calls([
				{ tool: "look", id: "x" },
				{ tool: "look", id: "x" },
			]),
			say("done"),
		]);
		const { run } = await scene.harness.run(scene.agent, "go");
		expect(ofType(await scene.events(run), "call.finished")).toHaveLength(2);
		expect(scene.prompts.flatMap(promptProblems)).toEqual([]);
	});

	test("a model that is missing is an error that says so", async () => {
		const scene = play([say("hi")]);
		const { createHarness } = await import("../holdpoint.ts");
		const { defineAgent } = await import("./define-agent.ts");
		const bare = createHarness({ store: scene.store });
		const agent = defineAgent({ name: "bare", instructions: "Nothing." });
		await expect(bare.run(agent, "go")).rejects.toMatchObject({ code: "model.missing" });
	});
});

describe("a model that does not answer", () => {
	test("broken connections are tried again within the call", async () => {
		const scene = play([breaking(), failing(500), say("done")]);
		expect(await scene.harness.run(scene.agent, "go")).toMatchObject({ status: "completed" });
	});

	test("that stays away: the run is kept, and is resumed later", async () => {
		const scene = play([call("look"), ...Array.from({ length: 4 }, () => failing(503)), say("done")]);
		await expect(scene.harness.run(scene.agent, "go", { runId: "r" })).rejects.toMatchObject({
			code: "model.unavailable",
		});
		expect((await scene.store.load("r"))?.lease).toBeUndefined();
		expect(await scene.harness.readyRuns()).toHaveLength(1);
		expect(await scene.harness.resume("r")).toMatchObject({ status: "completed", text: "done" });
		expect(ofType(await scene.events("r"), "call.started").length).toBeLessThanOrEqual(2);
	});

	test("that stays away from the first call on: the run is kept as well, and the next message of its session reaches it", async () => {
		const failures = Array.from({ length: 2 }, () => failing(503));
		const scene = play([...failures, say("done")], { limits: { modelAttemptsMax: 2 } });
		const session = scene.harness.session("chat", scene.agent);
		await expect(session.send("first")).rejects.toMatchObject({ code: "model.unavailable" });
		const [row, ...others] = await scene.harness.readyRuns();
		expect(others).toEqual([]);
		expect(row).toMatchObject({ status: "running", session: "chat", lease: undefined });
		expect(await session.send("second")).toMatchObject({ run: row?.run, status: "completed", text: "done" });
		expect(JSON.stringify(scene.prompts.at(-1))).toMatch(/first.*second/);
	});

	test("the store that fails in the first call leaves no run behind: nobody knows what it holds", async () => {
		const inner = memoryStore();
		let commits = 0;
		const commit = () => {
			commits++;
			return Promise.reject(new HoldpointError("store.full", "no room"));
		};
		const scene = play([say("done")], { store: { ...inner, commit } });
		await expect(scene.harness.run(scene.agent, "go")).rejects.toMatchObject({ code: "store.full" });
		expect(commits).toBe(1);
	});

	test("I2: that wants to be left alone for long: a durable timer, no process waits, and it goes on when due", async () => {
		const scene = play([failing(429, { "retry-after": "3600" }), say("done")]);
		const first = await scene.harness.run(scene.agent, "go", { runId: "r" });
		const wait = onlyWait(first, "timer");
		expect(wait.dueAt).toBe(scene.clock.now() + hourMs);
		expect(scene.clock.sleeping).toBe(0);
		expect((await scene.harness.runs())[0]).toMatchObject({ status: "waiting", dueAt: wait.dueAt, lease: undefined });
		expect(await scene.harness.resume("r")).toMatchObject({ status: "waiting" });
		expect(scene.prompts).toHaveLength(1);
		expect(await scene.harness.readyRuns()).toEqual([]);
		scene.clock.advance(hourMs);
		expect(await scene.harness.readyRuns()).toHaveLength(1);
		expect(await scene.harness.resume("r")).toMatchObject({ status: "completed" });
		expect(ofType(await scene.events("r"), "timer.fired")).toHaveLength(1);
	});

	test("a message does not shorten the wait, and is read after it", async () => {
		const scene = play([failing(429, { "retry-after": "3600" }), say("done")]);
		const session = scene.harness.session("chat", scene.agent);
		await session.send("first");
		expect(await session.send("second")).toMatchObject({ status: "waiting" });
		scene.clock.advance(hourMs);
		const [row] = await scene.harness.readyRuns();
		await scene.harness.resume(row?.run ?? "");
		expect(JSON.stringify(scene.prompts.at(-1))).toContain("second");
	});
});

describe("structured output", () => {
	const output = z.object({ total: z.int() });

	test("is parsed and checked; a fence around it does no harm", async () => {
		for (const answer of [
			'{"total":5}',
			'```json\n{"total":5}\n```',
			'\n```\n{"total":5}\n```\n',
			'```json{"total":5}```',
		]) {
			const scene = play([say(answer)], { output });
			expect(await scene.harness.run(scene.agent, "go")).toMatchObject({ status: "completed", output: { total: 5 } });
		}
	});

	test("that only looks like a fence takes no longer to be refused, however long it is", async () => {
		const long = say(`\`\`\`json\n${"\n".repeat(200_000)}x`);
		const scene = play([long, json({ total: 5 })], { output });
		expect(await scene.harness.run(scene.agent, "go")).toMatchObject({ status: "completed", output: { total: 5 } });
	});

	test("that does not fit: one repair, told what is wrong", async () => {
		const scene = play([json({ total: "five" }), json({ total: 5 })], { output });
		expect(await scene.harness.run(scene.agent, "go")).toMatchObject({ status: "completed", output: { total: 5 } });
		expect(JSON.stringify(scene.prompts[1]?.at(-1))).toContain("total");
	});

	test.each([
		["no JSON", say("the total is five")],
		["a wrong shape", json({ total: 5.5 })],
	])("I8: that does not fit twice (%s): the run has failed", async (_, step) => {
		const scene = play([step, step, json({ total: 5 })], { output });
		expect(await scene.harness.run(scene.agent, "go")).toMatchObject({
			status: "failed",
			error: { code: "output.invalid" },
		});
		expect(scene.prompts).toHaveLength(2);
	});

	test("a tool call in between does not count as an answer", async () => {
		const scene = play([call("look"), json({ total: 5 })], { output });
		expect(await scene.harness.run(scene.agent, "go")).toMatchObject({ status: "completed", output: { total: 5 } });
	});

	test("is the same in a result that comes from the journal", async () => {
		const scene = play([json({ at: "2030-01-01T00:00:00Z" })], {
			output: z.object({ at: z.string().transform((at) => new Date(at)) }) as never,
		});
		const options = { runId: "r" };
		const first = await scene.harness.run(scene.agent, "go", options);
		expect(first).toMatchObject({ output: { at: "2030-01-01T00:00:00.000Z" } });
		expect(await scene.harness.run(scene.agent, "go", options)).toEqual(first);
	});

	test("of which the schema makes something that JSON cannot carry is a failure, not a run that is stuck", async () => {
		const big = z.object({ total: z.int().transform((total) => BigInt(total)) });
		const scene = play([json({ total: 5 }), json({ total: 5 })], { output: big as never });
		expect(await scene.harness.run(scene.agent, "go")).toMatchObject({
			status: "failed",
			error: { code: "output.invalid" },
		});
	});
});
