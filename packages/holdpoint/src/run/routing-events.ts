/**
 * Who works, folded: the start of a conversation, the user's words, handoffs, and what whoever takes over is told.
 *
 * 1. An agent that takes over reads the user's words, what the others said, and the handoff; never its call or result.
 * 2. Nobody's thread is changed by what another one does; each is told what it missed when it is its turn again.
 */
import { joinLabels } from "../labels/label.ts";
import type {
	AgentContinued,
	AgentDone,
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
import {
	apartFrom,
	type Conversation,
	type Message,
	newConversation,
	newThread,
	type Said,
	type Thread,
	type Trail,
	threadFor,
	trailFrom,
} from "./conversation.ts";
import { type Before, callOf, type RunState, valueOf } from "./run-state.ts";
import { closeTurn, closeTurnWhenDone, hasOpenCalls, say, sayWhenPossible } from "./thread-events.ts";

export function beginRun(state: RunState, event: RunStarted): void {
	const { team, agent, label, mode } = event;
	state.conversation = conversationAfter(state.before, { name: agent.name, team });
	state.conversation.mode = mode ?? state.conversation.mode;
	begin(state.conversation, { start: team?.start ?? [agent.name], input: event.input, label });
}

export function beginInside(state: RunState, call: CallState, event: AgentStarted): void {
	const { agent, team, input, background, mode } = event;
	const conversation = newConversation({ call: call.id, name: agent, isTeam: team !== undefined });
	conversation.mode = mode;
	call.inside = conversation;
	if (!team) conversation.threads.set(agent, newThread(conversation, agent));
	begin(conversation, { start: team?.start ?? [agent], input, label: call.label });
	if (!background) return;
	call.isInBackground = true;
	closeTurnWhenDone(state, call.thread);
}

interface Beginning extends TeamStart {
	readonly input: string;
	readonly label: Label | undefined;
}

function begin(of: Conversation, { start, input, label }: Beginning): void {
	if (of.team) of.team.label = joinLabels(of.team.label, label);
	of.active = beside(of, start, new Set());
	for (const thread of of.active) {
		thread.label = joinLabels(thread.label, label);
		catchUp(thread);
		tellMode(thread);
		noteRequest(thread, input);
		call(thread, input);
	}
	noteWords(of, { text: input, readers: of.active, label });
}

/** What a session's run goes on from, be it of a single agent or a team. */
function conversationAfter(
	before: Before,
	{ name, team }: { readonly name: string; readonly team: TeamStart | undefined },
): Conversation {
	const conversation = newConversation({ call: undefined, name, isTeam: team !== undefined });
	const earlier = "threads" in before ? before : undefined;
	conversation.mode = earlier?.mode;
	if (!team) {
		const [one] = earlier && !earlier.team ? earlier.active : [];
		const messages = earlier?.team ? saidAsMessages(earlier.team.said) : [...messagesIn(before)];
		const thread = newThread(conversation, name, one ?? { messages });
		thread.context.first ??= messagesAsSaid(thread.messages).find(({ by }) => by === "user")?.text;
		conversation.threads.set(name, thread);
		return conversation;
	}
	if (earlier?.team) {
		conversation.team?.said.push(...earlier.team.said);
		for (const { agent, messages, context, earlierLabels, heard } of earlier.threads.values()) {
			const thread = newThread(conversation, agent, { messages, context, earlierLabels });
			thread.heard = heard;
			conversation.threads.set(agent, thread);
		}
	} else conversation.team?.said.push(...messagesAsSaid(earlier?.active[0]?.messages ?? messagesIn(before)));
	return conversation;
}

function messagesIn(before: Before): readonly Message[] {
	return "threads" in before ? [] : before;
}

function saidAsMessages(said: readonly Said[]): Thread["messages"] {
	return said.map(({ by, text }) =>
		by === "user"
			? { role: "user", content: [{ type: "text", text }] }
			: { role: "assistant", content: [{ type: "text", text }] },
	);
}

function messagesAsSaid(messages: readonly Message[]): Said[] {
	return messages.flatMap((message): Said[] => {
		if (message.role !== "user" && message.role !== "assistant") return [];
		const text = message.content.map((part) => (part.type === "text" ? part.text : "")).join("");
		return text === "" ? [] : [{ by: message.role === "user" ? "user" : "assistant", text }];
	});
}

/** The user speaks to whoever works, or to whoever reads the reply. */
export function hear(state: RunState, event: MessageReceived): void {
	const { conversation } = state;
	const readers = readersOf(conversation);
	for (const thread of readers) {
		thread.continued = 0;
		thread.hasLastAnswer = false;
		if (event.mode === "turn" && thread.turn.length > 0) closeTurn(state, thread);
		callUpon(thread, event.text);
		noteRequest(thread, event.text);
		if (event.mode === "queue" && hasOpenCalls(state, thread)) thread.queued.push(event.text);
		else sayWhenPossible(thread, event.text);
	}
	noteWords(conversation, { text: event.text, readers });
	if (!conversation.team) return;
	conversation.team.callsBefore = state.calls.size;
	for (const thread of conversation.threads.values()) thread.calls = 0;
}

/** Who was asked for is who reads the reply; those beside them go on with what they do. */
function readersOf(of: Conversation): readonly Thread[] {
	const { team } = of;
	if (!team?.asked) return of.active;
	const { agent, readers, apart, trail } = team.asked;
	team.asked = undefined;
	return takeOver(of, { from: agent, agents: readers, apart, trail });
}

interface Words {
	readonly text: string;
	readonly readers: readonly Thread[];
	readonly label?: Label | undefined;
}

/** The user spoke: what is bounded between two words of the user begins anew. */
function noteWords(of: Conversation, { text, readers, label }: Words): void {
	const { team } = of;
	if (!team) return;
	const to = readers.length > 0 ? { to: readers.map(({ agent }) => agent) } : {};
	team.said.push({ by: "user", text, ...to, label });
	for (const thread of readers) thread.heard = team.said.length;
	for (const thread of of.threads.values()) {
		thread.answers = 0;
		thread.trail = { ...thread.trail, last: undefined };
	}
	of.turns = 0;
	team.handoffs.clear();
	team.rounds.clear();
}

export function handOn(state: RunState, event: RunHanded): void {
	const of = event.in === undefined ? state.conversation : callOf(state, event.in).inside;
	if (!of?.team) return;
	const { team } = of;
	const from = of.threads.get(event.from);
	const label = labelOfHandoff(state, of, event);
	if (from) {
		from.handing = undefined;
		from.modelDue = false;
	}
	team.label = joinLabels(team.label, label);
	of.mode = event.mode ?? of.mode;
	count(of, event);
	const told = payload(state, event);
	const agents = [event.to, ...(event.beside ?? [])];
	const trail = trailOf(event, trailFrom(of, event));
	for (const thread of takeOver(of, { from: event.from, agents, apart: apartFrom(of, event), trail })) {
		thread.label = joinLabels(thread.label, label);
		if (event.results) thread.carried = team.results.length;
		thread.only = event.only;
		thread.onlyIn = event.onlyIn;
		thread.continued = 0;
		tellMode(thread);
		call(thread, told);
	}
	forget(of, event);
}

/** Of all that whoever hands on had seen, and whoever found out what is carried. */
function labelOfHandoff(
	state: RunState,
	{ threads, team }: Conversation,
	{ from, joined = [], results = [] }: RunHanded,
): Label | undefined {
	const parts = joined.flatMap((name) => team?.done.get(name)?.agents ?? []);
	const labels = [from, ...parts].map((agent) => threads.get(agent)?.label);
	const carried = results.map((id) => callOf(state, id).thread.label);
	return [...labels, ...carried].reduce(joinLabels, undefined);
}

/** Answers that are joined are used up. */
function forget({ team }: Conversation, { joined = [] }: { readonly joined?: readonly string[] }): void {
	for (const name of joined) team?.done.delete(name);
}

function count({ team, name }: Conversation, { call, team: whose = name }: RunHanded): void {
	if (!team) return;
	const counts = call === undefined ? team.rounds : team.handoffs;
	counts.set(whose, (counts.get(whose) ?? 0) + 1);
}

function trailOf({ from, to, call }: RunHanded, { path, last }: Trail): Trail {
	if (call === undefined) return { path, last };
	return { path, last: { from, to, times: last?.from === to && last.to === from ? last.times + 1 : 1 } };
}

interface TakingOver {
	/** An agent at work, or a team whose agents are done. */
	readonly from: string;
	readonly agents: readonly string[];
	readonly apart: ReadonlySet<string>;
	readonly trail: Trail;
}

/** They read what they missed; the path of handoffs to them is cut where it leads back. */
function takeOver(of: Conversation, { from, agents, apart, trail }: TakingOver): readonly Thread[] {
	const { active } = of;
	if (!of.team) return [];
	const threads = beside(of, agents, apart);
	const before = of.threads.has(from) ? [...trail.path, from] : trail.path;
	for (const thread of threads) {
		const back = before.indexOf(thread.agent);
		thread.trail = { ...trail, path: back < 0 ? before : before.slice(0, back) };
	}
	const isAtWork = active.some(({ agent }) => agent === from);
	of.active = isAtWork
		? active.flatMap((thread) => (thread.agent === from ? threads : thread))
		: [...active, ...threads];
	for (const thread of threads) catchUp(thread);
	return threads;
}

/** They work on the same apart from each other, and from whomever they take over from works apart. */
function beside(of: Conversation, agents: readonly string[], apart: ReadonlySet<string>): readonly Thread[] {
	const others = new Set(apart);
	for (const { agent, apart: theirs } of of.threads.values()) {
		if (others.has(agent)) for (const one of agents) theirs.add(one);
	}
	return agents.map((agent) => {
		const thread = threadFor(of, agent);
		thread.apart.clear();
		for (const other of [...others, ...agents]) if (other !== agent) thread.apart.add(other);
		return thread;
	});
}

function catchUp(thread: Thread): void {
	const { team } = thread.of;
	if (!team) return;
	for (const { by, text, to = [by], label } of team.said.slice(thread.heard)) {
		// What was said by those who work beside it, or to them alone, is not for it.
		if (by === thread.agent || to.every((agent) => thread.apart.has(agent))) continue;
		thread.label = joinLabels(thread.label, label);
		if (by === "user") noteRequest(thread, text);
		say(thread, by === "user" ? text : `[${by}] ${text}`);
	}
	thread.heard = team.said.length;
}

/** Before what it is asked: what stands there is never changed, so that prompt caches hold, and the mode may be another one later. */
function tellMode(thread: Thread): void {
	if (thread.of.mode === "plan") say(thread, inPlanMode);
}

const inPlanMode = "[Mode: plan. Nothing is changed before a person has approved it.]";

function call(thread: Thread, text: string): void {
	callUpon(thread, text);
	say(thread, text);
}

/** What it said before was accepted, or is not answered for any more. */
function callUpon(thread: Thread, text: string): void {
	thread.isCalledUpon = true;
	thread.hasLastAnswer = false;
	thread.rejections = 0;
	thread.context.failedTurns = 0;
	thread.rounds = 0;
	thread.context.first ??= text;
}

/** What the user asks of it, or whoever called it; before it is said, which is not before this place. */
function noteRequest({ context, messages }: Thread, text: string): void {
	context.first ??= text;
	context.last = { text, place: messages.length };
}

function payload(state: RunState, { from, reason, summary, results = [], leftOut }: RunHanded): string {
	const lines = [`[Handed to you by ${from}${reason ? `: ${reason}` : ""}]`];
	if (summary) lines.push(`Summary: ${summary}`);
	if (results.length > 0) {
		lines.push("Results so far, so that you need not look them up again:");
		for (const id of results) lines.push(resultLine(callOf(state, id), valueOf(state, callOf(state, id))));
	}
	if (leftOut) lines.push(`Results that were too long to be told here: ${leftOut}`);
	return lines.join("\n");
}

/** A result as whoever takes over reads it. */
export function resultLine({ tool, args }: Pick<CallState, "tool" | "args">, value: Json): string {
	return `${tool}(${JSON.stringify(args ?? null)}) → ${JSON.stringify(value)}`;
}

export function askUser({ conversation }: RunState, event: UserAsked): void {
	const { team } = conversation;
	if (!team) return;
	const { agent, replyTo = agent, beside: others = [] } = event;
	const text = event.text ?? team.said.findLast(({ by }) => by === agent)?.text ?? "";
	const source = { from: agent, joined: event.joined };
	const apart = apartFrom(conversation, source);
	const trail = trailFrom(conversation, source);
	team.asked = { agent, text, readers: [replyTo, ...others], apart, trail };
	forget(conversation, event);
}

/** Those whose answers were joined are not at work, and are again. */
export function goOn(thread: Thread, event: AgentContinued): void {
	const { of } = thread;
	if (!of.active.includes(thread)) of.active = [...of.active, thread];
	forget(of, event);
	if (!event.loop) thread.continued++;
	const rounds = event.loop ? thread.rounds + 1 : 0;
	const { last } = thread.context;
	call(thread, event.prompt);
	// Nobody asked it that.
	thread.context.last = last;
	thread.rounds = rounds;
}

/** One of several is done. */
export function finishBeside(state: RunState, event: AgentDone): void {
	const { in: inside, agent = "", as = agent, answer } = event;
	const of = inside === undefined ? state.conversation : callOf(state, inside).inside;
	if (!of) return;
	const text = answer ?? of.threads.get(agent)?.text ?? "";
	const inner = (event.joined ?? []).flatMap((name) => of.team?.done.get(name)?.agents ?? []);
	forget(of, event);
	of.team?.done.set(as, { text, agents: inner.length > 0 ? inner : [agent] });
	of.active = of.active.filter((thread) => thread.agent !== agent);
}
