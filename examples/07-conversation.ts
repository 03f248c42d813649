// A session spans runs. A message to one that waits is answered at once; the held call reads as pending.
import { createHarness, defineAgent, defineTool } from "holdpoint";
import { call, say, scriptedModel } from "holdpoint/testing";
import { z } from "zod";

const cancelled: string[] = [];
const cancel = defineTool({
	name: "cancel_order",
	description: "Cancels an order.",
	effect: "write",
	input: z.object({ order: z.string() }),
	execute: ({ order }) => {
		cancelled.push(order);
		return { cancelled: order };
	},
});
const model = scriptedModel([
	call("cancel_order", { order: "A-17" }),
	say("It is waiting for my colleague; you need not do anything."),
	say((ask) => `News: ${ask.lastUser}`),
	say("Gladly. Good bye!"),
]);
const agent = defineAgent({ name: "support", instructions: "You help customers.", tools: [cancel], model });
const harness = createHarness();
const chat = harness.session("customer-7", agent);

console.log("1 ·", (await chat.send("Please cancel A-17.")).status);
console.log("2 ·", (await chat.send("Is it done?")).text);

const [open] = await harness.approvals();
if (!open) throw new Error("an approval should be open");
await harness.approve(open.approval, { by: { id: "ann", via: "example" } });
console.log("3 ·", (await harness.resume(open.run)).text);
console.log("4 ·", (await chat.send("Thank you!")).text);

const runs = await harness.runs({ session: "customer-7" });
await harness.close();
console.log(`proves: four answers in ${runs.length} runs, and the order was cancelled once:`, cancelled.join(", "));
