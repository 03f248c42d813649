import { afterAll, describe, expect, test } from "vitest";
import type { Generation, Span } from "../packages/holdpoint/src/spec/trace.ts";
import { sandboxUnderTest } from "../packages/holdpoint/src/testing/sandbox-under-test.ts";
import { deriveTraces } from "../packages/holdpoint/src/trace/derive-trace.ts";
import { rootName, spanIdOf, traceIdOf } from "../packages/holdpoint/src/trace/ids.ts";
import { metricProblems, spanProblems, table, treeProblems } from "./check-spans.ts";
import {
	agentToolRun,
	heldRun,
	heldWithin,
	named,
	programRun,
	singleRun,
	type Traced,
	teamRun,
	tree,
} from "./trace-scenes.ts";

const sandbox = sandboxUnderTest();
afterAll(() => sandbox.close());

type Tracing = NonNullable<Parameters<typeof singleRun>[0]>;
const scenes: { readonly [name: string]: (tracing: Tracing) => Promise<Traced> } = {
	single: singleRun,
	program: (tracing) => programRun(sandbox, tracing),
	approved: (tracing) => heldRun("approve", tracing),
	denied: (tracing) => heldRun("deny", tracing),
	team: teamRun,
	"agent as a tool": agentToolRun,
	"held in a team": (tracing) => heldWithin("team", tracing),
	"held in an agent that is a tool": (tracing) => heldWithin("tool", tracing),
};
const generations = Object.keys(table.generations) as Generation[];
const noContent = { content: false, generation: "v1.41" } as const;

describe("the form of a trace", () => {
	test("an agent, what it asked its model, and what it did", async () => {
		const { spans, run, store } = await singleRun(noContent);
		expect(tree(spans)).toEqual([
			"invoke_agent tester",
			"  chat scripted",
			"  execute_tool look",
			"  chat scripted",
			"  execute_tool look",
			"  chat scripted",
		]);
		const root = named(spans, "invoke_agent tester");
		expect(root).toMatchObject({
			traceId: traceIdOf({ store, run, epoch: 1 }),
			links: [],
			attributes: { "holdpoint.run.id": run, "holdpoint.run.status": "completed", "holdpoint.segment.epoch": 1 },
		});
		expect(spans.at(-1)).toBe(root);
		const tools = spans.filter(({ name }) => name === "execute_tool look");
		expect(tools.map(({ attributes }) => attributes["holdpoint.call.outcome"])).toEqual(["ok", "failed"]);
		expect(tools.map(({ attributes }) => attributes["error.type"])).toEqual([undefined, "tool.args_invalid"]);
		expect(tools[0]?.events).toMatchObject([
			{ name: "holdpoint.decision", attributes: { "holdpoint.decision.verdict": "allow" } },
		]);
	});

	test("calls of a program lie within the program, in both of its segments", async () => {
		const { recorders } = await programRun(sandbox, noContent);
		const [first, second] = recorders.map(({ spans }) => spans);
		expect(tree(first ?? [])).toEqual([
			"invoke_agent tester",
			"  chat scripted",
			"  execute_tool execute_code",
			"    execute_tool look",
			"    holdpoint.approval pay",
		]);
		expect(tree(second ?? [])).toEqual([
			"invoke_agent tester",
			"  execute_tool execute_code",
			"    holdpoint.approval pay",
			"    execute_tool pay",
			"  chat scripted",
		]);
		const [began, wentOn] = [first ?? [], second ?? []].map((spans) => named(spans, "execute_tool execute_code"));
		expect(began?.attributes).toMatchObject({ "holdpoint.unfinished": true });
		expect(began?.events.map(({ name }) => name)).toEqual([
			"holdpoint.decision",
			"holdpoint.sandbox.started",
			"holdpoint.sandbox.suspended",
		]);
		expect(wentOn?.attributes).toMatchObject({ "holdpoint.continued": true, "holdpoint.call.outcome": "ok" });
		expect(wentOn?.events.map(({ name }) => name)).toEqual(["holdpoint.sandbox.restored"]);
	});

	test("each segment is a trace of its own, linked to the one before; a wait is no open span", async () => {
		const { run, store, recorders } = await heldRun("approve", noContent);
		const [first, second] = recorders.map(({ spans }) => spans);
		expect(tree(first ?? [])).toEqual(["invoke_agent tester", "  chat scripted", "  holdpoint.approval pay"]);
		expect(tree(second ?? [])).toEqual([
			"invoke_agent tester",
			"  holdpoint.approval pay",
			"  execute_tool pay",
			"  chat scripted",
		]);
		const asked = named(first ?? [], "holdpoint.approval pay");
		expect(asked.attributes).toMatchObject({ "holdpoint.approval.outcome": "open", "holdpoint.unfinished": true });
		const answered = named(second ?? [], "holdpoint.approval pay");
		expect(answered.attributes).toMatchObject({
			"holdpoint.approval.outcome": "approve",
			"holdpoint.approval.waited_s": 62,
		});
		const before = traceIdOf({ store, run, epoch: 1 });
		const [one, other] = [first ?? [], second ?? []].map((spans) => named(spans, "invoke_agent tester"));
		expect(other?.links).toMatchObject([{ traceId: before, spanId: spanIdOf(before, rootName) }]);
		expect(one).toMatchObject({ traceId: before, spanId: spanIdOf(before, rootName) });
		expect(other?.traceId).not.toBe(before);
	});

	test("a team is a workflow of its agents, and a handoff is noted", async () => {
		const { spans } = await teamRun(noContent);
		expect(tree(spans)).toEqual([
			"invoke_workflow support",
			"  invoke_agent ann",
			"    chat scripted",
			"    execute_tool look",
			"    chat scripted",
			"    execute_tool handoff_to_bea",
			"  invoke_agent bea",
			"    chat scripted",
		]);
		const { events } = named(spans, "invoke_workflow support");
		const attributes = { "holdpoint.handoff.from": "ann", "holdpoint.handoff.to": "bea" };
		expect(events).toMatchObject([{ name: "holdpoint.handoff", attributes }, { name: "holdpoint.user.asked" }]);
	});

	test("an agent that is a tool works within the call", async () => {
		const { spans } = await agentToolRun(noContent);
		expect(tree(spans)).toEqual([
			"invoke_agent ann",
			"  chat scripted",
			"  execute_tool ask_zoe",
			"    invoke_agent zoe",
			"      chat scripted",
			"      execute_tool look",
			"      chat scripted",
			"  chat scripted",
		]);
	});
});

