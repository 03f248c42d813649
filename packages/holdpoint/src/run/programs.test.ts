import { afterAll, afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { memoryStore } from "../adapters/stores/memory.ts";
import type { Store } from "../spec/store.ts";
import { promptProblems } from "../testing/prompt-order.ts";
import { sandboxUnderTest } from "../testing/sandbox-under-test.ts";
import { gate, ofType, onlyWait, type Stage, type StageOptions, stage } from "../testing/stage.ts";
import { calls, program, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";
import { OutcomeUnknown } from "../tools/outcome-unknown.ts";

const sandbox = sandboxUnderTest();
const by = { id: "ann", via: "test" };
const scenes: Stage[] = [];

afterAll(() => sandbox.close());
afterEach(() => {
	expect(scenes.splice(0).flatMap((scene) => scene.prompts.flatMap(promptProblems))).toEqual([]);
});

interface Seen {
	readonly looked: number[];
	readonly paid: number[];
}

function play(code: string, options: Partial<StageOptions> = {}): Seen & { scene: Stage } {
	const looked: number[] = [];
	const paid: number[] = [];
	const input = z.object({ n: z.int() });
	const look = defineTool({
		name: "look",
		description: "Looks.",
		input,
		effect: "read",
		execute: ({ n }) => {
			looked.push(n);
			return `seen ${n}`;
		},
	});
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		input,
		execute: ({ n }) => ({ paid: paid.push(n) && n }),
	});
	const scene = stage({
		story: [program(code), say("done"), say("really done")],
		tools: [look, pay],
		programs: true,
		...options,
		harness: { sandbox, ...options.harness },
	});
	scenes.push(scene);
	return { scene, looked, paid };
}

/** What the model read of the program. */
async function valueOf(scene: Stage, run: string): Promise<unknown> {
	const outcome = ofType(await scene.events(run), "call.finished").findLast(({ call }) => call === "c1")?.outcome;
	return outcome && "ok" in outcome ? (outcome.ok as { value: unknown }).value : outcome;
}

const heldTwice = `
	const seen = [];
	const note = async (n) => seen.push(await tools.look({ n }));
	await note(1);
	const first = await tools.pay({ n: 10 });
	await note(2);
	const second = await tools.pay({ n: 20 });
	return { seen, first, second };`;

async function approveHeld(scene: Stage, run: string, args?: { n: number }) {
	const [open] = await scene.harness.approvals({ run });
	await scene.harness.approve(open?.approval ?? "", { by, ...(args ? { args } : {}) });
	return scene.harness.resume(run);
}

