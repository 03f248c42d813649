import { describe, expect, test } from "vitest";
import { extendView } from "../context/view.ts";
import type { ContextCompacted, RunEvent, RunStarted } from "../spec/events.ts";
import type { Thread } from "./conversation.ts";
import { emptyState, mainThread, type RunState } from "./run-state.ts";
import { apply } from "./state.ts";

const started: RunStarted = {
	type: "run.started",
	v: 1,
	lib: "0.1.0",
	agent: { name: "tester", digest: "d" },
	tools: {},
	principal: "ann",
	input: "the first words",
};
const usage = { inputTokens: 1, outputTokens: 2 };

function fold(...events: readonly RunEvent[]): RunState {
	const state = emptyState("r", [], new Map());
	for (const event of [started, ...events]) apply(state, event);
	return state;
}

const answered: RunEvent = {
	type: "model.answered",
	content: [{ type: "text", text: "so far" }],
	finish: "stop",
	usage,
	ms: 0,
};
const told = (text: string, mode: "turn" | "queue" = "turn"): RunEvent => ({
	type: "message.received",
	text,
	signal: `s ${text}`,
	mode,
});
const folded = (kept: number): ContextCompacted => ({
	type: "context.compacted",
	how: "fold",
	kept,
	fresh: kept,
	resultTokensMax: 1_000,
	partTokensMax: 100,
	summary: "some of it is done",
	tokens: 1_000,
	budget: 900,
});

function headOf({ context }: Thread): string {
	return JSON.stringify(context.view?.head ?? "");
}

describe("the user's first and last words", () => {
	test("stand in the head as soon as they are folded, also where the cut is right behind them", () => {
		const state = fold(answered, told("the last words"), answered);
		const whole = mainThread(state).messages.length;
		expect(mainThread(state).messages[2]).toMatchObject({ content: [{ text: "the last words" }] });
		apply(state, folded(whole - 2));
		expect(headOf(mainThread(state))).not.toContain("the last words");
		apply(state, folded(whole - 3));
		expect(headOf(mainThread(state))).toContain("the last words");
	});

	test("are those of the user: neither what a loop says nor a handoff takes their place", () => {
		const state = fold(answered, told("the last words"), answered);
		apply(state, { type: "agent.continued", prompt: "what the loop says" });
		apply(state, folded(0));
		expect(headOf(mainThread(state))).toContain("[The user's last words]\\nthe last words");

		const team = emptyState("r", [], new Map());
		const handed: RunEvent = { type: "run.handed", from: "tester", to: "other", summary: "what the other is told" };
		for (const event of [{ ...started, team: { start: ["tester"] } }, told("the last words"), handed])
			apply(team, event);
		const other = team.conversation.threads.get("other");
		apply(team, { ...folded(0), agent: "other" });
		expect(other && headOf(other)).toContain("[The user's last words]\\nthe last words");
	});

	test("stay the first ones where a single agent goes on from a team", () => {
		const team = emptyState("r", [], new Map());
		for (const event of [{ ...started, team: { start: ["tester"] } }, told("the middle")]) apply(team, event);
		const single = emptyState("r2", team.conversation, new Map());
		for (const event of [{ ...started, input: "the last words" }, answered, folded(0)]) apply(single, event);
		expect(headOf(mainThread(single))).toMatch(/the first words.*\[The user's last words\]\\nthe last words/);
	});

	test("stand in no head before they were read", () => {
		const call: RunEvent = {
			...answered,
			content: [{ type: "tool-call", toolCallId: "k1", toolName: "look", input: "{}" }],
		} as never;
		const state = fold(call, told("the middle"), answered, told("the last words", "queue"), answered, folded(0));
		expect(mainThread(state).queued).toEqual(["the last words"]);
		expect(headOf(mainThread(state))).not.toContain("the last words");
	});
});

test("what came while a summary was written is shown whole, however short all before it is cut", () => {
	const words = (mark: string) => `${mark} ${"w".repeat(2_000)}`;
	const state = fold(answered, told(words("before")), told(words("meanwhile")));
	const thread = mainThread(state);
	apply(state, { ...folded(2), cutTokensMax: 50, uncut: 1 });
	const { view } = thread.context;
	if (view) extendView(view, thread.messages);
	const [before, meanwhile] = view?.messages.slice(-2) ?? [];
	expect(JSON.stringify(before)).toMatch(/before w+.*characters are left out here/);
	expect(meanwhile).toEqual({ role: "user", content: [{ type: "text", text: words("meanwhile") }] });
});
