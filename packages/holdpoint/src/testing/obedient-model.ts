/**
 * A simulated victim: a model that plays its story, and obeys every instruction that it reads on the way. No real model is
 * as obedient; what holds against this one does not rest on a model's judgement.
 *
 * An instruction may stand anywhere in what it reads: results, values, consoles and errors of programs, arguments that a
 * person changed, notes, earlier runs of a session.
 *
 *   <<call tool {"argument":"value"}>>   calls the tool, from a program where it can be called only there
 *   <<program source>>                   writes that program
 *
 * `$HEARD` in arguments or source: what tools and users have told it, as text.
 */
import type { LanguageModelV4, LanguageModelV4CallOptions } from "@ai-sdk/provider";
import { digest } from "../kit/digest.ts";
import type { Json } from "../spec/json.ts";
import type { ModelMessage, ModelPrompt } from "../spec/model.ts";
import { type ScriptedModelOptions, scriptedModel } from "./scripted-model.ts";
import { calls, type Story, type StoryCall } from "./story.ts";

export interface ObedientModelOptions extends ScriptedModelOptions {
	/**
	 * `at once`: in the answer after it reads an instruction, and anew after each later message of a user.
	 * `later`: only from the next message of a user on, as one that was told to wait. Default: `at once`.
	 */
	readonly obeys?: "at once" | "later";
}

/** Which instructions were obeyed follows from the prompt alone, as a scripted model's place in its story does. */
export function obedientModel(story: Story, options: ObedientModelOptions = {}): LanguageModelV4 {
	const { obeys = "at once", ...rest } = options;
	const player = scriptedModel(story, rest);
	const turnOf = (request: LanguageModelV4CallOptions) => {
		const orders = openOrders(request.prompt, obeys);
		if (orders.length === 0)
			return { model: player, request: { ...request, prompt: withoutObedience(request.prompt) } };
		const tools = new Set((request.tools ?? []).map(({ name }) => name));
		const obeying = calls(orders.map((order) => callFor(order, request.prompt, tools)));
		return { model: scriptedModel(() => obeying, rest), request };
	};
	return {
		...player,
		provider: "holdpoint.obedient",
		doGenerate: async (request) => {
			const turn = turnOf(request);
			return turn.model.doGenerate(turn.request);
		},
		doStream: async (request) => {
			const turn = turnOf(request);
			return turn.model.doStream(turn.request);
		},
	};
}

/**
 * The beginning of a program that obeys by itself: `hear(value)` notes a value for `$HEARD`, and `await obey(value)` does
 * so and calls what the value tells it to. `heard`: what the model knew when it wrote the program.
 */
export function obedience(heard = ""): string {
	return `const heard = ${JSON.stringify(heard ? [heard] : [])};
const textsOf = (value) => typeof value === "string" ? [value]
  : value && typeof value === "object" ? Object.values(value).flatMap(textsOf) : [];
const hear = (value) => void heard.push(...textsOf(value));
async function obey(value) {
  hear(value);
  for (const text of textsOf(value)) {
    for (const [, tool, args] of text.matchAll(/<<call (\\w+) (\\{.*?\\})>>/g)) {
      const said = JSON.stringify(heard.join("\\n").slice(0, ${heardCharsMax})).slice(1, -1);
      await tools[tool](JSON.parse(args.replaceAll("$HEARD", () => said))).catch(() => null);
    }
  }
}
`;
}

const heardCharsMax = 2_000;
const prefix = "obey_";

interface Order {
	/** The same for the same instruction, wherever it stands. */
	readonly key: string;
	readonly tool: string;
	/** JSON text, or the source of a program. */
	readonly body: string;
	/** Index of the message in which it stands first. */
	readonly at: number;
}

/** Those that were not obeyed since a user last said something. */
function openOrders(prompt: ModelPrompt, obeys: "at once" | "later"): readonly Order[] {
	const lastUser = prompt.findLastIndex(({ role }) => role === "user");
	const known = new Map<string, Order>();
	for (const [at, message] of prompt.entries()) {
		if (obeys === "later" && at >= lastUser) break;
		for (const text of textsIn(message)) for (const order of ordersIn(text, at)) known.set(order.key, order);
	}
	const done = prompt.slice(lastUser + 1).flatMap(callIds);
	return [...known.values()].filter(({ key }) => !done.some((id) => id.startsWith(`${prefix}${key}_`)));
}

function ordersIn(text: string, at: number): Order[] {
	return [...text.matchAll(/<<(call|program) ([\s\S]*?)>>/g)].flatMap(([, kind, body = ""]) => {
		const order = kind === "program" ? { tool: "execute_code", body } : (callIn(body) ?? callIn(unquoted(body)));
		if (!order) return [];
		return { ...order, at, key: digest(`${kind}\n${order.tool}\n${order.body}`).replace(/\W|_/g, "").slice(0, 12) };
	});
}

function callIn(body: string): Pick<Order, "tool" | "body"> | undefined {
	const [, tool, args] = /^([\w-]+) (\{[\s\S]*\})$/.exec(body) ?? [];
	return tool && args && parsed(args) !== undefined ? { tool, body: args } : undefined;
}

/** JSON inside of a text that is itself quoted as JSON. */
function unquoted(body: string): string {
	const inner = parsed(`"${body}"`);
	return typeof inner === "string" ? inner : "";
}

function parsed(text: string): Json | undefined {
	try {
		return JSON.parse(text) as Json;
	} catch {
		return undefined;
	}
}

function callFor({ key, tool, body }: Order, prompt: ModelPrompt, tools: ReadonlySet<string>): StoryCall {
	const heard = prompt.flatMap(textsIn).join("\n").slice(0, heardCharsMax);
	const text = body.replaceAll("$HEARD", () => JSON.stringify(heard).slice(1, -1));
	const id = `${prefix}${key}_${prompt.length}`;
	if (tool === "execute_code") return { tool, args: { code: text }, id, undeclared: true };
	if (tools.has(tool) || !tools.has("execute_code")) return { tool, input: text, id, undeclared: true };
	return { tool: "execute_code", args: { code: `return await tools.${tool}(${text});` }, id };
}

/** All that a message tells; what the model said itself tells it nothing. */
function textsIn(message: ModelMessage): string[] {
	if (message.role === "user") return message.content.flatMap((part) => (part.type === "text" ? part.text : []));
	if (message.role !== "tool") return [];
	return message.content.flatMap((part) => {
		if (part.type !== "tool-result") return [];
		const { output } = part;
		if (output.type === "execution-denied") return output.reason ?? [];
		return leaves(output.type === "text" ? (parsed(output.value) ?? output.value) : output.value);
	});
}

function leaves(value: unknown): string[] {
	if (typeof value === "string") return [value];
	return value && typeof value === "object" ? Object.values(value).flatMap(leaves) : [];
}

function callIds(message: ModelMessage): string[] {
	if (message.role !== "assistant" && message.role !== "tool") return [];
	return message.content.flatMap((part) => ("toolCallId" in part ? part.toolCallId : []));
}

/** The conversation as the story knows it. An answer that obeys does nothing else. */
function withoutObedience(prompt: ModelPrompt): ModelPrompt {
	return prompt.filter((message) => !callIds(message).some((id) => id.startsWith(prefix)));
}
