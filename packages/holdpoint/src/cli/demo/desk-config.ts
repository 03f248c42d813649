import { defineTeam, type HandoffDefinition } from "../../routing/handoff.ts";
import { defineAgent } from "../../run/define-agent.ts";
import type { Agent } from "../../spec/agent.ts";
import type { Decision, PolicyRequest } from "../../spec/policy.ts";
import type { Team } from "../../spec/team.ts";
import { scriptedModel } from "../../testing/scripted-model.ts";
import type { Story } from "../../testing/story.ts";
import type { HoldpointConfig } from "../holdpoint-config.ts";
import { coordinatorStory, deskPrompt, lastWords, refundStory, shippingStory } from "./desk-story.ts";
import { sendAgain } from "./desk-tools.ts";
import { shopPath } from "./shop-config.ts";
import { shopPolicy } from "./shop-policy.ts";
import { shopTools } from "./shop-tools.ts";

type Interaction = NonNullable<HandoffDefinition["interaction"]>;

/** What a `holdpoint.config.ts` of the second act would export; named `holdpoint:demo-team`. */
export function deskConfig(store: string): HoldpointConfig {
	const desk = deskAgents(shopPath(store));
	return {
		agents: [
			deskTeam("desk", { desk, interaction: "human-in-the-loop" }),
			deskTeam("desk_alone", { desk, interaction: { mode: "autonomous", turnsMax: 3, prompt: deskPrompt } }),
		],
		policy: deskPolicy,
	};
}

interface Desk {
	readonly coordinator: Agent<"coordinator">;
	readonly refund: Agent<"refund">;
	readonly shipping: Agent<"shipping">;
}

function deskAgents(shop: string): Desk {
	const tools = shopTools(shop);
	const named = (...names: readonly string[]) => tools.filter(({ name }) => names.includes(name));
	const model = (story: Story) => scriptedModel(story, { countTokens: false });
	return {
		coordinator: defineAgent({
			name: "coordinator",
			instructions: "You find out who writes and what they want, hand on, and close.",
			tools: named("find_customer"),
			model: model(coordinatorStory),
		}),
		refund: defineAgent({
			name: "refund",
			instructions: "You work out what the customer is owed and pay it back.",
			tools: named("get_order", "refund_order"),
			model: model(refundStory),
		}),
		shipping: defineAgent({
			name: "shipping",
			instructions: "You send things again, and ask where they shall go.",
			tools: [sendAgain(shop)],
			model: model(shippingStory),
		}),
	};
}

function deskTeam(
	name: string,
	{ desk, interaction }: { readonly desk: Desk; readonly interaction: Interaction },
): Team {
	return defineTeam({
		name,
		participants: [desk.coordinator, desk.refund, desk.shipping],
		coordinator: "coordinator",
		edges: {
			coordinator: [{ to: "refund", description: "When money is to be paid back." }, "shipping"],
			refund: ["shipping", "coordinator"],
			shipping: ["coordinator"],
		},
		interaction,
		terminateWhen: (conversation) => conversation.at(-1)?.text.endsWith(lastWords) ?? false,
	});
}

/** The first act's, and what is sent again needs nobody. */
function deskPolicy(request: PolicyRequest): Decision {
	return request.tool.name === "send_again" ? { verdict: "allow" } : shopPolicy(request);
}