describe.each(generations)("the conventions, %s", (generation) => {
	test.each(Object.keys(scenes))("%s: spans and metrics are those of the table", async (name) => {
		for (const content of [false, true]) {
			const { spans, recorders } = await (scenes[name] as (typeof scenes)[string])({ generation, content });
			expect(spanProblems(spans, generation)).toEqual([]);
			expect(treeProblems(spans)).toEqual([]);
			const measurements = recorders.flatMap((recorder) => recorder.measurements);
			expect(measurements.length).toBeGreaterThan(4);
			expect(metricProblems(measurements, generation)).toEqual([]);
		}
	});

	test("tokens are counted in the metrics of this generation, and not in those of the other", async () => {
		const { recorders } = await singleRun({ generation, content: false });
		const names = new Set(recorders.flatMap(({ measurements }) => measurements.map(({ name }) => name)));
		const isLatest = generation === "latest";
		expect(names.has("gen_ai.client.token.usage")).toBe(!isLatest);
		expect(names.has("gen_ai.client.inference.usage.input_tokens")).toBe(isLatest);
	});
});

describe("the checker", () => {
	const planted: readonly (readonly [says: string, change: (span: Span) => Span])[] = [
		["lacks gen_ai.provider.name", (span) => without(span, "gen_ai.provider.name")],
		["which is no int", (span) => having(span, { "gen_ai.usage.input_tokens": "7" })],
		["is no span of the table", (span) => having(span, { "gen_ai.operation.name": "chatter" })],
		["must not have gen_ai.system", (span) => having(span, { "gen_ai.system": "openai" })],
		["should be named chat scripted", (span) => ({ ...span, name: "llm" })],
		["is of the kind internal", (span) => ({ ...span, kind: "internal" })],
		["do not agree", (span) => ({ ...span, status: { code: "error" } })],
		["has the ids", (span) => ({ ...span, traceId: "0".repeat(32) })],
		["not in the table", (span) => ({ ...span, events: [{ name: "surprise", at: span.start, attributes: {} }] })],
	];

	test.each(planted)("finds what is planted: %s", async (says, change) => {
		const { spans } = await singleRun(noContent);
		const isChat = (span: Span) => span.name === "chat scripted";
		const changed = spans.map((span) => (isChat(span) ? change(plain(span)) : span));
		const problems = spanProblems(changed, "v1.41");
		expect(problems.join()).toContain(says);
	});

	const wrongMessages: readonly (readonly [says: string, name: "input" | "output", message: object])[] = [
		["lacks role", "input", { parts: [] }],
		['says "robot"', "input", { role: "robot", parts: [] }],
		["must not have finish_reason", "input", { role: "user", parts: [], finish_reason: "stop" }],
		["lacks finish_reason", "output", { role: "assistant", parts: [] }],
		["is no part of the table", "input", { role: "user", parts: [{ type: "song" }] }],
		["lacks response", "input", { role: "tool", parts: [{ type: "tool_call_response", id: "x" }] }],
		[
			"must not have result",
			"input",
			{ role: "tool", parts: [{ type: "tool_call_response", response: 1, result: 1 }] },
		],
		["lacks content", "input", { role: "user", parts: [{ type: "text" }] }],
		["lacks name", "output", { role: "assistant", finish_reason: "stop", parts: [{ type: "tool_call", id: "x" }] }],
		["which is no string", "input", { role: "user", parts: [{ type: "text", content: 7 }] }],
	];

	test.each(wrongMessages)("finds a message that is none: %s", async (says, name, message) => {
		const { spans } = await singleRun({ ...noContent, content: true });
		const attribute = `gen_ai.${name}.messages`;
		expect(spanProblems(spans, "v1.41")).toEqual([]);
		const changed = spans.map((span) =>
			span.name === "chat scripted" ? having(plain(span), { [attribute]: JSON.stringify([message]) }) : span,
		);
		expect(spanProblems(changed, "v1.41").join()).toContain(says);
	});

	test("finds a value that its enumeration does not have, and arguments that are no JSON", async () => {
		const { spans } = await singleRun({ ...noContent, content: true });
		const changedTo = (more: Span["attributes"]) =>
			spanProblems(
				spans.map((span) => (span.name === "execute_tool look" ? having(plain(span), more) : span)),
				"v1.41",
			).join();
		expect(changedTo({ "gen_ai.tool.type": "hammer" })).toContain(
			'has gen_ai.tool.type = "hammer", which is none of function, extension, datastore',
		);
		expect(changedTo({ "gen_ai.tool.call.arguments": '{"cut":…' })).toContain("which is no json");
	});

	test("finds a metric that is none, and a span without its parent", async () => {
		const { spans, recorders } = await singleRun(noContent);
		const [measurement] = recorders[0]?.measurements ?? [];
		if (!measurement) throw new Error("Something was measured");
		expect(metricProblems([{ ...measurement, unit: "ms" }], "v1.41")).toHaveLength(1);
		expect(metricProblems([measurement], "latest")).toHaveLength(1);
		expect(treeProblems(spans.slice(0, -1)).length).toBeGreaterThan(0);
	});
});

