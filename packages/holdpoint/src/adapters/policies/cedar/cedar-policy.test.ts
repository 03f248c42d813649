import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defineAgent } from "../../../run/define-agent.ts";
import type { Json } from "../../../spec/json.ts";
import type { PolicyRequest } from "../../../spec/policy.ts";
import {
	asked,
	lookup,
	note,
	ofCents,
	problemsOf,
	ready,
	refund,
	shop,
	spent,
	support,
} from "../../../testing/cedar-scene.ts";
import { defineTool } from "../../../tools/define-tool.ts";
import { jsonSchema } from "../../../tools/json-schema.ts";
import { type CedarPolicyOptions, type CedarReport, cedarPolicy } from "./cedar-policy.ts";
import { loadEngine } from "./engine.ts";

describe("must hold", () => {
	test.each([
		["50.00 is allowed", 5_000, { verdict: "allow" }],
		["150.00 asks a manager", 15_000, { verdict: "ask", ask: { roles: ["manager"], expiresInMs: 72 * 3_600_000 } }],
		[
			"6,000.00 asks manager and finance, in the shorter of the times",
			600_000,
			{ verdict: "ask", ask: { roles: ["finance", "manager"], expiresInMs: 24 * 3_600_000 } },
		],
		["over the hard cap it is denied", 1_000_001, { verdict: "deny", reason: "Forbidden by hard-cap" }],
		["nothing permits a refund of nothing", 0, { verdict: "deny", reason: "No policy permits call:refund_order" }],
	])("%s", async (_, cents, decision) => {
		expect((await ready(shop)).decide(ofCents(cents))).toMatchObject(decision);
	});

	test.each<[string, Json, RegExp]>([
		["a missing amount", { orderId: "O-1" }, /amountCents is missing/],
		["a fractional amount", { orderId: "O-1", amountCents: 1.5 }, /amountCents is 1.5, where a whole number/],
		["an amount beyond what is exact", { orderId: "O-1", amountCents: 2 ** 53 }, /amountCents is 9007199254740992/],
		["an amount beyond 64 bits", { orderId: "O-1", amountCents: 1e300 }, /whole number/],
		["an amount as text", { orderId: "O-1", amountCents: "5" }, /amountCents is a string/],
		["no amount", { orderId: "O-1", amountCents: null }, /amountCents is null/],
		["a text that is no Unicode", { orderId: "\ud800", amountCents: 5 }, /no valid Unicode/],
		["a list", [], /args is a list, where an object is wanted/],
		["no arguments", null, /args is null/],
	])("I4: %s is denied", async (_, args, reason) => {
		const decision = (await ready(shop)).decide(asked(args));
		expect(decision).toMatchObject({ verdict: "deny", reason: expect.stringMatching(reason) });
	});

	test("a typo in a policy file keeps the harness from starting", async () => {
		const [problem] = await problemsOf(shop.replace("amountCents > 10000 ", "amountCent > 10000 "));
		expect(problem).toMatchObject({ file: "policy", line: 8, policy: "over-100-needs-manager" });
		expect(problem?.message).toMatch(/`args.amountCent` .*not found.*did you mean `amountCents`/);
	});
});

describe("the trap: Cedar skips a policy that fails", () => {
	const policies = {
		all: "permit(principal, action, resource);",
		cap: "forbid(principal, action, resource) when { context.args.amountCents > 10000 };",
	};
	const request = {
		principal: { type: "H::Agent", id: "support" },
		action: { type: "H::Action", id: "call:refund_order" },
		resource: { type: "H::Tenant", id: "" },
		context: { args: { orderId: "O-1" } },
		entities: [],
	};

	test("so that without validation, a forbid that reads a missing argument forbids nothing", async () => {
		const engine = await loadEngine();
		const answer = engine.preparsePolicySet("trap", { staticPolicies: policies });
		expect(answer.type).toBe("success");
		const decided = engine.statefulIsAuthorized({ ...request, preparsedPolicySetId: "trap" });
		expect(decided).toMatchObject({ type: "success", response: { decision: "allow" } });
	});

	test("here the policy is refused for an argument that may be missing", async () => {
		const text = `permit(principal, action, resource);
			forbid(principal, action == H::Action::"call:refund_order", resource) when { context.args.note == "x" };`;
		const [problem] = await problemsOf(text);
		expect(problem?.message).toMatch(/optional attribute `args.note`/);
	});

	test("I4: and an error that no validation foresees is a denial, whatever permits the call", async () => {
		const policy = await ready(`@id("all") permit(principal, action, resource);
			@id("sum") forbid(principal, action == H::Action::"call:refund_order", resource)
			when { context.args.amountCents * 9007199254740991 > 0 };`);
		expect(policy.decide(ofCents(-1))).toEqual({ verdict: "allow" });
		const decision = policy.decide(ofCents(-9_000_000));
		expect(decision).toMatchObject({
			verdict: "deny",
			reason: expect.stringMatching(/^The policy sum failed: .*overflow/),
		});
	});
});

