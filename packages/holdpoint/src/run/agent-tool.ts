import { HoldpointError } from "../spec/errors.ts";
import { isTeam, type Participant } from "../spec/team.ts";
import type { Tool } from "../spec/tool.ts";
import { internalTool, stringField } from "./own-tools.ts";

export interface AgentToolOptions {
	/** Default: `ask_` and the agent's name. */
	readonly name?: string;
	/** What the model reads. */
	readonly description?: string;
	/** Whoever calls it goes on meanwhile, and is told the answer when it is there. Default: false, the call waits for it. */
	readonly background?: boolean;
}

/**
 * An agent, or a team, as a tool of another agent: a call puts a task to it and returns its answer. What it does is part
 * of the same run: one journal, one inbox, and budgets and permissions that only narrow. Its user is the caller: an agent
 * that would ask the user answers instead. Errors: `tool.invalid`.
 */
export function agentTool(agent: Participant, options: AgentToolOptions = {}): Tool {
	const { name = `ask_${agent.name}`, background = false } = options;
	if (!/^[A-Za-z_][A-Za-z0-9_-]{0,63}$/.test(name)) {
		throw new HoldpointError("tool.invalid", `"${String(name).slice(0, 80)}" is no tool name`);
	}
	const what = isTeam(agent) ? "team" : "agent";
	const description =
		options.description ??
		(background
			? `Starts the ${what} ${agent.name} on a task in the background. Go on meanwhile: its answer comes as a message. A program waits for it.`
			: `Puts a task to the ${what} ${agent.name} and returns its answer.`);
	const execute = () => {
		throw new Error("Holdpoint bug: it should hold that an agent's call is no function's");
	};
	const tool = internalTool({ name, description, input: stringField("task"), execute });
	return { ...tool, tags: ["agent"], version: agent.digest, agent, ...(background ? { isInBackground: true } : {}) };
}
