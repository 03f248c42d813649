import type { Outcome, RunEvent } from "holdpoint";
import { describe, expect, test } from "vitest";
import { journalProblems, type Of } from "./journal-laws.ts";
import { worldProblems } from "./play-laws.ts";
import { World } from "./random-world.ts";

/** Laws that report nothing would prove nothing: each is shown a journal that was forged against it. */

const by = { id: "ann", via: "test" };
const usage = { inputTokens: 1, outputTokens: 1 };
const harmless = new Set(["look"]);

const started: RunEvent = {
	type: "run.started",
	v: 1,
	lib: "0",
	agent: { name: "a", digest: "d" },
	tools: {},
	principal: "ann",
	input: "go",
};
const finished: RunEvent = { type: "run.finished", status: "completed", output: "done" };
const cancelled: RunEvent = { type: "cancel.requested", by: "ann", signal: "s-cancel" };

function asked(...tools: readonly string[]): RunEvent {
	const content = tools.map(
		(toolName, at) => ({ type: "tool-call", toolCallId: `m${at}`, toolName, input: "{}" }) as const,
	);
	return { type: "model.answered", content, finish: "tool-calls", usage, ms: 1 };
}

function decided(call: string, verdict: Of<"call.decided">["verdict"], digest = `${call} as asked`): RunEvent {
	return { type: "call.decided", call, verdict, policy: "p", digest };
}

function begun(call: string, attempt = 1): RunEvent {
	return { type: "call.started", call, attempt };
}

function ended(call: string, outcome: Outcome = { ok: 1 }): RunEvent {
	return { type: "call.finished", call, outcome };
}

function held(call: string): RunEvent {
	return { type: "approval.requested", approval: `${call}-a`, call, expiresAt: 1 };
}

function answered(call: string, answer: "approve" | "deny"): RunEvent {
	return { type: "approval.resolved", approval: `${call}-a`, call, answer, by, at: 1, signal: `s-${call}` };
}

function edited(call: string, digest: string): RunEvent {
	return { ...(answered(call, "approve") as Of<"approval.resolved">), answer: "edit", args: {}, digest };
}

function settled(call: string): RunEvent {
	return { type: "call.settled", call, outcome: { ok: 1 }, by, signal: `s-${call}-settled` };
}

function programStarted(call: string): RunEvent {
	return { type: "program.started", call, provider: "wasm", guest: "g", seed: 1, clock: 1 };
}

function askedBy(parent: string, n: number, tool = "book"): RunEvent {
	return { type: "call.asked", call: `${parent}.${n}`, parent, tool, args: {}, line: 1 };
}

function delivered(call: string, ...answers: readonly string[]): RunEvent {
	return { type: "program.delivered", call, answers, clock: 1 };
}

/** Events, and lists of them. */
type Forged = readonly (RunEvent | readonly RunEvent[])[];

const problemsOf = (forged: Forged): string[] => journalProblems(forged.flat(), harmless);

const allowed = (call: string): RunEvent[] => [decided(call, "allow"), begun(call)];
const one = [started, asked("book")];
const question = [...one, decided("c1", "ask"), held("c1")];
const executed = [begun("c1"), ended("c1"), finished];
const running = [started, asked("execute_code"), ...allowed("c1"), programStarted("c1"), askedBy("c1", 1)];
const lost: Outcome = { unknown: "the line broke" };
const over: Outcome = { cancelled: "over" };
const denied: Outcome = { denied: "no" };

function cancelledWith(...done: NonNullable<Of<"run.finished">["done"]>): RunEvent {
	return { type: "run.finished", status: "cancelled", done };
}

describe("a good journal breaks no law", () => {
	const repeated = [decided("c1", "allow"), begun("c1", 2)];
	const three = [started, asked("book", "look", "book"), ...allowed("c1"), ...allowed("c2"), cancelled];
	const ends = [ended("c1", lost), ended("c2", over), ended("c3", over)];
	test.each<[string, Forged]>([
		["an answer", [started, asked(), finished]],
		["a call that is allowed", [one, decided("c1", "allow"), executed]],
		["a call that is approved", [question, answered("c1", "approve"), decided("c1", "ask"), executed]],
		["a call that is denied", [question, answered("c1", "deny"), ended("c1", denied), finished]],
		["a call that is edited", [question, edited("c1", "other"), decided("c1", "ask", "other"), executed]],
		["a call that is repeated", [one, allowed("c1"), repeated, ended("c1"), finished]],
		["a call of which nobody knew", [one, allowed("c1"), repeated, ended("c1", lost), settled("c1"), finished]],
		["a program", [running, allowed("c1.1"), ended("c1.1"), delivered("c1", "c1.1"), ended("c1"), finished]],
		["a cancellation", [three, ends, cancelledWith({ call: "c1", tool: "book", outcome: "unknown" })]],
	])("%s", (_, forged) => {
		expect(problemsOf(forged)).toEqual([]);
	});
});

