// A policy is a function: allow, deny with a reason that the model reads, or ask. Whatever else it does is a denial.
import { createHarness, defineAgent, defineTool, type PolicyRequest } from "holdpoint";
import { calls, say, scriptedModel } from "holdpoint/testing";
import { z } from "zod";

const executed: number[] = [];
const refund = defineTool({
	name: "refund",
	description: "Refunds an amount in cents.",
	effect: "write",
	input: z.object({ cents: z.number().int().positive() }),
	execute: ({ cents }) => {
		executed.push(cents);
		return { refunded: cents };
	},
});

function policy(request: PolicyRequest) {
	const { cents } = request.args as { cents: number };
	if (cents <= 5_000) return { verdict: "allow" } as const;
	if (cents > 50_000) return { verdict: "deny", reason: "Over 500.00 nothing is refunded by agents" } as const;
	return { verdict: "ask", reason: "Over 50.00 a manager decides", ask: { roles: ["manager"] } } as const;
}

const amounts = [2_500, 12_000, 90_000];
const model = scriptedModel([
	calls(amounts.map((cents) => ({ tool: "refund", args: { cents } }))),
	say((ask) => ask.results.map((result) => JSON.stringify(result.value)).join("\n  ")),
]);
const agent = defineAgent({ name: "support", instructions: "You settle complaints.", tools: [refund], model });
const harness = createHarness({ policy, rolesOf: ({ id }) => (id === "mia" ? ["manager"] : []) });

const held = await harness.run(agent, "Refund these three.");
console.log("at once:", executed.join(", "), "· status:", held.status);

const [open] = await harness.approvals();
if (!open) throw new Error("an approval should be open");
// Bob is no manager: he is told at once that his answer would count for nothing.
const bob = harness.approve(open.approval, { by: { id: "bob", via: "example" } });
console.log("bob:", await bob.catch((error: Error) => error.message));
console.log("after bob:", (await harness.resume(held.run)).status);

await harness.approve(open.approval, { by: { id: "mia", via: "example" } });
const done = await harness.resume(held.run);
await harness.close();
console.log("after mia:", done.status);
console.log(" ", done.text);
console.log(
	"proves: of 2500, 12000 and 90000, executed is what the policy and a manager allowed:",
	executed.join(", "),
);
