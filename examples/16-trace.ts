// Where the time of a run went: each segment is a trace, linked to the one before, and nothing of what was said is in it.
import { createHarness, defineAgent, defineTool, memoryStore } from "holdpoint";
import { call, say, scriptedModel, traceRecorder } from "holdpoint/testing";
import { z } from "zod";

const pay = defineTool({
	name: "pay",
	description: "Pays an amount in cents.",
	effect: "write",
	input: z.object({ cents: z.number().int() }),
	execute: ({ cents }) => ({ paid: cents }),
});
const agent = defineAgent({
	name: "cashier",
	instructions: "Pay what is asked for.",
	tools: [pay],
	model: scriptedModel([call("pay", { cents: 900 }), say("Paid.")]),
});

// `sqliteTraces`, `openTelemetry` and `otlpTracing` are exporters, too; this one keeps spans for a look.
const recorder = traceRecorder();
const harness = createHarness({
	agents: [agent],
	store: memoryStore(),
	policy: () => ({ verdict: "ask", reason: "money" }),
	tracing: { exporters: [recorder], content: false },
});

const held = await harness.run(agent, "Nine euros to Ann.");
const [wait] = held.status === "waiting" ? held.waits : [];
if (wait?.kind === "approval") await harness.approve(wait.approval);
const result = await harness.resume(held.run);
await harness.close();

const { spans } = recorder;
const roots = spans.filter((span) => span.parentSpanId === undefined);
for (const root of roots) {
	console.log(`${root.name}, segment ${root.attributes["holdpoint.segment.epoch"]}`);
	const inside = spans.filter((span) => span.traceId === root.traceId && span !== root);
	for (const { name, start, end = start, events } of inside) {
		console.log(`  ${name}, ${end - start} ms ${events.map((event) => event.name).join(" ")}`);
	}
}
const [first, second] = roots;
const isLinked = second?.links.some(({ traceId }) => traceId === first?.traceId) === true;
const isSilent = !JSON.stringify(spans).includes("Ann");
console.log(
	`proves: ${result.status} in ${roots.length} traces; linked: ${isLinked}; nothing that was said: ${isSilent}`,
);
