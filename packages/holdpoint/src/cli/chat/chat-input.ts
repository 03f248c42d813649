/** Where the words of a conversation come from: prompts where a person sits at a terminal, else lines of standard input. */
import type { CommonOptions } from "@clack/prompts";
import type { OpenApproval } from "../../run/inbox.ts";
import type { Invocation } from "../command.ts";
import type { Input } from "../host.ts";
import { usageInvalid } from "../parse-arguments.ts";
import { jsonText } from "../render/json-text.ts";
import { inlineText } from "../render/safe-text.ts";
import { type ChatWord, chatWord, jsonOf } from "./chat-word.ts";

export interface ChatInput {
	/** The next one. `held`: the call that was shown and is to be decided. Undefined: nobody is there any more. */
	next(asking: { readonly held: OpenApproval | undefined; readonly label: string }): Promise<ChatWord | undefined>;
	close(): Promise<void>;
}

export function chatInput({ terminal, host }: Pick<Invocation, "terminal" | "host">): ChatInput {
	return terminal.isInteractive ? promptInput(host) : lineInput(host.stdin);
}

const lineBytesMax = 1_048_576;

function lineInput(stdin: Input): ChatInput {
	const lines = linesOf(stdin);
	return {
		next: async () => {
			const { value, done } = await lines.next();
			return done ? undefined : chatWord(value);
		},
		close: async () => void (await lines.return(undefined)),
	};
}

async function* linesOf(input: Input): AsyncGenerator<string, void, void> {
	const decoder = new TextDecoder();
	let rest = "";
	for await (const part of input) {
		rest += typeof part === "string" ? part : decoder.decode(part, { stream: true });
		const lines = rest.split("\n");
		rest = lines.pop() ?? "";
		yield* lines;
		if (Buffer.byteLength(rest) >= lineBytesMax) throw usageInvalid(`A line has more than ${lineBytesMax} bytes`);
	}
	rest += decoder.decode();
	if (rest !== "") yield rest;
}

/** Where a person sits, both are streams. */
type Streams = Pick<CommonOptions, "input" | "output">;

function promptInput({ stdin, stdout }: Pick<Invocation["host"], "stdin" | "stdout">): ChatInput {
	const streams = { input: stdin, output: stdout } as unknown as Streams;
	return {
		next: async ({ held, label }) => (held ? decide(held, streams) : said(label, streams)),
		close: async () => undefined,
	};
}

async function said(label: string, streams: Streams): Promise<ChatWord | undefined> {
	const { isCancel, text } = await import("@clack/prompts");
	const line = await text({ message: label, ...streams });
	return isCancel(line) ? undefined : chatWord(line ?? "");
}

async function decide(held: OpenApproval, streams: Streams): Promise<ChatWord | undefined> {
	const { isCancel, select, text } = await import("@clack/prompts");
	const choice = await select({
		...streams,
		message: `${inlineText(held.tool, 60)} is held. What do you say?`,
		options: [
			{ value: "approve", label: "Approve", hint: "as it is asked" },
			{ value: "edit", label: "Approve with other arguments" },
			{ value: "deny", label: "Deny", hint: "the agent reads why" },
			{ value: "say", label: "Say something first", hint: "it stays held, and the agent answers" },
			{ value: "later", label: "Leave it held for now" },
		],
	});
	if (isCancel(choice)) return undefined;
	const { approval } = held;
	switch (choice) {
		case "approve":
			return { kind: "approve", approval };
		case "edit": {
			const json = await text({
				...streams,
				message: "With which arguments? (JSON)",
				initialValue: JSON.stringify(held.args),
				validate: (value) => (jsonOf(value ?? "") === undefined ? `Such as ${jsonText(held.args, 60)}` : undefined),
			});
			return isCancel(json) ? { kind: "later" } : { kind: "approve", approval, args: jsonOf(json) ?? null };
		}
		case "deny": {
			const isThere = (value: string | undefined) => (value?.trim() ? undefined : "The agent reads it.");
			const reason = await text({ message: "Why not?", validate: isThere, ...streams });
			return isCancel(reason) ? { kind: "later" } : { kind: "deny", approval, reason };
		}
		case "say":
			return said("you", streams);
		default:
			return { kind: "later" };
	}
}
