import { describe, expect, test } from "vitest";
import { z } from "zod";
import { createHarness, type HarnessOptions } from "../holdpoint.ts";
import { defineAgent } from "../run/define-agent.ts";
import type { Harness } from "../run/harness.ts";
import type { Middleware } from "../spec/agent.ts";
import type { RunEvent } from "../spec/events.ts";
import type { ModelRequest } from "../spec/model.ts";
import { handoff, parallel } from "../teams.ts";
import { scriptedModel } from "../testing/scripted-model.ts";
import { gate, ofType, onlyWait, stageKeys } from "../testing/stage.ts";
import { call, calls, type Story, type StoryAsk, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";
import { type HarnessAgentDefinition, harnessAgent } from "./harness-agent.ts";

interface Scene extends Partial<HarnessAgentDefinition> {
	readonly story: Story;
	/** Until it is mended, `look` throws. */
	readonly isBroken?: boolean;
	readonly harness?: HarnessOptions;
}

function member({ story, isBroken = false, ...definition }: Omit<Scene, "harness">) {
	const world = { isBroken, paid: [] as string[] };
	const asked: StoryAsk[] = [];
	const look = defineTool({
		name: "look",
		description: "Looks.",
		input: z.object({}),
		effect: "read",
		execute: () => {
			if (world.isBroken) throw new Error("down");
			return "found it";
		},
	});
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		input: z.object({}),
		effect: "write",
		execute: () => world.paid.push("x"),
	});
	const noted: Story = (ask, n) => {
		asked.push(ask);
		return typeof story === "function" ? story(ask, n) : story[n];
	};
	const agent = harnessAgent({
		name: "clerk",
		instructions: "Serve.",
		programs: false,
		tools: [look, pay],
		model: scriptedModel(noted, { countTokens: false }),
		...definition,
	});
	return { agent, world, asked };
}

function scene({ harness: ports = {}, ...definition }: Scene) {
	const one = member(definition);
	const harness = createHarness({
		keys: stageKeys,
		sandbox: "off",
		agents: [one.agent],
		policy: () => ({ verdict: "allow" }),
		...ports,
	});
	const events = async (run: string) => (await harness.show(run)).events.map(({ event }) => event);
	return { harness, events, ...one };
}

const look = call("look", {});
const callsAllTheSame = calls([{ tool: "pay" }, { tool: "look" }], { text: "so far this" });

test("a model that calls in its last answer at the bound has answered, and the calls are not made", async () => {
	const { harness, agent, events, world } = scene({ story: [look, look, callsAllTheSame], limits: { turnsMax: 3 } });
	const result = await harness.run(agent, "Go.");
	expect(result).toMatchObject({ status: "completed", text: "so far this" });
	expect(world.paid).toEqual([]);
	const answers = ofType(await events(result.run), "model.answered");
	expect(answers.map(({ unmade }) => unmade)).toEqual([undefined, undefined, ["pay", "look"]]);
	expect(answers.at(-1)?.content).toEqual([{ type: "text", text: "so far this" }]);
	expect(ofType(await events(result.run), "call.finished")).toHaveLength(2);
});

test("neither are those of one who was asked for a last answer because all its calls failed", async () => {
	const { harness, agent, world } = scene({
		story: (_, n) => (n < 3 ? look : callsAllTheSame),
		isBroken: true,
	});
	expect(await harness.run(agent, "Go.")).toMatchObject({ status: "completed", text: "so far this" });
	expect(world.paid).toEqual([]);
});

test("the session's next run goes on from a last answer with calls, which are no part of it", async () => {
	const { harness, agent, asked } = scene({
		story: (ask, n) => (ask.lastUser === "And now?" ? say("that is all") : n < 2 ? look : callsAllTheSame),
		limits: { turnsMax: 3 },
	});
	const session = harness.session("s", agent);
	await session.send("Go.");
	expect(await session.send("And now?")).toMatchObject({ status: "completed", text: "that is all" });
	const said = asked.at(-1)?.messages.filter(({ role }) => role === "assistant") ?? [];
	expect(said.at(-1)?.content).toEqual([{ type: "text", text: "so far this" }]);
});

const isLast = ({ lastUser }: StoryAsk) => lastUser.includes("No further tool call is possible");

/** A helper in the background answers while the last answer is given, or after it. */
async function withHelper(when: "meanwhile" | "later") {
	const [free, answered] = [gate(), gate()];
	const layer = (name: string, wait: (request: ModelRequest) => Promise<void> | undefined): Middleware => ({
		name,
		model: async (request, next) => {
			await wait(request);
			return next(request);
		},
	});
	const helper = defineAgent({
		name: "helper",
		instructions: "Help.",
		model: scriptedModel([say("late find")], { countTokens: false }),
		middleware: [layer("waits", () => free.promise)],
	});
	const played = scene({
		story: (ask, n) => (isLast(ask) ? say("my last answer") : n === 0 ? call("ask_helper", { task: "x" }) : look),
		agents: [helper],
		limits: { turnsMax: 3 },
		middleware: [
			layer("times", ({ toolChoice }) => {
				if (toolChoice === undefined || when === "later") return undefined;
				free.resolve();
				return answered.promise;
			}),
		],
	});
	const onEvent = (event: RunEvent) => {
		if (event.type === "model.answered" && event.last) free.resolve();
		if (event.type === "call.finished" && event.call === "c1") answered.resolve();
	};
	return { ...played, result: await played.harness.run(played.agent, "Go.", { onEvent }) };
}