describe("who is asked", () => {
	const forbid = (annotations: string, unless: string) =>
		`permit(principal, action, resource);\n@id("held") ${annotations} forbid(principal, action == H::Action::"call:refund_order", resource) ${unless};`;
	const manager = 'unless { context.approvals.contains(H::Role::"manager") }';

	test("counts and times of a policy", async () => {
		const policy = await ready(forbid('@approval("manager") @count("2") @ttl("90m")', manager));
		expect(policy.decide(ofCents(1))).toEqual({
			verdict: "ask",
			reason: "held asks for manager",
			ask: { roles: ["manager"], counts: { manager: 2 }, expiresInMs: 5_400_000 },
		});
		expect(policy.explain(ofCents(1)).lift).toBe("a yes of 2 × manager");
	});

	test("several policies: each role with its largest count, in the shortest time", async () => {
		const also = (id: string, annotations: string, role: string) =>
			`@id("${id}") ${annotations} forbid(principal, action, resource) unless { context.approvals.contains(H::Role::"${role}") };`;
		const policy = await ready(
			[
				forbid('@approval("manager") @count("2") @ttl("90m")', manager),
				also("b", '@approval("manager") @ttl("2h")', "manager"),
				also("c", '@approval("finance") @ttl("1h")', "finance"),
				also("d", '@approval("legal") @count("3")', "legal"),
			].join("\n"),
		);
		expect(policy.decide(ofCents(1))).toMatchObject({
			ask: { roles: ["finance", "legal", "manager"], counts: { manager: 2, legal: 3 }, expiresInMs: 3_600_000 },
		});
	});

	test("nobody, where something forbids it that nobody can lift", async () => {
		const policy = await ready(
			`${forbid('@approval("manager")', manager)} @id("never") forbid(principal, action, resource);`,
		);
		expect(policy.decide(ofCents(1))).toEqual({ verdict: "deny", reason: "Forbidden by never" });
	});

	test("nobody, where nothing permits it", async () => {
		const policy = await ready(
			forbid('@approval("manager")', manager)
				.replace("permit(principal,", 'permit(principal == H::Agent::"support",')
				.replace("action, resource);", 'action == H::Action::"call:get_order", resource);'),
		);
		expect(policy.decide(ofCents(1))).toMatchObject({
			verdict: "deny",
			reason: "Forbidden by held; with the approvals that they ask for, no policy permits it",
		});
	});

	test("nobody, where the approval would set off another policy", async () => {
		const policy = await ready(`${forbid('@approval("manager")', manager)}
			@id("not-both") forbid(principal, action, resource) when { context.approvals.contains(H::Role::"manager") };`);
		expect(policy.decide(ofCents(1))).toMatchObject({
			verdict: "deny",
			reason: expect.stringContaining("not-both would still forbid it"),
		});
	});

	test("answers do not change what is asked: whether they are enough is counted elsewhere", async () => {
		const policy = await ready(shop);
		const held = policy.decide(ofCents(15_000));
		expect(policy.decide({ ...ofCents(15_000), approvedBy: ["kim", "lee"] })).toEqual(held);
	});
});

