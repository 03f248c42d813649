import { describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { memoryStore } from "../adapters/stores/memory.ts";
import type { Budget } from "../spec/budget.ts";
import type { BudgetsNow, Policy } from "../spec/policy.ts";
import { crashingStore } from "../testing/crashing-store.ts";
import { fakeClock } from "../testing/fake-clock.ts";
import { sandboxUnderTest } from "../testing/sandbox-under-test.ts";
import { scriptedModel } from "../testing/scripted-model.ts";
import { gate, ofType, onlyWait, type StageOptions, stage } from "../testing/stage.ts";
import { call, calls, program, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";
import { OutcomeUnknown } from "../tools/outcome-unknown.ts";
import { agentTool } from "./agent-tool.ts";
import { defineAgent } from "./define-agent.ts";

const by = { id: "bob", via: "test" };
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

interface Pay {
	readonly cents?: number | string;
	readonly fails?: boolean;
	readonly lost?: boolean;
}

const daily: Budget = {
	name: "payments",
	per: "principal",
	window: "day",
	counts: { tool: "pay", sum: "cents" },
	max: 100,
};

interface Options extends Partial<StageOptions> {
	readonly budgets?: readonly Budget[];
	readonly policy?: Policy;
	readonly input?: z.ZodType;
}

/** Each run makes the calls that its input lists. */
function payStage({ budgets = [daily], policy, harness, input, ...rest }: Options = {}) {
	const paid: unknown[] = [];
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		repeat: "keyed",
		input: (input ?? z.looseObject({ cents: z.int() })) as z.ZodType<Pay>,
		execute: (args) => {
			if (args.fails) throw new Error("no money moved");
			if (args.lost) throw new OutcomeUnknown("the line was cut");
			paid.push(args.cents);
			return "paid";
		},
	});
	const look = defineTool({
		name: "look",
		description: "Looks.",
		effect: "read",
		input: z.object({}),
		execute: () => "seen",
	});
	const scene = stage({
		story: ({ messages, results }) => {
			if (results.length > 0) return say("done");
			const { content } = messages.at(-1) ?? {};
			const [text] = content as { text: string }[];
			const list = JSON.parse(text?.text ?? "[]") as Pay[];
			return calls(list.map((args) => ("look" in args ? { tool: "look" } : { tool: "pay", args })));
		},
		tools: [pay, look],
		harness: { budgets, policy: policy ?? (() => ({ verdict: "allow" })), ...harness },
		limits: { attemptsMax: 1 },
		...rest,
	});
	const run = (list: readonly (Pay | { look: true })[], options: { principal?: string; tenant?: string } = {}) =>
		scene.harness.run(scene.agent, JSON.stringify(list), { principal: "ann", ...options });
	const accounts = async () => {
		const rows = await scene.store.accounts({ prefix: "budget:" });
		return Object.fromEntries(rows.map(({ account, spent, held }) => [account.slice("budget:".length), [spent, held]]));
	};
	return { scene, paid, run, accounts };
}

const today = "payments/pay.cents/principal=ann/day=2030-01-01";

