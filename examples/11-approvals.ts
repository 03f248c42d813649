// Who may approve what: a limit for a role, four eyes, a link for one person, and a grant for what is asked again and again.
import { createHarness, defineAgent, defineTool } from "holdpoint";
import { decisionLinks } from "holdpoint/decision-links";
import { call, say, scriptedModel } from "holdpoint/testing";
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
const model = scriptedModel((ask) =>
	ask.results.length > 0 ? say("done") : call("refund", { cents: Number(ask.lastUser) }),
);
const agent = defineAgent({ name: "support", instructions: "You settle complaints.", tools: [refund], model });

const harness = createHarness({
	policy: () => ({
		verdict: "ask",
		reason: "A manager decides on refunds",
		ask: { roles: ["manager"], fourEyes: true },
	}),
	// In a file with approversFile(path); here as a port of its own.
	approvers: {
		version: "example",
		of: ({ id }, { args }) => {
			const { cents } = args as { cents: number };
			if (id === "mia" && cents > 20_000) return { roles: [], note: "mia approves up to 200.00" };
			return { roles: ["mia", "kim", "bob"].includes(id) ? ["manager"] : [] };
		},
	},
});
const by = (id: string) => ({ id, via: "example" });
const said = (error: Error) => error.message.replace(/.*count for nothing: |Approval \S+ /, "");

// Kim's agent may not be approved by Kim, nor this amount by Mia.
const large = await harness.run(agent, "30000", { principal: "kim" });
const [first] = await harness.approvals();
if (!first) throw new Error("an approval should be open");
console.log("kim:", await harness.approve(first.approval, { by: by("kim") }).catch(said));
console.log("mia:", await harness.approve(first.approval, { by: by("mia") }).catch(said));

// Bob gets a link. Looking decides nothing; the form decides, once.
const links = decisionLinks({
	harness,
	secret: "at least thirty-two characters long",
	baseUrl: "https://app.example/decide",
});
const link = links.link(first, "bob");
const post = () =>
	links.fetch(
		new Request(link, { method: "POST", body: new URLSearchParams({ decision: "approve", confirmed: "yes" }) }),
	);
console.log("bob looks:", (await links.fetch(new Request(link))).status, "· executed:", executed.length);
console.log("bob answers:", (await post()).status, "· again:", (await post()).status);
await harness.resume(large.run);

// Mia grants small ones for good: two calls, up to 50.00.
const small = await harness.run(agent, "4000", { principal: "kim" });
const [second] = await harness.approvals();
if (!second) throw new Error("an approval should be open");
const always = { scope: "principal", args: { cents: { max: 5_000 } }, usesMax: 2 } as const;
await harness.approve(second.approval, { by: by("mia"), always });
await harness.resume(small.run);
const statuses: string[] = [];
for (const cents of ["5000", "5001", "1000", "1000"]) {
	statuses.push((await harness.run(agent, cents, { principal: "kim" })).status);
}
console.log("after the grant:", statuses.join(", "));
await harness.close();
console.log("proves: executed is what the right people approved or granted:", executed.join(", "));
