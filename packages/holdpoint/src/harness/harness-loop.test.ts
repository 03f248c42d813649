import { expect, test } from "vitest";
import { z } from "zod";
import { createHarness, type HarnessOptions } from "../holdpoint.ts";
import { tokenEstimate } from "../kit/token-estimate.ts";
import { fakeClock } from "../testing/fake-clock.ts";
import { scriptedModel } from "../testing/scripted-model.ts";
import { ofType, onlyWait, stageKeys } from "../testing/stage.ts";
import { call, failing, type StoryAsk, type StoryStep, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";
import { type HarnessAgentDefinition, harnessAgent } from "./harness-agent.ts";

interface Scene extends Partial<HarnessAgentDefinition> {
	readonly harness?: HarnessOptions;
	/** What it judges, given how often it was asked before. */
	readonly judge: (ask: StoryAsk, times: number) => StoryStep;
	readonly countTokens?: boolean;
}

function scene({ harness: ports = {}, judge, countTokens = false, ...definition }: Scene) {
	const judged: StoryAsk[] = [];
	const story = (ask: StoryAsk, n: number) => {
		if (!ask.system.startsWith("You judge")) return say(`answer ${n + 1}`);
		judged.push(ask);
		return judge(ask, judged.length - 1);
	};
	const agent = harnessAgent({
		name: "clerk",
		instructions: "Serve.",
		programs: false,
		model: scriptedModel(story, { countTokens }),
		loop: { criteria: "it is good" },
		...definition,
	});
	const clock = fakeClock({ skipMs: 20_000 });
	const harness = createHarness({ keys: stageKeys, sandbox: "off", agents: [agent], clock, ...ports });
	const events = async (run: string) => (await harness.show(run)).events.map(({ event }) => event);
	return { harness, agent, judged, clock, events };
}

test("while the judge is to be asked later the run waits, and is judged then", async () => {
	const { harness, agent, judged, clock } = scene({
		judge: (_, times) => (times === 0 ? failing(429, { "retry-after": "60" }) : say("DONE")),
	});
	const waiting = await harness.run(agent, "Go.");
	onlyWait(waiting, "timer");
	clock.advance(60_000);
	expect(await harness.resume(waiting.run)).toMatchObject({ status: "completed", text: "answer 1" });
	expect(judged).toHaveLength(2);
});

test("a judge that is always to be asked later is waited for as often as any model", async () => {
	const { harness, agent, clock } = scene({
		judge: () => failing(429, { "retry-after": "60" }),
		limits: { modelWaitsMax: 2 },
	});
	const { run } = await harness.run(agent, "Go.", { runId: "run_patience" });
	clock.advance(60_000);
	onlyWait(await harness.resume(run), "timer");
	clock.advance(60_000);
	await expect(harness.resume(run)).rejects.toMatchObject({ code: "model.unavailable" });
});

test("a budget that has nothing left for the judge ends the run, and what was answered stands", async () => {
	const { harness, agent, judged } = scene({
		judge: () => say("DONE"),
		settings: { maxOutputTokens: 10 },
		// Criteria that alone take more than what the answer leaves.
		loop: { criteria: `it is good, ${"really ".repeat(3_000)}` },
		harness: { budgets: [{ name: "all", counts: "tokens", max: 12_000 }] },
	});
	const result = await harness.run(agent, "Go.");
	expect(result).toMatchObject({ status: "failed", text: "answer 1", error: { code: "limit.budget" } });
	expect(judged).toHaveLength(0);
	expect(await harness.resume(result.run)).toMatchObject({ status: "failed", error: { code: "limit.budget" } });
});

test("what the judge is asked fits into what it can read", async () => {
	const { harness, agent, judged } = scene({
		judge: () => say("DONE"),
		context: { windowTokens: 4_000, answerTokens: 500 },
		middleware: [
			{
				name: "talks",
				model: async (request, next) => {
					const answer = await next(request);
					return { ...answer, content: [{ type: "text", text: `DONE ${"b".repeat(80_000)}` }] };
				},
			},
		],
	});
	await harness.run(agent, `first ${"a".repeat(80_000)} last`);
	expect(judged).toHaveLength(1);
	const [{ system, lastUser } = { system: "", lastUser: "" }] = judged;
	expect(tokenEstimate([system, lastUser])).toBeLessThan(3_500);
	expect(lastUser).toMatch(/it is good[\s\S]*What it was asked:\nfirst a[\s\S]*a last\n\nIts answer:\nDONE b/);
});

test("in a later round the judge is told what the user asked, and not what it said itself", async () => {
	const { harness, agent, judged } = scene({ judge: (_, times) => say(times === 0 ? "a date is missing" : "DONE") });
	expect(await harness.run(agent, "When does it come?")).toMatchObject({ status: "completed", text: "answer 2" });
	expect(judged.map(({ lastUser }) => lastUser)).toEqual([
		"Criteria:\nit is good\n\nWhat it was asked:\nWhen does it come?\n\nIts answer:\nanswer 1",
		"Criteria:\nit is good\n\nWhat it was asked:\nWhen does it come?\n\nIts answer:\nanswer 2",
	]);
});

test("what the judge takes is in the run's usage, with a budget and without one", async () => {
	for (const budgets of [[], [{ name: "all", counts: "tokens", max: 100_000 }] as const]) {
		const { harness, agent, events } = scene({ judge: () => say("DONE"), countTokens: true, harness: { budgets } });
		const { run, usage } = await harness.run(agent, "Go.");
		const [answered] = ofType(await events(run), "model.answered");
		const [judged] = ofType(await events(run), "model.unanswered");
		expect(judged?.usage?.inputTokens).toBeGreaterThan(50);
		expect(judged?.spent).toHaveLength(budgets.length);
		expect(usage.inputTokens).toBe((answered?.usage.inputTokens ?? 0) + (judged?.usage?.inputTokens ?? 0));
	}
});

test("a loop waits for whoever must answer: nothing is judged before, and what came of it is", async () => {
	const asked: string[] = [];
	const paid: string[] = [];
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		input: z.object({ to: z.string() }),
		effect: "write",
		execute: ({ to }) => {
			paid.push(to);
			return "paid";
		},
	});
	const { harness, agent, events } = scene({
		judge: () => say("DONE"),
		tools: [pay],
		loop: {
			until: (answer) => {
				asked.push(answer);
				return answer === "all is paid" || "Pay bob, too.";
			},
		},
		model: scriptedModel(
			[
				say("ann wants to be paid"),
				call("pay", { to: "bob" }),
				say("it waits for an approval"),
				{ when: /Result of the pending call pay/, ...say("all is paid") },
			],
			{ countTokens: false },
		),
	});
	const { run, ...first } = await harness.run(agent, "Pay.");
	const { approval } = onlyWait({ run, ...first } as never, "approval");
	expect(asked).toEqual(["ann wants to be paid"]);
	// Whoever speaks meanwhile is answered, and that answer is none to be judged.
	await harness.tell(run, "How is it?");
	expect(await harness.resume(run)).toMatchObject({ status: "waiting", text: "it waits for an approval" });
	expect(await harness.resume(run)).toMatchObject({ status: "waiting" });
	expect(asked).toHaveLength(1);
	expect(paid).toEqual([]);
	await harness.approve(approval, { by: { id: "ann", via: "test" } });
	expect(await harness.resume(run)).toMatchObject({ status: "completed", text: "all is paid" });
	expect(asked).toEqual(["ann wants to be paid", "all is paid"]);
	expect(paid).toEqual(["bob"]);
	expect(ofType(await events(run), "agent.continued").map(({ prompt }) => prompt)).toEqual(["Pay bob, too."]);
});
