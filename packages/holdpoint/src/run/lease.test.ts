import { describe, expect, test } from "vitest";
import { z } from "zod";
import { memoryStore } from "../adapters/stores/memory.ts";
import type { Store } from "../spec/store.ts";
import { gate, ofType, onlyWait, type StageOptions, stage } from "../testing/stage.ts";
import { call, calls, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";

const empty = z.object({});
const allow = () => ({ verdict: "allow" }) as const;

/** A run whose call hangs until the test lets it go. */
async function stuckRun(options: Partial<StageOptions> = {}) {
	const begun = gate<void>();
	const ends = gate<string>();
	let executed = 0;
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		input: empty,
		repeat: "keyed",
		execute: () => {
			executed++;
			begun.resolve();
			return executed === 1 ? ends.promise : "paid by the second";
		},
	});
	const scene = stage({ story: [call("pay"), say("done")], tools: [pay], harness: { policy: allow }, ...options });
	const running = scene.harness.run(scene.agent, "pay it", { runId: "r" });
	running.catch(() => undefined);
	await begun.promise;
	return { scene, running, ends, executed: () => executed };
}

describe("I6: the lease of a run", () => {
	test("keeps a second worker out while it is held", async () => {
		const { scene, running, ends } = await stuckRun();
		await expect(scene.again().harness.resume("r")).rejects.toMatchObject({ code: "run.busy", retry: "safe" });
		ends.resolve("paid");
		expect(await running).toMatchObject({ status: "completed" });
		expect((await scene.store.load("r"))?.lease).toBeUndefined();
	});

	test("lost in the middle: the second worker goes on, and the first writes nothing more", async () => {
		const { scene, running, ends, executed } = await stuckRun();
		scene.clock.advance(60_000);
		const other = scene.again();
		expect(await other.harness.resume("r")).toMatchObject({ status: "completed" });
		const after = await scene.events("r");
		ends.resolve("paid by the first");
		await expect(running).rejects.toMatchObject({ code: "run.lease_lost" });
		expect(await scene.events("r")).toEqual(after);
		expect(executed()).toBe(2);
		expect(ofType(after, "call.finished").map(({ outcome }) => outcome)).toEqual([{ ok: "paid by the second" }]);
	});

	test("lost while a second worker waits with it: neither executes what the other held", async () => {
		const paid: string[] = [];
		const tools = [
			defineTool({ name: "pay", description: "Pays.", input: empty, execute: () => void paid.push("paid") }),
			defineTool({
				name: "slow",
				description: "Slow.",
				input: empty,
				effect: "read",
				execute: () => new Promise(() => undefined),
			}),
		];
		const policy = ({ tool }: { tool: { name: string } }) =>
			tool.name === "pay" ? ({ verdict: "ask", reason: "money" } as const) : allow();
		const scene = stage({
			story: [calls([{ tool: "pay" }, { tool: "slow" }]), say("done")],
			tools,
			harness: { policy },
		});
		const running = scene.harness.run(scene.agent, "go", { runId: "r" });
		while ((await scene.harness.approvals()).length === 0) await new Promise((resolve) => setImmediate(resolve));
		scene.clock.advance(60_000);
		const quick = defineTool({
			name: "slow",
			description: "Slow.",
			input: empty,
			effect: "read",
			execute: () => "seen",
		});
		const other = scene.again({ agent: { tools: [tools[0] as never, quick] } });
		const wait = onlyWait(await other.harness.resume("r"), "approval");
		await other.harness.approve(wait.approval);
		expect(await other.harness.resume("r")).toMatchObject({ status: "completed" });
		await expect(scene.harness.tell("r", "are you there?")).rejects.toMatchObject({ code: "run.over" });
		await scene.harness.close();
		await expect(running).rejects.toMatchObject({ code: expect.stringMatching(/lease_lost|closed/) });
		expect(paid).toEqual(["paid"]);
	});

	test("is kept alive while a call takes long", async () => {
		const inner = memoryStore();
		const beats: number[] = [];
		const beaten = gate<void>();
		const store: Store = {
			...inner,
			commit(run, epoch, writes) {
				const [only] = writes;
				if (writes.length === 1 && only?.kind === "lease") {
					beats.push(only.until);
					if (beats.length === 2) beaten.resolve();
				}
				return inner.commit(run, epoch, writes);
			},
		};
		const { scene, running, ends } = await stuckRun({ store, limits: { leaseMs: 150 } });
		scene.clock.advance(100);
		await beaten.promise;
		expect(beats[1]).toBe(scene.clock.now() + 150);
		expect((await inner.load("r"))?.lease?.until).toBe(scene.clock.now() + 150);
		ends.resolve("paid");
		await running;
	});

	test("a heartbeat that finds the database busy is no lost lease", async () => {
		const inner = memoryStore();
		let failures = 0;
		const failed = gate<void>();
		const { HoldpointError } = await import("../spec/errors.ts");
		const store: Store = {
			...inner,
			commit(run, epoch, writes) {
				if (writes.length !== 1 || writes[0]?.kind !== "lease") return inner.commit(run, epoch, writes);
				if (++failures === 2) failed.resolve();
				return Promise.reject(new HoldpointError("store.locked", "busy"));
			},
		};
		const { running, ends } = await stuckRun({ store, limits: { leaseMs: 150 } });
		await failed.promise;
		ends.resolve("paid");
		expect(await running).toMatchObject({ status: "completed" });
	});

	test("of a process that is certainly dead is taken over at once", async () => {
		const { scene } = await stuckRun();
		const stored = await scene.store.load("r");
		const dead = stored?.lease?.owner.replace(/\.\d+\.\d+\.([^.]+)$/, ".999999999.1.$1") ?? "";
		await scene.store.commit("r", stored?.epoch ?? 0, [{ kind: "lease", owner: dead, until: scene.clock.now() + 1e9 }]);
		expect(await scene.again().harness.resume("r")).toMatchObject({ status: "completed" });
	});

	test("I2: no lease, timer or process is held while a run waits", async () => {
		const pay = defineTool({ name: "pay", description: "Pays.", input: empty, execute: () => "paid" });
		const scene = stage({ story: [call("pay"), say("done")], tools: [pay] });
		const before = process.getActiveResourcesInfo().filter((one) => one === "Timeout").length;
		const { run } = await scene.harness.run(scene.agent, "go");
		expect((await scene.store.load(run))?.lease).toBeUndefined();
		expect(scene.clock.sleeping).toBe(0);
		expect(process.getActiveResourcesInfo().filter((one) => one === "Timeout").length).toBeLessThanOrEqual(before);
	});
});