describe("what a policy can speak of", () => {
	const only = (condition: string) => `permit(principal, action, resource) when { ${condition} };`;
	const via = (provenance: PolicyRequest["provenance"]) => asked({ orderId: "O", amountCents: 1 }, { provenance });

	test.each<[string, string, Partial<PolicyRequest>, Partial<PolicyRequest>]>([
		["on whose behalf", 'context.user == "ann"', {}, { principal: "bob" }],
		["the tenant", 'context has tenant && context.tenant == "acme"', { tenant: "acme" }, {}],
		["the tenant as resource", 'resource == H::Tenant::"acme"', { tenant: "acme" }, { tenant: "other" }],
		["the session", 'context has session && context.session like "vip-*"', { session: "vip-1" }, { session: "1" }],
		["the model itself", 'context.provenance.via == "model"', {}, { provenance: { via: "program", program: "c1" } }],
		[
			"a sub-agent",
			'context.provenance.via == "agent" && context.provenance.path.contains("front")',
			{ provenance: { via: "agent", path: ["front", "triage"] } },
			{ provenance: { via: "agent", path: ["triage"] } },
		],
		[
			"a handoff path",
			'context.provenance.via == "handoff" && context.provenance.path.isEmpty()',
			{ provenance: { via: "handoff" } },
			{ provenance: { via: "handoff", path: ["front"] } },
		],
		["what was read: untrusted", "context.label.untrusted", { label: { untrusted: "c1" } }, {}],
		[
			"what was read: its readers",
			'context.label has readers && context.label.readers.contains("staff") && !context.label.assumed',
			{ label: { readers: ["staff"] } },
			{ label: { readers: ["staff"], assumed: true } },
		],
		["what was read: nothing that is secret", "!(context.label has readers)", {}, { label: { readers: [] } }],
	])("%s", async (_, condition, yes, no) => {
		const policy = await ready(only(condition));
		expect(policy.decide(asked({ orderId: "O", amountCents: 1 }, yes)).verdict).toBe("allow");
		expect(policy.decide(asked({ orderId: "O", amountCents: 1 }, no)).verdict).toBe("deny");
	});

	test("facts of the tool: effect, tags, labels", async () => {
		const policy = await ready(only('context.tool.tags.contains("money") && context.tool.effect == "write"'));
		expect(policy.decide(ofCents(1)).verdict).toBe("allow");
		expect(policy.decide(asked({ orderId: "O" }, {}, lookup)).verdict).toBe("deny");
		const labelled = await ready(
			only(
				'context.tool.integrity == "untrusted" && context.tool.readers == ["principal"] && context.tool.audience == ["everyone"] && !context.tool.declassifies',
			),
		);
		expect(labelled.decide(via({ via: "model" })).verdict).toBe("allow");
		const declared = { integrity: "trusted", readers: ["staff"], audience: ["bank"], declassifies: true } as const;
		const other = await ready(
			only(
				'context.tool.integrity == "trusted" && context.tool.readers.contains("staff") && context.tool.audience.contains("bank") && context.tool.declassifies',
			),
		);
		const { name, version, effect, tags } = refund;
		const tool = { name, version, effect, tags, labels: declared };
		expect(other.decide(asked({ orderId: "O", amountCents: 1 }, { tool })).verdict).toBe("allow");
		expect(other.decide(ofCents(1)).verdict).toBe("deny");
	});

	test("what changes only the journal is permitted by a policy that is shown, and that a rule overrides", async () => {
		const policy = await ready(shop);
		expect(policy.decide(asked({}, {}, note)).verdict).toBe("allow");
		expect(policy.explain(asked({}, {}, note)).rules).toMatchObject([{ id: "holdpoint-internal", effect: "permit" }]);
		const strict = await ready(
			`${shop} @id("no-notes") forbid(principal, action == H::Action::"call:keep_note", resource);`,
		);
		expect(strict.decide(asked({}, {}, note))).toEqual({ verdict: "deny", reason: "Forbidden by no-notes" });
	});

	test("a tool whose name is no identifier", async () => {
		const odd = { ...note, name: '$search "all"\\' };
		const policy = await ready('permit(principal, action == H::Action::"call:$search \\"all\\"\\\\", resource);', {}, [
			{ name: "support", tools: [odd] },
		]);
		expect(policy.decide(asked({}, {}, odd)).verdict).toBe("allow");
	});

	test("of tools of one name that differ: what they have in common", async () => {
		const input = jsonSchema({
			type: "object",
			properties: { orderId: { type: "string" }, amountCents: { type: "string" } },
			required: ["orderId"],
		});
		const other = defineTool({ name: "refund_order", description: "Another one.", input, execute: () => null });
		const both = [support, { name: "other", tools: [other] }];
		const text =
			'permit(principal, action == H::Action::"call:refund_order", resource) when { context.args.orderId == "O" };';
		const policy = await ready(text, {}, both);
		expect(policy.decide(asked({ orderId: "O", amountCents: 1 })).verdict).toBe("allow");
		expect(policy.decide(asked({ orderId: "O", amountCents: "x" }, { agent: "other" }, other)).verdict).toBe("allow");
		const named = cedarPolicy({ text: text.replace('orderId == "O"', "amountCents > 1") });
		await expect(named.ready(both)).rejects.toThrow(/agents have different tools of this name/);
	});
});

