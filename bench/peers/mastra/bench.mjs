import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Agent } from "@mastra/core/agent";
import { Mastra } from "@mastra/core/mastra";
import { InMemoryStore } from "@mastra/core/storage";
import { createTool } from "@mastra/core/tools";
import { z } from "zod";
import { plannedModel } from "../../script-model.ts";
import { serveRows, settledBytes, timed } from "../../subject.ts";
import { check, checkShown, describe, instructions, lookup, prompt, toolDescription } from "../../work.ts";

const folder = process.argv[2] ?? ".";
const { model, plan, shown } = plannedModel();
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

/** Here and not above: its database is native, and what needs none is measured without it. */
async function openMemory(path, options) {
	const [{ LibSQLStore }, { Memory }] = await Promise.all([import("@mastra/libsql"), import("@mastra/memory")]);
	const store = new LibSQLStore({ id: "long", url: `file:${path}` });
	await store.init();
	const describing = createTool({ id: "lookup", description: toolDescription, inputSchema, execute: async (args) => describe(args) });
	const memory = new Memory({ storage: store, options });
	return { store, speaking: new Agent({ id: "a", name: "a", instructions, model, tools: { lookup: describing }, memory }) };
}

async function say({ speaking }) {
	const result = await speaking.generate(prompt, { maxSteps, memory: { thread: "long", resource: "ann" } });
	check(result.text === "done", "it is done");
}

const built = new Map();

/** A file with that conversation; made once. */
async function builtThread({ runs, calls }) {
	const path = join(folder, `thread-${runs}-${calls}.db`);
	if (!built.has(path)) {
		const opened = await openMemory(path, { lastMessages: 1 });
		for (let run = 0; run < runs; run++) {
			plan(calls);
			await say(opened);
		}
		await opened.store.close();
		const database = new DatabaseSync(path);
		database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
		built.set(path, database.prepare("SELECT sum(payload) AS bytes FROM dbstat").get().bytes);
		database.close();
	}
	return path;
}

let thread;
let copies = 0;

await serveRows({
	send: timed({
		async prepare(args) {
			await thread?.store.close();
			const copy = join(folder, `copy-${copies++}.db`);
			copyFileSync(await builtThread(args), copy);
			thread = await openMemory(copy, { messageHistory: { maxTokens: args.window ?? 1_000_000_000 } });
			return thread;
		},
		async run(opened, args) {
			plan(0);
			await say(opened);
			checkShown(shown(), args);
		},
	}),
	storedSession: async ({ args }) => ({ stored: built.get(await builtThread(args)) }),
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
