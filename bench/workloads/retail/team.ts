import { defineAgent } from "../../../packages/holdpoint/src/run/define-agent.ts";
import type { Agent } from "../../../packages/holdpoint/src/spec/agent.ts";
import type { Team } from "../../../packages/holdpoint/src/spec/team.ts";
import { defineTeam } from "../../../packages/holdpoint/src/teams.ts";
import { scriptedModel } from "../../../packages/holdpoint/src/testing/scripted-model.ts";
import { type AnswerStep, call, say } from "../../../packages/holdpoint/src/testing/story.ts";
import { goodbye, goodbyeText, type PlayedTask, type RetailAgentOptions, repetitions, retailTools } from "./agent.ts";
import { taskTurns } from "./program.ts";
import type { RetailToolName } from "./tools.ts";

/*
 * The retail desk as a team: a coordinator who finds out who the customer is and says goodbye, and three specialists. Each
 * tool is in one hand, so that each action of a task belongs to one of them.
 *
 * Between two actions of different hands the work is handed on, on the ways that the topology has: the coordinator hands
 * on to all and all hand back to it; orders and returns also hand on to each other directly. Any other way leads over the
 * coordinator, and takes two handoffs.
 */

export type Role = "desk" | "orders" | "returns" | "account";

const toolsOf: { readonly [By in Role]: readonly RetailToolName[] } = {
	desk: ["find_user_id_by_email", "find_user_id_by_name_zip", "calculate", "transfer_to_human_agents"],
	orders: [
		"get_order_details",
		"cancel_pending_order",
		"modify_pending_order_address",
		"modify_pending_order_items",
		"modify_pending_order_payment",
	],
	returns: [
		"return_delivered_order_items",
		"exchange_delivered_order_items",
		"get_product_details",
		"get_item_details",
		"list_all_product_types",
	],
	account: ["get_user_details", "modify_user_address"],
};

const ways: { readonly [From in Role]: readonly Role[] } = {
	desk: ["orders", "returns", "account"],
	orders: ["desk", "returns"],
	returns: ["desk", "orders"],
	account: ["desk"],
};

const roles = Object.keys(toolsOf) as readonly Role[];
const owners = new Map<string, Role>(roles.flatMap((role) => toolsOf[role].map((tool) => [tool, role])));

/** In whose hand a tool is. */
export function ownerOf(tool: string): Role {
	const owner = owners.get(tool);
	if (!owner) throw new Error(`Nobody of the team has the tool ${tool}`);
	return owner;
}

interface PlannedStep {
	readonly by: Role;
	readonly step: AnswerStep;
	/** It is a handoff. */
	readonly to?: Role;
}

/** What is said and called to play a task, and by whom. */
export function teamPlan(task: Pick<PlayedTask, "actions">): readonly PlannedStep[] {
	let at: Role = "desk";
	// An answer without a call: the coordinator goes on by itself after it.
	const plan: PlannedStep[] = [{ by: at, step: say("I am looking into it.") }];
	const goTo = (role: Role, why: string): void => {
		while (at !== role) {
			const to = ways[at].includes(role) ? role : "desk";
			plan.push({ by: at, to, step: call(`handoff_to_${to}`, { reason: why }) });
			at = to;
		}
	};
	for (const { name, arguments: args } of taskTurns(task)) {
		goTo(ownerOf(name), `Next is ${name}.`);
		plan.push({ by: at, step: call(name, args) });
	}
	goTo("desk", "All is done.");
	plan.push({ by: at, step: goodbye });
	return plan;
}

/** A team that plays the task's gold actions by itself, until its coordinator says goodbye. */
export function retailTeam(options: Omit<RetailAgentOptions, "wiring">): Team {
	const { task } = options;
	const plan = teamPlan(task);
	return defineTeam({
		name: `retail-team-${task.id}`,
		participants: roles.map((role) => memberOf(options, { role, plan })),
		coordinator: "desk",
		edges: ways,
		interaction: "autonomous",
		terminateWhen: (said) => said.at(-1)?.text === goodbyeText,
	});
}

interface Part {
	readonly role: Role;
	readonly plan: readonly PlannedStep[];
}

/** Its place in the plan follows from its own answers in the prompt, also in another process. */
function memberOf(options: Omit<RetailAgentOptions, "wiring">, { role, plan }: Part): Agent {
	const { world, desk, repeat = "keyed" } = options;
	const own = plan.filter(({ by }) => by === role).map(({ step }) => step);
	return defineAgent({
		name: role,
		instructions: desk.policy,
		model: scriptedModel((ask, n) => own[n - repetitions(ask)], { countTokens: false }),
		tools: retailTools(world, { desk, repeat }).filter(({ name }) => ownerOf(name) === role),
	});
}
