/** Harness agents: sessions of many messages, what a turn costs as its history grows, agents in the background, what is stored. */
import { hash } from "node:crypto";
import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { encode } from "gpt-tokenizer/encoding/o200k_base";
import {
	createHarness,
	defineAgent,
	defineTool,
	type Harness,
	harnessAgent,
	memoryStore,
	sqliteStore,
} from "holdpoint";
import { z } from "zod";
import { type ScriptAnswer, scriptModel } from "../script-model.ts";
import { median, type Numbers } from "../statistics.ts";
import { serveRows, timed } from "../subject.ts";
import { check, describe, instructions, lookup, prompt, summary, toolDescription } from "../work.ts";

const folder = process.argv[2] ?? ".";
const limits = { turnsMax: 10_000, callsMax: 10_000 };
const input = z.object({ id: z.number() });
const reading = { name: "lookup", description: toolDescription, input, effect: "read" } as const;
const small = defineTool({ ...reading, execute: lookup });
const tool = defineTool({ ...reading, execute: describe });

type Messages = Parameters<Parameters<typeof scriptModel>[0]>[0]["prompt"];

/** Of its own requests: a summary is asked for with no tools. */
function lookingModel(calls: number, onAsked: (messages: Messages) => void = () => undefined) {
	let asked = 0;
	return scriptModel(({ prompt: messages, tools = [] }): ScriptAnswer => {
		if (tools.length === 0) return summary;
		onAsked(messages);
		if (asked < calls) return { tool: "lookup", args: { id: asked++ } };
		asked = 0;
		return "done";
	});
}

interface Looking {
	readonly calls: number;
	readonly windowTokens: number;
	readonly onAsked?: (messages: Messages) => void;
}

function lookingAgent({ calls, windowTokens, onAsked }: Looking) {
	const model = lookingModel(calls, onAsked);
	const context = { windowTokens };
	return harnessAgent({ name: "looks-up", instructions, model, tools: [tool], limits, context, programs: false });
}

/** Nothing is ever left out of it. */
const endless = 1_000_000_000;
const session = "long";

/** Stores with a session of so many runs, each of so many turns; made once. */
const built = new Map<string, string>();

async function builtStore({ runs = 1, calls = 1 }: Numbers): Promise<string> {
	const name = `session-${runs}-${calls}`;
	const known = built.get(name);
	if (known !== undefined) return known;
	const path = join(folder, `${name}.db`);
	const agent = lookingAgent({ calls, windowTokens: endless });
	const harness = createHarness({ store: sqliteStore(path), agents: [agent], sandbox: "off" });
	for (let run = 0; run < runs; run++) {
		const { status } = await harness.session(session, agent).send(prompt);
		check(status === "completed", status);
	}
	await harness.close();
	built.set(name, path);
	return path;
}

let opened: Harness | undefined;
let copies = 0;

/** A fresh copy of the session, opened as by a process that has not seen it. */
async function openCopy(args: Numbers) {
	await opened?.close();
	const path = await builtStore(args);
	const copy = join(folder, `copy-${copies++ % 2}.db`);
	for (const end of ["", "-wal", ".keys"]) if (existsSync(path + end)) copyFileSync(path + end, copy + end);
	const agent = lookingAgent({ calls: 0, windowTokens: args["window"] ?? endless });
	opened = createHarness({ store: sqliteStore(copy), agents: [agent], sandbox: "off" });
	await opened.runs({ limit: 1 });
	return { harness: opened, agent };
}

/** Of a turn: from the model's answer to the moment when it is asked again. Milliseconds. */
async function turns({ small: few = 100, large: many = 5_000 }: Numbers): Promise<Numbers> {
	const around = 25;
	const began: number[] = [];
	const agent = lookingAgent({
		calls: many / 2 + around,
		windowTokens: endless,
		onAsked: () => began.push(performance.now()),
	});
	const harness = createHarness({ store: memoryStore(), agents: [agent], sandbox: "off" });
	const { status } = await harness.run(agent, prompt);
	check(status === "completed", status);
	await harness.close();
	const gaps = began.slice(1).map((time, at) => time - (began[at] as number));
	const at = (messages: number) => median(gaps.slice(Math.max(0, messages / 2 - around), messages / 2 + around));
	return { small: at(few), large: at(many), ratio: at(many) / at(few) };
}

/** What memory may be full of; ids and numbers take the most tokens. */
const contents: readonly ((n: number) => string)[] = [
	(n) => hash("sha256", String(n)),
	(n) => `run_${BigInt(`0x${hash("sha256", String(n)).slice(0, 32)}`).toString(32)}`,
	(n) => `${n * 7_919} 1.25 7 8 9 2026-11-24T10-15-30`,
	(n) => `customers ann ${n} likes green tea and never coffee, and asked twice where her refund is`,
];

/** Of all that is sent beside the user's own, with everything on that is on by default: with empty memory, and the most with full. */
async function promptTokens(): Promise<Numbers> {
	const full: number[] = [];
	for (const content of contents) full.push(await tokensWith(content));
	return { tokens: await tokensWith(), full: Math.max(...full) };
}