describe("I4: nothing is decided for what was not validated", () => {
	test.each<[string, Partial<PolicyRequest>]>([
		["another agent", { agent: "stranger" }],
		["a tool that changed", { tool: { name: "refund_order", version: "2.x", effect: "write", tags: [] } }],
		["a tool that nobody has", { tool: { name: "drop_all", version: "1", effect: "internal", tags: [] } }],
	])("%s", async (_, more) => {
		const policy = await ready(shop);
		expect(policy.decide({ ...ofCents(5_000), ...more })).toMatchObject({
			verdict: "deny",
			reason: expect.stringContaining("was not validated for the tool"),
		});
	});

	test("nobody at all", () => {
		const policy = cedarPolicy({ text: shop });
		expect(policy.decide(ofCents(1))).toMatchObject({ verdict: "deny" });
		expect(policy.version).toBe("cedar:none");
	});

	test("an agent that it does not take leaves those before it governed", async () => {
		const text =
			'permit(principal, action == H::Action::"call:refund_order", resource) when { context.args.amountCents > 0 };';
		const policy = await ready(text);
		const { version } = policy;
		const input = jsonSchema({ type: "object", properties: { amountCents: { type: "string" } } });
		const other = defineTool({ name: "refund_order", description: "Another one.", input, execute: () => null });
		await expect(policy.ready([support, { name: "other", tools: [other] }])).rejects.toMatchObject({
			code: "policy.invalid",
		});
		expect(policy.decide(ofCents(1)).verdict).toBe("allow");
		expect(policy.decide(asked({}, { agent: "other" }, other)).verdict).toBe("deny");
		expect(policy.version).toBe(version);
	});

	test("where the engine cannot keep a new set, the old one has its own schema still", async () => {
		const engine = await loadEngine();
		let isFull = false;
		const load = async () => ({
			...engine,
			preparsePolicySet: (...call: Parameters<typeof engine.preparsePolicySet>) =>
				isFull ? { type: "failure", errors: [{ message: "full" }] } : engine.preparsePolicySet(...call),
		});
		const text = 'permit(principal, action == H::Action::"call:refund_order", resource);';
		const policy = await ready(text, { load, cache: false });
		isFull = true;
		await expect(policy.ready([{ name: "other", tools: [refund] }])).rejects.toThrow("full");
		expect(policy.decide(ofCents(1)).verdict).toBe("allow");
	});

	test("where the engine breaks", async () => {
		const engine = await loadEngine();
		let isBroken = false;
		const load = async () => ({
			...engine,
			statefulIsAuthorized: (call: Parameters<typeof engine.statefulIsAuthorized>[0]) => {
				if (isBroken) throw new Error("unreachable");
				return engine.statefulIsAuthorized(call);
			},
		});
		const policy = await ready(shop, { load, cache: false });
		expect(policy.decide(ofCents(1)).verdict).toBe("allow");
		isBroken = true;
		expect(policy.decide(ofCents(1))).toEqual({ verdict: "deny", reason: "Cedar failed: unreachable" });
	});
});

