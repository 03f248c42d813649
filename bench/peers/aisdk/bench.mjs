import { isStepCount, ToolLoopAgent, tool } from "ai";
import { z } from "zod";
import { plannedModel } from "../../script-model.ts";
import { serveRows, settledBytes, timed } from "../../subject.ts";
import { check, instructions, lookup, prompt, toolDescription } from "../../work.ts";

const { model, plan } = plannedModel();
const find = tool({ description: toolDescription, inputSchema: z.object({ id: z.number() }), execute: lookup });
const stopWhen = isStepCount(1_000);
const agent = new ToolLoopAgent({ model, instructions, tools: { lookup: find }, stopWhen });

/** Holds the call whose argument is `heldId`. */
let heldId = 0;
const holding = new ToolLoopAgent({
	model,
	instructions,
	tools: { lookup: find },
	stopWhen,
	toolApproval: { lookup: ({ id }) => (id === heldId ? "user-approval" : undefined) },
});

async function suspend({ calls = 0 }) {
	heldId = calls;
	plan(calls + 1);
	const messages = [{ role: "user", content: prompt }];
	const result = await holding.generate({ messages });
	const requests = result.content.filter((part) => part.type === "tool-approval-request");
	check(requests.length === 1, "a call is held");
	return { stored: JSON.stringify([...messages, ...(result.responseMessages ?? result.response.messages)]), requests };
}

await serveRows({
	calls: timed({
		async run(_, { calls }) {
			plan(calls);
			check((await agent.generate({ prompt })).text === "done", "it is done");
		},
	}),
	stream: timed({
		async run(_, { calls }) {
			plan(calls);
			let text = "";
			for await (const chunk of (await agent.stream({ prompt })).textStream) text += chunk;
			check(text === "done", "it is done");
		},
	}),
	resume: timed({
		prepare: suspend,
		async run({ stored, requests }) {
			const messages = JSON.parse(stored);
			const content = requests.map(({ approvalId }) => ({ type: "tool-approval-response", approvalId, approved: true }));
			messages.push({ role: "tool", content });
			check((await holding.generate({ messages })).text === "done", "it is done");
		},
	}),
	/** Kept as its messages, which is all that a run is. */
	async suspended({ args }) {
		for (let i = 0; i < 20; i++) await suspend(args);
		const before = await settledBytes();
		const live = [];
		for (let i = 0; i < args.runs; i++) live.push(JSON.parse((await suspend(args)).stored));
		const heap = (await settledBytes()) - before;
		return { heap, stored: Buffer.byteLength(JSON.stringify(live[0])) };
	},
});
