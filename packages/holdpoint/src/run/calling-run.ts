import type { CallingRun } from "../spec/tool.ts";
import { callMemory } from "./call-memory.ts";
import type { CallState } from "./call-state.ts";
import { labelSeen } from "./label-results.ts";
import { valueOf } from "./run-state.ts";
import type { Segment } from "./segment.ts";

/** What a tool of Holdpoint's own is shown of the run that calls it. */
export function callingRun(segment: Segment, call: CallState, attempt: { readonly signal: AbortSignal }): CallingRun {
	const { state, ports, info } = segment;
	const { of, agent } = call.thread;
	return {
		run: state.run,
		call: call.id,
		inside: of.call,
		agent,
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
		valueOf: (id) => {
			const found = state.calls.get(id);
			if (!found?.outcome || !("ok" in found.outcome || "blob" in found.outcome)) return undefined;
			return { value: valueOf(state, found), label: found.resultLabel };
		},
	};
}
