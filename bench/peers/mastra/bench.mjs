import { Agent } from "@mastra/core/agent";
import { Mastra } from "@mastra/core/mastra";
import { InMemoryStore } from "@mastra/core/storage";
import { createTool } from "@mastra/core/tools";
import { z } from "zod";
import { plannedModel } from "../../script-model.ts";
import { serveRows, settledBytes, timed } from "../../subject.ts";
import { check, instructions, lookup, prompt, toolDescription } from "../../work.ts";

const { model, plan } = plannedModel();
const inputSchema = z.object({ id: z.number() });
const find = createTool({ id: "lookup", description: toolDescription, inputSchema, execute: async (args) => lookup(args) });
const newAgent = () => new Agent({ id: "a", name: "a", instructions, model, tools: { lookup: find } });
const agent = newAgent();
const maxSteps = 1_000;

/** A fresh store for each measurement: it keeps every run. */
let storage;
let holding;

function begin() {
	storage = new InMemoryStore();
	holding = new Mastra({ agents: { a: newAgent() }, storage, logger: false }).getAgent("a");
}

async function suspend({ calls = 0 }) {
	plan(calls + 1);
	const result = await holding.generate(prompt, { maxSteps, requireToolApproval: ({ args }) => args.id === calls });
	check(result.finishReason === "suspended", "a call is held");
	return { runId: result.runId, toolCallId: result.suspendPayload.toolCallId };
}

/** Of all its workflows. */
async function storedBytes(runs) {
	const workflows = await storage.getStore("workflows");
	const rows = (await workflows.listWorkflowRuns({})).runs;
	const sizes = rows.map(({ snapshot }) => {
		return Buffer.byteLength(typeof snapshot === "string" ? snapshot : JSON.stringify(snapshot));
	});
	return sizes.reduce((sum, size) => sum + size, 0) / runs;
}

await serveRows({
	calls: timed({
		async run(_, { calls }) {
			plan(calls);
			check((await agent.generate(prompt, { maxSteps })).text === "done", "it is done");
		},
	}),
	stream: timed({
		async run(_, { calls }) {
			plan(calls);
			let text = "";
			for await (const chunk of (await agent.stream(prompt, { maxSteps })).textStream) text += chunk;
			check(text === "done", "it is done");
		},
	}),
	resume: timed({
		begin,
		prepare: suspend,
		async run(place) {
			check((await holding.approveToolCallGenerate(place)).text === "done", "it is done");
		},
	}),
	async suspended({ args }) {
		begin();
		const warm = 10;
		for (let i = 0; i < warm; i++) await suspend(args);
		const before = await settledBytes();
		for (let i = 0; i < args.runs; i++) await suspend(args);
		const heap = (await settledBytes()) - before;
		return { heap, stored: await storedBytes(warm + args.runs) };
	},
});