describe("what keeps the harness from starting", () => {
	const permit = "permit(principal, action, resource);";
	const held = (annotations: string, rest = "") =>
		`${permit} ${annotations} forbid(principal, action, resource)${rest};`;
	const lifted = (role: string) => ` unless { context.approvals.contains(H::Role::"${role}") }`;

	test.each<[string, string, RegExp]>([
		["no policy at all", "// nothing\n", /there is no policy in it/],
		["what is no Cedar", "permit(principal, action, resource) when { >", /unexpected|invalid/],
		[
			"an unknown tool",
			'permit(principal, action == H::Action::"call:refund_ordr", resource);',
			/unrecognized action.*did you mean.*known are the tools of support/,
		],
		["an unknown agent", 'permit(principal == H::Agent::"suport", action, resource);', /not declared as a valid eid/],
		["an unknown role in a condition", held('@approval("manager")', lifted("manger")), /does not lift it/],
		[
			"a wrong type",
			'permit(principal, action == H::Action::"call:refund_order", resource) when { context.args.amountCents == "x" };',
			/not compatible/,
		],
		[
			"a field that Cedar cannot express",
			'permit(principal, action == H::Action::"call:refund_order", resource) when { context.args.rate == 1 };',
			/rate is left out, because Cedar cannot express it: a number that may be fractional/,
		],
		["a policy that can never apply", "permit(principal, action, resource) when { false };", /impossible/],
		["a template", "permit(principal == ?principal, action, resource);", /template/],
		["an approval that does not lift", held('@approval("manager")'), /the approval of manager does not lift it/],
		[
			"the approval of another role",
			held('@approval("manager")', lifted("finance")),
			/the approval of manager does not lift it/,
		],
		[
			"an approval that is not enough alone",
			held(
				'@approval("manager")',
				' unless { context.approvals.contains(H::Role::"manager") && context.approvals.contains(H::Role::"finance") }',
			),
			/does not lift it/,
		],
		[
			"an approval the wrong way round",
			held('@approval("manager")', ' when { context.approvals.contains(H::Role::"manager") }'),
			/without an approval it never applies/,
		],
		["an approval on a permit", '@approval("manager") permit(principal, action, resource);', /belongs on a forbid/],
		["an approval of nobody", held("@approval"), /names no role/],
		["a count without an approval", held('@count("2")'), /@count stands without @approval/],
		["a time without an approval", held('@ttl("2h")'), /@ttl stands without @approval/],
		["a count of nobody", held('@approval("manager") @count("0")', lifted("manager")), /@count is "0"/],
		["a count of too many", held('@approval("manager") @count("101")', lifted("manager")), /at most 100/],
		["no time", held('@approval("manager") @ttl("soon")', lifted("manager")), /@ttl is "soon"/],
		[
			"an annotation that is misspelt",
			held('@aproval("manager")', lifted("manager")),
			/there is no annotation @aproval/,
		],
		["two policies of one id", `@id("a") ${permit} @id("a") ${permit}`, /another policy has this id, at policy:1/],
		["an id that is shipped", `@id("holdpoint-internal") ${permit}`, /another policy has this id/],
	])("%s", async (_, text, message) => {
		const problems = await problemsOf(text);
		expect(problems.map((problem) => problem.message).join("\n")).toMatch(message);
	});

	test("a role that is not among those that there are", async () => {
		const [problem] = await problemsOf(held('@approval("manger")', lifted("manger")), { roles: ["manager"] });
		expect(problem?.message).toBe('there is no role "manger"; there are: manager');
		const [inBody] = await problemsOf(held("", lifted("boss")), { roles: ["manager"] });
		expect(inBody?.message).toMatch(/"boss".* not declared as a valid eid/);
	});

	test("every problem is told, each with its place, also behind letters of several bytes", async () => {
		const problems = await problemsOf(
			`${permit}\n// ünï;cödé "\n@id("é;")\nforbid(principal, action, resource)\nwhen { context.user == "é;" && context.ab };\n  forbid(principal == H::Agent::"x", action, resource);`,
		);
		expect(problems.map(({ line, column, policy }) => ({ line, column, policy }))).toEqual(
			expect.arrayContaining([
				{ line: 5, column: 32, policy: "é;" },
				{ line: 6, column: 23, policy: "policy:6:3" },
			]),
		);
	});

	test("no agent that has no tools: nothing applies to it, and that is no fault of the policies", async () => {
		const policy = await ready(permit, {}, [{ name: "support", tools: [] }]);
		expect(policy.decide(ofCents(1)).verdict).toBe("deny");
	});

	test("an engine that is not installed", async () => {
		const load = () => Promise.reject(new Error("Cannot find package"));
		const policy = cedarPolicy({ text: shop, load });
		await expect(policy.ready([support])).rejects.toMatchObject({
			code: "policy.unavailable",
			hint: expect.stringContaining("npm i @cedar-policy/cedar-wasm"),
		});
	});

	test.each<[string, unknown]>([
		["nothing", {}],
		["two places", { text: "", folder: "x" }],
		["roles that are no names", { text: shop, roles: "manager" }],
		["a shadow that nobody hears of", { text: shop, shadow: { text: shop } }],
	])("options: %s", (_, options) => {
		expect(() => cedarPolicy(options as CedarPolicyOptions)).toThrow(
			expect.objectContaining({ code: "config.invalid" }),
		);
	});
});

