/** What the acceptance tests of teams play with: an order desk whose agents hand on to each other. */
import { defineTool, type RunResult } from "holdpoint";
import { defineTeam } from "holdpoint/teams";
import { z } from "zod";
import { ofType, onlyWait } from "../packages/holdpoint/src/testing/stage.ts";
import {
	brokenOf,
	type Cast,
	type TeamStage,
	type TeamStageOptions,
	teamStage,
} from "../packages/holdpoint/src/testing/team-stage.ts";

export { brokenOf as brokenPrompts, ofType, onlyWait };

type Definition = Parameters<typeof defineTeam>[0];

/** The first of the cast begins. */
export function desk(
	cast: Cast,
	more: Partial<Definition> = {},
	options: Partial<Omit<TeamStageOptions, "cast" | "team">> = {},
): TeamStage {
	const [coordinator = ""] = Object.keys(cast);
	return teamStage({
		...options,
		cast,
		team: (agents) => defineTeam({ name: "support", participants: Object.values(agents), coordinator, ...more }),
	});
}

export const ann = { id: "ann", via: "test" };

export const lookUp = defineTool({
	name: "look_up",
	description: "Looks up an order.",
	input: z.object({ id: z.string() }),
	effect: "read",
	execute: ({ id }) => ({ id, total: 40 }),
});

/** A tool that changes something, and the list of all that it did. */
export function ledger(name = "refund_order") {
	const done: string[] = [];
	const tool = defineTool({
		name,
		description: "Changes an order.",
		input: z.object({ id: z.string() }),
		effect: "write",
		execute: ({ id }) => {
			done.push(id);
			return `${name} ${id}`;
		},
	});
	return { tool, done };
}

/** Approves or denies all that a result waits for. */
export async function answerAll(
	{ harness }: Pick<TeamStage, "harness">,
	result: RunResult,
	answer: "approve" | "deny" = "approve",
): Promise<void> {
	for (const wait of result.status === "waiting" ? result.waits : []) {
		if (wait.kind === "approval") await harness[answer](wait.approval, { by: ann, reason: `${answer} by ann` });
	}
}

/** Who asked the user, as often as they did. */
export async function askers(scene: TeamStage, run: string): Promise<string[]> {
	return ofType(await scene.events(run), "user.asked").map(({ agent }) => agent);
}

/** Calls and results of handoffs that an agent's model was shown and that are not its own. */
export function handoffsSeen({ prompts }: TeamStage, agent: string): string[] {
	return (prompts[agent] ?? []).flatMap((prompt) =>
		prompt.flatMap((message) =>
			message.role === "system"
				? []
				: message.content.flatMap((part) =>
						"toolName" in part && part.toolName.startsWith("handoff_to_") ? part.toolName : [],
					),
		),
	);
}
