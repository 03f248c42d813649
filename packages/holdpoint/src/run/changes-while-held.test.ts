import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { Decision, PolicyRequest } from "../spec/policy.ts";
import { ofType, onlyWait, type Stage, type StageOptions, stage } from "../testing/stage.ts";
import { call, calls, say } from "../testing/story.ts";
import { defineTool, type ToolDefinition } from "../tools/define-tool.ts";

const by = { id: "ann", via: "test" };
const input = z.object({ amount: z.int() });

function payTool(paid: unknown[], change: Partial<ToolDefinition<typeof input>> = {}) {
	return defineTool({ name: "pay", description: "Pays.", input, execute: (args) => void paid.push(args), ...change });
}

/** A run that was held and approved, and the parts to change before it is resumed. */
async function approved(options: Partial<StageOptions> = {}) {
	const paid: unknown[] = [];
	let decision: Decision = { verdict: "ask", reason: "money" };
	const policy = {
		version: "p1",
		decide: ({ tool }: PolicyRequest): Decision => (tool.name === "pay" ? decision : { verdict: "allow" }),
	};
	const story = [call("pay", { amount: 5 }), say("done")];
	const scene = stage({ story, tools: [payTool(paid)], harness: { policy }, ...options });
	const result = await scene.harness.run(scene.agent, "pay it");
	const wait = onlyWait(result, "approval");
	await scene.harness.approve(wait.approval, { by });
	return { scene, paid, run: result.run, wait, decideFromNowOn: (next: Decision) => (decision = next) };
}

async function lastOutcome(scene: Stage, run: string) {
	return ofType(await scene.events(run), "call.finished").at(-1)?.outcome;
}

