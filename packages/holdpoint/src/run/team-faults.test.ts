import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { defineTeam, type HandoffDefinition, handoff } from "../routing/handoff.ts";
import { groupChat, parallel } from "../routing/shapes.ts";
import type { Team } from "../spec/team.ts";
import { ofType, onlyWait } from "../testing/stage.ts";
import { call, type Story, say } from "../testing/story.ts";
import { brokenOf, type Cast, type TeamStage, teamStage } from "../testing/team-stage.ts";
import { defineTool } from "../tools/define-tool.ts";

const to = (agent: string, more: object = {}) => call(`handoff_to_${agent}`, { reason: "it is yours", ...more });
const by = { id: "ann", via: "test" };

const pay = defineTool({
	name: "pay",
	description: "Pays.",
	input: z.object({ cents: z.number().int() }),
	execute: ({ cents }) => `paid ${cents}`,
});

function desk(cast: Cast, more: Partial<HandoffDefinition> = {}): TeamStage {
	const [coordinator = ""] = Object.keys(cast);
	return teamStage({
		cast,
		team: (agents) => defineTeam({ name: "support", participants: Object.values(agents), coordinator, ...more }),
	});
}

describe("handoffs that a model makes wrongly", () => {
	const failing = async (story: Story, more: Partial<HandoffDefinition> = {}) => {
		const scene = desk({ triage: story, refund: [], audit: [] }, more);
		const result = await scene.harness.run(scene.team, "go", { runId: "r" });
		expect(onlyWait(result, "user")).toMatchObject({ agent: "triage", text: "I stay." });
		const events = await scene.events("r");
		expect(ofType(events, "run.handed")).toEqual([]);
		expect(brokenOf(scene)).toEqual([]);
		return ofType(events, "call.finished").map(({ outcome }) => ("failed" in outcome ? outcome : undefined));
	};
	const then = (args: unknown) => [call("handoff_to_refund", args), say("I stay.")];

	test("on a way that is not there: no such tool is declared, and a call of it fails", async () => {
		const [outcome] = await failing([call("handoff_to_audit", { reason: "x" }, { undeclared: true }), say("I stay.")], {
			edges: { triage: ["refund"] },
		});
		expect(outcome).toMatchObject({ code: "tool.unknown", failed: expect.stringContaining("handoff_to_refund") });
	});

	test("to itself", async () => {
		const [outcome] = await failing([call("handoff_to_triage", { reason: "x" }, { undeclared: true }), say("I stay.")]);
		expect(outcome).toMatchObject({ code: "tool.unknown" });
	});

	test.each([
		["no object", "refund", /must be an object/],
		["a list", [], /must be an object/],
		["no reason", {}, /reason must be a text/],
		["an empty reason", { reason: " " }, /reason must be a text/],
		["a reason that is no text", { reason: 7 }, /reason must be a text/],
		["a summary that is no text", { reason: "x", summary: {} }, /summary must be a text/],
		["a long text", { reason: "x", summary: "y".repeat(8_001) }, /at most 8000 characters/],
		["unknown fields", { reason: "x", to: "audit" }, /to is not known/],
		["an unknown carry", { reason: "x", carry: "everything" }, /carry must be one of none, summary, results/],
	])("with %s", async (_, args, why) => {
		expect(await failing(then(args))).toMatchObject([
			{ code: "tool.args_invalid", failed: expect.stringMatching(why) },
		]);
	});

	test("with null", async () => {
		const [outcome] = await failing([call("handoff_to_refund", {}, { input: "null" }), say("I stay.")]);
		expect(outcome).toMatchObject({ code: "tool.args_invalid", failed: expect.stringContaining("must be an object") });
	});

	test("with text that is no JSON", async () => {
		const [outcome] = await failing([call("handoff_to_refund", {}, { input: "{reason" }), say("I stay.")]);
		expect(outcome).toMatchObject({ code: "tool.args_invalid" });
	});

	test.each([
		["none", "summary"],
		["none", "results"],
		["summary", "results"],
	] as const)("with more than the way carries: %s, and it says %s", async (carry, said) => {
		const edges = { triage: [{ to: "refund", carry }] };
		expect(await failing(then({ reason: "x", carry: said }), { edges })).toMatchObject([
			{ code: "tool.args_invalid", failed: expect.stringContaining("carry must be one of") },
		]);
	});

	test("whoever hands on may carry less than the way allows", async () => {
		const scene = desk({ triage: [to("refund", { summary: "a secret", carry: "none" })], refund: [say("Hello.")] });
		await scene.harness.run(scene.team, "go");
		expect(scene.said("refund").join()).not.toContain("secret");
	});
});