describe("a heartbeat", () => {
	/** As an error of another installed copy of the package is: told by its brand. */
	const foreign = (code: string) =>
		Object.assign(new Error(code), {
			[Symbol.for("holdpoint.error")]: true,
			code,
			retry: "safe",
			hint: "",
			details: {},
		});

	/** A run in the middle of a call, and what its store says to each heartbeat. */
	async function beating(answers: (beat: number) => Error | undefined) {
		const inner = memoryStore();
		const beaten = [gate<void>(), gate<void>(), gate<void>()];
		let beats = 0;
		const commit: Store["commit"] = async (run, epoch, writes) => {
			if (writes.length !== 1 || writes[0]?.kind !== "lease") return inner.commit(run, epoch, writes);
			const error = answers(++beats);
			beaten[beats - 1]?.resolve();
			if (error) throw error;
			return inner.commit(run, epoch, writes);
		};
		const stuck = await stuckRun({ store: { ...inner, commit }, limits: { leaseMs: 150 } });
		return { ...stuck, third: () => beaten[2]?.promise };
	}

	test.each(["store.locked", "store.failed"])("that the store cannot take now (%s) is no lost lease", async (code) => {
		const { running, ends, third } = await beating((beat) => (beat < 3 ? foreign(code) : undefined));
		await third();
		ends.resolve("paid");
		expect(await running).toMatchObject({ status: "completed" });
	});

	test.each([
		["is lost", foreign("run.lease_lost")],
		["cannot be kept for a reason that nobody knows", new Error("the disk is gone")],
	])("that finds that the lease %s stops the run where it is", async (_, error) => {
		const { running } = await beating(() => error);
		// Its call hangs: nothing but the heartbeat ends it.
		await expect(running).rejects.toBe(error);
	});

	test("in a first answer that takes long makes the run visible, so that it can be cancelled from elsewhere", async () => {
		const inner = memoryStore();
		const stored = gate<void>();
		const commit: Store["commit"] = async (...args) => {
			const receipt = await inner.commit(...args);
			stored.resolve();
			return receipt;
		};
		const asked = gate<void>();
		const around: NonNullable<StageOptions["around"]> = (model) => ({
			...model,
			doGenerate: ({ abortSignal }) => {
				asked.resolve();
				return new Promise((_, reject) => abortSignal?.addEventListener("abort", () => reject(new Error("aborted"))));
			},
		});
		const scene = stage({ story: [say("never")], store: { ...inner, commit }, around, limits: { leaseMs: 150 } });
		const running = scene.harness.run(scene.agent, "go", { runId: "r" });
		await asked.promise;
		expect(await scene.harness.runs()).toEqual([]);
		await stored.promise;
		const other = scene.again();
		expect(await other.harness.runs()).toMatchObject([{ run: "r", status: "running", lease: expect.any(Object) }]);
		expect(await other.harness.cancel("r")).toBeUndefined();
		expect(await running).toMatchObject({ status: "cancelled" });
	});
});

