// Typed events and text as they come, and an answer that must fit a schema; one repair turn is allowed.
import { createHarness, defineAgent } from "holdpoint";
import { json, say, scriptedModel } from "holdpoint/testing";
import { z } from "zod";

const Ticket = z.object({ title: z.string(), urgency: z.enum(["low", "high"]) });
const model = scriptedModel([
	json({ title: "Broken parcel", urgency: "very" }),
	json({ title: "Broken parcel", urgency: "high" }),
]);
const triage = defineAgent({ name: "triage", instructions: "You file tickets.", model, output: Ticket });
const harness = createHarness();

const stream = harness.stream(triage, "My parcel arrived broken!!");
const seen: string[] = [];
for await (const event of stream) {
	if (!seen.includes(event.type)) seen.push(event.type);
	if (event.type === "output.rejected") console.log("rejected:", event.issues);
}
const result = await stream.result;
if (result.status !== "completed") throw new Error("the run should have completed");
const ticket = Ticket.parse(result.output);
console.log("ticket:", ticket.title, "·", ticket.urgency);
console.log("events:", seen.join(" → "));

// A reader that goes away stops the run. Started again under its id, it goes on with what was written down.
const poet = defineAgent({
	name: "poet",
	instructions: "You write.",
	model: scriptedModel([say("one two three four five")], { chunk: 4 }),
});
const cut = harness.stream(poet, "Count.", { runId: "count" });
let words = "";
for await (const event of cut) {
	if (event.type === "text.delta") words += event.text;
	if (words.length >= 8) break;
}
await cut.result.catch((error) => console.log("cut after", JSON.stringify(words), "·", error.code));
const whole = await harness.run(poet, "Count.", { runId: "count" });
await harness.close();
console.log("proves: the ticket fits its schema, and the run that was cut off came to its end:", whole.text);
