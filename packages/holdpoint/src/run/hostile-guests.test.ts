import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import type { GuestSeat, SliceEnd } from "../adapters/sandboxes/guest-image/guest-seat.ts";
import { SeatedGuest } from "../adapters/sandboxes/guest-image/seated-guest.ts";
import { createHarness } from "../holdpoint.ts";
import { jsonDepthMax } from "../kit/canonical-json.ts";
import type { Outcome } from "../spec/events.ts";
import type { Ask, Guest, SandboxProvider, Slice, SliceState } from "../spec/sandbox.ts";
import { sandboxName, sandboxUnderTest } from "../testing/sandbox-under-test.ts";
import { gate, ofType, onlyWait, type Stage, type StageOptions, stage } from "../testing/stage.ts";
import { program, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";
import { jsonSchema } from "../tools/json-schema.ts";

/** What a program, its engine or its neighbours do to a run. */
const sandbox = sandboxUnderTest();
const by = { id: "ann", via: "test" };
afterAll(() => sandbox.close());

function askToPay({ tool }: { readonly tool: { readonly name: string } }) {
	return tool.name === "pay" ? ({ verdict: "ask", reason: "money" } as const) : ({ verdict: "allow" } as const);
}

function play(code: string, options: Partial<StageOptions> = {}) {
	const ran: unknown[] = [];
	const anything = jsonSchema({ type: "object" });
	const look = defineTool({
		name: "look",
		description: "Looks.",
		input: anything,
		effect: "read",
		execute: (args) => args,
	});
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		input: anything,
		execute: (args) => {
			ran.push(args);
			return { paid: args };
		},
	});
	const scene = stage({
		story: [program(code), say("done")],
		tools: [look, pay],
		programs: true,
		...options,
		harness: { sandbox, policy: () => ({ verdict: "allow" }), ...options.harness },
	});
	return { scene, ran };
}

async function outcomeOf(scene: Stage, run = "r"): Promise<Outcome | undefined> {
	return ofType(await scene.events(run), "call.finished").findLast(({ call }) => call === "c1")?.outcome;
}

async function ended(code: string, options: Partial<StageOptions> = {}) {
	const { scene, ran } = play(code, options);
	const result = await scene.harness.run(scene.agent, "go", { runId: "r" });
	return { outcome: await outcomeOf(scene), result, scene, ran };
}

describe("arguments of a program", () => {
	const deep = `let deep = {}; for (let i = 0; i < ${jsonDepthMax + 9}; i++) deep = { deep };`;

	test("that are nested too deeply fail their call: they never become no arguments", async () => {
		const { outcome, ran, scene } = await ended(
			`${deep} try { await tools.pay({ where: deep }); } catch (e) { return [e.name, e.code, e.message]; }`,
		);
		expect(outcome).toEqual({
			ok: { value: ["ToolFailed", "tool.args_invalid", expect.stringContaining(`nested deeper than ${jsonDepthMax}`)] },
		});
		expect(ran).toEqual([]);
		expect(ofType(await scene.events("r"), "call.asked")).toMatchObject([
			{ args: null, unreadable: expect.any(String) },
		]);
	});

	test("of which there are none are an object without fields, and null is null", async () => {
		const { outcome, ran } = await ended(
			"await tools.pay(); const none = null; return await tools.pay(none).catch((e) => e.code);",
		);
		expect(outcome).toEqual({ ok: { value: "tool.args_invalid" } });
		expect(ran).toEqual([{}]);
	});

	test("that no JSON can carry fail their call with a code", async () => {
		const { outcome } = await ended(
			"return await tools.pay({ n: 1n }).catch((e) => [e instanceof ToolFailed, e.code]);",
		);
		expect(outcome).toEqual({ ok: { value: [true, "tool.args_invalid"] } });
	});
});

