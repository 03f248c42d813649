import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { type Recorded, recorded } from "../recording-host.ts";

let cwd: string;
const source = (path: string) => pathToFileURL(join(import.meta.dirname, "../../", path)).href;

const config = (budgets: string) => `
import { defineAgent } from "${source("run/define-agent.ts")}";
import { defineTool } from "${source("tools/define-tool.ts")}";
import { jsonSchema } from "${source("tools/json-schema.ts")}";
import { scriptedModel } from "${source("testing/scripted-model.ts")}";
import { call, say } from "${source("testing/story.ts")}";
const cents = jsonSchema({ type: "object", properties: { cents: { type: "integer" } }, required: ["cents"] });
const pay = defineTool({ name: "pay", description: "Pays.", input: cents, execute: () => "paid" });
const model = scriptedModel([call("pay", { cents: 300 }), say((ask) => String(ask.results[0].value))]);
export const config = {
	agents: [defineAgent({ name: "payer", instructions: "Pay.", tools: [pay], settings: { maxOutputTokens: 100 } })],
	model,
	policy: () => ({ verdict: "allow" }),
	budgets: ${budgets},
	prices: { scripted: { input: 1, output: 1 } },
};`;

const all = `[
	{ name: "payments", per: "principal", window: "day", counts: { tool: "pay", sum: "cents" }, max: 500 },
	{ name: "models", counts: "money", max: 2500000 },
	{ name: "time", per: ["agent", "tenant"], counts: "wallMs", max: 3600000 },
	{ name: "unused", counts: "calls", tools: ["execute_code"], max: 5 },
]`;

beforeEach(() => {
	cwd = mkdtempSync(join(tmpdir(), "holdpoint-budgets-"));
	onTestFinished(() => rmSync(cwd, { recursive: true, force: true }));
});

function cli(...argv: string[]): Promise<Recorded> {
	return recorded(argv, { cwd });
}

describe("holdpoint budgets", () => {
	test("shows what is used of each, by whom, and until when", async () => {
		writeFileSync(join(cwd, "holdpoint.config.mjs"), config(all));
		expect((await cli("budgets")).out).toContain("Nothing is spent: there is no store");
		await cli("run", "pay");
		const { code, out } = await cli("budgets");
		expect(code).toBe(0);
		const me = userInfo().username;
		expect(out).toMatch(/payments {2}500 of pay\.cents per principal and day\nused/);
		expect(out).toMatch(new RegExp(`██████░░░░ {2}60 % {2}300 {4}200 .* principal ${me}`));
		expect(out).toMatch(/models {2}2\.50 USD\n[^\n]*\n█░░░░░░░░░ {2}0 % {2}0\.000\d+ USD/);
		expect(out).toMatch(/time {2}1 h of work per agent and tenant\n.*\n.*agent payer, tenant none/);
		expect(out).toMatch(/unused {2}5 calls\n {2}nothing is used/);
		expect(out).not.toMatch(/ +$/m);
	});

	test("what is refused because of one reads well in the run, and the account is full", async () => {
		writeFileSync(join(cwd, "holdpoint.config.mjs"), config(all.replace("max: 500", "max: 300")));
		await cli("run", "pay", "--run-id", "first");
		await cli("run", "pay", "--run-id", "second");
		const shown = (await cli("show", "second")).out.replace(/\s+/g, " ");
		expect(shown).toContain("The budget payments allows 300 of pay.cents per principal and day: 0 of 300 is left");
		expect((await cli("budgets")).out).toContain("██████████  100 %");
	});

	test("a run that ends because of one says so", async () => {
		writeFileSync(join(cwd, "holdpoint.config.mjs"), config('[{ name: "few", counts: "tokens", max: 10 }]'));
		const { code, out } = await cli("run", "pay");
		expect(code).toBe(1);
		expect(out.replace(/\s+/g, " ")).toContain("The model is not asked any more. The budget few allows 10 tokens");
	});

	test("is JSON for machines", async () => {
		writeFileSync(join(cwd, "holdpoint.config.mjs"), config(all));
		await cli("run", "pay");
		expect((await cli("budgets", "--json")).json()).toMatchObject([
			{
				budgets: [
					{ budget: { name: "payments", max: 500 }, accounts: [{ spent: 300, held: 0, left: 200, isCurrent: true }] },
					{ budget: { name: "models" } },
					{ budget: { name: "time" } },
					{ budget: { name: "unused" }, accounts: [] },
				],
			},
		]);
	});

	test.each([
		["a tool that no agent has", '[{ name: "b", counts: "calls", tools: ["pya"], max: 1 }]', 'counts the tool "pya"'],
		["a field that its tool has not", '[{ name: "b", counts: { tool: "pay", sum: "cent" }, max: 1 }]', "no such field"],
		["a slip of the pen", '[{ name: "b", count: "calls", max: 1 }]', 'sets "count"'],
	])("a config whose budget names %s is refused with its path", async (_, budgets, says) => {
		writeFileSync(join(cwd, "holdpoint.config.mjs"), config(budgets));
		const { code, err } = await cli("run", "pay");
		expect([code, err]).toEqual([1, expect.stringContaining(says)]);
		expect(err).toContain("holdpoint.config.mjs");
	});
});