describe("a participant that is gone when the run goes on", () => {
	const cast = {
		triage: [to("refund"), say("Back.")],
		refund: { tools: [pay], story: [call("pay", { cents: 5 }), to("triage")] },
		audit: [],
	};
	/** The team without one of them. */
	const without = (...names: readonly string[]) =>
		desk(Object.fromEntries(Object.entries(cast).filter(([name]) => !names.includes(name))));

	test("at work, or with open calls: the run is incompatible and kept, and goes on when the agent is back", async () => {
		const scene = desk(cast);
		const { approval } = onlyWait(await scene.harness.run(scene.team, "go", { runId: "r" }), "approval");
		await scene.harness.approve(approval, { by });
		const other = teamStage({ ...sameStore(scene), ...teamOf(without("refund")) });
		await expect(other.harness.resume("r")).rejects.toMatchObject({
			code: "run.incompatible",
			message: expect.stringContaining("refund is at work"),
		});
		expect((await scene.store.load("r"))?.lease).toBeUndefined();
		const back = scene.again();
		expect(onlyWait(await back.harness.resume("r"), "user")).toMatchObject({ agent: "triage", text: "Back." });
	});

	test("not at work: that is compatible, and recorded", async () => {
		const scene = desk(cast);
		const { approval } = onlyWait(await scene.harness.run(scene.team, "go", { runId: "r" }), "approval");
		await scene.harness.approve(approval, { by });
		const other = teamStage({ ...sameStore(scene), ...teamOf(without("audit")) });
		expect(onlyWait(await other.harness.resume("r"), "user").agent).toBe("triage");
		expect(ofType(await other.events("r"), "run.resumed")).toMatchObject([{ verdict: "compatible" }]);
	});

	test("to be handed on to: the run is kept until it is back", async () => {
		const slow = {
			...cast,
			triage: { tools: [pay], story: [beforeHandoff, say("Back.")] },
			refund: [say("Here I am.")],
		};
		const scene = desk(slow);
		const { approval } = onlyWait(await scene.harness.run(scene.team, "go", { runId: "r" }), "approval");
		await scene.harness.approve(approval, { by });
		const { refund: _, ...rest } = slow;
		const other = teamStage({ ...sameStore(scene), ...teamOf(desk(rest)) });
		await expect(other.harness.resume("r")).rejects.toMatchObject({ code: "run.incompatible" });
		expect(onlyWait(await scene.again().harness.resume("r"), "user").text).toBe("Here I am.");
	});

	test("who is to read the reply: the reply is kept until it is back", async () => {
		const asking = { triage: [to("refund"), say("Thanks.")], refund: [say("Which one?")] };
		const interaction = { mode: "human-in-the-loop", returnTo: "coordinator" } as const;
		const scene = desk(asking, { interaction });
		await scene.harness.run(scene.team, "go", { runId: "r" });
		await scene.harness.tell("r", "The blue one.");
		const other = teamStage({ ...sameStore(scene), ...teamOf(desk({ refund: asking.refund })) });
		await expect(other.harness.resume("r")).rejects.toMatchObject({
			code: "run.incompatible",
			message: expect.stringContaining("triage is at work"),
		});
		expect(onlyWait(await scene.again().harness.resume("r"), "user").text).toBe("Thanks.");
	});
});

const beforeHandoff = {
	does: "pays and hands on",
	answer: () => ({
		calls: [
			{ tool: "handoff_to_refund", args: { reason: "x" } },
			{ tool: "pay", args: { cents: 5 } },
		],
	}),
};

function sameStore({ store, clock }: TeamStage) {
	return { store, clock };
}

function teamOf({ team }: TeamStage) {
	return { cast: {}, team: () => team };
}

