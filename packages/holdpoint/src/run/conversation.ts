/**
 * The agents that work on one thing, each with its own view of it. A run has one conversation; a call that is put to an
 * agent has one inside it. What was said is never changed: an agent that takes over reads it, in its own thread.
 */
import type { LanguageModelV4Message } from "@ai-sdk/provider";
import type { View } from "../context/view.ts";
import { joinLabels } from "../labels/label.ts";
import type { ContextProvided, Mode, OfAgent, RunHanded, Todo } from "../spec/events.ts";
import type { Label } from "../spec/label.ts";

export type Message = LanguageModelV4Message;

export interface Conversation {
	/** The call inside of which it is; undefined: the run's own. */
	readonly call: string | undefined;
	/** Name of the agent or the team that was asked. */
	readonly name: string;
	/** By the agent's name. */
	readonly threads: Map<string, Thread>;
	/** Those that are at work, or were last. */
	active: readonly Thread[];
	/** Of a team; undefined: a single agent's. */
	readonly team: TeamTalk | undefined;
	/** What its agents may do; undefined: nobody said anything of modes. */
	mode: Mode | undefined;
	/** Answers of models; in a team since the user's last words. */
	turns: number;
}

/** What a team's conversation has beside its threads. */
export interface TeamTalk {
	/** What users and agents said, in order. */
	readonly said: Said[];
	/** Of all that. */
	label: Label | undefined;
	/** Handoffs since the user's last words, by the name of the team on whose ways they were made. */
	readonly handoffs: Map<string, number>;
	/** How often a team's own order said who is next, since then. */
	readonly rounds: Map<string, number>;
	/** Calls of the run that were made before the user's last words. */
	callsBefore: number;
	/** Somebody asked the user. */
	asked: UserQuestion | undefined;
	/** Calls of models that gave a result, handoffs apart, in the order in which they did. */
	readonly results: string[];
	/** Participants that worked beside each other and are done, with their answers. None of their agents is at work. */
	readonly done: Map<string, Part>;
}

/** What one of those came to that worked beside each other. */
export interface Part {
	readonly text: string;
	/** Names of the agents that were at work last. */
	readonly agents: readonly string[];
}

export interface UserQuestion {
	readonly agent: string;
	readonly text: string;
	/** Names of the agents that read the reply. */
	readonly readers: readonly string[];
	/** Who works beside them. */
	readonly apart: ReadonlySet<string>;
	/** On which way the work had come to whoever asked. */
	readonly trail: Trail;
}

export interface Said {
	/** `user`, or the name of an agent. No agent of a team is named so. */
	readonly by: string;
	readonly text: string;
	/** Of the user's words: agents that read them as they came. */
	readonly to?: readonly string[];
	/** Of what whoever said it had seen. */
	readonly label?: Label | undefined;
}

/** A handoff that was made and not taken yet: it waits until nothing of whoever made it is open. */
export interface Handing {
	readonly call: string;
	readonly to: string;
}

/** On which way the work came to an agent. */
export interface Trail {
	/** Who handed it on, the first one first; cut where it leads back. */
	readonly path: readonly string[];
	/** The last handoff, and how often in a row these two handed on to each other with nothing done in between. */
	readonly last: { readonly from: string; readonly to: string; readonly times: number } | undefined;
}

const noTrail: Trail = { path: [], last: undefined };