function plain(span: Span): Span {
	const { traceId, spanId, parentSpanId, name, kind, start, end, attributes, events, links, status } = span;
	return { traceId, spanId, parentSpanId, name, kind, start, end, attributes, events, links, status };
}

function having(span: Span, more: Span["attributes"]): Span {
	return { ...span, attributes: { ...span.attributes, ...more } };
}

function without(span: Span, name: string): Span {
	return { ...span, attributes: Object.fromEntries(Object.entries(span.attributes).filter(([one]) => one !== name)) };
}

describe("what was said", () => {
	test("is not in a trace unless that is asked for", async () => {
		const { spans } = await heldRun("deny", noContent);
		const text = JSON.stringify(spans);
		for (const word of ["money", "too much", "4000-1234", 'go"', "was used"]) expect(text).not.toContain(word);
	});

	test("is there where it is asked for, without what tools mark as sensitive", async () => {
		const { spans } = await heldRun("deny", { ...noContent, content: true });
		const text = JSON.stringify(spans);
		expect(text).not.toContain("4000-1234");
		for (const word of ["money", "too much", "was used"]) expect(text).toContain(word);
		const chats = spans.filter(({ name }) => name === "chat scripted");
		expect(JSON.parse(String(chats[0]?.attributes["gen_ai.input.messages"]))).toEqual([
			{ role: "user", parts: [{ type: "text", content: "go" }] },
		]);
		const [said] = JSON.parse(String(chats[0]?.attributes["gen_ai.output.messages"])) as [
			{ parts: { type: string; id: string }[] },
		];
		const asked = said.parts.find(({ type }) => type === "tool_call");
		expect(asked?.id).toBeTypeOf("string");
		// What came since the last answer.
		expect(JSON.parse(String(chats[1]?.attributes["gen_ai.input.messages"]))).toMatchObject([
			{ role: "tool", parts: [{ type: "tool_call_response", id: asked?.id, response: "too much" }] },
		]);
		const tool = named(spans, "execute_tool pay");
		expect(String(tool.attributes["gen_ai.tool.call.arguments"])).toContain('"cents":5');
	});
});

describe("from the journal alone", () => {
	const both = Object.keys(scenes).flatMap((name) => [
		{ name, content: false },
		// What a program holds is hidden once its calls have said what it is: later in the run, and so in all that is derived.
		...(name === "program" ? [] : [{ name, content: true }]),
	]);
	test.each(both)("$name: the same spans as were recorded, commits apart (content: $content)", async (one) => {
		const tracing = { ...noContent, content: one.content };
		const { run, store, spans, journal } = await (scenes[one.name] as (typeof scenes)[string])(tracing);
		const costOf = () => undefined;
		const derived = deriveTraces({ store, run, costOf, ...tracing }, journal);
		const found = [...derived.values()].flat();
		expect(treeProblems(found)).toEqual([]);
		expect(spanProblems(found, "v1.41")).toEqual([]);
		const inner = (all: readonly Span[]) =>
			all.filter((span) => span.parentSpanId !== undefined && span.name !== "holdpoint.checkpoint").map(plain);
		expect(inner(found)).toEqual(inner(spans));
		const roots = (all: readonly Span[]) => all.filter((span) => span.parentSpanId === undefined);
		expect(roots(found).map(({ traceId, spanId, links }) => ({ traceId, spanId, links }))).toEqual(
			roots(spans).map(({ traceId, spanId, links }) => ({ traceId, spanId, links })),
		);
	});
});
