import { describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { memoryStore } from "../adapters/stores/memory.ts";
import type { HarnessOptions } from "../holdpoint.ts";
import type { Approver } from "../spec/events.ts";
import type { Store, StoredRun } from "../spec/store.ts";
import { ofType, onlyWait, type Stage, stage, stageKeys } from "../testing/stage.ts";
import { call, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";

const person = (id: string): Approver => ({ id, via: "test" });
const [ann, eve] = [person("ann"), person("eve")];

async function held(store: Store = memoryStore(), harness: HarnessOptions = {}) {
	const paid: unknown[] = [];
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		input: z.object({ amount: z.int() }),
		execute: (args) => void paid.push(args),
	});
	const scene = stage({ story: [call("pay", { amount: 5 }), say("done")], tools: [pay], store, harness });
	const result = await scene.harness.run(scene.agent, "pay it");
	return { scene, paid, run: result.run, wait: onlyWait(result, "approval") };
}

describe("answers that were left before the run read any", () => {
	/** A store whose signals lie in the other order. */
	function reversed(store: Store): Store {
		const turned = (run: StoredRun | undefined) => run && { ...run, signals: run.signals.toReversed() };
		return {
			...store,
			acquire: async (run, request) => turned(await store.acquire(run, request)),
			load: async (run, after) => turned(await store.load(run, after)),
		};
	}

	/** Whoever left it, left it at the same moment as the others: no door saw any of them. */
	const together = (scene: Stage, approval: string, answers: readonly (readonly [Approver, "yes" | "no"])[]) =>
		Promise.all(
			answers.map(([by, says]) => {
				const { harness } = scene.again();
				return says === "yes" ? harness.approve(approval, { by }) : harness.deny(approval, { by, reason: "no!" });
			}),
		);

	test.each([
		["the no came first", "no", "yes"],
		["the no came last", "yes", "no"],
	] as const)("a no wins, whatever order they lie in: %s", async (_, first, second) => {
		for (const turn of [(store: Store) => store, reversed]) {
			const { scene, paid, run, wait } = await held(turn(memoryStore()));
			await together(scene, wait.approval, [
				[ann, first],
				[eve, second],
			]);
			expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
			expect(paid).toEqual([]);
			expect(ofType(await scene.events(run), "approval.resolved")).toMatchObject([{ answer: "deny", reason: "no!" }]);
		}
	});

	test("a yes, then a no: the no is taken, and nothing runs", async () => {
		const { scene, paid, run, wait } = await held();
		await scene.harness.approve(wait.approval, { by: ann });
		scene.clock.advance(1);
		await scene.harness.deny(wait.approval, { by: ann, reason: "I was wrong" });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toEqual([]);
		expect(JSON.stringify(scene.prompts.at(-1))).toContain("I was wrong");
	});

	test.each([
		["a no after a no", "no", "no", "eve denied it before"],
		["a yes after a no", "no", "yes", "eve denied it before"],
		["a yes after a yes", "yes", "yes", "eve approved it before"],
		["other arguments after a yes", "yes", "edit", "eve approved it before"],
		["a yes after other arguments", "edit", "yes", "eve approved it with other arguments before"],
		["other arguments twice", "edit", "edit", "eve approved it with other arguments before"],
	] as const)(
		"one that cannot count any more is refused and names the one before: %s",
		async (_, first, second, why) => {
			const { scene, run, wait } = await held();
			const say = (by: Approver, says: "yes" | "no" | "edit") =>
				says === "no"
					? scene.harness.deny(wait.approval, { by })
					: scene.harness.approve(wait.approval, { by, ...(says === "edit" ? { args: { amount: 3 } } : {}) });
			await say(eve, first);
			await expect(say(ann, second)).rejects.toMatchObject({
				code: "approval.closed",
				message: expect.stringContaining(why),
				hint: expect.stringContaining(`Resume run ${run}`),
			});
			expect((await scene.harness.show(run)).unread).toBe(1);
		},
	);

	test("the same person's second yes, where one is enough: the answer is there, and resume is what is left", async () => {
		const { scene, run, wait } = await held();
		await scene.harness.approve(wait.approval, { by: ann });
		await expect(scene.harness.approve(wait.approval, { by: ann })).rejects.toMatchObject({
			code: "approval.closed",
			hint: expect.stringContaining(`Resume run ${run}`),
		});
	});

	test("the same person's second yes, where only the run can tell whether one is enough: resume shows it", async () => {
		const policy = () => ({ verdict: "ask", reason: "money", ask: { roles: ["manager"] } }) as const;
		const { scene, run, wait } = await held(memoryStore(), { policy });
		await scene.harness.approve(wait.approval, { by: ann });
		await expect(scene.harness.approve(wait.approval, { by: ann })).rejects.toMatchObject({
			code: "approval.forbidden",
			hint: `Resume run ${run}. If it still waits then, another person must answer.`,
		});
	});

	test("sealed with a key that is not here is no forgery: it may be a no, so nothing is allowed before it is read", async () => {
		const { scene, paid, run, wait } = await held();
		const rotated = { id: "k2", secret: new Uint8Array(32).fill(9) };
		const door = scene.again({ harness: { keys: [rotated, ...stageKeys] } });
		await scene.harness.approve(wait.approval, { by: eve });
		await door.harness.deny(wait.approval, { by: ann, reason: "no!" });
		const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
		expect(await scene.harness.resume(run)).toMatchObject({ status: "waiting" });
		expect(warned).toHaveBeenCalledWith(expect.stringContaining('"k2"'));
		warned.mockRestore();
		const missing = { code: "journal.key_missing", message: expect.stringContaining('"k2"') };
		await expect(scene.harness.approve(wait.approval, { by: ann })).rejects.toMatchObject(missing);
		expect((await scene.harness.show(run)).unread).toBe(2);
		expect(await door.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(ofType(await door.events(run), "approval.resolved")).toMatchObject([{ answer: "deny" }]);
		expect(paid).toEqual([]);
	});

	test("sealed with a key that nobody has leaves the run a way to its end", async () => {
		const { scene, run, wait } = await held();
		await scene.store.commit(run, 0, [{ kind: "signal", signal: { id: "x", body: "zz {}", mac: "x" }, max: 9 }]);
		const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
		await scene.harness.deny(wait.approval, { by: ann, reason: "no!" });
		expect(await scene.harness.cancel(run, { reason: "stop" })).toMatchObject({ status: "cancelled" });
		warned.mockRestore();
	});

	test("whoever cannot read a run cannot leave anything for it", async () => {
		const { scene, run } = await held();
		const stranger = scene.again({ harness: { keys: [{ id: "other", secret: new Uint8Array(32).fill(1) }] } });
		await expect(stranger.harness.cancel(run)).rejects.toMatchObject({ code: "journal.key_missing" });
		await expect(stranger.harness.tell(run, "hello")).rejects.toMatchObject({ code: "journal.key_missing" });
		expect((await scene.harness.show(run)).unread).toBe(0);
	});

	test("one that lapsed unread stands in nobody's way", async () => {
		const { scene, wait } = await held();
		await scene.harness.approve(wait.approval, { by: ann });
		scene.clock.advance(25 * 3_600_000);
		await scene.harness.approve(wait.approval, { by: eve });
	});

	test("one that came in time and was read too late is not called late", async () => {
		const { scene, run, wait } = await held();
		scene.clock.advance(72 * 3_600_000 - 1_000);
		await scene.harness.approve(wait.approval, { by: ann });
		scene.clock.advance(2_000);
		await scene.harness.resume(run);
		expect(ofType(await scene.events(run), "approval.refused")).toMatchObject([
			{ why: expect.stringContaining("came in time") },
		]);
	});
});
