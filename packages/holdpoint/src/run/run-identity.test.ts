import { describe, expect, test } from "vitest";
import { z } from "zod";
import { memoryStore } from "../adapters/stores/memory.ts";
import { gate, onlyWait, stage } from "../testing/stage.ts";
import { call, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";
import { runAfter } from "./next-run.ts";

const by = { id: "ann", via: "test" };

function payStage(repeat: "once" | "keyed" = "once") {
	const paid: string[] = [];
	const held = gate<void>();
	const begun = gate<void>();
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		input: z.object({}),
		repeat,
		async execute(_, { idempotencyKey }) {
			paid.push(idempotencyKey);
			begun.resolve();
			await held.promise;
			return "paid";
		},
	});
	const policy = () => ({ verdict: "allow" }) as const;
	return { scene: stage({ story: [call("pay"), say("done")], tools: [pay], harness: { policy } }), paid, begun, held };
}

describe("a run id names one piece of work", () => {
	test("the same id with the same input gives the same result and does the work once", async () => {
		const { scene, paid, held } = payStage();
		held.resolve();
		const options = { runId: "order-1", principal: "ann" };
		const first = await scene.harness.run(scene.agent, "pay it", options);
		expect(first).toMatchObject({ run: "order-1", status: "completed" });
		expect(await scene.harness.run(scene.agent, "pay it", options)).toEqual(first);
		expect(await scene.again().harness.run(scene.agent, "pay it", options)).toEqual(first);
		expect(paid).toHaveLength(1);
		expect(scene.prompts).toHaveLength(2);
	});

	test.each([
		["input", "pay that", {}],
		["principal", "pay it", { principal: "bob" }],
		["tenant", "pay it", { tenant: "acme" }],
	])("the same id with another %s is an error", async (_, text, change) => {
		const { scene, paid, held } = payStage();
		held.resolve();
		const options = { runId: "order-1", principal: "ann" };
		await scene.harness.run(scene.agent, "pay it", options);
		const second = scene.harness.run(scene.agent, text, { ...options, ...change });
		await expect(second).rejects.toMatchObject({ code: "run.exists" });
		expect(paid).toHaveLength(1);
	});

	test("a session names its runs itself, and does not join one of that name which is not its own", async () => {
		const { scene, held } = payStage();
		held.resolve();
		await scene.harness.run(scene.agent, "pay it", { runId: runAfter("s", undefined) });
		const session = scene.harness.session("s", scene.agent);
		await expect(session.send("pay it")).rejects.toMatchObject({ code: "run.exists" });
	});

	test("I6: started twice at once in one harness, it is done once, and both hear how it ended", async () => {
		const { scene, paid, begun, held } = payStage();
		const both = [1, 2].map(() => scene.harness.run(scene.agent, "pay it", { runId: "order-1" }));
		await begun.promise;
		held.resolve();
		expect((await Promise.all(both)).map(({ status }) => status)).toEqual(["completed", "completed"]);
		expect(paid).toHaveLength(1);
	});

	test("I6: started twice at once in two harnesses, it is done once; the other hears that it is busy", async () => {
		const { scene, paid, begun, held } = payStage();
		const other = scene.again();
		const both = [
			scene.harness.run(scene.agent, "pay it", { runId: "order-1" }),
			other.harness.run(other.agent, "pay it", { runId: "order-1" }),
		];
		await begun.promise;
		const second = await Promise.any(both.map((one) => one.catch((error) => error)));
		expect(second).toMatchObject({ code: "run.busy" });
		held.resolve();
		const results = await Promise.allSettled(both);
		expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
		expect(paid).toHaveLength(1);
	});

	test.each(["", " ", "a b", "../x", "a/b", "ä", "-a", "a\n", "a".repeat(129)])("%j is no run id", async (runId) => {
		const { scene } = payStage();
		await expect(scene.harness.run(scene.agent, "pay it", { runId })).rejects.toMatchObject({
			code: "run.input_invalid",
		});
	});

	test.each(["", "  \n", undefined, 5])("%j is no input", async (text) => {
		const { scene } = payStage();
		await expect(scene.harness.run(scene.agent, text as string)).rejects.toMatchObject({ code: "run.input_invalid" });
	});

	test("I8: an input is bounded in bytes", async () => {
		const { scene, held } = payStage();
		held.resolve();
		const small = scene.again({ agent: { limits: { inputBytesMax: 10 } } });
		await expect(small.harness.run(small.agent, "äääää")).rejects.toMatchObject({ code: "run.input_invalid" });
		expect(await small.harness.run(small.agent, "ääää!")).toMatchObject({ status: "completed" });
	});
});

