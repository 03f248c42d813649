// Forty refunds are not forty interruptions: what the program would do is found out first, and decided in one answer.
import { createHarness, defineAgent, defineTool } from "holdpoint";
import { program, say, scriptedModel } from "holdpoint/testing";
import { z } from "zod";

const orders = Array.from({ length: 40 }, (_, i) => ({ order: `A-${i + 1}`, cents: 500 + i * 10 }));
const refunded: string[] = [];

const lateOrders = defineTool({
	name: "late_orders",
	description: "Orders that came late.",
	effect: "read",
	input: z.object({}),
	execute: () => orders,
});
const refund = defineTool({
	name: "refund",
	description: "Refunds an order.",
	effect: "write",
	input: z.object({ order: z.string(), cents: z.int() }),
	// What a call would return, without doing it: a rehearsal uses this.
	simulate: ({ cents }) => ({ refunded: cents }),
	execute: ({ order, cents }) => {
		refunded.push(order);
		return { refunded: cents };
	},
});
const code = `
let sum = 0;
for (const { order, cents } of await tools.late_orders({})) {
	sum += (await tools.refund({ order, cents })).refunded;
}
return sum;`;

const agent = defineAgent({
	name: "desk",
	instructions: "You make good what came late.",
	tools: [lateOrders, refund],
	programs: { rehearse: true },
	model: scriptedModel([program(code), say("All of them are refunded.")]),
});
const harness = createHarness();

const run = await harness.run(agent, "Refund what came late.");
const [held] = await harness.approvals({ run: run.run });
if (!held?.rehearsal) throw new Error("the first refund should be held, and rehearsed");
for (const { tool, count, sums } of held.rehearsal.totals) console.log("would call", tool, count, "times:", sums);
console.log("refunded so far:", refunded.length);

// One yes to all of it. Whatever the program does otherwise is held anew.
const { digest } = held.rehearsal;
await harness.approve(held.approval, { by: { id: "ann", via: "example" }, rows: "all", rehearsal: digest });
const done = await harness.resume(run.run);
await harness.close();

console.log(done.status, "·", done.text);
console.log("proves: one answer,", refunded.length, "refunds, each one bound to its own arguments.");
