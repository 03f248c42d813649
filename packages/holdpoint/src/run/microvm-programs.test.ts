/** What matters most about programs, in the micro-VM: waits, moves, losses, ends. The rest is the provider's contract. */
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { machinePids, whyNoMicrovm } from "../adapters/sandboxes/microvm/machines-for-tests.ts";
import { microvmSandbox } from "../adapters/sandboxes/microvm/provider.ts";
import { wasmSandbox } from "../adapters/sandboxes/wasm/provider.ts";
import type { SandboxProvider } from "../spec/sandbox.ts";
import { ofType, type Stage, type StageOptions, stage } from "../testing/stage.ts";
import { program, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";

const why = await whyNoMicrovm();
if (why) console.log(`skipped: ${why}`);

const microvm = microvmSandbox({ machinesMax: 2 });
const wasm = wasmSandbox({ workersMax: 1 });
afterAll(() => Promise.all([microvm.close(), wasm.close()]));

const by = { id: "ann", via: "test" };
const input = z.object({ n: z.int() });

let paid: number[] = [];
/** What happens when a tool is called, by the number of the call. */
let onCall: (call: number) => void;
beforeEach(() => {
	paid = [];
	onCall = () => undefined;
});

function play(code: string, options: Partial<StageOptions> = {}): Stage {
	let calls = 0;
	const look = defineTool({
		name: "look",
		description: "Looks.",
		input,
		effect: "read",
		execute: ({ n }) => {
			onCall(++calls);
			return n * 10;
		},
	});
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		input,
		effect: "write",
		execute: ({ n }) => {
			onCall(++calls);
			paid.push(n);
			return { paid: n };
		},
	});
	const policy = ({ tool }: { readonly tool: { readonly name: string } }) =>
		tool.name === "pay" ? ({ verdict: "ask", reason: "money" } as const) : ({ verdict: "allow" } as const);
	return stage({
		story: [program(code), say("done")],
		tools: [look, pay],
		programs: true,
		...options,
		harness: { sandbox: microvm, policy, ...options.harness },
	});
}

const on = (sandbox: SandboxProvider) => ({ harness: { sandbox } });
const allowed = { harness: { policy: () => ({ verdict: "allow" as const }) } };

async function approveIn(scene: Stage, run: string) {
	const [open] = await scene.harness.approvals({ run });
	await scene.harness.approve(open?.approval ?? "", { by });
	return scene.harness.resume(run);
}

async function outcomeOf(scene: Stage, run: string) {
	return ofType(await scene.events(run), "call.finished").findLast(({ call }) => call === "c1")?.outcome;
}

const held = `
	const seen = new Map();
	for (let n = 1; n <= 3; n++) seen.set(n, await tools.look({ n }));
	const receipt = await tools.pay({ n: 7 });
	return [[...seen], receipt, await tools.look({ n: 4 }), Math.random()];`;

describe("the default", () => {
	beforeEach(() => void vi.stubEnv("HOLDPOINT_SANDBOX", undefined));
	afterEach(() => vi.unstubAllEnvs());

	test.each([
		["no micro-VM to be had", "HOLDPOINT_MICROVM_DIR", "/nowhere", "wasm"],
		["WebAssembly named", "HOLDPOINT_SANDBOX", "wasm", "wasm"],
	])("with %s runs programs in WebAssembly, and says so", async (_, name, value, expected) => {
		vi.stubEnv(name, value);
		const scene = play("return 6 * 7", { harness: { sandbox: "auto" } });
		const { run } = await scene.harness.run(scene.agent, "go");
		const events = await scene.events(run);
		expect(ofType(events, "run.started")).toMatchObject([{ sandbox: expected }]);
		expect(ofType(events, "program.started")).toMatchObject([{ provider: expected }]);
		expect(await outcomeOf(scene, run)).toMatchObject({ ok: { value: 42 } });
		await scene.harness.close();
	});

	test.skipIf(why)("is the micro-VM where one boots", async () => {
		const scene = play("return 6 * 7", { harness: { sandbox: "auto" } });
		const { run } = await scene.harness.run(scene.agent, "go");
		expect(ofType(await scene.events(run), "program.started")).toMatchObject([{ provider: "microvm" }]);
		await scene.harness.close();
	});

	test("is refused where it is named and cannot be had", async () => {
		vi.stubEnv("HOLDPOINT_MICROVM_DIR", "/nowhere");
		vi.stubEnv("HOLDPOINT_SANDBOX", "microvm");
		const scene = play("return 1", { harness: { sandbox: "auto" } });
		await expect(scene.harness.run(scene.agent, "go")).rejects.toMatchObject({
			code: "sandbox.unavailable",
			message: expect.stringContaining("No sandbox works here: microvm: "),
		});
	});
});

