import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { HoldpointError } from "../spec/errors.ts";
import type { ProgramSpec, SandboxProvider } from "../spec/sandbox.ts";
import { promptProblems } from "../testing/prompt-order.ts";
import { sandboxUnderTest } from "../testing/sandbox-under-test.ts";
import { ofType, type Stage, type StageOptions, stage } from "../testing/stage.ts";
import { program, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";
import { OutcomeUnknown } from "../tools/outcome-unknown.ts";

const sandbox = sandboxUnderTest();
const by = { id: "ann", via: "test" };
const input = z.object({ n: z.int() });

afterAll(() => sandbox.close());

function play(code: string, options: Partial<StageOptions> = {}) {
	const ran: string[] = [];
	const tool = (name: string, effect: "read" | "write", execute: (n: number) => unknown) =>
		defineTool({
			name,
			description: name,
			input,
			effect,
			execute: ({ n }) => {
				ran.push(`${name} ${n}`);
				return execute(n);
			},
		});
	const tools = [
		tool("look", "read", (n) => n * 10),
		tool("pay", "write", (n) => ({ paid: n })),
		tool("lose", "write", () => Promise.reject(new OutcomeUnknown("lost"))),
		tool("fail", "write", () => Promise.reject(new Error("no such account"))),
	];
	const scene = stage({
		story: [program(code), say("done")],
		tools,
		programs: true,
		...options,
		harness: { sandbox, policy, ...options.harness },
	});
	return { scene, ran };
}

/** Only `pay` asks. */
function policy({ tool }: { readonly tool: { readonly name: string } }) {
	return tool.name === "pay" ? ({ verdict: "ask", reason: "money" } as const) : ({ verdict: "allow" } as const);
}

/** A guest build that plays another program from its start than the one that was suspended. */
function other(change: (spec: ProgramSpec) => ProgramSpec): SandboxProvider {
	return { ...sandbox, guest: "another build", start: (spec) => sandbox.start(change(spec)) };
}

async function approve(scene: Stage, run: string) {
	const [open] = await scene.harness.approvals({ run });
	await scene.harness.approve(open?.approval ?? "", { by });
	return scene.harness.resume(run);
}

async function programOutcome(scene: Stage, run: string): Promise<unknown> {
	const finished = ofType(await scene.events(run), "call.finished").filter(({ call }) => call === "c1");
	expect(finished).toHaveLength(1);
	const outcome = finished[0]?.outcome;
	return outcome && "ok" in outcome ? (outcome.ok as { value: unknown }).value : outcome;
}

describe("a replayed program that goes another way", () => {
	const code = "const a = await tools.look({ n: 1 }); const b = await tools.pay({ n: 2 }); return { a, b };";

	test.each([
		["asks with other arguments", "n: 1", "n: 3", "other arguments"],
		["asks for another tool", "tools.look", "tools.fail", "other arguments"],
		["ends before its deliveries", "const a =", "return 1; const a =", "ended"],
		["asks for fewer calls", "await tools.pay({ n: 2 })", "await new Promise(() => {})", "asked for 1 calls|ended"],
		[
			"asks for a call more",
			"const a =",
			"tools.look({ n: 9 }).catch(() => {}); const a =",
			"other arguments|no such call",
		],
	])("%s: it stops, says so, and the run is kept", async (_, from, to, says) => {
		const { scene, ran } = play(code);
		const { run } = await scene.harness.run(scene.agent, "go");
		const changed = scene.again({
			harness: { sandbox: other((spec) => ({ ...spec, source: spec.source.replace(from, to) })) },
		});
		const error: unknown = await approve(changed, run).catch((thrown) => thrown);
		expect(error).toMatchObject({ code: "program.diverged", message: expect.stringMatching(says) });
		expect(ran).toEqual(["look 1", "pay 2"]);
		// With the guest that it was suspended in, it goes on.
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(ran).toEqual(["look 1", "pay 2"]);
	});

	test("has not asked yet what was answered first: it stops too", async () => {
		const held =
			"const paid = tools.pay({ n: 2 }); const seen = await tools.look({ n: 1 }); return [seen, await paid];";
		const { scene, ran } = play(held);
		const { run } = await scene.harness.run(scene.agent, "go");
		const later = other((spec) => ({ ...spec, source: spec.source.replace("const seen", "await paid; const seen") }));
		await expect(approve(scene.again({ harness: { sandbox: later } }), run)).rejects.toMatchObject({
			code: "program.diverged",
			message: expect.stringContaining("c1.2"),
		});
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(ran.toSorted()).toEqual(["look 1", "pay 2"]);
	});
});

describe("a replayed program", () => {
	test("settles races and chains in the order in which they were delivered", async () => {
		const code = `
			const order = [];
			const note = (n) => tools.look({ n }).then((value) => order.push(value) && value);
			const first = await Promise.race([note(3), note(1), note(2)]);
			const paid = await tools.pay({ n: first });
			return { order, first, paid, random: Math.random(), now: Date.now() };`;
		const uninterrupted = play(code, { harness: { policy: () => ({ verdict: "allow" }) } });
		const { run: straight } = await uninterrupted.scene.harness.run(uninterrupted.scene.agent, "go", { runId: "same" });
		const { scene, ran } = play(code);
		const { run } = await scene.harness.run(scene.agent, "go", { runId: "same" });
		const replaying = scene.again({ harness: { sandbox: other((spec) => spec) } });
		expect(await approve(replaying, run)).toMatchObject({ status: "completed" });
		expect(ofType(await scene.events(run), "program.restored")).toMatchObject([{ from: "start" }]);
		expect(ran.toSorted()).toEqual(["look 1", "look 2", "look 3", "pay 30"]);
		const { now: _, ...value } = (await programOutcome(scene, run)) as { now: number };
		expect(await programOutcome(uninterrupted.scene, straight)).toMatchObject(value);
	});

	test("compares what the program asked with, not what an approver made of it", async () => {
		const { scene, ran } = play(
			"const a = await tools.pay({ n: 1 }); const b = await tools.pay({ n: 2 }); return { a, b };",
		);
		const { run } = await scene.harness.run(scene.agent, "go");
		const [open] = await scene.harness.approvals({ run });
		await scene.harness.approve(open?.approval ?? "", { by, args: { n: 5 } });
		const elsewhere = scene.again({ harness: { sandbox: other((spec) => spec) } });
		await elsewhere.harness.resume(run);
		expect(await approve(scene.again(), run)).toMatchObject({ status: "completed" });
		expect(ran).toEqual(["pay 5", "pay 2"]);
		expect(await programOutcome(scene, run)).toEqual({ a: { paid: 5 }, b: { paid: 2 } });
	});

	test("does not run a call again that threw", async () => {
		const code = `
			let why = "";
			try { await tools.fail({ n: 1 }); } catch (error) { why = error.name + ": " + error.message; }
			return { why, paid: await tools.pay({ n: 2 }) };`;
		const { scene, ran } = play(code);
		const { run } = await scene.harness.run(scene.agent, "go");
		const replaying = scene.again({ harness: { sandbox: other((spec) => spec) } });
		expect(await approve(replaying, run)).toMatchObject({ status: "completed" });
		expect(ran).toEqual(["fail 1", "pay 2"]);
		expect(await programOutcome(scene, run)).toMatchObject({ why: "ToolFailed: no such account" });
	});

	test("I3: that is over once its last call is settled ends once, and tells the model once", async () => {
		const { scene } = play("tools.lose({ n: 1 }).catch(() => {}); await tools.look({ n: 2 }); return 7;");
		const held = await scene.harness.run(scene.agent, "go");
		expect(held).toMatchObject({ status: "waiting", waits: [{ kind: "unknown", call: "c1.1" }] });
		await scene.harness.settle(held.run, "c1.1", { happened: true, by });
		expect(await scene.harness.resume(held.run)).toMatchObject({ status: "completed", text: "done" });
		expect(await programOutcome(scene, held.run)).toBe(7);
		expect(scene.prompts.flatMap(promptProblems)).toEqual([]);
	});
});

describe("a snapshot that this host does not restore", () => {
	const code = "const a = await tools.look({ n: 1 }); return [a, await tools.pay({ n: 2 })];";
	const refusing: SandboxProvider = {
		...sandbox,
		restore: () => Promise.reject(new HoldpointError("snapshot.refused", "it is of the wrong kind")),
	};

	test.each([
		[
			"of another guest build",
			{ ...sandbox, name: "elsewhere", guest: "0".repeat(64) },
			`another guest build (${sandbox.name} `,
		],
		["of another format", { ...sandbox, format: sandbox.format + 1 }, "format"],
		["that the provider refuses", refusing, "wrong kind"],
	])("%s: the program is replayed, and says why", async (_, provider, why) => {
		const { scene, ran } = play(code);
		const { run } = await scene.harness.run(scene.agent, "go");
		expect(await approve(scene.again({ harness: { sandbox: provider } }), run)).toMatchObject({ status: "completed" });
		expect(ofType(await scene.events(run), "program.restored")).toMatchObject([
			{ from: "start", why: expect.stringContaining(why) },
		]);
		expect(ran).toEqual(["look 1", "pay 2"]);
	});

	test("of another provider with the same guest: it goes on from it", async () => {
		const { scene, ran } = play(code);
		const { run } = await scene.harness.run(scene.agent, "go");
		const renamed = scene.again({ harness: { sandbox: { ...sandbox, name: "elsewhere" } } });
		expect(await approve(renamed, run)).toMatchObject({ status: "completed" });
		expect(ofType(await scene.events(run), "program.restored")).toMatchObject([{ from: "snapshot" }]);
		expect(ran).toEqual(["look 1", "pay 2"]);
	});

	test("that was too large to be kept: it is replayed too", async () => {
		const large: SandboxProvider = {
			...sandbox,
			async start(spec) {
				const guest = await sandbox.start(spec);
				const refused = new HoldpointError("snapshot.refused", "it is too large");
				return { ...bound(guest), snapshot: () => Promise.reject(refused) };
			},
		};
		const { scene, ran } = play(code, { harness: { sandbox: large } });
		const { run } = await scene.harness.run(scene.agent, "go");
		expect(ofType(await scene.events(run), "program.suspended")).not.toHaveProperty("0.snapshot");
		expect(await approve(scene, run)).toMatchObject({ status: "completed" });
		expect(ran).toEqual(["look 1", "pay 2"]);
	});
});

/** The members of a guest, whatever it is made of. */
function bound(guest: Awaited<ReturnType<SandboxProvider["start"]>>) {
	return {
		advance: guest.advance.bind(guest),
		snapshot: guest.snapshot.bind(guest),
		dispose: guest.dispose.bind(guest),
	};
}