describe("a program that is held in its middle", () => {
	test("goes on from there in another process, with all that it knew", async () => {
		const { scene, looked, paid } = play(heldTwice);
		const { run } = await scene.harness.run(scene.agent, "go");
		expect(looked).toEqual([1]);
		expect(await approveHeld(scene.again(), run)).toMatchObject({ status: "waiting" });
		expect(await approveHeld(scene.again(), run)).toMatchObject({ status: "completed" });
		expect(await valueOf(scene, run)).toEqual({
			seen: ["seen 1", "seen 2"],
			first: { paid: 10 },
			second: { paid: 20 },
		});
		expect([looked, paid]).toEqual([
			[1, 2],
			[10, 20],
		]);
		expect(ofType(await scene.events(run), "program.restored").map(({ from }) => from)).toEqual([
			"snapshot",
			"snapshot",
		]);
	});

	test("shows where it stands: source, line, and what it did so far", async () => {
		const { scene } = play(heldTwice);
		const wait = onlyWait(await scene.harness.run(scene.agent, "go"), "approval");
		expect(wait).toMatchObject({ call: "c1.2", tool: "pay", args: { n: 10 }, program: { call: "c1", line: 5 } });
		const [open] = await scene.harness.approvals();
		expect(open?.program?.source).toBe(heldTwice);
		expect(open?.program?.done).toEqual([
			{ tool: "look", args: { n: 1 }, outcome: "ok" },
			{ tool: "pay", args: { n: 10 }, outcome: "open" },
		]);
	});

	test("denied, it may catch that", async () => {
		const { scene, paid } = play(
			`try { await tools.pay({ n: 1 }); } catch (error) { return error.name + ": " + error.message; }`,
		);
		const { run } = await scene.harness.run(scene.agent, "go");
		const [open] = await scene.harness.approvals();
		await scene.harness.deny(open?.approval ?? "", { by, reason: "no" });
		await scene.harness.resume(run);
		expect(await valueOf(scene, run)).toBe("ToolDenied: Denied by ann, not executed: no");
		expect(paid).toEqual([]);
	});

	test("edited, the outcome tells the model what was really executed, whatever the program made of it", async () => {
		const { scene, paid } = play(`await tools.pay({ n: 5 }); return "paid 5";`);
		const { run } = await scene.harness.run(scene.agent, "go");
		await approveHeld(scene, run, { n: 3 });
		expect(paid).toEqual([3]);
		const finished = ofType(await scene.events(run), "call.finished").findLast(({ call }) => call === "c1");
		expect(finished?.outcome).toMatchObject({
			ok: { value: "paid 5", edited: [{ tool: "pay", asked: { n: 5 }, executedWith: { n: 3 } }] },
		});
	});

	test("in one of several branches: the others go on, and it is suspended when nothing moves", async () => {
		const code = `return await Promise.all([tools.pay({ n: 1 }), tools.look({ n: 2 }).then(() => tools.look({ n: 3 }))]);`;
		const { scene, looked } = play(code);
		const { run } = await scene.harness.run(scene.agent, "go");
		expect(looked).toEqual([2, 3]);
		await approveHeld(scene, run);
		expect(await valueOf(scene, run)).toEqual([{ paid: 1 }, "seen 3"]);
	});

	test("and that does not wait for it: the held call closes with the program", async () => {
		const { scene, paid } = play(`tools.pay({ n: 1 }); await tools.look({ n: 2 }); return "over";`);
		const result = await scene.harness.run(scene.agent, "go");
		expect(result).toMatchObject({ status: "completed" });
		expect(await scene.harness.approvals()).toEqual([]);
		expect(paid).toEqual([]);
	});

	test("while somebody talks: its end comes as a note", async () => {
		const { scene, paid } = play(`return await tools.pay({ n: 1 });`);
		const { run } = await scene.harness.run(scene.agent, "go");
		await scene.harness.tell(run, "how far?");
		expect(await scene.harness.resume(run)).toMatchObject({ status: "waiting", text: "done" });
		expect(await approveHeld(scene, run)).toMatchObject({ status: "completed", text: "really done" });
		expect(paid).toEqual([1]);
		expect(JSON.stringify(scene.prompts.at(-1)?.at(-1))).toContain("Result of the pending call execute_code");
	});

	test("two of them in one answer are held and go on independently", async () => {
		const two = ["10", "20"].map((n) => ({
			tool: "execute_code",
			args: { code: `return await tools.pay({ n: ${n} });` },
		}));
		const { scene, paid } = play("", { story: [calls(two), say("done")] });
		const { run } = await scene.harness.run(scene.agent, "go");
		expect(await approveHeld(scene, run)).toMatchObject({ status: "waiting" });
		expect(await approveHeld(scene, run)).toMatchObject({ status: "completed" });
		expect(paid.sort()).toEqual([10, 20]);
	});

	test("its snapshot is deleted when it ends, is cancelled, or is suspended anew", async () => {
		const kept = async (scene: Stage, run: string) => {
			const references = ofType(await scene.events(run), "program.suspended").flatMap(
				({ snapshot }) => snapshot?.digest ?? [],
			);
			const blobs = await Promise.all(references.map((digest) => scene.store.blob(run, digest)));
			return blobs.map((blob) => blob !== undefined);
		};
		const { scene } = play(heldTwice);
		const { run } = await scene.harness.run(scene.agent, "go");
		expect(await kept(scene, run)).toEqual([true]);
		await approveHeld(scene, run);
		expect(await kept(scene, run)).toEqual([false, true]);
		await approveHeld(scene, run);
		expect(await kept(scene, run)).toEqual([false, false]);
		const cancelled = play(heldTwice).scene;
		const second = await cancelled.harness.run(cancelled.agent, "go");
		await cancelled.harness.cancel(second.run);
		expect(await kept(cancelled, second.run)).toEqual([false]);
	});
});

