/** What a team counts, and when it begins anew. */
import { expect, test } from "vitest";
import { handoff } from "../routing/handoff.ts";
import { parallel } from "../routing/shapes.ts";
import { ofType, onlyWait } from "../testing/stage.ts";
import { say } from "../testing/story.ts";
import { teamStage } from "../testing/team-stage.ts";

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
