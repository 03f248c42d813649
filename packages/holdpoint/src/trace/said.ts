/**
 * What was said and done, in the form that the conventions give it: only where it may be recorded. Texts are cut; a value
 * that is too long is the text of its beginning, so that it is JSON all the same.
 */
import type { Outcome, RunEvent } from "../spec/events.ts";
import type { Json } from "../spec/json.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { AnswerPart } from "../spec/model.ts";
import { short } from "./open-span.ts";
import { placeOf, type Who } from "./who.ts";

interface Message {
	readonly role: "user" | "assistant" | "tool";
	readonly parts: readonly { readonly [field: string]: Json }[];
}

type Calls = ReadonlyMap<string, Who & { readonly parent?: unknown; readonly modelId?: string | undefined }>;

/** A conversation of a team, or of a single agent, whose name is empty. */
interface Talk {
	/** Names of those that are at work. */
	active: readonly string[];
	/** The user's last words, and who was told them. */
	words: Message;
	readonly told: Set<string>;
}

/** What was said in a conversation before, and may be recorded: redacted. */
export interface KnownTalk extends Pick<Who, "in"> {
	/** Names of those that are at work; of a single agent, which is no team's, an empty one. */
	readonly active: readonly string[];
	/** The user's last words, and the names of those that were told them. */
	readonly words: string;
	readonly told: readonly string[];
	readonly heard: readonly Heard[];
}

/** What came to an agent since its last answer. */
export interface Heard extends Pick<Who, "agent"> {
	readonly results: readonly { readonly id: string; readonly outcome: Outcome }[];
	readonly texts: readonly string[];
}

/** What came to each agent since its last answer: whole histories would make a run of n answers cost n². */
export class Said {
	/** By place. */
	private readonly heard = new Map<string, Message[]>();
	/** By the call inside of which it is. */
	private readonly talks = new Map<string | undefined, Talk>();

	/** What was said before, in place of its events. */
	know(talks: readonly KnownTalk[]): void {
		for (const { in: inside, active, words, told, heard } of talks) {
			this.talks.set(inside, { active, words: userSaid(words), told: new Set(told) });
			for (const { agent, results, texts } of heard) {
				for (const { id, outcome } of results) this.add({ in: inside, agent }, resultSaid(id, outcome));
				for (const text of texts) this.add({ in: inside, agent }, userSaid(text));
			}
		}
	}

	hear(event: RunEvent, calls: Calls): void {
		switch (event.type) {
			case "run.started":
				return this.begin(undefined, event.team?.start, event.input);
			case "agent.started":
				return this.begin(event.call, event.team?.start, event.input);
			case "message.received":
				return this.begin(undefined, this.talks.get(undefined)?.active, event.text);
			case "run.handed":
				return this.hand(event);
			case "user.asked":
				return this.atWork(undefined, [event.replyTo ?? event.agent, ...(event.beside ?? [])]);
			case "agent.done":
				return this.atWork(event.in, this.activeBut(event.in, event.agent));
			case "agent.continued":
				this.atWork(event.in, [...this.activeBut(event.in, event.agent), event.agent ?? ""]);
				return this.add(event, userSaid(event.prompt));
			case "output.rejected":
				return this.add(event, userSaid(event.issues));
			case "call.finished":
			case "call.settled": {
				const call = calls.get(event.call);
				// What a program's calls give is the program's alone.
				if (!call || call.parent !== undefined) return;
				return this.add(call, resultSaid(call.modelId ?? event.call, event.outcome));
			}
			default:
		}
	}

	private begin(inside: string | undefined, active: readonly string[] = [""], text: string): void {
		const words = userSaid(text);
		this.talks.set(inside, { active, words, told: new Set(active) });
		for (const agent of active) this.add({ in: inside, agent }, words);
	}

	/** Whoever takes over is told what the user said, and why it is its turn. */
	private hand({
		in: inside,
		from,
		to,
		beside = [],
		summary,
		reason,
	}: Extract<RunEvent, { type: "run.handed" }>): void {
		const talk = this.talks.get(inside);
		const next = [to, ...beside];
		for (const agent of next) {
			if (talk && !talk.told.has(agent)) this.add({ in: inside, agent }, talk.words);
			talk?.told.add(agent);
			const why = summary ?? reason;
			if (why !== undefined) this.add({ in: inside, agent }, userSaid(why));
		}
		this.atWork(inside, [...this.activeBut(inside, from).filter((agent) => !next.includes(agent)), ...next]);
	}

	private activeBut(inside: string | undefined, agent = ""): readonly string[] {
		return (this.talks.get(inside)?.active ?? []).filter((other) => other !== agent);
	}

	private atWork(inside: string | undefined, active: readonly string[]): void {
		const talk = this.talks.get(inside);
		if (talk) talk.active = active;
	}

	private add(who: Who, message: Message): void {
		const place = placeOf(who);
		const messages = this.heard.get(place) ?? [];
		if (messages.length < fixedLimits.spanTextsMax) messages.push(message);
		this.heard.set(place, messages);
	}

	/** As JSON; what was taken is not there any more. */
	take(who: Who): string {
		const messages = this.heard.get(placeOf(who)) ?? [];
		this.heard.delete(placeOf(who));
		return JSON.stringify(messages);
	}
}

function userSaid(text: string): Message {
	return { role: "user", parts: [{ type: "text", content: cut(text) }] };
}

function resultSaid(id: string, outcome: Outcome): Message {
	return { role: "tool", parts: [{ type: "tool_call_response", id: short(id), response: responseOf(outcome) }] };
}

/** A text as it is recorded. */
export function cut(text: string): string {
	return short(text, fixedLimits.spanTextCharsMax);
}

/** As JSON. */
export function answerText(content: readonly AnswerPart[], finish: string): string {
	const parts = content.slice(0, fixedLimits.spanTextsMax).flatMap(partOf);
	return JSON.stringify([{ role: "assistant", parts, finish_reason: short(finish) }]);
}

function partOf(part: AnswerPart): { readonly [field: string]: Json }[] {
	if (part.type === "text") return [{ type: "text", content: cut(part.text) }];
	if (part.type === "reasoning") return part.text === "" ? [] : [{ type: "reasoning", content: cut(part.text) }];
	if (part.type !== "tool-call") return [];
	const { toolCallId, toolName, input } = part;
	return [
		{ type: "tool_call", id: short(toolCallId), name: short(toolName), arguments: JSON.parse(argumentsText(input)) },
	];
}

/** As JSON, whatever the model wrote. */
export function argumentsText(input: string): string {
	if (input.length > fixedLimits.spanTextCharsMax) return JSON.stringify(cut(input));
	try {
		JSON.parse(input);
		return input;
	} catch {
		return JSON.stringify(input);
	}
}

/** As JSON. */
export function jsonText(value: Json): string {
	const text = JSON.stringify(value);
	return text.length > fixedLimits.spanTextCharsMax ? JSON.stringify(cut(text)) : text;
}

function responseOf(outcome: Outcome): Json {
	return "ok" in outcome ? JSON.parse(jsonText(outcome.ok)) : resultText(outcome);
}

/** As JSON where it is a result; else in words. */
export function resultText(outcome: Outcome): string {
	if ("ok" in outcome) return jsonText(outcome.ok);
	if ("blob" in outcome) return `[${outcome.bytes} bytes, kept beside the journal]`;
	return cut(Object.values(outcome)[0] as string);
}
