// A connection breaks after the request was sent. Did it happen? Nobody knows, and the run says so instead of guessing.
import { createHarness, defineAgent, defineTool, OutcomeUnknown } from "holdpoint";
import { call, say, scriptedModel } from "holdpoint/testing";
import { z } from "zod";

const letters: string[] = [];
const send = defineTool({
	name: "send_letter",
	description: "Sends a letter.",
	effect: "write",
	// The other side knows no idempotency keys: it must never be repeated blindly.
	repeat: "once",
	input: z.object({ to: z.string() }),
	execute: ({ to }) => {
		letters.push(to);
		throw new OutcomeUnknown("the connection was lost before the answer came");
	},
});
const model = scriptedModel([
	call("send_letter", { to: "Ann" }),
	say((ask) => `The letter: ${JSON.stringify(ask.results[0]?.value)}`),
]);
const agent = defineAgent({ name: "clerk", instructions: "You write letters.", tools: [send], model });
const harness = createHarness({ policy: () => ({ verdict: "allow" }) });

const run = await harness.run(agent, "Write to Ann.");
const wait = run.status === "waiting" ? run.waits[0] : undefined;
if (wait?.kind !== "unknown") throw new Error("the outcome should be unknown");
console.log(run.status, "·", wait.tool, wait.kind, "·", wait.why);

// Somebody looks it up at the post office, and says so.
await harness.settle(run.run, wait.call, {
	happened: true,
	result: { posted: true },
	by: { id: "ann", via: "example" },
});
const done = await harness.resume(run.run);
await harness.close();

console.log(done.status, "·", done.text);
console.log("proves: what may not be repeated was not repeated. Letters sent:", letters.length);
