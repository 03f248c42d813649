/** Runs in memory: governed calls, streamed ones, and going on after an approval. */
import { type Budget, createHarness, defineAgent, defineTool, type Harness, memoryStore } from "holdpoint";
import { z } from "zod";
import { plannedModel, promptModel } from "../script-model.ts";
import type { Numbers } from "../statistics.ts";
import { serveRows, timed } from "../subject.ts";
import { check, instructions, lookup, prompt, toolDescription } from "../work.ts";

const { model, plan } = plannedModel();
const tool = defineTool({
	name: "lookup",
	description: toolDescription,
	input: z.object({ id: z.number() }),
	effect: "read",
	execute: lookup,
});
const limits = { turnsMax: 10_000, callsMax: 10_000 };
const agent = defineAgent({ name: "bench", instructions, model, tools: [tool], limits });
/** Any number of its runs at a time, each with one call. */
const crowd = defineAgent({ name: "crowd", instructions, model: promptModel(1), tools: [tool], limits });

/** A fresh one for each slice: a store in memory keeps every run. */
let harness: Harness;
/** The call whose arguments carry this id is held. */
let heldId = -1;

async function begin(): Promise<void> {
	await harness?.close();
	heldId = -1;
	harness = createHarness({ store: memoryStore(), agents: [agent] });
}

/** More than any slice uses up. */
const budgets: readonly Budget[] = [
	{ name: "calls", per: "principal", window: "day", counts: "calls", max: 1e12 },
	{ name: "tokens", per: "principal", window: "day", counts: "tokens", max: 1e12 },
	{ name: "time", per: "principal", window: "day", counts: "wallMs", max: 1e12 },
];

async function beginCounted({ budgets: count = 1 }: Numbers): Promise<void> {
	await harness?.close();
	heldId = -1;
	harness = createHarness({ store: memoryStore(), agents: [crowd], budgets: budgets.slice(0, count) });
}

async function beginHeld({ calls = 0 }: Numbers): Promise<void> {
	await harness?.close();
	heldId = calls;
	harness = createHarness({
		store: memoryStore(),
		agents: [agent],
		policy: (request) => {
			const isHeld = (request.args as { readonly id: number }).id === heldId;
			return isHeld ? { verdict: "ask", reason: "it is the one" } : { verdict: "allow" };
		},
	});
}

async function suspend({ calls = 0 }: Numbers) {
	plan(calls + 1);
	const result = await harness.run(agent, prompt);
	const wait = result.status === "waiting" ? result.waits[0] : undefined;
	check(wait?.kind === "approval", result.status);
	return { run: result.run, approval: wait.approval };
}

await serveRows({
	calls: timed({
		begin,
		async run(_, { calls = 1 }) {
			plan(calls);
			const result = await harness.run(agent, prompt);
			check(result.status === "completed" && result.output === "done", result.status);
		},
	}),
	/** So many at once, each with one call. */
	counted: timed({
		begin: beginCounted,
		async run(_, { runs = 1 }) {
			const results = await Promise.all(Array.from({ length: runs }, () => harness.run(crowd, prompt)));
			for (const { status } of results) check(status === "completed", status);
		},
	}),
	stream: timed({
		begin,
		async run(_, { calls = 1 }) {
			plan(calls);
			let text = "";
			const stream = harness.stream(agent, prompt);
			for await (const event of stream) if (event.type === "text.delta") text += event.text;
			check(text === "done" && (await stream.result).status === "completed", text);
		},
	}),
	/** To leave an answer to the call that is held after `calls` others. */
	answer: timed({
		begin: beginHeld,
		prepare: suspend,
		async run({ approval }) {
			await harness.approve(approval);
		},
	}),
	/** To go on with that run, to its end. */
	resume: timed({
		begin: beginHeld,
		async prepare(args) {
			const { run, approval } = await suspend(args);
			await harness.approve(approval);
			return run;
		},
		async run(run) {
			const result = await harness.resume(run);
			check(result.status === "completed" && result.output === "done", result.status);
		},
	}),
});