async function tokensWith(content?: (n: number) => string): Promise<number> {
	let text = "";
	const model = scriptModel(({ prompt: [system], tools }) => {
		text = JSON.stringify(tools) + (system?.role === "system" ? system.content : "");
		return "done";
	});
	const agent = harnessAgent({ name: "bare", instructions: "x", model });
	const harness = createHarness({ store: memoryStore(), agents: [agent] });
	const principal = "somebody";
	for (let n = 0; content && n < 100; n++) {
		await harness.memory.write(content(n).slice(0, 40).trim(), content(n + 1_000), { principal });
	}
	await harness.run(agent, prompt, { principal });
	await harness.close();
	check(text.includes("In memory") === (content !== undefined), "what is in memory stands in the prompt");
	return encode(text).length;
}

let files = 0;

type Model = ReturnType<typeof scriptModel>;

/** How long the agents may take to be open together, before the measure fails. */
const openWithinMs = 30_000;

/** Nobody's first answer comes before so many have been asked for one. */
function answeringTogether(model: Model, agents: number): Model {
	const { promise: allAsked, resolve: open } = Promise.withResolvers<void>();
	setTimeout(open, openWithinMs).unref();
	let asked = 0;
	const turn = ({ prompt: { length } }: Parameters<Model["doGenerate"]>[0]) => {
		if (length <= 2 && ++asked === agents) open();
		return allAsked;
	};
	return {
		...model,
		doGenerate: (request) => turn(request).then(() => model.doGenerate(request)),
		doStream: (request) => turn(request).then(() => model.doStream(request)),
	};
}

/**
 * So many agents in the background of one run, all open before the first of them answers. Their caller starts one a turn.
 * What is measured is the harness's own: no model takes time.
 */
async function background({ agents = 50 }: Numbers): Promise<Numbers> {
	const looking = scriptModel(({ prompt: messages }) =>
		messages.length > 2 ? "done" : { tool: "lookup", args: { id: messages.length } },
	);
	const helper = defineAgent({
		name: "helper",
		instructions,
		tools: [tool],
		model: answeringTogether(looking, agents),
	});
	let asked = 0;
	const boss = harnessAgent({
		name: "boss",
		instructions,
		agents: [helper],
		programs: false,
		limits: { ...limits, backgroundMax: agents },
		model: scriptModel(() => (asked++ < agents ? { tool: "ask_helper", args: { task: prompt } } : "done")),
	});
	const harness = createHarness({ store: sqliteStore(join(folder, `background-${files++}.db`)), sandbox: "off" });
	const began = performance.now();
	const { run, status } = await harness.run(boss, prompt);
	const ms = performance.now() - began;
	const { events, state } = await harness.show(run);
	await harness.close();
	const isAsk = (call: string) => state.calls.get(call)?.tool === "ask_helper";
	let [open, peak, answered] = [0, 0, 0];
	for (const { event } of events) {
		if (event.type === "call.started" && isAsk(event.call)) peak = Math.max(peak, ++open);
		if (event.type === "call.finished" && isAsk(event.call)) [open, answered] = [open - 1, answered + 1];
	}
	check(status === "completed" && answered === agents, `${status}, ${answered} of ${agents} agents`);
	check(peak === agents, `at most ${peak} of ${agents} agents were open at once`);
	return { ms, each: ms / agents, peak };
}

const featuresOff = {
	programs: false,
	context: false,
	memory: false,
	todos: false,
	modes: false,
	lastAnswer: false,
} as const;

/** What a turn with one small read adds to the store: all rows and indexes. */
async function storedTurn({ features = 1, few = 5, many = 35 }: Numbers): Promise<Numbers> {
	const stored: number[] = [];
	for (const calls of [few, many]) {
		const path = join(folder, `stored-${files++}.db`);
		const definition = { name: "stored", instructions, model: lookingModel(calls), tools: [small], limits };
		const agent = harnessAgent({
			...definition,
			...(features === 1 ? { programs: { direct: ["lookup"] } } : featuresOff),
		});
		const harness = createHarness({ store: sqliteStore(path), agents: [agent] });
		const { status } = await harness.run(agent, prompt);
		check(status === "completed", status);
		await harness.close();
		stored.push(rowBytes(path));
	}
	const [less = 0, more = 0] = stored;
	return { bytes: (more - less) / (many - few) };
}

function rowBytes(path: string): number {
	const database = new DatabaseSync(path, { readOnly: true });
	try {
		return Number(database.prepare("SELECT sum(payload) AS bytes FROM dbstat").get()?.["bytes"]);
	} finally {
		database.close();
	}
}

await serveRows({
	/** To say something in that session, whose conversation is made to fit the window (`window`) first. */
	send: timed({
		prepare: openCopy,
		async run({ harness, agent }, { window }) {
			const began = performance.now();
			const result = await harness.session(session, agent).send(prompt);
			const ms = performance.now() - began;
			check(result.status === "completed", result.status);
			const { events } = await harness.show(result.run);
			const isCompacted = events.some(({ event }) => event.type === "context.compacted");
			check(isCompacted === (window !== undefined), "it is compacted where it has to be");
			return ms;
		},
	}),
	storedSession: async ({ args }) => ({ stored: rowBytes(await builtStore(args)) }),
	turns: ({ args }) => turns(args),
	promptTokens,
	background: ({ args }) => background(args),
	storedTurn: ({ args }) => storedTurn(args),
});
