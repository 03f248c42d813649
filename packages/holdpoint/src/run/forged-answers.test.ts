import { describe, expect, test } from "vitest";
import { z } from "zod";
import { memoryStore } from "../adapters/stores/memory.ts";
import { createHarness } from "../holdpoint.ts";
import { runSeal } from "../journal/journal.ts";
import { keyRing } from "../kit/seal.ts";
import type { Signal } from "../spec/signals.ts";
import type { Store, StoredSignal } from "../spec/store.ts";
import { ofType, onlyWait, type Stage, stage, stageKeys } from "../testing/stage.ts";
import { call, calls, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";

const by = { id: "mallory", via: "test" };

function payStage(amounts: readonly number[] = [5]) {
	const paid: number[] = [];
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		input: z.object({ amount: z.int() }),
		execute: ({ amount }) => paid.push(amount),
	});
	const story = [calls(amounts.map((amount) => ({ tool: "pay", args: { amount } }))), say("done")];
	const spied = spyingStore();
	return { scene: stage({ story, tools: [pay], store: spied.store }), paid, signals: spied.signals };
}

/** Keeps every signal that was ever left. */
function spyingStore() {
	const inner = memoryStore();
	const signals: { run: string; signal: StoredSignal }[] = [];
	const store: Store = {
		...inner,
		commit(run, epoch, writes) {
			for (const write of writes) if (write.kind === "signal") signals.push({ run, signal: write.signal });
			return inner.commit(run, epoch, writes);
		},
	};
	return { store, signals };
}

async function held(scene: Stage, runId?: string) {
	const result = await scene.harness.run(scene.agent, "pay it", runId ? { runId } : {});
	const waits = result.status === "waiting" ? result.waits : [];
	const open = (await scene.harness.approvals()).filter((one) => one.run === result.run);
	return { run: result.run, approval: open[0]?.approval ?? "", digest: open[0]?.digest ?? "", waits, open };
}

/** Straight into the store, as somebody with write access to it would. */
async function leave(scene: Stage, run: string, signal: StoredSignal): Promise<void> {
	await scene.store.commit(run, 0, [{ kind: "signal", signal, max: 100 }]);
}

async function sealed(scene: Stage, run: string, signal: Signal, id = "sig_forged"): Promise<StoredSignal> {
	return runSeal(keyRing(stageKeys), await scene.store.id(), run).signal(id, signal);
}

function approve(target: { approval: string; digest: string }, at: number): Signal {
	return { kind: "answer", approval: target.approval, answer: "approve", digest: target.digest, by, at };
}

/** It waits as before, nothing ran, and the journal says that somebody tried. */
async function expectWorthless(scene: Stage, run: string, paid: readonly number[], why: RegExp): Promise<void> {
	expect(await scene.harness.resume(run)).toMatchObject({ status: "waiting" });
	expect(paid).toEqual([]);
	const events = await scene.events(run);
	const recorded = [...ofType(events, "approval.refused"), ...ofType(events, "signal.ignored")];
	expect(recorded.map(({ why: said }) => said)).toEqual([expect.stringMatching(why)]);
	expect((await scene.harness.show(run)).unread).toBe(0);
}

