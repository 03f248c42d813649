import type { LanguageModelV4CallOptions } from "@ai-sdk/provider";
import { expect, test } from "vitest";
import { z } from "zod";
import { createHarness } from "../holdpoint.ts";
import { isForSummary, type PlacedAnswer, placedModel } from "../testing/placed-model.ts";
import { ofType, onlyWait, stageKeys } from "../testing/stage.ts";
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
