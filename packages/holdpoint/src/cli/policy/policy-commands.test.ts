import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Recorded, recorded } from "../recording-host.ts";

/** `holdpoint policy` in a folder with a config and policies of its own. */

let cwd: string;
const source = (path: string) => pathToFileURL(join(import.meta.dirname, "../..", path)).href;

const config = `
import { cedarPolicy } from "${source("adapters/policies/cedar/cedar-policy.ts")}";
import { defineAgent } from "${source("run/define-agent.ts")}";
import { defineTool } from "${source("tools/define-tool.ts")}";
import { jsonSchema } from "${source("tools/json-schema.ts")}";
import { scriptedModel } from "${source("testing/scripted-model.ts")}";
import { call, say } from "${source("testing/story.ts")}";

const pay = defineTool({
	name: "pay",
	description: "Pays.",
	input: jsonSchema({ type: "object", properties: { cents: { type: "integer" }, rate: { type: "number" } }, required: ["cents"] }),
	execute: ({ cents }) => ({ paid: cents }),
});
const story = (ask) => ask.results.length > 0 ? say("done") : call("pay", { cents: Number(ask.lastUser) });
const folder = new URL("./policies", import.meta.url);
export const config = {
	agents: [defineAgent({ name: "payer", instructions: "Pay.", tools: [pay] })],
	model: scriptedModel(story, { countTokens: false }),
	policy: cedarPolicy({ folder, roles: ["boss", "finance"] }),
	rolesOf: () => ["boss"],
};
`;
const policies = `@id("pays") permit(principal, action == H::Action::"call:pay", resource);
@id("large") @approval("boss") @ttl("2h") forbid(principal, action == H::Action::"call:pay", resource)
when { context.args.cents > 100 } unless { context.approvals.contains(H::Role::"boss") };
@id("huge") @approval("finance") @count("2") forbid(principal, action == H::Action::"call:pay", resource)
when { context.args.cents > 1000 } unless { context.approvals.contains(H::Role::"finance") };
@id("cap") forbid(principal, action == H::Action::"call:pay", resource) when { context.args.cents > 5000 };
`;
const cases = `defaults: { principal: ann }
cases:
  - name: small
    call: pay
    args: { cents: 50 }
    expect: allow
    policies: [pays]
  - { name: large, call: pay, args: { cents: 150 }, expect: ask, roles: [boss] }
  - { name: large and approved, call: pay, args: { cents: 150 }, approvals: [boss], expect: allow }
  - { name: huge, call: pay, args: { cents: 1500 }, approvals: [boss], expect: ask, roles: [finance] }
  - { name: over the cap, call: pay, args: { cents: 5001 }, approvals: [boss, finance], expect: deny, policies: [cap] }
  - { name: nothing said, call: pay, args: {}, expect: failed }
  - { name: half a cent, call: pay, args: { cents: 1.5 }, expect: failed }
`;

const put = (name: string, text: string) => writeFileSync(join(cwd, name), text);

