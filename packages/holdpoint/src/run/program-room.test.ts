import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { HoldpointError } from "../spec/errors.ts";
import type { Policy } from "../spec/policy.ts";
import type { Guest, SandboxProvider } from "../spec/sandbox.ts";
import { sandboxUnderTest } from "../testing/sandbox-under-test.ts";
import { ofType, type Stage, type StageOptions, stage } from "../testing/stage.ts";
import { program, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";

const inner = sandboxUnderTest();
const by = { id: "ann", via: "test" };
const input = z.object({ n: z.int() });

afterAll(() => inner.close());

/** A sandbox whose guests cannot be written down, of a guest build of its own. */
function unable(whenHeld: "refuse" | SandboxProvider = "refuse"): SandboxProvider {
	return {
		...inner,
		name: "unable",
		guest: "f".repeat(64),
		whenHeld,
		start: async (spec) => unwritable(await inner.start(spec)),
		restore: () => Promise.reject(new Error("it restores nothing")),
	};
}

function unwritable(guest: Guest): Guest {
	const refused = new HoldpointError("snapshot.refused", "It cannot be written down");
	return {
		advance: guest.advance.bind(guest),
		dispose: guest.dispose.bind(guest),
		snapshot: () => Promise.reject(refused),
	};
}

function play(code: string, options: Partial<StageOptions> = {}) {
	const ran: string[] = [];
	const tool = (name: string, effect: "read" | "write" | "destructive") =>
		defineTool({
			name,
			description: name,
			input,
			effect,
			execute: ({ n }) => {
				ran.push(`${name} ${n}`);
				return n * 10;
			},
		});
	const scene = stage({
		story: [program(code), say("done")],
		tools: [tool("look", "read"), tool("pay", "write"), tool("erase", "destructive")],
		programs: true,
		...options,
		harness: { sandbox: unable(), ...options.harness },
	});
	return { scene, ran };
}

async function outcomeOf(scene: Stage, run: string): Promise<unknown> {
	const [finished] = ofType(await scene.events(run), "call.finished").filter(({ call }) => call === "c1");
	const outcome = finished?.outcome;
	return outcome && "ok" in outcome ? (outcome.ok as { value: unknown }).value : outcome;
}

async function approve(scene: Stage, run: string) {
	const [open] = await scene.harness.approvals({ run });
	await scene.harness.approve(open?.approval ?? "", { by });
	return scene.harness.resume(run);
}

const policyOf = (mayAsk: Policy["mayAsk"], asks: string): Policy => ({
	version: "test",
	decide: ({ tool }) => (tool.name === asks ? { verdict: "ask", reason: "money" } : { verdict: "allow" }),
	...(mayAsk ? { mayAsk } : {}),
});

describe("in a sandbox that cannot wait in the middle of a program", () => {
	test("a program whose tools are never held runs", async () => {
		const { scene, ran } = play("return [await tools.look({ n: 1 }), await tools['look']({ n: 2 })];");
		const { run } = await scene.harness.run(scene.agent, "go");
		expect(await outcomeOf(scene, run)).toEqual([10, 20]);
		expect(ran).toEqual(["look 1", "look 2"]);
		expect(ofType(await scene.events(run), "program.started")).toMatchObject([{ provider: "unable" }]);
	});

	test.each([
		["names one", "await tools.look({ n: 1 }); await tools.pay({ n: 2 });", "it may call pay (write)"],
		[
			"names two",
			"const { erase } = tools; await tools.pay({ n: 2 });",
			"it may call erase (destructive), pay (write)",
		],
		[
			"computes a name",
			"const t = 'pa'; await tools[t + 'y']({ n: 2 });",
			"which tools it calls, and may call pay (write)",
		],
		["looks at all tools", "return Object.keys(tools).length;", "which tools it calls, and may call pay (write)"],
	])("one that may call a tool which may be held is refused before it starts: it %s", async (_, code, says) => {
		const { scene, ran } = play(code);
		const { run, status } = await scene.harness.run(scene.agent, "go");
		expect(status).toBe("completed");
		const outcome = (await outcomeOf(scene, run)) as { readonly failed: string };
		expect(outcome).toMatchObject({ code: "program.refused" });
		expect(outcome.failed).toContain(says);
		expect(outcome.failed).toContain("the sandbox unable cannot wait in the middle of a program");
		// The hint is there for the model and for whoever operates this.
		expect(JSON.stringify(scene.prompts.at(-1))).toContain("whenHeld");
		expect(ran).toEqual([]);
		expect(ofType(await scene.events(run), "program.started")).toEqual([]);
	});

	test.each<[string, Policy["mayAsk"], string, string]>([
		["says that no call of it is asked for", ({ tool }) => tool.name !== "pay", "pay", "completed"],
		["says that calls of it may be", ({ tool }) => tool.name === "look", "look", "refused"],
		["says nothing: a write may be", undefined, "pay", "refused"],
		["says nothing: a read is not", undefined, "look", "completed"],
		[
			"fails",
			() => {
				throw new Error("mine");
			},
			"look",
			"refused",
		],
		["gives no answer", (() => undefined) as never, "look", "refused"],
	])("the policy %s", async (_, mayAsk, tool, expected) => {
		const policy = policyOf(mayAsk, "none");
		const { scene } = play(`return await tools.${tool}({ n: 1 });`, { harness: { policy } });
		const { run } = await scene.harness.run(scene.agent, "go");
		const outcome = await outcomeOf(scene, run);
		expect(expected === "completed" ? outcome : (outcome as { code: string }).code).toBe(
			expected === "completed" ? 10 : "program.refused",
		);
	});

	test("what labels may ask about counts as held, whatever the policy says", async () => {
		const policy: Policy = { version: "p", mayAsk: () => false, decide: () => ({ verdict: "allow" }) };
		for (const labels of [false, true]) {
			const { scene, ran } = play("return tools.pay({ n: 1 })", { harness: { sandbox: unable(), policy, labels } });
			const { run } = await scene.harness.run(scene.agent, "go");
			const refused = { code: "program.refused", failed: expect.stringContaining("pay (write)") };
			expect(await outcomeOf(scene, run)).toEqual(labels ? refused : 10);
			expect(ran).toEqual(labels ? [] : ["pay 1"]);
		}
	});

	test("a wait that nobody foresaw loses nothing: the guest is dropped, and the program replayed", async () => {
		const code = `
			const before = await tools.look({ n: 1 });
			const paid = await tools.pay({ n: before });
			return { before, paid, after: await tools.look({ n: 2 }), random: Math.random() };`;
		const policy = policyOf(() => false, "pay");
		const { scene, ran } = play(code, { harness: { policy } });
		const { run, status } = await scene.harness.run(scene.agent, "go");
		expect(status).toBe("waiting");
		expect(ofType(await scene.events(run), "program.suspended")).toEqual([
			expect.not.objectContaining({ snapshot: expect.anything() }),
		]);
		expect(await approve(scene.again(), run)).toMatchObject({ status: "completed" });
		expect(ran).toEqual(["look 1", "pay 10", "look 2"]);
		expect(await outcomeOf(scene, run)).toMatchObject({ before: 10, paid: 100, after: 20 });
		expect(ofType(await scene.events(run), "program.restored")).toMatchObject([{ from: "start" }]);
	});

	test("a tool that only the program's own code could name is not foreseen, and loses nothing either", async () => {
		const { scene, ran } = play("const paid = await (0, eval)('to' + 'ols').pay({ n: 3 }); return paid;");
		const { run, status } = await scene.harness.run(scene.agent, "go");
		expect(status).toBe("waiting");
		expect(await approve(scene.again(), run)).toMatchObject({ status: "completed" });
		expect(ran).toEqual(["pay 3"]);
	});
});

describe("where it names another sandbox for programs that may wait", () => {
	const code = "const a = await tools.look({ n: 1 }); return [a, await tools.pay({ n: 2 })];";

	test("they run there, the journal says so, and they go on there from their snapshot", async () => {
		const { scene, ran } = play(code, { harness: { sandbox: unable(inner) } });
		const { run } = await scene.harness.run(scene.agent, "go");
		const started = ofType(await scene.events(run), "program.started");
		expect(started).toMatchObject([{ provider: inner.name, guest: inner.guest }]);
		expect(ofType(await scene.events(run), "program.suspended")).toMatchObject([
			{ snapshot: { provider: inner.name } },
		]);
		expect(await approve(scene.again(), run)).toMatchObject({ status: "completed" });
		expect(ofType(await scene.events(run), "program.restored")).toMatchObject([{ from: "snapshot" }]);
		expect(ran).toEqual(["look 1", "pay 2"]);
	});

	test("they are rehearsed there", async () => {
		const policy: Policy = {
			version: "p",
			decide: ({ tool }) =>
				tool.name === "pay" ? { verdict: "ask", reason: "money", ask: { rehearse: true } } : { verdict: "allow" },
		};
		const { scene, ran } = play(code, { harness: { sandbox: unable(inner), policy } });
		const { run } = await scene.harness.run(scene.agent, "go");
		expect(ofType(await scene.events(run), "program.rehearsed")).toMatchObject([
			{ end: "returned", rows: [{ tool: "pay", args: { n: 2 } }] },
		]);
		expect(ran).toEqual(["look 1"]);
	});

	test("the others run in it", async () => {
		const { scene } = play("return await tools.look({ n: 1 });", { harness: { sandbox: unable(inner) } });
		const { run } = await scene.harness.run(scene.agent, "go");
		expect(ofType(await scene.events(run), "program.started")).toMatchObject([{ provider: "unable" }]);
		expect(await outcomeOf(scene, run)).toBe(10);
	});

	test("hardware isolation is required of that one too", async () => {
		const probed = { ok: true, provider: "unable", isolation: "svm", startMs: 1, guest: "f" } as const;
		const weak = { ...inner, probe: async () => ({ ...probed, provider: "weak", isolation: "wasm" }) as const };
		const sandbox: SandboxProvider = { ...unable(weak), probe: async () => probed };
		const { scene } = play(code, { harness: { sandbox, isolation: "hardware" } });
		await expect(scene.harness.run(scene.agent, "go")).rejects.toMatchObject({
			code: "sandbox.isolation",
			message: expect.stringContaining("the sandbox weak gives wasm"),
		});
		const alone = play("return 1;", {
			harness: { sandbox: { ...unable(), probe: async () => probed }, isolation: "hardware" },
		});
		expect(await alone.scene.harness.run(alone.scene.agent, "go")).toMatchObject({ status: "completed" });
	});
});
