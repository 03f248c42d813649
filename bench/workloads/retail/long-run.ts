import type { LanguageModelV4CallOptions } from "@ai-sdk/provider";
import { harnessAgent } from "../../../packages/holdpoint/src/harness/harness-agent.ts";
import type { Harness } from "../../../packages/holdpoint/src/run/harness.ts";
import { runAfter } from "../../../packages/holdpoint/src/run/next-run.ts";
import type { Agent } from "../../../packages/holdpoint/src/spec/agent.ts";
import type { ContextCompacted } from "../../../packages/holdpoint/src/spec/events.ts";
import type { Json } from "../../../packages/holdpoint/src/spec/json.ts";
import type { RunResult } from "../../../packages/holdpoint/src/spec/result.ts";
import { type PlacedAnswer, placedModel } from "../../../packages/holdpoint/src/testing/placed-model.ts";
import { requestTokens, type TokenCounter } from "../../../packages/holdpoint/src/testing/token-counter.ts";
import { goodbyeText, patientLimits, retailTools, type SoloWiring, taskInput } from "./agent.ts";
import { canonical } from "./canonical.ts";
import { approveAll } from "./play.ts";
import { taskProgram, taskTurns } from "./program.ts";
import { journaled } from "./replay.ts";
import type { RetailTask, RetailWorkload } from "./tasks.ts";
import { retailTools as toolsByName } from "./tools.ts";
import { type EffectRecord, memoryRetailWorld, type RetailWorld } from "./world.ts";

/*
 * All tasks, one after the other, said to one agent in one session, on one database, with a window that holds a few of them.
 * The agent's model knows where it is from what its prompt says, and from nothing else: what is lost of a prompt, it does
 * again, or never.
 */

export const windowTokens = 8_000;
const answerTokens = 800;
export const longRunBudget = windowTokens - answerTokens;
export const longRunSession = "retail-long-run";

/** What the sequence comes to without a harness. */
export interface SequenceGold {
	/** Of each task's actions. */
	readonly outcomes: readonly (readonly ({ readonly result: Json } | { readonly error: string })[])[];
	/** SHA-256 of the database at the end. */
	readonly hash: string;
	/** All writes, also those that an earlier task made impossible. */
	readonly effects: readonly EffectRecord[];
}

export function sequenceGold({ tasks, db }: Pick<RetailWorkload, "tasks" | "db">): SequenceGold {
	const world = memoryRetailWorld(db);
	const outcomes = tasks.map(({ actions }, at) =>
		actions.map(({ name, arguments: args }, n) => {
			const outcome = world.call(name, args, `${at}.${n}`);
			return "error" in outcome ? { error: outcome.error } : outcome;
		}),
	);
	return { outcomes, hash: world.hash(), effects: world.effects() };
}

/** An answer of the model, and what the result of its call is. */
export interface Step {
	readonly answer: PlacedAnswer;
	readonly result?: Json;
}

/** In their order: the answer at `§1` is the first one. */
export function stepsOf(tasks: readonly RetailTask[], gold: SequenceGold, wiring: SoloWiring): readonly Step[] {
	return tasks.flatMap((task, at) => {
		const outcomes = gold.outcomes[at] as SequenceGold["outcomes"][number];
		const calls: Step[] =
			wiring === "program"
				? [{ answer: callOf("execute_code", { code: taskProgram(task) }), result: outcomes as unknown as Json }]
				: taskTurns(task).map(({ name, arguments: args }, n) => ({
						answer: callOf(name, args),
						result: outcomes[n] as Json,
					}));
		return [...calls, { answer: { text: goodbyeText } }];
	});
}

function callOf(tool: string, args: Json): PlacedAnswer {
	return { calls: [{ tool, args }] };
}

export interface LongRunAgentOptions {
	readonly workload: Pick<RetailWorkload, "tools" | "policy">;
	readonly world: RetailWorld;
	readonly wiring: SoloWiring;
	readonly steps: readonly Step[];
	/** As the model's tokenizer has it. */
	readonly count: TokenCounter;
	/** Told each request and its tokens, before it is answered. */
	readonly onRequest?: (request: LanguageModelV4CallOptions, tokens: number) => void;
}