describe("the policy changed between the approval and the execution", () => {
	test("I5: it denies now: nothing runs", async () => {
		const { scene, paid, run, decideFromNowOn } = await approved();
		decideFromNowOn({ verdict: "deny", reason: "frozen" });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toEqual([]);
		expect(await lastOutcome(scene, run)).toEqual({ denied: "frozen", by: "policy" });
	});

	test("I4: it fails now: nothing runs", async () => {
		const { scene, paid, run } = await approved();
		const policy = () => {
			throw new Error("no policy today");
		};
		const other = scene.again({ harness: { policy } });
		expect(await other.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toEqual([]);
	});

	test("I5: it asks for more now: the answer that is there counts, the rest is asked for", async () => {
		const { scene, paid, run, wait, decideFromNowOn } = await approved();
		decideFromNowOn({ verdict: "ask", reason: "more money", ask: { count: 2 } });
		const more = onlyWait(await scene.harness.resume(run), "approval");
		expect(more.approval).not.toBe(wait.approval);
		expect(paid).toEqual([]);
		await expect(scene.harness.approve(more.approval, { by })).rejects.toMatchObject({ code: "approval.forbidden" });
		await scene.harness.approve(more.approval, { by: { id: "bob", via: "test" } });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toHaveLength(1);
	});

	test("I5: it asks for a role now that the approver has not", async () => {
		const { scene, paid, run, decideFromNowOn } = await approved();
		decideFromNowOn({ verdict: "ask", reason: "money", ask: { roles: ["manager"] } });
		expect(onlyWait(await scene.harness.resume(run), "approval").ask.roles).toEqual(["manager"]);
		expect(paid).toEqual([]);
	});

	test("it allows now: the call runs", async () => {
		const { scene, paid, run, decideFromNowOn } = await approved();
		decideFromNowOn({ verdict: "allow" });
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toHaveLength(1);
	});

	test("the policy sees at the moment of execution who approved", async () => {
		const requests: PolicyRequest[] = [];
		const decide = (request: PolicyRequest): Decision => {
			requests.push(request);
			return { verdict: "ask", reason: "money" };
		};
		const { scene, run } = await approved({ harness: { policy: decide } });
		await scene.harness.resume(run);
		expect(requests.map(({ approvedBy }) => approvedBy)).toEqual([[], ["ann"]]);
	});
});

describe("the tool changed while a call of it was held", () => {
	test("I5: its version: the approval is void and it is asked anew; the change is recorded", async () => {
		const { scene, paid, run, wait } = await approved();
		const other = scene.again({ agent: { tools: [payTool(paid, { version: "2" })] } });
		const again = onlyWait(await other.harness.resume(run), "approval");
		expect(again.approval).not.toBe(wait.approval);
		expect(paid).toEqual([]);
		const resumed = ofType(await other.events(run), "run.resumed");
		expect(resumed).toMatchObject([
			{ verdict: "compatible", changes: [expect.stringMatching(/^tool pay: 1\.\w+ → 2\.\w+$/)] },
		]);
		await other.harness.approve(again.approval, { by });
		expect(await other.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toHaveLength(1);
	});

	test("I5: its version, and a policy that allows what somebody approved: it does not hear of the void answer", async () => {
		const policy = ({ approvedBy }: PolicyRequest): Decision =>
			approvedBy.length > 0 ? { verdict: "allow" } : { verdict: "ask", reason: "money" };
		const { scene, paid, run } = await approved({ harness: { policy } });
		const other = scene.again({ agent: { tools: [payTool(paid, { version: "2" })] } });
		expect(await other.harness.resume(run)).toMatchObject({ status: "waiting" });
		expect(paid).toEqual([]);
	});

	test("I5: its schema, so that the arguments do not fit any more: nothing runs, and the model reads why", async () => {
		const { scene, paid, run } = await approved();
		const stricter = defineTool({
			name: "pay",
			description: "Pays.",
			input: z.object({ amount: z.int(), currency: z.string() }),
			execute: (args) => void paid.push(args),
		});
		const other = scene.again({ agent: { tools: [stricter] } });
		expect(await other.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toEqual([]);
		expect(await lastOutcome(other, run)).toMatchObject({
			code: "tool.args_invalid",
			failed: expect.stringContaining("currency"),
		});
	});

	test("I5: its schema, so that they mean something else: what is asked for anew is what will run", async () => {
		const { scene, paid, run } = await approved();
		const withDefault = defineTool({
			name: "pay",
			description: "Pays.",
			input: z.object({ amount: z.int(), currency: z.string().default("EUR") }),
			execute: (args) => void paid.push(args),
		});
		const other = scene.again({ agent: { tools: [withDefault] } });
		const again = onlyWait(await other.harness.resume(run), "approval");
		expect(again.args).toEqual({ amount: 5, currency: "EUR" });
		await other.harness.approve(again.approval, { by });
		await other.harness.resume(run);
		expect(paid).toEqual([{ amount: 5, currency: "EUR" }]);
	});

	test("I5: its effect class: an answer to the milder one is void", async () => {
		const { scene, paid, run } = await approved();
		const other = scene.again({ agent: { tools: [payTool(paid, { effect: "destructive" })] } });
		expect(await other.harness.resume(run)).toMatchObject({ status: "waiting" });
		expect(paid).toEqual([]);
	});

	test("it is gone: the run is incompatible, and it is kept as it was", async () => {
		const { scene, paid, run } = await approved();
		const other = scene.again({ agent: { tools: [] } });
		await expect(other.harness.resume(run)).rejects.toMatchObject({
			code: "run.incompatible",
			message: expect.stringContaining("pay"),
		});
		await expect(other.harness.resume(run)).rejects.toMatchObject({ code: "run.incompatible" });
		expect(paid).toEqual([]);
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toHaveLength(1);
	});

	test("it is gone: the run can be cancelled all the same, and nothing of it runs", async () => {
		const { scene, paid, run } = await approved();
		const other = scene.again({ agent: { tools: [] } });
		expect(await other.harness.cancel(run)).toMatchObject({ status: "cancelled", done: [] });
		expect(await scene.harness.approvals()).toEqual([]);
		expect(await scene.harness.resume(run)).toMatchObject({ status: "cancelled" });
		expect(paid).toEqual([]);
	});

	test("it is gone: a cancellation that is not sealed does not make the run go on", async () => {
		const { scene, paid, run } = await approved();
		const signal = { id: "sig_x", body: 'k1 {"kind":"cancel","by":"x","at":1}', mac: "AAAA" };
		await scene.store.commit(run, 0, [{ kind: "signal", signal, max: 9 }]);
		await expect(scene.again({ agent: { tools: [] } }).harness.resume(run)).rejects.toMatchObject({
			code: "run.incompatible",
		});
		expect(paid).toEqual([]);
	});

	test("a tool that no open call needs may go; the model's next call of it reads that it is gone", async () => {
		const paid: unknown[] = [];
		const look = defineTool({
			name: "look",
			description: "Looks.",
			input: z.object({}),
			effect: "read",
			execute: () => "seen",
		});
		const story = [
			calls([{ tool: "look" }, { tool: "pay", args: { amount: 5 } }]),
			call("look", {}, { undeclared: true }),
			say("done"),
		];
		const { scene, run } = await approved({ story, tools: [look, payTool(paid)] });
		const other = scene.again({ agent: { tools: [payTool(paid)] } });
		expect(await other.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toHaveLength(1);
		expect(await lastOutcome(other, run)).toMatchObject({ code: "tool.unknown" });
	});
});

describe("the agent changed while its run waited", () => {
	test("its instructions: the run goes on with the new ones, and that is recorded once", async () => {
		const { scene, paid, run } = await approved();
		const other = scene.again({ agent: { instructions: "Be brief." } });
		expect(await other.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(paid).toHaveLength(1);
		expect(other.prompts.at(-1)?.[0]).toEqual({ role: "system", content: "Be brief." });
		const resumed = ofType(await other.events(run), "run.resumed");
		expect(resumed).toMatchObject([
			{ verdict: "compatible", changes: [expect.stringContaining("instructions")], agent: other.agent.digest },
		]);
	});

	test("nothing: nothing is recorded", async () => {
		const { scene, run } = await approved();
		await scene.again().harness.resume(run);
		expect(ofType(await scene.events(run), "run.resumed")).toEqual([]);
	});

	test("a further tool is recorded and can be used", async () => {
		const { scene, paid, run } = await approved();
		const look = defineTool({
			name: "look",
			description: "Looks.",
			input: z.object({}),
			effect: "read",
			execute: () => "seen",
		});
		const other = scene.again({ agent: { tools: [payTool(paid), look] } });
		await other.harness.resume(run);
		expect(ofType(await other.events(run), "run.resumed")).toMatchObject([{ changes: ["tool look: added"] }]);
	});

	test("an agent that this harness does not know is an error that names it, and the lease is let go", async () => {
		const { scene, run } = await approved();
		const { createHarness } = await import("../holdpoint.ts");
		const { stageKeys } = await import("../testing/stage.ts");
		const stranger = createHarness({ store: scene.store, clock: scene.clock, keys: stageKeys });
		await expect(stranger.resume(run)).rejects.toMatchObject({
			code: "agent.unknown",
			message: expect.stringContaining("tester"),
		});
		expect(await scene.harness.resume(run)).toMatchObject({ status: "completed" });
	});

	test("an agent that this harness does not know is not needed to cancel", async () => {
		const { scene, paid, run } = await approved();
		const stranger = scene.again({ harness: { agents: [] } });
		expect(await stranger.harness.cancel(run, { reason: "stop" })).toMatchObject({ status: "cancelled" });
		expect(paid).toEqual([]);
		expect((await scene.events(run)).at(-1)).toMatchObject({ type: "run.finished", status: "cancelled" });
	});
});
