/**
 * Who works, folded: the start of a conversation, the user's words, handoffs, and what whoever takes over is told.
 *
 * 1. An agent that takes over reads the user's words, what the others said, and the handoff; never its call or result.
 * 2. Nobody's thread is changed by what another one does; each is told what it missed when it is its turn again.
 */
import { joinLabels } from "../labels/label.ts";
import type {
	AgentContinued,
	AgentStarted,
	MessageReceived,
	RunHanded,
	RunStarted,
	TeamStart,
	UserAsked,
} from "../spec/events.ts";
import type { Json } from "../spec/json.ts";
import type { Label } from "../spec/label.ts";
import type { CallState } from "./call-state.ts";
import { type Conversation, newConversation, newThread, type Said, type Thread, threadFor } from "./conversation.ts";
import { type Before, callOf, type RunState, valueOf } from "./run-state.ts";
import { closeTurn, hasOpenCalls, say, sayWhenPossible } from "./thread-events.ts";

export function beginRun(state: RunState, event: RunStarted): void {
	const { team, agent, label } = event;
	state.conversation = conversationAfter(state.before, { name: agent.name, team });
	begin(state.conversation, { start: team?.start ?? [agent.name], input: event.input, label });
}

export function beginInside(call: CallState, { agent, team, input }: AgentStarted): void {
	const conversation = newConversation({ call: call.id, name: agent, isTeam: team !== undefined });
	call.inside = conversation;
	if (!team) conversation.threads.set(agent, newThread(conversation, agent));
	begin(conversation, { start: team?.start ?? [agent], input, label: call.label });
}

interface Beginning extends TeamStart {
	readonly input: string;
	readonly label: Label | undefined;
}

function begin(of: Conversation, { start, input, label }: Beginning): void {
	if (of.team) of.team.label = joinLabels(of.team.label, label);
	of.active = start.map((agent) => threadFor(of, agent));
	for (const thread of of.active) {
		thread.label = joinLabels(thread.label, label);
		catchUp(thread);
		call(thread, input);
	}
	heardByUser(of, input);
}

/** What a session's run goes on from, be it of a single agent or a team. */
function conversationAfter(
	before: Before,
	{ name, team }: { readonly name: string; readonly team: TeamStart | undefined },
): Conversation {
	const conversation = newConversation({ call: undefined, name, isTeam: team !== undefined });
	const earlier = "threads" in before ? before : undefined;
	if (!team) {
		const messages = earlier
			? saidAsMessages(earlier.team?.said ?? [])
			: (before as Extract<Before, readonly unknown[]>);
		conversation.threads.set(name, newThread(conversation, name, messages));
		return conversation;
	}
	if (earlier) {
		conversation.team?.said.push(...(earlier.team?.said ?? []));
		for (const { agent, messages, heard } of earlier.threads.values()) {
			const thread = newThread(conversation, agent, messages);
			thread.heard = heard;
			conversation.threads.set(agent, thread);
		}
	} else conversation.team?.said.push(...messagesAsSaid(before as Extract<Before, readonly unknown[]>));
	return conversation;
}

function saidAsMessages(said: readonly Said[]): Thread["messages"] {
	return said.map(({ by, text }) =>
		by === "user"
			? { role: "user", content: [{ type: "text", text }] }
			: { role: "assistant", content: [{ type: "text", text }] },
	);
}

function messagesAsSaid(messages: Thread["messages"] | readonly Thread["messages"][number][]): Said[] {
	return messages.flatMap((message): Said[] => {
		if (message.role !== "user" && message.role !== "assistant") return [];
		const text = message.content.map((part) => (part.type === "text" ? part.text : "")).join("");
		return text === "" ? [] : [{ by: message.role === "user" ? "user" : "assistant", text }];
	});
}

/** The user speaks to whoever works, or to whoever reads the reply. */
export function hear(state: RunState, event: MessageReceived): void {
	const { conversation } = state;
	const { team } = conversation;
	if (team?.asked) {
		const { agent, replyTo } = team.asked;
		team.asked = undefined;
		takeOver(conversation, { from: agent, agents: [replyTo] });
	}
	for (const thread of conversation.active) {
		thread.continued = 0;
		if (event.mode === "turn" && thread.turn.length > 0) closeTurn(state, thread);
		if (event.mode === "queue" && hasOpenCalls(thread)) thread.queued.push(event.text);
		else sayWhenPossible(thread, event.text);
		thread.isCalledUpon = true;
	}
	heardByUser(conversation, event.text);
}

