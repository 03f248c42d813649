/** What users say to a team whose agents work beside each other. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { parallel } from "../routing/shapes.ts";
import type { Middleware } from "../spec/agent.ts";
import { gate, ofType, onlyWait } from "../testing/stage.ts";
import { call, say } from "../testing/story.ts";
import { teamStage } from "../testing/team-stage.ts";
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
