import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import type { LanguageModel } from "../packages/holdpoint/src/spec/model.ts";

/** Servers on this machine that speak the protocols of model providers, well or badly, as a test tells them. */

export interface Reply {
	readonly thinking?: { readonly text: string; readonly signature: string };
	readonly text?: string;
	readonly calls?: readonly WireCall[];
	readonly usage: { readonly input: number; readonly cached: number; readonly output: number };
}

export interface WireCall {
	readonly id: string;
	readonly name: string;
	readonly args: string;
}

/** What the server does with one request. */
export type Turn =
	| { readonly reply: Reply }
	| { readonly status: number; readonly headers?: Record<string, string>; readonly message: string }
	/** Status 200 and a body, or a chunk of a stream, that is no JSON. */
	| { readonly malformed: true }
	/** The connection breaks, or the body ends in good order but too early. */
	| { readonly cut: "connection" | "end"; readonly at: "start" | "middle"; readonly when?: Promise<void> }
	| { readonly silent: true };

export interface WireResult {
	readonly id: string;
	readonly content: unknown;
}

interface Body {
	readonly stream?: boolean;
	readonly [name: string]: unknown;
}

export interface Protocol {
	readonly name: string;
	readonly path: string;
	model(baseUrl: string): LanguageModel;
	/** Whole answer. */
	body(reply: Reply): object;
	/** Streamed answer, an event each. */
	events(reply: Reply): readonly object[];
	error(message: string): object;
	/** What a request says about the turns before it. */
	callsIn(body: Body): readonly WireCall[];
	resultsIn(body: Body): readonly WireResult[];
	/** The signature of the model's reasoning, where the protocol sends it back. */
	signatureIn(body: Body): string | undefined;
}

export interface SeenRequest {
	readonly url: string | undefined;
	readonly headers: IncomingMessage["headers"];
	readonly body: Body;
	/** Settles when the client is gone. */
	readonly closed: Promise<unknown>;
}

export interface ModelServer {
	readonly model: LanguageModel;
	readonly requests: SeenRequest[];
	/** Settles when a request came in. */
	nextRequest(): Promise<void>;
	close(): Promise<void>;
}