/** With everything on that is on by default, the desk's instructions and its 16 tools. */
export function longRunAgent({ workload, world, wiring, steps, count, onRequest }: LongRunAgentOptions): Agent {
	return harnessAgent({
		name: `retail-long-run-${wiring}`,
		instructions: workload.policy,
		tools: retailTools(world, { desk: workload }),
		programs: wiring === "program" && { limits: patientLimits },
		context: { windowTokens, answerTokens },
		// Tasks of which one is refused what another one did: that is no reason to stop here.
		lastAnswer: false,
		model: placedModel((place) => steps[place - 1]?.answer, {
			countTokens: (request) => {
				const tokens = requestTokens(request, count);
				onRequest?.(request, tokens);
				return tokens;
			},
		}),
	});
}

export interface LongRun {
	readonly harness: Harness;
	readonly agent: Agent;
	readonly tasks: readonly RetailTask[];
	/** Told the milliseconds of each task. */
	readonly onTask?: (ms: number) => void;
}

/** Says one task after the other, from wherever the session is. What is held is approved. */
export async function playLongRun({ harness, agent, tasks, onTask }: LongRun): Promise<void> {
	const session = harness.session(longRunSession, agent);
	const runs = await harness.runs({ session: longRunSession, limit: tasks.length });
	const [newest] = runs;
	if (newest && newest.status !== "completed") await finish(harness, await goOn(harness, newest.run));
	for (const task of tasks.slice(runs.length)) {
		const began = performance.now();
		await finish(harness, await session.send(taskInput(task), { principal: "retail-desk" }));
		onTask?.(performance.now() - began);
	}
}

async function goOn(harness: Harness, run: string): Promise<RunResult> {
	await approveAll(harness, run);
	return harness.resume(run);
}

async function finish(harness: Harness, first: RunResult): Promise<void> {
	let result = first;
	while (result.status === "waiting") {
		if ((await approveAll(harness, result.run)) === 0)
			throw new Error(`Run ${result.run} waits for what nobody can give: ${JSON.stringify(result)}`);
		result = await harness.resume(result.run);
	}
	if (result.status !== "completed")
		throw new Error(`Run ${result.run} did not come to its end: ${JSON.stringify(result)}`);
}

/** What a session's journals say that happened. */
export interface LongRunReport {
	readonly runs: number;
	/** Tokens of each prompt that was answered, as the model counted them. */
	readonly promptTokens: readonly number[];
	readonly compactions: readonly ContextCompacted[];
	/** How it is not what gold says; empty where all is equal. */
	readonly problems: readonly string[];
}

export interface Judged extends Pick<LongRun, "harness" | "tasks"> {
	readonly world: RetailWorld;
	readonly gold: SequenceGold;
}

export async function judgeLongRun({ harness, tasks, world, gold }: Judged): Promise<LongRunReport> {
	const problems: string[] = [];
	const promptTokens: number[] = [];
	const compactions: ContextCompacted[] = [];
	const expect = (what: string, got: unknown, expected: unknown): void => {
		const [left, right] = [canonical(got as Json), canonical(expected as Json)];
		if (left !== right) problems.push(`${what}: ${left.slice(0, 500)} instead of ${right.slice(0, 500)}`);
	};
	let run: string | undefined;
	for (const [at, task] of tasks.entries()) {
		run = runAfter(longRunSession, run);
		const { state, events } = await harness.show(run);
		for (const { event } of events) {
			if (event.type === "model.answered") promptTokens.push(event.usage.inputTokens);
			if (event.type === "context.compacted") compactions.push(event);
		}
		expect(`task ${task.id}, results`, journaled(state), gold.outcomes[at]);
		const writes = [...state.calls.values()].filter(({ tool }) => toolsByName.get(tool)?.effect === "write");
		for (const { id, approvals } of writes) expect(`task ${task.id}, approvals of ${id}`, approvals, 1);
	}
	const effectsOf = (effects: readonly EffectRecord[]) => effects.map(({ tool, outcome }) => ({ tool, outcome }));
	expect("writes", effectsOf(world.effects()), effectsOf(gold.effects));
	expect("writes with keys of their own", new Set(world.effects().map(({ key }) => key)).size, gold.effects.length);
	expect("runs of the session", (await harness.runs({ session: longRunSession, limit: 1_000 })).length, tasks.length);
	expect("hash", world.hash(), gold.hash);
	return { runs: tasks.length, promptTokens, compactions, problems };
}
