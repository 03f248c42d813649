import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LanguageModelV4CallOptions } from "@ai-sdk/provider";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { memoryStore } from "../adapters/stores/memory.ts";
import { skills } from "../adapters/tools/skills/skills.ts";
import { createHarness, type HarnessOptions } from "../holdpoint.ts";
import { defineAgent } from "../run/define-agent.ts";
import type { RunEvent } from "../spec/events.ts";
import type { Store } from "../spec/store.ts";
import { type PlacedAnswer, type PlacedModelOptions, placedModel } from "../testing/placed-model.ts";
import { scriptedModel } from "../testing/scripted-model.ts";
import { ofType, onlyWait, stageKeys } from "../testing/stage.ts";
import { call, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";
import { type HarnessAgentDefinition, harnessAgent } from "./harness-agent.ts";

interface Scene extends Partial<HarnessAgentDefinition> {
	readonly harness?: HarnessOptions;
	readonly store?: Store;
	readonly answering?: PlacedModelOptions;
}

type Steps = readonly PlacedAnswer[];

const ann = { id: "ann", via: "test" };
const done: string[] = [];

function shopTools() {
	done.length = 0;
	const input = z.object({ id: z.string() });
	const look = defineTool({
		name: "look",
		description: "Looks.",
		input,
		effect: "read",
		execute: ({ id }) => `order ${id}`,
	});
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		input,
		effect: "write",
		execute: ({ id }) => {
			done.push(id);
			return "paid";
		},
	});
	return [look, pay];
}

function scene(
	steps: Steps,
	{ harness: ports = {}, store = memoryStore(), answering = {}, ...definition }: Scene = {},
) {
	const requests: LanguageModelV4CallOptions[] = [];
	const model = placedModel((place) => steps[place - 1], {
		...answering,
		onRequest: (request) => {
			requests.push(structuredClone(request));
			answering.onRequest?.(request);
		},
	});
	const tools = shopTools();
	const agent = harnessAgent({ name: "clerk", instructions: "Serve.", tools, programs: false, model, ...definition });
	const harness = createHarness({ store, keys: stageKeys, agents: [agent], sandbox: "off", ...ports });
	const events = async (run: string): Promise<readonly RunEvent[]> =>
		(await harness.show(run)).events.map(({ event }) => event);
	return { harness, agent, requests, events, store };
}

const use = (tool: string, args: object): PlacedAnswer => ({ calls: [{ tool, args: args as never }] });

describe("todos", () => {
	const todos = [
		{ text: "look", status: "done" },
		{ text: "pay", status: "open" },
	];

	test("a list is kept as an event, and stands in what is folded", async () => {
		const fill: Steps = Array.from({ length: 30 }, () => use("look", { id: "x".repeat(900) }));
		const { harness, agent, events, requests } = scene([use("todo", { todos }), ...fill, { text: "end" }], {
			context: { windowTokens: 4_000, answerTokens: 500 },
		});
		const { run } = await harness.run(agent, "Serve him.");
		expect(ofType(await events(run), "todos.set")).toEqual([{ type: "todos.set", todos }]);
		expect(JSON.stringify(requests.at(-1)?.prompt[1])).toContain("[Open now]\\n- [x] look\\n- [ ] pay");
	});

	test("switched off, there is no tool for them", async () => {
		for (const todos of [true, false]) {
			const { harness, agent, requests } = scene([{ text: "end" }], { todos });
			await harness.run(agent, "Serve.");
			expect(requests[0]?.tools?.some(({ name }) => name === "todo")).toBe(todos);
		}
	});

	test.each([
		[{ todos: "none" }, "todos: expected array, got string"],
		[{ todos: [{ text: "", status: "open" }] }, "todos.0.text: 0 characters, fewer than 1"],
		[{ todos: [{ text: "a", status: "soon" }] }, 'expected "open" or "doing" or "done", got "soon"'],
		[{ todos: [{ text: "a", status: "open", by: "me" }] }, 'the property "by" is not known'],
		[{ todos: Array.from({ length: 101 }, () => ({ text: "a", status: "open" })) }, "more than 100"],
	])("%j is refused", async (args, why) => {
		const { harness, agent, events } = scene([use("todo", args), { text: "end" }]);
		const { run } = await harness.run(agent, "Serve.");
		const [end] = ofType(await events(run), "call.finished");
		expect(end?.outcome).toMatchObject({ code: "tool.args_invalid", failed: expect.stringContaining(why) });
		expect(ofType(await events(run), "todos.set")).toEqual([]);
	});
});

