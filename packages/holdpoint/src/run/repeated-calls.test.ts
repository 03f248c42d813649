import { describe, expect, test } from "vitest";
import { z } from "zod";
import { memoryStore } from "../adapters/stores/memory.ts";
import type { Store } from "../spec/store.ts";
import { crashingStore } from "../testing/crashing-store.ts";
import { ofType, onlyWait, type StageChanges, type StageOptions, stage } from "../testing/stage.ts";
import { call, calls, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";
import { OutcomeUnknown } from "../tools/outcome-unknown.ts";
import { mainThread } from "./run-state.ts";

/** Calls that were started by a process that died, and that today's policy holds before they are repeated. */
const by = { id: "ann", via: "test" };
const input = z.object({ cents: z.int() });
const dayMs = 24 * 3_600_000;
const held = { policy: () => ({ verdict: "ask", reason: "today a person decides" }) as const };

async function startedThenHeld(options: Partial<StageOptions> = {}) {
	const world = new Map<string, number>();
	const attempts: (readonly [cents: number, attempt: number])[] = [];
	const refund = (schema = input) =>
		defineTool({
			name: "refund",
			description: "Refunds.",
			input: schema,
			repeat: "keyed",
			execute: ({ cents }, { attempt, idempotencyKey }) => {
				attempts.push([cents, attempt]);
				if (!world.has(idempotencyKey)) world.set(idempotencyKey, cents);
				return { refunded: world.get(idempotencyKey) };
			},
		});
	const inner = memoryStore();
	const scene = stage({
		story: [call("refund", { cents: 100 }), say("patience"), say("done")],
		tools: [refund()],
		store: crashingStore(inner, { at: 2, when: "before" }),
		harness: { policy: () => ({ verdict: "allow" }) },
		...options,
	});
	await expect(scene.harness.run(scene.agent, "go", { runId: "r" })).rejects.toThrow("crashed");
	expect(attempts).toEqual([[100, 1]]);
	scene.clock.advance(60_000);
	const again = (changes: StageChanges = {}) =>
		scene.again({ ...changes, store: inner, harness: { ...held, ...changes.harness } });
	const next = again();
	const { approval } = onlyWait(await next.harness.resume("r"), "approval");
	return { next, again, approval, attempts, refund, paid: () => [...world.values()] };
}

describe("I7: a call that was started and is held before it is repeated", () => {
	test("is repeated as it was once a person allows it", async () => {
		const { next, approval, attempts, paid } = await startedThenHeld();
		await next.harness.approve(approval, { by });
		expect(await next.harness.resume("r")).toMatchObject({ status: "completed" });
		expect(attempts).toEqual([
			[100, 1],
			[100, 2],
		]);
		expect(paid()).toEqual([100]);
	});

	test("cannot be edited: its key stands for what was started", async () => {
		const { next, approval, attempts } = await startedThenHeld();
		await next.harness.approve(approval, { by, args: { cents: 5 } }).catch(() => undefined);
		expect(await next.harness.resume("r")).toMatchObject({ status: "waiting" });
		expect(attempts).toEqual([[100, 1]]);
		expect(ofType(await next.events("r"), "approval.resolved")).toEqual([]);
	});

	test("is unknown, not undone, when its run is cancelled", async () => {
		const { next } = await startedThenHeld();
		expect(await next.harness.cancel("r", { reason: "stop" })).toMatchObject({
			status: "cancelled",
			done: [{ call: "c1", tool: "refund", outcome: "unknown" }],
		});
		expect(JSON.stringify(mainThread((await next.harness.show("r")).state).messages)).not.toContain("not executed");
	});

	test("is unknown when it is denied, when nobody answers, and when its tool has changed or is gone", async () => {
		const denied = await startedThenHeld();
		await denied.next.harness.deny(denied.approval, { by, reason: "no" });
		expect(onlyWait(await denied.next.harness.resume("r"), "unknown").why).toContain("no longer allows");

		const late = await startedThenHeld();
		late.next.clock.advance(4 * dayMs);
		expect(onlyWait(await late.next.harness.resume("r"), "unknown").why).toContain("expiry");

		const changed = await startedThenHeld();
		await changed.next.harness.approve(changed.approval, { by });
		const other = changed.refund(input.extend({ why: z.string() }) as unknown as typeof input);
		const wait = await changed.again({ agent: { tools: [other] } }).harness.resume("r");
		expect(onlyWait(wait, "unknown").why).toContain("the tool has changed since");
		expect(changed.attempts).toEqual([[100, 1]]);
	});

	test("what was answered to it lapses; what allowed it the first time does not", async () => {
		const { next, approval, attempts } = await startedThenHeld();
		await next.harness.approve(approval, { by });
		next.clock.advance(2 * dayMs);
		expect(onlyWait(await next.harness.resume("r"), "approval").approval).not.toBe(approval);
		expect(attempts).toEqual([[100, 1]]);
	});

	test("reads as started while somebody talks", async () => {
		const { next } = await startedThenHeld();
		await next.harness.tell("r", "how is it going?");
		await next.harness.resume("r");
		expect(JSON.stringify(next.prompts.at(-1))).toContain("it was started and its outcome is being looked into");
	});
});

describe("nothing starts after its run's end", () => {
	const once = z.object({});
	function payScene(options: Partial<StageOptions>) {
		let paid = 0;
		const pay = defineTool({ name: "pay", description: "Pays.", input: once, execute: () => ++paid });
		const scene = stage({ story: [call("pay"), say("it is pending"), say("never")], tools: [pay], ...options });
		return { scene, paid: () => paid };
	}

	test("I3: at turnsMax a call that was approved while somebody talked runs before the end, not after it", async () => {
		const { scene, paid } = payScene({ limits: { turnsMax: 2 } });
		const { approval } = onlyWait(await scene.harness.run(scene.agent, "go", { runId: "r" }), "approval");
		await scene.harness.tell("r", "how far?");
		await scene.harness.resume("r");
		await scene.harness.tell("r", "and now?");
		await scene.harness.approve(approval, { by });
		expect(await scene.harness.resume("r")).toMatchObject({ status: "failed", error: { code: "limit.turns" } });
		const events = await scene.events("r");
		expect(events.at(-1)?.type).toBe("run.finished");
		expect(ofType(events, "call.started")).toHaveLength(1);
		expect(paid()).toBe(1);
	});

	test("I7: a run without turns left waits until what it had started is settled", async () => {
		const lose = defineTool({
			name: "lose",
			description: "Loses.",
			input: once,
			execute: () => Promise.reject(new OutcomeUnknown("the line broke")),
		});
		const pay = defineTool({ name: "pay", description: "Pays.", input: once, execute: () => "paid" });
		const policy = ({ tool }: { tool: { name: string } }) =>
			tool.name === "pay" ? ({ verdict: "ask", reason: "money" } as const) : ({ verdict: "allow" } as const);
		const story = [calls([{ tool: "lose" }, { tool: "pay" }]), say("patience"), say("never")];
		const scene = stage({ story, tools: [lose, pay], harness: { policy }, limits: { turnsMax: 2 } });
		await scene.harness.run(scene.agent, "go", { runId: "r" });
		await scene.harness.tell("r", "how far?");
		await scene.harness.resume("r");
		const [open] = await scene.harness.approvals();
		await scene.harness.approve(open?.approval ?? "", { by });
		// The result of `pay` is news for the model, which may not be asked any more.
		expect(onlyWait(await scene.harness.resume("r"), "unknown")).toMatchObject({ tool: "lose" });
		await scene.harness.settle("r", "c1", { happened: true, by });
		expect(await scene.harness.resume("r")).toMatchObject({ status: "failed", error: { code: "limit.turns" } });
	});

	test("a cancellation that was stored while the policy decided is heard before anything starts", async () => {
		const deciding = Promise.withResolvers<void>();
		const asked = Promise.withResolvers<void>();
		const { scene, paid } = payScene({
			harness: {
				policy: async () => {
					asked.resolve();
					await deciding.promise;
					return { verdict: "allow" };
				},
			},
		});
		const running = scene.harness.run(scene.agent, "go", { runId: "r" });
		await asked.promise;
		const cancelling = scene.harness.cancel("r", { reason: "stop" });
		await expect.poll(async () => (await scene.harness.show("r")).unread).toBe(1);
		deciding.resolve();
		expect(await running).toMatchObject({ status: "cancelled", done: [] });
		await cancelling;
		expect(ofType(await scene.events("r"), "call.started")).toEqual([]);
		expect(paid()).toBe(0);
	});

	test("and it is heard by every call that was being decided, however slow the store is", async () => {
		const deciding = Promise.withResolvers<void>();
		let asked = 0;
		let isSlow = false;
		const inner = memoryStore();
		const slow: Store = {
			...inner,
			load: async (run, after) => {
				const loaded = await inner.load(run, after);
				if (isSlow) await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
				return loaded;
			},
		};
		const { scene, paid } = payScene({
			story: [calls([{ tool: "pay" }, { tool: "pay" }, { tool: "pay" }]), say("never")],
			store: slow,
			harness: {
				policy: async () => {
					asked++;
					await deciding.promise;
					return { verdict: "allow" };
				},
			},
		});
		const running = scene.harness.run(scene.agent, "go", { runId: "r" });
		await expect.poll(() => asked).toBe(3);
		const cancelling = scene.harness.cancel("r", { reason: "stop" });
		await expect.poll(async () => (await scene.harness.show("r")).unread).toBe(1);
		isSlow = true;
		deciding.resolve();
		expect(await running).toMatchObject({ status: "cancelled", done: [] });
		await cancelling;
		expect(ofType(await scene.events("r"), "call.started")).toEqual([]);
		expect(paid()).toBe(0);
	});
});
