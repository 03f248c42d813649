import { describe, expect, test } from "vitest";
import type { RunEvent, RunStarted } from "../spec/events.ts";
import type { AnswerPart } from "../spec/model.ts";
import { promptProblems } from "../testing/prompt-order.ts";
import { type Doing, next } from "./next.ts";
import { emptyState, mainThread, type RunState } from "./run-state.ts";
import { apply } from "./state.ts";

const started: RunStarted = {
	type: "run.started",
	v: 1,
	lib: "0.1.0",
	agent: { name: "tester", digest: "d" },
	tools: { look: "1" },
	principal: "ann",
	input: "go",
};
const by = { id: "ann", via: "test" };
const usage = { inputTokens: 1, outputTokens: 2 };
const idle: Doing = {
	busy: new Set(),
	live: new Set(),
	ended: new Set(),
	endings: { has: () => false },
	room: 8,
	asksLater: () => false,
	isSpent: ({ turns }) => turns >= 20,
	joins: () => false,
	isForAgent: () => false,
	agentsMax: 8,
	now: 1_000,
};

function fold(...events: readonly RunEvent[]): RunState {
	const state = emptyState("r", [], new Map());
	for (const event of [started, ...events]) apply(state, event);
	return state;
}

function answered(...content: readonly AnswerPart[]): RunEvent {
	return { type: "model.answered", content, finish: "stop", usage, ms: 0 };
}

const text = (value: string): AnswerPart => ({ type: "text", text: value });
const toolCall = (toolCallId: string, input = "{}"): AnswerPart => ({
	type: "tool-call",
	toolCallId,
	toolName: "look",
	input,
});
const decided = (call: string): RunEvent => ({ type: "call.decided", call, verdict: "ask", policy: "p", digest: "d" });
const requested = (call: string, approval = "a1"): RunEvent => ({
	type: "approval.requested",
	approval,
	call,
	expiresAt: 2_000,
});
const ok = (call: string, value: string): RunEvent => ({ type: "call.finished", call, outcome: { ok: value } });
const said = (state: RunState) =>
	mainThread(state).messages.map(
		(message) =>
			`${message.role} ${message.role === "system" ? "" : message.content.map((part) => part.type).join(" ")}`,
	);

