/** A shop with Cedar policies: tools, policies, budgets and calls for the tests of the Cedar adapter. */
import { type CedarPolicyOptions, cedarPolicy, type PolicyProblem } from "../adapters/policies/cedar/cedar-policy.ts";
import type { Budget } from "../spec/budget.ts";
import { isHoldpointError } from "../spec/errors.ts";
import type { Json } from "../spec/json.ts";
import type { GovernedAgent, PolicyRequest } from "../spec/policy.ts";
import { defineTool } from "../tools/define-tool.ts";
import { jsonSchema } from "../tools/json-schema.ts";

export const refund = defineTool({
	name: "refund_order",
	description: "Refunds an order.",
	input: jsonSchema({
		type: "object",
		properties: {
			orderId: { type: "string" },
			amountCents: { type: "integer" },
			note: { type: "string" },
			rate: { type: "number" },
			items: { type: "array", items: { type: "string" } },
		},
		required: ["orderId", "amountCents"],
	}),
	tags: ["money"],
	execute: () => null,
});
export const lookup = defineTool({
	name: "get_order",
	description: "Looks an order up.",
	input: jsonSchema({ type: "object", properties: { orderId: { type: "string" } }, required: ["orderId"] }),
	effect: "read",
	execute: () => null,
});
export const note = defineTool({
	name: "keep_note",
	description: "Keeps a note in the run's own journal.",
	input: jsonSchema({ type: "object", properties: {} }),
	effect: "internal",
	execute: () => null,
});
export const support: GovernedAgent = { name: "support", tools: [refund, lookup, note] };

export const shop = `
// Reads need nobody.
@id("reads") permit(principal, action, resource) when { context.tool.effect == "read" };
@id("refunds") permit(principal == H::Agent::"support", action == H::Action::"call:refund_order", resource)
when { context.args.amountCents > 0 };
@id("over-100-needs-manager") @approval("manager") @ttl("72h")
forbid(principal, action == H::Action::"call:refund_order", resource)
when { context.args.amountCents > 10000 } unless { context.approvals.contains(H::Role::"manager") };
@id("over-5000-needs-finance") @approval("finance") @ttl("24h")
forbid(principal, action == H::Action::"call:refund_order", resource)
when { context.args.amountCents > 500000 } unless { context.approvals.contains(H::Role::"finance") };
@id("hard-cap") forbid(principal, action == H::Action::"call:refund_order", resource)
when { context.args.amountCents > 1000000 };
`;

export function asked(args: Json, more: Partial<PolicyRequest> = {}, tool = refund): PolicyRequest {
	const { name, version, effect, tags, labels } = tool;
	return {
		run: "r1",
		call: "c1",
		principal: "ann",
		tenant: undefined,
		session: undefined,
		agent: "support",
		depth: 0,
		provenance: { via: "model" },
		tool: { name, version, effect, tags, labels },
		args,
		approvedBy: [],
		...more,
	};
}
export const ofCents = (amountCents: number) => asked({ orderId: "O-1", amountCents });

export const budgets: readonly Budget[] = [
	{ name: "refund-per-day", counts: { tool: "refund_order", sum: "amountCents" }, max: 50_000 },
	{ name: "calls", counts: "calls", max: 10 },
	// Cedar keeps such names for itself.
	{ name: "__entity", counts: "calls", max: 10 },
];
export const spent = (name: string, spent: number, held = 0): PolicyRequest["budgets"] =>
	Object.fromEntries(
		budgets.map((one) => [
			one.name,
			{ spent: 0, held: 0, max: one.max, ...(one.name === name ? { spent, held } : {}) },
		]),
	);

export async function ready(text: string, options: Partial<CedarPolicyOptions> = {}, agents = [support]) {
	const policy = cedarPolicy({ text, ...options });
	await policy.ready(agents, { budgets, labels: true });
	return policy;
}

export async function problemsOf(
	text: string,
	options: Partial<CedarPolicyOptions> = {},
): Promise<readonly PolicyProblem[]> {
	const error = await ready(text, options).then(
		() => undefined,
		(thrown: unknown) => thrown,
	);
	if (!isHoldpointError(error)) throw new Error(`it was taken: ${text}`, { cause: error });
	if (error.code !== "policy.invalid") throw error;
	return error.details["problems"] as readonly PolicyProblem[];
}
