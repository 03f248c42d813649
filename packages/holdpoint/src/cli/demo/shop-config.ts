import { dirname, join } from "node:path";
import { defineAgent } from "../../run/define-agent.ts";
import { scriptedModel } from "../../testing/scripted-model.ts";
import type { HoldpointConfig } from "../holdpoint-config.ts";
import { shopPolicy } from "./shop-policy.ts";
import { shopInstructions, shopStory } from "./shop-story.ts";
import { shopTools } from "./shop-tools.ts";

/** The database of the shop lies beside the store. */
export function shopPath(store: string): string {
	return join(dirname(store), "shop.db");
}

/** What a `holdpoint.config.ts` of the demo would export; named `holdpoint:demo`. */
export function shopConfig(store: string): HoldpointConfig {
	const agent = defineAgent({
		name: "shop",
		instructions: shopInstructions,
		tools: shopTools(shopPath(store)),
		programs: true,
	});
	return { agents: [agent], policy: shopPolicy, model: scriptedModel(shopStory, { countTokens: false }) };
}
