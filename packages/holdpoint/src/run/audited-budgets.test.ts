import type { LanguageModelV4 } from "@ai-sdk/provider";
import { expect, test } from "vitest";
import { z } from "zod";
import type { LeafLine } from "../audit/verifier/export-lines.ts";
import type { Middleware } from "../spec/agent.ts";
import type { Budget } from "../spec/budget.ts";
import type { Hold, Spent } from "../spec/events.ts";
import { auditSigner, exportOf, isLeaf, verifyLines } from "../testing/audit-scene.ts";
import { type FakeClock, fakeClock } from "../testing/fake-clock.ts";
import { ofType, type Stage, type StageOptions, stage } from "../testing/stage.ts";
import { calls, failing, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";
import { OutcomeUnknown } from "../tools/outcome-unknown.ts";

/**
 * What an auditor does who has nothing but an export with payloads: adds up, by docs/operate/audit.md, what was spent and
 * what is held still.
 */
function addedUp(lines: readonly string[]): { [account: string]: [spent: number, held: number] } {
	const sums = new Map<string, [number, number]>();
	const add = (account: string, spent: number, held: number): void => {
		const [a, b] = sums.get(account) ?? [0, 0];
		sums.set(account, [a + spent, b + held]);
	};
	const open = new Map<string, readonly Hold[]>();
	const end = (call: string, amountOf: (hold: Hold) => number): void => {
		for (const hold of open.get(call) ?? []) add(hold.account, amountOf(hold), 0);
		open.delete(call);
	};
	for (const { leaf, payload } of lines.filter(isLeaf).map((line) => JSON.parse(line) as LeafLine)) {
		const facts = { ...leaf.event, ...(payload as object) } as { [fact: string]: unknown; type: string };
		const call = `${leaf.run} ${String(facts["call"])}`;
		for (const { account, amount } of (facts["spent"] ?? []) as readonly Spent[]) add(account, amount, 0);
		if (facts.type === "call.started" && facts["holds"]) open.set(call, facts["holds"] as readonly Hold[]);
		const held = [...open.keys()].filter((key) => facts.type === "run.finished" && key.startsWith(`${leaf.run} `));
		for (const key of held) end(key, ({ amount }) => amount);
		if (facts.type !== "call.finished" && facts.type !== "call.settled") continue;
		const { outcome, code, ms } = leaf.event as unknown as { outcome: string; code?: string; ms?: number };
		if (outcome === "unknown") continue;
		const isDone =
			["ok", "blob"].includes(outcome) || code === "tool.result_invalid" || code === "tool.result_too_large";
		end(call, ({ amount, evenIfFailed, timeMs }) => {
			if (timeMs === undefined) return isDone || evenIfFailed ? amount : 0;
			return outcome === "denied" ? 0 : amount - timeMs + Math.min(timeMs, Math.ceil(ms ?? timeMs));
		});
	}
	for (const holds of open.values()) for (const { account, amount } of holds) add(account, 0, amount);
	return Object.fromEntries([...sums].filter(([, [spent, held]]) => spent + held > 0));
}

async function accountsOf({ store }: Stage) {
	const rows = await store.accounts({ prefix: "budget:" });
	const used = rows.filter(({ spent, held }) => spent + held > 0);
	return Object.fromEntries(used.map(({ account, spent, held }) => [account, [spent, held]]));
}

const budgets: readonly Budget[] = [
	{ name: "pays", per: "principal", window: "day", counts: { tool: "pay", sum: "cents" }, max: 10_000 },
	{ name: "calls", counts: "calls", max: 1_000 },
	{ name: "time", per: "run", counts: "wallMs", max: 1e8 },
	{ name: "tokens", per: "agent", counts: "tokens", max: 1e8 },
];

/** Each answer takes 70 ms. */
const slowly =
	(clock: FakeClock) =>
	(model: LanguageModelV4): LanguageModelV4 => ({
		...model,
		doGenerate: (request) => {
			clock.advance(70);
			return model.doGenerate(request);
		},
	});

function payStage() {
	const clock = fakeClock();
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		input: z.object({ cents: z.int(), how: z.enum(["well", "fails", "lost", "badly"]) }),
		output: z.string(),
		execute: ({ how }) => {
			clock.advance(40);
			if (how === "fails") throw new Error("no money moved");
			if (how === "lost") throw new OutcomeUnknown("the line was cut");
			return how === "badly" ? (5 as never) : "paid";
		},
	});
	const scene = stage({
		story: ({ messages, results }) => {
			if (results.length > 0) return say("done");
			const content = messages.findLast(({ role }) => role === "user")?.content as readonly { text: string }[];
			return calls((JSON.parse(content[0]?.text ?? "[]") as object[]).map((args) => ({ tool: "pay", args })));
		},
		around: slowly(clock),
		tools: [pay],
		clock,
		limits: { attemptsMax: 1 },
		harness: { budgets, policy: () => ({ verdict: "allow" }), audit: { key: auditSigner.secretText } },
	});
	const run = (runId: string, list: readonly object[]) =>
		scene.harness.run(scene.agent, JSON.stringify(list), { runId, principal: "ann" });
	return { scene, run };
}

