import { describe, expect, test, vi } from "vitest";
import type { RunEvent } from "../spec/events.ts";
import type { Measurement, Span, TraceExporter } from "../spec/trace.ts";
import { traceRecorder } from "../testing/trace-recorder.ts";
import { capturesContent, generationOf, providerName } from "./conventions.ts";
import type { KnownRun } from "./run-memory.ts";
import { RunTrace } from "./run-trace.ts";
import type { TraceOptions } from "./trace-options.ts";
import { Tracer } from "./tracer.ts";

const usage = { inputTokens: 100, outputTokens: 20, cachedInputTokens: 60, reasoningTokens: 5 };
const started: RunEvent = {
	type: "run.started",
	v: 1,
	lib: "0",
	agent: { name: "a", digest: "d" },
	tools: { look: "1", ask_b: "1", handoff_to_bea: "1" },
	principal: "p",
	input: "hello",
	session: { id: "s" },
};
const answered = (content: Extract<RunEvent, { type: "model.answered" }>["content"] = []): RunEvent => ({
	type: "model.answered",
	model: "openai.responses/gpt-5",
	content,
	finish: "stop",
	usage,
	ms: 40,
});
const asking = (toolName: string) => ({ type: "tool-call", toolCallId: "x", toolName, input: "{}" }) as const;

function folded(more: Partial<TraceOptions> = {}) {
	const spans: Span[] = [];
	const measurements: Measurement[] = [];
	const trace = new RunTrace({
		store: "store",
		run: "run",
		generation: "v1.41",
		content: false,
		costOf: () => undefined,
		began: () => undefined,
		ended: (span) => void spans.push(span),
		measured: (measurement) => void measurements.push(measurement),
		...more,
	});
	trace.begin({ epoch: 1, at: 1_000, previous: undefined });
	return { trace, spans, measurements };
}

