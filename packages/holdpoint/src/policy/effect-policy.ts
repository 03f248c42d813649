import type { Decision, Policy, PolicyRequest } from "../spec/policy.ts";

/** What holds where no policy is configured: the tool's effect class decides. */
export const effectPolicy: Policy = {
	version: "effect-class",
	decide: decideByEffect,
	mayAsk: ({ tool }) => tool.effect === "write" || tool.effect === "destructive",
};

export function decideByEffect(request: PolicyRequest): Decision {
	switch (request.tool.effect) {
		case "internal":
		case "read":
			return allow;
		case "write":
			return { verdict: "ask", reason: `${request.tool.name} changes something`, ask: { count: 1 } };
		case "destructive":
			return { verdict: "ask", reason: `${request.tool.name} cannot be undone`, ask: { count: 2 } };
		default:
			return { verdict: "deny", reason: `${request.tool.name} declares an effect that is not known here` };
	}
}

const allow: Decision = { verdict: "allow" };
