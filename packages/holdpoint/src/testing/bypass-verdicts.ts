/** What can be said to a call and is no permission, and, so that it is seen that the doors are real, what is one. */
import type { Budget } from "../spec/budget.ts";
import type { Decision } from "../spec/policy.ts";
import { approver, openOf, type Said, type Scene, tenant } from "./bypass-scene.ts";

export interface Verdict extends Said {
	readonly name: string;
	/** What was before the door is tried. */
	before?(scene: Scene): Promise<unknown>;
	readonly ends: "completed" | "waiting";
	readonly runs: 0 | 1;
	/** The last decision that is written down. */
	readonly decided: Decision["verdict"];
}

const allow = (): Decision => ({ verdict: "allow" });
const ask = (): Decision => ({ verdict: "ask", reason: "a person must say so" });
const askManager = (): Decision => ({ verdict: "ask", reason: "a manager must say so", ask: { roles: ["manager"] } });

const runsOnce = { ends: "completed", runs: 1 } as const;
const neverRuns = { ends: "completed", runs: 0, decided: "deny" } as const;
const waits = { ends: "waiting", runs: 0, decided: "ask" } as const;

export const allowed: Verdict = { name: "allowed, it runs once", decide: allow, ...runsOnce, decided: "allow" };

/** No call has what it adds up. */
const closedBudget: Budget = { name: "closed", counts: { tool: "danger", sum: "amount" }, max: 1 };
const oneCall: Budget = { name: "one", counts: "calls", tools: ["danger"], max: 1 };
const hourMs = 3_600_000;
const thrown = { reason: "stop", by: "operator" };

const byPolicy: readonly Verdict[] = [
	{ name: "denied, it never runs", decide: () => ({ verdict: "deny", reason: "never" }), ...neverRuns },
	{ name: "with a policy that throws, it never runs", decide: broken, ...neverRuns },
	allowed,
];

const byPeople: readonly Verdict[] = [
	{ name: "asked and unanswered, it never runs", decide: ask, ...waits },
	{ name: "asked and refused, it never runs", decide: ask, answer: "deny", ...neverRuns, decided: "ask" },
	{
		name: "asked, and nobody answers in time, it never runs",
		decide: ask,
		meanwhile: ({ clock }) => clock.advance(100 * hourMs),
		...neverRuns,
		decided: "ask",
	},
	{ name: "asked and approved, it runs once", decide: ask, answer: "approve", ...runsOnce, decided: "ask" },
	{
		name: "asked of a role and approved by who has it, it runs once",
		decide: askManager,
		answer: "approve",
		...runsOnce,
		decided: "ask",
	},
	{
		name: "approved by a person who lost the role before the answer is read, it never runs",
		decide: askManager,
		answer: "approve",
		meanwhile: ({ managers }) => managers.delete(approver.id),
		...waits,
	},
	{
		name: "approved by two, of whom one lost the role after the answer was read, it never runs",
		decide: () => ({ verdict: "ask", reason: "two managers", ask: { roles: ["manager"], count: 2 } }),
		answer: "approve",
		meanwhile: secondAfterLoss,
		...waits,
	},
];

/** The first answer is read while its giver has the role. */
async function secondAfterLoss(scene: Scene): Promise<void> {
	await (await scene.open()).resume("bypass");
	scene.managers.delete(approver.id);
	const harness = await scene.open();
	const held = await openOf(harness, "danger");
	if (held) await harness.approve(held.approval, { by: { id: "second", via: "test" } });
}

const byBudgets: readonly Verdict[] = [
	{ ...neverRuns, name: "allowed, and closed by a budget, it never runs", decide: allow, budgets: [closedBudget] },
	{
		name: "allowed, and its budget was used up before, it never runs",
		decide: allow,
		budgets: [oneCall],
		before: (scene) => scene.goThroughBefore("before"),
		...neverRuns,
	},
	{
		name: "allowed, and asked because its budget was used up, it never runs unanswered",
		decide: allow,
		budgets: [{ ...oneCall, over: {} }],
		before: (scene) => scene.goThroughBefore("before"),
		...waits,
	},
];

const byLabels: readonly Verdict[] = [
	{
		name: "allowed, and asked because of a stranger's words, it never runs unanswered",
		decide: allow,
		labels: true,
		...waits,
	},
	{
		name: "allowed, asked because of a stranger's words and approved, it runs once",
		decide: allow,
		labels: true,
		answer: "approve",
		...runsOnce,
		decided: "ask",
	},
];

const bySwitches: readonly Verdict[] = [
	{
		name: "allowed, and the tool was switched off before, it never runs",
		decide: allow,
		before: async (scene) => switchOff(scene, { of: "tool", name: "danger" }),
		...neverRuns,
	},
	switchedOff("the tool", (scene) => switchOff(scene, { of: "tool", name: "danger" })),
	switchedOff("its tenant", (scene) => switchOff(scene, { of: "tenant", name: tenant })),
	switchedOff("everything", (scene) => switchOff(scene, { of: "all" })),
	switchedOff("its agent", async (scene) => {
		for (const { name } of scene.agents) await switchOff(scene, { of: "agent", name });
	}),
];

function switchedOff(what: string, meanwhile: (scene: Scene) => Promise<void>): Verdict {
	const name = `asked and approved, and then ${what} is switched off, it never runs`;
	return { name, decide: ask, answer: "approve", meanwhile, ...neverRuns };
}

interface Off {
	readonly of: "tool" | "agent" | "tenant" | "all";
	readonly name?: string;
}

async function switchOff(scene: Scene, off: Off): Promise<void> {
	await (await scene.open()).governance.switchOff({ ...off, ...thrown });
}

const byGrants: readonly Verdict[] = [
	{
		name: "asked, with a standing grant, it runs once",
		decide: ask,
		before: (scene) => scene.goThroughBefore("before", { scope: "principal" }),
		...runsOnce,
		decided: "allow",
	},
	{
		name: "asked, with a standing grant that is revoked, it never runs",
		decide: ask,
		before: async (scene) => {
			await scene.goThroughBefore("before", { scope: "principal" });
			const { governance } = await scene.open();
			for (const { id } of (await governance.standing()).grants) await governance.revoke(id, { by: "operator" });
		},
		...waits,
	},
	{
		name: "asked, with a standing grant that has expired, it never runs",
		decide: ask,
		before: async (scene) => {
			await scene.goThroughBefore("before", { scope: "principal", expiresInMs: hourMs });
			scene.clock.advance(hourMs);
		},
		...waits,
	},
	{
		name: "asked, with a standing grant that is used up, it never runs",
		decide: ask,
		before: async (scene) => {
			await scene.goThroughBefore("before", { scope: "principal", usesMax: 1 });
			await scene.goThroughBefore("between");
		},
		...waits,
	},
];

export const verdicts: readonly Verdict[] = [
	...byPolicy,
	...byPeople,
	...byBudgets,
	...byLabels,
	...bySwitches,
	...byGrants,
];

function broken(): never {
	throw new Error("this policy is broken");
}