describe("the fold", () => {
	test("an answer is a span that began before its request was answered, with its tokens and its price", () => {
		const { trace, spans } = folded({
			costOf: ({ modelId }, { inputTokens }) => (modelId === "gpt-5" ? inputTokens : 0),
		});
		trace.event(started, 1_000);
		trace.event(answered(), 1_100);
		expect(spans[0]).toMatchObject({
			name: "chat gpt-5",
			kind: "client",
			start: 1_060,
			end: 1_100,
			attributes: {
				"gen_ai.provider.name": "openai",
				"gen_ai.request.model": "gpt-5",
				"gen_ai.conversation.id": "s",
				"gen_ai.usage.input_tokens": 100,
				"gen_ai.usage.cache_read.input_tokens": 60,
				"gen_ai.usage.reasoning.output_tokens": 5,
				"holdpoint.cost.usd": 100,
			},
		});
	});

	test("no span begins before the segment did, though its model may have been asked before", () => {
		const { trace, spans } = folded();
		trace.event(started, 1_000);
		trace.event(answered(), 1_010);
		expect(spans[0]).toMatchObject({ name: "chat gpt-5", start: 1_000, end: 1_010 });
	});

	test("an agent that a call was put to in a segment before is done when the call is", () => {
		const { trace, spans } = folded();
		trace.event(started, 1_000);
		trace.event(answered([asking("ask_b")]), 1_010);
		trace.event({ type: "call.started", call: "c1", attempt: 1 }, 1_020);
		trace.event({ type: "agent.started", call: "c1", agent: "b", input: "do it" }, 1_020);
		trace.end({ at: 1_030, status: "waiting" });
		trace.begin({ epoch: 2, at: 2_000, previous: undefined });
		trace.event({ ...answered(), in: "c1" } as RunEvent, 2_050);
		trace.event({ type: "call.finished", call: "c1", outcome: { ok: "done" } }, 2_060);
		const inner = spans.filter(({ name }) => name === "invoke_agent b");
		expect(inner.map(({ attributes }) => attributes["holdpoint.unfinished"])).toEqual([true, undefined]);
		expect(inner[1]?.end).toBe(2_060);
	});

	const heardBy = (spans: readonly Span[]) =>
		spans
			.filter(({ name }) => name === "chat gpt-5")
			.map(({ attributes }) => JSON.parse(String(attributes["gen_ai.input.messages"])) as { parts: object[] }[])
			.map((messages) => messages.flatMap(({ parts }) => parts));

	test("who works beside others is told what its own calls gave, and nothing of theirs", () => {
		const { trace, spans } = folded({ content: true });
		trace.event({ ...started, team: { start: ["ann", "bob"] } } as RunEvent, 1_000);
		for (const [at, agent] of ["ann", "bob"].entries()) {
			const toolCallId = `from ${agent}`;
			trace.event({ ...answered([{ ...asking("look"), toolCallId }]), agent } as RunEvent, 1_010 + at);
		}
		trace.event({ type: "call.finished", call: "c2", outcome: { ok: { is: "bob's" } } }, 1_020);
		trace.event({ type: "call.finished", call: "c1", outcome: { ok: "ann's" } }, 1_021);
		trace.event({ ...answered(), agent: "ann" } as RunEvent, 1_030);
		trace.event({ ...answered(), agent: "bob" } as RunEvent, 1_031);
		const hello = { type: "text", content: "hello" };
		expect(heardBy(spans)).toEqual([
			[hello],
			[hello],
			[{ type: "tool_call_response", id: "from ann", response: "ann's" }],
			[{ type: "tool_call_response", id: "from bob", response: { is: "bob's" } }],
		]);
	});

	test("who takes over is told the user's words and why; the user's reply goes to whoever reads it", () => {
		const { trace, spans } = folded({ content: true });
		trace.event({ ...started, team: { start: ["ann"] } } as RunEvent, 1_000);
		trace.event({ ...answered([asking("handoff_to_bea")]), agent: "ann" } as RunEvent, 1_010);
		trace.event({ type: "call.finished", call: "c1", outcome: { ok: "handed" } }, 1_020);
		trace.event({ type: "run.handed", from: "ann", to: "bea", call: "c1", reason: "it is hers" }, 1_021);
		trace.event({ ...answered(), agent: "bea" } as RunEvent, 1_030);
		trace.event({ type: "user.asked", agent: "bea", replyTo: "ann" }, 1_040);
		trace.event({ type: "message.received", text: "again", signal: "s1", mode: "turn" }, 1_050);
		trace.event({ ...answered(), agent: "ann" } as RunEvent, 1_060);
		const text = (content: string) => ({ type: "text", content });
		expect(heardBy(spans)).toEqual([
			[text("hello")],
			[text("hello"), text("it is hers")],
			[{ type: "tool_call_response", id: "x", response: "handed" }, text("again")],
		]);
	});

	test("what is too long is cut, and is JSON all the same", () => {
		const { trace, spans } = folded({ content: true });
		const long = 'é"'.repeat(5_000);
		trace.event(started, 1_000);
		trace.event(
			answered([
				{ ...asking("look"), input: JSON.stringify({ long }) },
				{ ...asking("look"), toolCallId: "y", input: "{broken" },
			]),
			1_010,
		);
		for (const call of ["c1", "c2"]) trace.event({ type: "call.started", call, attempt: 1 }, 1_020);
		for (const call of ["c1", "c2"]) trace.event({ type: "call.finished", call, outcome: { ok: { long } } }, 1_030);
		trace.event(answered(), 1_040);
		trace.event(
			{ type: "run.finished", status: "failed", error: { code: "limit.turns", message: long } } as RunEvent,
			1_050,
		);
		trace.end({ at: 1_060, status: "failed" });
		const tools = spans.filter(({ name }) => name === "execute_tool look");
		const valuesOf = (name: string) => tools.map(({ attributes }) => JSON.parse(String(attributes[name])) as unknown);
		expect(valuesOf("gen_ai.tool.call.arguments")).toEqual([expect.stringMatching(/^\{"long":.*…$/), "{broken"]);
		const cut = expect.stringMatching(/^\{"long":.*…$/);
		expect(valuesOf("gen_ai.tool.call.result")).toEqual([cut, cut]);
		const chats = spans.filter(({ name }) => name === "chat gpt-5").map(({ attributes }) => attributes);
		expect(JSON.parse(String(chats[0]?.["gen_ai.output.messages"]))).toMatchObject([
			{ parts: [{ type: "tool_call", id: "x", arguments: cut }, { arguments: "{broken" }] },
		]);
		expect(heardBy(spans)[1]).toMatchObject([{ response: cut }, { response: cut }]);
		expect(spans.at(-1)?.status.message?.length).toBe(4_096);
	});

	test("an event of a kind that is not known changes nothing; a compaction is noted by its name", () => {
		const { trace, spans } = folded();
		trace.event(started, 1_000);
		trace.event({ type: "moon.phased", call: "c9" } as unknown as RunEvent, 1_001);
		trace.event(
			{ type: "context.compacted", before: 900, after: 100, text: "what was said" } as unknown as RunEvent,
			1_002,
		);
		trace.end({ at: 1_010, status: "completed" });
		expect(spans).toHaveLength(1);
		expect(spans[0]?.events).toEqual([
			{
				name: "holdpoint.compaction",
				at: 1_002,
				attributes: { "holdpoint.compaction.before": 900, "holdpoint.compaction.after": 100 },
			},
		]);
	});

	test("a clock that is put back makes no span that ends before it began", () => {
		const { trace, spans } = folded();
		trace.event(started, 1_000);
		trace.event(answered([asking("look")]), 5_000);
		trace.event({ type: "call.started", call: "c1", attempt: 1 }, 4_000);
		trace.event({ type: "call.finished", call: "c1", outcome: { ok: 1 } }, 900);
		trace.end({ at: 100, status: "completed" });
		expect(spans.map(({ name, start, end }) => [name, start, end])).toEqual([
			["chat gpt-5", 4_960, 5_000],
			["execute_tool look", 5_000, 5_000],
			["invoke_agent a", 1_000, 5_000],
		]);
	});

	test("names that a model made up are cut, and no half of a character is left", () => {
		const { trace, spans } = folded();
		trace.event(started, 1_000);
		trace.event(answered([asking(`${"x".repeat(118)}😀😀`)]), 1_100);
		trace.event(
			{ type: "call.finished", call: "c1", outcome: { failed: "no such tool", code: "tool.unknown" } },
			1_101,
		);
		const tool = spans.at(-1);
		expect(String(tool?.attributes["gen_ai.tool.name"]).length).toBeLessThanOrEqual(120);
		expect(String(tool?.name).isWellFormed()).toBe(true);
	});

	test("a span keeps so many events and counts the others", () => {
		const { trace, spans } = folded();
		trace.event(started, 1_000);
		for (let count = 0; count < 200; count++) trace.event({ type: "timer.fired", timer: "t" }, 1_000);
		trace.end({ at: 1_001, status: "completed" });
		expect(spans[0]?.events).toHaveLength(128);
		expect(spans[0]?.attributes["holdpoint.events.left_out"]).toBe(72);
	});

	test("a segment that dies says of what, and why only where what was said may be recorded", () => {
		for (const content of [false, true]) {
			const { trace, spans } = folded({ content });
			trace.event(started, 1_000);
			trace.end({ at: 1_001, error: { type: "model.failed", message: "the key abc is wrong" } });
			expect(spans[0]?.attributes["error.type"]).toBe("model.failed");
			expect(JSON.stringify(spans[0]).includes("abc")).toBe(content);
		}
	});

	test("what goes on can be seen, parents first", () => {
		const { trace } = folded();
		expect(trace.open).toEqual([]);
		trace.event(started, 1_000);
		trace.event(answered([asking("look")]), 1_100);
		trace.event({ type: "call.started", call: "c1", attempt: 1 }, 1_101);
		expect(trace.open.map(({ name, end }) => [name, end])).toEqual([
			["invoke_agent a", undefined],
			["execute_tool look", undefined],
		]);
	});

	test("tokens of the newer conventions are counters, of subsets too", () => {
		const { trace, measurements } = folded({ generation: "latest" });
		trace.event(started, 1_000);
		trace.event(answered(), 1_100);
		const value = (name: string) => measurements.find((one) => one.name === `gen_ai.client.inference.${name}`)?.value;
		expect(value("usage.input_tokens")).toBe(100);
		expect(value("usage.output_tokens")).toBe(20);
		expect(value("usage.cache_read.input_tokens")).toBe(60);
		expect(value("usage.reasoning.output_tokens")).toBe(5);
		expect(value("duration")).toBe(0.04);
	});
});

describe("the variables of OpenTelemetry", () => {
	test("say which generation, and whether what was said may be recorded", () => {
		expect(generationOf({})).toBe("v1.41");
		expect(generationOf({ OTEL_SEMCONV_STABILITY_OPT_IN: "http/dup, gen_ai_latest_experimental" })).toBe("latest");
		const name = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";
		expect(
			[undefined, "", "false", "NO_CONTENT", "event_only"].map((value) => capturesContent({ [name]: value })),
		).toEqual(Array(5).fill(false));
		expect(["true", "SPAN_ONLY", "span_and_event"].map((value) => capturesContent({ [name]: value }))).toEqual(
			Array(3).fill(true),
		);
	});

	test("providers have the names of the conventions where these have one", () => {
		expect(["openai.chat", "google.vertex.chat", "xai", "openaix", "my-own"].map(providerName)).toEqual([
			"openai",
			"gcp.vertex_ai",
			"x_ai",
			"openaix",
			"my-own",
		]);
	});
});

describe("the tracer", () => {
	const options = { store: "s", generation: "v1.41", content: false, costOf: () => undefined } as const;
	const segment = { run: "r", epoch: 1, at: 1_000, previous: undefined, known: undefined };

	test("tells nothing within the run, and everything once it is drained", () => {
		const recorder = traceRecorder();
		const tracer = new Tracer({ ...options, exporters: [recorder] });
		const told = tracer.begin(segment);
		told.event(started, 1_000);
		told.ended({ at: 1_001, status: "completed" });
		expect(recorder.spans).toEqual([]);
		tracer.drain();
		expect(recorder.spans.map(({ name }) => name)).toEqual(["invoke_agent a"]);
	});

	test("an exporter that throws is told nothing more of it but the end; others are, and the run goes on", async () => {
		const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
		const recorder = traceRecorder();
		let told = 0;
		const broken: TraceExporter = {
			ended() {
				told++;
				throw new Error("full");
			},
			close: () => Promise.reject(new Error("cannot close")),
		};
		const tracer = new Tracer({ ...options, exporters: [broken, recorder] });
		const tell = tracer.begin(segment);
		tell.event(started, 1_000);
		tell.event(answered(), 1_100);
		tell.ended({ at: 1_101, status: "completed" });
		await tracer.close();
		expect(told).toBe(1);
		expect(recorder.spans).toHaveLength(2);
		expect(recorder.isClosed).toBe(true);
		expect(warned.mock.calls.map(([text]) => String(text))).toEqual([
			expect.stringContaining("full"),
			expect.stringContaining("cannot close"),
		]);
		warned.mockRestore();
	});

	test("what is put down without an end is made into spans by whoever puts it down", () => {
		const recorder = traceRecorder();
		const tracer = new Tracer({ ...options, exporters: [recorder] });
		const tell = tracer.begin(segment);
		tell.event(started, 1_000);
		for (let count = 0; count < 20_000; count++) tell.event(answered(), 1_000);
		expect(recorder.spans.length).toBeGreaterThan(19_000);
	});

	test("what is said after its end is not heard", async () => {
		const recorder = traceRecorder();
		const tracer = new Tracer({ ...options, exporters: [recorder] });
		const tell = tracer.begin(segment);
		tell.event(started, 1_000);
		tell.event(answered(), 1_001);
		await tracer.close();
		tell.event(answered(), 1_002);
		tell.ended({ at: 1_003, status: "completed" });
		tracer.drain();
		expect(recorder.spans.map(({ name }) => name)).toEqual(["chat gpt-5"]);
	});

	test("a segment goes on with what is known of those before", () => {
		const recorder = traceRecorder();
		const tracer = new Tracer({ ...options, exporters: [recorder] });
		const call = { id: "c1", tool: "look", line: 0, attempt: 0, parent: undefined, in: undefined, agent: undefined };
		const known: KnownRun = {
			asked: { name: "a", isTeam: false },
			session: "s",
			tools: ["look"],
			directCalls: 1,
			calls: [{ ...call, modelId: "x", input: undefined, inside: undefined, decision: undefined }],
			approvals: new Map(),
			timers: new Map(),
			models: [],
			talks: [],
		};
		const tell = tracer.begin({ ...segment, epoch: 4, previous: 2, known: () => known });
		tell.event({ type: "call.started", call: "c1", attempt: 1 }, 1_000);
		tell.ended({ at: 1_001, status: "waiting" });
		tracer.drain();
		expect(recorder.spans.map(({ name }) => name)).toEqual(["execute_tool look", "invoke_agent a"]);
		expect(recorder.spans[1]?.attributes["holdpoint.segment.previous"]).toBe(2);
	});
});
