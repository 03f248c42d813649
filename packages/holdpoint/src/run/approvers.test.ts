import { describe, expect, test } from "vitest";
import { z } from "zod";
import { createHarness } from "../holdpoint.ts";
import type { Answering, Approver, Approvers, Authority } from "../spec/approver.ts";
import type { Ask } from "../spec/policy.ts";
import { ofType, onlyWait, type Stage, stage, stageKeys } from "../testing/stage.ts";
import { call, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";

const person = (id: string): Approver => ({ id, via: "test" });
const [ann, bob] = [person("ann"), person("bob")];

type Of = Approvers["of"];

/** One held payment of 700, judged by these approvers, now and for whoever resumes. */
async function heldPayment(of: Of, ask: Ask = { roles: ["manager"] }) {
	const paid: unknown[] = [];
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		input: z.object({ amount: z.int() }),
		execute: ({ amount }) => void paid.push(amount),
	});
	const asked: Answering[] = [];
	const approvers: Approvers = {
		version: "a1",
		of: (approver, about) => {
			asked.push(about);
			return of(approver, about);
		},
	};
	const policy = { version: "p1", decide: () => ({ verdict: "ask", reason: "money", ask }) as const };
	const scene = stage({
		story: ({ results }) => (results.length > 0 ? say("done") : call("pay", { amount: 700 })),
		tools: [pay],
		harness: { policy, approvers },
		limits: { policyTimeoutMs: 20 },
	});
	const result = await scene.harness.run(scene.agent, "pay it", { principal: "kim", tenant: "acme" });
	const { approval } = onlyWait(result, "approval");
	return { scene, paid, asked, run: result.run, approval };
}

/** A process that knows nobody: what it takes, the run judges. */
function door({ store, clock }: Stage) {
	return createHarness({ store, clock, keys: stageKeys });
}

describe("who may approve", () => {
	test("is asked about the call, its arguments and for whom it is; the version is recorded", async () => {
		const { scene, paid, asked, run, approval } = await heldPayment(({ id }) => ({
			roles: id === "ann" ? ["manager"] : [],
		}));
		await scene.harness.approve(approval, { by: ann });
		expect(asked[0]).toEqual({
			tool: "pay",
			args: { amount: 700 },
			agent: "tester",
			principal: "kim",
			tenant: "acme",
			answer: "approve",
		});
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toEqual([700]);
		const [resolved] = ofType(await scene.events(run), "approval.resolved");
		expect(resolved).toMatchObject({ by: { ...ann, roles: ["manager"] }, approvers: "a1" });
	});

	test("a limit: the role does not count above it, an edit below it does, and the person is told", async () => {
		const of: Of = (_, { args }) => {
			const isWithin = (args as { amount: number }).amount <= 500;
			return isWithin ? { roles: ["manager"] } : { roles: [], note: "a manager approves up to 500" };
		};
		const { scene, paid, run, approval } = await heldPayment(of);
		await expect(scene.harness.approve(approval, { by: ann })).rejects.toMatchObject({
			code: "approval.forbidden",
			message: expect.stringContaining("a manager approves up to 500"),
		});
		await door(scene).approve(approval, { by: ann });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "waiting" });
		expect(ofType(await scene.events(run), "approval.refused")).toMatchObject([
			{ by: "ann", why: expect.stringContaining("up to 500") },
		]);
		await scene.harness.approve(approval, { by: ann, args: { amount: 400 } });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toEqual([400]);
	});

	test("a text refuses a person of whom no role is asked, and a denial as well", async () => {
		const { scene, paid, run, approval } = await heldPayment(
			({ id }) => (id === "bob" ? "on leave" : { roles: [] }),
			{},
		);
		for (const answer of [scene.harness.approve(approval, { by: bob }), scene.harness.deny(approval, { by: bob })]) {
			await expect(answer).rejects.toMatchObject({ message: expect.stringContaining("on leave") });
		}
		await door(scene).approve(approval, { by: bob });
		await door(scene).deny(approval, { by: person("bob") });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "waiting" });
		expect(ofType(await scene.events(run), "approval.refused")).toHaveLength(2);
		await scene.harness.approve(approval, { by: ann });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toEqual([700]);
	});

	test.each<[string, Of]>([
		[
			"throw",
			() => {
				throw new Error("the directory is down");
			},
		],
		["reject", () => Promise.reject(new Error("the directory is down"))],
		["never answer", () => new Promise(() => {})],
		["answer nothing", () => undefined as never],
		["answer a role that is a text", () => ({ roles: "manager" }) as never],
		["answer a role that is no text", () => ({ roles: [{}] }) as never],
	])("I4: approvers that %s give nobody a say, at the door and in the run", async (_, of) => {
		const { scene, paid, run, approval } = await heldPayment(of, {});
		await expect(scene.harness.approve(approval, { by: ann })).rejects.toMatchObject({ code: "approval.forbidden" });
		await door(scene).approve(approval, { by: ann });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "waiting" });
		expect(ofType(await scene.events(run), "approval.refused")).toMatchObject([{ by: "ann" }]);
		await scene.harness.deny(approval, { by: ann });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toEqual([]);
	});

	test("both forms at once, and what is no port, are refused when the harness is made", () => {
		const approvers = { version: "1", of: () => ({ roles: [] }) };
		for (const wrong of [{ approvers, rolesOf: () => [] }, { approvers: {} as never }]) {
			expect(() => createHarness(wrong)).toThrow(expect.objectContaining({ code: "config.invalid" }));
		}
	});
});

