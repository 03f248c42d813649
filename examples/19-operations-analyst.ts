// An operations analyst over a shop's database: it plans, writes programs, keeps notes, and asks before it changes anything.
// MODEL=openai/<name> (and OPENAI_API_KEY) asks a real model about your own question: npx node 19-operations-analyst.ts "…"

import { createInterface } from "node:readline/promises";
import { DatabaseSync } from "node:sqlite";
import { createHarness, defineTool, harnessAgent } from "holdpoint";
import { modelFromName } from "holdpoint/models/from-name";
import { call, program, say, scriptedModel } from "holdpoint/testing";
import { z } from "zod";

const db = new DatabaseSync(":memory:");
db.exec(`CREATE TABLE products (sku TEXT PRIMARY KEY, name TEXT, stock INT, reorder_at INT, supplier TEXT);
	CREATE TABLE sales (sku TEXT, day TEXT, pieces INT);
	INSERT INTO products VALUES ('M-1','mug',4,10,'Kiln'),('T-1','tea',80,40,'Leaf'),('P-1','pot',2,5,'Kiln');
	INSERT INTO sales VALUES ('M-1','2026-11-23',9),('M-1','2026-11-24',11),('T-1','2026-11-24',3),('P-1','2026-11-24',1);`);
const ordered: string[] = [];

const query = defineTool({
	name: "query",
	description: "Runs one SELECT. Tables: products(sku, name, stock, reorder_at, supplier), sales(sku, day, pieces).",
	effect: "read",
	labels: { integrity: "trusted" },
	input: z.object({ sql: z.string() }),
	execute: ({ sql }) => {
		// The database holds what the effect class promises, whatever the statement says.
		db.exec("PRAGMA query_only = ON");
		return db.prepare(sql).all().slice(0, 200);
	},
});
const reorder = defineTool({
	name: "reorder",
	description: "Orders pieces of a product from its supplier.",
	effect: "write",
	repeat: "keyed",
	input: z.object({ sku: z.string(), pieces: z.number().int().positive() }),
	execute: ({ sku, pieces }) => ordered.push(`${pieces} ${sku}`),
});

const low = "SELECT sku, reorder_at - stock AS pieces FROM products WHERE stock < reorder_at ORDER BY sku";
const story = scriptedModel([
	call("todo", {
		todos: [
			{ text: "find what runs low", status: "doing" },
			{ text: "reorder it", status: "open" },
		],
	}),
	program(`return await tools.query({ sql: ${JSON.stringify(low)} });`),
	call("note", { name: "low-stock", text: "2026-11-24: mugs and pots of Kiln ran low." }),
	call("set_mode", { mode: "execute", plan: "Reorder 6 mugs and 3 pots from Kiln." }),
	program(`const low = await tools.query({ sql: ${JSON.stringify(low)} });
		return await Promise.all(low.map((one) => tools.reorder(one)));`),
	say("6 mugs and 3 pots are ordered from Kiln; I noted why."),
]);
const named = process.env["MODEL"];
const agent = harnessAgent({
	name: "analyst",
	instructions:
		"You look after the shop's stock. Look before you plan, plan before you change, and note what you find out.",
	tools: [query, reorder],
	modes: { start: "plan" },
	model: named ? await modelFromName(named, { env: process.env }) : story,
});

const harness = createHarness();
const terminal = named ? createInterface({ input: process.stdin, output: process.stdout }) : undefined;
let result = await harness.run(agent, process.argv[2] ?? "What runs low? Reorder it.");
let asked = 0;
while (result.status === "waiting") {
	for (const { approval, tool, args } of await harness.approvals({ run: result.run })) {
		console.log(`${++asked} · may I ${tool} ${JSON.stringify(args)}?`);
		const isYes = !terminal || (await terminal.question("yes? ")).startsWith("y");
		await (isYes ? harness.approve(approval) : harness.deny(approval, { reason: "not now" }));
	}
	result = await harness.resume(result.run);
}
terminal?.close();
await harness.close();
console.log(result.text);
console.log(`proves: a plan and ${asked - 1} orders were asked for, and made once: ${ordered.join(", ")}`);
