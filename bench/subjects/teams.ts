/** Teams in memory: handoffs one after the other, many teams at once, what a specialist has to read, and the bound. */
import { createHarness, defineAgent, defineTool, type Harness, memoryStore, type RunResult } from "holdpoint";
import { type Carry, handoff, type Team } from "holdpoint/teams";
import { scriptedModel } from "holdpoint/testing";
import { z } from "zod";
import { type ScriptAnswer, scriptModel } from "../script-model.ts";
import type { Numbers } from "../statistics.ts";
import { serveRows, timed } from "../subject.ts";
import { check, instructions, lookup, prompt, toolDescription } from "../work.ts";

const limits = { turnsMax: 10_000, callsMax: 10_000 };
const tool = defineTool({
	name: "lookup",
	description: toolDescription,
	input: z.object({ id: z.number() }),
	effect: "read",
	execute: lookup,
});

/** Who is asked, and with what; nothing of it is kept from one run to the next. */
type Part = (agent: number, prompt: readonly { readonly role: string; readonly content: unknown }[]) => ScriptAnswer;

/** `agent0` begins; each may hand on to the next one, and the last one to the first. */
function ring(size: number, { play, handoffsMax }: { readonly play: Part; readonly handoffsMax: number }): Team {
	const names = Array.from({ length: size }, (_, at) => `agent${at}`);
	const agents = names.map((name, at) =>
		defineAgent({ name, instructions, model: scriptModel((request) => play(at, request.prompt)), tools: [tool] }),
	);
	let team = handoff({ name: "ring" }).participants(agents).coordinator("agent0");
	for (const at of names.keys()) team = team.edge(`agent${at}`, `agent${(at + 1) % size}`);
	return team.limits({ ...limits, handoffsMax }).build();
}

const handTo = (agent: number): ScriptAnswer => ({ tool: `handoff_to_agent${agent}`, args: { reason: "go on" } });

/** One run at a time: so many handoffs, around a ring of eleven, before somebody is done. */
const size = 11;
let planned = 0;
let asked = 0;
const team = ring(size, {
	play: (agent) => (asked++ < planned ? handTo((agent + 1) % size) : "done"),
	handoffsMax: 10_000,
});

/** A fresh one for each slice: a store in memory keeps every run. */
let harness: Harness;

async function begin(): Promise<void> {
	await harness?.close();
	harness = createHarness({ store: memoryStore(), agents: [team] });
}

/** The last one answers; the word is the user's then. */
function checkAnswered(result: RunResult, by: string, text = "done"): void {
	const [wait] = result.status === "waiting" ? result.waits : [];
	check(wait?.kind === "user" && wait.agent === by && wait.text === text, JSON.stringify(result));
}

/** Any number of runs at a time: each agent looks something up under the run's own word, and hands on. */
const crowdSize = 4;
const customer = (at: number) => `customer-${at}`;
/** Prompts that held no word of their own run, or one of another. */
let foreign = 0;
const crowd = ring(crowdSize, {
	play(agent, messages) {
		// The customer's own word, and the result that is carried from agent to agent.
		const seen = JSON.stringify(messages).matchAll(/(?:customer|item)-(\d+)/g);
		const ids = new Set(Array.from(seen, ([, id]) => Number(id)));
		const [id = -1] = ids;
		if (ids.size !== 1) foreign++;
		const turn = messages.filter(({ role }) => role === "assistant").length;
		if (turn === 0) return { tool: "lookup", args: { id } };
		return agent < crowdSize - 1 ? handTo(agent + 1) : `done for ${customer(id)}`;
	},
	handoffsMax: 20,
});

async function beginCrowd(): Promise<void> {
	await harness?.close();
	harness = createHarness({ store: memoryStore(), agents: [crowd] });
}

async function crowdRuns(teams: number): Promise<void> {
	const runs = Array.from({ length: teams }, (_, at) => harness.run(crowd, `I am ${customer(at)}.`));
	for (const [at, result] of (await Promise.all(runs)).entries())
		checkAnswered(result, `agent${crowdSize - 1}`, `done for ${customer(at)}`);
}

/** The desk looks three items up and hands on; the specialist is told what it found out, or looks for itself. */
async function tokensRead(carry: Carry): Promise<number> {
	const find = [0, 1, 2].map((id) => ({ tool: "lookup", args: { id } }));
	const next = { tool: "handoff_to_clerk", args: { reason: "they are to be sent back" } };
	let read = 0;
	const story = carry === "results" ? ["done"] : [find, "done"];
	const speak = (said: string | typeof find) => ({
		does: "plays the clerk",
		answer: () => (typeof said === "string" ? { text: said } : { calls: said }),
	});
	const counting = scriptedModel(story.map(speak), { countTokens: true });
	const agents = [
		defineAgent({
			name: "desk",
			instructions,
			tools: [tool],
			model: scriptedModel([
				{ does: "finds", answer: () => ({ calls: find }) },
				{ does: "hands on", answer: () => ({ calls: [next] }) },
			]),
		}),
		defineAgent({
			name: "clerk",
			instructions,
			tools: [tool],
			model: counting,
			middleware: [
				{
					name: "count",
					async model(request, ask) {
						const answer = await ask(request);
						read += answer.usage.inputTokens;
						return answer;
					},
				},
			],
		}),
	];
	const shop = handoff({ name: "shop" })
		.participants(agents)
		.coordinator("desk")
		.edge("desk", "clerk", { carry })
		.build();
	const own = createHarness({ store: memoryStore() });
	checkAnswered(await own.run(shop, prompt), "clerk");
	await own.close();
	return read;
}

/** Two who would hand on to each other for ever. */
async function pingPong(): Promise<Numbers> {
	const two = ring(2, { play: (agent) => handTo(1 - agent), handoffsMax: 20 });
	const own = createHarness({ store: memoryStore() });
	const result = await own.run(two, prompt, { runId: "r" });
	check(result.status === "failed" && result.error.code === "limit.handoffs", JSON.stringify(result));
	const { events } = await own.show("r");
	const handoffs = events.filter(({ event }) => event.type === "run.handed").length;
	check(handoffs === two.handoffsMax, `it was stopped after ${handoffs} handoffs`);
	await own.close();
	return { handoffs };
}

await serveRows({
	handoffs: timed({
		begin,
		async run(_, { handoffs = 10 }) {
			asked = 0;
			planned = handoffs;
			checkAnswered(await harness.run(team, prompt), `agent${handoffs % size}`);
		},
	}),
	/** So many teams at once, each with four lookups and three handoffs. */
	crowd: async (ask) => {
		const { teams = 1 } = ask.args;
		foreign = 0;
		const numbers = await timed({ begin: beginCrowd, run: () => crowdRuns(teams) })(ask);
		return { ...numbers, foreign, perSecond: (teams * (crowdSize - 1)) / ((numbers["p50"] as number) / 1_000) };
	},
	async tokens() {
		const carried = await tokensRead("results");
		const lookedUp = await tokensRead("none");
		return { carried, lookedUp, ratio: carried / lookedUp };
	},
	pingPong,
});
