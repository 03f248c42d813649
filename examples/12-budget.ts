// A budget bounds what runs spend together, whatever each of them may do alone. It is held before a call starts.
import { createHarness, defineAgent, defineTool } from "holdpoint";
import { call, say, scriptedModel } from "holdpoint/testing";
import { z } from "zod";

let paid = 0;
const refund = defineTool({
	name: "refund",
	description: "Refunds an amount in cents.",
	effect: "write",
	input: z.object({ cents: z.number().int().positive() }),
	execute: ({ cents }) => {
		paid += cents;
		return { refunded: cents };
	},
});

const model = scriptedModel([
	call("refund", (ask: { lastUser: string }) => ({ cents: Number(ask.lastUser) })),
	say((ask) => String(JSON.stringify(ask.results[0]?.value))),
]);
const agent = defineAgent({ name: "support", instructions: "You refund.", tools: [refund], model });
const harness = createHarness({
	policy: () => ({ verdict: "allow" }),
	budgets: [
		{ name: "refunds", per: "principal", window: "day", counts: { tool: "refund", sum: "cents" }, max: 50_000 },
		{ name: "support", per: "agent", window: "month", counts: "calls", max: 1_000 },
	],
});

// Ten at once, each of 12,000: four of them fit into 50,000.
const results = await Promise.all(Array.from({ length: 10 }, () => harness.run(agent, "12000", { principal: "ann" })));
console.log(
	"one that was too much:",
	results.map(({ text }) => text).find((text) => text.includes("budget")),
);

const last = await harness.run(agent, "2000", { principal: "ann" });
console.log("up to the last cent:", last.text);

for (const { budget, accounts } of await harness.governance.budgets()) {
	for (const { spent, left, of } of accounts)
		console.log(budget.name, JSON.stringify(of), "spent", spent, "left", left);
}
await harness.close();
console.log("proves: ten refunds at once and one after them, and exactly 50,000 was paid:", paid);