describe("the fold", () => {
	test("an answer without calls leaves nothing due, an answer with calls opens a turn", () => {
		expect(mainThread(fold())).toMatchObject({ modelDue: true, turns: 0 });
		expect(mainThread(fold(answered(text("hi"))))).toMatchObject({ modelDue: false, turns: 1, text: "hi", turn: [] });
		const calling = fold(answered(toolCall("x"), toolCall("y")));
		expect(mainThread(calling)).toMatchObject({ turn: ["c1", "c2"] });
		expect(calling).toMatchObject({ directCalls: 2, turns: 1 });
	});

	test("the results of a turn enter the conversation together, when the last one is there, in source order", () => {
		const half = fold(answered(toolCall("x"), toolCall("y")), ok("c2", "second"));
		expect(said(half)).toEqual(["user text", "assistant tool-call tool-call"]);
		apply(half, ok("c1", "first"));
		const last = mainThread(half).messages.at(-1);
		expect(last?.role === "tool" && last.content.map((part) => part.type === "tool-result" && part.output)).toEqual([
			{ type: "text", value: "first" },
			{ type: "text", value: "second" },
		]);
		expect(mainThread(half)).toMatchObject({ turn: [], modelDue: true });
	});

	test("usage is summed up over answers", () => {
		expect(fold(answered(text("a")), answered(text("b"))).usage).toEqual({ inputTokens: 2, outputTokens: 4 });
	});

	test("calls are numbered in the order of the journal, those of programs too", () => {
		const program: RunEvent = { type: "program.started", call: "c1", provider: "wasm", guest: "g", seed: 1, clock: 1 };
		const asked: RunEvent = { type: "call.asked", call: "c1.1", parent: "c1", tool: "look", args: {}, line: 3 };
		const state = fold(
			answered(toolCall("x"), toolCall("y")),
			{ type: "call.started", call: "c1", attempt: 1 },
			program,
			asked,
		);
		expect([...state.calls.values()].map(({ id, ordinal }) => [id, ordinal])).toEqual([
			["c1", 1],
			["c2", 2],
			["c1.1", 3],
		]);
		expect(state.calls.get("c1")?.program).toMatchObject({ asks: ["c1.1"], quiet: false });
	});

	test.each([
		["", {}],
		['{"a":1}', { a: 1 }],
		["null", null],
		["{a:1}", undefined],
	])("arguments %j are asked as %j", (input, asked) => {
		expect(fold(answered(toolCall("x", input))).calls.get("c1")?.asked).toEqual(asked);
	});

	test("what the provider executed by itself is no call of ours", () => {
		const own: AnswerPart = {
			type: "tool-call",
			toolCallId: "p",
			toolName: "web",
			input: "{}",
			providerExecuted: true,
		};
		expect(fold(answered(own, text("found"))).calls.size).toBe(0);
	});

	test("a hold, an answer, a carried answer and a void one", () => {
		const resolved = { type: "approval.resolved", call: "c1", answer: "approve", by, at: 5, signal: "s" } as const;
		const state = fold(answered(toolCall("x")), decided("c1"), requested("c1"));
		expect(state.calls.get("c1")).toMatchObject({
			phase: "held",
			approvals: 1,
			approval: { id: "a1", count: 1, roles: [] },
		});
		apply(state, { ...resolved, approval: "a1", open: true });
		expect(state.calls.get("c1")).toMatchObject({ phase: "held", approval: { answers: [{ by, at: 5 }] } });
		apply(state, { type: "approval.requested", approval: "a2", call: "c1", expiresAt: 9, count: 2, carries: ["ann"] });
		expect(state.calls.get("c1")?.approval).toMatchObject({ id: "a2", answers: [{ by }] });
		apply(state, { type: "approval.requested", approval: "a3", call: "c1", expiresAt: 9 });
		expect(state.calls.get("c1")?.approval).toMatchObject({ id: "a3", answers: [] });
		apply(state, { ...resolved, approval: "a3", answer: "edit", args: { n: 2 }, digest: "d2" });
		expect(state.calls.get("c1")).toMatchObject({ phase: "answered", args: { n: 2 }, digest: "d2", edited: true });
	});

	test("an unknown outcome keeps the turn open until it is settled", () => {
		const state = fold(answered(toolCall("x")), { type: "call.finished", call: "c1", outcome: { unknown: "lost" } });
		expect(mainThread(state)).toMatchObject({ turn: ["c1"], modelDue: false });
		apply(state, { type: "call.settled", call: "c1", outcome: { ok: 1 }, by, signal: "s" });
		expect(mainThread(state)).toMatchObject({ turn: [], modelDue: true });
	});

	test("every signal that became an event is remembered", () => {
		const state = fold(
			{ type: "message.received", text: "hi", signal: "s1", mode: "turn" },
			{ type: "signal.ignored", signal: "s2", why: "no" },
			{ type: "approval.refused", approval: "a", why: "no", signal: "s3" },
			{ type: "cancel.requested", by: "ann", signal: "s4" },
		);
		expect(state.signals).toEqual(new Set(["s1", "s2", "s3", "s4"]));
	});

	test("a message during a turn: `turn` closes it with pending notes, `queue` waits for its end", () => {
		const open = [answered(toolCall("x"), toolCall("y")), ok("c1", "first"), decided("c2"), requested("c2")];
		const turn = fold(...open, { type: "message.received", text: "and?", signal: "s", mode: "turn" });
		expect(mainThread(turn)).toMatchObject({ turn: [], late: ["c2"], modelDue: true });
		expect(said(turn).slice(-2)).toEqual(["tool tool-result tool-result", "user text"]);
		const queue = fold(...open, { type: "message.received", text: "and?", signal: "s", mode: "queue" });
		expect(mainThread(queue)).toMatchObject({ turn: ["c1", "c2"], late: [], modelDue: false });
		apply(queue, ok("c2", "second"));
		expect(said(queue).slice(-2)).toEqual(["tool tool-result tool-result", "user text"]);
	});

	test("what came while the model answered stands after its answer, and is due", () => {
		const message: RunEvent = { type: "message.received", text: "one more", signal: "s", mode: "turn" };
		const plain = fold(message, { ...answered(text("hi")), unheard: 1 } as RunEvent);
		expect(said(plain)).toEqual(["user text", "assistant text", "user text"]);
		expect(mainThread(plain).modelDue).toBe(true);
		const calling = fold(message, { ...answered(toolCall("x")), unheard: 1 } as RunEvent);
		expect(said(calling)).toEqual(["user text", "assistant tool-call"]);
		apply(calling, ok("c1", "seen"));
		expect(said(calling)).toEqual(["user text", "assistant tool-call", "tool tool-result", "user text"]);
	});

	test("a run that ends with an open turn leaves a conversation that another run can go on with", () => {
		const state = fold(
			answered(toolCall("x"), toolCall("y")),
			{ type: "call.finished", call: "c1", outcome: { cancelled: "stop" } },
			{ type: "call.finished", call: "c2", outcome: { unknown: "in flight" } },
			{ type: "run.finished", status: "cancelled", done: [] },
		);
		const nextRun = emptyState("r2", mainThread(state).messages, new Map());
		apply(nextRun, { ...started, input: "what now?" });
		expect(promptProblems(mainThread(nextRun).messages)).toEqual([]);
		expect(mainThread(nextRun).modelIds).toEqual(new Set(["x", "y"]));
	});
});