describe.skipIf(why)("a program in a micro-VM", () => {
	test("says so in its run and its timeline", async () => {
		const scene = play("return 1");
		const { run } = await scene.harness.run(scene.agent, "go");
		const events = await scene.events(run);
		expect(ofType(events, "run.started")).toMatchObject([{ sandbox: "microvm" }]);
		expect(ofType(events, "program.started")).toMatchObject([{ provider: "microvm", guest: microvm.guest }]);
	});

	test.each([
		["a micro-VM", "a micro-VM", microvm, microvm],
		["WebAssembly", "a micro-VM", wasm, microvm],
		["a micro-VM", "WebAssembly", microvm, wasm],
	])("held in %s goes on in %s, from its snapshot", async (...[, , from, to]) => {
		const straight = play(held, allowed);
		const { run } = await straight.harness.run(straight.agent, "go", { runId: "same" });
		const expected = await outcomeOf(straight, run);
		paid = [];
		const scene = play(held, on(from));
		expect(await scene.harness.run(scene.agent, "go", { runId: "same" })).toMatchObject({ status: "waiting" });
		expect(await approveIn(scene.again(on(to)), "same")).toMatchObject({ status: "completed" });
		expect(ofType(await scene.events("same"), "program.restored")).toMatchObject([{ from: "snapshot" }]);
		expect(await outcomeOf(scene, "same")).toEqual(expected);
		expect(paid).toEqual([7]);
	});

	test("held in another build of the guest is replayed from its start, and says why", async () => {
		const scene = play(held);
		const { run } = await scene.harness.run(scene.agent, "go");
		const upgraded = scene.again(on({ ...microvm, guest: "f".repeat(64) }));
		expect(await approveIn(upgraded, run)).toMatchObject({ status: "completed" });
		expect(ofType(await scene.events(run), "program.restored")).toMatchObject([
			{ from: "start", why: expect.stringContaining("another guest build (microvm ") },
		]);
		expect(paid).toEqual([7]);
	});

	const kill = (): void => {
		for (const pid of machinePids()) process.kill(pid, "SIGKILL");
	};
	test.each([
		["while it waits", kill],
		["while it runs", () => void setImmediate(() => setImmediate(kill))],
		["right after its answer was sent", () => void process.nextTick(kill)],
	])("whose process is killed %s goes on; nothing happens twice", { timeout: 60_000 }, async (_, strike) => {
		const code = `
			const got = [];
			for (let n = 1; n <= 6; n++) got.push(n % 3 === 0 ? await tools.pay({ n }) : await tools.look({ n }));
			return got;`;
		for (let at = 1; at <= 6; at++) {
			paid = [];
			onCall = (call) => call === at && strike();
			const scene = play(code, allowed);
			const result = await scene.harness.run(scene.agent, "go", { runId: "r" });
			expect(result).toMatchObject({ status: "completed", text: "done" });
			expect(await outcomeOf(scene, "r")).toMatchObject({ ok: { value: [10, 20, { paid: 3 }, 40, 50, { paid: 6 }] } });
			expect(paid).toEqual([3, 6]);
		}
	});

	test.each([
		["while it waits", kill],
		["while it runs", () => void setImmediate(() => setImmediate(kill))],
		["right after its answer was sent", () => void process.nextTick(kill)],
	])(
		"that was approved and whose process is killed %s goes on from its snapshot",
		{ timeout: 60_000 },
		async (_, strike) => {
			const code = `
			const got = [await tools.look({ n: 1 }), await tools.pay({ n: 2 })];
			for (let n = 3; n <= 5; n++) got.push(await tools.look({ n }));
			return got;`;
			let losses = 0;
			// The first call came before the wait; each of the others is struck once.
			for (let at = 2; at <= 5; at++) {
				paid = [];
				onCall = (call) => call === at && strike();
				const scene = play(code);
				expect(await scene.harness.run(scene.agent, "go", { runId: "r" })).toMatchObject({ status: "waiting" });
				expect(await approveIn(scene, "r")).toMatchObject({ status: "completed" });
				expect(await outcomeOf(scene, "r")).toMatchObject({ ok: { value: [10, { paid: 2 }, 30, 40, 50] } });
				expect(paid).toEqual([2]);
				const events = await scene.events("r");
				const approved = events.findIndex(({ type }) => type === "approval.resolved");
				const restored = ofType(events.slice(approved), "program.restored");
				expect(restored.map(({ from }) => from)).toEqual(restored.map(() => "snapshot"));
				losses += restored.length - 1;
			}
			expect(losses).toBeGreaterThan(0);
		},
	);

	test("is stopped by its limits, and keeps what it printed", async () => {
		const code = "console.log('here'); for (;;);";
		const scene = play(code, { programs: { limits: { sliceMs: 100 } } });
		const { run } = await scene.harness.run(scene.agent, "go");
		expect(await outcomeOf(scene, run)).toMatchObject({
			code: "program.stopped",
			failed: expect.stringContaining("here"),
		});
	});

	test("ends when its run is cancelled", async () => {
		const scene = play("await tools.look({ n: 1 }); for (;;);", {
			programs: { limits: { sliceMs: 60_000, cpuMs: 60_000 } },
		});
		onCall = () => void setImmediate(() => scene.harness.cancel("r", { by: by.id }));
		expect(await scene.harness.run(scene.agent, "go", { runId: "r" })).toMatchObject({ status: "cancelled" });
	});

	test("shares its machine with no other principal", async () => {
		const sandbox = microvmSandbox({ machinesMax: 1 });
		const pids: Record<string, number[]> = {};
		for (const principal of ["ann", "ben", "ann"]) {
			const scene = play("await tools.look({ n: 1 }); return 1", on(sandbox));
			const others = machinePids();
			onCall = () => {
				pids[principal] = machinePids().filter((pid) => !others.includes(pid) || principal === "ann");
			};
			await scene.harness.run(scene.agent, "go", { principal });
			expect(pids[principal]).not.toEqual([]);
		}
		await sandbox.close();
		expect(pids["ann"]?.filter((pid) => pids["ben"]?.includes(pid))).toEqual([]);
	});
});
