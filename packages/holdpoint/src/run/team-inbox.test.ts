import { expect, test } from "vitest";
import { z } from "zod";
import { handoff } from "../routing/handoff.ts";
import { onlyWait } from "../testing/stage.ts";
import { call, say } from "../testing/story.ts";
import { type TeamStageOptions, teamStage } from "../testing/team-stage.ts";
import { defineTool } from "../tools/define-tool.ts";

const by = { id: "ann", via: "test" };

const pay = defineTool({
	name: "pay",
	description: "Pays.",
	input: z.object({ cents: z.number().int() }),
	execute: ({ cents }) => ({ paid: cents }),
});

function paying() {
	return teamStage({
		cast: {
			desk: [call("handoff_to_refund", { reason: "a refund" })],
			refund: { tools: [pay], story: [call("pay", { cents: 900 }), say("Paid.")] },
		},
		team: ({ desk, refund }) => handoff({ name: "support" }).participants([desk!, refund!]).coordinator(desk!).build(),
	});
}

test("the inbox of a team names the agent that asks, whoever of it that is", async () => {
	const scene = paying();
	await scene.harness.run(scene.team, "refund please", { runId: "r" });
	expect(await scene.harness.approvals()).toMatchObject([{ run: "r", agent: "refund", tool: "pay" }]);
});

test("other arguments are checked against the tool of the agent that asks before anybody believes in them", async () => {
	const scene = paying();
	const held = await scene.harness.run(scene.team, "refund please", { runId: "r" });
	const { approval } = onlyWait(held, "approval");
	await expect(scene.harness.approve(approval, { by, args: { cents: "all" } })).rejects.toMatchObject({
		code: "approval.invalid",
	});
	await scene.harness.approve(approval, { by, args: { cents: 400 } });
	expect(onlyWait(await scene.harness.resume("r"), "user")).toMatchObject({ agent: "refund", text: "Paid." });
});

test("where two teams have an agent of one name, they are checked against the tool of the team whose run it is", async () => {
	const payWith = (field: string) =>
		defineTool({
			name: "pay",
			description: "Pays.",
			input: z.strictObject({ [field]: z.number() }),
			execute: () => "paid",
		});
	const team = (name: string, field: string, options: Partial<TeamStageOptions> = {}) =>
		teamStage({
			cast: {
				[`${name}_desk`]: [call("handoff_to_refund", { reason: "a refund" })],
				refund: { tools: [payWith(field)], story: [call("pay", { [field]: 1 }), say("Paid.")] },
			},
			team: (agents) => {
				const [desk, refund] = Object.values(agents);
				return handoff({ name }).participants([desk!, refund!]).coordinator(desk!).build();
			},
			...options,
		});
	const one = team("one", "cents");
	const two = team("two", "amount", { harness: { agents: [one.team] } });
	const { approval } = onlyWait(await two.harness.run(two.team, "refund please", { runId: "r" }), "approval");
	await expect(two.harness.approve(approval, { by, args: { cents: 2 } })).rejects.toMatchObject({
		code: "approval.invalid",
	});
	await two.harness.approve(approval, { by, args: { amount: 2 } });
	expect(onlyWait(await two.harness.resume("r"), "user")).toMatchObject({ agent: "refund", text: "Paid." });
});
