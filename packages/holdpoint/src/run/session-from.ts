/**
 * Where the history begins that a session's next run goes on from: with the run in which its view begins. What was said
 * before that stands in a summary, and nobody reads it again; so a session costs what is shown, not what was ever said.
 *
 * 1. Of what is older only places, numbers and ids of runs are carried: words stay in the run that said them, and are gone
 *    when it is erased.
 * 2. From there on everything is folded as it was, to the same view.
 */
import { runSeal } from "../journal/journal.ts";
import { HoldpointError, isHoldpointError } from "../spec/errors.ts";
import type { RunEvent, SessionFrom } from "../spec/events.ts";
import { type Conversation, newContext, newConversation, newThread, type Thread } from "./conversation.ts";
import type { RunPorts } from "./run-ports.ts";
import type { Before, RunState } from "./run-state.ts";

/** What a chain of runs that is folded one after the other has come to. */
export class HistoryStart {
	private readonly given: SessionFrom | undefined;
	private readonly starts: SessionFrom[] = [];
	private first: string | undefined;
	private todos: string | undefined;
	/** The run that made the head of the view, by its place among them. */
	private folded = 0;
	private last: Thread | undefined;
	/** It is a single agent's all along. */
	private isKnown = true;

	constructor(given: SessionFrom | undefined) {
		this.given = given;
		this.first = given?.first;
		this.todos = given?.todos;
	}

	/** Before the run is folded. */
	enter(run: string, before: Before): void {
		const thread = soleThread(before);
		this.last = thread;
		this.starts.push({
			run,
			messages: thread ? thread.context.dropped + thread.messages.length : 0,
			...(this.first === undefined ? {} : { first: this.first }),
			...(this.todos === undefined ? {} : { todos: this.todos }),
			...(thread?.of.mode === undefined ? {} : { mode: thread.of.mode }),
			...(thread === undefined ? {} : { ratio: thread.context.ratio }),
			...(thread?.context.budget === undefined ? {} : { budget: thread.context.budget }),
		});
	}

	/** When it is. */
	leave({ run, started, conversation }: RunState): void {
		const thread = soleThread(conversation);
		const before = this.last?.context;
		this.last = thread;
		if (!thread) {
			this.isKnown = false;
			return;
		}
		const { first, todos, view } = thread.context;
		if (before?.first === undefined && first !== undefined) {
			this.first = run;
			this.isKnown &&= first === started?.input;
		}
		if (todos !== (before?.todos ?? []) && todos.length + (before?.todos.length ?? 0) > 0) this.todos = run;
		if (view?.head !== before?.view?.head) this.folded = this.starts.length - 1;
	}

	/** Undefined: all of it is needed. */
	next(): SessionFrom | undefined {
		const { view, dropped } = this.last?.context ?? {};
		if (!this.isKnown || !view?.head || dropped === undefined) return undefined;
		const from = dropped + view.from;
		const shown = this.starts.findLastIndex(({ messages }) => messages < from);
		const at = Math.min(this.folded, Math.max(0, shown));
		return at === 0 ? this.given : this.starts[at];
	}
}

function soleThread(of: Before): Thread | undefined {
	if (!("threads" in of) || of.team || of.threads.size !== 1) return undefined;
	const [thread] = of.threads.values();
	return thread;
}

/** What the first run of the history goes on from, without what was said: nothing of an erased one. Errors: `journal.*`. */
export async function conversationFrom(ports: RunPorts, from: SessionFrom): Promise<Conversation> {
	const { first, todos, mode, ratio = 1, budget, messages: dropped } = from;
	const [begun] = await eventsUnlessErased(ports, first);
	const changes = await eventsUnlessErased(ports, todos);
	const set = changes.findLast((event) => event.type === "todos.set" && event.in === undefined);
	const conversation = newConversation({ call: undefined, name: "", isTeam: false });
	conversation.mode = mode;
	const context = {
		...newContext(),
		dropped,
		ratio,
		budget,
		first: begun?.type === "run.started" ? begun.input : undefined,
		todos: set?.type === "todos.set" ? set.todos : [],
	};
	const thread = newThread(conversation, "", { messages: [], context });
	conversation.threads.set("", thread);
	conversation.active = [thread];
	return conversation;
}

async function eventsUnlessErased(ports: RunPorts, run: string | undefined): Promise<readonly RunEvent[]> {
	if (run === undefined) return [];
	const stored = await ports.store.load(run);
	if (!stored)
		throw new HoldpointError(
			"journal.tampered",
			`Run ${run}, of which this session needs what it began with or planned, is gone`,
			{ details: { run } },
		);
	try {
		return runSeal(ports.ring, ports.storeId, stored.run)
			.open(stored)
			.entries.flatMap(({ events }) => events);
	} catch (error) {
		if (isHoldpointError(error) && error.code === "run.erased") return [];
		throw error;
	}
}
