import { Agent, MemorySession, Runner, RunState, setTracingDisabled, tool } from "@openai/agents";
import { z } from "zod";
import { serveRows, settledBytes, timed } from "../../subject.ts";
import { check, checkShown, describe, instructions, lookup, prompt, toolDescription } from "../../work.ts";

setTracingDisabled(true);

const usage = () => ({
	requests: 1,
	inputTokens: 10,
	outputTokens: 5,
	totalTokens: 15,
	inputTokensDetails: [],
	outputTokensDetails: [],
});

/** The same script as `script-model.ts`, behind this framework's own model interface. */
class ScriptModel {
	#asked = 0;
	#planned = 0;
	#callOf;
	/** Items of the last request. */
	shown = 0;

	/** `callOf`: the call of this number; default: a lookup. */
	plan(calls, callOf = (id) => ({ name: "lookup", args: { id } })) {
		this.#asked = 0;
		this.#planned = calls;
		this.#callOf = callOf;
	}

	async getResponse({ input }) {
		this.shown = input.length;
		return { usage: usage(), output: this.#next(), responseId: "r" };
	}

	async *getStreamedResponse() {
		const output = this.#next();
		yield { type: "response_started" };
		yield { type: "response_done", response: { id: "r", usage: usage(), output } };
	}

	#next() {
		const id = this.#asked++;
		if (id >= this.#planned) {
			const content = [{ type: "output_text", text: "done" }];
			return [{ type: "message", id: `m${id}`, role: "assistant", status: "completed", content }];
		}
		const { name, args } = this.#callOf(id);
		const call = { id: `f${id}`, callId: `c${id}`, name, arguments: JSON.stringify(args) };
		return [{ type: "function_call", ...call, status: "completed" }];
	}
}

const model = new ScriptModel();
const runner = new Runner({ tracingDisabled: true });
let heldId = 0;

const parameters = z.object({ id: z.number() });

function lookupTool(needsApproval, execute = lookup) {
	return tool({ name: "lookup", description: toolDescription, parameters, needsApproval, execute });
}

function agentWith(...tools) {
	return new Agent({ name: "a", instructions, model, tools });
}

const find = lookupTool(false);
const agent = agentWith(find);
const holding = agentWith(lookupTool(async (_, { id }) => id === heldId));
const options = { maxTurns: 10_000 };

/** Each hands on to the next one; the first one is returned. */
function chainOf(handoffs) {
	let next;
	for (let at = handoffs; at >= 0; at--) {
		next = new Agent({ name: `agent${at}`, instructions, model, tools: [find], handoffs: next ? [next] : [] });
	}
	return next;
}

const handTo = (at) => ({ name: `transfer_to_agent${at + 1}`, args: {} });
let chain;

async function suspend({ calls = 0 }) {
	heldId = calls;
	model.plan(calls + 1);
	const result = await runner.run(holding, prompt, options);
	check(result.interruptions?.length === 1, "a call is held");
	return result.state;
}

const describing = agentWith(lookupTool(false, describe));
/** Ten calls with their results, and the answer. */
const recent = 21;
const sessionInputCallback = (history, items) => [...history.slice(-recent), ...items];
const built = new Map();

/** The items of that conversation; made once. */
async function builtItems({ calls }) {
	if (!built.has(calls)) {
		const session = new MemorySession();
		model.plan(calls);
		await runner.run(describing, prompt, { ...options, session });
		built.set(calls, await session.getItems());
	}
	return built.get(calls);
}

await serveRows({
	send: timed({
		prepare: async (args) => new MemorySession({ initialItems: await builtItems(args) }),
		async run(session, args) {
			model.plan(0);
			const cut = args.window === undefined ? {} : { sessionInputCallback };
			check((await runner.run(describing, prompt, { session, ...cut })).finalOutput === "done", "it is done");
			checkShown(model.shown, args);
		},
	}),
	storedSession: async ({ args }) => ({ stored: Buffer.byteLength(JSON.stringify(await builtItems(args))) }),
	calls: timed({
		async run(_, { calls }) {
			model.plan(calls);
			check((await runner.run(agent, prompt, options)).finalOutput === "done", "it is done");
		},
	}),
	stream: timed({
		async run(_, { calls }) {
			model.plan(calls);
			const result = await runner.run(agent, prompt, { ...options, stream: true });
			let events = 0;
			for await (const event of result) if (event) events++;
			await result.completed;
			check(events > 0 && result.finalOutput === "done", "it is done");
		},
	}),
	handoffs: timed({
		begin: ({ handoffs }) => {
			chain = chainOf(handoffs);
		},
		async run(_, { handoffs }) {
			model.plan(handoffs, handTo);
			const { lastAgent, finalOutput } = await runner.run(chain, prompt, options);
			check(lastAgent.name === `agent${handoffs}` && finalOutput === "done", "the last one answers");
		},
	}),
	resume: timed({
		prepare: async (args) => (await suspend(args)).toString(),
		async run(stored) {
			const state = await RunState.fromString(holding, stored);
			for (const item of state.getInterruptions()) state.approve(item);
			check((await runner.run(holding, state, options)).finalOutput === "done", "it is done");
		},
	}),
	async suspended({ args }) {
		for (let i = 0; i < 20; i++) await suspend(args);
		const before = await settledBytes();
		const live = [];
		for (let i = 0; i < args.runs; i++) live.push(await suspend(args));
		const heap = (await settledBytes()) - before;
		return { heap, stored: Buffer.byteLength(live[0].toString()) };
	},
});
