import { describe, expect, test } from "vitest";
import type { PolicyRequest } from "../spec/policy.ts";
import type { Effect } from "../spec/tool.ts";
import { effectPolicy } from "./effect-policy.ts";

function decideFor(effect: Effect) {
	const tool = { name: "pay", version: "1", effect, tags: [] };
	const facts = { run: "r", call: "c", principal: "p", tenant: undefined, session: undefined, agent: "a", depth: 0 };
	const request: PolicyRequest = { ...facts, provenance: { via: "model" }, tool, args: null, approvedBy: [] };
	return effectPolicy.decide(request);
}

describe("the policy where none is configured", () => {
	test.each([
		["internal", { verdict: "allow" }],
		["read", { verdict: "allow" }],
		["write", { verdict: "ask", ask: { count: 1 } }],
		["destructive", { verdict: "ask", ask: { count: 2 } }],
	] as const)("%s", (effect, decision) => {
		expect(decideFor(effect)).toMatchObject(decision);
	});

	test("I4: an effect that it does not know is denied", () => {
		expect(decideFor("harmless" as Effect)).toMatchObject({ verdict: "deny" });
	});
});