describe("a sum over arguments", () => {
	test("may be used up to the last cent, and not one more", async () => {
		const { scene, run, paid, accounts } = payStage();
		await run([{ cents: 60 }]);
		await run([{ cents: 40 }]);
		expect(await accounts()).toEqual({ [today]: [100, 0] });
		const { run: id } = await run([{ cents: 1 }]);
		expect(paid).toEqual([60, 40]);
		const [decided] = ofType(await scene.events(id), "call.decided");
		expect(decided).toMatchObject({ verdict: "deny" });
		expect(decided?.reason).toBe(
			"The budget payments allows 100 of pay.cents per principal and day: 0 of 100 is left, and this needs 1. " +
				"It is renewed at 2030-01-02T00:00:00Z.",
		);
		expect(scene.prompts.at(-1)?.at(-1)).toMatchObject({
			content: [{ output: { value: expect.stringContaining("Denied by policy, not executed: The budget payments") } }],
		});
	});

	test("is asked for as a whole: what is too much alone takes nothing", async () => {
		const { run, paid, accounts } = payStage();
		await run([{ cents: 101 }]);
		await run([{ cents: 100 }]);
		expect(paid).toEqual([100]);
		expect(await accounts()).toEqual({ [today]: [100, 0] });
	});

	test("of calls that are made at once only so many go through as fit", async () => {
		const { run, paid } = payStage();
		await run([{ cents: 40 }, { cents: 40 }, { cents: 40 }, { cents: 20 }]);
		expect(paid).toEqual([40, 40, 20]);
	});

	test("is each principal's own, whatever the name, and begins anew with the window", async () => {
		const { scene, run, paid, accounts } = payStage();
		await run([{ cents: 100 }]);
		await run([{ cents: 100 }], { principal: "ann/day=2030-01-01" });
		await run([{ cents: 100 }], { principal: "\ud800" });
		await run([{ cents: 100 }], { principal: "x".repeat(5_000) });
		expect(paid).toHaveLength(4);
		scene.clock.advance(dayMs - 1 - (scene.clock.now() % dayMs));
		await run([{ cents: 1 }]);
		expect(paid).toHaveLength(4);
		scene.clock.advance(1);
		await run([{ cents: 100 }]);
		expect(paid).toHaveLength(5);
		expect(Object.keys(await accounts())).toContain(
			"payments/pay.cents/principal=ann%2Fday%3D2030-01-01/day=2030-01-01",
		);
	});

	test("is not forgotten where the clock of some process is a month ahead for a while", async () => {
		const { scene, run, paid, accounts } = payStage();
		await run([{ cents: 90 }]);
		const clock = fakeClock({ startMs: scene.clock.now() + 40 * dayMs });
		const ahead = scene.again({ harness: { clock } });
		await ahead.harness.run(ahead.agent, JSON.stringify([{ cents: 30 }]), { principal: "bob" });
		await run([{ cents: 11 }, { cents: 10 }]);
		expect(paid).toEqual([90, 30, 10]);
		expect((await accounts())[today]).toEqual([100, 0]);
	});

	test.each([
		["that is missing", {}, "cents is not there"],
		["below zero", { cents: -5 }, "cents is -5"],
		["that is a fraction", { cents: 0.5 }, "cents is 0.5"],
		["that is a text", { cents: "5" }, 'cents is "5"'],
		["that is no exact number", { cents: 2 ** 53 }, "cents is 9007199254740992"],
	])("that cannot be added up is closed: an amount %s", async (_, args, why) => {
		const { scene, run, paid } = payStage({ input: z.looseObject({ cents: z.any().optional() }) });
		const { run: id } = await run([args as Pay]);
		expect(paid).toEqual([]);
		expect(ofType(await scene.events(id), "call.decided")).toMatchObject([
			{ verdict: "deny", reason: expect.stringContaining(`The budget payments cannot count this call: ${why}`) },
		]);
	});

	test("of nothing takes nothing, also where nothing is left", async () => {
		const { run, paid } = payStage();
		await run([{ cents: 100 }]);
		await run([{ cents: 0 }]);
		expect(paid).toEqual([100, 0]);
	});

	test("a call that failed gives back, and one whose outcome nobody knows holds until it is settled", async () => {
		const { scene, run, paid, accounts } = payStage();
		await run([{ cents: 100, fails: true }]);
		expect(await accounts()).toEqual({ [today]: [0, 0] });
		const lost = await run([{ cents: 70, lost: true }]);
		expect(await accounts()).toEqual({ [today]: [0, 70] });
		await run([{ cents: 31 }]);
		expect(paid).toEqual([]);
		scene.clock.advance(dayMs);
		await scene.harness.settle(lost.run, onlyWait(lost, "unknown").call, { happened: true, result: "paid", by });
		await scene.harness.resume(lost.run);
		expect(await accounts()).toEqual({ [today]: [70, 0] });
		const again = await run([{ cents: 100, lost: true }]);
		await scene.harness.settle(again.run, onlyWait(again, "unknown").call, { happened: false, by });
		await scene.harness.resume(again.run);
		expect((await accounts())["payments/pay.cents/principal=ann/day=2030-01-02"]).toEqual([0, 0]);
	});

	test("a call that cannot use its result was done all the same", async () => {
		const { scene, accounts } = payStage({
			story: [call("pay", { cents: 7 }), say("done")],
			tools: [
				defineTool({
					name: "pay",
					description: "Pays.",
					input: z.object({ cents: z.int() }),
					output: z.string(),
					execute: () => 5 as never,
				}),
			],
		});
		await scene.harness.run(scene.agent, "go", { principal: "ann" });
		expect(await accounts()).toEqual({ [today]: [7, 0] });
	});
});

