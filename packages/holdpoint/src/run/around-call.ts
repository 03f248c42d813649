import { teamsAround } from "../routing/topology.ts";
import type { DoneInRun } from "../spec/tool.ts";
import type { CallState } from "./call-state.ts";
import type { Thread } from "./conversation.ts";
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
}

export function aroundCall(segment: Segment, call: CallState): AroundCall {
	const { thread, tool: name } = call;
	const callers = callersOf(segment.state, thread);
	const narrowed = [thread, ...callers].map(
		(one) => one.only && narrowedReason({ thread: one, tool: { name } }, segment.readyOf(one)),
	);
	return {
		callers: callers.map(({ agent }) => agent),
		agents: agentsAround(segment, thread),
		narrowed: narrowed.find((reason) => reason !== undefined) ?? plannedReason(segment, call, callers),
		leavesPlan: thread.of.mode === "plan" && name === setModeName && segment.toolOf(call)?.inRun !== undefined,
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

/** Why it may not be done while somebody around it plans: neither a handoff nor another agent leads out of that. */
function plannedReason(segment: Segment, call: CallState, callers: readonly Thread[]): string | undefined {
	const { thread, tool } = call;
	if (thread.of.mode !== "plan" && !callers.some(({ of }) => of.mode === "plan")) return undefined;
	const effect = segment.toolOf(call)?.effect;
	if (effect === "read" || effect === "internal") return undefined;
	return `In plan mode nothing is changed: ${tool} is not called before ${setModeName} was approved`;
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