describe("plan mode", () => {
	const plan = { mode: "execute", plan: "1. Pay 7." };

	test("nothing is changed in it, whatever the policy says, and a person lets the agent out of it", async () => {
		const steps = [
			use("look", { id: "7" }),
			use("pay", { id: "7" }),
			use("set_mode", plan),
			use("pay", { id: "7" }),
			{ text: "end" },
		];
		const { harness, agent, events } = scene(steps, {
			modes: { start: "plan" },
			harness: { policy: () => ({ verdict: "allow" }) },
		});
		const waiting = await harness.run(agent, "Serve.");
		const wait = onlyWait(waiting, "approval");
		expect(wait).toMatchObject({ tool: "set_mode", args: plan, reason: "The agent has planned and wants to act" });
		expect(done).toEqual([]);
		await harness.approve(wait.approval, { by: ann });
		expect(await harness.resume(waiting.run)).toMatchObject({ status: "completed" });
		expect(done).toEqual(["7"]);
		const ends = ofType(await events(waiting.run), "call.finished").map(({ outcome }) => outcome);
		expect(ends[1]).toMatchObject({
			denied: "In plan mode nothing is changed: pay is not called before set_mode was approved",
		});
		expect(ofType(await events(waiting.run), "mode.changed")).toEqual([{ type: "mode.changed", mode: "execute" }]);
	});

	test.each([{}, { plan: " \n" }])(
		"it is not left without a plan that a person could be shown: %j",
		async (without) => {
			const { harness, agent, events } = scene([use("set_mode", { mode: "execute", ...without }), { text: "end" }], {
				modes: { start: "plan" },
			});
			const { run, status } = await harness.run(agent, "Serve.");
			expect(status).toBe("completed");
			const [end] = ofType(await events(run), "call.finished");
			expect(end?.outcome).toMatchObject({
				code: "tool.args_invalid",
				failed: expect.stringContaining("execute needs a plan: a person is shown it"),
			});
		},
	);

	test("its model is told so before what it is asked, in the session's next run, too, and not in execute mode", async () => {
		const { harness, agent, requests } = scene(
			[{ text: "planned" }, use("set_mode", plan), { text: "done" }, { text: "again" }],
			{ modes: { start: "plan" } },
		);
		const session = harness.session("s", agent);
		await session.send("One.");
		const { approval } = onlyWait(await session.send("Two."), "approval");
		await harness.approve(approval, { by: ann });
		await session.send("Three.");
		const told = "[Mode: plan. Nothing is changed before a person has approved it.]";
		const said = requests.at(-1)?.prompt.flatMap(({ role, content }) => {
			const [part] = role === "user" ? content : [];
			return part?.type === "text" ? part.text : [];
		});
		expect(said).toEqual([told, "One.", told, "Two.", "Three."]);
		const text = (n: number) => JSON.stringify(requests[n]?.prompt).slice(0, -1);
		expect(text(1).startsWith(text(0))).toBe(true);
		expect(text(3).startsWith(text(0))).toBe(true);
	});

	test.each([{ start: "paln" }, { start: undefined }, {}])("%j is no beginning", (modes) => {
		expect(() => harnessAgent({ name: "a", instructions: "b", modes: modes as never })).toThrow(
			"begins in a mode that is not known",
		);
	});

	test("denied, it stays in plan mode", async () => {
		const { harness, agent } = scene([use("set_mode", plan), use("pay", { id: "7" }), { text: "end" }], {
			modes: { start: "plan" },
		});
		const { run, ...waiting } = await harness.run(agent, "Serve.");
		await harness.deny(onlyWait({ run, ...waiting } as never, "approval").approval, { by: ann });
		expect(await harness.resume(run)).toMatchObject({ status: "completed" });
		expect(done).toEqual([]);
	});

	test("it may be entered unasked, and lasts into the session's next run", async () => {
		const steps = [use("set_mode", { mode: "plan" }), { text: "planned" }, use("pay", { id: "1" }), { text: "end" }];
		const { harness, agent } = scene(steps, { harness: { policy: () => ({ verdict: "allow" }) } });
		const session = harness.session("s", agent);
		expect(await session.send("Plan it.")).toMatchObject({ status: "completed" });
		expect(await session.send("Do it.")).toMatchObject({ status: "completed" });
		expect(done).toEqual([]);
	});

	test("entered in the same answer, it holds for what is asked after it", async () => {
		const both: PlacedAnswer = {
			calls: [
				{ tool: "pay", args: { id: "1" } },
				{ tool: "set_mode", args: { mode: "plan" } },
				{ tool: "pay", args: { id: "2" } },
				{ tool: "look", args: { id: "2" } },
			],
		};
		const { harness, agent, events } = scene([both, { text: "end" }], {
			harness: { policy: () => ({ verdict: "allow" }) },
		});
		const { run } = await harness.run(agent, "Serve.");
		expect(done).toEqual(["1"]);
		const ends = ofType(await events(run), "call.finished").map(({ outcome }) => outcome);
		expect(ends.filter((end) => "denied" in end)).toHaveLength(1);
	});

	test("an agent that it asks is in it, too", async () => {
		const helper = defineAgent({
			name: "helper",
			instructions: "Help.",
			tools: shopTools(),
			model: scriptedModel([call("pay", { id: "9" }), say("could not")], { countTokens: false }),
		});
		const steps = [use("ask_helper", { task: "pay 9" }), { text: "end" }, { text: "really" }];
		const { harness, agent, events } = scene(steps, {
			agents: [helper],
			modes: { start: "plan" },
			harness: { policy: () => ({ verdict: "allow" }) },
		});
		const { run } = await harness.run(agent, "Serve.");
		expect(done).toEqual([]);
		const ends = ofType(await events(run), "call.finished").map(({ outcome }) => outcome);
		expect(ends).toContainEqual(expect.objectContaining({ denied: expect.stringContaining("In plan mode") }));
	});

	test("a session stays in it, though the run that entered it is out of reach", async () => {
		const steps = [
			use("set_mode", { mode: "plan" }),
			{ text: "planned" },
			{ text: "a" },
			{ text: "b" },
			use("pay", { id: "1" }),
			{ text: "end" },
		];
		const { harness, agent } = scene(steps, {
			harness: { policy: () => ({ verdict: "allow" }), limits: { sessionRunsMax: 1 } },
		});
		const session = harness.session("s", agent);
		for (const text of ["Plan it.", "§2 And?", "§3 And?", "§4 Do it."]) await session.send(text);
		expect(done).toEqual([]);
	});

	test("where it begins in it, each of a session's runs does", async () => {
		const steps = [use("set_mode", plan), { text: "acted" }, use("pay", { id: "1" }), { text: "end" }];
		const { harness, agent } = scene(steps, {
			modes: { start: "plan" },
			harness: { policy: () => ({ verdict: "allow" }) },
		});
		const session = harness.session("s", agent);
		const waiting = await session.send("Plan it.");
		await harness.approve(onlyWait(waiting, "approval").approval, { by: ann });
		await harness.resume(waiting.run);
		await session.send("And that, too.");
		expect(done).toEqual([]);
	});

	test("entered and left in one answer, it is not left", async () => {
		const both: PlacedAnswer = {
			calls: [
				{ tool: "set_mode", args: { mode: "plan" } },
				{ tool: "set_mode", args: plan },
			],
		};
		const { harness, agent, events } = scene([both, use("pay", { id: "1" }), { text: "end" }], {
			harness: { policy: () => ({ verdict: "allow" }) },
		});
		const { run } = await harness.run(agent, "Go.");
		expect(done).toEqual([]);
		expect(ofType(await events(run), "call.finished")[1]?.outcome).toMatchObject({
			failed: expect.stringContaining("Plan mode was entered meanwhile"),
		});
	});

	test("an agent without modes asks for each change in a session that plans: nothing is lifted, and nothing locked", async () => {
		const store = memoryStore();
		const planner = scene([{ text: "planned" }], { modes: { start: "plan" }, store });
		await planner.harness.session("s", planner.agent).send("Plan it.");
		const steps = [use("look", { id: "7" }), use("pay", { id: "7" }), use("pay", { id: "8" }), { text: "end" }];
		const { harness, agent } = scene([{ text: "planned" }, ...steps], {
			modes: false,
			store,
			harness: { policy: () => ({ verdict: "allow" }) },
		});
		const session = harness.session("s", agent);
		const first = await session.send("Do it.");
		const one = onlyWait(first, "approval");
		expect(one).toMatchObject({
			tool: "pay",
			args: { id: "7" },
			reason: "The conversation is in plan mode, which no agent in it can leave",
		});
		await harness.approve(one.approval, { by: ann, always: { scope: "agent" } });
		const waiting = await harness.resume(first.run);
		const two = onlyWait(waiting, "approval");
		expect(two).toMatchObject({ tool: "pay", args: { id: "8" } });
		await harness.deny(two.approval, { by: ann });
		expect(await harness.resume(waiting.run)).toMatchObject({ status: "completed" });
		expect(done).toEqual(["7"]);
	});

	test("a standing grant does not answer for it", async () => {
		const steps = [use("set_mode", plan), use("set_mode", { mode: "plan" }), use("set_mode", plan), { text: "end" }];
		const { harness, agent } = scene(steps, { modes: { start: "plan" } });
		const first = await harness.run(agent, "Serve.");
		const { approval } = onlyWait(first, "approval");
		await harness.approve(approval, { by: ann, always: { scope: "agent" } });
		onlyWait(await harness.resume(first.run), "approval");
	});
});

