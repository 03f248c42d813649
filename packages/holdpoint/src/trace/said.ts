/** What was said and done, in the form that the conventions give it: only where it may be recorded. Texts are cut. */
import type { Outcome, RunEvent } from "../spec/events.ts";
import type { Json } from "../spec/json.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { AnswerPart } from "../spec/model.ts";
import { short } from "./open-span.ts";

interface Message {
	readonly role: "user" | "assistant" | "tool";
	readonly parts: readonly { readonly [field: string]: Json }[];
}

/** What came to each conversation since its last answer: whole histories would make a run of n answers cost n². */
export class Said {
	private readonly heard = new Map<string, Message[]>();

	hear(
		event: RunEvent,
		calls: ReadonlyMap<string, { readonly in: string | undefined; readonly parent?: unknown }>,
	): void {
		if (event.type === "run.started") this.add(undefined, userSaid(event.input));
		else if (event.type === "message.received") this.add(undefined, userSaid(event.text));
		else if (event.type === "agent.continued") this.add(event.in, userSaid(event.prompt));
		else if (event.type === "output.rejected") this.add(event.in, userSaid(event.issues));
		else if (event.type === "agent.started") this.add(event.call, userSaid(event.input));
		else if (event.type === "call.finished" || event.type === "call.settled") {
			const call = calls.get(event.call);
			// What a program's calls give is the program's alone.
			if (!call || call.parent !== undefined) return;
			const response = { type: "tool_call_response", id: event.call, result: resultText(event.outcome) };
			this.add(call.in, { role: "tool", parts: [response] });
		}
	}

	private add(inside: string | undefined, message: Message): void {
		const place = inside ?? "";
		const messages = this.heard.get(place) ?? [];
		if (messages.length < fixedLimits.spanTextsMax) messages.push(message);
		this.heard.set(place, messages);
	}

	/** As JSON; what was taken is not there any more. */
	take(inside: string | undefined): string {
		const messages = this.heard.get(inside ?? "") ?? [];
		this.heard.delete(inside ?? "");
		return JSON.stringify(messages);
	}
}

function userSaid(text: string): Message {
	return { role: "user", parts: [{ type: "text", content: cut(text) }] };
}

function cut(text: string): string {
	return short(text, fixedLimits.spanTextCharsMax);
}

/** As JSON. */
export function answerText(content: readonly AnswerPart[], finish: string): string {
	const parts = content.slice(0, fixedLimits.spanTextsMax).flatMap(partOf);
	return JSON.stringify([{ role: "assistant", parts, finish_reason: finish }]);
}

function partOf(part: AnswerPart): { readonly [field: string]: Json }[] {
	if (part.type === "text") return [{ type: "text", content: cut(part.text) }];
	if (part.type === "reasoning") return part.text === "" ? [] : [{ type: "reasoning", content: cut(part.text) }];
	if (part.type === "tool-call")
		return [{ type: "tool_call", id: part.toolCallId, name: part.toolName, arguments: cut(part.input) }];
	return [];
}

export function jsonText(value: Json): string {
	return cut(JSON.stringify(value));
}

export function resultText(outcome: Outcome): string {
	if ("ok" in outcome) return jsonText(outcome.ok);
	if ("blob" in outcome) return `[${outcome.bytes} bytes, kept beside the journal]`;
	return cut(Object.values(outcome)[0] as string);
}