describe("beyond a budget", () => {
	const asks: Budget = { ...daily, over: { roles: ["finance"] } };
	const rolesOf = ({ id }: { id: string }) => (id === "bob" ? ["finance"] : []);

	test("people can be asked: their yes lets the call go, and it counts", async () => {
		const { scene, run, paid, accounts } = payStage({ budgets: [asks], harness: { rolesOf } });
		await run([{ cents: 90 }]);
		const held = await run([{ cents: 20 }]);
		const wait = onlyWait(held, "approval");
		expect(wait).toMatchObject({ ask: { roles: ["finance"] }, reason: expect.stringContaining("10 of 100 is left") });
		expect(await accounts()).toEqual({ [today]: [90, 0] });
		await scene.harness.approve(wait.approval, { by });
		expect(await scene.harness.resume(held.run)).toMatchObject({ status: "completed" });
		expect(paid).toEqual([90, 20]);
		expect(await accounts()).toEqual({ [today]: [110, 0] });
	});

	test("what they approve with another amount is held with that amount", async () => {
		const { scene, run, paid, accounts } = payStage({ budgets: [asks], harness: { rolesOf } });
		const held = await run([{ cents: 120 }]);
		await scene.harness.approve(onlyWait(held, "approval").approval, { by, args: { cents: 30 } });
		await scene.harness.resume(held.run);
		expect(paid).toEqual([30]);
		expect(await accounts()).toEqual({ [today]: [30, 0] });
	});

	test("a grant answers only where it says so", async () => {
		for (const answers of [undefined, ["limit"] as const]) {
			const { scene, run, paid } = payStage({ budgets: [asks], harness: { rolesOf } });
			const held = await run([{ cents: 150 }]);
			const always = { scope: "principal" as const, ...(answers ? { answers } : {}) };
			await scene.harness.approve(onlyWait(held, "approval").approval, { by, always });
			await scene.harness.resume(held.run);
			expect(await run([{ cents: 150 }])).toMatchObject({ status: answers ? "completed" : "waiting" });
			expect(paid).toHaveLength(answers ? 2 : 1);
		}
	});

	test("nobody is asked for what a budget forbids, and the ask of both is one", async () => {
		const policy: Policy = { version: "1", decide: () => ({ verdict: "ask", reason: "money", ask: { count: 1 } }) };
		const closed = payStage({ policy });
		expect(await closed.run([{ cents: 101 }])).toMatchObject({ status: "completed" });
		const open = payStage({ policy, budgets: [asks], harness: { rolesOf } });
		const both = onlyWait(await open.run([{ cents: 101 }]), "approval");
		expect(both).toMatchObject({ ask: { roles: ["finance"] }, reason: expect.stringMatching(/^money; The budget/) });
		expect(onlyWait(await open.run([{ cents: 100 }]), "approval")).toMatchObject({ reason: "money" });
		// What waits for people holds nothing.
		expect(await open.accounts()).toEqual({});
	});

	test("what was approved within the budget and came too late is judged anew", async () => {
		const policy: Policy = { version: "1", decide: () => ({ verdict: "ask", reason: "money" }) };
		const { scene, run, paid } = payStage({ policy });
		const [first, second] = [await run([{ cents: 60 }]), await run([{ cents: 60 }])];
		for (const held of [first, second]) await scene.harness.approve(onlyWait(held, "approval").approval, { by });
		for (const held of [first, second]) await scene.harness.resume(held.run);
		expect(paid).toEqual([60]);
		expect(ofType(await scene.events(second.run), "call.finished")).toMatchObject([
			{ outcome: { denied: expect.stringContaining("40 of 100 is left") } },
		]);
	});
});