describe("the last answer", () => {
	test("at the bound the model is asked without tools, and the run completes", async () => {
		const { harness, agent, requests } = scene(
			[use("look", { id: "1" }), use("look", { id: "2" }), { text: "as far as I got" }],
			{
				limits: { turnsMax: 3 },
			},
		);
		expect(await harness.run(agent, "Serve.")).toMatchObject({ status: "completed", text: "§3 as far as I got" });
		expect(requests.map(({ toolChoice }) => toolChoice?.type)).toEqual([undefined, undefined, "none"]);
		expect(JSON.stringify(requests[2]?.prompt.at(-1))).toContain("No further tool call is possible");
	});

	test("after three answers in a row whose calls all failed, too", async () => {
		const wrong = use("look", { id: 7 });
		const { harness, agent, requests } = scene([
			wrong,
			use("look", { id: "1" }),
			wrong,
			wrong,
			wrong,
			{ text: "I cannot" },
		]);
		expect(await harness.run(agent, "Serve.")).toMatchObject({ status: "completed" });
		expect(requests.map(({ toolChoice }) => toolChoice?.type === "none")).toEqual([
			false,
			false,
			false,
			false,
			false,
			true,
		]);
	});

	test.each([0, -1, 1.5, Number.NaN, "3", undefined])("%s failed turns in a row are no bound", (failedTurnsMax) => {
		const lastAnswer = { failedTurnsMax: failedTurnsMax as never };
		expect(() => harnessAgent({ name: "a", instructions: "b", lastAnswer })).toThrow(
			"a last answer that cannot be asked for",
		);
	});

	test("switched off, the run fails at its bound", async () => {
		const { harness, agent } = scene([use("look", { id: "1" }), use("look", { id: "2" })], {
			limits: { turnsMax: 2 },
			lastAnswer: false,
		});
		expect(await harness.run(agent, "Serve.")).toMatchObject({ status: "failed", error: { code: "limit.turns" } });
	});
});

