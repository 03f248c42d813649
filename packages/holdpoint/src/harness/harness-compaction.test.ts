import type { LanguageModelV4CallOptions } from "@ai-sdk/provider";
import { expect, test } from "vitest";
import { z } from "zod";
import { memoryStore } from "../adapters/stores/memory.ts";
import { createHarness } from "../holdpoint.ts";
import { defineAgent } from "../run/define-agent.ts";
import type { RunEvent } from "../spec/events.ts";
import type { Store } from "../spec/store.ts";
import type { Effect } from "../spec/tool.ts";
import { isForSummary, type PlacedAnswer, placedModel } from "../testing/placed-model.ts";
import { scriptedModel } from "../testing/scripted-model.ts";
import { gate, ofType, onlyWait, stageKeys } from "../testing/stage.ts";
import { call, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";
import { harnessAgent } from "./harness-agent.ts";

const ann = { id: "ann", via: "test" };
const use = (tool: string, args: object): PlacedAnswer => ({ calls: [{ tool, args: args as never }] });

function scene(answers: (place: number) => PlacedAnswer) {
	const requests: LanguageModelV4CallOptions[] = [];
	const look = defineTool({
		name: "look",
		description: "Looks.",
		input: z.object({ n: z.number() }),
		effect: "read",
		execute: ({ n }) => `found ${n} ${"x".repeat(230)}`,
	});
	const agent = harnessAgent({
		name: "clerk",
		instructions: "Serve.",
		tools: [look],
		programs: false,
		memory: false,
		modes: { start: "plan" },
		context: { windowTokens: 3_000, answerTokens: 500 },
		model: placedModel(answers, {
			onRequest: (request) => {
				if (!isForSummary(request)) requests.push(structuredClone(request));
			},
		}),
	});
	const harness = createHarness({ keys: stageKeys, agents: [agent], sandbox: "off", limits: { turnsMax: 100 } });
	/** Of the last prompt: what stands for the folded part of it. */
	const head = () => JSON.stringify(requests.at(-1)?.prompt[1]).replaceAll('\\"', '"');
	const folds = async (run: string) =>
		ofType(
			(await harness.show(run)).events.map(({ event }) => event),
			"context.compacted",
		).filter(({ how }) => how === "fold").length;
	return { harness, agent, head, folds };
}

test("whatever is folded, the request, the mode, todos and calls that wait for a person are not forgotten", async () => {
	const todos = [
		{ text: "look around", status: "doing" },
		{ text: "pay", status: "open" },
	];
	const steps: { [place: number]: PlacedAnswer } = {
		1: use("todo", { todos }),
		2: use("set_mode", { mode: "execute", plan: "Pay 7." }),
		30: { text: "looked" },
		60: { text: "done" },
	};
	const { harness, agent, head, folds } = scene((place) => steps[place] ?? use("look", { n: place }));
	const waiting = await harness.run(agent, "Serve him well.");
	const { approval } = onlyWait(waiting, "approval");
	await harness.tell(waiting.run, "Look around meanwhile.");
	await harness.resume(waiting.run);
	const before = await folds(waiting.run);
	expect(before).toBeGreaterThan(0);
	const open = [
		"Mode: plan. Only what changes nothing may be done.",
		"- [~] look around",
		"- [ ] pay",
		'Pending call: set_mode (§2.0) {"mode":"execute","plan":"Pay 7."}. Do not repeat it; its result comes later.',
	];
	expect(head()).toContain("Serve him well.");
	expect(head()).toContain(`[Open now]\\n${open.join("\\n")}"`);
	expect(head()).toContain("[The user's last words]\\nLook around meanwhile.");

	await harness.approve(approval, { by: ann });
	expect(await harness.resume(waiting.run)).toMatchObject({ status: "completed" });
	expect(await folds(waiting.run)).toBeGreaterThan(before);
	// What is no longer open is not said to be.
	expect(head()).toContain(`[Open now]\\n${open.slice(1, 3).join("\\n")}"`);
});

/** A helper in the background answers at length while the first summary is written. */
function sceneWithHelper(store: Store) {
	const requests: LanguageModelV4CallOptions[] = [];
	const [free, told] = [gate(), gate()];
	const look = defineTool({
		name: "look",
		description: "Looks.",
		input: z.object({ n: z.number() }),
		effect: "read",
		execute: ({ n }) => `found ${n} ${"x".repeat(n === 5 ? 16_000 : 400)}`,
	});
	const slow = plainTool("slow", "read", () => free.promise);
	const helper = defineAgent({
		name: "helper",
		instructions: "Help.",
		tools: [slow],
		model: scriptedModel([call("slow", {}), say(helped)], { countTokens: false }),
	});
	const agent = harnessAgent({
		name: "clerk",
		instructions: "Serve.",
		tools: [look, plainTool("pay", "write", () => "paid")],
		agents: [helper],
		programs: false,
		memory: false,
		context: { windowTokens: 5_000 },
		model: placedModel(
			(place) =>
				place === 1
					? use("ask_helper", { task: "help" })
					: place < 6
						? use("look", { n: place })
						: place === 6
							? use("pay", {})
							: { text: "done" },
			{
				onRequest: (request) => {
					if (!isForSummary(request)) requests.push(structuredClone(request));
				},
				summarise: async (place) => {
					free.resolve();
					await told.promise;
					return `All is found until §${place}.`;
				},
			},
		),
	});
	const harness = createHarness({ store, keys: stageKeys, agents: [agent], sandbox: "off" });
	const onEvent = (event: RunEvent) => {
		if (event.type === "call.finished" && event.call === "c1") told.resolve();
	};
	return { harness, agent, requests, onEvent };
}

const helped = `This helps: ${"h".repeat(2_600)} all of it.`;
const plainTool = (name: string, effect: Effect, execute: () => unknown) =>
	defineTool({ name, description: `Does ${name}.`, input: z.object({}), effect, execute });

test("what comes while a summary is written is shown whole, however short the rest is cut, and so in a process after it", async () => {
	const store = memoryStore();
	const { harness, agent, requests, onEvent } = sceneWithHelper(store);
	const waiting = await harness.run(agent, "Find.", { runId: "run_cut", onEvent });
	const { approval } = onlyWait(waiting, "approval");
	const { events } = await harness.show("run_cut");
	const [fold] = ofType(
		events.map(({ event }) => event),
		"context.compacted",
	);
	expect(fold).toMatchObject({ how: "fold", uncut: 1, kept: 3, fresh: 3 });
	expect(fold?.cutTokensMax).toBeLessThan(650);
	const { prompt = [] } = requests.at(-1) ?? {};
	expect(JSON.stringify(prompt.slice(-1))).toContain(helped);
	expect(JSON.stringify(prompt.slice(-2, -1))).toContain("characters are left out here");
	const later = sceneWithHelper(store);
	await later.harness.approve(approval, { by: ann });
	expect(await later.harness.resume("run_cut")).toMatchObject({ status: "completed" });
	expect(later.requests[0]?.prompt.slice(0, prompt.length)).toEqual(prompt);
});