describe("I5: an answer that is worth nothing executes nothing and is recorded", () => {
	test("forged: sealed with a key of one's own", async () => {
		const { scene, paid } = payStage();
		const target = await held(scene);
		const ring = keyRing([{ id: "k1", secret: new Uint8Array(32).fill(66) }]);
		const signal = runSeal(ring, await scene.store.id(), target.run).signal(
			"sig_x",
			approve(target, scene.clock.now()),
		);
		await leave(scene, target.run, signal);
		await expectWorthless(scene, target.run, paid, /seal/);
	});

	test("forged: not sealed at all", async () => {
		const { scene, paid } = payStage();
		const target = await held(scene);
		const body = `k1 ${JSON.stringify(approve(target, scene.clock.now()))}`;
		await leave(scene, target.run, { id: "sig_x", body, mac: "AAAA" });
		await expectWorthless(scene, target.run, paid, /seal/);
	});

	test("altered: a denial made an approval", async () => {
		const { scene, paid, signals } = payStage();
		const target = await held(scene);
		const denial = await sealed(scene, target.run, { ...approve(target, scene.clock.now()), answer: "deny" } as Signal);
		await leave(scene, target.run, { ...denial, body: denial.body.replace('"deny"', '"approve"') });
		await expectWorthless(scene, target.run, paid, /seal/);
		expect(signals).toHaveLength(1);
	});

	test("stale: for the arguments as they were before", async () => {
		const { scene, paid } = payStage();
		const target = await held(scene);
		await leave(
			scene,
			target.run,
			await sealed(scene, target.run, approve({ ...target, digest: "of other arguments" }, 1)),
		);
		await expectWorthless(scene, target.run, paid, /other arguments/);
	});

	test("for an approval that this run does not have", async () => {
		const { scene, paid } = payStage();
		const target = await held(scene);
		await leave(scene, target.run, await sealed(scene, target.run, approve({ ...target, approval: "apr_other" }, 1)));
		await expectWorthless(scene, target.run, paid, /no such approval/);
	});

	test("late: given after the approval expired, by a clock that is ahead of the one of the run", async () => {
		for (const [late, isTaken] of [
			[0, false],
			[-1, true],
		] as const) {
			const { scene, paid } = payStage();
			const target = await held(scene);
			const expiresAt = target.open[0]?.expiresAt ?? 0;
			await leave(scene, target.run, await sealed(scene, target.run, approve(target, expiresAt + late)));
			if (!isTaken) await expectWorthless(scene, target.run, paid, /expired/);
			else expect(await scene.harness.resume(target.run)).toMatchObject({ status: "completed" });
		}
	});

	test("foreign: given to the same call of another run", async () => {
		const { scene, paid, signals } = payStage();
		const first = await held(scene, "run-1");
		const second = await held(scene, "run-2");
		await scene.harness.approve(first.approval, { by });
		const stolen = signals[0]?.signal as StoredSignal;
		await leave(scene, second.run, stolen);
		await expectWorthless(scene, second.run, paid, /seal/);
	});

	test("foreign: given to the same run of another store with the same key", async () => {
		const { scene, paid } = payStage();
		const other = payStage();
		const target = await held(scene, "run-1");
		const twin = await held(other.scene, "run-1");
		expect(twin.approval).not.toBe(target.approval);
		await other.scene.harness.approve(twin.approval, { by });
		await leave(scene, "run-1", other.signals[0]?.signal as StoredSignal);
		await expectWorthless(scene, "run-1", paid, /seal/);
	});

	test("doubled: the answer to one call is none to its twin with the same arguments", async () => {
		const { scene, paid } = payStage([5, 5]);
		const { run, open } = await held(scene);
		expect(open).toHaveLength(2);
		expect(new Set(open.map(({ approval }) => approval)).size).toBe(2);
		await scene.harness.approve(open[0]?.approval ?? "", { by });
		const wait = onlyWait(await scene.harness.resume(run), "approval");
		expect(paid).toEqual([5]);
		await leave(
			scene,
			run,
			await sealed(scene, run, approve({ approval: wait.approval, digest: open[0]?.digest ?? "" }, 1)),
		);
		expect(await scene.harness.resume(run)).toMatchObject({ status: "waiting" });
		expect(paid).toEqual([5]);
	});

	test("replayed: the same signal again after it was spent", async () => {
		const paid: number[] = [];
		const input = z.object({ amount: z.int() });
		const pay = defineTool({ name: "pay", description: "Pays.", input, execute: ({ amount }) => paid.push(amount) });
		const spied = spyingStore();
		const scene = stage({
			story: [call("pay", { amount: 5 }), call("pay", { amount: 5 }), say("done")],
			tools: [pay],
			store: spied.store,
		});
		const target = await held(scene);
		await scene.harness.approve(target.approval, { by });
		onlyWait(await scene.harness.resume(target.run), "approval");
		expect(paid).toEqual([5]);
		await leave(scene, target.run, spied.signals[0]?.signal as StoredSignal);
		expect(await scene.harness.resume(target.run)).toMatchObject({ status: "waiting" });
		expect(paid).toEqual([5]);
		expect(ofType(await scene.events(target.run), "signal.ignored")).toMatchObject([
			{ why: expect.stringContaining("taken before") },
		]);
	});

	test("a forged settlement or cancellation is worth as little", async () => {
		const { scene, paid } = payStage();
		const { run } = await held(scene);
		const settle: Signal = { kind: "settle", call: "c1", outcome: { ok: "done" }, by, at: 1 };
		await leave(scene, run, await sealed(scene, run, settle, "sig_a"));
		await leave(scene, run, { id: "sig_b", body: 'k1 {"kind":"cancel","by":"x","at":1}', mac: "AAAA" });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "waiting" });
		expect(paid).toEqual([]);
		expect(ofType(await scene.events(run), "signal.ignored").map(({ signal }) => signal)).toEqual(["sig_a", "sig_b"]);
	});

	test("a row in the index of approvals opens nothing: what is open, the journal says", async () => {
		const { scene } = payStage();
		const { run } = await held(scene);
		const epoch = (await scene.store.load(run))?.epoch ?? 0;
		await scene.store.commit(run, epoch, [
			{ kind: "approval", approval: "apr_made_up", call: "c1", tool: "pay", requestedAt: 1, expiresAt: 9e15 },
		]);
		expect((await scene.harness.approvals()).map(({ approval }) => approval)).not.toContain("apr_made_up");
		await expect(scene.harness.approve("apr_made_up", { by })).rejects.toMatchObject({ code: "approval.closed" });
	});
});