describe("an approval that lifts in some cases is taken, and asked for in those", () => {
	test.each([
		['unless { context.approvals.contains(H::Role::"manager") && context.args.amountCents < 5000 }'],
		['when { !(context.approvals.contains(H::Role::"manager") && context.args.amountCents < 5000) }'],
		[
			'when { !context.approvals.containsAny([H::Role::"manager", H::Role::"finance"]) || context.args.amountCents >= 5000 }',
		],
		['when { if context.approvals.containsAll([H::Role::"manager"]) then context.args.amountCents >= 5000 else true }'],
		["when { context.approvals.isEmpty() || context.args.amountCents >= 5000 }"],
	])("%s", async (condition) => {
		const policy = await ready(
			`permit(principal, action, resource);
			@approval("manager") forbid(principal, action == H::Action::"call:refund_order", resource) ${condition};`,
			{ roles: ["manager", "finance"] },
		);
		expect(policy.decide(ofCents(4_000)).verdict).toBe("ask");
		expect(policy.decide(ofCents(6_000)).verdict).toBe("deny");
	});
});

describe("the cache", () => {
	const anyRequest = fc
		.record({
			principal: fc.constantFrom("ann", "bob", ""),
			tenant: fc.constantFrom(undefined, "acme", ""),
			session: fc.constantFrom(undefined, "s"),
			agent: fc.constantFrom("support", "other", "stranger"),
			provenance: fc.constantFrom<PolicyRequest["provenance"]>(
				{ via: "model" },
				{ via: "program", program: "c9" },
				{ via: "agent", path: ["a", "b"] },
			),
			label: fc.constantFrom<PolicyRequest["label"]>(undefined, { untrusted: "c1" }, { readers: ["staff"] }),
			depth: fc.nat({ max: 2 }),
			budgets: fc.oneof(
				fc.constant(undefined),
				fc
					.tuple(fc.constantFrom("refund-per-day", "calls"), fc.constantFrom(0, 5, 39_999, 40_000), fc.nat({ max: 1 }))
					.map((use) => spent(...use)),
			),
			run: fc.string(),
			call: fc.string(),
			approvedBy: fc.array(fc.string()),
			args: fc.oneof(
				fc.constantFrom(...[5_000, 15_000, 600_000].map((amountCents) => ({ orderId: "O-1", amountCents }))),
				fc.record(
					{
						orderId: fc.constantFrom("O-1", "O-2", "\ud800"),
						amountCents: fc.constantFrom(-1, -0, 0, 5_000, 15_000, 600_000, 1_000_001, 1.5, 2 ** 53),
						note: fc.constantFrom("x", "amountCents"),
						rate: fc.constantFrom(0.5, 1),
						items: fc.array(fc.constantFrom("a", "b"), { maxLength: 3 }),
					},
					{ requiredKeys: [] },
				),
				fc.jsonValue().map((value) => value as Json),
			),
		})
		.map((facts) => asked(facts.args as Json, facts as Partial<PolicyRequest>));
	/** Calls that differ in one thing each, so that a key that leaves something out meets itself. */
	const nearRequests = fc
		.tuple(
			anyRequest,
			fc.array(
				fc.tuple(
					anyRequest,
					fc.constantFrom("principal", "tenant", "session", "agent", "depth", "provenance", "label", "budgets", "args"),
				),
			),
		)
		.map(([base, others]) => [base, ...others.map(([other, name]) => ({ ...base, [name]: other[name as "args"] }))]);
	const wide = `${shop}
		@id("notes") forbid(principal, action == H::Action::"call:refund_order", resource)
		when { context.args has note && context.args.note == "x" && context.user == "bob" };
		@id("acme") forbid(principal, action, resource) when { context has tenant && context.tenant == "acme" && context has session };
		@id("sets") @approval("manager") forbid(principal, action == H::Action::"call:refund_order", resource)
		when { context.args has items && context.args.items.contains("b") && context.provenance.via == "program" }
		unless { context.approvals.contains(H::Role::"manager") };
		@id("no-tenant") forbid(principal, action, resource) when { !(context has tenant) && context.user == "" };
		@id("secret") forbid(principal, action, resource) when { context.label has readers && context.label.readers.contains("staff") };
		@id("read-untrusted") @approval("manager") forbid(principal, action, resource) when { context.label.untrusted }
		unless { context.approvals.contains(H::Role::"manager") };
		@id("other") permit(principal == H::Agent::"other", action, resource) when { context.user == "bob" };
		@id("paths") forbid(principal, action, resource) when { context.provenance.path.contains("b") };`;
	const agents = [support, { name: "other", tools: [refund] }];

	const readsBudgets = `${wide}
		@id("spent") @approval("manager") forbid(principal, action == H::Action::"call:refund_order", resource)
		when { context.budgets["refund-per-day"].spent + context.budgets["refund-per-day"].held >= 40000 }
		unless { context.approvals.contains(H::Role::"manager") };
		@id("calls") forbid(principal, action == H::Action::"call:refund_order", resource)
		when { context.budgets.calls.held == 1 && context.depth == 2 };`;

	test.each([
		["that is told of no budgets", wide],
		["that reads budgets", readsBudgets],
	])("never changes a verdict of a policy %s", async (_, text) => {
		const [cached, plain] = [await ready(text, {}, agents), await ready(text, { cache: false }, agents)];
		const verdicts = new Set<string>();
		fc.assert(
			fc.property(nearRequests, (requests) => {
				for (const request of [...requests, ...requests]) {
					const decision = cached.decide(request);
					expect(decision).toEqual(plain.decide(request));
					verdicts.add(decision.verdict);
				}
			}),
			{ numRuns: 400 },
		);
		expect([...verdicts].sort()).toEqual(["allow", "ask", "deny"]);
	});

	test("and budgets that no policy reads change none either", async () => {
		const policy = await ready(wide, {}, agents);
		fc.assert(
			fc.property(anyRequest, anyRequest, (request, { budgets: others }) => {
				expect(policy.decide({ ...request, budgets: others })).toEqual(
					policy.decide({ ...request, budgets: undefined }),
				);
			}),
			{ numRuns: 400 },
		);
	});

	test("asks Cedar once for the same, and is in nobody's hands", async () => {
		const engine = await loadEngine();
		let times = 0;
		const load = async () => ({
			...engine,
			statefulIsAuthorized: (call: Parameters<typeof engine.statefulIsAuthorized>[0]) => {
				times += 1;
				expect(call).toMatchObject({ validateRequest: true, preparsedSchemaName: expect.any(String), entities: [] });
				return engine.statefulIsAuthorized(call);
			},
		});
		const policy = await ready(shop, { load });
		const first = policy.decide(ofCents(15_000));
		if (first.verdict === "ask" && first.ask) Object.assign(first.ask, { roles: [] });
		expect(policy.decide({ ...ofCents(15_000), run: "r2", call: "c7" })).toMatchObject({ ask: { roles: ["manager"] } });
		expect(times).toBe(2);
		policy.decide(ofCents(15_001));
		expect(times).toBe(4);
	});

	test("is bounded: the oldest goes, and what is too long is not kept", async () => {
		const engine = await loadEngine();
		let times = 0;
		const load = async () => ({
			...engine,
			statefulIsAuthorized: () => {
				times += 1;
				return {
					type: "success",
					response: { decision: "deny", diagnostics: { reason: [], errors: [] } },
					warnings: [],
				};
			},
		});
		const policy = await ready(shop, { load });
		for (let cents = 0; cents < 1_001; cents++) policy.decide(ofCents(cents));
		policy.decide(ofCents(1_000));
		expect(times).toBe(1_001);
		policy.decide(ofCents(0));
		expect(times).toBe(1_002);
		const long = asked({ orderId: "x".repeat(9_000), amountCents: 1 });
		policy.decide(long);
		policy.decide(long);
		expect(times).toBe(1_004);
	});
});

