import { describe, expect, test } from "vitest";
import { z } from "zod";
import { handoff } from "../routing/handoff.ts";
import { groupChat, parallel, pipeline } from "../routing/shapes.ts";
import { ofType, onlyWait } from "../testing/stage.ts";
import { call, calls, say } from "../testing/story.ts";
import { brokenOf, teamStage } from "../testing/team-stage.ts";
import { defineTool } from "../tools/define-tool.ts";

const to = (agent: string) => call(`handoff_to_${agent}`, { reason: "it is yours" });
const by = { id: "ann", via: "test" };

function payTool() {
	const paid: number[] = [];
	const tool = defineTool({
		name: "pay",
		description: "Pays.",
		input: z.object({ cents: z.number().int() }),
		effect: "write",
		execute: ({ cents }) => {
			paid.push(cents);
			return `paid ${cents}`;
		},
	});
	return { tool, paid };
}

const look = defineTool({
	name: "look",
	description: "Looks.",
	input: z.object({ what: z.string() }),
	effect: "read",
	execute: ({ what }) => `seen ${what}`,
});

describe("a pipeline with a way back", () => {
	const press = (max?: number) =>
		teamStage({
			cast: { writer: (_, n) => say(`draft ${n + 1}`), reviewer: () => to("writer"), printer: [say("printed")] },
			team: ({ writer, reviewer, printer }) =>
				pipeline([writer!, reviewer!, printer!], {
					name: "press",
					back: { from: "reviewer", to: "writer", ...(max === undefined ? {} : { max }) },
				}),
		});

	test.each([
		[undefined, 3],
		[1, 1],
		[7, 7],
	])("with max %s work is returned %i times; then it ends typed, and what was said is kept", async (max, times) => {
		const scene = press(max);
		const result = await scene.harness.run(scene.team, "go", { runId: "r" });
		expect(result).toMatchObject({
			status: "failed",
			error: { code: "limit.handoffs" },
			text: `draft ${times + 1}`,
		});
		const handed = ofType(await scene.events("r"), "run.handed");
		expect(handed.filter((event) => event.call !== undefined)).toHaveLength(times);
		expect(scene.prompts["printer"]).toEqual([]);
	});

	test("who does not return it passes it on", async () => {
		const scene = teamStage({
			cast: { writer: [say("one"), say("two")], reviewer: [to("writer"), say("fine")], printer: [say("printed")] },
			team: ({ writer, reviewer, printer }) =>
				pipeline([writer!, reviewer!, printer!], { name: "press", back: { from: "reviewer", to: "writer" } }),
		});
		expect(await scene.harness.run(scene.team, "go")).toMatchObject({ status: "completed", output: "printed" });
		expect(scene.said("printer")).toEqual([
			"user: go",
			"user: [writer] one",
			"user: [writer] two",
			"user: [reviewer] fine",
			"user: [Handed to you by reviewer]",
		]);
	});

	test("one inside of a team that hands on much has a count of its own", async () => {
		const scene = teamStage({
			cast: {
				desk: [to("a"), to("a"), to("a"), to("a"), to("press")],
				a: () => to("desk"),
				writer: [say("one"), say("two")],
				reviewer: [to("writer"), say("Fine?")],
			},
			team: ({ desk, a, writer, reviewer }) => {
				const press = pipeline([writer!, reviewer!], {
					name: "press",
					back: { from: "reviewer", to: "writer", max: 1 },
				});
				return handoff({ name: "support" }).participants([desk!, a!, press]).coordinator(desk!).build();
			},
		});
		expect(onlyWait(await scene.harness.run(scene.team, "go"), "user")).toMatchObject({
			agent: "reviewer",
			text: "Fine?",
		});
	});
});