test("a run that another copy of the package says is busy is being cancelled all the same", async () => {
	const busy = Object.assign(new Error("busy"), { [Symbol.for("holdpoint.error")]: true, code: "run.busy" });
	const pay = defineTool({ name: "pay", description: "Pays.", input: empty, execute: () => "paid" });
	const scene = stage({ story: [call("pay")], tools: [pay] });
	const { run } = await scene.harness.run(scene.agent, "go");
	const elsewhere = scene.again({ store: { ...scene.store, acquire: () => Promise.reject(busy) } });
	expect(await elsewhere.harness.cancel(run)).toBeUndefined();
});

describe("I1: intent before effect", () => {
	test("when a tool runs, its call.started is in the store already", async () => {
		const store = memoryStore();
		const journals: string[] = [];
		const pay = defineTool({
			name: "pay",
			description: "Pays.",
			input: empty,
			execute: async (_, { run }) => {
				const stored = await store.load(run);
				journals.push(stored?.entries.map(({ body }) => body).join("") ?? "");
			},
		});
		const scene = stage({
			story: [calls([{ tool: "pay" }, { tool: "pay" }]), say("done")],
			tools: [pay],
			store,
			harness: { policy: allow },
		});
		await scene.harness.run(scene.agent, "go");
		expect(journals).toHaveLength(2);
		for (const text of journals) {
			for (const id of ["c1", "c2"]) expect(text).toContain(`{"type":"call.started","call":"${id}","attempt":1}`);
		}
	});

	test("if it cannot be written, nothing runs", async () => {
		let ran = 0;
		const inner = memoryStore();
		const store: Store = {
			...inner,
			commit: (run, epoch, writes) =>
				writes.some((write) => write.kind === "entry" && write.body.includes("call.started"))
					? Promise.reject(new Error("the disk is full"))
					: inner.commit(run, epoch, writes),
		};
		const pay = defineTool({ name: "pay", description: "Pays.", input: empty, execute: () => ran++ });
		const scene = stage({ story: [call("pay"), say("done")], tools: [pay], store, harness: { policy: allow } });
		await expect(scene.harness.run(scene.agent, "go")).rejects.toThrow("the disk is full");
		expect(ran).toBe(0);
	});

	test("the model does not see the result of a write that is not durable", async () => {
		const inner = memoryStore();
		const store: Store = {
			...inner,
			commit: (run, epoch, writes) =>
				writes.some((write) => write.kind === "entry" && write.body.includes("call.finished"))
					? Promise.reject(new Error("the disk is full"))
					: inner.commit(run, epoch, writes),
		};
		const pay = defineTool({ name: "pay", description: "Pays.", input: empty, execute: () => "paid" });
		const scene = stage({ story: [call("pay"), say("done")], tools: [pay], store, harness: { policy: allow } });
		await expect(scene.harness.run(scene.agent, "go")).rejects.toThrow("the disk is full");
		expect(scene.prompts).toHaveLength(1);
	});
});