describe("calls", () => {
	test("are counted per run, session, agent, principal, tenant, each combination, and all together", async () => {
		const per = [["run"], ["session"], ["agent"], ["tenant", "principal"], []] as const;
		const budgets = per.map((scopes, i): Budget => ({ name: `b${i}`, per: scopes, counts: "calls", max: 100 }));
		const { scene, run, accounts } = payStage({ budgets });
		await run([{ cents: 1 }, { look: true }], { tenant: "t/1" });
		await run([{ cents: 1 }]);
		await scene.harness.session("s 1", scene.agent).send(JSON.stringify([{ cents: 1 }]), { principal: "eve" });
		const named = Object.entries(await accounts()).map(([name, [spent]]) => [name.replace(/run_\w+/, "R"), spent]);
		expect(named).toEqual(
			expect.arrayContaining([
				["b1/calls/session=s%201", 1],
				["b2/calls/agent=tester", 4],
				["b3/calls/principal=ann/tenant-", 1],
				["b3/calls/principal=ann/tenant=t%2F1", 2],
				["b3/calls/principal=eve/tenant-", 1],
				["b4/calls", 4],
			]),
		);
		expect(named.filter(([name]) => name === "b0/calls/run=R")).toHaveLength(3);
		expect(named.filter(([name]) => name === "b1/calls/session=R")).toHaveLength(2);
	});

	test("of the tools that are named, up to the last one", async () => {
		const { run, paid } = payStage({ budgets: [{ name: "b", counts: "calls", tools: ["pay"], max: 2 }] });
		await run([{ look: true }, { cents: 1 }, { look: true }, { cents: 2 }, { cents: 3 }]);
		expect(paid).toEqual([1, 2]);
	});

	test("all budgets of a call hold, or none", async () => {
		const budgets: Budget[] = [
			{ name: "a", counts: "calls", max: 1_000 },
			{ name: "z", counts: { tool: "pay", sum: "cents" }, max: 10 },
		];
		const { run, accounts } = payStage({ budgets });
		await run([{ cents: 11 }]);
		expect(await accounts()).toEqual({});
		await run([{ cents: 10 }]);
		expect(await accounts()).toEqual({ "a/calls": [1, 0], "z/pay.cents": [10, 0] });
	});
});

describe("a program", () => {
	test("has each of its calls counted, and may catch what is too much", async () => {
		const sandbox = sandboxUnderTest();
		onTestFinished(() => sandbox.close());
		const code = `const done = [];
for (const cents of [60, 50, 40]) {
	try { done.push(await tools.pay({ cents })); } catch (error) { done.push(error.message); }
}
return done;`;
		const { scene, paid, accounts } = payStage({
			story: [program(code), say((ask) => JSON.stringify(ask.results[0]?.value))],
			programs: true,
			harness: { sandbox },
			budgets: [daily, { name: "n", counts: "calls", max: 10 }],
		});
		const result = await scene.harness.run(scene.agent, "go", { principal: "ann" });
		expect(paid).toEqual([60, 40]);
		expect(result.text).toContain(
			"The budget payments allows 100 of pay.cents per principal and day: 40 of 100 is left",
		);
		// The program itself changes nothing but the run's own journal.
		expect(await accounts()).toEqual({ [today]: [100, 0], "n/calls": [2, 0] });
	});
});