describe("functions of the user's", () => {
	afterEach(() => vi.useRealTimers());

	/** The mended function is given to another process. */
	const mended = async (broken: Team, whole: (scene: TeamStage) => Team, scene: TeamStage) => {
		await expect(scene.harness.run(broken, "go", { runId: "r" })).rejects.toMatchObject({
			code: "team.function_failed",
		});
		expect(await scene.store.load("r")).toMatchObject({ head: { status: "running" }, lease: undefined });
		const later = scene.again({ team: () => whole(scene) });
		return later.harness.resume("r");
	};

	const wrong: readonly (readonly [string, () => unknown])[] = [
		[
			"throws",
			() => {
				throw new Error("broken");
			},
		],
		["rejects", () => Promise.reject(new Error("broken"))],
		["rejects with nothing", () => Promise.reject(undefined)],
		["returns an object", () => ({ yes: true })],
		["returns a number", () => 1],
		[
			"returns what cannot be written down",
			() => ({
				toJSON() {
					throw new Error("broken");
				},
			}),
		],
	];

	test.each(wrong)("a terminateWhen that %s: the run is kept, and goes on when it is mended", async (_, rubbish) => {
		const make = (terminateWhen: unknown) => (scene: TeamStage) =>
			defineTeam({
				name: "support",
				participants: [scene.agents["a"]!],
				coordinator: "a",
				terminateWhen: terminateWhen as () => boolean,
			});
		const scene = teamStage({
			cast: { a: [say("Hello.")] },
			team: ({ a }) => make(rubbish)({ agents: { a } } as never),
		});
		expect(
			await mended(
				scene.team,
				make(() => true),
				scene,
			),
		).toMatchObject({ status: "completed" });
	});

	test.each(wrong)("a chooser that %s", async (_, rubbish) => {
		const make = (chooser: unknown) => (scene: TeamStage) =>
			groupChat([scene.agents["a"]!, scene.agents["b"]!], { name: "table", chooser: chooser as () => string });
		const scene = teamStage({
			cast: { a: [say("a")], b: [say("b")] },
			team: ({ a, b }) => make(rubbish)({ agents: { a, b } } as never),
		});
		const result = await mended(
			scene.team,
			make((said: readonly { by: string }[]) => (said.at(-1)?.by === "a" ? "b" : undefined)),
			scene,
		);
		expect(result).toMatchObject({ status: "completed", output: "b" });
		expect(scene.prompts["a"]).toHaveLength(1);
	});

	test("a chooser that names somebody who is not there", async () => {
		const scene = teamStage({
			cast: { a: [say("a")] },
			team: ({ a }) => groupChat([a!], { name: "table", chooser: () => "nobody" }),
		});
		await expect(scene.harness.run(scene.team, "go")).rejects.toThrow(/it chose "nobody", who is no participant/);
	});

	const cyclic: { self?: unknown } = {};
	cyclic.self = cyclic;
	test.each([
		...wrong.slice(0, 3),
		wrong[5]!,
		["returns a circle", () => cyclic] as const,
		["returns a big number", () => 7n] as const,
	])("a join that %s", async (_, rubbish) => {
		const make = (join: unknown) => (scene: TeamStage) =>
			parallel([scene.agents["a"]!, scene.agents["b"]!], { name: "all", join: join as () => string });
		const scene = teamStage({
			cast: { a: [say("a")], b: [say("b")] },
			team: ({ a, b }) => make(rubbish)({ agents: { a, b } } as never),
		});
		const result = await mended(
			scene.team,
			make((said: { a: string; b: string }) => said.a + said.b),
			scene,
		);
		expect(result).toMatchObject({ status: "completed", output: "ab" });
		expect(scene.prompts["a"]).toHaveLength(1);
	});

	test.each([wrong[0]!, wrong[1]!, wrong[3]!, ["returns nothing", () => undefined] as const])(
		"a prompt that %s",
		async (_, rubbish) => {
			const make = (prompt: unknown) => (scene: TeamStage) =>
				handoff({ name: "lone" })
					.participants([scene.agents["a"]!])
					.coordinator(scene.agents["a"]!)
					.interaction("autonomous", { turnsMax: 1, prompt: prompt as () => string })
					.build();
			const scene = teamStage({
				cast: { a: [say("one"), say("two")] },
				team: ({ a }) => make(rubbish)({ agents: { a } } as never),
			});
			expect(
				onlyWait(
					await mended(
						scene.team,
						make(() => "On."),
						scene,
					),
					"user",
				).text,
			).toBe("two");
		},
	);

	test.each(["terminateWhen", "chooser", "join"])(
		"a %s that hangs is not waited for, and the run is kept",
		async (what) => {
			const asked = Promise.withResolvers<void>();
			const hangs = () => {
				asked.resolve();
				return new Promise<never>(() => undefined);
			};
			const scene = teamStage({
				cast: { a: [say("a")] },
				team: ({ a }) => {
					if (what === "chooser") return groupChat([a!], { name: "t", chooser: hangs });
					if (what === "join") return parallel([a!], { name: "t", join: hangs });
					return defineTeam({ name: "t", participants: [a!], coordinator: "a", terminateWhen: hangs });
				},
			});
			vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
			const failed = expect(scene.harness.run(scene.team, "go", { runId: "r" })).rejects.toMatchObject({
				code: "team.function_failed",
				message: expect.stringContaining("did not answer within 10000 ms"),
			});
			await asked.promise;
			await vi.advanceTimersByTimeAsync(10_000);
			await failed;
			expect(await scene.store.load("r")).toMatchObject({ head: { status: "running" }, lease: undefined });
		},
	);

	test("one that hangs does not hold up whoever closes the harness", async () => {
		const asked = Promise.withResolvers<void>();
		const scene = desk(
			{ a: [say("a")] },
			{
				terminateWhen: () => {
					asked.resolve();
					return new Promise<never>(() => undefined);
				},
			},
		);
		const stopped = expect(scene.harness.run(scene.team, "go")).rejects.toMatchObject({ code: "harness.closed" });
		await asked.promise;
		await scene.harness.close();
		await stopped;
	});
});
