import { expect, test } from "vitest";
import type { RunEvent } from "../spec/events.ts";
import { knownRun } from "./known-run.ts";
import { Redactor } from "./redactor.ts";
import { emptyState } from "./run-state.ts";
import { apply } from "./state.ts";

const asked: readonly RunEvent[] = [
	{
		type: "run.started",
		v: 1,
		lib: "0",
		agent: { name: "a", digest: "d" },
		tools: { pay: "1" },
		marks: { pay: { args: { "/card": "secret" } } },
		principal: "p",
		input: "hello",
	},
	{
		type: "model.answered",
		model: "openai/gpt-5",
		content: [{ type: "tool-call", toolCallId: "x", toolName: "pay", input: '{"card":"4000-1234"}' }],
		finish: "tool-calls",
		usage: { inputTokens: 1, outputTokens: 1 },
		ms: 1,
	},
];
const decided = (verdict: "allow" | "ask"): RunEvent => ({
	type: "call.decided",
	call: "c1",
	verdict,
	policy: "p1",
	digest: "d",
	reason: "for 4000-1234",
});
const requested: RunEvent = { type: "approval.requested", approval: "apr_1", call: "c1", expiresAt: 9 };
const closed: RunEvent = { type: "approval.closed", approval: "apr_1", call: "c1", why: "expired" };

function known(events: readonly RunEvent[], content = false) {
	const state = emptyState("r1", [], new Map());
	for (const event of events) apply(state, event);
	const redactor = Redactor.of({ events, values: new Map() }, "all");
	return knownRun({ state, askedAt: new Map([["apr_1", 5]]), redactor, content });
}

test.each([
	["that nothing came of", [decided("allow")], { verdict: "allow", policy: "p1", at: 0 }],
	["that people are asked about", [decided("ask"), requested], undefined],
	["that was asked about", [decided("ask"), requested, closed], undefined],
	["made after that", [decided("ask"), requested, closed, decided("allow")], { verdict: "allow" }],
	["of a call that began", [decided("allow"), { type: "call.started", call: "c1", attempt: 1 }], undefined],
] as [string, RunEvent[], object | undefined][])("a decision %s", (_, events, expected) => {
	const [call] = known([...asked, ...events]).calls;
	if (expected) expect(call?.decision).toMatchObject(expected);
	else expect(call).toMatchObject({ id: "c1", decision: undefined });
});

test("of calls that are over nothing is known but their number; and nothing of what was said unless it is asked for", () => {
	const events = [...asked, decided("ask"), requested];
	const silent = known(events);
	expect(silent).toMatchObject({ directCalls: 1, approvals: new Map([["apr_1", 5]]), talks: [] });
	expect(silent.models).toEqual([[{}, "openai/gpt-5"]]);
	expect(JSON.stringify(silent)).not.toContain("hello");
	const said = JSON.stringify(known([...events, closed, decided("allow")], true));
	for (const word of ['"[secret]', "for [secret]"]) expect(said.replaceAll("\\", "")).toContain(word);
	expect(said).not.toContain("4000");
	const over = known([...events, closed, { type: "call.finished", call: "c1", outcome: { denied: "no" } }]);
	expect(over).toMatchObject({ directCalls: 1, calls: [], approvals: new Map() });
});

test("what came to an agent since its last answer is known without what is marked, results among it", () => {
	const [started, answered] = asked as [Extract<RunEvent, { type: "run.started" }>, RunEvent];
	const marks = { pay: { args: { "/card": "secret" }, result: { "/token": "secret" } } } as const;
	const outcome = { ok: { token: "tok-4711", at: 4_711_000, note: "of 4000-1234" } };
	const events: readonly RunEvent[] = [
		{ ...started, marks },
		answered,
		decided("allow"),
		{ type: "call.started", call: "c1", attempt: 1 },
		{ type: "call.finished", call: "c1", outcome },
	];
	expect(known(events, true).talks[0]?.heard[0]?.results).toEqual([
		{ id: "x", outcome: { ok: { token: "[secret]", at: 4_711_000, note: "of [secret]" } } },
	]);
});
