import { describe, expect, test } from "vitest";
import { z } from "zod";
import { createHarness } from "../holdpoint.ts";
import type { Approver } from "../spec/events.ts";
import type { Ask } from "../spec/policy.ts";
import { promptProblems } from "../testing/prompt-order.ts";
import { ofType, onlyWait, type Stage, type StageOptions, stage, stageKeys } from "../testing/stage.ts";
import { call, calls, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";

const hourMs = 3_600_000;
const person = (id: string): Approver => ({ id, via: "test" });
const [ann, bob, eve] = [person("ann"), person("bob"), person("eve")];

function payStage(options: Partial<StageOptions> & { ask?: Ask } = {}) {
	const { ask = {}, harness, ...rest } = options;
	const paid: unknown[] = [];
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		input: z.object({ amount: z.int().max(1_000), to: z.string().default("shop") }),
		execute: (args) => {
			paid.push(args);
			return `paid ${args.amount}`;
		},
	});
	const policy = { version: "p1", decide: () => ({ verdict: "ask", reason: "money", ask }) as const };
	const scene = stage({
		story: [call("pay", { amount: 5 }), say("done")],
		tools: [pay],
		harness: { policy, ...harness },
		...rest,
	});
	return { scene, paid };
}

async function held(scene: Stage) {
	const result = await scene.harness.run(scene.agent, "pay it");
	return { run: result.run, wait: onlyWait(result, "approval") };
}

/** What the model read of its call. */
function lastResult(scene: Stage): unknown {
	const last = scene.prompts.at(-1)?.at(-1);
	const part = last?.role === "tool" ? last.content[0] : undefined;
	return part?.type === "tool-result" ? part.output : undefined;
}