describe("wall time", () => {
	test("a call may take what is left, and what it took is spent", async () => {
		const started = gate();
		const slow = defineTool({
			name: "slow",
			description: "Takes its time.",
			effect: "read",
			input: z.object({}),
			execute: () => {
				scene.clock.advance(30);
				started.resolve();
				return "done";
			},
		});
		const budgets: Budget[] = [{ name: "t", counts: "wallMs", tools: ["slow"], max: 100 }];
		const { scene, accounts } = payStage({
			budgets,
			tools: [slow],
			story: [calls([{ tool: "slow" }]), calls([{ tool: "slow" }]), say("done")],
		});
		await scene.harness.run(scene.agent, "go");
		expect(await accounts()).toEqual({ "t/wallMs": [60, 0] });
		const holds = ofType(await scene.events((await scene.harness.runs())[0]?.run ?? ""), "call.started");
		expect(holds.map((event) => event.holds)).toEqual([
			[{ account: "budget:t/wallMs", amount: 100, timeMs: 100 }],
			[{ account: "budget:t/wallMs", amount: 70, timeMs: 70 }],
		]);
	});

	test("each attempt has its time, and those before it are spent as a whole", async () => {
		const slow = defineTool({
			name: "slow",
			description: "Takes its time.",
			repeat: "keyed",
			timeoutMs: 40,
			input: z.object({}),
			execute: (_, { attempt }) => {
				scene.clock.advance(10);
				if (attempt === 1) throw new OutcomeUnknown("the line was cut");
				return "done";
			},
		});
		const { scene, accounts } = payStage({
			budgets: [{ name: "t", counts: "wallMs", tools: ["slow"], max: 70 }],
			tools: [slow],
			limits: { attemptsMax: 3 },
			story: [calls([{ tool: "slow" }]), say("done")],
		});
		const { run } = await scene.harness.run(scene.agent, "go");
		const started = ofType(await scene.events(run), "call.started");
		expect(started.map(({ holds }) => [holds?.[0]?.amount, holds?.[0]?.timeMs])).toEqual([
			[40, 40],
			[70, 30],
		]);
		expect(await accounts()).toEqual({ "t/wallMs": [50, 0] });
	});

	test("a call is stopped at the end of it, and then no other begins", async () => {
		let begun = 0;
		const stuck = defineTool({
			name: "stuck",
			description: "Never answers.",
			effect: "read",
			repeat: "once",
			input: z.object({}),
			execute: () => {
				begun++;
				return new Promise(() => undefined);
			},
		});
		const { scene, accounts } = payStage({
			budgets: [{ name: "t", counts: "wallMs", tools: ["stuck"], max: 5 }],
			tools: [stuck],
			story: [calls([{ tool: "stuck" }]), calls([{ tool: "stuck" }]), say("done")],
			harness: { clock: { now: () => Date.now(), sleep: async () => undefined } },
		});
		const { run } = await scene.harness.run(scene.agent, "go");
		const ended = ofType(await scene.events(run), "call.finished");
		expect(ended).toMatchObject([{ outcome: { code: "tool.timed_out" } }, { outcome: {} }]);
		const { "t/wallMs": [spent = 0, held] = [] } = await accounts();
		expect([spent <= 5, held]).toEqual([true, 0]);
		if (spent === 5) expect([begun, ended[1]?.outcome]).toMatchObject([1, { denied: expect.any(String) }]);
	});
});

describe("a process that dies", () => {
	test("between a reservation and its intent holds nothing for good, however the call goes on", async () => {
		const { scene, accounts } = payStage();
		// Commits with an entry: the start, then the call's intent, which is lost.
		const store = crashingStore(scene.store, { at: 2 });
		const dying = scene.again({ store });
		const input = JSON.stringify([{ cents: 80 }]);
		await expect(dying.harness.run(dying.agent, input, { runId: "r", principal: "ann" })).rejects.toThrow();
		expect(await accounts()).toEqual({ [today]: [0, 80] });
		const denies = scene.again({ harness: { policy: () => ({ verdict: "deny", reason: "changed" }) } });
		scene.clock.advance(60_000);
		await denies.harness.resume("r");
		expect(await accounts()).toEqual({ [today]: [0, 0] });
	});

	test("and comes back in another window holds only there", async () => {
		const { scene, accounts, paid } = payStage();
		const dying = scene.again({ store: crashingStore(scene.store, { at: 2 }) });
		const input = JSON.stringify([{ cents: 80 }]);
		await expect(dying.harness.run(dying.agent, input, { runId: "r", principal: "ann" })).rejects.toThrow();
		scene.clock.advance(dayMs);
		await scene.again().harness.resume("r");
		expect(paid).toEqual([80]);
		expect(await accounts()).toEqual({
			[today]: [0, 0],
			"payments/pay.cents/principal=ann/day=2030-01-02": [80, 0],
		});
	});

	test("in a keyed call repeats it on what it held, in the window in which it began", async () => {
		const { scene, accounts, paid } = payStage({ limits: { attemptsMax: 3 } });
		const dying = scene.again({ store: crashingStore(scene.store, { at: 2, when: "after" }) });
		const input = JSON.stringify([{ cents: 80 }]);
		await expect(dying.harness.run(dying.agent, input, { runId: "r", principal: "ann" })).rejects.toThrow();
		scene.clock.advance(dayMs);
		await scene.again({ harness: { budgets: [{ ...daily, max: 50 }] } }).harness.resume("r");
		expect(paid).toEqual([80]);
		expect(await accounts()).toEqual({ [today]: [80, 0] });
	});

	test("in a keyed call keeps what it held of a budget that is gone by then", async () => {
		const { scene, accounts } = payStage({ limits: { attemptsMax: 3 } });
		const dying = scene.again({ store: crashingStore(scene.store, { at: 2, when: "after" }) });
		const input = JSON.stringify([{ cents: 80 }]);
		await expect(dying.harness.run(dying.agent, input, { runId: "r", principal: "ann" })).rejects.toThrow();
		scene.clock.advance(60_000);
		await scene.again({ harness: { budgets: [{ name: "n", counts: "calls", max: 5 }] } }).harness.resume("r");
		expect(await accounts()).toEqual({ [today]: [80, 0], "n/calls": [1, 0] });
	});
});

