import type { Decision, PolicyRequest } from "../../spec/policy.ts";
import { euros } from "./euros.ts";

/** A refund up to this needs nobody. Units: cents. */
export const refundAloneCents = 5_000;

/** Who may do what in the demo's shop. A policy is a function; what it does not name is denied. */
export function shopPolicy({ tool, args }: PolicyRequest): Decision {
	if (tool.effect === "internal" || tool.effect === "read") return { verdict: "allow" };
	if (tool.name === "send_message") return { verdict: "allow" };
	if (tool.name === "refund_order") {
		const { amountCents } = args as { amountCents: number };
		if (amountCents <= refundAloneCents)
			return { verdict: "allow", reason: `${euros(amountCents)} is within what the agent may refund alone` };
		return {
			verdict: "ask",
			reason: `A refund of ${euros(amountCents)} is above ${euros(refundAloneCents)}: a person decides`,
		};
	}
	return { verdict: "deny", reason: `No rule allows ${tool.name}` };
}