export interface Thread {
	readonly of: Conversation;
	/** Name of the agent. */
	readonly agent: string;
	/** The name under which the driver is busy with its model. */
	readonly work: string;
	/** What the model has seen and said, without instructions; starts with the session's earlier messages. */
	readonly messages: Message[];
	/** Calls of the model's last answer, in source order; empty once their results are in `messages`. */
	readonly turn: string[];
	/** Calls that the model was told are pending; their results enter as notes. */
	readonly late: string[];
	/** Messages that wait until no call is open. */
	readonly queued: string[];
	/** What is to be said when the open turn's results are in. */
	readonly notes: string[];
	/** Is the model to be asked next (when no turn is open)? */
	modelDue: boolean;
	/** What gave the last answer. */
	model: string | undefined;
	/** Answers of the model. */
	turns: number;
	/** Those since the user's last words. */
	answers: number;
	/** Calls that it made, those of its programs included. */
	calls: number;
	/** So many tokens the first so many messages had, instructions and tools included, as the last answer told. */
	measured: Measured | undefined;
	/** Of the last answer. */
	text: string;
	/** Structured answers that were rejected. */
	rejections: number;
	emptyAnswers: number;
	timer: { readonly id: string; readonly dueAt: number; readonly why: string } | undefined;
	/** Waits for the model in a row. */
	timers: number;
	/** Of all that the model has seen. */
	label: Label | undefined;
	readonly modelIds: Set<string>;
	/** Of what calls of earlier runs returned, by their ids in the messages; of one that is not here nothing is known. */
	readonly earlierLabels: Map<string, Label | undefined>;
	handing: Handing | undefined;
	trail: Trail;
	/** So much of what was said in the team's conversation it knows. */
	heard: number;
	/** Agents that work beside it: what they say and find out is not for it. */
	readonly apart: Set<string>;
	/** So many of the conversation's results were there when some were carried to it: later ones were not. */
	carried: number;
	/** Somebody spoke to it, and its model was not asked since. */
	isCalledUpon: boolean;
	/** Answers without a handoff since somebody else spoke to it. */
	continued: number;
	/** The tools that the handoff leaves it; undefined: all of its own. */
	only: readonly string[] | undefined;
	/** What ways to teams that it is in leave to all who work there, by the team's name. */
	onlyIn: RunHanded["onlyIn"];
	/** What its model is shown, and what it is to keep in mind; goes on in the session's next run. */
	readonly context: ThreadContext;
}

export interface ThreadContext {
	/** What the model is shown of `messages`; undefined: all of it. */
	view: View | undefined;
	/** By how much a provider counts more than is estimated. */
	ratio: number;
	/** What a prompt may have, as its last answer says. Tokens. */
	budget: number | undefined;
	/** What stands behind its instructions. */
	provided: NonNullable<ContextProvided["parts"]>;
	/** Its providers were asked in this run, and nothing was compacted since. */
	isProvided: boolean;
	/** What it was asked first and last, and before which message that was. */
	first: string | undefined;
	last: { readonly text: string; readonly place: number } | undefined;
	/** Messages of the session before those that the thread has. */
	dropped: number;
	/** What the folded part of the conversation said. */
	summary: string | undefined;
	todos: readonly Todo[];
	/** Answers in a row whose calls all failed. */
	failedTurns: number;
}

export function newContext(): ThreadContext {
	return {
		view: undefined,
		ratio: 1,
		budget: undefined,
		provided: [],
		isProvided: false,
		first: undefined,
		last: undefined,
		dropped: 0,
		summary: undefined,
		todos: [],
		failedTurns: 0,
	};
}

interface NewConversation extends Pick<Conversation, "call" | "name"> {
	/** Agents take over from each other in it. */
	readonly isTeam: boolean;
}

export function newConversation({ call, name, isTeam }: NewConversation): Conversation {
	const team = isTeam
		? {
				said: [],
				label: undefined,
				handoffs: new Map<string, number>(),
				rounds: new Map<string, number>(),
				callsBefore: 0,
				asked: undefined,
				results: [],
				done: new Map<string, Part>(),
			}
		: undefined;
	return { call, name, threads: new Map(), active: [], team, mode: undefined, turns: 0 };
}

/** Of all that its agents have seen, whether they spoke or not. */
export function labelSeenIn({ threads }: Conversation): Label | undefined {
	return [...threads.values()].reduce<Label | undefined>((label, thread) => joinLabels(label, thread.label), undefined);
}

