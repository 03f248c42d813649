// A tool that changes something waits for a person. Nothing is held in memory meanwhile: the wait is a return value.
import { createHarness, defineAgent, defineTool } from "holdpoint";
import { call, say, scriptedModel } from "holdpoint/testing";
import { z } from "zod";

const refunds: number[] = [];
const refund = defineTool({
	name: "refund",
	description: "Refunds an order.",
	effect: "write",
	input: z.object({ order: z.string(), cents: z.number().int().positive() }),
	execute: ({ cents }) => {
		refunds.push(cents);
		return { refunded: cents };
	},
});

const model = scriptedModel([
	call("refund", { order: "A-17", cents: 4_900 }),
	say((ask) => `Done: ${JSON.stringify(ask.results[0]?.value)}`),
]);
const agent = defineAgent({ name: "support", instructions: "You settle complaints.", tools: [refund], model });
const harness = createHarness();

const held = await harness.run(agent, "Order A-17 arrived broken.");
console.log(held.status, "· refunds so far:", refunds.length);

const [open] = await harness.approvals();
if (!open) throw new Error("an approval should be open");
console.log("asks:", open.tool, JSON.stringify(open.args), "·", open.reason);

// Ann lowers the amount: the edit is validated, decided again, and told to the model.
const ann = { id: "ann", via: "example" };
await harness.approve(open.approval, { by: ann, args: { order: "A-17", cents: 4_500 } });
const done = await harness.resume(held.run);
console.log(done.status, "·", done.text);

// The same approval again executes nothing.
const again = await harness.approve(open.approval, { by: ann }).catch((error) => error.code);
await harness.close();
console.log("a second answer:", again);
console.log("proves: nothing ran before the yes, and then once, with what was approved:", refunds.join(", "));
