import { describe, expect, test } from "vitest";
import type { PolicyRequest } from "../../../spec/policy.ts";
import { lookup, note, ofCents, problemsOf, ready, refund, shop, spent } from "../../../testing/cedar-scene.ts";
import type { CedarPolicy, CedarReport } from "./cedar-policy.ts";
import { loadEngine } from "./engine.ts";

const day = 'context.budgets["refund-per-day"]';
const thrifty = `${shop}
@id("most-of-the-day-is-spent") @approval("manager")
forbid(principal, action == H::Action::"call:refund_order", resource)
when { (${day}.spent + ${day}.held) * 10 >= ${day}.max * 8 } unless { context.approvals.contains(H::Role::"manager") };`;

describe("how budgets stand", () => {
	const refundOf = (budgets: PolicyRequest["budgets"]) => ({ ...ofCents(5_000), budgets });

	test("can be tested: from a part that is used on, people are asked", async () => {
		const policy = await ready(thrifty);
		const verdict = (spentCents: number, held = 0) =>
			policy.decide(refundOf(spent("refund-per-day", spentCents, held))).verdict;
		expect([verdict(0), verdict(39_999), verdict(40_000), verdict(50_000)]).toEqual(["allow", "allow", "ask", "ask"]);
		expect([verdict(30_000, 9_999), verdict(30_000, 10_000)]).toEqual(["allow", "ask"]);
		// Others may be spent as they will.
		expect(policy.decide(refundOf(spent("calls", 10))).verdict).toBe("allow");
	});

	test("as large as numbers are exact, they are compared; beyond, or not known, it is denied", async () => {
		const policy = await ready(thrifty);
		const most = Number.MAX_SAFE_INTEGER;
		expect(policy.decide(refundOf(spent("refund-per-day", 0, most))).verdict).toBe("ask");
		for (const wrong of [undefined, {}, spent("refund-per-day", most + 1), spent("refund-per-day", 0.5)]) {
			expect(policy.decide(refundOf(wrong))).toMatchObject({
				verdict: "deny",
				reason: expect.stringMatching(/Cedar cannot be told of this call: context\.budgets/),
			});
		}
	});

	test.each([
		["a budget that there is not", 'context.budgets["refund-per-month"].spent > 1', /refund-per-month/],
		["a part that there is not", "context.budgets.calls.left > 1", /left/],
		["a number with a text", 'context.budgets.calls.spent == "1"', /type/],
		["a name that Cedar keeps", 'context.budgets["__entity"].spent > 1', /__entity/],
	])("a policy that speaks of %s keeps the harness from starting", async (_, condition, message) => {
		const [problem] = await problemsOf(`permit(principal, action, resource) when { ${condition} };`);
		expect(problem?.message).toMatch(message);
	});

	const readers: readonly [string, string, boolean][] = [
		["nothing of the kind", "context.args.amountCents > 5", false],
		["a text of that name", 'context.user == "budgets"', false],
		["one of them", "context.budgets.calls.spent > 5", true],
		["whether there is one", "context.budgets has calls", true],
		["whether there are any", "context has budgets && context.budgets.calls.held > 1", true],
		[
			"one of them within others",
			'if context.user == "a" then [1, context.budgets.calls.max].contains(3) else false',
			true,
		],
	];
	test.each(readers)("are looked up for the tool of a policy that reads %s: %j", async (_, condition, isRead) => {
		const text = `${shop} @id("more") forbid(principal, action == H::Action::"call:refund_order", resource) when { ${condition} };`;
		const policy = await ready(text);
		expect(policy.readsBudgets({ tool: refund })).toBe(isRead);
		expect(policy.readsBudgets({ tool: lookup })).toBe(false);
	});

	test("are looked up for every tool where a policy is of every tool, or of this one among others", async () => {
		const condition = "when { context.budgets.calls.spent > 5 }";
		const all = await ready(`${shop} forbid(principal, action, resource) ${condition};`);
		const some = await ready(
			`${shop} forbid(principal, action in [H::Action::"call:get_order", H::Action::"call:keep_note"], resource) ${condition};`,
		);
		const read = (policy: CedarPolicy) => [refund, lookup, note].map((tool) => policy.readsBudgets({ tool }));
		expect([read(all), read(some)]).toEqual([
			[true, true, true],
			[false, true, true],
		]);
	});

	test("are looked up for the shadow alone, and then only it is told of them", async () => {
		const reports: CedarReport[] = [];
		const policy = await ready(shop, { shadow: { text: thrifty }, report: (event) => reports.push(event) });
		expect(policy.readsBudgets({ tool: refund })).toBe(true);
		for (const cents of [0, 39_999, 40_000]) {
			expect(policy.decide(refundOf(spent("refund-per-day", cents))).verdict).toBe("allow");
		}
		await new Promise(setImmediate);
		expect(reports).toMatchObject([{ type: "shadow.differs", shadow: { decision: { verdict: "ask" } } }]);
	});

	test("that no policy reads are not told to Cedar, and split no decision that is remembered", async () => {
		const engine = await loadEngine();
		const contexts: unknown[] = [];
		const load = async () => ({
			...engine,
			statefulIsAuthorized: (call: Parameters<typeof engine.statefulIsAuthorized>[0]) => {
				contexts.push(call.context);
				return engine.statefulIsAuthorized(call);
			},
		});
		const [blind, seeing] = [await ready(shop, { load }), await ready(thrifty, { load })];
		for (const cents of [0, 1, 2]) blind.decide(refundOf(spent("refund-per-day", cents)));
		expect(contexts).toHaveLength(1);
		expect(contexts[0]).not.toHaveProperty("budgets");
		for (const cents of [0, 1, 2]) seeing.decide(refundOf(spent("refund-per-day", cents)));
		expect(contexts).toHaveLength(4);
		expect(contexts[3]).toMatchObject({ budgets: { "refund-per-day": { spent: 2, held: 0, max: 50_000 } } });
	});
});

test("how deep agents put one another to work can be tested", async () => {
	const policy = await ready(`${shop} @id("deep") forbid(principal, action, resource) when { context.depth > 1 };`);
	const verdict = (depth: number) => policy.decide({ ...ofCents(5_000), depth }).verdict;
	expect([verdict(0), verdict(1), verdict(2), verdict(0.5)]).toEqual(["allow", "allow", "deny", "deny"]);
});