test("which tools may be asked about is told before anybody calls them", async () => {
	const policy = await ready(shop);
	expect(policy.mayAsk({ ...ofCents(1), tool: refund })).toBe(true);
	expect(policy.mayAsk({ ...ofCents(1), tool: lookup })).toBe(false);
	const anything = await ready(
		`permit(principal, action, resource); @approval("boss") forbid(principal, action, resource) unless { context.approvals.contains(H::Role::"boss") };`,
	);
	expect(anything.mayAsk({ ...ofCents(1), tool: lookup })).toBe(true);
	expect(cedarPolicy({ text: shop }).mayAsk({ ...ofCents(1), tool: lookup })).toBe(true);
});

describe("the version", () => {
	test("is that of the texts and the tools", async () => {
		const one = await ready(shop);
		expect(one.version).toMatch(/^cedar:[\w-]{12}$/);
		expect((await ready(shop)).version).toBe(one.version);
		expect((await ready(shop.replace("1000000", "1000001"))).version).not.toBe(one.version);
		expect((await ready(shop, {}, [{ name: "support", tools: [refund] }])).version).not.toBe(one.version);
	});
});

describe("the shadow", () => {
	const stricter = shop.replace("amountCents > 10000 ", "amountCents > 1000 ");
	const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

	test("is told apart where it differs, and decides nothing", async () => {
		const reports: CedarReport[] = [];
		const policy = await ready(shop, { shadow: { text: stricter }, report: (event) => reports.push(event) });
		expect(policy.decide(ofCents(500))).toEqual({ verdict: "allow" });
		expect(policy.decide(ofCents(5_000))).toEqual({ verdict: "allow" });
		expect(reports).toEqual([]);
		await turn();
		expect(reports).toMatchObject([
			{
				type: "shadow.differs",
				run: "r1",
				call: "c1",
				agent: "support",
				principal: "ann",
				tool: "refund_order",
				enforced: { version: policy.version, decision: { verdict: "allow" } },
				shadow: {
					version: expect.stringMatching(/^cedar:/),
					decision: { verdict: "ask", ask: { roles: ["manager"] } },
				},
			},
		]);
		expect(JSON.stringify(reports)).not.toContain("O-1");
	});

	test("that cannot be used is reported, and the policy decides as ever", async () => {
		const reports: CedarReport[] = [];
		const policy = await ready(shop, { shadow: { text: "permit(" }, report: (event) => reports.push(event) });
		expect(policy.decide(ofCents(500)).verdict).toBe("allow");
		await turn();
		expect(reports.map(({ type }) => type)).toEqual(["shadow.refused"]);
	});

	test("is left behind where decisions are faster, and says how many", async () => {
		const reports: CedarReport[] = [];
		const policy = await ready(shop, { shadow: { text: stricter }, report: (event) => reports.push(event) });
		for (let n = 0; n < 1_500; n++) policy.decide(ofCents(5_000));
		await turn();
		expect(reports).toHaveLength(1_000);
		expect(reports[0]).toMatchObject({ skipped: 500 });
	});

	test("and whoever listens cannot disturb a decision", async () => {
		let heard = 0;
		const report = () => {
			heard += 1;
			throw new Error("hostile");
		};
		const policy = await ready(shop, { shadow: { text: stricter }, report });
		expect(policy.decide(ofCents(5_000)).verdict).toBe("allow");
		await turn();
		expect(heard).toBe(1);
	});
});

