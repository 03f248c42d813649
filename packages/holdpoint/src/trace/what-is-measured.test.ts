import { expect, test } from "vitest";
import type { RunEvent } from "../spec/events.ts";
import type { Generation, Measurement, Span } from "../spec/trace.ts";
import { RunTrace } from "./run-trace.ts";

const usage = { inputTokens: 1, outputTokens: 1 };
const started = { type: "run.started", agent: { name: "a" }, tools: { look: "1" }, input: "x" } as unknown as RunEvent;
const answered = (...content: readonly object[]) =>
	({ type: "model.answered", model: "openai/gpt-5", content, finish: "stop", usage, ms: 1 }) as unknown as RunEvent;
const asking = (toolName: string) => ({ type: "tool-call", toolCallId: "made-up-id", toolName, input: "{}" });

function fold(
	events: readonly RunEvent[],
	more: { readonly content?: boolean; readonly generation?: Generation } = {},
) {
	const spans: Span[] = [];
	const measured: Measurement[] = [];
	const trace = new RunTrace({
		store: "s",
		run: "r",
		generation: "v1.41",
		content: false,
		costOf: () => undefined,
		began: () => undefined,
		ended: (span) => void spans.push(span),
		measured: (measurement) => void measured.push(measurement),
		...more,
	});
	trace.begin({ epoch: 1, at: 0, previous: undefined });
	for (const [at, event] of events.entries()) trace.event(event, at * 1_000);
	return { trace, spans, measured };
}

const finished = (call: string) => ({ type: "call.finished", call, outcome: { failed: "none", code: "tool.unknown" } });

test.each(["v1.41", "latest"] as const)(
	"a name that the model made up is in no span and no metric, and neither is its id for the call (%s)",
	(generation) => {
		const events = [started, answered(asking("what_jane_said"), asking("look")), finished("c1"), finished("c2")];
		const { trace, spans, measured } = fold(events as RunEvent[], { generation });
		trace.end({ at: 9_000, status: "completed" });
		expect(spans.map(({ name }) => name)).toContain("execute_tool unknown");
		expect(spans.map(({ name }) => name)).toContain("execute_tool look");
		const durations = measured.filter(({ name }) => name === "holdpoint.call.duration");
		expect(durations.map(({ attributes }) => attributes["gen_ai.tool.name"])).toEqual(["unknown", "look"]);
		expect(JSON.stringify([spans, measured])).not.toMatch(/jane|made-up/);
	},
);

test("a tool that a run was resumed with is known by its name; the call's id is told where what was said is", () => {
	const resumed = { type: "run.resumed", tools: { find: "1" } };
	const { spans } = fold([started, resumed, answered(asking("find")), finished("c1")] as RunEvent[], { content: true });
	const span = spans.find(({ name }) => name === "execute_tool find");
	expect(span?.attributes["gen_ai.tool.call.id"]).toBe("made-up-id");
});

test("what lay there until a process took it has an age: an answer of a person, and a time that had come", () => {
	const { measured } = fold([
		started,
		answered(asking("look")),
		{ type: "approval.requested", approval: "apr_1", call: "c1", expiresAt: 9_000_000 },
		{
			type: "approval.resolved",
			approval: "apr_1",
			call: "c1",
			answer: "approve",
			by: { id: "ann", via: "t" },
			at: 500,
		},
		{ type: "timer.set", timer: "t1", dueAt: 4_250, why: "later" },
		{ type: "timer.fired", timer: "t1" },
	] as unknown as RunEvent[]);
	const ages = measured.filter(({ name }) => name === "holdpoint.queue.age");
	expect(ages.map(({ value, unit, attributes }) => [value, unit, attributes["holdpoint.queue"]])).toEqual([
		[2.5, "s", "approval"],
		[0.75, "s", "timer"],
	]);
});

test("an agent of a team has its model's provider as soon as that has answered", () => {
	const team = { ...started, agent: { name: "shop" }, team: { start: ["ann"] } };
	const said = { ...answered({ type: "text", text: "Hello" }), agent: "ann" };
	const { trace, spans } = fold([team, said] as unknown as RunEvent[]);
	trace.end({ at: 9_000, status: "completed" });
	const agent = spans.find(({ name }) => name === "invoke_agent ann");
	expect(agent?.attributes["gen_ai.provider.name"]).toBe("openai");
});

test.each([
	["v1.41", "gen_ai.client.operation.duration"],
	["latest", "gen_ai.client.inference.duration"],
] as const)("a model that did not answer is a span and a measurement that say so (%s)", (generation, metric) => {
	const { trace, spans, measured } = fold([started], { generation });
	const failed = { type: "model.unavailable", message: "what jane said" };
	trace.modelAsked({ provider: "openai.responses", modelId: "gpt-5", at: 1_000, end: 3_500, retries: 2, failed });
	expect(spans).toEqual([
		expect.objectContaining({
			name: "chat gpt-5",
			kind: "client",
			start: 1_000,
			end: 3_500,
			status: { code: "error" },
			attributes: {
				"gen_ai.operation.name": "chat",
				"gen_ai.provider.name": "openai",
				"gen_ai.request.model": "gpt-5",
				"holdpoint.model.retries": 2,
				"error.type": "model.unavailable",
			},
		}),
	]);
	expect(measured).toEqual([
		expect.objectContaining({
			name: metric,
			value: 2.5,
			attributes: expect.objectContaining({ "error.type": "model.unavailable" }),
		}),
	]);
});

test("how often a model was asked again is told of its answer, and of no other", () => {
	const { trace, spans } = fold([started]);
	trace.modelAsked({ provider: "openai", modelId: "gpt-5", at: 0, end: 1, retries: 3 });
	trace.event(answered(), 2);
	trace.event(answered(), 3);
	expect(spans.map(({ attributes }) => attributes["holdpoint.model.retries"])).toEqual([3, undefined]);
});
