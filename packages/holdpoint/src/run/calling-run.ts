import { worstLabel } from "../labels/label.ts";
import type { Label } from "../spec/label.ts";
import type { CallingRun } from "../spec/tool.ts";
import { callMemory } from "./call-memory.ts";
import type { CallState } from "./call-state.ts";
import type { Thread } from "./conversation.ts";
import { labelSeen } from "./label-results.ts";
import { lateNote, resultIn } from "./messages.ts";
import { callOf, type RunState, valueOf } from "./run-state.ts";
import type { Segment } from "./segment.ts";

/** What a tool of Holdpoint's own is shown of the run that calls it. */
export function callingRun(segment: Segment, call: CallState, attempt: { readonly signal: AbortSignal }): CallingRun {
	const { state, ports, info } = segment;
	const { thread } = call;
	return {
		run: state.run,
		call: call.id,
		inside: thread.of.call,
		agent: thread.agent,
		isTeam: thread.of.team !== undefined,
		principal: info.principal,
		tenant: state.started?.tenant,
		session: info.session,
		now: ports.clock.now(),
		label: ports.labels ? labelSeen(state, call) : undefined,
		// Made only for those who ask for it.
		get signal() {
			return attempt.signal;
		},
		get memory() {
			return callMemory(segment, call);
		},
		isInBackground: (modelId) =>
			thread.late.some((id) => callOf(state, id).modelId === modelId && callOf(state, id).isInBackground),
		resultOf: (modelId) => {
			const made = callMade(state, thread, modelId);
			const text = resultIn(thread.messages, modelId, made && lateNote(made, valueOf(state, made)));
			return text === undefined ? undefined : { text, label: labelOfResult(state, thread, modelId) };
		},
	};
}

/** Of a call of an earlier run it is kept with what was said; where it is not known, it is the worst. */
function labelOfResult(state: RunState, thread: Thread, modelId: string): Label | undefined {
	const made = callMade(state, thread, modelId);
	if (made) return made.resultLabel;
	const { earlierLabels } = thread;
	return earlierLabels.has(modelId) ? earlierLabels.get(modelId) : worstLabel("an earlier run of this session");
}

/** In this run. */
function callMade(state: RunState, thread: Thread, modelId: string): CallState | undefined {
	for (const call of state.calls.values()) {
		if (call.thread === thread && call.parent === undefined && call.modelId === modelId) return call;
	}
	return undefined;
}
