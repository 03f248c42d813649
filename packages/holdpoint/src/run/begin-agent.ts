/** Calls that are put to agents: their beginning, and their end before the answer. */
import { counted } from "../kit/counted.ts";
import { entryOf } from "../routing/topology.ts";
import type { Tool } from "../spec/tool.ts";
import { modeOf } from "./begin-mode.ts";
import type { CallState } from "./call-state.ts";
import { failedWith } from "./failed-with.ts";
import { callersOf, callOf, stopperOf } from "./run-state.ts";
import type { Segment } from "./segment.ts";

/** From here on it is a conversation inside of the call. */
export function beginAgent(segment: Segment, call: CallState, { agent, isInBackground }: Tool): void {
	const { depthMax, backgroundMax } = segment.ready.limits;
	const { state } = segment;
	const refuse = (code: "limit.depth" | "limit.background", why: string) =>
		segment.emit({ type: "call.finished", call: call.id, outcome: failedWith(code, why) });
	const depth = callersOf(state, call.thread).length;
	if (depth >= depthMax || !agent) {
		return refuse("limit.depth", `Work is put to agents at most ${depthMax} deep (depthMax)`);
	}
	// A program waits for what it calls; a model goes on.
	const background = isInBackground && call.parent === undefined;
	const atWork = [...state.delegated].filter((one) => one.isInBackground).length;
	if (background && atWork >= backgroundMax) {
		return refuse(
			"limit.background",
			`${counted(atWork, "agent works", "agents work")} in the background, as many as may (backgroundMax)`,
		);
	}
	const { task = "" } = call.args as { readonly task?: string };
	const ready = segment.readyOf({ agent: agent.name });
	const start = ready.team ? { team: { start: entryOf(ready.team) } } : {};
	segment.emit({
		type: "agent.started",
		call: call.id,
		agent: agent.name,
		...start,
		input: task,
		...modeOf(ready),
		...(background ? { background } : {}),
	});
}

/** Work in the background is to end: what it has begun has an outcome first (I7). */
export function stopAgent(segment: Segment, { thread }: CallState, modelId: string): void {
	const { state } = segment;
	const found = thread.late.map((id) => callOf(state, id)).find((call) => call.modelId === modelId);
	if (!found?.inside || found.phase !== "started" || found.inside.stoppedBy !== undefined) return;
	segment.emit({ type: "agent.stopped", in: found.id, by: thread.agent });
	for (const attempt of segment.attempts) {
		if (stopperOf(state, attempt.of) !== undefined) attempt.stop(`stopped by ${thread.agent}`);
	}
}