describe("I5: an approval is spent once", () => {
	test("two answers at the same time execute once", async () => {
		const { scene, paid } = payStage();
		const { run, approval } = await held(scene);
		const other = scene.again();
		const answers = await Promise.allSettled([
			scene.harness.approve(approval, { by: { id: "ann", via: "test" } }),
			other.harness.approve(approval, { by }),
		]);
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toEqual([5]);
		expect(ofType(await scene.events(run), "approval.resolved")).toHaveLength(1);
		// The other one is refused at the door, where it was seen there, or else by the run.
		const atDoor = answers.filter((one) => one.status === "rejected" && one.reason.code === "approval.closed");
		expect(atDoor.length + ofType(await scene.events(run), "approval.refused").length).toBe(1);
	});

	test("I6: two harnesses that resume at once execute once; the other hears that the run is busy, or how it ended", async () => {
		for (let round = 0; round < 20; round++) {
			const { scene, paid } = payStage();
			const { run, approval } = await held(scene);
			await scene.harness.approve(approval, { by });
			const results = await Promise.allSettled([scene.harness.resume(run), scene.again().harness.resume(run)]);
			const statuses = results.map((one) => (one.status === "fulfilled" ? one.value.status : one.reason.code));
			expect(statuses).toContain("completed");
			for (const status of statuses) expect(["completed", "run.busy"]).toContain(status);
			expect(paid).toEqual([5]);
		}
	});

	test("I6: one harness that resumes twice at once executes once, and both hear how it ended", async () => {
		const { scene, paid } = payStage();
		const { run, approval } = await held(scene);
		await scene.harness.approve(approval, { by });
		const results = await Promise.all([scene.harness.resume(run), scene.harness.resume(run)]);
		expect(results.map(({ status }) => status)).toEqual(["completed", "completed"]);
		expect(paid).toEqual([5]);
	});

	test("of two unread answers the older counts, whatever order they lie in", async () => {
		for (const order of [
			["ann", "bob"],
			["bob", "ann"],
		]) {
			const { scene } = payStage();
			const target = await held(scene);
			const now = scene.clock.now();
			for (const id of order) {
				const at = id === "ann" ? now - 2 : now - 1;
				const answer = { ...approve(target, at), by: { id, via: "test" } } as Signal;
				await leave(scene, target.run, await sealed(scene, target.run, answer, `sig_${id}`));
			}
			await scene.harness.resume(target.run);
			expect(ofType(await scene.events(target.run), "approval.resolved")).toMatchObject([{ by: { id: "ann" } }]);
		}
	});

	test("an answer to a call that has run is refused", async () => {
		const { scene, paid } = payStage();
		const { run, approval } = await held(scene);
		await scene.harness.approve(approval, { by });
		await scene.harness.resume(run);
		await expect(scene.harness.approve(approval, { by })).rejects.toMatchObject({ code: "approval.unknown" });
		await expect(scene.harness.approve("", { by })).rejects.toMatchObject({ code: "approval.unknown" });
		expect(paid).toEqual([5]);
	});

	test("an error of another copy of the library is known by its brand: an unreadable run hides no other", async () => {
		const { scene } = payStage();
		const good = await held(scene, "good");
		await held(scene, "bad");
		const foreign = Object.assign(new Error("another copy says no"), {
			code: "journal.damaged",
			[Symbol.for("holdpoint.error")]: true,
		});
		const store: Store = {
			...scene.store,
			load: (run, after) => (run === "bad" ? Promise.reject(foreign) : scene.store.load(run, after)),
		};
		const open = await scene.again({ store }).harness.approvals();
		expect(open).toMatchObject([{ run: "bad", problem: "another copy says no" }, { approval: good.approval }]);
	});

	test("a run whose journal was changed is shown as unreadable, and hides no other", async () => {
		const { scene } = payStage();
		const good = await held(scene, "good");
		await held(scene, "bad");
		const load = scene.store.load.bind(scene.store);
		const harness = createHarness({
			keys: stageKeys,
			clock: scene.clock,
			store: {
				...scene.store,
				async load(run, after) {
					const stored = await load(run, after);
					if (run !== "bad" || !stored) return stored;
					return { ...stored, entries: stored.entries.map((entry) => ({ ...entry, body: `${entry.body} ` })) };
				},
			},
		});
		const open = await harness.approvals();
		expect(open.find(({ run }) => run === "good")).toMatchObject({ approval: good.approval, args: { amount: 5 } });
		const bad = open.find(({ run }) => run === "bad");
		expect(bad).toMatchObject({ args: null, problem: expect.stringContaining("was changed") });
		await expect(harness.approve(bad?.approval ?? "")).rejects.toMatchObject({ code: "journal.tampered" });
	});
});
