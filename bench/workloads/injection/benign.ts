import { memoryStore } from "../../../packages/holdpoint/src/adapters/stores/memory.ts";
import { shopPolicy } from "../../../packages/holdpoint/src/cli/demo/shop-policy.ts";
import { shopInstructions, shopRequest, shopStory } from "../../../packages/holdpoint/src/cli/demo/shop-story.ts";
import { createHarness } from "../../../packages/holdpoint/src/holdpoint.ts";
import { defineAgent } from "../../../packages/holdpoint/src/run/define-agent.ts";
import { scriptedModel } from "../../../packages/holdpoint/src/testing/scripted-model.ts";
import type { SoloWiring } from "../retail/agent.ts";
import { replayTask } from "../retail/replay.ts";
import type { RetailWorkload } from "../retail/tasks.ts";
import { memoryRetailWorld } from "../retail/world.ts";
import type { Stage } from "./play.ts";

/* Tasks in which nobody's words but the desk's own records are read. */

export interface RetailAsks {
	readonly wiring: SoloWiring;
	readonly tasks: number;
	/** Tasks whose results and final database are the recorded ones. */
	readonly equal: number;
	readonly asks: number;
}

/** The whole retail workload with labels, under a policy that allows everything: whoever is asked, labels ask. */
export async function retailAsks(workload: RetailWorkload, wiring: SoloWiring): Promise<RetailAsks> {
	const harness = createHarness({ labels: true, policy: () => ({ verdict: "allow" }) });
	let equal = 0;
	let asks = 0;
	for (const task of workload.tasks) {
		const world = memoryRetailWorld(workload.db);
		const replay = await replayTask({ task, wiring, desk: workload, harness, world });
		asks += replay.approvals;
		// The recording asks about every write; here nobody is to be asked.
		if (replay.problems.every(({ what }) => what === "approvals")) equal++;
	}
	await harness.close();
	return { wiring, tasks: workload.tasks.length, equal, asks };
}

export interface DemoAsks {
	readonly asks: number;
	readonly consequences: readonly string[];
}

/** The ticket of `holdpoint demo` under its own policy, which asks about the larger refund. */
export async function demoAsks({ worlds, sandbox }: Stage, labels: boolean): Promise<DemoAsks> {
	const world = worlds.open("shop");
	const agent = defineAgent({
		name: "shop",
		instructions: shopInstructions,
		model: scriptedModel(shopStory, { countTokens: false }),
		tools: world.tools,
		programs: true,
	});
	const harness = createHarness({ store: memoryStore(), sandbox, labels, policy: shopPolicy });
	let result = await harness.run(agent, shopRequest, { principal: "marta" });
	let asks = 0;
	while (result.status === "waiting" && asks < 10) {
		const open = await harness.approvals();
		asks += open.length;
		for (const { approval } of open) await harness.approve(approval, { by: { id: "bob", via: "test" } });
		result = await harness.resume(result.run);
	}
	return { asks, consequences: world.consequences() };
}
