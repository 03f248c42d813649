/**
 * What the trace of a segment begins with: taken from the state that was folded to go on, so that nothing of the journal is
 * looked at once more. Texts are redacted, and there only where they may be recorded.
 */
import type { Decided, KnownCall, KnownRun } from "../trace/run-memory.ts";
import { type Heard, jsonText, type KnownTalk } from "../trace/said.ts";
import type { CallState } from "./call-state.ts";
import { type Conversation, type Message, type Thread, whoOf } from "./conversation.ts";
import type { Redactor } from "./redactor.ts";
import { callOf, openConversations, type RunState } from "./run-state.ts";

export interface GoingOn {
	readonly state: RunState;
	/** When each approval was asked for. Milliseconds since 1970. */
	readonly askedAt: ReadonlyMap<string, number>;
	readonly redactor: Redactor;
	/** What was said may be recorded. */
	readonly content: boolean;
}

export function knownRun(run: GoingOn): KnownRun {
	const { state, askedAt } = run;
	const { started, conversation, directCalls } = state;
	const conversations = [...openConversations(state)];
	const threads = conversations.flatMap((of) => [...of.threads.values()]);
	const calls = openCalls(state);
	return {
		asked: { name: conversation.name, isTeam: conversation.team !== undefined },
		session: started?.session?.id,
		tools: state.tools.keys(),
		directCalls,
		calls: [...calls].map((call) => knownCall(run, call)),
		approvals: new Map([...calls].flatMap(({ approval }) => approvalIn(approval, askedAt))),
		timers: new Map(threads.flatMap(({ timer }) => (timer ? [[timer.id, timer.dueAt] as const] : []))),
		models: threads.flatMap((thread) => (thread.model === undefined ? [] : [[whoOf(thread), thread.model] as const])),
		talks: run.content ? conversations.map((of) => knownTalk(run, of)) : [],
	};
}

function approvalIn(approval: CallState["approval"], askedAt: ReadonlyMap<string, number>): [string, number][] {
	const at = approval && askedAt.get(approval.id);
	return approval && at !== undefined ? [[approval.id, at]] : [];
}

/** With those inside of which they were made. */
function openCalls(state: RunState): ReadonlySet<CallState> {
	const open = new Set<CallState>();
	const add = (call: CallState): void => {
		if (open.has(call)) return;
		open.add(call);
		const around = call.parent ?? call.thread.of.call;
		if (around !== undefined) add(callOf(state, around));
	};
	for (const call of state.calls.values()) if (call.phase !== "finished") add(call);
	return open;
}

function knownCall(run: GoingOn, call: CallState): KnownCall {
	const { id, tool, parent, thread, modelId, line, inside, attempt } = call;
	const args = call.args ?? call.asked;
	return {
		id,
		tool,
		parent,
		in: thread.of.call,
		agent: whoOf(thread).agent,
		modelId: parent === undefined ? modelId : undefined,
		line,
		input: run.content && args !== undefined ? jsonText(run.redactor.value(args, id)) : undefined,
		inside: inside && { name: inside.name, isTeam: inside.team !== undefined },
		decision: openDecision(run, call),
		attempt,
	};
}

/** One that came to nothing yet: a process died in between. */
function openDecision({ redactor, content }: GoingOn, { phase, verdict: decided }: CallState): Decided | undefined {
	if (!decided) return undefined;
	const { verdict, policy, reason } = decided;
	const isOpen = phase === "asked" || (phase === "answered" && verdict !== "ask");
	return isOpen ? { verdict, policy, at: 0, ...(content ? { reason: redactor.text(reason) } : {}) } : undefined;
}

function knownTalk(run: GoingOn, of: Conversation): KnownTalk {
	const { call, active, threads, team } = of;
	const said = team?.said ?? [];
	const last = said.findLastIndex(({ by }) => by === "user");
	const all = [...threads.values()];
	return {
		in: call,
		active: active.map(nameOf),
		words: run.redactor.text(said[last]?.text ?? ""),
		told: all.filter(({ heard }) => heard > last).map(nameOf),
		heard: all.map((thread) => heardBy(run, thread)),
	};
}

const nameOf = (thread: Thread): string => whoOf(thread).agent ?? "";

function heardBy({ state, redactor }: GoingOn, thread: Thread): Heard {
	const { messages, notes, queued } = thread;
	const answer = messages.findLastIndex(({ role }) => role === "assistant");
	const asked = callIdsIn(messages[answer]);
	const results = [...state.calls.values()].flatMap(({ id: call, thread: by, parent, modelId, outcome }) => {
		if (!outcome || by !== thread || parent !== undefined || !asked.has(modelId)) return [];
		const shown = redactor.event({ type: "call.finished", call, outcome });
		return shown.type === "call.finished" ? [{ id: modelId, outcome: shown.outcome }] : [];
	});
	const texts = [...messages.slice(answer + 1).flatMap(userTexts), ...notes, ...queued];
	return { agent: whoOf(thread).agent, results, texts: texts.map((text) => redactor.text(text)) };
}

function callIdsIn(message: Message | undefined): ReadonlySet<string> {
	const parts = message?.role === "assistant" ? message.content : [];
	return new Set(parts.flatMap((part) => (part.type === "tool-call" ? part.toolCallId : [])));
}

function userTexts(message: Message): string[] {
	if (message.role !== "user") return [];
	return [message.content.map((part) => (part.type === "text" ? part.text : "")).join("")];
}