describe("the loop", () => {
	test("an answer is sent back until it is the end", async () => {
		const { harness, agent, requests } = scene([{ text: "one" }, { text: "two" }, { text: "three" }], {
			loop: { until: (answer) => answer.includes("three") || (answer.includes("two") ? "one more" : false) },
		});
		expect(await harness.run(agent, "Count.")).toMatchObject({ status: "completed", text: "§3 three" });
		expect(requests.map(({ prompt }) => JSON.stringify(prompt.at(-1)?.content))).toEqual([
			expect.stringContaining("Count."),
			expect.stringContaining("This is not done yet."),
			expect.stringContaining("one more"),
		]);
	});

	test("it is bounded, and the last answer stands", async () => {
		const { harness, agent } = scene([{ text: "a" }, { text: "b" }, { text: "c" }], {
			loop: { until: () => false, roundsMax: 2 },
		});
		expect(await harness.run(agent, "Try.")).toMatchObject({ status: "completed", text: "§3 c" });
	});

	test("the model judges by criteria, and what that takes is counted", async () => {
		const judging = { asked: 0 };
		const story = scriptedModel(
			(ask) => {
				if (!ask.system?.startsWith("You judge"))
					return say(ask.lastUser.includes("a date is missing") ? "on Monday" : "soon");
				judging.asked++;
				return say(ask.lastUser.includes("Monday") ? "DONE" : "a date is missing");
			},
			{ countTokens: false },
		);
		const agent = harnessAgent({
			name: "clerk",
			instructions: "Serve.",
			model: story,
			loop: { criteria: "names a day" },
		});
		const harness = createHarness({ keys: stageKeys, sandbox: "off" });
		expect(await harness.run(agent, "When?")).toMatchObject({ status: "completed", text: "on Monday" });
		expect(judging.asked).toBe(2);
	});

	test("a function that throws keeps the run, and it goes on when that is mended", async () => {
		let isBroken = true;
		const { harness, agent } = scene([{ text: "one" }], {
			loop: {
				until: () => {
					if (isBroken) throw new Error("broken");
					return true;
				},
			},
		});
		await expect(harness.run(agent, "Try.", { runId: "run_loop" })).rejects.toMatchObject({
			code: "agent.loop_failed",
		});
		isBroken = false;
		expect(await harness.resume("run_loop")).toMatchObject({ status: "completed" });
	});

	test.each([{}, { until: () => true, criteria: "x" }, { criteria: " " }, { criteria: "x", roundsMax: 0 }])(
		"%j is no loop",
		(loop) => {
			expect(() => harnessAgent({ name: "a", instructions: "b", loop: loop as never })).toThrow(
				"a loop that cannot be followed",
			);
		},
	);
});