beforeEach(() => {
	cwd = mkdtempSync(join(tmpdir(), "holdpoint-policy-"));
	mkdirSync(join(cwd, "policies"));
	put("holdpoint.config.mjs", config);
	put("policies/pay.cedar", policies);
	put("cases.yaml", cases);
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

function cli(...argv: string[]): Promise<Recorded> {
	return recorded(argv, { cwd });
}

describe("policy check", () => {
	test("shows tools with their fields, what is left out, and the policies", async () => {
		const { code, out } = await cli("policy", "check");
		expect(code).toBe(0);
		for (const part of [
			"context.args { cents: Long }",
			"rate is left out: a number that may be fractional",
			"forbid large",
			"lifted by boss within 2 h",
			"lifted by 2 × finance",
			"permit holdpoint-internal",
			"5 policies fit 1 tool",
		]) {
			expect(out).toContain(part);
		}
	});

	test("says every problem with its place, and fails", async () => {
		put("policies/pay.cedar", policies.replace("cents > 100 ", "rate > 100 ").replace("cents > 5000", "cent > 5000"));
		const { code, out } = await cli("policy", "check");
		expect(code).toBe(1);
		expect(out).toMatch(/pay\.cedar:3:\d+ large\n.*rate is left out, because Cedar cannot express it/s);
		expect(out).toMatch(/pay\.cedar:6:\d+ cap/);
		expect(out).toContain("2 problems: nothing would run");
		const [json] = (await cli("policy", "check", "--json")).json();
		expect(json).toMatchObject({ ok: false, kind: "cedar", problems: [{ line: 3 }, { line: 6 }] });
	});

	test("of a policy that has no texts says so", async () => {
		put("holdpoint.config.mjs", config.replace(/policy: .*/, 'policy: () => ({ verdict: "allow" }),'));
		const { code, out } = await cli("policy", "check");
		expect(code).toBe(0);
		expect(out).toContain("is no Cedar policy");
	});

	test("where there is no config, or no folder of policies", async () => {
		rmSync(join(cwd, "policies"), { recursive: true });
		expect(await cli("policy", "check")).toMatchObject({ code: 1, out: expect.stringContaining("ENOENT") });
		rmSync(join(cwd, "holdpoint.config.mjs"));
		expect(await cli("policy", "check")).toMatchObject({
			code: 1,
			err: expect.stringContaining("no holdpoint.config.ts"),
		});
	});
});

describe("policy test", () => {
	test("passes where every case is decided as it expects", async () => {
		const { code, out } = await cli("policy", "test");
		expect(out).toContain("7 cases are decided as expected");
		expect(code).toBe(0);
	});

	test("fails and shows the difference, the line and the reason", async () => {
		put("policies/pay.cedar", policies.replace("cents > 100 ", "cents > 200 "));
		const { code, out } = await cli("policy", "test", "cases.yaml");
		expect(code).toBe(1);
		expect(out).toMatch(/✗ large {2}cases\.yaml:8\n {2}- ask boss\n {2}\+ allow/);
		expect(out).toContain("1 of 7 cases is decided otherwise");
		const [json] = (await cli("policy", "test", "--json")).json();
		expect(json).toMatchObject({ ok: false, passed: 6, failed: 1 });
	});

	test("a case can name the policies that must determine it", async () => {
		put("cases.yaml", "cases: [{ call: pay, args: { cents: 6000 }, expect: deny, policies: [large, pays] }]");
		const { code, out } = await cli("policy", "test");
		expect(code).toBe(1);
		expect(out).toMatch(/- deny by large, pays\n {2}\+ deny by cap, huge, large/);
	});

	test("a case can say what was read before", async () => {
		const untrusted = '@id("read") forbid(principal, action, resource) when { context.label.untrusted };';
		put("policies/read.cedar", untrusted);
		put("holdpoint.config.mjs", config.replace("rolesOf:", "labels: true,\n\trolesOf:"));
		put(
			"cases.yaml",
			"cases:\n- { call: pay, args: { cents: 1 }, label: { untrusted: true }, expect: deny, policies: [read] }\n- { call: pay, args: { cents: 1 }, label: { readers: [staff] }, expect: allow }\n",
		);
		expect((await cli("policy", "test")).code).toBe(0);
		// The harness that the config opens keeps them, too: it would not start with this policy otherwise.
		expect((await cli("run", "50")).code).toBe(0);
	});

	test("where no labels are kept, a policy that names them is a problem", async () => {
		put("policies/read.cedar", '@id("read") forbid(principal, action, resource) when { context.label.untrusted };');
		const { code, out } = await cli("policy", "check");
		expect(code).toBe(1);
		expect(out.replace(/\s+/g, " ")).toContain("labels are not kept here");
	});

	test("a case can say what is used of budgets, and of no others than there are", async () => {
		put(
			"holdpoint.config.mjs",
			config.replace(
				"rolesOf:",
				'budgets: [{ name: "day", counts: { tool: "pay", sum: "cents" }, max: 500 }],\n\trolesOf:',
			),
		);
		const spent =
			"forbid(principal, action, resource) when { context.budgets.day.spent + context.budgets.day.held >= 400 };";
		put("policies/spent.cedar", `@id("spent") ${spent}`);
		const of = (more: string) => `- { call: pay, args: { cents: 1 }, ${more} }\n`;
		const all = ["expect: allow", "budgets: { day: { spent: 399 } }, expect: allow"].map(of);
		const over = of("budgets: { day: { spent: 300, held: 100 } }, expect: deny, policies: [spent]");
		put("cases.yaml", `cases:\n${all.join("")}${over}`);
		expect(await cli("policy", "test")).toMatchObject({ code: 0, out: expect.stringContaining("3 cases") });
		put("cases.yaml", `cases:\n${of("budgets: { week: { spent: 5 } }, expect: allow")}`);
		expect((await cli("policy", "test")).err).toContain('line 2: There is no budget "week"');
		expect(await cli("policy", "explain", "--tool", "pay", "--args", '{"cents":5}')).toMatchObject({ code: 0 });
		expect(await cli("policy", "check")).toMatchObject({ code: 0 });
		put("policies/spent.cedar", spent.replaceAll("day", "week"));
		expect(await cli("policy", "check")).toMatchObject({ code: 1, out: expect.stringContaining("`budgets.week`") });
	});

	test("any policy can be tested, also one that throws", async () => {
		put(
			"holdpoint.config.mjs",
			config.replace(
				/policy: .*/,
				'policy: ({ args }) => { if (args.cents > 9) throw new Error("no"); return { verdict: "ask", ask: { roles: ["a", "b"] } }; },',
			),
		);
		put(
			"cases.yaml",
			"cases:\n- { call: pay, args: { cents: 1 }, approvals: [a], expect: ask, roles: [b] }\n- { call: pay, args: { cents: 10 }, expect: deny }\n",
		);
		expect((await cli("policy", "test")).code).toBe(0);
	});

	test.each<[string, string, RegExp]>([
		["no YAML", "cases: [", /cases\.yaml:1: /],
		["no list", "cases: 5", /no list `cases`/],
		["nothing", "", /no list `cases`/],
		["no cases", "cases: []", /nothing would be tested/],
		["another key", "case: []\ncases: [{ call: pay, expect: allow }]", /"case", which is neither/],
		["a default that is none", "defaults: { expect: allow }\ncases: [{ call: pay }]", /its defaults set expect/],
		["a case that is no map", "cases:\n- pay", /cases\.yaml:2: a case is a map/],
		["a field that is misspelt", "cases:\n- { call: pay, expects: allow }", /no field "expects"/],
		["no tool", "cases: [{ expect: allow }]", /`call` names the tool/],
		["an unknown verdict", "cases: [{ call: pay, expect: maybe }]", /`expect` is one of/],
		["roles of what asks nobody", "cases: [{ call: pay, expect: deny, roles: [a] }]", /where `ask` is expected/],
		["approvals that are no list", "cases: [{ call: pay, expect: deny, approvals: boss }]", /list of roles/],
		["a label that is none", "cases: [{ call: pay, expect: deny, label: { secret: true } }]", /`label` is a map of/],
		[
			"a use of budgets that is none",
			"cases: [{ call: pay, expect: deny, budgets: { a: { spent: -1 } } }]",
			/`budgets` is/,
		],
		["arguments that are no JSON", "cases: [{ call: pay, expect: deny, args: { a: .nan } }]", /are no JSON/],
		["a key twice", "cases: [{ call: pay, call: pay, expect: deny }]", /cases\.yaml:1: .*unique/],
		[
			"aliases upon aliases",
			`a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\ncases: [*c,*c,*c,*c]`,
			/alias/i,
		],
		["an unknown tool", "cases:\n\n- { call: pey, expect: deny }", /line 3: Agent payer has no tool "pey"/],
		["an unknown agent", "cases: [{ call: pay, agent: other, expect: deny }]", /There is no agent "other"/],
		["an unknown way", "cases: [{ call: pay, via: magic, args: { cents: 1 }, expect: deny }]", /"magic" is no way/],
	])("a file with %s is an error", async (_, text, message) => {
		put("cases.yaml", text);
		const { code, err } = await cli("policy", "test");
		expect(err).toMatch(message);
		expect(code).toBeGreaterThan(0);
	});

	test("a file that is not there, and a policy that cannot be used, are errors", async () => {
		expect((await cli("policy", "test", "none.yaml")).err).toMatch(/ENOENT/);
		put("policies/pay.cedar", "permit(");
		expect(await cli("policy", "test")).toMatchObject({ code: 1, err: expect.stringContaining("policy.invalid") });
	});
});

describe("policy explain", () => {
	test("a call that nobody made", async () => {
		const { code, out } = await cli(
			"policy",
			"explain",
			"--tool",
			"pay",
			"--args",
			'{"cents":1500}',
			"--principal",
			"ann",
		);
		expect(code).toBe(0);
		for (const part of [
			"ask  today",
			"forbid large",
			"forbid huge",
			"What would lift it: a yes of boss and 2 × finance.",
		]) {
			expect(out).toContain(part);
		}
	});

	test("a call of a run, with what was decided then and today's policy", async () => {
		const held = await cli("run", "150", "--run-id", "r1");
		expect(held.code).toBe(3);
		// Another process: this one has loaded its config already.
		put("policies/pay.cedar", policies.replace("cents > 5000", "cents > 140"));
		put("today.config.mjs", config);
		for (const words of [["r1", "c1"], ["r1/c1"], ["c1"]]) {
			const { code, out } = await cli("policy", "explain", ...words, "--config", "today.config.mjs");
			expect(out).toMatch(/ask: large asks for boss {2}cedar:/);
			expect(out).toMatch(/deny {2}today, by cedar:/);
			expect(out).toContain("nothing but a change of cap");
			expect(code).toBe(0);
		}
		const [json] = (await cli("policy", "explain", "r1", "c1", "--json", "--config", "today.config.mjs")).json();
		expect(json).toMatchObject({ decided: [{ verdict: "ask" }], now: { decision: { verdict: "deny" } } });
	});

	test.each<[string[], RegExp]>([
		[["r1"], /Which call of run r1\?/],
		[["r1", "c9"], /has no call "c9"/],
		[["none", "c1"], /No run of this store/],
		[["r1", "c1", "--args", "{}"], /--args is of a call that nobody made/],
		[["r1", "c1", "--tool", "pay"], /not both/],
		[["--tool", "pey"], /has no tool "pey"/],
		[["--tool", "pay", "--agent", "x"], /There is no agent "x"/],
		[["--tool", "pay", "--args", "{"], /--args is no JSON/],
	])("%j is an error that says what there is", async (words, message) => {
		await cli("run", "50", "--run-id", "r1");
		const { code, err } = await cli("policy", "explain", ...words);
		expect(err).toMatch(message);
		expect(code).toBeGreaterThan(0);
	});

	test("policy and nothing it knows is a usage error", async () => {
		expect(await cli("policy", "mend")).toMatchObject({ code: 2, err: expect.stringContaining("policy check") });
		expect((await cli("policy")).code).toBe(2);
	});
});
