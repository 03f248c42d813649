import { expect, test } from "vitest";
import { z } from "zod";
import { memoryStore } from "../adapters/stores/memory.ts";
import { createHarness, type HarnessOptions } from "../holdpoint.ts";
import { defineAgent } from "../run/define-agent.ts";
import { handoff, pipeline } from "../teams.ts";
import { crashingStore } from "../testing/crashing-store.ts";
import { fakeClock } from "../testing/fake-clock.ts";
import { isForSummary, type PlacedAnswer, placedModel } from "../testing/placed-model.ts";
import { scriptedModel } from "../testing/scripted-model.ts";
import { ofType, onlyWait, stageKeys } from "../testing/stage.ts";
import { call, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";
import { harnessAgent } from "./harness-agent.ts";

const done: string[] = [];

function member(name: string, answers: (place: number) => PlacedAnswer | undefined, more: object = {}) {
	const prompts: string[] = [];
	const input = z.object({ n: z.number() });
	const look = defineTool({
		name: "look",
		description: "Looks.",
		input,
		effect: "read",
		execute: ({ n }) => `found ${n} ${"x".repeat(1_500)}`,
	});
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		input,
		effect: "write",
		execute: ({ n }) => done.push(`${name} ${n}`),
	});
	const agent = harnessAgent({
		name,
		instructions: `You are ${name}.`,
		programs: false,
		tools: [look, pay],
		context: { windowTokens: 4_000, answerTokens: 500 },
		model: placedModel(answers, {
			onRequest: (request) => {
				if (!isForSummary(request)) prompts.push(JSON.stringify([request.prompt, request.tools ?? []]));
			},
		}),
		...more,
	});
	return { agent, prompts };
}

const use = (tool: string, args: object): PlacedAnswer => ({ calls: [{ tool, args: args as never }] });

test("in a team each member's own thread is kept within its window, and what was handed over stays", async () => {
	const desk = member("desk", (place) =>
		place === 1
			? use("todo", { todos: [{ text: "the desk's", status: "open" }] })
			: place < 12
				? use("look", { n: place })
				: use("handoff_to_clerk", { reason: "find more", summary: "found 10" }),
	);
	const clerk = member("clerk", (place) => (place < 30 ? use("look", { n: place }) : { text: "all is found" }));
	const team = handoff({ name: "team" })
		.participants([desk.agent, clerk.agent])
		.coordinator(desk.agent)
		.edge("desk", "clerk")
		.interaction("autonomous")
		.build();
	const harness = createHarness({ keys: stageKeys, sandbox: "off" });
	const { run } = await harness.run(team, "Find thirty things.");
	const { events, state } = await harness.show(run);
	const compacted = ofType(
		events.map(({ event }) => event),
		"context.compacted",
	);
	expect(new Set(compacted.map(({ agent }) => agent))).toEqual(new Set(["desk", "clerk"]));
	for (const prompt of [...desk.prompts, ...clerk.prompts]) {
		expect(prompt).toContain("Find thirty things.");
		expect(prompt.length / 4).toBeLessThan(3_500);
	}
	expect(clerk.prompts[0]).toContain("Summary: found 10");
	const todos = (name: string) => state.conversation.threads.get(name)?.context.todos;
	expect([todos("desk"), todos("clerk")]).toEqual([[{ text: "the desk's", status: "open" }], []]);
});

test("whoever hands on while its background works is not asked again: that comes to its end first", async () => {
	done.length = 0;
	const helper = member("helper", (place) => (place === 1 ? use("pay", { n: 7 }) : { text: "paid 7" }));
	const answers: (place: number) => PlacedAnswer = (place) =>
		place === 1
			? use("ask_helper", { task: "pay 7" })
			: place === 2
				? use("handoff_to_clerk", { reason: "go on" })
				: use("pay", { n: 666 });
	const desk = member("desk", answers, { agents: [helper.agent] });
	const clerk = member("clerk", () => ({ text: "all is well" }));
	const team = handoff({ name: "team" })
		.participants([desk.agent, clerk.agent])
		.coordinator(desk.agent)
		.edge("desk", "clerk")
		.build();
	const policy = ({ args }: { readonly args: unknown }) =>
		(args as { n?: number }).n === 7 ? ({ verdict: "ask", reason: "money" } as const) : ({ verdict: "allow" } as const);
	const harness = createHarness({ keys: stageKeys, sandbox: "off", policy });
	const waiting = await harness.run(team, "Pay 7 and go on.");
	expect(waiting).toMatchObject({ status: "waiting" });
	expect(desk.prompts).toHaveLength(2);
	const [held] = await harness.approvals({ run: waiting.run });
	await harness.approve(held?.approval ?? "", { by: { id: "ann", via: "test" } });
	await harness.resume(waiting.run);
	const events = (await harness.show(waiting.run)).events.map(({ event }) => event);
	const types = events.map(({ type }) => type);
	expect(types.lastIndexOf("call.finished")).toBeLessThan(types.indexOf("run.handed"));
	expect(ofType(events, "run.handed")).toMatchObject([{ to: "clerk" }]);
	expect(done).toEqual(["helper 7"]);
	expect([desk.prompts.length, clerk.prompts.length]).toEqual([2, 1]);
});