/** An agent's thread; it begins with its first use. */
export function threadFor(of: Conversation, agent: string): Thread {
	let thread = of.threads.get(agent);
	if (!thread) {
		thread = newThread(of, agent);
		of.threads.set(agent, thread);
	}
	return thread;
}

/** What a provider reported of the first messages. */
export interface Measured {
	readonly tokens: number;
	readonly messages: number;
	/** Digest of whom it asked, and with what beside them. */
	readonly counted: string;
}

/** What an agent has seen and said before. */
export type Earlier = Pick<Thread, "messages"> & Partial<Pick<Thread, "context" | "measured" | "earlierLabels">>;

export function newThread(of: Conversation, agent: string, earlier: Earlier = { messages: [] }): Thread {
	const { messages: history, context, measured, earlierLabels = new Map() } = earlier;
	return {
		of,
		agent,
		work: of.team || of.call !== undefined ? `model ${of.call ?? ""} ${agent}` : "model",
		messages: [...history],
		turn: [],
		late: [],
		queued: [],
		notes: [],
		modelDue: false,
		model: undefined,
		turns: 0,
		answers: 0,
		calls: 0,
		measured,
		text: "",
		rejections: 0,
		emptyAnswers: 0,
		timer: undefined,
		timers: 0,
		label: undefined,
		modelIds: callIdsIn(history),
		earlierLabels,
		handing: undefined,
		trail: noTrail,
		heard: 0,
		apart: new Set(),
		carried: 0,
		isCalledUpon: false,
		continued: 0,
		only: undefined,
		onlyIn: undefined,
		// What providers give they give to a run: its principal, and which providers there are, may be others in the next one.
		context: context ? { ...context, provided: [], isProvided: false, failedTurns: 0 } : newContext(),
	};
}

export interface Source {
	/** An agent, or a team whose agents worked beside each other. */
	readonly from: string;
	/** Participants whose answers are joined. */
	readonly joined?: readonly string[] | undefined;
}

/** Who works beside whoever takes over from there. */
export function apartFrom({ threads, team }: Conversation, { from, joined = [] }: Source): ReadonlySet<string> {
	const thread = threads.get(from);
	if (thread) return thread.apart;
	const agents = joined.flatMap((name) => team?.done.get(name)?.agents ?? []);
	const [first, ...others] = agents.flatMap((agent) => threads.get(agent)?.apart ?? []);
	const shared = [...(first ?? [])].filter((agent) => others.every((set) => set.has(agent)));
	return new Set(shared.filter((agent) => !agents.includes(agent)));
}

/** The way on which work came to whoever hands it on, or is joined there. */
export function trailFrom({ threads, team }: Conversation, { from, joined = [] }: Source): Trail {
	const thread = threads.get(from);
	if (thread) return thread.trail;
	const agents = joined.flatMap((name) => team?.done.get(name)?.agents ?? []);
	const [first = [], ...others] = agents.flatMap((agent) => threads.get(agent)?.trail ?? []).map(({ path }) => path);
	const end = first.findIndex((agent, at) => others.some((path) => path[at] !== agent));
	return { path: end < 0 ? first : first.slice(0, end), last: undefined };
}

/** Ids of calls that the model has seen already; none may be used again in the same thread. */
function callIdsIn(messages: readonly Message[]): Set<string> {
	const ids = new Set<string>();
	// Once for each run of a session whose chain is folded: a list for each message would be most of what that takes.
	for (const { role, content } of messages) {
		if (role !== "assistant") continue;
		for (const part of content) if (part.type === "tool-call") ids.add(part.toolCallId);
	}
	return ids;
}

const ofItself: OfAgent = {};

/** Whose event it is, where that does not go without saying. */
export function whoOf({ of, agent }: Thread): OfAgent {
	if (of.call === undefined && !of.team) return ofItself;
	return { ...(of.call === undefined ? {} : { in: of.call }), ...(of.team ? { agent } : {}) };
}