describe("a program keeps what it started with", () => {
	const code =
		"const seen = await tools.look({ n: 1 }); await tools.pay({ n: 2 }); return [seen, Object.keys(tools).length];";

	test.each(["snapshot", "start"] as const)(
		"its tools, when the agent has others by now: from its %s",
		async (from) => {
			const { scene } = play(code, { harness: { policy: askToPay } });
			const wait = onlyWait(await scene.harness.run(scene.agent, "go", { runId: "r" }), "approval");
			await scene.harness.approve(wait.approval, { by });
			const pay = scene.agent.tools.filter(({ name }) => name === "pay");
			const more = defineTool({ name: "more", description: "More.", input: z.object({}), execute: () => 1 });
			const provider = from === "start" ? { ...sandbox, guest: "another build" } : sandbox;
			const other = scene.again({ agent: { tools: [more, ...pay] }, harness: { sandbox: provider } });
			expect(await other.harness.resume("r")).toMatchObject({ status: "completed" });
			expect(await outcomeOf(scene)).toMatchObject({ ok: { value: [{ n: 1 }, 4] } });
			expect(ofType(await scene.events("r"), "program.restored")).toMatchObject([{ from }]);
		},
	);
});

describe("answers", () => {
	test("reach the program in the order in which they came", async () => {
		const first = gate();
		const second = gate();
		const look = defineTool({
			name: "look",
			description: "Looks.",
			input: z.object({ n: z.int() }),
			effect: "read",
			execute: async ({ n }) => {
				await [first, second][n - 1]?.promise;
				return n;
			},
		});
		const code = `const order = []; const note = async (n) => order.push(await tools.look({ n }));
			await Promise.all([note(1), note(2), tools.look({ n: 3 })]); return order;`;
		const { scene } = play(code, { tools: [look] });
		const running = scene.harness.run(scene.agent, "go", {
			runId: "r",
			onEvent: (event) => {
				if (event.type === "call.finished" && event.call === "c1.3") second.resolve();
				// Both are there before the program is given either.
				if (event.type === "call.finished" && event.call === "c1.2") first.resolve();
			},
		});
		await running;
		expect(await outcomeOf(scene)).toEqual({ ok: { value: [2, 1] } });
	});

	test("that are too large for the program say that the call ran", async () => {
		const big = defineTool({
			name: "big",
			description: "Big.",
			input: jsonSchema({ type: "object" }),
			execute: () => "x".repeat(2_000),
		});
		const { outcome } = await ended("return await tools.big().catch((e) => [e.code, e.message]);", {
			tools: [big],
			programs: { limits: { valueBytesMax: 1_000 } },
		});
		expect(outcome).toEqual({ ok: { value: ["tool.result_too_large", expect.stringMatching(/^It ran, but/)] } });
	});

	test("a value that cannot be used takes neither the output nor what approvers changed with it", async () => {
		const { scene } = play(
			`console.log("so far"); await tools.pay({ n: 500 }); let v = 1; for (let i = 0; i < 99; i++) v = [v]; return v;`,
			{
				harness: { policy: askToPay },
			},
		);
		const wait = onlyWait(await scene.harness.run(scene.agent, "go", { runId: "r" }), "approval");
		await scene.harness.approve(wait.approval, { by, args: { n: 5 } });
		await scene.harness.resume("r");
		expect(await outcomeOf(scene)).toMatchObject({
			code: "tool.result_invalid",
			failed: expect.stringMatching(/nested deeper[\s\S]*so far[\s\S]*"executedWith":\{"n":5\}/),
		});
	});

	test("an approver's change that was never executed is not told as executed", async () => {
		const verdicts = ["ask", "deny"] as const;
		let asked = 0;
		const { scene, ran } = play("return await tools.pay({ n: 500 }).catch((e) => e.name);", {
			harness: {
				sandbox,
				policy: ({ tool }) =>
					tool.name === "pay" ? { verdict: verdicts[asked++] ?? "deny", reason: "r" } : { verdict: "allow" },
			},
		});
		const wait = onlyWait(await scene.harness.run(scene.agent, "go", { runId: "r" }), "approval");
		await scene.harness.approve(wait.approval, { by, args: { n: 5 } });
		await scene.harness.resume("r");
		expect(await outcomeOf(scene)).toEqual({ ok: { value: "ToolDenied" } });
		expect(ran).toEqual([]);
	});
});