describe("an approval", () => {
	test("I2: is a return value; the call it names runs once it is approved and the run is resumed", async () => {
		const { scene, paid } = payStage();
		const { run, wait } = await held(scene);
		expect(wait).toMatchObject({ tool: "pay", args: { amount: 5, to: "shop" }, reason: "money", ask: { count: 1 } });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "waiting" });
		expect(await scene.harness.approve(wait.approval, { by: ann })).toEqual({ run, approval: wait.approval });
		expect(paid).toEqual([]);
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed", text: "done" });
		expect(paid).toEqual([{ amount: 5, to: "shop" }]);
		expect(await scene.harness.approvals()).toEqual([]);
		expect(ofType(await scene.events(run), "call.decided")).toMatchObject([
			{ verdict: "ask" },
			{ approvedBy: ["ann"] },
		]);
	});

	test("survives the process: another harness on the same store goes on", async () => {
		const { scene, paid } = payStage();
		const { run, wait } = await held(scene);
		const other = scene.again();
		await other.harness.approve(wait.approval.slice(0, 8), { by: ann });
		expect(await other.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toHaveLength(1);
	});

	test("denied: nothing runs, and the model reads the reason and who gave it", async () => {
		const { scene, paid } = payStage();
		const { run, wait } = await held(scene);
		await scene.harness.deny(wait.approval, { by: ann, reason: "too dear" });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toEqual([]);
		expect(lastResult(scene)).toEqual({ type: "error-text", value: "Denied by ann, not executed: too dear" });
	});

	test("with edited arguments: validated, decided anew, executed, and told to the model", async () => {
		const seen: unknown[] = [];
		const policy = {
			version: "p1",
			decide: ({ args }: { args: unknown }) => {
				seen.push(args);
				return { verdict: "ask", reason: "money" } as const;
			},
		};
		const { scene, paid } = payStage({ harness: { policy } });
		const { run, wait } = await held(scene);
		await scene.harness.approve(wait.approval, { by: ann, args: { amount: 3 } });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(seen).toEqual([
			{ amount: 5, to: "shop" },
			{ amount: 3, to: "shop" },
		]);
		expect(paid).toEqual([{ amount: 3, to: "shop" }]);
		expect(lastResult(scene)).toMatchObject({
			type: "json",
			value: { executedWith: { amount: 3, to: "shop" }, result: "paid 3" },
		});
		const events = await scene.events(run);
		expect(ofType(events, "model.answered")[0]?.content).toMatchObject([{ input: '{"amount":5}' }]);
		expect(ofType(events, "approval.resolved")).toMatchObject([{ answer: "edit", args: { amount: 3, to: "shop" } }]);
		expect(ofType(events, "call.finished")).toMatchObject([{ outcome: { ok: "paid 3", edited: true } }]);
	});

	test("edited into arguments that do not fit is refused at the door", async () => {
		const { scene } = payStage();
		const { wait } = await held(scene);
		const edit = scene.harness.approve(wait.approval, { by: ann, args: { amount: 5_000 } });
		await expect(edit).rejects.toMatchObject({ code: "approval.invalid", message: expect.stringContaining("amount") });
	});

	test("edited at a door that does not know the tool is judged by the run: it is worth nothing, and the call stays held", async () => {
		const { scene, paid } = payStage();
		const { run, wait } = await held(scene);
		const door = createHarness({ store: scene.store, clock: scene.clock, keys: stageKeys });
		await door.approve(wait.approval, { by: ann, args: { amount: 5_000 } });
		expect(onlyWait(await scene.harness.resume(run), "approval").approval).toBe(wait.approval);
		expect(paid).toEqual([]);
		expect(ofType(await scene.events(run), "approval.refused")).toMatchObject([
			{ by: "ann", why: expect.stringContaining("amount") },
		]);
	});

	test("edited into something that the policy denies does not run", async () => {
		const policy = {
			version: "p1",
			decide: ({ args }: { args: unknown }) =>
				(args as { to: string }).to === "thief"
					? ({ verdict: "deny", reason: "not to him" } as const)
					: ({ verdict: "ask", reason: "money" } as const),
		};
		const { scene, paid } = payStage({ harness: { policy } });
		const { run, wait } = await held(scene);
		await scene.harness.approve(wait.approval, { by: ann, args: { amount: 5, to: "thief" } });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toEqual([]);
		expect(lastResult(scene)).toMatchObject({ value: expect.stringContaining("not to him") });
	});

	test("with a `__proto__` slipped into edited arguments runs without it", async () => {
		const { scene, paid } = payStage();
		const { run, wait } = await held(scene);
		await scene.harness.approve(wait.approval, {
			by: ann,
			args: JSON.parse('{"amount":3,"__proto__":{"to":"thief"}}'),
		});
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toEqual([{ amount: 3, to: "shop" }]);
	});

	test.each([
		[
			"a cycle",
			() => {
				const args: Record<string, unknown> = {};
				args["self"] = args;
				return args;
			},
		],
		["a BigInt", () => ({ amount: 5n })],
	])("edited into %s is refused at the door", async (_, make) => {
		const { scene } = payStage();
		const { wait } = await held(scene);
		await expect(scene.harness.approve(wait.approval, { by: ann, args: make() as never })).rejects.toMatchObject({
			code: "approval.invalid",
		});
	});
});

test("calls of one answer that are held together are listed in the order of the calls", async () => {
	const amounts = Array.from({ length: 12 }, (_, at) => at);
	const { scene } = payStage({ story: [calls(amounts.map((amount) => ({ tool: "pay", args: { amount } })))] });
	await scene.harness.run(scene.agent, "pay them");
	expect((await scene.harness.approvals()).map(({ args }) => args)).toMatchObject(
		amounts.map((amount) => ({ amount })),
	);
});