describe("an approver who lost the role before the call was executed", () => {
	test.each([
		["at once", false],
		["later", true],
	])("I5: does not count; another one is asked (the port answers %s)", async (_, isLate) => {
		let managers = ["ann"];
		const known = ({ id }: Approver): Authority => ({ roles: managers.includes(id) ? ["manager"] : [] });
		const of: Of = (who) => (isLate ? Promise.resolve(known(who)) : known(who));
		const { scene, paid, run, approval } = await heldPayment(of, { roles: ["manager"], people: 2 });
		await scene.harness.approve(approval, { by: ann });
		await scene.harness.resume(run);
		managers = ["bob"];
		await scene.harness.approve(approval, { by: bob });
		// Ann is still one of two people, Bob has the seat.
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toEqual([700]);
	});

	test.each([
		["at once", false],
		["later", true],
	])("I5: and nobody else had the seat: it is held anew, and says why (%s)", async (_, isLate) => {
		let isManager = true;
		const known = ({ id }: Approver): Authority => ({ roles: id === "ann" && !isManager ? [] : ["manager"] });
		// The door asks first, the run as it reads the answer second, its decision third.
		let questions = 0;
		const of: Of = (who) => {
			if (++questions === 3) isManager = false;
			return isLate ? Promise.resolve(known(who)) : known(who);
		};
		const { scene, paid, run, approval } = await heldPayment(of);
		await scene.harness.approve(approval, { by: ann });
		const again = onlyWait(await scene.harness.resume(run), "approval");
		expect(paid).toEqual([]);
		expect(again.approval).not.toBe(approval);
		expect(again.reason).toBe("money; ann is no manager for it any more");
		await scene.harness.approve(again.approval, { by: bob });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toEqual([700]);
	});

	test("and now may not answer at all: the yes is worth nothing, whatever is asked", async () => {
		let questions = 0;
		const of: Of = () => (++questions >= 3 ? "left the firm" : { roles: [] });
		const { scene, paid, run, approval } = await heldPayment(of, {});
		await scene.harness.approve(approval, { by: ann });
		const again = onlyWait(await scene.harness.resume(run), "approval");
		expect(again.reason).toContain("the yes of ann counts no more: left the firm");
		expect((await scene.harness.approvals())[0]?.answeredBy).toEqual([]);
		expect(paid).toEqual([]);
	});
});

test.each([
	["at once", false],
	["later", true],
])("a standing grant is worth what its giver may approve today (the port answers %s)", async (_, isLate) => {
	let limit = 1_000;
	const known = (amount: number): Authority => ({ roles: amount <= limit ? ["manager"] : [] });
	const of: Of = (_who, { args }) => {
		const authority = known((args as { amount: number }).amount);
		return isLate ? Promise.resolve(authority) : authority;
	};
	const { scene, paid, run, approval } = await heldPayment(of);
	await scene.harness.approve(approval, { by: ann, always: { scope: "principal", args: { amount: { max: 900 } } } });
	await scene.harness.resume(run);
	const again = () => scene.harness.run(scene.agent, "pay it", { principal: "kim", tenant: "acme" });
	expect(await again()).toMatchObject({ status: "completed" });
	limit = 500;
	expect(await again()).toMatchObject({ status: "waiting" });
	expect(paid).toEqual([700, 700]);
});
