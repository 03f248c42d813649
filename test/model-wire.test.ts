import { afterEach, describe, expect, test } from "vitest";
import type { Clock } from "../packages/holdpoint/src/kit/clock.ts";
import { type CallModelOptions, callModel, type ModelRetry } from "../packages/holdpoint/src/model/call-model.ts";
import { answerToMessage } from "../packages/holdpoint/src/model/prompt.ts";
import type { HoldpointError } from "../packages/holdpoint/src/spec/errors.ts";
import type { ModelDelta, ModelMessage, ModelRequest, ModelTool } from "../packages/holdpoint/src/spec/model.ts";
import {
	anthropic,
	type ModelServer,
	openaiChat,
	openaiCompatible,
	openaiResponses,
	type Protocol,
	type Reply,
	startModelServer,
	type Turn,
} from "./model-servers.ts";

const limits = { modelAttemptsMax: 3, modelTimeoutMs: 60_000, modelWaitInlineMs: 20_000, answerBytesMax: 100_000 };
const key = "sk-wire-0123456789";

const look: ModelTool = {
	type: "function",
	name: "look",
	description: "Looks an order up.",
	inputSchema: {
		type: "object",
		properties: { id: { type: "number" } },
		required: ["id"],
		additionalProperties: false,
	},
};
const ask = (...turns: readonly ModelMessage[]): ModelRequest => ({
	prompt: [
		{ role: "system", content: "Be brief." },
		{ role: "user", content: [{ type: "text", text: "Compare orders 7 and 8." }] },
		...turns,
	],
	tools: [look],
	toolChoice: { type: "auto" },
	settings: { maxOutputTokens: 2_000, providerOptions: { openai: { store: false } } },
});

const usage = { input: 30, cached: 12, output: 9 };
const calling: Reply = {
	thinking: { text: "I need both.", signature: "signed-1" },
	text: "Let me look.",
	calls: [
		{ id: "call_a", name: "look", args: '{"id":7}' },
		{ id: "call_b", name: "look", args: '{"id":8}' },
	],
	usage,
};
const final: Reply = { text: "Seven is dearer.", usage: { input: 50, cached: 0, output: 4 } };

/** Waits between attempts are noted and pass at once; the time of an attempt passes when a test says so. */
class WireClock implements Clock {
	readonly waits: number[] = [];
	timeOut: () => void = () => {};
	now = () => Date.parse("2030-01-01T00:00:00Z");
	sleep = (ms: number, signal?: AbortSignal): Promise<void> => {
		if (ms !== limits.modelTimeoutMs) return Promise.resolve(void this.waits.push(ms));
		const { promise, resolve } = Promise.withResolvers<void>();
		this.timeOut = resolve;
		signal?.addEventListener("abort", () => resolve(), { once: true });
		return promise;
	};
}

