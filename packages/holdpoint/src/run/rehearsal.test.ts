import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";

import type { HarnessOptions } from "../holdpoint.ts";
import type { CallInfo } from "../spec/agent.ts";
import type { Budget } from "../spec/budget.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { Ask, Policy, PolicyRequest } from "../spec/policy.ts";
import type { Store } from "../spec/store.ts";
import { auditSigner, exportOf, verifyLines } from "../testing/audit-scene.ts";
import { ann, bob, closeShops, held, orders, refunds, seen, shop } from "../testing/rehearsal-scene.ts";
import { sandboxUnderTest } from "../testing/sandbox-under-test.ts";
import { ofType, onlyWait, type Stage } from "../testing/stage.ts";
import { defineTool } from "../tools/define-tool.ts";

afterEach(closeShops);

describe("a rehearsal", () => {
	test("shows at the first held call all that the program would do, with totals, and does nothing of it", async () => {
		const play = shop();
		const { rehearsal } = await held(play);
		expect(rehearsal).toMatchObject({
			end: "returned",
			reads: 0,
			totals: [{ tool: "refund", count: 4, sums: { cents: 1_000 } }],
		});
		expect(rehearsal?.rows.map(({ tool, verdict, args }) => [tool, verdict, args])).toEqual([
			...orders.map((args) => ["refund", "ask", args]),
			["note", "allow", { text: "refunded 1000" }],
		]);
		expect(rehearsal?.rows.some(({ uncertain }) => uncertain)).toBe(false);
		// An allowed write is none either.
		expect(play.done).toEqual(["list"]);
	});

	test("is one decision: the program goes on from where it was held, and each call matches its row", async () => {
		const play = shop();
		const { run, approval } = await held(play);
		await play.scene.harness.approve(approval.approval, { by: bob, ...seen(approval), rows: "all" });
		expect(await play.scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(play.done).toEqual(["list", ...refunds, "note refunded 1000"]);
		const events = await play.scene.events(run);
		expect(ofType(events, "approval.requested")).toHaveLength(1);
		expect(ofType(events, "call.started").map(({ row }) => row)).toEqual([
			undefined,
			undefined,
			undefined,
			1,
			2,
			3,
			undefined,
		]);
		expect(ofType(events, "program.rehearsed")).toHaveLength(1);
	});

	test("holds over the death of the process, on another harness", async () => {
		const play = shop();
		const { run, approval } = await held(play);
		const other = play.scene.again({ harness: { sandbox: sandboxUnderTest() } });
		onTestFinished(() => other.harness.close());
		await other.harness.approve(approval.approval, { by: bob, ...seen(approval), rows: "all" });
		expect(await other.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(play.done).toEqual(["list", ...refunds, "note refunded 1000"]);
	});

	test("is approved by row: what was left out is asked about when it comes", async () => {
		const play = shop();
		const { run, approval } = await held(play);
		await play.scene.harness.approve(approval.approval, { by: bob, ...seen(approval), rows: [0, 1, 3] });
		const wait = onlyWait(await play.scene.harness.resume(run), "approval");
		expect(wait).toMatchObject({ tool: "refund", args: orders[2] });
		expect(play.done).toEqual(["list", ...refunds.slice(0, 2)]);
		const [now] = await play.scene.harness.approvals();
		expect(now?.rehearsal?.rows.map(({ isHeld, became }) => [isHeld, became])).toEqual([
			[false, "ok"],
			[false, "ok"],
			[true, undefined],
			[false, undefined],
			[false, undefined],
		]);
		// What is done is not to be decided any more.
		expect(now?.rehearsal?.totals).toEqual([{ tool: "refund", count: 2, sums: { cents: 700 } }]);
		await play.scene.harness.approve(wait.approval, { by: bob });
		expect(await play.scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(play.done).toEqual(["list", ...refunds, "note refunded 1000"]);
	});

	test("adds amounts up as people do", async () => {
		const source = "for (const cents of [0.1, 0.2]) await tools.pay({ cents });";
		const pay = defineTool({
			name: "pay",
			description: "Pays.",
			input: z.object({ cents: z.number() }),
			execute: () => null,
		});
		const policy: Policy = {
			version: "p",
			decide: ({ tool }) => (tool.name === "pay" ? { verdict: "ask", reason: "money" } : { verdict: "allow" }),
		};
		const { rehearsal } = await held(shop({ source, tools: [pay], harness: { policy } }));
		expect(rehearsal?.totals).toEqual([{ tool: "pay", count: 2, sums: { cents: 0.3 } }]);
	});

	test("is denied as a whole: nothing of it is done, and the program may catch it", async () => {
		const source = `const said = [];
			for (const args of await tools.list_orders({})) await tools.refund(args).catch((error) => said.push(error.message));
			return said;`;
		const play = shop({ source });
		const { run, approval } = await held(play);
		await play.scene.harness.deny(approval.approval, { by: bob, ...seen(approval), reason: "too much", rows: "all" });
		expect(await play.scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(play.done).toEqual(["list"]);
		const outcomes = ofType(await play.scene.events(run), "call.finished").map(({ outcome }) => outcome);
		expect(outcomes.filter((outcome) => "denied" in outcome)).toEqual(
			orders.map(() => ({ denied: "too much", by: "bob" })),
		);
	});

	test("a batch that is held at once is answered at once, each call under its own approval", async () => {
		const source = "return Promise.all((await tools.list_orders({})).map((args) => tools.refund(args)))";
		const play = shop({ source });
		const { run, approval, rehearsal } = await held(play);
		expect(rehearsal?.rows.map(({ call }) => call)).toEqual(["c1.2", "c1.3", "c1.4", "c1.5"]);
		await play.scene.harness.approve(approval.approval, { by: bob, ...seen(approval), rows: "all" });
		expect(await play.scene.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(play.done.slice(1).sort()).toEqual(refunds);
		expect(ofType(await play.scene.events(run), "approval.resolved")).toHaveLength(4);
		expect(await play.scene.harness.approvals()).toEqual([]);
	});
});

describe("what deviates from a rehearsal", () => {
	test("is held anew: other arguments, and one call more", async () => {
		// The real refund says something else than its simulation: the program goes another way.
		const source = `const first = await tools.refund({ order: "o1", cents: 100 });
			await tools.refund({ order: "o2", cents: first.refunded });
			await tools.refund({ order: "o2", cents: 100 });
			return "ok";`;
		const play = shop({ source });
		const [, refund] = play.scene.agent.tools;
		const { run, approval } = await held(play);
		await play.scene.harness.approve(approval.approval, { by: bob, ...seen(approval), rows: "all" });
		const changed = { ...(refund as NonNullable<typeof refund>), execute: () => ({ refunded: 99 }) };
		const tools = play.scene.agent.tools.map((tool) => (tool.name === "refund" ? changed : tool));
		const other = play.scene.again({ agent: { tools }, harness: { sandbox: sandboxUnderTest() } });
		onTestFinished(() => other.harness.close());
		const wait = onlyWait(await other.harness.resume(run), "approval");
		expect(wait).toMatchObject({ args: { order: "o2", cents: 99 } });
	});

	test("a row is worth one call", async () => {
		const source = `const twice = (await tools.list_orders({})).length;
			await tools.refund({ order: "o1", cents: 100 });
			await tools.refund({ order: "o1", cents: 100 });
			return twice;`;
		const play = shop({ source });
		const { run, approval, rehearsal } = await held(play);
		expect(rehearsal?.rows).toHaveLength(2);
		await play.scene.harness.approve(approval.approval, { by: bob, ...seen(approval), rows: [0] });
		const wait = onlyWait(await play.scene.harness.resume(run), "approval");
		expect(wait).toMatchObject({ args: { order: "o1", cents: 100 } });
		expect(play.done).toEqual(["list", "refund o1 100"]);
	});

	test("a row that was spent answers nothing after another rehearsal either", async () => {
		const source = `const first = await tools.refund({ order: "o1", cents: 100 });
			if (first.refunded === 100) return "as foreseen";
			await tools.refund({ order: "o2", cents: first.refunded });
			await tools.refund({ order: "o1", cents: 100 });
			return "otherwise";`;
		const play = shop({ source });
		const { run, approval } = await held(play);
		await play.scene.harness.approve(approval.approval, { by: bob, ...seen(approval), rows: "all" });
		const [, refund] = play.scene.agent.tools;
		const changed = { ...(refund as NonNullable<typeof refund>), execute: () => ({ refunded: 99 }) };
		const tools = play.scene.agent.tools.map((tool) => (tool.name === "refund" ? changed : tool));
		const other = play.scene.again({ agent: { tools }, harness: { sandbox: sandboxUnderTest() } });
		onTestFinished(() => other.harness.close());
		const second = onlyWait(await other.harness.resume(run), "approval");
		expect(second).toMatchObject({ args: { order: "o2" } });
		await other.harness.approve(second.approval, { by: bob });
		expect(onlyWait(await other.harness.resume(run), "approval")).toMatchObject({ args: { order: "o1" } });
		expect(ofType(await play.scene.events(run), "program.rehearsed")).toHaveLength(2);
	});

	test.each(["a policy", "a budget", "a port of approvers"])(
		"a row is worth one call, also where %s takes its time",
		async (what) => {
			const source = `await tools.refund({ order: "first", cents: 1 });
				await Promise.all([1, 2, 3].map(() => tools.refund({ order: "x", cents: 1 })));
				return 1;`;
			const decide: Policy["decide"] = ({ tool }) =>
				tool.effect === "internal" ? { verdict: "allow" } : { verdict: "ask", reason: "money" };
			const harness = {
				"a policy": { policy: { version: "p", decide: async (request: PolicyRequest) => decide(request) } },
				"a budget": {
					policy: { version: "p", decide },
					budgets: [{ name: "n", counts: "calls", max: 99 }],
				},
				"a port of approvers": {
					policy: { version: "p", decide },
					approvers: { version: "a", of: async () => ({ roles: [] }) },
				},
			}[what] as HarnessOptions;
			const play = shop({ source, harness });
			const { run, approval, rehearsal } = await held(play);
			expect(rehearsal?.rows).toHaveLength(4);
			await play.scene.harness.approve(approval.approval, { by: bob, ...seen(approval), rows: [0, 1] });
			expect(await play.scene.harness.resume(run)).toMatchObject({ status: "waiting" });
			expect(play.done).toEqual(["refund first 1", "refund x 1"]);
		},
	);

	test("a row whose call today's policy allows is spent by it", async () => {
		const source = `await tools.refund({ order: "first", cents: 1 });
			await tools.refund({ order: "x", cents: 1 });
			await tools.refund({ order: "x", cents: 1 });
			return 1;`;
		let allowed = 0;
		const play = shop({ source });
		const { run, approval } = await held(play);
		await play.scene.harness.approve(approval.approval, { by: bob, ...seen(approval), rows: [0, 1] });
		const policy: Policy = {
			version: "p2",
			decide: ({ args }) => {
				const isFirst = (args as { order?: string }).order === "x" && allowed++ === 0;
				return isFirst ? { verdict: "allow" } : { verdict: "ask", reason: "money" };
			},
		};
		const other = play.scene.again({ harness: { policy, sandbox: sandboxUnderTest() } });
		onTestFinished(() => other.harness.close());
		expect(await other.harness.resume(run)).toMatchObject({ status: "waiting" });
		expect(play.done).toEqual(["refund first 1", "refund x 1"]);
	});

	test("an answer of one that more are needed for is carried, and counts", async () => {
		const play = shop({
			source: 'await tools.refund({ order: "a", cents: 1 }); return tools.refund({ order: "b", cents: 2 })',
		});
		const { run, approval } = await held(play);
		await play.scene.harness.approve(approval.approval, { by: bob, ...seen(approval), rows: "all" });
		const policy: Policy = {
			version: "p2",
			decide: ({ args }) => {
				const count = (args as { order?: string }).order === "b" ? 2 : 1;
				return { verdict: "ask", reason: "money", ask: { count } };
			},
		};
		const other = play.scene.again({ harness: { policy, sandbox: sandboxUnderTest() } });
		onTestFinished(() => other.harness.close());
		const wait = onlyWait(await other.harness.resume(run), "approval");
		expect((await other.harness.approvals())[0]?.answeredBy.map(({ id }) => id)).toEqual(["bob"]);
		expect(ofType(await play.scene.events(run), "program.rehearsed")).toHaveLength(1);
		await other.harness.approve(wait.approval, { by: ann });
		expect(await other.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(play.done).toEqual(["refund a 1", "refund b 2"]);
	});

	test("rows are answered with the list that was seen: another one by then is refused at the door", async () => {
		const play = shop();
		const { approval } = await held(play);
		const [, refund] = play.scene.agent.tools;
		const changed = { ...(refund as NonNullable<typeof refund>), simulate: () => ({ refunded: 1 }) };
		const tools = play.scene.agent.tools.map((tool) => (tool.name === "refund" ? changed : tool));
		const other = play.scene.again({ agent: { tools }, harness: { sandbox: sandboxUnderTest() } });
		onTestFinished(() => other.harness.close());
		await other.harness.rehearse(approval.approval, { by: "kim" });
		const late = other.harness.approve(approval.approval, { by: bob, ...seen(approval), rows: "all" });
		await expect(late).rejects.toMatchObject({ code: "approval.invalid", message: expect.stringContaining("anew") });
		const blind = other.harness.approve(approval.approval, { by: bob, rows: "all" });
		await expect(blind).rejects.toMatchObject({ code: "approval.invalid" });
	});

	test("in order: a row whose turn it is not answers nothing", async () => {
		const source = `const first = await tools.refund({ order: "o1", cents: 100 });
			if (first.refunded === 100) await tools.refund({ order: "o2", cents: 200 });
			await tools.refund({ order: "o3", cents: 300 });
			return 1;`;
		for (const inOrder of [false, true]) {
			const play = shop({ source });
			const { run, approval } = await held(play);
			await play.scene.harness.approve(approval.approval, { by: bob, ...seen(approval), rows: "all", inOrder });
			const [, refund] = play.scene.agent.tools;
			const changed = { ...(refund as NonNullable<typeof refund>), execute: () => ({ refunded: 99 }) };
			const tools = play.scene.agent.tools.map((tool) => (tool.name === "refund" ? changed : tool));
			const other = play.scene.again({ agent: { tools }, harness: { sandbox: sandboxUnderTest() } });
			const result = await other.harness.resume(run);
			await other.harness.close();
			expect(result.status).toBe(inOrder ? "waiting" : "completed");
		}
	});

	test("today's policy decides: what it denies now no row allows, and what it asks more of is asked", async () => {
		for (const [now, status] of [
			[{ verdict: "deny", reason: "stop" }, "completed"],
			[{ verdict: "ask", reason: "two", ask: { count: 2 } }, "waiting"],
		] as const) {
			const play = shop();
			const { run, approval } = await held(play);
			await play.scene.harness.approve(approval.approval, { by: bob, ...seen(approval), rows: "all" });
			const policy: Policy = {
				version: "p2",
				decide: ({ tool }) => (tool.name === "refund" ? now : { verdict: "allow" }),
			};
			const other = play.scene.again({ harness: { policy, sandbox: sandboxUnderTest() } });
			const result = await other.harness.resume(run);
			await other.harness.close();
			expect(result.status).toBe(status);
			expect(play.done.filter((what) => what.startsWith("refund"))).toEqual([]);
		}
	});

	test("answers of rows grow old like others", async () => {
		const play = shop({ harness: { limits: { approvalSpendWithinMs: 1_000 } } });
		const { run, approval } = await held(play);
		await play.scene.harness.approve(approval.approval, { by: bob, ...seen(approval), rows: "all" });
		play.scene.clock.advance(1_001);
		expect(await play.scene.harness.resume(run)).toMatchObject({ status: "waiting" });
		expect(play.done).toEqual(["list"]);
	});

	test("an answer to rows that another rehearsal replaced is worth nothing", async () => {
		const play = shop();
		const { run, approval } = await held(play);
		// The answer is left, and a new rehearsal comes before it is read, with other rows.
		const [, refund] = play.scene.agent.tools;
		const tools = play.scene.agent.tools.map((tool) =>
			tool.name === "refund" ? { ...(refund as NonNullable<typeof refund>), simulate: () => ({ refunded: 1 }) } : tool,
		);
		const other = play.scene.again({ agent: { tools }, harness: { sandbox: sandboxUnderTest() } });
		onTestFinished(() => other.harness.close());
		await other.harness.rehearse(approval.approval, { by: "kim" });
		await expect(
			play.scene.harness.approve(approval.approval, { by: bob, ...seen(approval), rows: [17] }),
		).rejects.toMatchObject({
			code: "approval.invalid",
		});
		expect(await other.harness.resume(run)).toMatchObject({ status: "waiting" });
		const [after] = await other.harness.approvals();
		expect(after?.rehearsal?.rows.at(-1)).toMatchObject({ args: { text: "refunded 4" } });
	});
});

describe("what cannot be foreseen", () => {
	test("is marked: everything after a value that was made up from a schema", async () => {
		const play = shop({ simulated: false });
		const { rehearsal } = await held(play);
		expect(rehearsal?.rows.map(({ uncertain }) => uncertain === true)).toEqual([false, true, true, true, true]);
		expect(rehearsal?.rows.at(-1)).toMatchObject({ args: { text: "refunded 0" } });
	});

	test("a call that would fail says so, a denied one too, and the program goes on as it would", async () => {
		const source = `const errors = [];
			await tools.refund({ order: "o-none", cents: 1 }).catch((error) => errors.push(error.name));
			await tools.drop({}).catch((error) => errors.push(error.name));
			await tools.refund({ order: "o1", cents: ["x"].join() }).catch((error) => errors.push(error.name));
			await tools.note({ text: errors.join() });
			throw new Error("the end");`;
		const play = shop({ source });
		const { rehearsal } = await held(play);
		expect(rehearsal).toMatchObject({ end: "threw", why: "Error: the end" });
		expect(rehearsal?.rows).toMatchObject([
			{ tool: "refund", fails: "there is no such order" },
			{ tool: "drop", verdict: "deny", reason: "never" },
			{ tool: "note", args: { text: "ToolFailed,ToolDenied,ToolFailed" } },
		]);
		expect(play.done).toEqual([]);
	});

	test("I8: a program that would never end is followed to a limit", async () => {
		const play = shop({
			options: { limits: { callsMax: 2_000 } },
			source:
				'for (let i = 0; ; i++) await tools.note({ text: "x" + (i === 0 ? (await tools.refund({ order: "a", cents: 1 })).refunded : i) })',
		});
		const { rehearsal } = await held(play);
		expect(rehearsal).toMatchObject({ end: "limit", why: "it was followed for 500 calls and no further" });
	});

	test("spends of budgets for its reads, and for nothing else", async () => {
		const source = `await tools.refund({ order: "o1", cents: 100 });
			await tools.list_orders({});
			await tools.note({ text: "x" });
			await tools.list_orders({});
			return null;`;
		const budgets = [
			{ name: "calls", counts: "calls", max: 5 },
			{ name: "money", counts: { tool: "refund", sum: "cents" }, max: 1_000 },
		] as const;
		const play = shop({ source, harness: { budgets } });
		const { rehearsal } = await held(play);
		expect(rehearsal).toMatchObject({ end: "returned", reads: 2 });
		const used = await play.scene.store.accounts({});
		expect(used.map(({ spent, held: left }) => [spent, left])).toEqual([[2, 0]]);
	});

	test("tools that change only the journal are simulated, and what a grant allows is not done", async () => {
		const did: string[] = [];
		const note = (name: string, effect: "internal" | "read") =>
			defineTool({ name, description: name, effect, input: z.object({}), execute: () => void did.push(name) });
		const policy: Policy = {
			version: "p",
			decide: ({ tool }) => (tool.name === "todo" ? { verdict: "allow" } : { verdict: "ask", reason: "all" }),
		};
		const play = shop({
			source: "await tools.peek({}); await tools.todo({}); await tools.peek({}); return 1",
			tools: [note("todo", "internal"), note("peek", "read")],
			harness: { policy },
		});
		const first = await held(play);
		await play.scene.harness.approve(first.approval.approval, { by: bob, always: { scope: "principal", usesMax: 5 } });
		await play.scene.harness.resume(first.run);
		did.length = 0;
		const source = play.scene.again({
			harness: { sandbox: sandboxUnderTest() },
			agent: { tools: play.scene.agent.tools },
		});
		onTestFinished(() => source.harness.close());
		const second = await source.harness.run(source.agent, "go", { principal: "kim" });
		expect(second.status).toBe("waiting");
		expect(did).toEqual([]);
	});

	test("a kill switch and the middleware reach it", async () => {
		const source = `await tools.refund({ order: "o1", cents: 100 });
			await tools.list_orders({}).catch(() => 0);
			await tools.list_orders({}).catch(() => 0);
			return 1;`;
		const seenBy: string[] = [];
		const guard = {
			name: "guard",
			prepareCall: ({ tool, args }: CallInfo) => {
				seenBy.push(tool);
				if (tool === "list_orders" && seenBy.length > 3) throw new Error("another tenant's");
				return args;
			},
		};
		const play = shop({ source, middleware: [guard] });
		const { rehearsal } = await held(play);
		expect(rehearsal?.reads).toBe(1);
		const switched = shop({ source, options: { rehearse: false } });
		const { approval } = await held(switched);
		await switched.scene.harness.governance.switchOff({ of: "tool", name: "list_orders", reason: "stop" });
		expect((await switched.scene.harness.rehearse(approval.approval)).rehearsal).toMatchObject({ reads: 0 });
	});

	test("a read for which nothing is left is denied in it", async () => {
		const source = `await tools.refund({ order: "o1", cents: 100 });
			await tools.list_orders({});
			return (await tools.list_orders({})).length;`;
		const play = shop({
			source,
			harness: { budgets: [{ name: "calls", counts: "calls", tools: ["list_orders"], max: 1 }] },
		});
		const { rehearsal } = await held(play);
		expect(rehearsal).toMatchObject({ end: "threw", reads: 1, why: expect.stringContaining("budget calls allows 1") });
		expect(rehearsal?.rows.at(-1)).toMatchObject({ tool: "list_orders", verdict: "deny", refusedBy: ["calls"] });
	});

	test("reads are really made, governed, and enter nothing", async () => {
		const source = `await tools.refund({ order: "o1", cents: 1 });
			const all = await tools.list_orders({});
			await tools.note({ text: String(all.length) });
			return null;`;
		const play = shop({ source });
		const { run, rehearsal } = await held(play);
		expect(rehearsal).toMatchObject({ reads: 1, rows: [{ tool: "refund" }, { tool: "note", args: { text: "4" } }] });
		expect(play.done).toEqual(["list"]);
		expect(ofType(await play.scene.events(run), "call.asked")).toHaveLength(1);
	});
});

describe("budgets", () => {
	const daily = (over?: Ask): Budget => ({
		name: "refund-per-day",
		per: "principal",
		window: "day",
		counts: { tool: "refund", sum: "cents" },
		max: 600,
		...(over ? { over } : {}),
	});
	const oneByOne = `const done = [];
		for (const args of await tools.list_orders({})) done.push(await tools.refund(args).then(() => "yes", (e) => e.name));
		return done;`;
	const atOnce = `const all = (await tools.list_orders({})).map((args) => tools.refund(args).then(() => "yes", (e) => e.name));
		return Promise.all(all);`;
	const used = async ({ scene }: { readonly scene: Stage }) =>
		(await scene.store.accounts({ prefix: "budget:" })).map(({ spent, held: left }) => [spent, left]);

	test.each([
		["one by one", oneByOne, "deny"],
		["at once", atOnce, "ask"],
	])(
		"add up over calls that are made %s: the row at which one would be used up is marked",
		async (_, source, verdict) => {
			const play = shop({ source, harness: { budgets: [daily()] } });
			const { run, approval, rehearsal } = await held(play);
			expect(rehearsal?.rows.map((row) => [row.args, row.verdict, row.refusedBy])).toEqual([
				...orders.slice(0, 3).map((args) => [args, "ask", undefined]),
				[orders[3], verdict, ["refund-per-day"]],
			]);
			expect(rehearsal?.rows[3]?.reason).toContain("0 of 600 is left, and this needs 400");
			expect(rehearsal?.end).toBe("returned");
			// Nothing is spent or held for what was only foreseen.
			expect(await used(play)).toEqual([]);
			await play.scene.harness.approve(approval.approval, { by: bob, ...seen(approval), rows: "all" });
			// It is refused as it was foreseen, and nobody is asked for it anew.
			expect(await play.scene.harness.resume(run)).toMatchObject({ status: "completed" });
			expect(play.done).toEqual(["list", ...refunds.slice(0, 3)]);
			expect(await used(play)).toEqual([[600, 0]]);
		},
	);

	test.each([
		["one by one", oneByOne],
		["at once", atOnce],
	])(
		"beyond which people are asked, of calls made %s, are asked about in the row: one answer is enough",
		async (_, source) => {
			const play = shop({ source, harness: { budgets: [daily({ roles: ["finance"] })], rolesOf: () => ["finance"] } });
			const { run, approval, rehearsal } = await held(play);
			expect(rehearsal?.rows.map(({ verdict, sources }) => [verdict, sources])).toEqual([
				...Array(3).fill(["ask", undefined]),
				["ask", ["limit"]],
			]);
			await play.scene.harness.approve(approval.approval, { by: bob, ...seen(approval), rows: "all" });
			expect(await play.scene.harness.resume(run)).toMatchObject({ status: "completed" });
			expect(play.done).toEqual(["list", ...refunds]);
			expect(await used(play)).toEqual([[1_000, 0]]);
		},
	);

	test("I5: who answered a held call without its row was not shown what the row foresaw, and is asked anew", async () => {
		const play = shop({ source: atOnce, harness: { budgets: [daily({ count: 1 })] } });
		const { run } = await held(play);
		for (const { approval } of await play.scene.harness.approvals()) {
			await play.scene.harness.approve(approval, { by: bob });
		}
		expect(await play.scene.harness.resume(run)).toMatchObject({ status: "waiting" });
		expect(play.done).toEqual(["list", ...refunds.slice(0, 3)]);
	});

	test("I5: nor does the row of one person show it to another one, who answered the call alone", async () => {
		const play = shop({ source: atOnce, ask: { count: 2 }, harness: { budgets: [daily({ count: 2 })] } });
		const { run, approval } = await held(play);
		const last = (await play.scene.harness.approvals()).at(-1);
		await play.scene.harness.approve(last?.approval ?? "", { by: ann });
		await play.scene.harness.approve(approval.approval, { by: bob, ...seen(approval), rows: "all" });
		for (const { approval: one, call } of await play.scene.harness.approvals()) {
			if (call !== last?.call) await play.scene.harness.approve(one, { by: ann });
		}
		expect(await play.scene.harness.resume(run)).toMatchObject({ status: "waiting" });
		expect(play.done).toEqual(["list", ...refunds.slice(0, 3)]);
	});

	test("count what others have spent by then, and nothing for a call that would fail", async () => {
		const source = `await tools.refund({ order: "o1", cents: 100 });
			await tools.refund({ order: "o-none", cents: 300 }).catch(() => 0);
			await tools.refund({ order: "o2", cents: 300 });
			await tools.refund({ order: "o3", cents: 200 });
			return 1;`;
		const play = shop({
			source: 'await tools.refund({ order: "o0", cents: 100 }); return 1',
			harness: { budgets: [daily()] },
		});
		const first = await held(play);
		await play.scene.harness.approve(first.approval.approval, { by: bob });
		await play.scene.harness.resume(first.run);
		const { rehearsal } = await held(shop({ source, store: play.scene.store, harness: { budgets: [daily()] } }));
		expect(rehearsal?.rows.map(({ refusedBy, fails }) => refusedBy ?? fails)).toEqual([
			undefined,
			"there is no such order",
			undefined,
			["refund-per-day"],
		]);
	});

	test("are shown to a policy that reads them as they would stand by then", async () => {
		const policy: Policy = {
			version: "p",
			readsBudgets: ({ tool }) => tool.name === "refund",
			decide: ({ tool, budgets }) => {
				if (tool.name !== "refund") return { verdict: "allow" };
				const { spent = 0, held: left = 0 } = budgets?.["refund-per-day"] ?? {};
				return { verdict: "ask", reason: `${spent} spent, ${left} held` };
			},
		};
		const { rehearsal } = await held(shop({ source: oneByOne, harness: { policy, budgets: [daily()] } }));
		const reasons = rehearsal?.rows.map(({ reason }) => reason);
		expect(reasons?.slice(0, 3)).toEqual(["0 spent, 0 held", "0 spent, 100 held", "0 spent, 300 held"]);
	});

	test.each([
		["answered meanwhile", true],
		["rehearsed anew", false],
	])(
		"what a rehearsal held whose process died is spent, as its read may have been made: its program is %s",
		async (_, isAnswered) => {
			const source = `await tools.refund({ order: "o1", cents: 1 });
			await tools.list_orders({});
			return 1;`;
			const budgets: Budget[] = [{ name: "reads", counts: "calls", tools: ["list_orders"], max: 5 }];
			const play = shop({ source, harness: { budgets } });
			const inner = play.scene.store;
			let isDead = false;
			const die = () => Promise.reject(new HoldpointError("store.failed", "the process is dead"));
			// It dies while its rehearsal reads.
			const dying: Store = {
				...inner,
				commit: async (...args) => {
					if (isDead) return die();
					const receipt = await inner.commit(...args);
					isDead = args[2].some(({ kind }) => kind === "reserve");
					return isDead ? die() : receipt;
				},
			};
			const dead = play.scene.again({ store: dying, harness: { sandbox: sandboxUnderTest() } });
			onTestFinished(() => dead.harness.close());
			await expect(dead.harness.run(dead.agent, "go", { runId: "r" })).rejects.toThrow("dead");
			expect(await used(play)).toEqual([[0, 1]]);
			play.scene.clock.advance(60_000);
			const [open] = await play.scene.harness.approvals();
			const { approval = "" } = open ?? {};
			if (isAnswered) await play.scene.harness.deny(approval, { by: bob });
			await play.scene.harness.resume("r");
			// A denied program is over; one that was rehearsed anew has read once more.
			expect(await used(play)).toEqual([[isAnswered ? 1 : 2, 0]]);
		},
	);
});

describe("who wants one", () => {
	test("nobody: a program is held, and no copy of it is made", async () => {
		const play = shop({ options: { rehearse: false } });
		expect((await held(play)).rehearsal).toBeUndefined();
	});

	test("the policy, with its ask", async () => {
		const play = shop({ options: { rehearse: false }, ask: { rehearse: true } });
		expect((await held(play)).rehearsal?.rows).toHaveLength(5);
	});

	test("a person, for a run that waits", async () => {
		const play = shop({ options: { rehearse: false } });
		const { run, approval } = await held(play);
		const other = play.scene.again({ harness: { sandbox: sandboxUnderTest() } });
		onTestFinished(() => other.harness.close());
		const seenNow = await other.harness.rehearse(approval.approval, { by: "ann" });
		expect(seenNow.rehearsal?.rows).toHaveLength(5);
		expect(play.done).toEqual(["list"]);
		expect(ofType(await play.scene.events(run), "rehearsal.requested")).toMatchObject([{ by: "ann" }]);
		await other.harness.approve(approval.approval, { by: ann, ...seen(seenNow), rows: "all" });
		expect(await other.harness.resume(run)).toMatchObject({ status: "completed" });
		expect(play.done).toEqual(["list", ...refunds, "note refunded 1000"]);
	});
});

test("the audit of a rehearsed program verifies, with an answer that was carried from a row", async () => {
	const source = 'await tools.refund({ order: "a", cents: 1 }); return tools.refund({ order: "b", cents: 2 })';
	const play = shop({ source, harness: { audit: { key: auditSigner.secretText } } });
	const { run, approval } = await held(play);
	await play.scene.harness.approve(approval.approval, { by: bob, ...seen(approval), rows: "all" });
	const policy: Policy = {
		version: "p2",
		decide: ({ tool, args }) => {
			if (tool.effect === "internal") return { verdict: "allow" };
			return { verdict: "ask", reason: "money", ask: { count: (args as { order?: string }).order === "b" ? 2 : 1 } };
		},
	};
	const harness = { audit: { key: auditSigner.secretText }, policy, sandbox: sandboxUnderTest() };
	const other = play.scene.again({ harness });
	onTestFinished(() => other.harness.close());
	const wait = onlyWait(await other.harness.resume(run), "approval");
	await other.harness.approve(wait.approval, { by: ann });
	expect(await other.harness.resume(run)).toMatchObject({ status: "completed" });
	await other.harness.audit.checkpoint();
	expect(await verifyLines(await exportOf(other))).toMatchObject({ ok: true, findings: [], executions: 3 });
});

test("what a rehearsal foresaw, and the frozen program, are erased with the run", async () => {
	const source = `const words = "kept in " + "memory";
		await tools.refund({ order: "jane's order", cents: 1 });
		return words;`;
	const play = shop({ source, harness: { audit: { key: auditSigner.secretText } } });
	const { run } = await held(play);
	const events = await play.scene.events(run);
	expect(JSON.stringify(ofType(events, "program.rehearsed"))).toContain("jane's order");
	const snapshots = ofType(events, "program.suspended").flatMap(({ snapshot }) => snapshot?.digest ?? []);
	await play.scene.harness.cancel(run);
	await play.scene.harness.audit.erase({ run });
	const { store } = play.scene;
	for (const digest of snapshots) expect(await store.blob(run, digest)).toBeUndefined();
	const left = [await store.load(run), await exportOf(play.scene, { payloads: true }), await store.approvals({})];
	for (const word of ["jane's order", "kept in"]) expect(JSON.stringify(left)).not.toContain(word);
});