describe("agents beside each other", () => {
	test("hear nothing of each other, whoever takes over from whom meanwhile", async () => {
		const scene = teamStage({
			cast: {
				quick: { tools: [look], story: [call("look", { what: "secret" }), say("quick is done")] },
				first: { tools: [look], story: [call("look", { what: "own" }), to("second")] },
				second: [say("second is done")],
			},
			team: ({ quick, first, second }) =>
				parallel([quick!, pipeline([handoffPair("pair", first!, second!)], { name: "row" })], { name: "all" }),
		});
		expect(await scene.harness.run(scene.team, "go", { runId: "r" })).toMatchObject({
			output: { quick: "quick is done", row: "second is done" },
		});
		const told = JSON.stringify(scene.prompts["second"]);
		expect(told).toContain("seen own");
		expect(told).not.toContain("quick");
		expect(told).not.toContain("secret");
	});

	test("one waits for an approval while the others finish", async () => {
		const { tool, paid } = payTool();
		const scene = teamStage({
			cast: { payer: { tools: [tool], story: [call("pay", { cents: 5 }), say("paid")] }, talker: [say("talked")] },
			team: ({ payer, talker }) =>
				parallel([payer!, talker!], { name: "all", join: (said) => Object.values(said).join(" and ") }),
		});
		const held = await scene.harness.run(scene.team, "go", { runId: "r" });
		const { approval, agent } = onlyWait(held, "approval");
		expect(agent).toBe("payer");
		expect(ofType(await scene.events("r"), "agent.done").map((event) => event.agent)).toEqual(["talker"]);
		const later = scene.again();
		await later.harness.approve(approval, { by });
		expect(await later.harness.resume("r")).toMatchObject({ status: "completed", output: "paid and talked" });
		expect(later.prompts["talker"]).toEqual([]);
		expect(paid).toEqual([5]);
	});

	test("groups inside of groups are joined each, the innermost first", async () => {
		const scene = teamStage({
			cast: {
				a: [say("1")],
				b: [say("2")],
				c: [say("3")],
				d: [say((ask) => `after ${ask.lastUser.split("\n").at(-1)}`)],
			},
			team: ({ a, b, c, d }) => {
				const inner = parallel([a!, b!], { name: "inner", join: (said) => `${said["a"]}+${said["b"]}` });
				return parallel([pipeline([inner, d!], { name: "row" }), c!], { name: "outer" });
			},
		});
		expect(await scene.harness.run(scene.team, "go")).toMatchObject({
			status: "completed",
			output: { row: "after Summary: 1+2", c: "3" },
		});
		expect(JSON.stringify(scene.prompts["d"])).not.toContain("[c]");
	});

	test("as a participant: the joined answer asks the user, and all of them read the reply", async () => {
		const scene = teamStage({
			cast: { desk: [to("panel")], a: [say("a1"), say("a2")], b: [say("b1"), say("b2")] },
			team: ({ desk, a, b }) => {
				const panel = parallel([a!, b!], { name: "panel", join: (said) => Object.values(said).join() });
				return handoff({ name: "support" }).participants([desk!, panel]).coordinator(desk!).build();
			},
		});
		const chat = scene.harness.session("s", scene.team);
		expect(onlyWait(await chat.send("go"), "user")).toEqual({ kind: "user", agent: "panel", text: "a1,b1" });
		const later = scene.again();
		const second = await later.harness.session("s", later.team).send("More.");
		expect(onlyWait(second, "user")).toEqual({ kind: "user", agent: "panel", text: "a2,b2" });
		expect(later.said("b").at(-1)).toBe("user: More.");
		expect(brokenOf(scene, later)).toEqual([]);
	});

	test("as an autonomous participant all of them go on, and ask the user at their limit", async () => {
		const scene = teamStage({
			cast: { a: (_, n) => say(`a${n}`), b: (_, n) => say(`b${n}`) },
			team: ({ a, b }) => {
				const panel = parallel([a!, b!], { name: "panel", join: (said) => Object.values(said).join() });
				return handoff({ name: "lone" })
					.participants([panel])
					.coordinator(panel)
					.interaction("autonomous", { turnsMax: 2 })
					.build();
			},
		});
		expect(onlyWait(await scene.harness.run(scene.team, "go"), "user").text).toBe("a2,b2");
	});

	test("two that ask the user ask one after the other, and each reply is read by whoever asked for it", async () => {
		const asking = (name: string) => [say(`${name}?`), say(`${name} is done`)];
		const scene = teamStage({
			cast: { a: asking("a"), b: asking("b") },
			team: ({ a, b }) => {
				const alone = (one: typeof a, name: string) =>
					handoff({ name })
						.participants([one!])
						.coordinator(one!)
						.terminateWhen((said) => said.some(({ by: who, text }) => who === one?.name && text.endsWith("done")))
						.build();
				return parallel([alone(a, "left"), alone(b, "right")], { name: "both" });
			},
		});
		const chat = scene.harness.session("s", scene.team);
		expect(onlyWait(await chat.send("go"), "user").text).toBe("a?");
		const later = scene.again();
		expect(onlyWait(await later.harness.session("s", later.team).send("for a"), "user").text).toBe("b?");
		const result = await later.harness.session("s", later.team).send("for b");
		expect(result).toMatchObject({ status: "completed", output: { left: "a is done", right: "b is done" } });
		expect(later.said("a").at(-1)).toBe("user: for a");
		expect(later.said("b").filter((line) => line.startsWith("user: for"))).toEqual(["user: for b"]);
		expect(ofType(await later.events(result.run), "user.asked").map(({ agent }) => agent)).toEqual(["a", "b"]);
	});

	test("I7: where one fails for good, what others have open is closed, and what they started is waited for", async () => {
		const { tool, paid } = payTool();
		const started = Promise.withResolvers<void>();
		const released = Promise.withResolvers<string>();
		const slow = defineTool({
			name: "slow",
			description: "Slow.",
			input: z.object({}),
			execute: () => {
				started.resolve();
				return released.promise;
			},
		});
		const scene = teamStage({
			cast: {
				payer: {
					tools: [tool, slow],
					story: [
						calls([
							{ tool: "pay", args: { cents: 5 } },
							{ tool: "slow", args: {} },
						]),
					],
				},
				broken: { output: z.object({ n: z.number() }), story: [say("no"), say("still no")] },
			},
			team: ({ payer, broken }) => parallel([payer!, broken!], { name: "all" }),
			harness: {
				policy: ({ tool: { name } }) => (name === "pay" ? { verdict: "ask", reason: "money" } : { verdict: "allow" }),
			},
		});
		const running = scene.harness.run(scene.team, "go", { runId: "r" });
		await started.promise;
		released.resolve("at last");
		expect(await running).toMatchObject({ status: "failed", error: { code: "output.invalid" } });
		const events = await scene.events("r");
		expect(ofType(events, "call.finished").map(({ call: id, outcome }) => [id, Object.keys(outcome)[0]])).toEqual([
			["c2", "ok"],
			["c1", "cancelled"],
		]);
		expect(ofType(events, "approval.closed")).toMatchObject([{ call: "c1", why: "cancelled" }]);
		expect(await scene.harness.approvals()).toEqual([]);
		expect(events.at(-1)?.type).toBe("run.finished");
		expect(paid).toEqual([]);
	});

	test("I7: what nobody knows keeps a run open that is otherwise at its end", async () => {
		const { tool } = payTool();
		const lost = {
			...tool,
			execute: () => Promise.reject(Object.assign(new Error("socket hang up"), { code: "ECONNRESET" })),
		};
		const scene = teamStage({
			cast: {
				payer: { tools: [lost], story: [call("pay", { cents: 5 }), say("paid")] },
				broken: { output: z.object({ n: z.number() }), story: [say("no"), say("still no")] },
			},
			team: ({ payer, broken }) => parallel([payer!, broken!], { name: "all" }),
			harness: { policy: () => ({ verdict: "allow" }) },
		});
		const { call: id } = onlyWait(await scene.harness.run(scene.team, "go", { runId: "r" }), "unknown");
		await scene.harness.settle("r", id, { happened: true, result: "paid", by });
		expect(await scene.again().harness.resume("r")).toMatchObject({
			status: "failed",
			error: { code: "output.invalid" },
		});
	});
});

