import type { Agent } from "../spec/agent.ts";
import type { GovernedAgent, GovernedParts, Policy } from "../spec/policy.ts";
import { type ReadyOptions, readyAgent } from "./ready-agent.ts";

/** Resolves once the policy has taken the agent. Errors: `policy.*`, and whatever else the policy throws. */
export type ReadyPolicy = (policy: Policy, agent: Agent) => Promise<void>;

interface KnownParts extends Pick<ReadyOptions, "model" | "limits">, GovernedParts {
	/** Those that are known from the start. */
	readonly agents: readonly Agent[];
}

/**
 * Shows a policy that wants to see them the tools of every agent: of those that are known from the start, and of each
 * further one before it runs. One that it does not take is shown no more, and those that it took before go on.
 */
export function readyPolicy({ agents: first, budgets, model, limits }: KnownParts): ReadyPolicy {
	let taken = new Map<string, Agent>();
	let before = Promise.resolve();
	const show = async (policy: Policy, agent: Agent): Promise<void> => {
		if (!policy.ready || taken.get(agent.name) === agent) return;
		const known = taken.size > 0 ? taken : new Map(first.map((one) => [one.name, one]));
		const agents = new Map(known).set(agent.name, agent);
		const governed = [...agents.values()].map((one) => governedAgent(one, { model, limits }));
		await policy.ready(governed, { budgets });
		taken = agents;
	};
	return (policy, agent) => {
		// One after the other, so that the last one that it was told of is the last one here.
		const shown = before.then(() => show(policy, agent));
		before = shown.catch(() => undefined);
		return shown;
	};
}

/** The agent with all of its tools, also those that Holdpoint gives it. */
export function governedAgent(agent: Agent, options: Pick<ReadyOptions, "model" | "limits">): GovernedAgent {
	const { tools } = readyAgent(agent, { ...options, declared: () => true });
	return { name: agent.name, tools: [...tools.values()] };
}
