// A policy in Cedar is validated against the tools before anything runs, and asks the people that its annotations name.
import { createHarness, defineAgent, defineTool } from "holdpoint";
import { cedarPolicy } from "holdpoint/policies/cedar";
import { calls, say, scriptedModel } from "holdpoint/testing";
import { z } from "zod";

const shop = `
@id("refunds")
permit(principal == H::Agent::"support", action == H::Action::"call:refund_order", resource);

@id("over-100-needs-manager") @approval("manager") @ttl("72h")
forbid(principal, action == H::Action::"call:refund_order", resource)
when { context.args.amountCents > 10000 } unless { context.approvals.contains(H::Role::"manager") };

@id("over-5000-needs-finance") @approval("finance")
forbid(principal, action == H::Action::"call:refund_order", resource)
when { context.args.amountCents > 500000 } unless { context.approvals.contains(H::Role::"finance") };

@id("hard-cap")
forbid(principal, action == H::Action::"call:refund_order", resource)
when { context.args.amountCents > 1000000 };
`;

const refunded: number[] = [];
const refund = defineTool({
	name: "refund_order",
	description: "Refunds an order.",
	effect: "write",
	input: z.object({ orderId: z.string(), amountCents: z.int().positive() }),
	execute: ({ amountCents }) => {
		refunded.push(amountCents);
		return { refunded: amountCents };
	},
});
const amounts = [5_000, 15_000, 600_000, 2_000_000];
const model = scriptedModel([
	calls(amounts.map((amountCents) => ({ tool: "refund_order", args: { orderId: "A-17", amountCents } }))),
	say((ask) => ask.results.map((result) => JSON.stringify(result.value)).join("\n  ")),
]);
const agent = defineAgent({ name: "support", instructions: "You settle complaints.", tools: [refund], model });

const staff: Record<string, string[]> = { mia: ["manager"], fay: ["finance"] };
const harness = createHarness({
	policy: cedarPolicy({ text: shop, roles: ["manager", "finance"] }),
	rolesOf: ({ id }) => staff[id] ?? [],
});
const held = await harness.run(agent, "Refund these four.");
console.log("at once:", refunded.join(", "), "· status:", held.status);
for (const { args, reason } of await harness.approvals()) console.log("held:", JSON.stringify(args), "·", reason);

for (const id of ["mia", "fay"]) {
	for (const { approval } of await harness.approvals()) await harness.approve(approval, { by: { id, via: "example" } });
	console.log(`after ${id}:`, (await harness.resume(held.run)).status, "·", refunded.join(", "));
}
console.log(" ", (await harness.resume(held.run)).text);
await harness.close();

// A field that is misspelt: Cedar alone would skip the policy, and there would be no cap.
const misspelt = cedarPolicy({ text: shop.replace("amountCents > 1000000", "amountCent > 1000000") });
const second = createHarness({ policy: misspelt });
const refusal = await second.run(agent, "Refund these four.").catch((error: Error) => error);
await second.close();
if (!(refusal instanceof Error)) throw new Error("a misspelt policy should not start");
console.log("misspelt:", refusal.message);
console.log("proves: refunded is what the policies and the people that they name allowed:", refunded.join(", "));