test("a handoff does not lead out of plan mode, and a member that plans makes the team plan", async () => {
	done.length = 0;
	const desk = member("desk", () => use("handoff_to_clerk", { reason: "pay it" }), { modes: { start: "plan" } });
	const clerk = member("clerk", (place) => (place === 1 ? use("pay", { n: 1 }) : { text: "I may not" }));
	const team = handoff({ name: "team" })
		.participants([desk.agent, clerk.agent])
		.coordinator(desk.agent)
		.edge("desk", "clerk")
		.build();
	const harness = createHarness({ keys: stageKeys, sandbox: "off", policy: () => ({ verdict: "allow" }) });
	const { run } = await harness.run(team, "Pay.");
	const { events } = await harness.show(run);
	expect(done).toEqual([]);
	expect(
		ofType(
			events.map(({ event }) => event),
			"run.started",
		)[0]?.mode,
	).toBe("plan");
	const ends = ofType(
		events.map(({ event }) => event),
		"call.finished",
	).map(({ outcome }) => outcome);
	expect(ends.at(-1)).toMatchObject({ denied: expect.stringContaining("In plan mode nothing is changed: pay") });
});

test.each(["handoff", "pipeline"])(
	"a member that begins in plan mode does so when a %s brings it the work",
	async (way) => {
		done.length = 0;
		const desk = member("desk", () =>
			way === "handoff" ? use("handoff_to_clerk", { reason: "pay it" }) : { text: "go on" },
		);
		const clerk = member("clerk", (place) => (done.length + place < 3 ? use("pay", { n: 1 }) : { text: "I may not" }), {
			modes: { start: "plan" },
		});
		const team =
			way === "pipeline"
				? pipeline([desk.agent, clerk.agent], { name: "line" })
				: handoff({ name: "team" })
						.participants([desk.agent, clerk.agent])
						.coordinator(desk.agent)
						.edge("desk", "clerk")
						.build();
		const harness = createHarness({ keys: stageKeys, sandbox: "off", policy: () => ({ verdict: "allow" }) });
		const { run } = await harness.run(team, "Pay.");
		expect(done).toEqual([]);
		const { events } = await harness.show(run);
		expect(
			ofType(
				events.map(({ event }) => event),
				"run.handed",
			)[0]?.mode,
		).toBe("plan");
		const denied = ofType(
			events.map(({ event }) => event),
			"call.finished",
		).filter(({ outcome }) => "denied" in outcome);
		expect(denied.length).toBeGreaterThan(0);
	},
);

test("in a pipeline each one has its own last answer and its own loop", async () => {
	const first = member("first", (place) => (place < 3 ? use("look", { n: place }) : { text: "draft" }), {
		limits: { turnsMax: 3 },
	});
	const second = member("second", (place) => ({ text: place < 5 ? "not yet" : "final" }), {
		loop: { until: (answer: string) => answer.includes("final") },
	});
	const harness = createHarness({ keys: stageKeys, sandbox: "off" });
	const result = await harness.run(pipeline([first.agent, second.agent], { name: "line" }), "Write it.");
	expect(result).toMatchObject({ status: "completed", text: expect.stringContaining("final") });
	expect(first.prompts.at(-1)).toContain("No further tool call is possible");
	expect(second.prompts.at(-1)).toContain("This is not done yet. Go on.");
});

test("rounds of a loop and those of an agent that works by itself are counted apart", async () => {
	const clerk = member("clerk", (place) => ({ text: `try ${place}` }), { loop: { until: () => false, roundsMax: 3 } });
	const team = handoff({ name: "team" })
		.participants([clerk.agent])
		.coordinator(clerk.agent)
		.interaction("autonomous", { turnsMax: 2 })
		.build();
	const harness = createHarness({ keys: stageKeys, sandbox: "off" });
	const { run, status } = await harness.run(team, "Try.");
	expect(status).toBe("waiting");
	const { events } = await harness.show(run);
	const continued = ofType(
		events.map(({ event }) => event),
		"agent.continued",
	);
	const round = [true, true, true];
	expect(continued.map(({ loop }) => loop)).toEqual([...round, undefined, ...round, undefined, ...round]);
});

