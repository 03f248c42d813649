import { castOf } from "../run/ready-agent.ts";
import type { Agent } from "../spec/agent.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { LanguageModel } from "../spec/model.ts";
import { isTeam, type Participant } from "../spec/team.ts";

export interface ChosenModels {
	/** Before what anybody has of their own. */
	readonly named: LanguageModel | undefined;
	/** For those who have none of their own. */
	readonly otherwise: LanguageModel | undefined;
}

/** The same agent or team, in which everybody who may work has the model that they will be run with, where there is one. */
export function withModel(one: Participant, models: ChosenModels): Participant {
	if (isTeam(one)) return { ...one, participants: one.participants.map((inner) => withModel(inner, models)) };
	const model = models.named ?? one.model ?? models.otherwise;
	const tools = one.tools.map((tool) =>
		tool.agent ? { ...tool, agent: withModel(tool.agent as Participant, models) } : tool,
	);
	return { ...one, model, tools };
}

/** Those who may work in its runs and have no model. */
export function withoutModel(one: Participant): readonly Agent[] {
	return castOf(one).filter(({ model }) => !model);
}

/** Asked before anything starts. Errors: `model.missing`. */
export function checkModel(one: Participant | undefined): void {
	const [bare] = one ? withoutModel(one) : [];
	if (!bare) return;
	throw new HoldpointError("model.missing", `Agent ${bare.name} has no model`, {
		hint: "Say which with --model provider/name, or give the agent or the config a `model`.",
	});
}