describe("a forged journal is reported", () => {
	const unasked = "c1 is started, and nothing allows it";
	const childEnded = [...allowed("c1.1"), ended("c1.1"), delivered("c1", "c1.1")];
	test.each<[string, Forged]>([
		["event 1 is run.started", [started, started, finished]],
		["model.answered after the end", [started, asked(), finished, asked()]],
		["run.finished after the end", [started, asked(), finished, finished]],
		[unasked, [one, executed]],
		[unasked, [one, decided("c1", "deny"), executed]],
		[unasked, [one, decided("c1", "ask"), executed]],
		[unasked, [question, answered("c1", "deny"), decided("c1", "ask"), executed]],
		[unasked, [question, answered("c1", "approve"), decided("c1", "ask", "other"), executed]],
		[unasked, [question, edited("c1", "other"), decided("c1", "ask"), executed]],
		[unasked, [one, allowed("c1"), begun("c1", 2), ended("c1"), finished]],
		["c1 is started while it is held", [question, decided("c1", "allow"), executed]],
		["attempt 3 of c1 comes after attempt 1", [one, allowed("c1"), decided("c1", "allow"), begun("c1", 3)]],
		["call.started of c1, which has its outcome", [one, allowed("c1"), ended("c1", lost), allowed("c1")]],
		["call.finished of c1, which has its outcome", [one, decided("c1", "allow"), executed.slice(0, 2), executed]],
		["call.finished of c2, which nobody asked for", [one, ended("c2", over), finished]],
		["c1 is settled, and was not unknown", [one, allowed("c1"), ended("c1"), settled("c1"), finished]],
		["c1 was started, and ends as denied (I7)", [one, allowed("c1"), ended("c1", denied), finished]],
		["c1 was started, and ends as cancelled (I7)", [one, allowed("c1"), ended("c1", over), finished]],
		["c1 was never started, and ends as ok", [one, ended("c1"), finished]],
		["c1 has no outcome at the end", [one, allowed("c1"), finished]],
		["nobody knows of c1 at the end", [one, allowed("c1"), ended("c1", lost), finished]],
		["c1 is held at the end", [question, finished]],
		["c1 is held twice", [question, held("c1")]],
		["c1-a is requested twice", [question, answered("c1", "approve"), held("c1")]],
		["c1 is finished while it is held", [question, ended("c1", denied), finished]],
		["approval.resolved of c1-a, which is not open", [one, decided("c1", "ask"), answered("c1", "deny")]],
		["it ends cancelled", [started, asked(), cancelledWith()]],
		["it ends completed", [started, asked(), cancelled, finished]],
		["call.started after the cancellation", [one, decided("c1", "allow"), cancelled, begun("c1")]],
		["it tells that it did , and did c1 ok", [one, allowed("c1"), cancelled, ended("c1"), cancelledWith()]],
		["signal s-cancel is used twice", [started, cancelled, cancelled]],
		["c1 is not a program to start", [one, programStarted("c1")]],
		["c1.1 is delivered to c1 without an outcome", [running, delivered("c1", "c1.1")]],
		["c1.1 is delivered twice", [running, childEnded, delivered("c1", "c1.1")]],
		["c1.2 is asked by c1, which does not run", [running, ended("c1"), askedBy("c1", 2)]],
		["c1.1 is asked twice", [running, askedBy("c1", 1)]],
	])("%s", (problem, forged) => {
		expect(problemsOf(forged)).toContain(problem);
	});
});

describe("a world that does not fit its journal is reported", () => {
	const effect = { what: "book 1", call: "c1", key: "k1" };
	const events = [...one, ...allowed("c1"), ended("c1"), finished];
	const worldOf = (parts: Partial<Pick<World, "effects" | "begun" | "late">>) =>
		Object.assign(new World(), { effects: [effect], begun: ["c1 1"] }, parts);

	test("and one that fits is not", () => {
		expect(worldProblems({ events, world: worldOf({}) })).toEqual([]);
	});

	test.each<[string, Parameters<typeof worldOf>[0]]>([
		["book 1 happened twice", { effects: [effect, { ...effect, key: "k2" }] }],
		["book 1 under k1 happened twice", { effects: [effect, effect] }],
		["book 1 began after the end", { late: ["book 1"] }],
		["attempt c1 1 began twice", { begun: ["c1 1", "c1 1"] }],
		["attempt c1 2 began unwritten (I1)", { begun: ["c1 1", "c1 2"] }],
	])("%s", (problem, parts) => {
		expect(worldProblems({ events, world: worldOf(parts) })).toContain(problem);
	});

	test.each<Outcome>([{ failed: "no", code: "tool.threw" }, { denied: "no" }, { cancelled: "no" }])("%o", (outcome) => {
		const forged = [...one, ...allowed("c1"), ended("c1", outcome), finished];
		const problem = `book 1 happened, and c1 ends as ${Object.keys(outcome)[0]} (I7)`;
		expect(worldProblems({ events: forged, world: worldOf({}) })).toContain(problem);
	});
});
