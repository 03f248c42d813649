import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { runSeal } from "../journal/journal.ts";
import { keyRing } from "../kit/seal.ts";
import type { RunEvent } from "../spec/events.ts";
import type { RunResult } from "../spec/result.ts";
import { promptProblems } from "../testing/prompt-order.ts";
import { ofType, type Stage, stage, stageKeys } from "../testing/stage.ts";
import { calls, type StoryStep, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";
import { OutcomeUnknown } from "../tools/outcome-unknown.ts";
import { next } from "./next.ts";
import { emptyState, type RunState } from "./run-state.ts";
import { apply } from "./state.ts";

/** Whatever model, people and time do, the rules of a run hold: a random conversation is played and then examined. */

const toolNames = ["look", "pay", "free", "fail", "lose", "never", "nowhere"] as const;
const anyAnswer = fc.oneof(
	{ weight: 3, arbitrary: fc.array(fc.constantFrom(...toolNames), { minLength: 1, maxLength: 4 }) },
	{ weight: 1, arbitrary: fc.constant("text" as const) },
);
const anyAct = fc.oneof(
	fc.record({ do: fc.constant("approve by both"), which: fc.nat(3), who: fc.constant("") }),
	fc.record({
		do: fc.constantFrom("approve", "deny", "edit", "settle"),
		which: fc.nat(3),
		who: fc.constantFrom("ann", "bob"),
	}),
	fc.record({ do: fc.constantFrom("turn", "queue"), which: fc.constant(0), who: fc.constant("") }),
	fc.record({ do: fc.constantFrom("wait an hour", "restart", "cancel"), which: fc.constant(0), who: fc.constant("") }),
);
type Act = typeof anyAct extends fc.Arbitrary<infer T> ? T : never;

function storyOf(answers: readonly (readonly string[] | "text")[]): (ask: unknown, n: number) => StoryStep {
	return (_, n) => {
		const answer = answers[n];
		if (answer === undefined || answer === "text") return say(`answer ${n}`);
		return calls(answer.map((tool, i) => ({ tool, args: { n: n * 10 + i }, id: `call_${i}`, undeclared: true })));
	};
}

function tools(executed: string[]) {
	const input = z.object({ n: z.int(), by: z.string().default("model") });
	const ran = (key: string, value: unknown) => {
		executed.push(key);
		return value;
	};
	const tool = (name: string, effect: "read" | "write", execute: (key: string) => unknown) =>
		defineTool({
			name,
			description: name,
			input,
			effect,
			execute: (_, { call, run, attempt }) => execute(`${run} ${call} ${attempt}`),
		});
	return [
		tool("look", "read", (key) => ran(key, "seen")),
		tool("pay", "write", (key) => ran(key, "paid")),
		tool("free", "write", (key) => ran(key, { given: true })),
		tool("never", "write", (key) => ran(key, "must not")),
		tool("fail", "read", (key) => {
			ran(key, 0);
			throw new Error("failed");
		}),
		tool("lose", "write", (key) => {
			ran(key, 0);
			throw new OutcomeUnknown("lost");
		}),
	];
}

const policy = ({ tool }: { tool: { name: string } }) => {
	if (tool.name === "never") return { verdict: "deny", reason: "never" } as const;
	if (tool.name === "pay") return { verdict: "ask", reason: "money", ask: { count: 2 } } as const;
	return { verdict: "allow" } as const;
};

async function perform(scene: Stage, act: Act, result: RunResult): Promise<Stage> {
	const by = { id: act.who, via: "test" };
	const waits = result.status === "waiting" ? result.waits : [];
	const held = waits.filter((wait) => wait.kind === "approval");
	const lost = waits.filter((wait) => wait.kind === "unknown");
	const approval = held[act.which % Math.max(1, held.length)]?.approval;
	if (act.do === "approve" && approval) await scene.harness.approve(approval, { by }).catch(unlessAnswered);
	if (act.do === "approve by both" && approval) {
		for (const id of ["ann", "bob"])
			await scene.harness.approve(approval, { by: { id, via: "test" } }).catch(unlessAnswered);
	}
	if (act.do === "edit" && approval) await scene.harness.approve(approval, { by, args: { n: 1, by: act.who } });
	if (act.do === "deny" && approval) await scene.harness.deny(approval, { by, reason: "no" });
	const unknown = lost[act.which % Math.max(1, lost.length)];
	if (act.do === "settle" && unknown)
		await scene.harness.settle(result.run, unknown.call, { happened: act.who === "ann", by });
	if (act.do === "turn" || act.do === "queue") await scene.harness.tell(result.run, `a message for ${act.do}`, act.do);
	if (act.do === "wait an hour") scene.clock.advance(3_600_000);
	if (act.do === "cancel") await scene.harness.cancel(result.run);
	return act.do === "restart" ? scene.again() : scene;
}

function unlessAnswered(error: { code?: string }): void {
	if (error.code !== "approval.forbidden" && error.code !== "approval.closed") throw error;
}

function foldOf(run: string, events: readonly RunEvent[]): RunState {
	const state = emptyState(run, [], new Map());
	for (const event of events) apply(state, event);
	return state;
}

test("I3 I5 I7: every conversation keeps the rules", { timeout: 60_000 }, async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.array(anyAnswer, { minLength: 1, maxLength: 5 }),
			fc.array(anyAct, { maxLength: 12 }),
			async (answers, acts) => {
				const executed: string[] = [];
				const observed: RunEvent[] = [];
				const onEvent = (event: RunEvent) => void observed.push(event);
				let scene = stage({
					story: storyOf(answers),
					tools: tools(executed),
					harness: { policy },
					limits: { turnsMax: 12, approvalExpiresInMs: 5 * 3_600_000 },
				});
				const scenes = [scene];
				let result = await scene.harness.run(scene.agent, "go", { runId: "r", onEvent });
				for (const act of acts) {
					if (result.status !== "waiting") break;
					scene = await perform(scene, act, result);
					scenes.push(scene);
					result = await scene.harness.resume("r", { onEvent });
				}
				await examine({
					scene,
					executed,
					observed,
					result,
					prompts: [...new Set(scenes)].flatMap(({ prompts }) => prompts),
				});
			},
		),
		{ numRuns: 200 },
	);
});

