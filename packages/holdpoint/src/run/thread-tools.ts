import type { ModelTool } from "../spec/model.ts";
import type { Tool } from "../spec/tool.ts";
import type { CallState } from "./call-state.ts";
import type { Thread } from "./conversation.ts";
import { executeCodeName } from "./execute-code-name.ts";
import { programsWith } from "./ready-agent.ts";
import type { ReadyAgent } from "./run-ports.ts";

/** What an agent's model is told of its tools, where it works. */
export function toolsFor(thread: Thread, ready: ReadyAgent): readonly ModelTool[] {
	// Outside of a team nobody is there to hand on to.
	const isAlone = ready.handoffs.size > 0 && !thread.of.team;
	const { only } = thread;
	if (!isAlone && !only) return ready.modelTools;
	const left = ready.modelTools.filter(({ name }) => {
		if (ready.handoffs.has(name)) return !isAlone;
		return isLeft(thread, name, ready);
	});
	return only ? left.map((tool) => (tool.name === executeCodeName ? programsWith(ready, only) : tool)) : left;
}

/** Why an agent may not use a tool of its own here: the handoff to it leaves it others. Undefined: it may. */
export function narrowedReason(
	{ thread, tool: { name } }: { thread: Thread; tool: Pick<Tool, "name"> },
	ready: ReadyAgent,
): string | undefined {
	if (isLeft(thread, name, ready)) return undefined;
	return `The handoff to ${thread.agent} does not leave it the tool ${name}: ${thread.only?.join(", ") || "none"}`;
}

/** What Holdpoint itself gives to an agent, it has everywhere. */
function isLeft({ only }: Thread, name: string, { agent }: ReadyAgent): boolean {
	return !only || only.includes(name) || !agent.tools.some((tool) => tool.name === name && !tool.inRun);
}

/** Whether another handoff of the same agent goes first: one is taken for each answer. */
export function isSecondHandoff(
	{ thread, id }: CallState,
	calls: ReadonlyMap<string, CallState>,
	ready: ReadyAgent,
): boolean {
	if (thread.handing) return true;
	return [...thread.late, ...thread.turn].some((other) => {
		const call = calls.get(other);
		if (!call || other === id || !ready.handoffs.has(call.tool)) return false;
		const isEarlier = thread.late.includes(other) || thread.turn.indexOf(other) < thread.turn.indexOf(id);
		return isEarlier && call.phase !== "finished";
	});
}

/** Names of the tools that an agent's model may call where it works. */
export function directToolsOf({ of }: Thread, { directTools, handoffs }: ReadyAgent): ReadonlySet<string> {
	if (of.team || handoffs.size === 0) return directTools;
	return new Set([...directTools].filter((name) => !handoffs.has(name)));
}