describe("a clock that is put back", () => {
	test("finds the window that it had left, as it was", async () => {
		const { scene, run, paid, accounts } = payStage();
		let nowMs = scene.clock.now() + 2 * dayMs;
		const jumping = scene.again({ harness: { clock: { ...scene.clock, now: () => nowMs } } });
		const pay = (cents: number) =>
			jumping.harness.run(jumping.agent, JSON.stringify([{ cents }]), { principal: "ann" });
		await run([{ cents: 90 }]);
		await pay(100);
		nowMs -= 2 * dayMs;
		await pay(11);
		await pay(10);
		expect(paid).toEqual([90, 100, 10]);
		expect(Object.values(await accounts())).toEqual([
			[100, 0],
			[100, 0],
		]);
	});
});

describe("how budgets stand", () => {
	test("is told account by account, with what is left and of whom", async () => {
		const { scene, run } = payStage({ budgets: [daily, { name: "all", counts: "calls", max: 10 }] });
		await run([{ cents: 30 }, { cents: 10, lost: true }]);
		const from = Date.UTC(2030, 0, 1);
		const [first, second] = await scene.harness.governance.budgets();
		expect(first).toEqual({
			budget: { ...daily, per: ["principal"] },
			accounts: [
				{
					account: `budget:${today}`,
					of: { principal: "ann" },
					window: { from, until: from + dayMs },
					isCurrent: true,
					spent: 30,
					held: 10,
					left: 60,
					overdrawn: 0,
				},
			],
		});
		expect(second?.accounts).toMatchObject([
			{ of: {}, window: undefined, isCurrent: true, spent: 1, held: 1, left: 8, overdrawn: 0 },
		]);
		scene.clock.advance(dayMs);
		expect((await scene.harness.governance.budgets())[0]?.accounts).toMatchObject([{ isCurrent: false }]);
	});
});

