import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sqliteStore } from "../adapters/stores/sqlite.ts";
import { harnessAgent } from "../harness/harness-agent.ts";
import { createHarness } from "../holdpoint.ts";
import { placedModel } from "../testing/placed-model.ts";
import { defineTool } from "../tools/define-tool.ts";
import { jsonSchema } from "../tools/json-schema.ts";
import { recorded } from "./recording-host.ts";
import { widthOf } from "./render/text-width.ts";

let folder: string;
beforeEach(async () => {
	folder = mkdtempSync(join(tmpdir(), "holdpoint-context-"));
	const look = defineTool({
		name: "look",
		description: "Looks.",
		input: jsonSchema<{ n: number }>({
			type: "object",
			properties: { n: { type: "number" }, pin: { type: "string", "x-holdpoint": "secret" } },
		}),
		effect: "read",
		execute: ({ n }) => `\u001b[2Jfound ${n} ${"x".repeat(1_500)}`,
	});
	const agent = harnessAgent({
		name: "clerk",
		instructions: "Look things up.",
		tools: [look],
		programs: false,
		model: placedModel((place) => (place >= 30 ? { text: "done" } : { calls: [{ tool: "look", args: { n: place } }] })),
		context: {
			windowTokens: 4_000,
			answerTokens: 500,
			providers: [{ name: "facts", tokensMax: 50, provide: () => "be kind" }],
		},
	});
	const harness = createHarness({ store: sqliteStore(join(folder, "s.db")), agents: [agent], sandbox: "off" });
	await harness.run(agent, "Find thirty things.", { runId: "run_ctx" });
	await harness.close();
});
afterEach(() => rmSync(folder, { recursive: true }));

const cli = (columns: number | undefined, ...argv: string[]) =>
	recorded([...argv, "--store", join(folder, "s.db")], { cwd: folder, ...(columns === undefined ? {} : { columns }) });

test("the context of an answer is shown as a bar and by share", async () => {
	const { code, out } = await cli(undefined, "context", "run_ctx", "--turn", "3");
	expect(code).toBe(0);
	expect(out).toMatch(/^run_ctx {2}answer 3 of 30, by clerk\n[\d,]+ tokens of 3,500 \(\d+ %\)\n/);
	expect(out).toMatch(/\n {2}█+▓+▒+░+█+·+\n/);
	for (const what of ["instructions and tools", "given by facts", "the user's words", "results of tools", "free"]) {
		expect(out).toMatch(new RegExp(`\\d (?:%|<1 %) {2}${what}`));
	}
	const folded = await cli(undefined, "context", "run_ctx");
	expect(folded.out).toMatch(/answer 30 of 30[\s\S]*compacted \d+ times before[\s\S]*older messages, folded/);
});

test("it fits a narrow terminal, and what tools say cannot move its cursor", async () => {
	const { out } = await cli(50, "context", "run_ctx", "--messages", "--turn", "5");
	for (const line of out.split("\n")) expect(widthOf(line)).toBeLessThanOrEqual(50);
	expect(out).not.toContain("\u001b[2J");
	expect(out).toMatch(/\nfacts {5}be kind\n/);
});

test("for machines", async () => {
	const [view] = (await cli(undefined, "context", "run_ctx", "--turn", "2", "--json")).json();
	expect(view).toMatchObject({ run: "run_ctx", turn: 2, turns: 30, agent: "clerk", budget: 3_500, compactions: 0 });
	expect(view?.["messages"]).toHaveLength(3);
	const parts = view?.["parts"] as { readonly tokens: number }[];
	const sum = parts.reduce((total, { tokens }) => total + tokens, 0);
	expect(Math.abs(sum - Number(view?.["tokens"]))).toBeLessThanOrEqual(parts.length);
});

test.each([
	[["--turn", "31"], 1, "Run run_ctx has 30 answers of models, and no answer 31"],
	[["--turn", "0"], 2, "--turn takes the number of an answer"],
	[["--turn", "-1"], 2, "--turn"],
])("%j says what is wrong", async (argv, code, why) => {
	const result = await cli(undefined, "context", "run_ctx", ...argv);
	expect(result.code).toBe(code);
	expect(result.err).toContain(why);
});