test.each(["meanwhile", "later"] as const)(
	"a result that comes %s is told, and the last answer stands",
	async (when) => {
		const { result, events, harness, asked } = await withHelper(when);
		expect(result).toMatchObject({ status: "completed", text: "my last answer" });
		const [last] = ofType(await events(result.run), "model.answered").filter((one) => one.last);
		expect(last?.unheard).toBe(when === "meanwhile" ? 1 : undefined);
		expect(asked).toHaveLength(3);
		const { state } = await harness.show(result.run);
		expect(JSON.stringify(state.conversation.active[0]?.messages.at(-1))).toContain("late find");
	},
);

test("who speaks meanwhile is answered after the last answer, with tools again where turns are left", async () => {
	const told: { harness?: Harness } = {};
	const { harness, agent, world, asked } = scene({
		story: (ask, n) => (isLast(ask) ? say("it is down") : n === 5 ? say("done") : look),
		isBroken: true,
		middleware: [
			{
				name: "tells",
				model: async (request, next) => {
					if (request.toolChoice?.type === "none") {
						await told.harness?.tell("run_told", "It is up again.", "queue");
						world.isBroken = false;
					}
					return next(request);
				},
			},
		],
	});
	told.harness = harness;
	expect(await harness.run(agent, "Go.", { runId: "run_told" })).toMatchObject({ status: "completed", text: "done" });
	expect(asked.map(isLast)).toEqual([false, false, false, true, false, false]);
});

test("in a team the user's reply gives back the tools that were taken after three failures", async () => {
	const { agent, world, asked } = member({
		story: (ask, n) => (isLast(ask) ? say("it is down") : n === 5 ? say("done") : look),
		isBroken: true,
	});
	const team = handoff({ name: "team" }).participants([agent]).coordinator(agent).build();
	const harness = createHarness({ keys: stageKeys, sandbox: "off" });
	const waiting = await harness.run(team, "Look.");
	expect(onlyWait(waiting, "user")).toMatchObject({ text: "it is down" });
	world.isBroken = false;
	await harness.tell(waiting.run, "It is up again.");
	expect(onlyWait(await harness.resume(waiting.run), "user")).toMatchObject({ text: "done" });
	expect(asked.map(isLast)).toEqual([false, false, false, true, false, false]);
});

test.each([5, 6, 7, 8])("two beside each other, with %s turns for both, each give a last answer", async (turnsMax) => {
	const two = ["a", "b"].map((name) =>
		member({ name, story: (ask, n) => (isLast(ask) ? say(`${name} after ${n}`) : look) }),
	);
	const team = parallel(
		two.map(({ agent }) => agent),
		{ name: "both", limits: { turnsMax } },
	);
	const harness = createHarness({ keys: stageKeys, sandbox: "off" });
	const result = await harness.run(team, "Look.");
	expect(result).toMatchObject({ status: "completed" });
	const asked = two.flatMap((one) => one.asked);
	expect(asked.filter(isLast)).toHaveLength(2);
	expect(asked.length).toBeLessThanOrEqual(turnsMax);
	expect(asked.length).toBeGreaterThanOrEqual(turnsMax - 1);
});

describe("a last answer that must have a form", () => {
	const output = z.object({ a: z.number() });

	test("has its repair within the bound", async () => {
		const { harness, agent, asked } = scene({
			story: (ask, n) => (n < 2 && !isLast(ask) ? look : n < 3 ? say("no JSON") : say('{"a":1}')),
			output,
			limits: { turnsMax: 4 },
		});
		expect(await harness.run(agent, "Go.")).toMatchObject({ status: "completed", output: { a: 1 } });
		expect(asked.map(({ messages }) => JSON.stringify(messages.at(-1)).includes("No further tool call"))).toEqual([
			false,
			false,
			true,
			true,
		]);
	});

	test.each([
		[say("no JSON"), "output.invalid", "With no turn left the answer is unusable: it is no JSON"],
		[
			calls([{ tool: "look" }]),
			"model.answered_nothing",
			"With no turn left the answer is unusable: the answer was empty",
		],
	] as const)("without a turn left the run says what was wrong with it: %#", async (last, code, message) => {
		const { harness, agent } = scene({
			story: (ask) => (isLast(ask) ? last : look),
			output,
			limits: { turnsMax: 2 },
		});
		expect(await harness.run(agent, "Go.")).toMatchObject({ status: "failed", error: { code, message } });
	});
});