describe("a snapshot", () => {
	/** A store in which a test can change bodies. */
	function openStore() {
		const inner = memoryStore();
		let change: (body: Uint8Array | undefined) => Uint8Array | undefined = (body) => body;
		const store: Store = { ...inner, blob: async (run, digest) => change(await inner.blob(run, digest)) };
		return { store, tamper: (next: typeof change) => (change = next) };
	}

	test("that is lost: the program is replayed, and nothing that ran runs again", async () => {
		const opened = openStore();
		const { scene, looked, paid } = play(heldTwice, { store: opened.store });
		const { run } = await scene.harness.run(scene.agent, "go");
		opened.tamper(() => undefined);
		await approveHeld(scene, run);
		expect(await approveHeld(scene, run)).toMatchObject({ status: "completed" });
		expect([looked, paid]).toEqual([
			[1, 2],
			[10, 20],
		]);
		expect(ofType(await scene.events(run), "program.restored")).toMatchObject([
			{ from: "start", why: expect.stringContaining("lost") },
			{ from: "start" },
		]);
	});

	test("that was changed is never replayed in silence: the run is kept as it is", async () => {
		const opened = openStore();
		const { scene, paid } = play(heldTwice, { store: opened.store });
		const { run } = await scene.harness.run(scene.agent, "go");
		opened.tamper((body) => body?.map((byte, i) => (i === 50 ? byte ^ 1 : byte)));
		await expect(approveHeld(scene, run)).rejects.toMatchObject({ code: "snapshot.tampered" });
		expect(paid).toEqual([10]);
		opened.tamper((body) => body);
		expect(await scene.harness.resume(run)).toMatchObject({ status: "waiting" });
		expect(paid).toEqual([10]);
	});

	test("of another guest build: the program is replayed", async () => {
		const { scene, looked } = play(heldTwice);
		const { run } = await scene.harness.run(scene.agent, "go");
		const other = scene.again({ harness: { sandbox: { ...sandbox, guest: "another build" } } });
		await approveHeld(other, run);
		expect(ofType(await scene.events(run), "program.restored")).toMatchObject([
			{ from: "start", why: expect.stringContaining("guest") },
		]);
		expect(looked).toEqual([1, 2]);
	});
});

describe("a program whose calls do not end well", () => {
	test("I7: with an unknown outcome inside: the run waits, and it goes on once that is settled", async () => {
		const lose = defineTool({
			name: "lose",
			description: "Loses.",
			input: z.object({}),
			execute: () => Promise.reject(new OutcomeUnknown("lost")),
		});
		const policy = () => ({ verdict: "allow" }) as const;
		const { scene } = play(`return { found: await tools.lose({}) };`, { tools: [lose], harness: { policy } });
		const first = await scene.harness.run(scene.agent, "go");
		const wait = onlyWait(first, "unknown");
		expect(wait.call).toBe("c1.1");
		await scene.harness.settle(first.run, wait.call, { happened: true, result: 7 });
		expect(await scene.harness.resume(first.run)).toMatchObject({ status: "completed" });
		expect(await valueOf(scene, first.run)).toEqual({ found: 7 });
	});

	test("arguments that do not fit reject that call, and it may go on", async () => {
		const { scene, looked } = play(
			`const n = "x"; return await tools.look({ n }).catch((error) => [error.name, error.code]);`,
		);
		const { run } = await scene.harness.run(scene.agent, "go");
		expect(await valueOf(scene, run)).toEqual(["ToolFailed", "tool.args_invalid"]);
		expect(looked).toEqual([]);
	});

	test.each([
		[
			"throws",
			`console.log("so far"); throw new RangeError("too far");`,
			"program.threw",
			/RangeError: too far.*so far/s,
		],
		["does not parse", `return (;`, "program.invalid", /1:9 Expression expected/],
		["never comes to an end", `for (;;);`, "program.stopped", /stopped \((cpu|slice)\)/],
	])("that %s has failed, and the model reads why", async (_, code, failure, why) => {
		const { scene } = play(code, { programs: { limits: { cpuMs: 200, sliceMs: 200 } } });
		const { run } = await scene.harness.run(scene.agent, "go");
		expect(await valueOf(scene, run)).toMatchObject({ code: failure, failed: expect.stringMatching(why) });
	});

	test("I8: of its calls those past callsMax of the run fail", async () => {
		const code = `const all = []; for (let n = 0; n < 4; n++) all.push(await tools.look({ n }).catch((error) => error.code)); return all;`;
		const { scene } = play(code, { limits: { callsMax: 3 } });
		const { run } = await scene.harness.run(scene.agent, "go");
		expect(await valueOf(scene, run)).toEqual(["seen 0", "seen 1", "limit.calls", "limit.calls"]);
	});
});