describe("time", () => {
	test("an approval that nobody answers expires and is denied", async () => {
		const { scene, paid } = payStage({ ask: { expiresInMs: hourMs } });
		const { run, wait } = await held(scene);
		expect(wait.expiresAt).toBe(scene.clock.now() + hourMs);
		expect((await scene.harness.runs())[0]?.dueAt).toBe(wait.expiresAt);
		scene.clock.advance(hourMs - 1);
		expect(await scene.harness.resume(run)).toMatchObject({ status: "waiting" });
		scene.clock.advance(1);
		expect(await scene.harness.readyRuns()).toHaveLength(1);
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toEqual([]);
		expect(lastResult(scene)).toMatchObject({ value: expect.stringContaining("no approval was read in time") });
		expect(await scene.harness.approvals()).toEqual([]);
	});

	test("an answer that comes after it expired is refused at the door", async () => {
		const { scene, paid } = payStage({ ask: { expiresInMs: hourMs } });
		const { run, wait } = await held(scene);
		scene.clock.advance(hourMs);
		await expect(scene.harness.approve(wait.approval, { by: ann })).rejects.toMatchObject({ code: "approval.closed" });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toEqual([]);
	});

	test("an answer in time that is read only after the expiry executes nothing, and that is recorded", async () => {
		const { scene, paid } = payStage({ ask: { expiresInMs: hourMs } });
		const { run, wait } = await held(scene);
		await scene.harness.approve(wait.approval, { by: ann });
		scene.clock.advance(hourMs);
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toEqual([]);
		expect(ofType(await scene.events(run), "approval.refused")).toMatchObject([
			{ by: "ann", why: expect.stringContaining("expired") },
		]);
	});

	test("without a word of the policy it expires after approvalExpiresInMs", async () => {
		const { scene } = payStage({ limits: { approvalExpiresInMs: 5 } });
		expect((await held(scene)).wait.expiresAt).toBe(scene.clock.now() + 5);
	});

	test("an answer that was not spent within approvalSpendWithinMs lapses, and the call is asked about anew", async () => {
		const { scene, paid } = payStage({ limits: { approvalSpendWithinMs: hourMs } });
		const { run, wait } = await held(scene);
		await scene.harness.approve(wait.approval, { by: ann });
		scene.clock.advance(hourMs);
		const again = onlyWait(await scene.harness.resume(run), "approval");
		expect(again.approval).not.toBe(wait.approval);
		expect(paid).toEqual([]);
		await scene.harness.approve(again.approval, { by: ann });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toHaveLength(1);
	});

	test("of two answers the one that lapsed can be given again by the same person", async () => {
		const { scene, paid } = payStage({ ask: { count: 2 }, limits: { approvalSpendWithinMs: hourMs } });
		const { run, wait } = await held(scene);
		await scene.harness.approve(wait.approval, { by: ann });
		await scene.harness.resume(run);
		scene.clock.advance(hourMs);
		await scene.harness.approve(wait.approval, { by: bob });
		const again = onlyWait(await scene.harness.resume(run), "approval");
		await scene.harness.approve(again.approval, { by: ann });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toHaveLength(1);
	});
});

