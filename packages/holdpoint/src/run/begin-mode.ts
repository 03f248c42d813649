/** In which mode agents begin. */
import { entryOf } from "../routing/topology.ts";
import type { Mode } from "../spec/events.ts";
import type { Conversation } from "./conversation.ts";
import type { ReadyAgent } from "./run-ports.ts";

/** In which mode whoever begins begins: the stricter one, where several do, or where a session is in one already. */
export function modeOf({ agent, team, cast }: ReadyAgent, before?: Mode): { readonly mode?: Mode } {
	const agents = team ? entryOf(team) : [agent.name];
	return strictest([before, ...agents.map((name) => cast.get(name)?.agent.features?.mode)]);
}

/** An agent that begins in plan mode does so whenever it begins, also where it takes over from others. */
export function modeOfTakers({ threads }: Conversation, cast: ReadyAgent["cast"], agents: readonly string[]) {
	const beginning = agents.filter((name) => (threads.get(name)?.turns ?? 0) === 0);
	const { mode } = strictest(beginning.map((name) => cast.get(name)?.agent.features?.mode));
	return mode === "plan" ? { mode } : {};
}

function strictest(modes: readonly (Mode | undefined)[]): { readonly mode?: Mode } {
	if (modes.includes("plan")) return { mode: "plan" };
	return modes.includes("execute") ? { mode: "execute" } : {};
}
