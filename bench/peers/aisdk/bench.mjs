import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { isStepCount, pruneMessages, ToolLoopAgent, tool } from "ai";
import { z } from "zod";
import { plannedModel } from "../../script-model.ts";
import { serveRows, settledBytes, timed } from "../../subject.ts";
import { check, checkShown, describe, instructions, lookup, prompt, toolDescription } from "../../work.ts";

const folder = process.argv[2] ?? ".";
const { model, plan, shown } = plannedModel();
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

/** The compaction of its documentation: tokens are a quarter of the characters, and older calls are left out. */
function longAgent(window) {
	const prepareStep = ({ messages }) => {
		if (window === undefined || JSON.stringify(messages).length / 4 <= window) return undefined;
		const toolCalls = "before-last-3-messages";
		return { messages: pruneMessages({ messages, reasoning: "all", toolCalls, emptyMessages: "remove" }) };
	};
	const find = tool({ description: toolDescription, inputSchema: z.object({ id: z.number() }), execute: describe });
	return new ToolLoopAgent({ model, instructions, tools: { lookup: find }, stopWhen, prepareStep });
}

/** A chat is its messages, loaded and saved as a whole: the store of its documentation, in SQLite and as durable as ours. */
class ChatStore {
	#database;

	constructor(path) {
		this.#database = new DatabaseSync(path);
		this.#database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
		this.#database.exec("CREATE TABLE IF NOT EXISTS chats (id TEXT PRIMARY KEY, messages TEXT NOT NULL)");
	}

	load(id) {
		const row = this.#database.prepare("SELECT messages FROM chats WHERE id = ?").get(id);
		return row ? JSON.parse(row.messages) : [];
	}

	save(id, messages) {
		this.#database.prepare("INSERT OR REPLACE INTO chats VALUES (?, ?)").run(id, JSON.stringify(messages));
	}

	storedBytes() {
		return this.#database.prepare("SELECT sum(payload) AS bytes FROM dbstat").get().bytes;
	}

	close() {
		this.#database.close();
	}
}

async function say(agent, store) {
	const messages = [...store.load("long"), { role: "user", content: prompt }];
	const result = await agent.generate({ messages });
	check(result.text === "done", "it is done");
	const said = result.responseMessages ?? result.response.messages;
	store.save("long", [...messages, ...said]);
}

const built = new Map();

/** A file with that conversation; made once. */
async function builtChat({ calls }) {
	const path = join(folder, `chat-${calls}.db`);
	if (!built.has(path)) {
		const store = new ChatStore(path);
		plan(calls);
		await say(longAgent(), store);
		built.set(path, store.storedBytes());
		store.close();
	}
	return path;
}

let chat;

await serveRows({
	send: timed({
		async prepare(args) {
			chat?.close();
			const copy = join(folder, "copy.db");
			copyFileSync(await builtChat(args), copy);
			chat = new ChatStore(copy);
			return longAgent(args.window);
		},
		async run(agent, args) {
			plan(0);
			await say(agent, chat);
			checkShown(shown(), args);
		},
	}),
	storedSession: async ({ args }) => ({ stored: built.get(await builtChat(args)) }),
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
