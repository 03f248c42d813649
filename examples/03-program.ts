// One program instead of many turns. It stops in its middle, at the call that needs a person, and goes on there later.
import { createHarness, defineAgent, defineTool } from "holdpoint";
import { program, say, scriptedModel } from "holdpoint/testing";
import { z } from "zod";

const looked: string[] = [];
const order = defineTool({
	name: "get_order",
	description: "Returns an order.",
	effect: "read",
	input: z.object({ id: z.string() }),
	execute: ({ id }) => {
		looked.push(id);
		return { id, cents: id === "B" ? 5_000 : 1_200, damaged: id !== "C" };
	},
});
const refund = defineTool({
	name: "refund",
	description: "Refunds an amount.",
	effect: "write",
	input: z.object({ cents: z.number().int() }),
	execute: ({ cents }) => ({ refunded: cents }),
});

const source = `const orders = await Promise.all(["A", "B", "C"].map((id) => tools.get_order({ id })));
const damaged = orders.filter((order) => order.damaged);
const cents = damaged.reduce((sum, order) => sum + order.cents, 0);
console.log(damaged.length, "damaged orders");
const receipt = await tools.refund({ cents });
({ receipt, orders: damaged.map((order) => order.id) })`;

const model = scriptedModel([program(source), say((ask) => `Refunded: ${JSON.stringify(ask.results[0]?.value)}`)]);
const agent = defineAgent({
	name: "support",
	instructions: "You settle complaints.",
	tools: [order, refund],
	model,
	programs: true,
});
const harness = createHarness();

const held = await harness.run(agent, "Two of my three parcels arrived damaged.");
const [open] = await harness.approvals();
if (!open?.program) throw new Error("the program should be held");
console.log(held.status, "at line", open.program.line, "of the program:", JSON.stringify(open.args));

await harness.approve(open.approval, { by: { id: "ann", via: "example" } });
const done = await harness.resume(held.run);
await harness.close();

console.log(done.text);
console.log("proves: the program went on in its middle, each order looked up once:", looked.join(" "));