function heardByUser(of: Conversation, text: string): void {
	const { team } = of;
	if (!team) return;
	team.said.push({ by: "user", text });
	for (const thread of of.active) thread.heard = team.said.length;
	of.turns = 0;
	team.handoffs = 0;
	team.rounds = 0;
	team.pingPong = 0;
	team.lastHandoff = undefined;
}

export function handOn(state: RunState, event: RunHanded): void {
	const of = event.in === undefined ? state.conversation : callOf(state, event.in).inside;
	if (!of?.team) return;
	const { team } = of;
	const from = of.threads.get(event.from);
	if (from) {
		from.handing = undefined;
		from.modelDue = false;
		team.label = joinLabels(team.label, from.label);
	}
	count(of, event);
	const told = payload(state, event);
	const agents = [event.to, ...(event.beside ?? [])];
	for (const thread of takeOver(of, { from: event.joined ? undefined : event.from, agents })) {
		thread.carried = team.results.length;
		thread.only = event.only;
		thread.continued = 0;
		call(thread, told);
	}
	if (event.joined) team.done.clear();
	for (const agent of agents) team.done.delete(agent);
}

function count({ team }: Conversation, { from, to, call }: RunHanded): void {
	if (!team) return;
	if (call === undefined) {
		team.rounds++;
		return;
	}
	team.handoffs++;
	const last = team.lastHandoff;
	team.pingPong = last?.from === to && last.to === from ? team.pingPong + 1 : 1;
	team.lastHandoff = { from, to };
}

interface TakingOver {
	/** Undefined: of all who are at work. */
	readonly from: string | undefined;
	readonly agents: readonly string[];
}

/** They read what they missed; the path of handoffs to them is cut where it leads back. */
function takeOver(of: Conversation, { from, agents }: TakingOver): readonly Thread[] {
	const { team, active } = of;
	if (!team) return [];
	const [first = ""] = agents;
	if (from !== undefined && from !== first) {
		const back = team.path.indexOf(first);
		team.path = back >= 0 ? team.path.slice(0, back) : [...team.path, from];
	}
	const threads = agents.map((agent) => threadFor(of, agent));
	const isOne = from !== undefined && active.some(({ agent }) => agent === from);
	of.active = isOne ? active.flatMap((thread) => (thread.agent === from ? threads : thread)) : threads;
	for (const thread of threads) catchUp(thread);
	return threads;
}

function catchUp(thread: Thread): void {
	const { team } = thread.of;
	if (!team) return;
	for (const { by, text } of team.said.slice(thread.heard)) {
		if (by === "user") say(thread, text);
		else if (by !== thread.agent) say(thread, `[${by}] ${text}`);
	}
	thread.heard = team.said.length;
	thread.label = joinLabels(thread.label, team.label);
}

function call(thread: Thread, text: string): void {
	say(thread, text);
	thread.isCalledUpon = true;
}

function payload(state: RunState, { from, reason, summary, results = [] }: RunHanded): string {
	const lines = [`[Handed to you by ${from}${reason ? `: ${reason}` : ""}]`];
	if (summary) lines.push(`Summary: ${summary}`);
	if (results.length > 0) {
		lines.push("Results so far, so that you need not look them up again:");
		for (const id of results) lines.push(resultLine(callOf(state, id), valueOf(state, callOf(state, id))));
	}
	return lines.join("\n");
}

/** A result as whoever takes over reads it. */
export function resultLine({ tool, args }: Pick<CallState, "tool" | "args">, value: Json): string {
	return `${tool}(${JSON.stringify(args ?? null)}) → ${JSON.stringify(value)}`;
}

export function askUser({ conversation }: RunState, { agent, replyTo = agent }: UserAsked): void {
	if (conversation.team) conversation.team.asked = { agent, replyTo };
}

export function goOn(thread: Thread, { prompt }: AgentContinued): void {
	thread.continued++;
	call(thread, prompt);
}

/** One of several is done. */
export function finishBeside({ of, agent, text }: Thread): void {
	of.team?.done.set(agent, text);
}