test("a message that comes while an answer is judged is answered, too", async () => {
	const found: { harness?: ReturnType<typeof scene>["harness"] } = {};
	const { harness, agent, requests } = scene([{ text: "one" }, { text: "two" }], {
		loop: {
			until: async (answer) => {
				if (answer.includes("one")) await found.harness?.tell("run_told", "And two.");
				return true;
			},
		},
	});
	found.harness = harness;
	expect(await harness.run(agent, "Count.", { runId: "run_told" })).toMatchObject({
		status: "completed",
		text: "§2 two",
	});
	expect(JSON.stringify(requests[1]?.prompt.at(-1))).toContain("And two.");
});

test("a call of its own tools whose result a layer spoils has kept nothing, and says so", async () => {
	const layer = {
		name: "spoils",
		call: async (_: unknown, next: () => Promise<unknown>) => {
			await next();
			throw new Error("spoilt");
		},
	};
	const { harness, agent, events } = scene([use("todo", { todos: [{ text: "a", status: "open" }] }), { text: "end" }], {
		middleware: [layer],
	});
	const { run } = await harness.run(agent, "Go.");
	expect(ofType(await events(run), "todos.set")).toEqual([]);
	const [end] = ofType(await events(run), "call.finished");
	expect(end?.outcome).toMatchObject({ failed: expect.stringContaining("Nothing of it was kept: spoilt") });
});

test("an index of skills stands behind the instructions, and a skill is read when it is asked for", async () => {
	const folder = mkdtempSync(join(tmpdir(), "holdpoint-skills-"));
	mkdirSync(join(folder, "refunds"));
	writeFileSync(
		join(folder, "refunds", "SKILL.md"),
		"---\nname: refunds\ndescription: How to refund.\n---\nAlways say sorry.\n",
	);
	const { harness, agent, requests } = scene([use("skill", { name: "refunds" }), { text: "end" }], {
		skills: await skills({ folder }),
	});
	await harness.run(agent, "Serve.");
	rmSync(folder, { recursive: true });
	expect(String(requests[0]?.prompt[0]?.content)).toMatch(/^Serve\.\n\n[\s\S]*refunds[\s\S]*How to refund\./);
	expect(JSON.stringify(requests[1]?.prompt.at(-1))).toContain("Always say sorry.");
});
