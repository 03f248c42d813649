/** Decisions of a Cedar policy, alone and in a run. */
import {
	createHarness,
	defineAgent,
	defineTool,
	type Harness,
	memoryStore,
	type Policy,
	type PolicyRequest,
} from "holdpoint";
import { type CedarPolicy, cedarPolicy } from "holdpoint/policies/cedar";
import { z } from "zod";
import { plannedModel } from "../script-model.ts";
import { serveRows, timed } from "../subject.ts";
import { check, instructions, lookup, prompt, toolDescription } from "../work.ts";

const { model, plan } = plannedModel();
const limits = { turnsMax: 10_000, callsMax: 10_000 };
const lookupTool = defineTool({
	name: "lookup",
	description: toolDescription,
	input: z.object({ id: z.int() }),
	effect: "read",
	execute: lookup,
});
const order = z.object({ orderId: z.string(), amountCents: z.int(), note: z.string().optional() });
const shopTools = ["refund_order", "change_order", "ship_order", "cancel_order", "charge_card", "send_mail"].map(
	(name) => defineTool({ name, description: `Does ${name}.`, input: order, tags: ["shop"], execute: () => null }),
);
const agent = defineAgent({ name: "bench", instructions, model, tools: [lookupTool, ...shopTools], limits });

/** So many policies, as a shop would have them: permits, caps that people lift, and rules for one user, tag or tool. */
function policyText(count: number): string {
	const tool = (at: number) => shopTools[at % shopTools.length]?.name ?? "";
	const policies = [
		'permit(principal, action, resource) when { context.tool.effect == "read" };',
		'permit(principal == H::Agent::"bench", action == H::Action::"call:refund_order", resource);',
		`@approval("manager") @ttl("72h") forbid(principal, action == H::Action::"call:refund_order", resource)
		when { context.args.amountCents > 10000 } unless { context.approvals.contains(H::Role::"manager") };`,
	];
	for (let at = policies.length; at < count; at++) {
		policies.push(
			at % 2 === 0
				? `forbid(principal, action == H::Action::"call:${tool(at)}", resource) when { context.args.amountCents > ${100_000 + at} };`
				: `forbid(principal, action, resource) when { context.tool.tags.contains("t${at}") && context.user == "user-${at}" };`,
		);
	}
	return policies.join("\n");
}

let policy: CedarPolicy;
let made: { readonly policies: number; readonly isCached: boolean } | undefined;

async function madeOf(policies: number, isCached: boolean): Promise<void> {
	if (made?.policies === policies && made.isCached === isCached) return;
	policy = cedarPolicy({ text: policyText(policies), cache: isCached });
	await policy.ready([agent]);
	made = { policies, isCached };
}

const refund = shopTools[0] as (typeof shopTools)[number];
let asked = 0;

/** Every second one is held, which is decided twice: without the approval, and with it. */
function request(): PolicyRequest {
	asked += 1;
	const { name, version, effect, tags, labels } = refund;
	return {
		run: "r",
		call: `c${asked}`,
		principal: "ann",
		tenant: "acme",
		session: undefined,
		agent: "bench",
		depth: 0,
		provenance: { via: "model" },
		tool: { name, version, effect, tags, labels },
		args: { orderId: `O-${asked}`, amountCents: asked % 2 === 0 ? 5_000 : 50_000 },
		approvedBy: [],
	};
}

let harness: Harness;

async function begin(made: Policy | undefined): Promise<void> {
	await harness?.close();
	harness = createHarness({ store: memoryStore(), agents: [agent], ...(made ? { policy: made } : {}) });
}

async function oneCall(): Promise<void> {
	plan(1);
	const result = await harness.run(agent, prompt);
	check(result.status === "completed" && result.output === "done", result.status);
}

await serveRows({
	/** One decision that is not remembered. */
	decide: timed({
		begin: ({ policies = 20 }) => madeOf(policies, false),
		async run() {
			const { verdict } = policy.decide(request());
			check(verdict === (asked % 2 === 0 ? "allow" : "ask"), verdict);
		},
	}),
	/** A run with one call, decided anew each time, or from what is remembered. */
	run: timed({
		async begin({ policies = 20, cached = 0 }) {
			await madeOf(policies, cached === 1);
			await begin(policy);
		},
		run: oneCall,
	}),
});
