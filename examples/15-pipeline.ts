// A row of agents: each goes on where the one before ended, and the reviewer may send the work back, so often and no more.
import { createHarness, defineAgent } from "holdpoint";
import { pipeline } from "holdpoint/teams";
import { call, say, scriptedModel } from "holdpoint/testing";

const planner = defineAgent({
	name: "planner",
	instructions: "Plan it in one line.",
	model: scriptedModel([say("Plan: greet by name.")]),
});
const writer = defineAgent({
	name: "writer",
	instructions: "Write what was planned.",
	model: scriptedModel([say("Hello!"), say("Hello, Ann!", { when: "the name is missing" })]),
});
const reviewer = defineAgent({
	name: "reviewer",
	instructions: "Accept it, or return it with a reason.",
	model: scriptedModel([call("handoff_to_writer", { reason: "the name is missing" }), say("Hello, Ann!")]),
});

const team = pipeline([planner, writer, reviewer], {
	name: "letters",
	back: { from: "reviewer", to: "writer", max: 2 },
});
const harness = createHarness({ agents: [team] });
const result = await harness.run(team, "A greeting for Ann.");
const { events } = await harness.show(result.run);
await harness.close();

for (const { event } of events) {
	if (event.type === "model.answered") {
		const said = event.content.map((part) => (part.type === "text" ? part.text : "(hands back)")).join("");
		console.log(`${event.agent}: ${said}`);
	}
}
const ways = events.flatMap(({ event }) => (event.type === "run.handed" ? `${event.from} → ${event.to}` : []));
console.log(`proves: ${result.status} after ${ways.length} steps, one of them back: ${ways.join(", ")}`);