/** A guest that answers with these slices, whatever it is given. */
function lying(...slices: readonly Partial<Slice>[]): SandboxProvider {
	const guest = (): Guest => {
		let at = 0;
		return {
			advance: async () => ({
				asks: [],
				console: "",
				cpuMs: 0,
				state: { kind: "open" },
				...slices[Math.min(at++, slices.length - 1)],
			}),
			snapshot: async () => new Uint8Array(8),
			dispose: () => undefined,
		};
	};
	return { ...sandbox, start: async () => guest(), close: async () => undefined };
}

describe("a guest that lies", () => {
	const ask = (n: number): Ask => ({ n, tool: "look", args: "{}", line: 1 });
	const returned: SliceState = { kind: "returned", value: "{nope" };

	test.each<[string, readonly Partial<Slice>[], string, string]>([
		["waits for nothing", [{}], "program.stopped", "no call of it is open"],
		["leaves a number out", [{ asks: [ask(2)] }], "program.stopped", "number 2"],
		["uses a number twice", [{ asks: [ask(1)] }, { asks: [ask(1)] }], "program.stopped", "number 1"],
		["returns what is no JSON", [{ state: returned }], "tool.result_invalid", "cannot be used"],
	])("%s: its program ends, and the run goes on", async (_, slices, code, said) => {
		const { outcome, result } = await ended("return 1", {
			harness: { sandbox: lying(...slices), policy: () => ({ verdict: "allow" }) },
		});
		expect(outcome).toMatchObject({ code, failed: expect.stringContaining(said) });
		expect(result).toMatchObject({ status: "completed" });
	});
});

describe("a guest whose engine was taken over lies", () => {
	/** A provider of the usual kind over a seat whose guest asks for one call, and later says this. */
	function takenOver(last: Partial<SliceEnd>): SandboxProvider {
		const seat = (): GuestSeat => ({
			run: async ({ isFirst }) => ({
				stop: undefined,
				cpuMs: 0,
				unknownCall: 0,
				outbox: 'a 1 1 "pay" {}\no',
				...(isFirst ? {} : last),
			}),
			snapshot: async () => ({ memoryBytes: 65_536, pageCount: 0, body: Buffer.from("pages") }),
			restore: async () => undefined,
			release: () => undefined,
		});
		return {
			...sandbox,
			start: async (spec) => new SeatedGuest(seat(), spec),
			restore: async (snapshot, spec) => {
				const guest = new SeatedGuest(seat(), spec);
				await guest.restore(snapshot);
				return guest;
			},
			close: async () => undefined,
		};
	}

	test.each<[string, Partial<SliceEnd>, string]>([
		["that it knows nothing of its open call", { unknownCall: 1 }, "The guest broke"],
		["that it asks for the first time", {}, "a line that its prelude does not write"],
		["that it waits, and has asked for nothing", { outbox: "o" }, "no call of it is open"],
		["what is no outbox", { outbox: "\0" }, "a line that its prelude does not write"],
		["that it printed, in no words", { outbox: "c [[", stop: "slice" }, "JSON"],
	])("%s, after a restore: its program ends, the run goes on, and what was done is kept", async (_, last, said) => {
		const { scene, ran } = play("await tools.pay({}); return 1", {
			harness: { sandbox: takenOver(last), policy: askToPay },
		});
		const wait = onlyWait(await scene.harness.run(scene.agent, "go", { runId: "r" }), "approval");
		await scene.harness.approve(wait.approval, { by });
		expect(await scene.again().harness.resume("r")).toMatchObject({ status: "completed", text: "done" });
		expect(ofType(await scene.events("r"), "program.restored")).toMatchObject([{ from: "snapshot" }]);
		expect(await outcomeOf(scene)).toMatchObject({
			code: "program.stopped",
			failed: expect.stringMatching(new RegExp(`\\(fault\\).*${said}`)),
		});
		expect(ran).toEqual([{}]);
	});
});

