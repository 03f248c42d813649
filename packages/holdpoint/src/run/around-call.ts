import type { CallState } from "./call-state.ts";
import { agentsAround, callersOf } from "./run-state.ts";
import type { Segment } from "./segment.ts";
import { narrowedReason } from "./thread-tools.ts";

/** What stands around a call and has a say in it, beside the agent that makes it. */
export interface AroundCall {
	/** Agents that it works for, the nearest first: what one of them may not do, it may not either. */
	readonly callers: readonly string[];
	/** Whoever of these is switched off, the call is. */
	readonly agents: readonly string[];
	/** Why the handoff to it does not leave it this tool. */
	readonly narrowed: string | undefined;
}

export function aroundCall(segment: Segment, call: CallState): AroundCall {
	const { state } = segment;
	const { thread } = call;
	return {
		callers: callersOf(state, thread).map(({ agent }) => agent),
		agents: agentsAround(state, thread),
		narrowed: thread.only && narrowedReason({ thread, tool: { name: call.tool } }, segment.readyOf(thread)),
	};
}
