/** What is played when processes that share a budget are killed: many small payments, and a world that remembers each. */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createHarness, defineAgent, defineTool, jsonSchema, sqliteStore } from "holdpoint";
import { call, say, scriptedModel } from "holdpoint/testing";

/** Of a hundred runs ninety may pay; of seventy-five, held by the dead, there is enough left for some of the others. */
export const max = 270;
/** Of each run. */
export const cents = 3;

/** Payments that really happened, by their key: a service that honours keys. */
export function paidIn(folder: string): Map<string, number> {
	const file = join(folder, "world");
	const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
	return new Map(lines.map((line) => [line.split(" ")[0] ?? "", Number(line.split(" ")[1])]));
}

/** A process with a connection of its own. */
export function cashier(folder: string, onPaid: () => void = () => undefined) {
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		repeat: "keyed",
		input: jsonSchema<{ cents: number }>({
			type: "object",
			properties: { cents: { type: "integer" } },
			required: ["cents"],
		}),
		execute: (args, { idempotencyKey }) => {
			appendFileSync(join(folder, "world"), `${idempotencyKey} ${args.cents}\n`);
			onPaid();
			return "paid";
		},
	});
	const model = scriptedModel([call("pay", { cents }), say("done")], { countTokens: false });
	const agent = defineAgent({
		name: "cashier",
		instructions: "Pay.",
		model,
		tools: [pay],
		limits: { attemptsMax: 50 },
	});
	const harness = createHarness({
		store: sqliteStore(join(folder, "runs.db")),
		agents: [agent],
		keys: [{ id: "k1", secret: new Uint8Array(32).fill(7) }],
		policy: () => ({ verdict: "allow" }),
		budgets: [{ name: "cash", window: "month", counts: { tool: "pay", sum: "cents" }, max }],
	});
	const run = (runId: string) => harness.run(agent, "go", { runId, principal: "ann" });
	return { harness, run };
}