test("a guest that is made after its run was cancelled is given back", async () => {
	const made = gate();
	const asked = gate();
	const disposed: number[] = [];
	const late: SandboxProvider = {
		...sandbox,
		start: async (program) => {
			asked.resolve();
			await made.promise;
			const guest = await sandbox.start(program);
			return {
				advance: (delivery, signal) => guest.advance(delivery, signal),
				snapshot: () => guest.snapshot(),
				dispose: () => disposed.push(1) && guest.dispose(),
			};
		},
		close: async () => undefined,
	};
	const { scene } = play("return 1", { harness: { sandbox: late, policy: () => ({ verdict: "allow" }) } });
	const cancelled = gate();
	const onEvent = ({ type }: { readonly type: string }) => type === "cancel.requested" && cancelled.resolve();
	const running = scene.harness.run(scene.agent, "go", { runId: "r", onEvent });
	await asked.promise;
	const cancelling = scene.harness.cancel("r");
	await cancelled.promise;
	made.resolve();
	expect(await running).toMatchObject({ status: "cancelled" });
	await cancelling;
	await expect.poll(() => disposed.length).toBe(1);
});

test("a program whose thread another program broke is replayed, where they share one, and both runs go on", {
	timeout: 60_000,
}, async () => {
	const looked = gate();
	const begun = gate();
	const slow = defineTool({
		name: "slow",
		description: "Slow.",
		input: jsonSchema({ type: "object" }),
		effect: "read",
		execute: async () => {
			begun.resolve();
			await looked.promise;
			return "at last";
		},
	});
	const options = { tools: [slow], programs: { limits: { sliceMs: 300 } } };
	const good = play("return await tools.slow({});", options);
	const running = good.scene.harness.run(good.scene.agent, "go", { runId: "r" });
	await begun.promise;
	// It never comes back to where it could be interrupted, so that its thread is ended.
	const bad = await ended("let x = 3n ** 400000n; for (;;) x.toString();", options);
	expect(bad.outcome).toMatchObject({ code: "program.stopped" });
	expect(bad.result).toMatchObject({ status: "completed" });
	looked.resolve();
	expect(await running).toMatchObject({ status: "completed" });
	expect(await outcomeOf(good.scene)).toEqual({ ok: { value: "at last" } });
	// In a micro-VM it has a machine of its own, and notices nothing.
	const restored = sandboxName === "wasm" ? [{ from: "start" }] : [];
	expect(ofType(await good.scene.events("r"), "program.restored")).toMatchObject(restored);
});

describe("hardware isolation that is required", () => {
	afterEach(() => vi.unstubAllEnvs());

	const probing = (isolation: "svm" | "pvm" | "wasm"): SandboxProvider => ({
		...sandbox,
		probe: async () => ({ ok: true, provider: "some", isolation, startMs: 1, guest: sandbox.guest }),
		close: async () => undefined,
	});

	test.each([
		["auto", "auto", "wasm"],
		["a given provider", probing("wasm"), "wasm"],
		["a hypervisor in software", probing("pvm"), "pvm"],
	] as const)("is refused where there is none: %s", async (_, provider, said) => {
		// A micro-VM of this machine's may be what is required.
		vi.stubEnv("HOLDPOINT_SANDBOX", "wasm");
		const { scene } = play("return 1", { harness: { sandbox: provider, isolation: "hardware" } });
		await expect(scene.harness.run(scene.agent, "go")).rejects.toMatchObject({
			code: "sandbox.isolation",
			message: expect.stringContaining(said),
		});
	});

	test("is taken where it is there", async () => {
		const { result } = await ended("return 1", {
			harness: { sandbox: probing("svm"), isolation: "hardware", policy: () => ({ verdict: "allow" }) },
		});
		expect(result).toMatchObject({ status: "completed" });
	});

	test("an agent without programs needs none", async () => {
		const harness = createHarness({ isolation: "hardware" });
		const { scene } = play("", { story: [say("hello")], programs: undefined as never });
		expect(await harness.run(scene.agent, "go")).toMatchObject({ status: "completed" });
		await harness.close();
	});
});