describe("an idempotency key", () => {
	test("is the same for every attempt of a call, and another one for every other call, run, tenant and store", async () => {
		const keys: string[] = [];
		const pay = defineTool({
			name: "pay",
			description: "Pays.",
			input: z.object({}),
			effect: "read",
			execute: (_, { idempotencyKey, attempt }) => {
				keys.push(`${attempt} ${idempotencyKey}`);
			},
		});
		// Nothing but what a line names is different, the store's identity included.
		for (const [storeId, runId, tenant] of [
			["one", "a", undefined],
			["one", "b", undefined],
			["one", "a", "acme"],
			["one", "a", "other"],
			["two", "a", undefined],
		] as const) {
			const store = { ...memoryStore(), id: async () => storeId };
			const { harness, agent } = stage({ story: [call("pay"), call("pay"), say("done")], tools: [pay], store });
			await harness.run(agent, "go", { runId, ...(tenant ? { tenant } : {}) });
		}
		expect(keys).toHaveLength(10);
		expect(new Set(keys).size).toBe(10);
	});
});

describe("a run that is not there", () => {
	test("is an error that names it", async () => {
		const { scene } = payStage();
		const unknown = { code: "run.unknown", message: expect.stringContaining("nobody") };
		await expect(scene.harness.resume("nobody")).rejects.toMatchObject(unknown);
		await expect(scene.harness.show("nobody")).rejects.toMatchObject(unknown);
		await expect(scene.harness.tell("nobody", "hi")).rejects.toMatchObject(unknown);
		await expect(scene.harness.cancel("nobody")).rejects.toMatchObject(unknown);
		await expect(scene.harness.settle("nobody", "c1", { happened: true })).rejects.toMatchObject(unknown);
	});
});

describe("a harness that is closed", () => {
	test("a run in it fails as closed, its lease is free, and it is resumed elsewhere", async () => {
		const begun = gate<void>();
		let hang = true;
		const look = defineTool({
			name: "look",
			description: "Looks.",
			input: z.object({}),
			effect: "read",
			execute: () => {
				begun.resolve();
				return hang ? new Promise(() => undefined) : "seen";
			},
		});
		const first = stage({ story: [call("look"), say("done")], tools: [look] });
		// The store outlives the harness, as a file would.
		const inner = first.store;
		const store = { ...inner, close: async () => undefined };
		const scene = stage({ story: [call("look"), say("done")], tools: [look], store, clock: first.clock });
		const running = scene.harness.run(scene.agent, "go", { runId: "r" });
		const failed = expect(running).rejects.toMatchObject({ code: "harness.closed" });
		await begun.promise;
		await scene.harness.close();
		await failed;
		expect((await inner.load("r"))?.lease).toBeUndefined();
		hang = false;
		expect(await scene.again().harness.resume("r")).toMatchObject({ status: "completed" });
	});

	test("starts nothing any more", async () => {
		const { scene, paid } = payStage();
		await scene.harness.close();
		await scene.harness.close();
		await expect(scene.harness.run(scene.agent, "go")).rejects.toMatchObject({ code: "harness.closed" });
		await expect(scene.harness.resume("r")).rejects.toMatchObject({ code: "harness.closed" });
		expect(paid).toEqual([]);
	});

	test("a store that could not be opened is tried again", async () => {
		const { scene, held } = payStage();
		held.resolve();
		let locked = true;
		const store = { ...scene.store, id: async () => (locked ? Promise.reject(new Error("locked")) : scene.store.id()) };
		const other = stage({ story: [say("hi")], store, clock: scene.clock });
		await expect(other.harness.run(other.agent, "go")).rejects.toThrow("locked");
		locked = false;
		expect(await other.harness.run(other.agent, "go")).toMatchObject({ status: "completed" });
	});
});

test("an agent may not share its name with a different one in the same harness", async () => {
	const { scene } = payStage();
	const other = stage({ story: [say("hi")], instructions: "Other." });
	await expect(scene.harness.run(other.agent, "go")).rejects.toMatchObject({ code: "agent.invalid" });
});

test("an approval's row names the run, and every run has its own", async () => {
	const pay = defineTool({ name: "pay", description: "Pays.", input: z.object({}), execute: () => "paid" });
	const scene = stage({ story: [call("pay"), say("done")], tools: [pay] });
	const waits = await Promise.all(["a", "b"].map((runId) => scene.harness.run(scene.agent, "go", { runId })));
	const approvals = waits.map((result) => onlyWait(result, "approval").approval);
	expect(new Set(approvals).size).toBe(2);
	expect(await scene.harness.approve(approvals[1] ?? "", { by })).toMatchObject({ run: "b" });
	expect(await scene.harness.resume("a")).toMatchObject({ status: "waiting" });
	expect(await scene.harness.resume("b")).toMatchObject({ status: "completed" });
});
