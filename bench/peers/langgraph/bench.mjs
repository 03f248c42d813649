import { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { AIMessage } from "@langchain/core/messages";
import { FakeListChatModel } from "@langchain/core/utils/testing";
import { Command, MemorySaver } from "@langchain/langgraph";
import { createReactAgent } from "@langchain/langgraph/prebuilt";
import { createHandoffTool, createSwarm } from "@langchain/langgraph-swarm";
import { createAgent, humanInTheLoopMiddleware, summarizationMiddleware, tool } from "langchain";
import { z } from "zod";
import { serveRows, settledBytes, timed } from "../../subject.ts";
import { check, checkShown, describe, instructions, lookup, prompt, summary, toolDescription } from "../../work.ts";

/** The same script as `script-model.ts`, behind this framework's own model interface. */
class ScriptModel extends BaseChatModel {
	asked = 0;
	planned = 0;
	callOf;
	/** Messages of the last request. */
	shown = 0;

	constructor() {
		super({});
	}

	/** `callOf`: the call of this number; default: a lookup. */
	plan(calls, callOf = (id) => ({ name: "lookup", args: { id } })) {
		this.asked = 0;
		this.planned = calls;
		this.callOf = callOf;
	}

	_llmType() {
		return "script";
	}

	bindTools() {
		return this;
	}

	async _generate(messages) {
		this.shown = messages.length;
		const id = this.asked++;
		const call = id < this.planned && { id: `c${id}`, ...this.callOf(id), type: "tool_call" };
		const message = call ? new AIMessage({ content: "", tool_calls: [call] }) : new AIMessage("done");
		return { generations: [{ message, text: "" }] };
	}
}

const model = new ScriptModel();
const reading = { name: "lookup", description: toolDescription, schema: z.object({ id: z.number() }) };
const find = tool(async (args) => JSON.stringify(lookup(args)), reading);
const agent = createAgent({ model, systemPrompt: instructions, tools: [find] });
const input = { messages: [{ role: "user", content: prompt }] };
const recursionLimit = 10_000;

/** A fresh store for each measurement: it keeps every checkpoint. */
let saver;
let holding;
let heldId = 0;
let threads = 0;

function begin() {
	saver = new MemorySaver();
	const lookupGate = { allowedDecisions: ["approve", "reject"], when: ({ toolCall }) => toolCall.args.id === heldId };
	const middleware = [humanInTheLoopMiddleware({ interruptOn: { lookup: lookupGate } })];
	holding = createAgent({ model, systemPrompt: instructions, tools: [find], checkpointer: saver, middleware });
}

const placeOf = (thread) => ({ recursionLimit, configurable: { thread_id: thread } });

async function suspend({ calls = 0 }) {
	heldId = calls;
	model.plan(calls + 1);
	const thread = `t${threads++}`;
	const result = await holding.invoke(input, placeOf(thread));
	check(result.__interrupt__?.length === 1, "a call is held");
	return thread;
}

function bytesOf(value) {
	if (value === null || value === undefined) return 0;
	if (value instanceof Uint8Array) return value.byteLength;
	if (typeof value === "string") return Buffer.byteLength(value);
	if (typeof value !== "object") return 0;
	return Object.values(value).reduce((sum, item) => sum + bytesOf(item), 0);
}

/** Every checkpoint of the thread, and its pending writes. */
function storedBytes({ storage, writes }, thread) {
	const pending = Object.entries(writes).filter(([key]) => key.includes(`"${thread}"`));
	return bytesOf(storage[thread]) + bytesOf(pending.map(([, write]) => write));
}

/** Each hands on to the next one. No checkpoints: nothing of it is kept. */
function swarmOf(handoffs) {
	const agents = Array.from({ length: handoffs + 1 }, (_, at) => {
		const onwards = at < handoffs ? [createHandoffTool({ agentName: `agent${at + 1}` })] : [];
		return createReactAgent({ llm: model, name: `agent${at}`, prompt: instructions, tools: [find, ...onwards] });
	});
	return createSwarm({ agents, defaultActiveAgent: "agent0" }).compile();
}

const handTo = (at) => ({ name: `transfer_to_agent${at + 1}`, args: {} });
let swarm;

const isDone = (result) => check(result.messages.at(-1).content === "done", "it is done");

const describing = tool(async (args) => JSON.stringify(describe(args)), reading);
const long = "long";

/** Its own compaction, which keeps twenty messages if it is not told otherwise. */
function longAgent(checkpointer, window) {
	const summariser = new FakeListChatModel({ responses: [summary] });
	const fitting = window ? [summarizationMiddleware({ model: summariser, trigger: { tokens: window } })] : [];
	return createAgent({ model, systemPrompt: instructions, tools: [describing], checkpointer, middleware: fitting });
}

const built = new Map();

/** A saver with that conversation, made once: one checkpoint at the end of the run, which keeps one a step if not told so. */
async function builtSaver({ calls }) {
	if (!built.has(calls)) {
		const made = new MemorySaver();
		model.plan(calls);
		isDone(await longAgent(made).invoke(input, { ...placeOf(long), durability: "exit" }));
		built.set(calls, made);
	}
	return built.get(calls);
}

async function copiedSaver(args) {
	const { storage, writes } = await builtSaver(args);
	return Object.assign(new MemorySaver(), structuredClone({ storage, writes }));
}

await serveRows({
	send: timed({
		prepare: async (args) => longAgent(await copiedSaver(args), args.window),
		async run(speaking, args) {
			model.plan(0);
			isDone(await speaking.invoke(input, placeOf(long)));
			checkShown(model.shown, args);
		},
	}),
	storedSession: async ({ args }) => ({ stored: storedBytes(await builtSaver(args), long) }),
	calls: timed({
		async run(_, { calls }) {
			model.plan(calls);
			isDone(await agent.invoke(input, { recursionLimit }));
		},
	}),
	stream: timed({
		async run(_, { calls }) {
			model.plan(calls);
			let chunks = 0;
			const options = { recursionLimit, streamMode: ["updates", "messages"] };
			for await (const chunk of await agent.stream(input, options)) if (chunk) chunks++;
			check(chunks > 0, "it streams");
		},
	}),
	handoffs: timed({
		begin: ({ handoffs }) => {
			swarm = swarmOf(handoffs);
		},
		async run(_, { handoffs }) {
			model.plan(handoffs, handTo);
			const result = await swarm.invoke(input, { recursionLimit });
			check(result.activeAgent === `agent${handoffs}`, "the last one has it");
			isDone(result);
		},
	}),
	resume: timed({
		begin,
		prepare: suspend,
		async run(thread) {
			const command = new Command({ resume: { decisions: [{ type: "approve" }] } });
			isDone(await holding.invoke(command, placeOf(thread)));
		},
	}),
	async suspended({ args }) {
		begin();
		for (let i = 0; i < 20; i++) await suspend(args);
		const before = await settledBytes();
		const threadIds = [];
		for (let i = 0; i < args.runs; i++) threadIds.push(await suspend(args));
		const heap = (await settledBytes()) - before;
		return { heap, stored: storedBytes(saver, threadIds[0]) };
	},
});