/** Plays the turns in order; the last one again and again. */
export async function startModelServer(protocol: Protocol, turns: readonly Turn[]): Promise<ModelServer> {
	const requests: SeenRequest[] = [];
	let arrived = Promise.withResolvers<void>();
	const server = createServer((request, response) => {
		const chunks: Buffer[] = [];
		request.on("data", (chunk: Buffer) => chunks.push(chunk));
		request.on("end", () => {
			const body = JSON.parse(Buffer.concat(chunks).toString()) as Body;
			const turn = turns[Math.min(requests.length, turns.length - 1)];
			requests.push({ url: request.url, headers: request.headers, body, closed: once(response, "close") });
			arrived.resolve();
			arrived = Promise.withResolvers();
			if (turn) play(protocol, turn, { response, isStream: body.stream === true }).catch(() => response.destroy());
		});
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as AddressInfo;
	return {
		model: protocol.model(`http://127.0.0.1:${port}/v1`),
		requests,
		nextRequest: () => arrived.promise,
		async close() {
			server.closeAllConnections();
			server.close();
			await once(server, "close");
		},
	};
}

interface Wire {
	readonly response: ServerResponse;
	readonly isStream: boolean;
}

async function play(protocol: Protocol, turn: Turn, wire: Wire): Promise<void> {
	if ("silent" in turn) return;
	if ("reply" in turn)
		return send(wire, wire.isStream ? sse(protocol.events(turn.reply)) : [protocol.body(turn.reply)]);
	if ("status" in turn) {
		wire.response.writeHead(turn.status, { "content-type": "application/json", ...turn.headers });
		wire.response.end(JSON.stringify(protocol.error(turn.message)));
		return;
	}
	const reply: Reply = { text: "half of it", usage: { input: 1, cached: 0, output: 1 } };
	if ("malformed" in turn) {
		const [first = "", ...rest] = sse(protocol.events(reply));
		return send(wire, wire.isStream ? [first, 'data: {"id": oops\n\n', ...rest] : ['{"id": oops']);
	}
	await cut(protocol, turn, { ...wire, reply });
}

async function cut(
	protocol: Protocol,
	turn: Extract<Turn, { cut: unknown }>,
	{ response, isStream, reply }: Wire & { reply: Reply },
): Promise<void> {
	const whole = JSON.stringify(protocol.body(reply));
	const frames = sse(protocol.events(reply));
	const middle = frames.findIndex((frame) => frame.includes("half of it")) + 1;
	const sent = isStream ? frames.slice(0, turn.at === "start" ? 1 : middle).join("") : whole.slice(0, 20);
	response.writeHead(200, { "content-type": isStream ? "text/event-stream" : "application/json" });
	response.write(sent);
	await turn.when;
	if (turn.cut === "end") response.end();
	else response.destroy();
}

function send({ response, isStream }: Wire, chunks: readonly (string | object)[]): void {
	response.writeHead(200, { "content-type": isStream ? "text/event-stream" : "application/json" });
	for (const chunk of chunks) response.write(typeof chunk === "string" ? chunk : JSON.stringify(chunk));
	response.end();
}

function sse(events: readonly object[]): string[] {
	return events.map((event) => {
		const type = "type" in event ? `event: ${event.type}\n` : "";
		return `${type}data: ${JSON.stringify(event)}\n\n`;
	});
}

/** In two pieces, as servers send arguments. */
function halves(text: string): [string, string] {
	const middle = Math.ceil(text.length / 2);
	return [text.slice(0, middle), text.slice(middle)];
}

type Messages = readonly { readonly role: string; readonly [name: string]: unknown }[];

const chat: Omit<Protocol, "name" | "model"> = {
	path: "/v1/chat/completions",
	body: ({ text, calls, usage }) => ({
		id: "r1",
		choices: [
			{
				index: 0,
				finish_reason: calls ? "tool_calls" : "stop",
				message: { role: "assistant", content: text ?? null, tool_calls: calls?.map(chatCall) },
			},
		],
		usage: chatUsage(usage),
	}),
	events: ({ text, calls = [], usage }) => [
		chatChunk({ role: "assistant", content: "" }),
		...(text === undefined ? [] : [chatChunk({ content: text })]),
		...calls.map((call, index) =>
			chatChunk({ tool_calls: [{ index, ...chatCall({ ...call, args: halves(call.args)[0] }) }] }),
		),
		...calls.map(({ args }, index) => chatChunk({ tool_calls: [{ index, function: { arguments: halves(args)[1] } }] })),
		{ id: "r1", choices: [{ index: 0, delta: {}, finish_reason: calls.length > 0 ? "tool_calls" : "stop" }] },
		{ id: "r1", choices: [], usage: chatUsage(usage) },
	],
	error: (message) => ({ error: { message, type: "some_error", param: null, code: null } }),
	callsIn: (body) =>
		(body.messages as Messages).flatMap(({ tool_calls: calls }) =>
			((calls ?? []) as ReturnType<typeof chatCall>[]).map((call) => ({
				id: call.id,
				name: call.function.name,
				args: call.function.arguments,
			})),
		),
	resultsIn: (body) =>
		(body.messages as Messages)
			.filter(({ role }) => role === "tool")
			.map(({ tool_call_id: id, content }) => ({ id: String(id), content })),
	signatureIn: () => undefined,
};

function chatCall({ id, name, args }: WireCall) {
	return { id, type: "function", function: { name, arguments: args } };
}

function chatChunk(delta: object): object {
	return { id: "r1", choices: [{ index: 0, delta, finish_reason: null }] };
}

function chatUsage({ input, cached, output }: Reply["usage"]): object {
	return {
		prompt_tokens: input,
		completion_tokens: output,
		total_tokens: input + output,
		prompt_tokens_details: { cached_tokens: cached },
	};
}

export const openaiCompatible: Protocol = {
	...chat,
	name: "@ai-sdk/openai-compatible",
	model: (baseURL) =>
		createOpenAICompatible({ name: "local", baseURL, apiKey: "sk-wire-0123456789", includeUsage: true })("m"),
};

export const openaiChat: Protocol = {
	...chat,
	name: "@ai-sdk/openai chat",
	model: (baseURL) => createOpenAI({ baseURL, apiKey: "sk-wire-0123456789" }).chat("gpt-4.1"),
};

interface ResponsesItem {
	readonly type: string;
	readonly [name: string]: unknown;
}

export const openaiResponses: Protocol = {
	name: "@ai-sdk/openai responses",
	path: "/v1/responses",
	model: (baseURL) => createOpenAI({ baseURL, apiKey: "sk-wire-0123456789" }).responses("gpt-5"),
	body: (reply) => ({
		id: "r1",
		created_at: 1,
		model: "gpt-5",
		output: responsesItems(reply),
		usage: responsesUsage(reply.usage),
	}),
	events: (reply) => [
		{ type: "response.created", response: { id: "r1", created_at: 1, model: "gpt-5" } },
		...responsesItems(reply).flatMap((item, output_index) => responsesEvents(item, output_index)),
		{ type: "response.completed", response: { id: "r1", usage: responsesUsage(reply.usage) } },
	],
	error: (message) => ({ error: { message, type: "some_error", param: null, code: null } }),
	callsIn: (body) =>
		(body.input as ResponsesItem[])
			.filter(({ type }) => type === "function_call")
			.map((item) => ({ id: String(item.call_id), name: String(item.name), args: String(item.arguments) })),
	resultsIn: (body) =>
		(body.input as ResponsesItem[])
			.filter(({ type }) => type === "function_call_output")
			.map(({ call_id: id, output }) => ({ id: String(id), content: output })),
	signatureIn: (body) => {
		const reasoning = (body.input as ResponsesItem[]).find(({ type }) => type === "reasoning");
		return reasoning?.encrypted_content as string | undefined;
	},
};

function responsesItems({ thinking, text, calls = [] }: Reply): ResponsesItem[] {
	const items: ResponsesItem[] = [];
	if (thinking) {
		const summary = [{ type: "summary_text", text: thinking.text }];
		items.push({ type: "reasoning", id: "rs_1", summary, encrypted_content: thinking.signature });
	}
	if (text !== undefined) {
		const content = [{ type: "output_text", text, annotations: [] }];
		items.push({ type: "message", id: "msg_1", role: "assistant", status: "completed", content });
	}
	calls.forEach(({ id, name, args }, at) => {
		items.push({ type: "function_call", id: `fc_${at}`, call_id: id, name, arguments: args, status: "completed" });
	});
	return items;
}

function responsesEvents(item: ResponsesItem, output_index: number): object[] {
	const item_id = item.id;
	const added = (changes: object) => ({
		type: "response.output_item.added",
		output_index,
		item: { ...item, ...changes },
	});
	const done = { type: "response.output_item.done", output_index, item };
	if (item.type === "reasoning") {
		const [{ text }] = item.summary as [{ text: string }];
		const place = { item_id, output_index, summary_index: 0 };
		return [
			added({ encrypted_content: null, summary: [] }),
			{ type: "response.reasoning_summary_part.added", ...place },
			{ type: "response.reasoning_summary_text.delta", ...place, delta: text },
			{ type: "response.reasoning_summary_part.done", ...place },
			done,
		];
	}
	if (item.type === "message") {
		const [{ text }] = item.content as [{ text: string }];
		return [added({ content: [] }), { type: "response.output_text.delta", item_id, output_index, delta: text }, done];
	}
	const deltas = halves(String(item.arguments)).map((delta) => ({
		type: "response.function_call_arguments.delta",
		item_id,
		output_index,
		delta,
	}));
	return [added({ arguments: "" }), ...deltas, done];
}

function responsesUsage({ input, cached, output }: Reply["usage"]): object {
	return { input_tokens: input, input_tokens_details: { cached_tokens: cached }, output_tokens: output };
}

type AnthropicBlock = { readonly type: string; readonly [name: string]: unknown };

export const anthropic: Protocol = {
	name: "@ai-sdk/anthropic",
	path: "/v1/messages",
	model: (baseURL) => createAnthropic({ baseURL, apiKey: "sk-wire-0123456789" })("claude-sonnet-4-5"),
	body: (reply) => ({
		id: "r1",
		type: "message",
		role: "assistant",
		model: "claude-sonnet-4-5",
		content: anthropicBlocks(reply),
		stop_reason: reply.calls ? "tool_use" : "end_turn",
		usage: { ...anthropicUsage(reply.usage), output_tokens: reply.usage.output },
	}),
	events: (reply) => [
		{
			type: "message_start",
			message: {
				id: "r1",
				role: "assistant",
				model: "claude-sonnet-4-5",
				content: [],
				usage: anthropicUsage(reply.usage),
			},
		},
		...anthropicBlocks(reply).flatMap((block, index) => anthropicEvents(block, index)),
		{
			type: "message_delta",
			delta: { stop_reason: reply.calls ? "tool_use" : "end_turn" },
			usage: { output_tokens: reply.usage.output },
		},
		{ type: "message_stop" },
	],
	error: (message) => ({ type: "error", error: { type: "some_error", message } }),
	callsIn: (body) =>
		anthropicContent(body)
			.filter(({ type }) => type === "tool_use")
			.map(({ id, name, input }) => ({ id: String(id), name: String(name), args: JSON.stringify(input) })),
	resultsIn: (body) =>
		anthropicContent(body)
			.filter(({ type }) => type === "tool_result")
			.map(({ tool_use_id: id, content }) => ({ id: String(id), content })),
	signatureIn: (body) => {
		const thinking = anthropicContent(body).find(({ type }) => type === "thinking");
		return thinking?.signature as string | undefined;
	},
};

function anthropicContent(body: Body): AnthropicBlock[] {
	return (body.messages as { content: AnthropicBlock[] }[]).flatMap(({ content }) => content);
}

function anthropicBlocks({ thinking, text, calls = [] }: Reply): AnthropicBlock[] {
	return [
		...(thinking ? [{ type: "thinking", thinking: thinking.text, signature: thinking.signature }] : []),
		...(text === undefined ? [] : [{ type: "text", text }]),
		...calls.map(({ id, name, args }) => ({ type: "tool_use", id, name, input: JSON.parse(args) as object })),
	];
}

function anthropicEvents(block: AnthropicBlock, index: number): object[] {
	const start = (content_block: object) => ({ type: "content_block_start", index, content_block });
	const delta = (change: object) => ({ type: "content_block_delta", index, delta: change });
	const stop = { type: "content_block_stop", index };
	switch (block.type) {
		case "thinking":
			return [
				start({ type: "thinking", thinking: "", signature: "" }),
				delta({ type: "thinking_delta", thinking: block.thinking }),
				delta({ type: "signature_delta", signature: block.signature }),
				stop,
			];
		case "text":
			return [start({ type: "text", text: "" }), delta({ type: "text_delta", text: block.text }), stop];
		default: {
			const pieces = halves(JSON.stringify(block.input)).map((partial_json) =>
				delta({ type: "input_json_delta", partial_json }),
			);
			return [start({ ...block, input: {} }), ...pieces, stop];
		}
	}
}

/** Here, what was read from the cache is not part of the input. */
function anthropicUsage({ input, cached }: Reply["usage"]): object {
	return { input_tokens: input - cached, cache_read_input_tokens: cached, cache_creation_input_tokens: 0 };
}
