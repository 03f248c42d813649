import { agentsOf } from "../routing/topology.ts";
import type { GovernedAgent, GovernedParts, Policy } from "../spec/policy.ts";
import type { Participant } from "../spec/team.ts";
import type { Tool } from "../spec/tool.ts";
import { type ReadyOptions, readyAgent } from "./ready-agent.ts";
import type { ReadyAgent } from "./run-ports.ts";

/** Resolves once the policy has taken the agent. Errors: `policy.*`, and whatever else the policy throws. */
export type ReadyPolicy = (policy: Policy, agent: Participant) => Promise<void>;

interface KnownParts extends Pick<ReadyOptions, "model" | "limits">, GovernedParts {
	/** Those that are known from the start. */
	readonly agents: readonly Participant[];
}

/**
 * Shows a policy that wants to see them the tools of every agent: of those that are known from the start, and of each
 * further one before it runs. One that it does not take is shown no more, and those that it took before go on.
 */
export function readyPolicy({ agents: first, budgets, labels, model, limits }: KnownParts): ReadyPolicy {
	let taken = new Map<string, Participant>();
	let before = Promise.resolve();
	const show = async (policy: Policy, agent: Participant): Promise<void> => {
		if (!policy.ready || taken.get(agent.name) === agent) return;
		const known = taken.size > 0 ? taken : new Map(first.map((one) => [one.name, one]));
		const agents = new Map(known).set(agent.name, agent);
		const governed = [...agents.values()].flatMap((one) => governedAgents(one, { model, limits }));
		await policy.ready(governed, { budgets, labels });
		taken = agents;
	};
	return (policy, agent) => {
		// One after the other, so that the last one that it was told of is the last one here.
		const shown = before.then(() => show(policy, agent));
		before = shown.catch(() => undefined);
		return shown;
	};
}

/** Everybody who may work in its runs, with all of their tools, also those that Holdpoint gives them. */
export function governedAgents(
	agent: Participant,
	options: Pick<ReadyOptions, "model" | "limits">,
): readonly GovernedAgent[] {
	const { cast } = readyAgent(agent, { ...options, declared: () => true });
	return [...cast.values()].map(({ agent: { name }, tools }) => ({
		name,
		tools: [...new Map([...toolsBehind(tools.values(), cast), ...tools]).values()],
	}));
}

/** What is called by those to whom an agent puts work is called for it, too, and decided with its permissions. */
function toolsBehind(
	tools: Iterable<Tool>,
	cast: ReadyAgent["cast"],
	seen: ReadonlySet<string> = new Set(),
): ReadonlyMap<string, Tool> {
	const behind = new Map<string, Tool>();
	for (const { agent } of tools) {
		if (!agent || seen.has(agent.name)) continue;
		const { team } = cast.get(agent.name) ?? {};
		for (const one of team ? agentsOf(team).map(({ name }) => name) : [agent.name]) {
			const own = cast.get(one)?.tools ?? new Map<string, Tool>();
			for (const [name, tool] of [...toolsBehind(own.values(), cast, new Set([...seen, agent.name])), ...own]) {
				behind.set(name, tool);
			}
		}
	}
	return behind;
}