describe("a program that is stopped from outside", () => {
	/** A program with a call in flight that the test holds. */
	async function inCall() {
		const begun = gate<void>();
		let hang = true;
		const slow = defineTool({
			name: "slow",
			description: "Slow.",
			input: z.object({}),
			effect: "read",
			execute: () => {
				begun.resolve();
				return hang ? new Promise(() => undefined) : "at last";
			},
		});
		const played = play(`return await tools.slow({});`, { tools: [slow] });
		return { ...played, slow, begun, letGo: () => (hang = false) };
	}

	test("cancelled with a call in flight: the run ends, and so does the program", async () => {
		const { scene, begun } = await inCall();
		const running = scene.harness.run(scene.agent, "go", { runId: "r" });
		await begun.promise;
		await scene.harness.cancel("r", { reason: "stop" });
		expect(await running).toMatchObject({ status: "cancelled" });
		const ended = ofType(await scene.events("r"), "call.finished").map(({ call, outcome }) => [call, outcome]);
		expect(ended.sort()).toEqual([
			["c1", { cancelled: "stop. Its calls until then: slow (c1.1): stopped" }],
			["c1.1", { cancelled: "stop" }],
		]);
	});

	test("cancelled while it computes", async () => {
		const { scene } = play(`await tools.look({ n: 1 }); for (;;);`, {
			programs: { limits: { cpuMs: 60_000, sliceMs: 60_000 } },
		});
		const delivered = gate<void>();
		const onEvent = (event: { type: string }) => event.type === "program.delivered" && delivered.resolve();
		const running = scene.harness.run(scene.agent, "go", { runId: "r", onEvent });
		await delivered.promise;
		await scene.harness.cancel("r");
		expect(await running).toMatchObject({ status: "cancelled" });
	});

	test("aborted with a call in flight: it is replayed when the run is resumed", async () => {
		const { scene, begun, letGo } = await inCall();
		const controller = new AbortController();
		const running = scene.harness.run(scene.agent, "go", { runId: "r", signal: controller.signal });
		await begun.promise;
		controller.abort(new Error("enough"));
		await expect(running).rejects.toThrow("enough");
		letGo();
		expect(await scene.again().harness.resume("r")).toMatchObject({ status: "completed" });
		expect(await valueOf(scene, "r")).toBe("at last");
	});

	test("at turnsMax while it is held and somebody talks: it stays held, and ends with what is decided", async () => {
		const { scene, paid } = play(`return await tools.pay({ n: 1 });`, { limits: { turnsMax: 1 } });
		const { run } = await scene.harness.run(scene.agent, "go");
		await scene.harness.tell(run, "hurry");
		expect(await scene.harness.resume(run)).toMatchObject({ status: "waiting" });
		const [open] = await scene.harness.approvals();
		await scene.harness.approve(open?.approval ?? "", { by });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "failed", error: { code: "limit.turns" } });
		expect(await scene.harness.approvals()).toEqual([]);
		expect(paid).toEqual([1]);
		const { state } = await scene.harness.show(run);
		expect([...state.calls.values()].map(({ phase }) => phase)).toEqual(["finished", "finished"]);
	});
});

test("a harness without a sandbox says so, and the run is kept for one that has it", async () => {
	const { scene, looked } = play(`return await tools.look({ n: 1 });`);
	const bare = scene.again({ harness: { sandbox: "off" } });
	await expect(bare.harness.run(bare.agent, "go", { runId: "r" })).rejects.toMatchObject({
		code: "sandbox.unavailable",
	});
	expect(await scene.harness.run(scene.agent, "go", { runId: "r" })).toMatchObject({ status: "completed" });
	expect(looked).toEqual([1]);
});
