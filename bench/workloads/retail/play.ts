import type { Harness } from "../../../packages/holdpoint/src/run/harness.ts";
import type { Approver, Outcome } from "../../../packages/holdpoint/src/spec/events.ts";
import type { RunResult, Waiting } from "../../../packages/holdpoint/src/spec/result.ts";
import type { Participant } from "../../../packages/holdpoint/src/spec/team.ts";
import { type PlayedTask, type RetailAgentOptions, retailAgent, taskInput } from "./agent.ts";
import { retailTeam } from "./team.ts";
import { retailTools } from "./tools.ts";
import type { RetailWorld } from "./world.ts";

/** Who says yes to everything that is held, and looks into what nobody knows. */
const approver: Approver = { id: "ann", via: "library" };

export interface Played {
	readonly result: RunResult;
	readonly approvals: number;
	/** Calls of unknown outcome that were looked into. */
	readonly settled: number;
}

export interface PlayOptions {
	readonly harness: Harness;
	readonly agent: Participant;
	readonly task: PlayedTask;
	/** What calls of unknown outcome are settled by. */
	readonly world: RetailWorld;
}

/** An agent, or a team, whose models play the task's gold actions. */
export function retailPlayer(options: RetailAgentOptions): Participant {
	const { wiring } = options;
	return wiring === "team" ? retailTeam(options) : retailAgent({ ...options, wiring });
}

/** An agent plays one task once in a store: whoever asks again joins that run. */
export function runIdOf(agent: Participant): string {
	return `${agent.name}.1`;
}

/** Starts the run or joins it, approves what is held, settles what is unknown, until it is over. */
export async function playToEnd(options: PlayOptions): Promise<Played> {
	const { harness, agent, task } = options;
	const run = runIdOf(agent);
	let approvals = 0;
	let settled = 0;
	let result = await harness.run(agent, taskInput(task), { runId: run, principal: "retail-desk" });
	while (result.status === "waiting") {
		const approved = await approveAll(harness, run);
		const looked = await settleAll(options, result);
		if (approved + looked === 0)
			throw new Error(`Run ${run} waits for what nobody can give: ${JSON.stringify(result)}`);
		approvals += approved;
		settled += looked;
		result = await harness.resume(run);
	}
	return { result, approvals, settled };
}

export async function approveAll(harness: Harness, run: string): Promise<number> {
	const open = await harness.approvals({ run });
	// Somebody may have answered already, and the process that was to read it died.
	const unanswered = open.filter(({ unread }) => unread.length === 0);
	for (const { approval } of unanswered) await harness.approve(approval, { by: approver });
	return open.length;
}

/** Tells the run what the world says. The desk makes one call at a time, so that the last effect is that call's. */
async function settleAll({ harness, agent, world }: PlayOptions, { waits }: Waiting): Promise<number> {
	const run = runIdOf(agent);
	const unknown = waits.filter((wait) => wait.kind === "unknown");
	for (const { call } of unknown) {
		const { state } = await harness.show(run);
		const written = [...state.calls.values()].filter(
			({ tool, outcome }) => isWrite(tool) && outcome && wasMade(outcome),
		);
		const last = world.effects().at(written.length)?.outcome;
		// A write that the world refused has been answered too; its answer is all that can be handed on.
		const happened = last && { result: "result" in last ? last.result : { error: last.error } };
		await harness.settle(run, call, { happened: happened !== undefined, by: approver, ...happened });
	}
	return unknown.length;
}

function isWrite(tool: string): boolean {
	return retailTools.get(tool)?.effect === "write";
}

function wasMade(outcome: Outcome): boolean {
	return !("unknown" in outcome) && !didNotHappen(outcome);
}

export function didNotHappen(outcome: Outcome): boolean {
	return "failed" in outcome && outcome.code === "settled.did_not_happen";
}
