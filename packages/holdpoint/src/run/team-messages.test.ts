/** What users say to a team whose agents work beside each other. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { handoff } from "../routing/handoff.ts";
import { parallel } from "../routing/shapes.ts";
import type { Middleware } from "../spec/agent.ts";
import { gate, ofType, onlyWait } from "../testing/stage.ts";
import { call, say } from "../testing/story.ts";
import { type Cast, teamStage } from "../testing/team-stage.ts";
import { defineTool } from "../tools/define-tool.ts";

const by = { id: "ann", via: "test" };

const pay = defineTool({ name: "pay", description: "Pays.", input: z.object({}), execute: () => "paid" });

/** Its answers are there, and come when the gate opens. */
function late(opened: Promise<void>, answered: () => void): Middleware {
	return {
		name: "late",
		model: async (request, next) => {
			const answer = await next(request);
			answered();
			await opened;
			return answer;
		},
	};
}

describe("a message that comes while one of them answers, I8", () => {
	test("is read before its part ends where the other one is held", async () => {
		const [opened, answered] = [gate(), gate()];
		const scene = teamStage({
			cast: {
				a: { middleware: [late(opened.promise, answered.resolve)], story: [say("A done."), say("A again.")] },
				b: { tools: [pay], story: [call("pay"), say("B waits."), say("B done.")] },
			},
			team: ({ a, b }) => parallel([a!, b!], { name: "both" }),
		});
		const running = scene.harness.run(scene.team, "go", { runId: "r" });
		await answered.promise;
		await scene.harness.tell("r", "one more thing");
		opened.resolve();
		const { approval } = onlyWait(await running, "approval");
		expect(scene.said("a").at(-1)).toBe("user: one more thing");
		expect(scene.said("b").at(-1)).toBe("user: one more thing");
		await scene.harness.approve(approval, { by });
		expect(await scene.harness.resume("r")).toMatchObject({ output: { a: "A again.", b: "B done." } });
	});

	test("is for the other one where that is at work", async () => {
		const [opened, answered, openedB, answeredB] = [gate(), gate(), gate(), gate()];
		const scene = teamStage({
			cast: {
				a: { middleware: [late(opened.promise, answered.resolve)], story: [say("A done."), say("A again.")] },
				b: { middleware: [late(openedB.promise, answeredB.resolve)], story: [say("B done."), say("B again.")] },
			},
			team: ({ a, b }) => parallel([a!, b!], { name: "both" }),
		});
		const running = scene.harness.run(scene.team, "go", {
			runId: "r",
			onEvent: (event) => void (event.type === "agent.done" && event.agent === "a" && openedB.resolve()),
		});
		await Promise.all([answered.promise, answeredB.promise]);
		await scene.harness.tell("r", "one more thing");
		opened.resolve();
		expect(await running).toMatchObject({ output: { a: "A done.", b: "B again." } });
		expect(ofType(await scene.events("r"), "message.received")).toHaveLength(1);
		expect(scene.said("b").at(-1)).toBe("user: one more thing");
	});
});

describe("while one of them asks the user", () => {
	const both = (cast: Cast, ends: Readonly<Record<string, string>>) =>
		teamStage({
			cast,
			team: (agents) => {
				const alone = Object.values(agents).map((agent) =>
					handoff({ name: `alone_${agent.name}` })
						.participants([agent])
						.coordinator(agent)
						.terminateWhen((said) => said.at(-1)?.text === ends[agent.name])
						.build(),
				);
				return parallel(alone, { name: "both" });
			},
		});

	test("what another one said is concluded at once, before the user's next words", async () => {
		const scene = both({ b: [say("B?"), say("B done.")], a: [say("A done.")] }, { a: "A done.", b: "B done." });
		onlyWait(await scene.harness.run(scene.team, "go", { runId: "r" }), "user");
		expect(ofType(await scene.events("r"), "agent.done").map(({ as }) => as)).toEqual(["alone_a"]);
		await scene.harness.tell("r", "for b");
		expect(await scene.harness.resume("r")).toMatchObject({
			status: "completed",
			output: { alone_a: "A done.", alone_b: "B done." },
		});
	});

	test("another one's question is held back, and whatever ends that one later is concluded at once, too", async () => {
		const scene = both(
			{ a: [say("A?"), say("A done.")], b: [say("B?"), say("B more?"), say("B done.")] },
			{ a: "A done.", b: "B done." },
		);
		expect(onlyWait(await scene.harness.run(scene.team, "go", { runId: "r" }), "user").text).toBe("A?");
		await scene.harness.tell("r", "for a");
		expect(onlyWait(await scene.harness.resume("r"), "user").text).toBe("B?");
		expect(ofType(await scene.events("r"), "agent.done").map(({ as }) => as)).toEqual(["alone_a"]);
		await scene.harness.tell("r", "for b");
		expect(onlyWait(await scene.again().harness.resume("r"), "user").text).toBe("B more?");
	});

	test("whoever resumes the run holds it back as well", async () => {
		const scene = both({ a: [say("A?")], b: [say("B?")] }, {});
		const first = await scene.harness.run(scene.team, "go", { runId: "r" });
		expect(await scene.again().harness.resume("r")).toEqual(first);
		expect(ofType(await scene.events("r"), "user.asked")).toHaveLength(1);
	});
});