describe("a group chat", () => {
	test("with a function: whoever it names speaks, so often as roundsMax says", async () => {
		const seen: number[] = [];
		const scene = teamStage({
			cast: { a: () => say("a"), b: () => say("b") },
			team: ({ a, b }) =>
				groupChat([a!, b!], {
					name: "table",
					roundsMax: 4,
					chooser: async (said) => {
						seen.push(said.length);
						return said.at(-1)?.by === "a" ? "b" : "a";
					},
				}),
		});
		expect(await scene.harness.run(scene.team, "go", { runId: "r" })).toMatchObject({
			status: "completed",
			output: "a",
		});
		expect(ofType(await scene.events("r"), "run.handed").map(({ to: next }) => next)).toEqual(["b", "a", "b", "a"]);
		expect(seen).toEqual([2, 3, 4, 5]);
	});

	test("with an agent: it hands on, is returned to, and its own answer is the end; its handoffs are bounded", async () => {
		const scene = teamStage({
			cast: { chair: [to("b"), to("a"), say("Enough.")], a: () => say("a"), b: () => say("b") },
			team: ({ chair, a, b }) => groupChat([a!, b!], { name: "table", chooser: chair! }),
		});
		expect(await scene.harness.run(scene.team, "go")).toMatchObject({ status: "completed", output: "Enough." });
		const endless = teamStage({
			cast: { chair: () => to("a"), a: () => say("a") },
			team: ({ chair, a }) => groupChat([a!], { name: "table", chooser: chair!, roundsMax: 3 }),
		});
		const result = await endless.harness.run(endless.team, "go", { runId: "r" });
		expect(result).toMatchObject({ status: "failed", error: { code: "limit.handoffs" }, text: "a" });
		expect(endless.prompts["a"]).toHaveLength(3);
	});

	test("one at whose table a pipeline sits counts its own rounds alone", async () => {
		const scene = teamStage({
			cast: { a: () => say("a"), x: () => say("x"), y: () => say("y"), z: () => say("z") },
			team: ({ a, x, y, z }) =>
				groupChat([a!, pipeline([x!, y!, z!], { name: "row" })], {
					name: "table",
					roundsMax: 3,
					chooser: (said) => (said.at(-1)?.by === "a" ? "row" : "a"),
				}),
		});
		expect(await scene.harness.run(scene.team, "go")).toMatchObject({ output: "z" });
		expect(scene.prompts["x"]).toHaveLength(2);
	});
});

function handoffPair(name: string, first: Parameters<typeof parallel>[0][number], second: typeof first) {
	return handoff({ name })
		.participants([first, second])
		.coordinator(first as never)
		.terminateWhen((said) => said.some(({ by: who }) => who === second.name))
		.build();
}