interface Played {
	readonly scene: Stage;
	readonly executed: readonly string[];
	readonly observed: readonly RunEvent[];
	readonly result: RunResult;
	readonly prompts: Stage["prompts"];
}

async function examine({ scene, executed, observed, result, prompts }: Played): Promise<void> {
	expect(prompts.flatMap(promptProblems)).toEqual([]);
	const events = await scene.events("r");
	expectHonest(events, executed);
	// Readers see what the journal says; a cancellation runs without one.
	if (!events.some(({ type }) => type === "cancel.requested")) expect(observed).toEqual(events);
	const { state } = await scene.harness.show("r");
	expect(foldOf("r", events)).toEqual(state);
	expect(result.status === "waiting").toBe(state.status === "running");
	const doing = {
		busy: new Set<string>(),
		live: new Set<string>(),
		room: 8,
		asksLater: () => true,
		isSpent: () => false,
		joins: () => false,
		isForAgent: () => false,
		agentsMax: 8,
		endings: { has: () => false },
		ended: new Set<string>(),
		now: scene.clock.now(),
	};
	const before = structuredClone(state);
	const steps = next(state, doing);
	expect(next(state, doing)).toEqual(steps);
	expect(state).toEqual(before);
	if (result.status === "waiting") expect(steps).toEqual([]);
	const stored = await scene.store.load("r");
	expect(stored).toMatchObject({ signals: [], lease: undefined });
	if (stored)
		expect(
			runSeal(keyRing(stageKeys), await scene.store.id(), "r")
				.open(stored)
				.entries.flatMap((entry) => entry.events),
		).toEqual(events);
	const open = (await scene.store.approvals({ run: "r" })).map(({ approval }) => approval).sort();
	const held = [...state.calls.values()].flatMap(({ phase, approval }) =>
		phase === "held" && approval ? approval.id : [],
	);
	expect(open).toEqual(state.status === "running" ? held.sort() : []);
}

/** What ran is what was decided so, started once, and came to exactly one end. */
function expectHonest(events: readonly RunEvent[], executed: readonly string[]): void {
	const started = ofType(events, "call.started");
	expect([...executed].sort()).toEqual(started.map(({ call, attempt }) => `r ${call} ${attempt}`).sort());
	for (const { call } of started) {
		const before = events.slice(
			0,
			events.findIndex((event) => event.type === "call.started" && event.call === call),
		);
		const decision = ofType(before, "call.decided").findLast((event) => event.call === call);
		expect(decision?.verdict).not.toBe("deny");
		if (decision?.verdict === "ask") expect(new Set(decision.approvedBy).size).toBeGreaterThanOrEqual(2);
	}
	const ends = [...ofType(events, "call.finished"), ...ofType(events, "call.settled")].map(
		({ call, outcome }) => `${call} ${"unknown" in outcome ? "?" : ""}`,
	);
	expect(new Set(ends).size).toBe(ends.length);
	expect(ofType(events, "run.finished").length).toBeLessThanOrEqual(1);
}