const servers: ModelServer[] = [];
afterEach(async () => {
	await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function serve(protocol: Protocol, ...turns: readonly Turn[]): Promise<ModelServer> {
	const server = await startModelServer(protocol, turns);
	servers.push(server);
	return server;
}

type Mode = "whole" | "streamed";

async function call(
	server: ModelServer,
	mode: Mode,
	options: Partial<CallModelOptions> & { request?: ModelRequest } = {},
) {
	const clock = new WireClock();
	const deltas: ModelDelta[] = [];
	const retries: ModelRetry[] = [];
	const { request = ask(), ...changes } = options;
	const onDelta = (delta: ModelDelta) => void deltas.push(delta);
	const outcome = await callModel(server.model, request, {
		limits,
		clock,
		random: () => 0,
		onRetry: (retry) => retries.push(retry),
		...(mode === "streamed" ? { onDelta } : undefined),
		...changes,
	}).catch((error: unknown) => error as HoldpointError);
	const answer = "kind" in outcome && outcome.kind === "answer" ? outcome.answer : undefined;
	const error = "code" in outcome ? outcome : undefined;
	return { outcome, answer, error, clock, deltas, retries };
}

const protocols = [openaiCompatible, openaiChat, openaiResponses, anthropic];
const matrix = protocols.flatMap((protocol) =>
	(["whole", "streamed"] as const).map((mode) => ({ protocol, mode, name: `${protocol.name}, ${mode}` })),
);

describe.each(matrix)("$name", ({ protocol, mode }) => {
	const good: Turn = { reply: final };

	test("a conversation with two calls in one answer", async () => {
		const server = await serve(protocol, { reply: calling }, good);
		const first = await call(server, mode);
		expect(first.answer?.finish).toBe("tool-calls");
		expect(first.answer?.usage).toMatchObject({ inputTokens: 30, outputTokens: 9, cachedInputTokens: 12 });
		const content = first.answer?.content ?? [];
		expect(content.find((part) => part.type === "text")).toMatchObject({ text: "Let me look." });
		expect(content.filter((part) => part.type === "tool-call")).toMatchObject([
			{ toolCallId: "call_a", toolName: "look", input: '{"id":7}' },
			{ toolCallId: "call_b", toolName: "look", input: '{"id":8}' },
		]);

		// Through a journal and back, as a run does.
		const kept = JSON.parse(JSON.stringify(content)) as typeof content;
		const result = (toolCallId: string, value: { price: number } | string) => ({
			type: "tool-result" as const,
			toolCallId,
			toolName: "look",
			output: typeof value === "string" ? { type: "error-text" as const, value } : { type: "json" as const, value },
		});
		const results: ModelMessage = {
			role: "tool",
			content: [result("call_a", { price: 70 }), result("call_b", "not found")],
		};
		const second = await call(server, mode, { request: ask(answerToMessage(kept), results) });
		expect(second.answer).toMatchObject({ content: [{ type: "text", text: "Seven is dearer." }], finish: "stop" });
		expect(second.answer?.usage).toMatchObject({ inputTokens: 50, outputTokens: 4 });

		const [asked, told] = server.requests;
		expect(asked).toMatchObject({ url: protocol.path, headers: { "content-type": "application/json" } });
		expect(JSON.stringify(asked?.headers)).toContain(key);
		expect(JSON.stringify(asked?.body)).toContain("Compare orders 7 and 8.");
		expect(JSON.stringify(asked?.body.tools)).toContain('"look"');
		expect(protocol.callsIn(told?.body ?? {})).toEqual(calling.calls);
		expect(protocol.resultsIn(told?.body ?? {})).toEqual([
			{ id: "call_a", content: '{"price":70}' },
			{ id: "call_b", content: expect.stringContaining("not found") },
		]);
		const signs = protocol === anthropic || protocol === openaiResponses;
		expect(protocol.signatureIn(told?.body ?? {})).toBe(signs ? "signed-1" : undefined);
	});

	test("a rate limit is waited for, then it goes well", async () => {
		const limited: Turn = { status: 429, headers: { "retry-after": "7" }, message: "slow down" };
		const server = await serve(protocol, limited, good);
		const { answer, clock, retries } = await call(server, mode);
		expect(answer?.content).toMatchObject([{ text: "Seven is dearer." }]);
		expect(clock.waits).toEqual([7_000]);
		expect(retries).toEqual([{ attempt: 1, attemptsMax: 3, waitMs: 7_000, reason: "slow down", status: 429 }]);
		expect(server.requests[1]?.body).toEqual(server.requests[0]?.body);
	});

	test("a rate limit of an hour is put off", async () => {
		const server = await serve(protocol, { status: 429, headers: { "retry-after": "3600" }, message: "slow down" });
		const { outcome } = await call(server, mode);
		expect(outcome).toEqual({ kind: "later", dueInMs: 3_600_000, reason: "slow down" });
		expect(server.requests).toHaveLength(1);
	});

	test("a server error is tried again", async () => {
		const server = await serve(protocol, { status: 500, message: "oh dear" }, good);
		expect((await call(server, mode)).answer?.content).toMatchObject([{ text: "Seven is dearer." }]);
		expect(server.requests).toHaveLength(2);
	});

	test("a server that always fails is given up", async () => {
		const server = await serve(protocol, { status: 500, message: "oh dear" });
		const { error } = await call(server, mode);
		expect(error).toMatchObject({ code: "model.unavailable", retry: "safe", details: { status: 500, attempts: 3 } });
		expect(error?.message).toContain("oh dear");
		expect(server.requests).toHaveLength(3);
	});

	test("a wrong key is refused at once and not repeated in the error", async () => {
		const server = await serve(protocol, { status: 401, message: `Incorrect API key provided: ${key}` });
		const { error } = await call(server, mode);
		expect(error).toMatchObject({ code: "model.refused", details: { status: 401, attempts: 1 } });
		expect(JSON.stringify(error)).not.toContain(key);
		expect(server.requests).toHaveLength(1);
	});

	test("a request that is wrong is refused at once", async () => {
		const server = await serve(protocol, { status: 400, message: "no such parameter" });
		const { error } = await call(server, mode);
		expect(error).toMatchObject({ code: "model.refused", details: { status: 400 } });
		expect(error?.message).toContain("no such parameter");
		expect(server.requests).toHaveLength(1);
	});

	test("what is no JSON is asked for again, and not for ever", async () => {
		const server = await serve(protocol, { malformed: true }, good);
		const { answer, deltas } = await call(server, mode);
		expect(answer?.content).toMatchObject([{ text: "Seven is dearer." }]);
		expect(deltas.at(-1)).toEqual(mode === "streamed" ? { type: "text.delta", text: "Seven is dearer." } : undefined);
		const hopeless = await serve(protocol, { malformed: true });
		expect((await call(hopeless, mode)).error).toMatchObject({
			code: "model.answer_invalid",
			details: { attempts: 3 },
		});
		expect(hopeless.requests).toHaveLength(3);
	});

	test.each(["connection", "end"] as const)(
		"an answer that is cut at its start (%s) is asked for again",
		async (cut) => {
			const server = await serve(protocol, { cut, at: "start" }, good);
			const { answer, deltas } = await call(server, mode);
			expect(answer?.content).toMatchObject([{ text: "Seven is dearer." }]);
			expect(deltas.filter((delta) => delta.type === "answer.restarted")).toEqual([]);
			expect(server.requests).toHaveLength(2);
		},
	);

	test("a server that says nothing is let go when the time is over", async () => {
		const server = await serve(protocol, { silent: true }, good);
		const clock = new WireClock();
		const arrived = server.nextRequest();
		const answering = call(server, mode, { clock });
		await arrived;
		const silent = server.requests[0];
		clock.timeOut();
		expect((await answering).answer?.content).toMatchObject([{ text: "Seven is dearer." }]);
		await silent?.closed;
	});

	test("an abort closes the connection and rejects with its reason", async () => {
		const server = await serve(protocol, { silent: true });
		const controller = new AbortController();
		const arrived = server.nextRequest();
		const answering = call(server, mode, { signal: controller.signal });
		await arrived;
		const reason = new Error("the user left");
		controller.abort(reason);
		expect((await answering).outcome).toBe(reason);
		await server.requests[0]?.closed;
		expect(server.requests).toHaveLength(1);
	});

	test("a server that is not there is unavailable", async () => {
		const server = await startModelServer(protocol, [good]);
		await server.close();
		expect((await call(server, mode)).error).toMatchObject({ code: "model.unavailable", details: { attempts: 3 } });
	});
});

describe.each(protocols)("$name, a stream", (protocol) => {
	test("comes in pieces", async () => {
		const server = await serve(protocol, { reply: calling });
		const { deltas } = await call(server, "streamed");
		const text = (type: ModelDelta["type"]) =>
			deltas.flatMap((delta) => (delta.type === type && "text" in delta ? [delta.text] : [])).join("");
		expect(text("text.delta")).toBe("Let me look.");
		const pieces = deltas.filter((delta) => delta.type === "call.delta");
		const input = (id: string) =>
			pieces
				.filter((piece) => piece.toolCallId === id)
				.map((piece) => piece.text)
				.join("");
		expect([input("call_a"), input("call_b")]).toEqual(['{"id":7}', '{"id":8}']);
		expect(pieces.length).toBeGreaterThan(2);
	});

	test.each(["connection", "end"] as const)("that is cut in its middle (%s) begins anew and says so", async (cut) => {
		const heard = Promise.withResolvers<void>();
		const server = await serve(protocol, { cut, at: "middle", when: heard.promise }, { reply: final });
		const deltas: ModelDelta[] = [];
		const onDelta = (delta: ModelDelta) => {
			deltas.push(delta);
			heard.resolve();
		};
		const { answer } = await call(server, "streamed", { onDelta });
		expect(answer?.content).toMatchObject([{ type: "text", text: "Seven is dearer." }]);
		expect(deltas.map((delta) => (delta.type === "text.delta" ? delta.text : delta.type))).toEqual([
			"half of it",
			"answer.restarted",
			"attempt.failed",
			"Seven is dearer.",
		]);
		expect(server.requests).toHaveLength(2);
	});

	test("that nobody reads any more is closed", async () => {
		const server = await serve(protocol, { cut: "end", at: "middle", when: new Promise<void>(() => {}) });
		const gone = new Error("the reader went away");
		const { outcome } = await call(server, "streamed", { onDelta: () => Promise.reject(gone) });
		expect(outcome).toBe(gone);
		await server.requests[0]?.closed;
		expect(server.requests).toHaveLength(1);
	});
});