describe("explaining", () => {
	test.each<[string, number, object]>([
		["allowed", 5_000, { rules: [{ id: "refunds", effect: "permit", place: "policy:4" }] }],
		[
			"asked",
			600_000,
			{
				lift: "a yes of finance and manager",
				rules: [{ id: "over-100-needs-manager" }, { id: "over-5000-needs-finance" }],
			},
		],
		["denied", 1_000_001, { lift: "nothing but a change of hard-cap, or other arguments" }],
		["not permitted", 0, { rules: [], lift: "a permit that applies to it; no approval is enough" }],
	])("%s", async (_, cents, explanation) => {
		const policy = await ready(shop);
		const explained = policy.explain(ofCents(cents));
		expect(explained).toMatchObject({
			version: policy.version,
			decision: policy.decide(ofCents(cents)),
			...explanation,
		});
	});

	test("checking lists fields, those that are left out, rules, and all problems", async () => {
		const agent = defineAgent({ name: "support", instructions: "x", tools: [refund, lookup] });
		const policy = cedarPolicy({ text: shop, shadow: { text: "permit(" }, report: () => undefined });
		const check = await policy.check([agent]);
		expect(check).toMatchObject({
			version: expect.stringMatching(/^cedar:/),
			problems: [],
			shadow: { version: undefined },
		});
		expect(check.shadow?.problems).toHaveLength(1);
		expect(check.rules.map(({ id }) => id)).toContain("holdpoint-internal");
		const tool = check.tools.find(({ name }) => name === "refund_order");
		expect(tool).toEqual({
			name: "refund_order",
			agents: ["support"],
			effects: ["write"],
			fields: [
				{ field: "orderId", type: "String", isOptional: false },
				{ field: "amountCents", type: "Long", isOptional: false },
				{ field: "note", type: "String", isOptional: true },
				{ field: "items", type: "Set<String>", isOptional: true },
			],
			leftOut: [{ field: "rate", why: expect.stringContaining("fractional") }],
			notes: [
				{ field: "items", why: "a set: order and repetitions are not seen" },
				{ field: "(all)", why: "keys beside the named ones are not seen" },
			],
		});
		expect(policy.version).toBe("cedar:none");
	});
});
