/** What somebody may type in a conversation: words for the agent, or a command. */
import type { Json } from "../../spec/json.ts";

export type ChatWord =
	| { readonly kind: "say"; readonly text: string }
	/** Undefined: the call that is shown. */
	| { readonly kind: "approve"; readonly approval: string | undefined; readonly args?: Json }
	| { readonly kind: "deny"; readonly approval: string | undefined; readonly reason: string }
	/** Not now: it stays held. */
	| { readonly kind: "later" }
	/** Looks again whether the run can go on. */
	| { readonly kind: "look" }
	| { readonly kind: "help" }
	| { readonly kind: "status" }
	| { readonly kind: "quit" }
	| { readonly kind: "unclear"; readonly why: string };

export const chatHelp: readonly (readonly [string, string])[] = [
	["/approve [id]", "say yes to the held call that is shown, or to that one"],
	["/edit [id] <json>", "say yes to it with these arguments instead"],
	["/deny [id] <reason>", "say no to it; the agent reads why"],
	["/later", "leave it held for now"],
	["/resume", "look again whether the run can go on; an empty line does the same"],
	["/status", "where the conversation stands"],
	["/quit", "leave; the conversation is kept"],
];

/** A line that begins with a slash is a command; with two, it is words that begin with one. */
export function chatWord(line: string): ChatWord {
	const text = line.trim();
	if (text === "") return { kind: "look" };
	if (!text.startsWith("/")) return { kind: "say", text };
	if (text.startsWith("//")) return { kind: "say", text: text.slice(1) };
	const [name = "", rest = ""] = split(text.slice(1));
	switch (name) {
		case "help":
		case "status":
		case "quit":
		case "later":
			return { kind: name };
		case "exit":
			return { kind: "quit" };
		case "resume":
			return { kind: "look" };
		case "approve":
		case "edit":
		case "deny":
			return answer(name, rest);
		default:
			return { kind: "unclear", why: `There is no /${name}. /help lists what there is; //${name} says it.` };
	}
}

function answer(name: "approve" | "edit" | "deny", rest: string): ChatWord {
	const [first = "", after = ""] = split(rest);
	const isNamed = first.startsWith("apr_");
	const approval = isNamed ? first : undefined;
	const words = isNamed ? after : rest;
	if (name === "approve") {
		if (words === "") return { kind: "approve", approval };
		return {
			kind: "unclear",
			why: "/approve takes the id of an approval and nothing else; /edit takes other arguments.",
		};
	}
	if (name === "deny") {
		if (words !== "") return { kind: "deny", approval, reason: words };
		return { kind: "unclear", why: "/deny needs a reason: the agent reads it." };
	}
	const args = jsonOf(words);
	if (args !== undefined) return { kind: "approve", approval, args };
	return { kind: "unclear", why: '/edit needs all of the arguments as JSON, such as /edit {"amountCents": 4200}' };
}

/** The first word, and the rest. */
function split(text: string): [string, string] {
	const [, first = "", rest = ""] = /^(\S*)\s*(.*)$/s.exec(text) ?? [];
	return [first, rest.trim()];
}

/** Undefined: it is no JSON. */
export function jsonOf(text: string): Json | undefined {
	try {
		return JSON.parse(text) as Json;
	} catch {
		return undefined;
	}
}