describe("next", () => {
	test("asks the model where it is due, finishes where it is not, and does nothing once it is over", () => {
		expect(next(fold(), idle)).toMatchObject([{ do: "ask-model" }]);
		expect(next(fold(answered(text("hi"))), idle)).toMatchObject([{ do: "conclude" }]);
		expect(next(fold({ type: "run.finished", status: "completed" }), idle)).toEqual([]);
	});

	test("does nothing twice: what the driver is busy with is left alone", () => {
		expect(next(fold(), { ...idle, busy: new Set(["model"]) })).toEqual([]);
		const state = fold(answered(toolCall("x"), toolCall("y")));
		expect(next(state, { ...idle, busy: new Set(["c1"]) })).toMatchObject([{ do: "advance-call", call: { id: "c2" } }]);
	});

	test("cancellation goes before everything", () => {
		const cancel: RunEvent = { type: "cancel.requested", by: "ann", signal: "s" };
		expect(next(fold(answered(toolCall("x")), cancel), { ...idle, busy: new Set(["c1"]) })).toEqual([{ do: "cancel" }]);
	});

	test("I8: no more calls than there is room for", () => {
		const state = fold(answered(toolCall("x"), toolCall("y"), toolCall("z")));
		expect(next(state, { ...idle, room: 2 })).toHaveLength(2);
		expect(next(state, { ...idle, room: 0 })).toEqual([]);
	});

	test("a held call moves only when it has expired, compared with >=", () => {
		const state = fold(answered(toolCall("x")), decided("c1"), requested("c1"));
		expect(next(state, { ...idle, now: 1_999 })).toEqual([]);
		expect(next(state, { ...idle, now: 2_000 })).toMatchObject([{ do: "advance-call" }]);
	});

	test("a call that was started and that nobody is busy with is brought to its end", () => {
		const state = fold(answered(toolCall("x")), { type: "call.started", call: "c1", attempt: 1 });
		expect(next(state, idle)).toMatchObject([{ do: "advance-call" }]);
		expect(next(state, { ...idle, busy: new Set(["c1"]) })).toEqual([]);
	});

	test("a timer holds the model back, not the calls", () => {
		const timer: RunEvent = { type: "timer.set", timer: "t1", dueAt: 9, why: "later" };
		expect(next(fold(timer), idle)).toEqual([]);
		expect(next(fold(timer, { type: "timer.fired", timer: "t1" }), idle)).toMatchObject([{ do: "ask-model" }]);
		expect(next(fold(answered(toolCall("x")), timer), idle)).toMatchObject([{ do: "advance-call" }]);
	});

	test("a run does not finish while a pending call is open", () => {
		const state = fold(
			answered(toolCall("x")),
			decided("c1"),
			requested("c1"),
			{ type: "message.received", text: "and?", signal: "s", mode: "turn" },
			answered(text("pending")),
		);
		expect(next(state, idle)).toEqual([]);
		apply(state, ok("c1", "done"));
		expect(next(state, idle)).toMatchObject([{ do: "ask-model" }]);
	});

	test("a phase that it does not know does not move", () => {
		const state = fold(answered(toolCall("x")));
		const call = state.calls.get("c1");
		if (call) call.phase = "floating" as never;
		expect(next(state, idle)).toEqual([]);
	});
});