describe("several people", () => {
	const rolesOf = ({ id }: Approver) => ({ ann: ["manager"], bob: ["manager", "finance"], eve: [] })[id] ?? [];

	test("two are asked: two distinct people must approve", async () => {
		const { scene, paid } = payStage({ ask: { count: 2 } });
		const { run, wait } = await held(scene);
		await scene.harness.approve(wait.approval, { by: ann });
		await expect(scene.harness.approve(wait.approval, { by: ann })).rejects.toMatchObject({
			code: "approval.forbidden",
		});
		expect(onlyWait(await scene.harness.resume(run), "approval").approval).toBe(wait.approval);
		await expect(scene.harness.approve(wait.approval, { by: ann })).rejects.toMatchObject({
			code: "approval.forbidden",
		});
		expect(paid).toEqual([]);
		expect((await scene.harness.approvals())[0]?.answeredBy).toMatchObject([{ id: "ann" }]);
		await scene.harness.approve(wait.approval, { by: bob });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toHaveLength(1);
	});

	test("one denial is enough, also after an approval", async () => {
		const { scene, paid } = payStage({ ask: { count: 2 } });
		const { run, wait } = await held(scene);
		await scene.harness.approve(wait.approval, { by: ann });
		await scene.harness.resume(run);
		await scene.harness.deny(wait.approval, { by: ann, reason: "I was wrong" });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toEqual([]);
	});

	test("an edit voids the answers of others and carries over its own", async () => {
		const { scene, paid } = payStage({ ask: { count: 2 } });
		const { run, wait } = await held(scene);
		await scene.harness.approve(wait.approval, { by: ann });
		await scene.harness.resume(run);
		await scene.harness.approve(wait.approval, { by: bob, args: { amount: 4 } });
		const again = onlyWait(await scene.harness.resume(run), "approval");
		expect(again).toMatchObject({ args: { amount: 4, to: "shop" }, ask: { count: 2 } });
		expect((await scene.harness.approvals())[0]?.answeredBy.map(({ id }) => id)).toEqual(["bob"]);
		expect(paid).toEqual([]);
		await scene.harness.approve(again.approval, { by: ann });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toEqual([{ amount: 4, to: "shop" }]);
	});

	test("roles: somebody without one is refused, and each role must be filled", async () => {
		const { scene, paid } = payStage({ ask: { roles: ["manager", "finance"] }, harness: { rolesOf } });
		const { run, wait } = await held(scene);
		await scene.harness.approve(wait.approval, { by: eve });
		await scene.harness.approve(wait.approval, { by: bob });
		expect(onlyWait(await scene.harness.resume(run), "approval").ask).toEqual({
			count: 1,
			roles: ["manager", "finance"],
		});
		expect(ofType(await scene.events(run), "approval.refused")).toMatchObject([{ by: "eve" }]);
		await scene.harness.approve(wait.approval, { by: ann });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toHaveLength(1);
	});

	test.each([undefined, {}, { id: "" }, { id: 5 }, { id: "x".repeat(300) }])(
		"somebody without a name (%j) is nobody",
		async (by) => {
			const { scene } = payStage();
			const { wait } = await held(scene);
			if (by)
				await expect(scene.harness.approve(wait.approval, { by: by as never })).rejects.toMatchObject({
					code: "approval.invalid",
				});
			else expect(await scene.harness.approve(wait.approval)).toMatchObject({ approval: wait.approval });
		},
	);

	test("roles that an approver claims for itself are worth nothing", async () => {
		const { scene, paid } = payStage({ ask: { roles: ["manager"] }, harness: { rolesOf } });
		const { run, wait } = await held(scene);
		await scene.harness.approve(wait.approval, { by: { ...eve, roles: ["manager"] } });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "waiting" });
		expect(paid).toEqual([]);
	});

	test.each([
		[
			"throws",
			() => {
				throw new Error("the directory is down");
			},
		],
		["gives a text, of which a role is a part", () => "line-manager"],
		["gives nothing", () => undefined],
	])("I4: roles of a directory that %s count for nobody, and the run lives", async (_, wrong) => {
		const { scene, paid } = payStage({ ask: { roles: ["manager"] }, harness: { rolesOf: wrong as never } });
		const { run, wait } = await held(scene);
		await scene.harness.approve(wait.approval, { by: ann });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "waiting" });
		expect(paid).toEqual([]);
		expect(ofType(await scene.events(run), "approval.refused")).toHaveLength(1);
	});
});

test("every prompt of an approved, denied or edited call is in an order that providers take", async () => {
	for (const answer of ["approve", "deny", "edit"] as const) {
		const { scene } = payStage();
		const { run, wait } = await held(scene);
		if (answer === "deny") await scene.harness.deny(wait.approval);
		else await scene.harness.approve(wait.approval, answer === "edit" ? { args: { amount: 1 } } : {});
		await scene.harness.resume(run);
		expect(scene.prompts.flatMap(promptProblems)).toEqual([]);
	}
});

