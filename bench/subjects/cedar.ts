/** Decisions of a Cedar policy, alone and in a run. */
import { createHarness, defineAgent, defineTool, type Harness, memoryStore, type PolicyRequest } from "holdpoint";
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
function policyText(count: number, isHeld: boolean): string {
	const tool = (at: number) => shopTools[at % shopTools.length]?.name ?? "";
	const policies = [
		'permit(principal, action, resource) when { context.tool.effect == "read" };',
		'permit(principal == H::Agent::"bench", action == H::Action::"call:refund_order", resource);',
		`@approval("manager") @ttl("72h") forbid(principal, action == H::Action::"call:refund_order", resource)
		when { context.args.amountCents > 10000 } unless { context.approvals.contains(H::Role::"manager") };`,
	];
	if (isHeld) {
		policies.push(`@approval("manager") forbid(principal, action == H::Action::"call:lookup", resource)
		unless { context.approvals.contains(H::Role::"manager") };`);
	}
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
let made: Making | undefined;

interface Making {
	readonly policies: number;
	readonly isCached?: boolean;
	/** Whether people are asked for the call of a run. */
	readonly isHeld?: boolean;
}

async function madeOf({ policies, isCached = false, isHeld = false }: Making): Promise<void> {
	if (made?.policies === policies && made.isCached === isCached && made.isHeld === isHeld) return;
	policy = cedarPolicy({ text: policyText(policies, isHeld), cache: isCached });
	await policy.ready([agent]);
	made = { policies, isCached, isHeld };
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

async function begin(isAudited: boolean): Promise<void> {
	await harness?.close();
	harness = createHarness({
		store: memoryStore(),
		agents: [agent],
		policy,
		rolesOf: () => ["manager"],
		...(isAudited ? { audit: { name: "bench" } } : {}),
	});
}

async function oneCall(): Promise<void> {
	plan(1);
	const result = await harness.run(agent, prompt);
	check(result.status === "completed" && result.output === "done", result.status);
}

/** Held, answered, decided again and executed. */
async function oneHeldCall(): Promise<void> {
	plan(1);
	const { run, ...waiting } = await harness.run(agent, prompt, { principal: "ann" });
	const wait = waiting.status === "waiting" ? waiting.waits[0] : undefined;
	check(wait?.kind === "approval", waiting.status);
	await harness.approve(wait.approval, { by: { id: "kim", via: "bench" } });
	const result = await harness.resume(run);
	check(result.status === "completed" && result.output === "done", result.status);
}

await serveRows({
	/** One decision that is not remembered. */
	decide: timed({
		begin: ({ policies = 20 }) => madeOf({ policies }),
		async run() {
			const { verdict } = policy.decide(request());
			check(verdict === (asked % 2 === 0 ? "allow" : "ask"), verdict);
		},
	}),
	/** A run with one call, decided anew each time, or from what is remembered. */
	run: timed({
		async begin({ policies = 20, cached = 0, audited = 0 }) {
			await madeOf({ policies, isCached: cached === 1 });
			await begin(audited === 1);
		},
		run: oneCall,
	}),
	/** The same, where the call is decided when it is asked for, and again when it is executed. */
	held: timed({
		async begin({ policies = 20, cached = 0 }) {
			await madeOf({ policies, isCached: cached === 1, isHeld: true });
			await begin(true);
		},
		run: oneHeldCall,
	}),
});
