import type { CallState } from "../../../packages/holdpoint/src/run/call-state.ts";
import type { Thread } from "../../../packages/holdpoint/src/run/conversation.ts";
import { mainThread, type RunState, valueOf } from "../../../packages/holdpoint/src/run/run-state.ts";
import type { Json } from "../../../packages/holdpoint/src/spec/json.ts";
import { isDidNotHappen, type RetailAgentOptions, type Wiring } from "./agent.ts";
import { canonical } from "./canonical.ts";
import { didNotHappen, type Played, type PlayOptions, playToEnd, retailPlayer, runIdOf } from "./play.ts";
import type { RetailTask } from "./tasks.ts";
import { ownerOf, teamPlan } from "./team.ts";
import { retailTools } from "./tools.ts";
import type { EffectRecord } from "./world.ts";

/* Plays a task through the whole harness and compares all that came of it with the recording. */

export interface ReplayOptions extends RetailAgentOptions, Pick<PlayOptions, "harness"> {
	readonly task: RetailTask;
}

export interface Replay extends Played {
	readonly task: string;
	readonly wiring: Wiring;
	/** SHA-256 of the database at the end. */
	readonly hash: string;
	/** Answers of the models. */
	readonly turns: number;
	/** Handoffs that were taken. */
	readonly handoffs: number;
	/** Writes that the world recorded, the refused ones too. */
	readonly effects: readonly EffectRecord[];
	/** Writes that took effect. */
	readonly effectCount: number;
	/** How it is not what the recording says; empty where all is equal. */
	readonly problems: readonly Problem[];
}

export interface Problem {
	readonly what: "status" | "results" | "handoffs" | "approvals" | "writes" | "hash";
	readonly text: string;
}

/** Replays one task in a harness, from its start or from where a process that died has left it. */
export async function replayTask(options: ReplayOptions): Promise<Replay> {
	const { task, wiring, harness, world } = options;
	const agent = retailPlayer(options);
	const played = await playToEnd({ harness, agent, task, world });
	const { state } = await harness.show(runIdOf(agent));
	const ended = { hash: world.hash(), effects: world.effects(), effectCount: world.effectCount() };
	return {
		...played,
		task: task.id,
		wiring,
		...ended,
		turns: state.turns,
		handoffs: handoffsIn(state).length,
		problems: problemsOf(options, state, ended),
	};
}

type Ended = Pick<Replay, "hash" | "effects" | "effectCount">;

function problemsOf({ task, wiring }: ReplayOptions, state: RunState, ended: Ended): readonly Problem[] {
	const gold = task.actions.map(({ recorded }) => recorded);
	const goldWrites = task.actions.filter(({ name }) => retailTools.get(name)?.effect === "write");
	const { effects, effectCount, hash } = ended;
	const problems: Problem[] = [];
	const expect = (what: Problem["what"], got: unknown, gold: unknown): void => {
		const [left, right] = [canonical(got as Json), canonical(gold as Json)];
		if (left === right) return;
		const text = `task ${task.id} as ${wiring}: ${what} ${left.slice(0, 500)} instead of ${right.slice(0, 500)}`;
		problems.push({ what, text });
	};
	expect("status", state.status, "completed");
	expect("results", journaled(state), gold);
	expect("results", readers[wiring](state, task), gold);
	expect("handoffs", handoffsIn(state), wiring === "team" ? plannedHandoffs(task) : []);
	expect(
		"approvals",
		madeCalls(state).reduce((sum, { approvals }) => sum + approvals, 0),
		goldWrites.length,
	);
	expect(
		"writes",
		effects.map(({ tool }) => tool),
		goldWrites.map(({ name }) => name),
	);
	expect("writes", new Set(effects.map(({ key }) => key)).size, goldWrites.length);
	expect("writes", effectCount, goldWrites.filter(({ recorded }) => "result" in recorded).length);
	expect("hash", hash, task.finalHash);
	return problems;
}

/** The outcomes of the tools' calls as the journal has them, in the order in which they were asked for. */
export function journaled(state: RunState): readonly unknown[] {
	return madeCalls(state).map((call) => {
		const { outcome } = call;
		if (outcome && ("ok" in outcome || "blob" in outcome)) return { result: valueOf(state, call) };
		return outcome && "failed" in outcome ? { error: outcome.failed } : (outcome ?? "open");
	});
}

/** Without those that, as it was found out, did not happen and were made again. */
function madeCalls(state: RunState): readonly CallState[] {
	const calls = [...state.calls.values()].filter(({ tool }) => retailTools.has(tool));
	return calls.filter(({ outcome }) => !outcome || !didNotHappen(outcome));
}

/** From whom to whom, in order. */
function handoffsIn({ calls }: RunState): readonly (readonly [string, string])[] {
	return [...calls.values()].flatMap(({ thread, handsTo }) => (handsTo === undefined ? [] : [[thread.agent, handsTo]]));
}

function plannedHandoffs(task: RetailTask): readonly (readonly [string, string])[] {
	return teamPlan(task).flatMap(({ by, to }) => (to === undefined ? [] : [[by, to]]));
}

/** The results of the tools as whoever asked for them has them. */
const readers: { readonly [As in Wiring]: (state: RunState, task: RetailTask) => unknown } = {
	turns: (state) => readIn(mainThread(state)),
	program: readByProgram,
	team: readByTeam,
};

/** The results in a conversation. */
function readIn({ messages }: Thread): unknown[] {
	const parts = messages.flatMap((message) => (message.role === "tool" ? message.content : []));
	return parts.flatMap((part) => {
		if (part.type !== "tool-result" || !retailTools.has(part.toolName) || isDidNotHappen(part.output)) return [];
		const { output } = part;
		if (output.type === "text" || output.type === "json") return { result: output.value };
		return output.type === "error-text" ? { error: output.value } : output;
	});
}

/** Each action's result is taken out of the thread of whoever it belongs to; what is left over there comes last. */
function readByTeam({ conversation }: RunState, { actions }: RetailTask): readonly unknown[] {
	const read = new Map([...conversation.threads.values()].map((thread) => [thread.agent, readIn(thread)]));
	const inOrder = actions.map(({ name }) => read.get(ownerOf(name))?.shift() ?? "not read");
	return [...inOrder, ...[...read.values()].flat()];
}

/** The list that the program returned, or what became of the program instead. */
function readByProgram(state: RunState): unknown {
	const program = [...state.calls.values()].find((call) => call.tool === "execute_code");
	const value = program && (valueOf(state, program) as { readonly value?: Json } | null);
	return value?.value ?? program?.outcome ?? null;
}