test("what budgets held and spent can be added up from an export: every account comes to what the store has", async () => {
	const { scene, run } = payStage();
	const same = async () => {
		const lines = await exportOf(scene, { payloads: true });
		expect((await verifyLines(lines)).findings).toEqual([]);
		expect(addedUp(lines)).toEqual(await accountsOf(scene));
	};
	await run("r1", [
		{ cents: 100, how: "well" },
		{ cents: 20, how: "fails" },
		{ cents: 3, how: "badly" },
	]);
	await same();
	const day = "budget:pays/pay.cents/principal=ann/day=2030-01-01";
	expect(addedUp(await exportOf(scene, { payloads: true }))[day]).toEqual([103, 0]);
	await run("r2", [{ cents: 500, how: "lost" }]);
	await run("r3", [{ cents: 900, how: "lost" }]);
	await run("r4", [{ cents: 7_000, how: "lost" }]);
	await same();
	expect(addedUp(await exportOf(scene, { payloads: true }))[day]).toEqual([103, 8_400]);
	await scene.harness.settle("r2", "c1", { happened: true, result: "paid" } as never);
	await scene.harness.settle("r3", "c1", { happened: false } as never);
	await scene.harness.resume("r2");
	await scene.harness.resume("r3");
	await same();
	await scene.harness.cancel("r4");
	await same();
	expect(addedUp(await exportOf(scene, { payloads: true }))[day]).toEqual([7_603, 0]);
});

const account = "budget:time/wallMs/run=r1";

/** One run whose model fails or is asked twice. */
function modelStage({ story, ...over }: Partial<StageOptions> & Pick<StageOptions, "story">) {
	const clock = fakeClock();
	const scene = stage({ story, clock, around: slowly(clock), ...over });
	return { scene, run: () => scene.harness.run(scene.agent, "hi", { runId: "r1" }) };
}

const counted = { harness: { budgets, audit: { key: auditSigner.secretText } } };

test("the time of a model that gave no answer is an event, and is settled with it", async () => {
	const { scene, run } = modelStage({ story: [failing(400), say("done")], ...counted });
	await expect(run()).rejects.toMatchObject({ code: expect.stringMatching(/^model\./) });
	expect(ofType(await scene.events("r1"), "model.unanswered")).toEqual([
		{ type: "model.unanswered", spent: [{ account, amount: 70, holder: "m1.1" }] },
	]);
	expect(await accountsOf(scene)).toEqual({ [account]: [70, 0] });
	expect(addedUp(await exportOf(scene, { payloads: true }))).toEqual(await accountsOf(scene));
	expect(await scene.harness.resume("r1")).toMatchObject({ status: "completed" });
	expect((await accountsOf(scene))[account]).toEqual([140, 0]);
	expect(addedUp(await exportOf(scene, { payloads: true }))).toEqual(await accountsOf(scene));
});

test("an answer that a layer threw away is an event, too", async () => {
	const twice: Middleware = {
		name: "twice",
		model: async (request, next) => {
			await next(request);
			return next(request);
		},
	};
	const { scene, run } = modelStage({ story: [say("first"), say("second")], middleware: [twice], ...counted });
	await run();
	const kinds = (await scene.events("r1")).map(({ type }) => type);
	expect(kinds).toEqual(["run.started", "model.unanswered", "model.answered", "run.finished"]);
	expect((await accountsOf(scene))[account]).toEqual([140, 0]);
	expect(addedUp(await exportOf(scene, { payloads: true }))).toEqual(await accountsOf(scene));
});

test("nothing is added where no budget counts it", async () => {
	const { scene, run } = modelStage({ story: [failing(400), say("done")] });
	await run().catch(() => undefined);
	await scene.harness.resume("r1");
	expect((await scene.events("r1")).map(({ type }) => type)).toEqual(["run.started", "model.answered", "run.finished"]);
});