describe("a policy that reads budgets", () => {
	const calls: Budget = { name: "calls", counts: "calls", per: ["tenant", "agent"], max: 9 };
	const tokens: Budget = { name: "tokens", counts: "tokens", per: "session", max: 1e6 };

	test("as they stand for each agent that the call is decided for: who calls another one is shown its own", async () => {
		const shown: unknown[] = [];
		const tool = (name: string) => defineTool({ name, description: "Does.", input: z.object({}), execute: () => 1 });
		const sub = defineAgent({
			name: "sub",
			instructions: "You pay.",
			model: scriptedModel([call("pay", {}), say("paid")]),
			tools: [tool("pay")],
		});
		const scene = stage({
			story: [call("note", {}), call("note", {}), call("ask_sub", { task: "pay" }), say("done")],
			tools: [tool("note"), agentTool(sub)],
			harness: {
				budgets: [{ name: "calls", counts: "calls", per: "agent", max: 100 }],
				policy: {
					version: "p",
					readsBudgets: ({ tool }) => tool.name === "pay",
					decide: ({ agent, budgets }) => {
						if (budgets) shown.push([agent, budgets["calls"]?.spent]);
						return { verdict: "allow" };
					},
				},
			},
		});
		expect(await scene.harness.run(scene.agent, "go")).toMatchObject({ status: "completed" });
		expect(shown.slice(0, 2)).toEqual([
			["sub", 0],
			["tester", 2],
		]);
	});

	function watching(reads: Pick<Policy, "readsBudgets"> = { readsBudgets: ({ tool }) => tool.name === "pay" }) {
		const seen: (BudgetsNow | undefined)[] = [];
		const policy: Policy = {
			version: "p",
			decide: ({ budgets }) => {
				seen.push(budgets);
				return { verdict: "allow" };
			},
			...reads,
		};
		return { seen, policy };
	}

	test("is shown how each of them stands for the call: of its own principal, tenant and session", async () => {
		const { seen, policy } = watching();
		const { run } = payStage({ budgets: [daily, calls, tokens], policy, settings: { maxOutputTokens: 10 } });
		await run([{ cents: 60 }]);
		await run([{ cents: 30 }], { principal: "bob" });
		await run([{ cents: 1 }], { tenant: "acme" });
		const shown = seen.map((budgets) => [budgets?.["payments"], budgets?.["calls"]]);
		const [cents, times] = [
			(spent: number) => ({ spent, held: 0, max: 100 }),
			(spent: number) => ({ spent, held: 0, max: 9 }),
		];
		expect(shown).toEqual([
			[cents(0), times(0)],
			[cents(0), times(1)],
			[cents(60), times(0)],
		]);
		// The answer that asks for the call took nothing of what was held for it, and gave it back.
		expect(seen.map((budgets) => budgets?.["tokens"])).toEqual(Array(3).fill({ spent: 0, held: 0, max: 1e6 }));
	});

	test("sees what other calls hold, and not what the call itself holds from before its process died", async () => {
		const { seen, policy } = watching();
		const { scene, run, paid, accounts } = payStage({ policy, limits: { attemptsMax: 2 } });
		await run([{ cents: 20, lost: true }]);
		seen.length = 0;
		// With a start that is durable, and with one that is only held for.
		for (const when of ["after", "before"] as const) {
			const dying = scene.again({ store: crashingStore(scene.store, { at: 2, when }) });
			const options = { runId: when, principal: "ann" };
			await expect(dying.harness.run(dying.agent, '[{"cents":30}]', options)).rejects.toThrow();
			expect((await accounts())[today]?.[1]).toBe(50);
			scene.clock.advance(60_000);
			await scene.harness.resume(when);
		}
		expect(paid).toEqual([30, 30]);
		const shown = seen.map((budgets) => budgets?.["payments"]);
		expect(shown.map((now) => [now?.spent, now?.held])).toEqual([
			[0, 20],
			[0, 20],
			[30, 20],
			[30, 20],
		]);
	});

	test.each([
		["does not say so", {}],
		["says that it does not", { readsBudgets: () => false }],
	])("is told of none, and none is looked up, where it %s", async (_, reads) => {
		const { seen, policy } = watching(reads);
		let asked = 0;
		const inner = memoryStore();
		const accounts: typeof inner.accounts = (query) => {
			asked++;
			return inner.accounts(query);
		};
		const { run, paid } = payStage({ policy, store: { ...inner, accounts } });
		await run([{ cents: 60 }]);
		expect([paid, seen, asked]).toEqual([[60], [undefined], 0]);
	});

	test("I4: decides where it does not know whether it reads them, and fails where it decides", async () => {
		const { seen, policy } = watching({
			readsBudgets: () => {
				throw new Error("no idea");
			},
		});
		const { run } = payStage({ policy });
		await run([{ cents: 60 }]);
		expect(seen).toMatchObject([{ payments: { spent: 0 } }]);
	});

	test("decides anew when the call is to start: what was spent meanwhile counts", async () => {
		const policy: Policy = {
			version: "p",
			readsBudgets: () => true,
			decide: ({ budgets }) => {
				if ((budgets?.["payments"]?.spent ?? 0) >= 80) return { verdict: "deny", reason: "most of it is spent" };
				return { verdict: "ask", reason: "money" };
			},
		};
		const { scene, run, paid } = payStage({ policy });
		const [first, second] = [await run([{ cents: 80 }]), await run([{ cents: 10 }])];
		for (const held of [first, second]) {
			await scene.harness.approve(onlyWait(held, "approval").approval, { by });
			await scene.harness.resume(held.run);
		}
		expect(paid).toEqual([80]);
		expect(ofType(await scene.events(second.run), "call.decided").at(-1)).toMatchObject({
			verdict: "deny",
			reason: "most of it is spent",
		});
	});
});