describe("who must answer", () => {
	const rolesOf = ({ id }: Approver) => ({ ann: ["manager"], bob: ["finance"], eve: ["finance"] })[id] ?? [];

	test("each role has its own count", async () => {
		const ask = { roles: ["manager", "finance"], counts: { finance: 2 } };
		const { scene, paid } = payStage({ ask, harness: { rolesOf } });
		const { run, wait } = await held(scene);
		expect(wait.ask).toEqual({ ...ask, count: 1 });
		for (const by of [ann, bob]) await scene.harness.approve(wait.approval, { by });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "waiting" });
		await scene.harness.approve(wait.approval, { by: eve });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toHaveLength(1);
	});

	test("four eyes: the person for whom it runs cannot approve it, but can deny it", async () => {
		const { scene, paid } = payStage({ ask: { fourEyes: true } });
		const first = await scene.harness.run(scene.agent, "pay it", { principal: "ann" });
		const wait = onlyWait(first, "approval");
		const own = scene.harness.approve(wait.approval, { by: ann });
		await expect(own).rejects.toMatchObject({ code: "approval.forbidden", message: expect.stringContaining("ann") });
		await scene.harness.approve(wait.approval, { by: bob });
		expect(await scene.harness.resume(first.run)).toMatchObject({ status: "completed" });
		expect(paid).toHaveLength(1);
	});

	test("four eyes: an answer that reached the store past the door is refused by the run", async () => {
		const seen: number[] = [];
		const policy = {
			version: "p1",
			// Four eyes are wanted from the second decision on.
			decide: () => ({ verdict: "ask", reason: "money", ask: { fourEyes: seen.push(1) > 1 } }) as const,
		};
		const { scene, paid } = payStage({ harness: { policy } });
		const first = await scene.harness.run(scene.agent, "pay it", { principal: "ann" });
		await scene.harness.approve(onlyWait(first, "approval").approval, { by: ann });
		const again = onlyWait(await scene.harness.resume(first.run), "approval");
		expect(paid).toEqual([]);
		await scene.harness.approve(again.approval, { by: bob });
		expect(await scene.harness.resume(first.run)).toMatchObject({ status: "completed" });
	});

	test("escalation: the run is due then, and others may answer in everybody's place", async () => {
		const ask = { roles: ["manager"], escalate: { afterMs: hourMs, roles: ["finance"] } };
		const { scene, paid } = payStage({ ask, harness: { rolesOf } });
		const { run, wait } = await held(scene);
		expect(wait.escalatesAt).toBe(scene.clock.now() + hourMs);
		expect((await scene.harness.runs())[0]?.dueAt).toBe(wait.escalatesAt);
		await scene.harness.approve(wait.approval, { by: bob });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "waiting" });
		expect(ofType(await scene.events(run), "approval.refused")).toMatchObject([{ by: "bob" }]);
		scene.clock.advance(hourMs);
		const later = onlyWait(await scene.harness.resume(run), "approval");
		expect(later).toMatchObject({ escalatedTo: ["finance"], approval: wait.approval, expiresAt: wait.expiresAt });
		await scene.harness.approve(wait.approval, { by: eve });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toHaveLength(1);
	});

	test("escalation: an answer that came when it was due counts, although nobody had gone on with the run", async () => {
		const ask = { roles: ["manager"], escalate: { afterMs: hourMs, roles: ["finance"] } };
		const { scene, paid } = payStage({ ask, harness: { rolesOf } });
		const { run, wait } = await held(scene);
		scene.clock.advance(hourMs);
		await scene.harness.approve(wait.approval, { by: eve });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toHaveLength(1);
	});

	test("escalation past the expiry never comes", async () => {
		const ask = { roles: ["manager"], expiresInMs: hourMs, escalate: { afterMs: 2 * hourMs, roles: ["finance"] } };
		const { scene } = payStage({ ask, harness: { rolesOf } });
		const { run, wait } = await held(scene);
		expect(wait).not.toHaveProperty("escalatesAt");
		scene.clock.advance(3 * hourMs);
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(ofType(await scene.events(run), "approval.escalated")).toEqual([]);
	});
});
