/** What a team counts, and when it begins anew. */
import { expect, test } from "vitest";
import { z } from "zod";
import { handoff } from "../routing/handoff.ts";
import { parallel } from "../routing/shapes.ts";
import { ofType, onlyWait } from "../testing/stage.ts";
import { call, say } from "../testing/story.ts";
import { teamStage } from "../testing/team-stage.ts";
import { defineTool } from "../tools/define-tool.ts";

test("an inner team that is at its end is not gone on with: the user is asked, and no answer is spent on nothing", async () => {
	const scene = teamStage({
		cast: { a: [say("A done."), say("more")] },
		team: ({ a }) => {
			const inner = handoff({ name: "inner" })
				.participants([a!])
				.coordinator(a!)
				.terminateWhen((said) => said.some(({ text }) => text === "A done."))
				.build();
			return handoff({ name: "outer" })
				.participants([inner])
				.coordinator(inner)
				.interaction("autonomous", { turnsMax: 7 })
				.build();
		},
	});
	const result = await scene.harness.run(scene.team, "go", { runId: "r" });
	expect(onlyWait(result, "user")).toMatchObject({ agent: "a", text: "A done." });
	expect(ofType(await scene.events("r"), "agent.continued")).toEqual([]);
	expect(scene.prompts["a"]).toHaveLength(1);
});

test("one inner team at its end does not keep another one beside it from going on", async () => {
	const scene = teamStage({
		cast: { a: (_, n) => say(`a${n}`), b: (_, n) => say(`b${n}`) },
		team: ({ a, b }) => {
			const done = handoff({ name: "done" })
				.participants([a!])
				.coordinator(a!)
				.terminateWhen((said) => said.some(({ by }) => by === "a"))
				.build();
			const panel = parallel([done, b!], { name: "panel", join: (said) => Object.values(said).join() });
			return handoff({ name: "outer" })
				.participants([panel])
				.coordinator(panel)
				.interaction("autonomous", { turnsMax: 2 })
				.build();
		},
	});
	expect(onlyWait(await scene.harness.run(scene.team, "go"), "user").text).toBe("a0,b2");
});

/** It answers with these texts in turn, each of which should be a number. */
function numbers(...texts: readonly string[]) {
	const scene = teamStage({
		cast: { a: { output: z.number(), story: texts.map((text) => say(text)) } },
		team: ({ a }) => handoff({ name: "lone" }).participants([a!]).coordinator(a!).build(),
	});
	return scene.harness.session("s", scene.team);
}

test("each turn of the user's has a repair of its own", async () => {
	const chat = numbers("one", "1", "two", "2");
	expect(onlyWait(await chat.send("go"), "user").text).toBe("1");
	expect(onlyWait(await chat.send("the next one"), "user").text).toBe("2");
});

test("what is unusable still after its repair is the end, whatever was repaired before", async () => {
	const chat = numbers("one", "1", "two", "three");
	expect(onlyWait(await chat.send("go"), "user").text).toBe("1");
	expect(await chat.send("the next one")).toMatchObject({ status: "failed", error: { code: "output.invalid" } });
});

test("I8: calls are counted from the user's last words: a long conversation does not run out of them", async () => {
	const made: string[] = [];
	const look = defineTool({
		name: "look",
		description: "Looks.",
		input: z.object({}),
		effect: "read",
		execute: (_, { call: id }) => void made.push(id),
	});
	const turn = [call("look"), call("look"), say("seen")];
	const scene = teamStage({
		cast: { a: { tools: [look], limits: { callsMax: 1 }, story: [...turn, ...turn] } },
		team: ({ a }) => handoff({ name: "lone" }).participants([a!]).coordinator(a!).limits({ callsMax: 1 }).build(),
	});
	const chat = scene.harness.session("s", scene.team);
	const { run } = await chat.send("go");
	expect(made).toEqual(["c1"]);
	await chat.send("and again");
	expect(made).toEqual(["c1", "c3"]);
	const failed = ofType(await scene.events(run), "call.finished").filter(({ outcome }) => "failed" in outcome);
	expect(failed).toMatchObject([{ outcome: { code: "limit.calls" } }, { outcome: { code: "limit.calls" } }]);
});

test("answers are counted of the whole team: a bound of an inner one is refused where the outer one is built", () => {
	const scene = teamStage({
		cast: { a: [], b: [] },
		team: ({ a, b }) => {
			const inner = handoff({ name: "inner" }).participants([a!]).coordinator(a!).limits({ turnsMax: 3 }).build();
			const outer = handoff({ name: "outer" }).participants([inner, b!]).coordinator(b!);
			expect(() => outer.build()).toThrow(/outer.*inner.*turnsMax/);
			return inner;
		},
	});
	expect(scene.team.limits.turnsMax).toBe(3);
});
