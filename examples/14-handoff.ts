// A team hands on in one run. Its specialist is held for a person, and asks the user; other harnesses go on with it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHarness, defineAgent, defineTool, sqliteStore } from "holdpoint";
import { handoff } from "holdpoint/teams";
import { call, say, scriptedModel } from "holdpoint/testing";
import { z } from "zod";

const looked: string[] = [];
const paid: number[] = [];
const getOrder = defineTool({
	name: "get_order",
	description: "Returns an order.",
	effect: "read",
	input: z.object({ id: z.string() }),
	execute: ({ id }) => {
		looked.push(id);
		return { id, cents: 4_900 };
	},
});
const refund = defineTool({
	name: "refund",
	description: "Refunds an amount in cents.",
	effect: "write",
	repeat: "keyed",
	input: z.object({ id: z.string(), cents: z.number().int() }),
	execute: ({ id, cents }) => {
		paid.push(cents);
		return { id, refunded: cents };
	},
});
const desk = defineAgent({
	name: "desk",
	instructions: "Find the order, and hand on to whoever can settle it.",
	tools: [getOrder],
	model: scriptedModel([
		call("get_order", { id: "A-17" }),
		call("handoff_to_money", { reason: "A-17 came broken" }, { text: "My colleague takes over." }),
	]),
});
const money = defineAgent({
	name: "money",
	instructions: "Pay back what is owed.",
	tools: [refund],
	// It was told what the desk found out, and need not look it up again.
	model: scriptedModel([
		call("refund", { id: "A-17", cents: 4_900 }, { when: '"cents":4900' }),
		say("49.00 are on their way. Is there anything else?"),
		say("Good bye!", { when: "no, thank you" }),
	]),
});
const team = handoff({ name: "support" }).participants([desk, money]).coordinator(desk).edge(desk, money).build();

const folder = mkdtempSync(join(tmpdir(), "holdpoint-"));
const open = () => createHarness({ agents: [team], store: sqliteStore(join(folder, "runs.db")) });

const first = open();
const held = await first.session("customer-7", team).send("A-17 came broken, please refund it.");
await first.close();
console.log("1 ·", held.status, "and closed");

const second = open();
const [row] = await second.approvals();
if (!row) throw new Error("an approval should be open");
await second.approve(row.approval, { by: { id: "ann", via: "example" } });
console.log("2 ·", row.agent, "asked for", row.tool, "·", (await second.resume(row.run)).text);
await second.close();

const third = open();
const last = await third.session("customer-7", team).send("no, thank you");
const { events } = await third.show(last.run);
const ways = events.flatMap(({ event }) => (event.type === "run.handed" ? `${event.from} → ${event.to}` : []));
await third.close();
rmSync(folder, { recursive: true });
console.log("3 ·", last.text);
console.log(
	`proves: one run over three harnesses (${ways}); looked up ${looked.length} time, paid back once:`,
	paid.join(),
);
