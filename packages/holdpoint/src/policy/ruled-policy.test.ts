import { describe, expect, test } from "vitest";
import type { Ask, Decision, Policy, PolicyRequest, ToolFacts } from "../spec/policy.ts";
import type { Tool } from "../spec/tool.ts";
import { effectPolicy } from "./effect-policy.ts";
import { ruledPolicy, type ToolRules } from "./ruled-policy.ts";

const rules = (decision?: Decision): ToolRules => ({
	version: "rules:1",
	tools: new Set(["mine"]),
	decide: () => decision,
	mayAsk: () => decision?.verdict === "ask",
});

function request(name: string, effect = "write"): PolicyRequest {
	const facts = { run: "r", call: "c", principal: "p", tenant: undefined, session: undefined, agent: "a", depth: 0 };
	const tool = { name, version: "1", effect, tags: [] };
	return { ...facts, provenance: { via: "model" }, tool, args: null, approvedBy: [] } as PolicyRequest;
}

describe("a policy with rules of tools", () => {
	test("they stand in the place of the effect class, for their own tools", () => {
		const policy = ruledPolicy(rules({ verdict: "allow" }));
		expect(policy.decide(request("mine"))).toEqual({ verdict: "allow" });
		expect(policy.decide(request("other"))).toMatchObject({ verdict: "ask" });
		expect(ruledPolicy(rules()).decide(request("mine"))).toMatchObject({ verdict: "ask" });
	});

	test("several sets of rules have one policy under them, in whatever order they are put together", () => {
		const yours: ToolRules = { ...rules({ verdict: "allow" }), version: "rules:2", tools: new Set(["yours"]) };
		const allow = rules({ verdict: "allow" });
		for (const policy of [
			ruledPolicy(yours, ruledPolicy(allow)),
			ruledPolicy(allow, ruledPolicy(yours, effectPolicy)),
		]) {
			expect(["mine", "yours"].map((name) => policy.decide(request(name)))).toEqual([
				{ verdict: "allow" },
				{ verdict: "allow" },
			]);
			expect(policy.decide(request("other"))).toMatchObject({ verdict: "ask" });
		}
		const own = ruledPolicy(
			yours,
			ruledPolicy(allow, () => ({ verdict: "ask", reason: "own" })),
		);
		expect(own.decide(request("yours"))).toMatchObject({ verdict: "ask", reason: "own" });
		expect(own.version).toMatch(/^rules:1\+rules:2\+function:/);
	});

	test("a rule that asks asks as many people as the effect class does, and what else it wants", () => {
		const asking = (ask?: Ask) => rules({ verdict: "ask", reason: "rule", ...(ask ? { ask } : {}) });
		const destroying = request("mine", "destructive");
		expect(ruledPolicy(asking()).decide(destroying)).toEqual({ verdict: "ask", reason: "rule", ask: { count: 2 } });
		const own = ruledPolicy(asking({ roles: ["lead"] }), () => ({ verdict: "allow" }));
		expect(own.decide(destroying)).toMatchObject({ ask: { roles: ["lead"], count: 1, people: 2 } });
		expect(ruledPolicy(asking({ count: 3 })).decide(destroying)).toMatchObject({ ask: { count: 3 } });
		expect(ruledPolicy(asking()).decide(request("mine", "read"))).toEqual({ verdict: "ask", reason: "rule", ask: {} });
	});

	test("two sets of rules for one name, or another tool of that name, would answer for each other", async () => {
		const allow = rules({ verdict: "allow" });
		expect(() => ruledPolicy(rules(), ruledPolicy(allow))).toThrow("Two sets of rules speak of a tool mine");
		const mine = { name: "mine" } as Tool;
		const policy = ruledPolicy({ ...allow, isOwn: (tool) => tool === mine });
		await policy.ready?.([{ name: "a", tools: [mine, { name: "other" } as Tool] }]);
		expect(() => policy.ready?.([{ name: "b", tools: [{ ...mine }] }])).toThrow("The tool mine of the agent b");
	});

	test("everything else of the other policy stays as it says, also what it says later", async () => {
		let version = "own:1";
		const told: unknown[] = [];
		const own: Policy = {
			get version() {
				return version;
			},
			get refused() {
				return version === "own:2" ? "own:3 does not parse" : undefined;
			},
			decide: () => ({ verdict: "deny", reason: "own" }),
			ready: (agents) => void told.push(agents),
			declares: ({ tool }) => tool.name !== "hidden",
			mayAsk: () => false,
			readsBudgets: () => true,
		};
		const policy = ruledPolicy(rules({ verdict: "ask", reason: "rule" }), own);
		version = "own:2";
		expect([policy.version, policy.refused]).toEqual(["rules:1+own:2", "own:3 does not parse"]);
		await policy.ready?.([]);
		expect(told).toEqual([[]]);
		const facts = (name: string): ToolFacts => request(name);
		expect(policy.declares?.(facts("hidden"))).toBe(false);
		expect(policy.readsBudgets?.(facts("mine"))).toBe(true);
		expect([policy.mayAsk?.(facts("mine")), policy.mayAsk?.(facts("other"))]).toEqual([true, false]);
		expect(ruledPolicy(rules()).readsBudgets).toBeUndefined();
	});

	test("I4: what the other one throws, or says in no decision, is never milder than a denial", async () => {
		const throwing = ruledPolicy(rules({ verdict: "allow" }), () => {
			throw new Error("broken");
		});
		expect(() => throwing.decide(request("mine"))).toThrow("broken");
		const rejecting = ruledPolicy(rules({ verdict: "allow" }), async () => Promise.reject(new Error("broken")));
		await expect(rejecting.decide(request("mine"))).rejects.toThrow("broken");
		const late = ruledPolicy(rules({ verdict: "allow" }), async () => ({ verdict: "yes" }) as never);
		expect(await late.decide(request("mine"))).toMatchObject({ verdict: "deny" });
	});
});