test("what a member notes and remembers all of the team find, each with its own todos", async () => {
	const todos = (text: string) => use("todo", { todos: [{ text, status: "open" }] });
	const steps: { [place: number]: PlacedAnswer } = {
		1: todos("the desk's"),
		2: use("note", { name: "order", text: "Order 7 is late." }),
		3: use("remember", { name: "tea", text: "Likes green tea." }),
		4: { text: "noted" },
		5: use("memory", {}),
		6: use("memory", { name: "order" }),
		7: todos("the clerk's"),
		8: { text: "read" },
	};
	const desk = member("desk", (place) => steps[place]);
	const clerk = member("clerk", (place) => steps[place]);
	const harness = createHarness({ keys: stageKeys, sandbox: "off", policy: () => ({ verdict: "allow" }) });
	const line = pipeline([desk.agent, clerk.agent], { name: "line" });
	const { run, status } = await harness.session("s", line).send("Serve him.", { principal: "ann" });
	expect(status).toBe("completed");
	const { events, state } = await harness.show(run);
	const [, , , all, order] = ofType(
		events.map(({ event }) => event),
		"call.finished",
	).map(({ outcome }) => JSON.stringify(outcome));
	const systemOf = ([prompt = "[]"]: readonly string[]) => String(JSON.parse(prompt)[0][0].content);
	for (const found of ["Order 7 is late.", "Likes green tea."]) {
		// It is found when it is looked for, and stands behind the instructions of whoever begins after it was written.
		expect(all).toContain(found);
		expect(systemOf(clerk.prompts)).toContain(found);
		expect(systemOf(desk.prompts)).not.toContain(found);
	}
	expect(order).toContain("Order 7 is late.");
	const written = await harness.memory.list({ session: "s" });
	expect(written).toMatchObject([{ name: "order", by: { run, call: "c2", agent: "desk" } }]);
	expect(await harness.memory.list({ principal: "ann" })).toMatchObject([{ name: "tea", by: { agent: "desk" } }]);
	const listOf = (name: string) => state.conversation.threads.get(name)?.context.todos.map(({ text }) => text);
	expect([listOf("desk"), listOf("clerk")]).toEqual([["the desk's"], ["the clerk's"]]);
});

const ann = { id: "ann", via: "test" };

/** A pipeline whose first one has a helper in its background, which must be allowed to pay. */
function lineWithHelper(paid: Set<string>, ports: HarnessOptions = {}) {
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		input: z.object({}),
		effect: "write",
		repeat: "keyed",
		execute: (_, { idempotencyKey }) => {
			paid.add(idempotencyKey);
			return "paid";
		},
	});
	const helper = defineAgent({
		name: "helper",
		instructions: "Help.",
		tools: [pay],
		model: scriptedModel([call("pay", {}), say("helper is done")], { countTokens: false }),
	});
	const modelOf = (story: Parameters<typeof scriptedModel>[0]) => scriptedModel(story, { countTokens: false });
	const desk = harnessAgent({
		name: "desk",
		instructions: "Lead.",
		programs: false,
		agents: [helper],
		model: modelOf([
			call("ask_helper", { task: "pay it" }),
			say("it is under way"),
			{ when: /Result of the pending call ask_helper .*helper is done/, ...say("desk is done") },
		]),
	});
	const clerk = harnessAgent({
		name: "clerk",
		instructions: "Check.",
		programs: false,
		model: modelOf([{ when: /desk is done/, ...say("clerk is done") }]),
	});
	const line = pipeline([desk, clerk], { name: "line" });
	return { harness: createHarness({ keys: stageKeys, sandbox: "off", agents: [line], ...ports }), line };
}

test("a member's helper in the background is waited for, and the next one begins when its answer was told", async () => {
	const paid = new Set<string>();
	const { harness, line } = lineWithHelper(paid);
	const waiting = await harness.run(line, "Go.");
	expect(waiting).toMatchObject({ status: "waiting", text: "it is under way" });
	const wait = onlyWait(waiting, "approval");
	expect(wait).toMatchObject({ agent: "helper", tool: "pay" });
	await harness.approve(wait.approval, { by: ann });
	expect(await harness.resume(waiting.run)).toMatchObject({ status: "completed", text: "clerk is done" });
	expect(paid.size).toBe(1);
	const { events } = await harness.show(waiting.run);
	const answers = ofType(
		events.map(({ event }) => event),
		"model.answered",
	);
	// The helper's come in between.
	expect(answers.flatMap(({ agent }) => agent ?? [])).toEqual(["desk", "desk", "desk", "clerk"]);
	expect(answers.slice(-2).map(({ agent }) => agent)).toEqual(["desk", "clerk"]);
});

test("so it is when its process dies at any commit", async () => {
	const play = async (at: number | undefined, when: "before" | "after") => {
		const clock = fakeClock({ skipMs: 20_000 });
		const inner = memoryStore();
		const store = crashingStore(inner, at === undefined ? {} : { at, when });
		const paid = new Set<string>();
		for (const each of [store, inner]) {
			const { harness, line } = lineWithHelper(paid, { store: each, clock });
			try {
				let result = await harness.run(line, "Go.", { runId: "run_line" });
				while (result.status === "waiting") {
					await harness.approve(onlyWait(result, "approval").approval, { by: ann });
					result = await harness.resume("run_line");
				}
				return { ...result, paid: paid.size, commits: store.commits };
			} catch (error) {
				if (!store.crashed) throw error;
				clock.advance(60_000);
			}
		}
		throw new Error("The second process has no plan of a crash");
	};
	const { commits } = await play(undefined, "before");
	expect(commits).toBeGreaterThan(3);
	for (let at = 1; at <= commits; at++) {
		for (const when of ["before", "after"] as const) {
			expect(await play(at, when)).toMatchObject({ status: "completed", text: "clerk is done", paid: 1 });
		}
	}
});
