import { agentsOf, teamsAround } from "../routing/topology.ts";
import type { DoneInRun } from "../spec/tool.ts";
import type { CallState } from "./call-state.ts";
import type { Conversation, Thread } from "./conversation.ts";
import { callersOf } from "./run-state.ts";
import type { Segment } from "./segment.ts";
import { setModeName } from "./set-mode-name.ts";
import { narrowedReason } from "./thread-tools.ts";

/** What stands around a call and has a say in it, beside the agent that makes it. */
export interface AroundCall {
	/** Agents that it works for, the nearest first: what one of them may not do, it may not either. */
	readonly callers: readonly string[];
	/** Whoever of these is switched off, the call is. */
	readonly agents: readonly string[];
	/** Why the handoff to it, or to an agent that it works for, does not leave it this tool. */
	readonly narrowed: string | undefined;
	/** The call would end plan mode. */
	readonly leavesPlan: boolean;
	/** It changes something in a plan mode that no agent there can ask to leave. */
	readonly isBoundToPlan: boolean;
}

export function aroundCall(segment: Segment, call: CallState): AroundCall {
	const { thread, tool: name } = call;
	const callers = callersOf(segment.state, thread);
	const planned = planAround(segment, call, callers);
	const narrowed = [thread, ...callers].map(
		(one) => one.only && narrowedReason({ thread: one, tool: { name } }, segment.readyOf(one)),
	);
	return {
		callers: callers.map(({ agent }) => agent),
		agents: agentsAround(segment, thread),
		narrowed:
			narrowed.find((reason) => reason !== undefined) ?? (planned === "can be left" ? plannedReason(call) : undefined),
		leavesPlan: thread.of.mode === "plan" && name === setModeName && segment.toolOf(call)?.inRun !== undefined,
		isBoundToPlan: planned === "cannot be left",
	};
}

/** Whether what it did would end plan mode, which began after it was decided that nobody need be asked. */
export function leavesPlanUnasked(
	{ state }: Segment,
	{ thread, approval }: CallState,
	{ events = [] }: DoneInRun,
): boolean {
	const isLeaving = events.some((event) => event.type === "mode.changed" && event.mode === "execute");
	if (!isLeaving || thread.of.mode !== "plan" || state.status !== "running") return false;
	return !approval?.sources?.includes("mode");
}

type Plan = "can be left" | "cannot be left" | undefined;

/** Whether it would change something while somebody around it plans: neither a handoff nor another agent leads out of that. */
function planAround(segment: Segment, call: CallState, callers: readonly Thread[]): Plan {
	const planning = [call.thread, ...callers].filter((one) => one.of.mode === "plan" || entersPlan(segment, one, call));
	if (planning.length === 0) return undefined;
	const effect = segment.toolOf(call)?.effect;
	if (effect === "read" || effect === "internal") return undefined;
	return planning.some(({ of }) => canLeavePlan(segment, of)) ? "can be left" : "cannot be left";
}

/** Asked for in the same answer, before this call: calls of one answer are begun together. */
function entersPlan({ state }: Segment, { turn }: Thread, call: CallState): boolean {
	return turn.some((id) => {
		const other = state.calls.get(id);
		if (other?.tool !== setModeName || other.ordinal >= call.ordinal) return false;
		const { mode } = (other.asked ?? {}) as { readonly mode?: unknown };
		return mode === "plan" && other.phase !== "finished";
	});
}

function plannedReason({ tool }: CallState): string {
	return `In plan mode nothing is changed: ${tool} is not called before ${setModeName} was approved`;
}

/** A session may have planned with other agents than those that go on with it. */
function canLeavePlan(segment: Segment, of: Conversation): boolean {
	const { agent, team } = segment.readyFor(of);
	const agents = team ? agentsOf(team) : [agent];
	return agents.some(({ tools }) => tools.some(({ name, inRun }) => name === setModeName && inRun !== undefined));
}

/** An agent, those that it works for, and the teams that they are in: whatever is said of one of them holds for it. */
export function agentsAround(segment: Segment, thread: Thread): readonly string[] {
	if (!thread.of.team && thread.of.call === undefined) return [thread.agent];
	const names = [thread, ...callersOf(segment.state, thread)].flatMap(({ of, agent }) => {
		const { team } = segment.readyFor(of);
		return [agent, of.name, ...(team ? teamsAround(team, agent) : []).map(({ name }) => name)];
	});
	return [...new Set(names)];
}
