import { labelRules } from "../../labels/label-rules.ts";
import { toPolicy } from "../../policy/decide.ts";
import { effectPolicy } from "../../policy/effect-policy.ts";
import { checkedBudgets } from "../../run/call-budgets.ts";
import { governedAgents } from "../../run/ready-policy.ts";
import type { Budget } from "../../spec/budget.ts";
import type { BudgetsNow, GovernedAgent, Policy, PolicyRequest } from "../../spec/policy.ts";
import type { Tool } from "../../spec/tool.ts";
import type { Invocation } from "../command.ts";
import { ownConfig } from "../open-harness.ts";
import { usageInvalid } from "../parse-arguments.ts";

export interface OwnPolicy {
	readonly policy: Policy;
	readonly agents: readonly GovernedAgent[];
	readonly budgets: readonly Budget[];
	/** Whether they are kept. */
	readonly labels: boolean;
	readonly policyTimeoutMs: number | undefined;
}

/** The policy of the config, and the agents whose calls it decides. Errors: `config.invalid`. */
export async function ownPolicy(invocation: Invocation): Promise<OwnPolicy> {
	const { agents, policy, model, budgets = [], labels, limits = {} } = await ownConfig(invocation);
	return {
		policy: policy ? toPolicy(policy) : effectPolicy,
		agents: agents.flatMap((agent) => governedAgents(agent, { model, limits })),
		budgets: checkedBudgets(budgets),
		labels: labelRules(labels) !== undefined,
		policyTimeoutMs: limits.policyTimeoutMs,
	};
}

/** Budgets of which nothing is used, but what is said here. */
export function budgetsWith(budgets: readonly Budget[], said: PolicyRequest["budgets"] = {}): BudgetsNow {
	const unused = budgets.map(({ name, max }) => [name, { spent: 0, held: 0, max }] as const);
	return { ...Object.fromEntries(unused), ...said };
}

/** The agent of this name, or the only one there is. Errors: `usage.invalid`. */
export function agentNamed(agents: readonly GovernedAgent[], name: string | undefined): GovernedAgent {
	const found = name === undefined ? agents : agents.filter((agent) => agent.name === name);
	const [agent, other] = found;
	if (agent && !other) return agent;
	const known = agents.map((one) => one.name).join(", ");
	throw usageInvalid(
		name === undefined
			? "There is more than one agent, and none is named"
			: `There is no agent ${JSON.stringify(name)}`,
		`Agents of the config: ${known}.`,
	);
}

/** Errors: `usage.invalid`. */
export function toolNamed(agent: GovernedAgent, name: string): Tool {
	const tool = agent.tools.find((one) => one.name === name);
	if (tool) return tool;
	const known = agent.tools.map((one) => one.name).join(", ");
	throw usageInvalid(`Agent ${agent.name} has no tool ${JSON.stringify(name)}`, `It has: ${known}.`);
}

/** A call that was not made, as the harness would ask about it. */
export function requestOf(
	tool: Tool,
	facts: Pick<PolicyRequest, "agent" | "principal" | "args"> & Partial<PolicyRequest>,
): PolicyRequest {
	const { name, version, effect, tags, labels } = tool;
	return {
		run: "(none)",
		call: "(none)",
		tenant: undefined,
		session: undefined,
		depth: 0,
		provenance: { via: "model" },
		approvedBy: [],
		...facts,
		tool: { name, version, effect, tags, labels },
	};
}

/** Who made the call, in one word. Errors: `usage.invalid`. */
export function provenanceOf(via: string): PolicyRequest["provenance"] {
	switch (via) {
		case "model":
		case "agent":
		case "handoff":
			return { via };
		case "program":
			return { via, program: "(none)" };
		default:
			throw usageInvalid(`${JSON.stringify(via)} is no way to make a call`, "It is model, program, agent or handoff.");
	}
}
