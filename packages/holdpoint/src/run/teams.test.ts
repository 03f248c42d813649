import { describe, expect, test } from "vitest";
import { z } from "zod";
import { handoff } from "../routing/handoff.ts";
import { groupChat, parallel, pipeline } from "../routing/shapes.ts";
import { ofType, onlyWait } from "../testing/stage.ts";
import { call, calls, say } from "../testing/story.ts";
import { teamStage } from "../testing/team-stage.ts";
import { defineTool } from "../tools/define-tool.ts";
import { agentTool } from "./agent-tool.ts";

const lookUp = defineTool({
	name: "look_up",
	description: "Looks up an order.",
	input: z.object({ id: z.string() }),
	effect: "read",
	execute: ({ id }) => ({ id, total: 40 }),
});

describe("a team", () => {
	test("hands on at run time; the next one reads the user, the others and the results", async () => {
		const scene = teamStage({
			cast: {
				desk: {
					tools: [lookUp],
					story: [
						call("look_up", { id: "A-1" }),
						call("handoff_to_refund", { reason: "a refund", summary: "A-1 is late" }, { text: "One moment." }),
					],
				},
				refund: [say("It is refunded.")],
			},
			team: ({ desk, refund }) =>
				handoff({ name: "support" }).participants([desk!, refund!]).coordinator(desk!).build(),
		});
		const result = await scene.harness.run(scene.team, "My order A-1 is late.", { runId: "r" });
		expect(onlyWait(result, "user")).toEqual({ kind: "user", agent: "refund", text: "It is refunded." });
		expect(scene.said("refund")).toEqual([
			"user: My order A-1 is late.",
			"user: [desk] One moment.",
			'user: [Handed to you by desk: a refund]\nSummary: A-1 is late\nResults so far, so that you need not look them up again:\nlook_up({"id":"A-1"}) → {"id":"A-1","total":40}',
		]);
		expect(ofType(await scene.events("r"), "run.handed")).toMatchObject([
			{ from: "desk", to: "refund", call: "c2", results: ["c1"] },
		]);
	});

	test("a result that is too large to be carried costs the others nothing, and the next one is told that it is missing", async () => {
		const look = defineTool({
			name: "look",
			description: "Looks.",
			effect: "read",
			input: z.object({ size: z.number() }),
			execute: ({ size }) => "x".repeat(size),
		});
		const scene = teamStage({
			cast: {
				desk: {
					tools: [look],
					story: [
						call("look", { size: 3 }),
						call("look", { size: 20_000 }),
						call("handoff_to_clerk", { reason: "yours" }),
					],
				},
				clerk: [say("Hello.")],
			},
			team: ({ desk, clerk }) => handoff({ name: "t" }).participants([desk!, clerk!]).coordinator(desk!).build(),
		});
		await scene.harness.run(scene.team, "go");
		expect(scene.said("clerk").at(-1)?.split("\n").slice(1)).toEqual([
			"Results so far, so that you need not look them up again:",
			'look({"size":3}) → "xxx"',
			"Results that were too long to be told here: 1",
		]);
	});

	test("the reply resumes the agent that asked; after a restart as well", async () => {
		const scene = teamStage({
			cast: {
				desk: [call("handoff_to_refund", { reason: "r" })],
				refund: [say("Which order?"), say("Done with A-1.")],
			},
			team: ({ desk, refund }) =>
				handoff({ name: "support" }).participants([desk!, refund!]).coordinator(desk!).build(),
		});
		const first = await scene.harness.session("s", scene.team).send("refund please");
		expect(onlyWait(first, "user").agent).toBe("refund");
		const later = scene.again();
		const second = await later.harness.session("s", later.team).send("A-1");
		expect(second.run).toBe(first.run);
		expect(onlyWait(second, "user").text).toBe("Done with A-1.");
		expect(later.said("refund").slice(-2)).toEqual(["assistant: Which order?", "user: A-1"]);
	});

	test("a pipeline, beside each other, a group chat", async () => {
		const cast = { a: [say("plan")], b: [say("code")], c: [say("fine")] };
		const row = teamStage({ cast, team: ({ a, b, c }) => pipeline([a!, b!, c!], { name: "row" }) });
		expect(await row.harness.run(row.team, "go")).toMatchObject({ status: "completed", output: "fine" });
		expect(row.said("c")).toEqual(["user: go", "user: [a] plan", "user: [b] code", "user: [Handed to you by b]"]);
		const beside = teamStage({ cast, team: ({ a, b, c }) => parallel([a!, b!, c!], { name: "row" }) });
		expect(await beside.harness.run(beside.team, "go")).toMatchObject({
			status: "completed",
			output: { a: "plan", b: "code", c: "fine" },
		});
		const table = teamStage({
			cast,
			team: ({ a, b, c }) =>
				groupChat([a!, b!, c!], { name: "row", chooser: (said) => ["", "", "b", "c"][said.length] || undefined }),
		});
		expect(await table.harness.run(table.team, "go")).toMatchObject({ status: "completed", output: "fine" });
	});

	test("an agent is a tool of another one, and asks through it", async () => {
		const pay = defineTool({
			name: "pay",
			description: "Pays.",
			input: z.object({ cents: z.number().int() }),
			execute: () => "paid",
		});
		const scene = teamStage({
			cast: {
				boss: [calls([{ tool: "ask_clerk", args: { task: "pay 5" } }]), say("All done.")],
				clerk: { tools: [pay], story: [call("pay", { cents: 5 }), say("I paid.")] },
			},
			team: ({ clerk, boss }) => pipeline([{ ...boss!, tools: [agentTool(clerk!)] }], { name: "office" }),
		});
		const held = await scene.harness.run(scene.team, "go", { runId: "r" });
		const wait = onlyWait(held, "approval");
		expect(wait).toMatchObject({ agent: "clerk", tool: "pay" });
		const later = scene.again();
		await later.harness.approve(wait.approval, { by: { id: "ann", via: "test" } });
		expect(await later.harness.resume("r")).toMatchObject({ status: "completed", output: "All done." });
		expect(later.said("boss").at(-1)).toBe("result: ask_clerk");
	});

	test("streams say whose words they are, of agents beside each other and inside of calls", async () => {
		const scene = teamStage({
			cast: { a: [say("from a")], boss: [call("ask_c", { task: "t" }), say("from boss")], c: [say("from c")] },
			team: ({ a, boss, c }) => parallel([a!, { ...boss!, tools: [agentTool(c!)] }], { name: "both" }),
		});
		const words: Record<string, string> = {};
		for await (const event of scene.harness.stream(scene.team, "go")) {
			if (event.type !== "text.delta") continue;
			const whose = `${event.agent} ${event.in ?? "-"}`;
			words[whose] = (words[whose] ?? "") + event.text;
		}
		expect(words).toEqual({ "a -": "from a", "boss -": "from boss", "c c1": "from c" });
	});
});
