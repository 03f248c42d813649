import type { Agent } from "../spec/agent.ts";
import type { GovernedAgent, Policy } from "../spec/policy.ts";
import { type ReadyOptions, readyAgent } from "./ready-agent.ts";

/** Errors: `policy.*`, and whatever else the policy throws. */
export type ReadyPolicy = (policy: Policy, known: Map<string, Agent>) => Promise<void>;

interface KnownParts extends Pick<ReadyOptions, "model" | "limits"> {
	/** Those that are known from the start. */
	readonly agents: readonly Agent[];
}

/**
 * Shows a policy that wants to see them the tools of every agent that is known, whenever one was added. An agent that it
 * does not take is known no more afterwards, and those that it took before go on.
 */
export function readyPolicy({ agents: first, model, limits }: KnownParts): ReadyPolicy {
	let taken: readonly Agent[] | undefined;
	let before = Promise.resolve();
	const show = async (policy: Policy, known: Map<string, Agent>): Promise<void> => {
		const agents = [...known.values()];
		const isTaken = taken?.length === agents.length && taken.every((agent, at) => agent === agents[at]);
		if (!policy.ready || isTaken) return;
		try {
			await policy.ready(agents.map((agent) => governedAgent(agent, { model, limits })));
			taken = agents;
		} catch (error) {
			known.clear();
			for (const agent of taken ?? first) known.set(agent.name, agent);
			throw error;
		}
	};
	return (policy, known) => {
		// One after the other, so that the last one that it was told of is the last one here.
		const shown = before.then(() => show(policy, known));
		before = shown.catch(() => undefined);
		return shown;
	};
}

/** The agent with all of its tools, also those that Holdpoint gives it. */
export function governedAgent(agent: Agent, options: Pick<ReadyOptions, "model" | "limits">): GovernedAgent {
	const { tools } = readyAgent(agent, { ...options, declared: () => true });
	return { name: agent.name, tools: [...tools.values()] };
}
