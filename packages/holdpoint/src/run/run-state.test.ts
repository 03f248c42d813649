import { describe, expect, test } from "vitest";
import type { RunEvent } from "../spec/events.ts";
import { emptyState, type RunState, threadsAtWork } from "./run-state.ts";
import { apply } from "./state.ts";

const usage = { inputTokens: 1, outputTokens: 2 };

function fold(...events: readonly RunEvent[]): RunState {
	const state = emptyState("r", [], new Map());
	for (const event of events) apply(state, event);
	return state;
}

function asked(...tools: readonly string[]): RunEvent {
	const content = tools.map(
		(toolName, i) => ({ type: "tool-call", toolCallId: `m${i}`, toolName, input: "{}" }) as const,
	);
	return { type: "model.answered", content, finish: "tool-calls", usage, ms: 0 };
}

const started: RunEvent = {
	type: "run.started",
	v: 1,
	lib: "0.1.0",
	agent: { name: "boss", digest: "d" },
	tools: {},
	principal: "ann",
	input: "go",
};
const begun = (call: string, agent: string): RunEvent => ({ type: "agent.started", call, agent, input: "help" });
const atWork = (state: RunState) => threadsAtWork(state).map(({ agent }) => agent);

describe("who is at work", () => {
	test("nobody before the run begins, then its agent, and whoever a call is put to until that has an outcome", () => {
		expect(atWork(fold())).toEqual([]);
		const state = fold(started, asked("ask_a", "ask_b"));
		expect(atWork(state)).toEqual(["boss"]);
		for (const call of ["c1", "c2"]) apply(state, { type: "call.started", call, attempt: 1 });
		apply(state, begun("c2", "b"));
		apply(state, begun("c1", "a"));
		expect(atWork(state).sort()).toEqual(["a", "b", "boss"]);
		apply(state, { type: "call.finished", call: "c2", outcome: { ok: "done" } });
		expect(atWork(state).sort()).toEqual(["a", "boss"]);
		apply(state, { type: "call.finished", call: "c1", outcome: { unknown: "lost" } });
		expect(atWork(state)).toEqual(["boss"]);
	});

	test("I8: is known without a look at every call of the run", () => {
		const state = fold(started, asked("ask_a", "look"));
		apply(state, { type: "call.started", call: "c1", attempt: 1 });
		apply(state, begun("c1", "a"));
		state.calls.values = () => {
			throw new Error("every call was looked at");
		};
		expect(atWork(state)).toEqual(["boss", "a"]);
	});
});
