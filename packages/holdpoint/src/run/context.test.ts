import type { LanguageModelV4CallOptions } from "@ai-sdk/provider";
import { expect, test } from "vitest";
import { z } from "zod";
import { memoryStore } from "../adapters/stores/memory.ts";
import { harnessAgent } from "../harness/harness-agent.ts";
import { createHarness } from "../holdpoint.ts";
import type { ContextOptions } from "../spec/context.ts";
import type { Store } from "../spec/store.ts";
import { isForSummary, type PlacedAnswer, type PlacedModelOptions, placedModel } from "../testing/placed-model.ts";
import { ofType, stageKeys } from "../testing/stage.ts";
import { defineTool } from "../tools/define-tool.ts";

interface Scene extends PlacedModelOptions {
	readonly context?: false | Partial<ContextOptions>;
	readonly store?: Store;
	readonly bytes?: number;
}

function scene(answers: (place: number) => PlacedAnswer | undefined, options: Scene = {}) {
	const requests: LanguageModelV4CallOptions[] = [];
	const { context = { windowTokens: 4_000, answerTokens: 500 }, store = memoryStore(), bytes = 2_000 } = options;
	const look = defineTool({
		name: "look",
		description: "Looks.",
		input: z.object({ n: z.number() }),
		effect: "read",
		execute: ({ n }) => `found ${n} ${"x".repeat(bytes)}`,
	});
	const model = placedModel(answers, { ...options, onRequest: (request) => requests.push(structuredClone(request)) });
	const agent = harnessAgent({
		name: "clerk",
		instructions: "Look things up.",
		tools: [look],
		programs: false,
		context,
		model,
	});
	const harness = createHarness({ store, keys: stageKeys, agents: [agent], sandbox: "off" });
	return { harness, agent, requests, asked: () => requests.filter((one) => !isForSummary(one)) };
}

const look = (n: number): PlacedAnswer => ({ calls: [{ tool: "look", args: { n } }] });
const until = (last: number) => (place: number) => (place >= last ? { text: "all is found" } : look(place));

test("a long run is compacted, keeps its first request, and never sends more than the window takes", async () => {
	const { harness, agent, asked } = scene(until(40));
	const result = await harness.run(agent, "Find forty things, please.");
	expect(result).toMatchObject({ status: "completed", text: "§40 all is found" });
	const { events } = await harness.show(result.run);
	const compacted = ofType(
		events.map(({ event }) => event),
		"context.compacted",
	);
	expect(compacted.length).toBeGreaterThan(2);
	expect(new Set(compacted.map(({ how }) => how))).toEqual(new Set(["clear", "fold"]));
	for (const { prompt, tools } of asked()) {
		const text = JSON.stringify(prompt);
		expect(text).toContain("Find forty things, please.");
		expect((text.length + JSON.stringify(tools).length) / 4).toBeLessThan(3_500);
	}
});
