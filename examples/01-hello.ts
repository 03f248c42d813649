// A run is one call: the agent asks its tool, the tool answers, the run completes.
import { createHarness, defineAgent, defineTool } from "holdpoint";
import { call, say, scriptedModel } from "holdpoint/testing";
import { z } from "zod";

const weather = defineTool({
	name: "weather",
	description: "Tells the weather of a city.",
	effect: "read",
	input: z.object({ city: z.string() }),
	execute: ({ city }) => ({ city, sky: "clear", celsius: 21 }),
});

// Simulated: this model plays a story. Any AI SDK model goes in its place, such as openai("gpt-5").
const model = scriptedModel([call("weather", { city: "Lisbon" }), say("It is clear in Lisbon, 21 °C.")]);

const agent = defineAgent({ name: "guide", instructions: "You help travellers.", tools: [weather], model });
const harness = createHarness();
const result = await harness.run(agent, "What is the weather in Lisbon?");
await harness.close();

console.log(result.status, "·", result.text);
console.log("proves: one call of `run` asked the model, executed its tool call, and gave the answer:", result.status);
