import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { memoryStore } from "../adapters/stores/memory.ts";
import { keyRing } from "../kit/seal.ts";
import { SealedDocument } from "../kit/sealed-document.ts";
import type { Approver } from "../spec/events.ts";
import type { GrantTerms, Standing } from "../spec/governance.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { Ask, Policy } from "../spec/policy.ts";
import { noRun, type Store } from "../spec/store.ts";
import { crashingStore } from "../testing/crashing-store.ts";
import { storeWithSomebodyElse } from "../testing/somebody-else.ts";
import { ofType, onlyWait, type StageOptions, stage, stageKeys } from "../testing/stage.ts";
import { call, calls, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";

const person = (id: string): Approver => ({ id, via: "test" });
const [ann, bob] = [person("ann"), person("bob")];
const noStanding: Standing = { grants: [], switches: [] };

afterEach(() => vi.restoreAllMocks());

const dayMs = 24 * 3_600_000;

interface Pay {
	readonly amount: number;
	readonly to?: string | undefined;
}

/** Each run pays once, as its input says. */
function payStage(options: Partial<StageOptions> & { readonly ask?: Ask; readonly policy?: Policy } = {}) {
	const { ask = {}, policy, harness, ...rest } = options;
	const paid: Pay[] = [];
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		repeat: "keyed",
		input: z.object({ amount: z.int(), to: z.string().optional() }),
		execute: (args) => {
			paid.push(args);
			return "paid";
		},
	});
	const asks: Policy = { version: "p1", decide: () => ({ verdict: "ask", reason: "money", ask }) };
	const scene = stage({
		story: ({ messages }) => {
			const { role, content } = messages.at(-1) ?? {};
			if (role !== "user") return say("done");
			const [text] = content as { text: string }[];
			return call("pay", JSON.parse(text?.text ?? "") as Pay);
		},
		tools: [pay],
		harness: { policy: policy ?? asks, ...harness },
		...rest,
	});
	const run = (args: Pay, principal = "ann") => scene.harness.run(scene.agent, JSON.stringify(args), { principal });
	/** Held, approved for good by bob, resumed. */
	async function grant(always: GrantTerms, args: Pay = { amount: 5 }) {
		const result = await run(args);
		const { approval } = onlyWait(result, "approval");
		await scene.harness.approve(approval, { by: bob, always });
		return scene.harness.resume(result.run);
	}
	return { scene, paid, run, grant };
}

describe("a standing grant", () => {
	test("answers for whoever gave it: the next call of the kind is not asked about, and says why", async () => {
		const { scene, paid, run, grant } = payStage();
		const first = await grant({ scope: "principal" });
		expect(first).toMatchObject({ status: "completed" });
		const [given] = (await scene.harness.governance.standing()).grants;
		expect(ofType(await scene.events(first.run), "grant.given")).toMatchObject([
			{ grant: given?.id, by: { id: "bob" } },
		]);
		const second = await run({ amount: 5 });
		expect(second).toMatchObject({ status: "completed" });
		expect(ofType(await scene.events(second.run), "call.decided")).toMatchObject([
			{ verdict: "allow", grants: [given?.id], reason: "granted: money" },
		]);
		expect(paid).toHaveLength(2);
	});

	test("covers what was shown, and nothing that is wider", async () => {
		const { run, grant } = payStage();
		await grant({ scope: "principal" });
		for (const args of [{ amount: 6 }, { amount: 5, to: "eve" }]) {
			expect(await run(args)).toMatchObject({ status: "waiting" });
		}
		expect(await run({ amount: 5 }, "eve")).toMatchObject({ status: "waiting" });
		expect(await run({ amount: 5 })).toMatchObject({ status: "completed" });
	});

	test("covers what its giver widened, field by field, to the last value", async () => {
		const { run, grant } = payStage();
		await grant(
			{ scope: "principal", args: { amount: { min: 1, max: 50 }, to: { in: ["shop", "post"] } } },
			{ amount: 5, to: "shop" },
		);
		expect(await run({ amount: 50, to: "post" })).toMatchObject({ status: "completed" });
		expect(await run({ amount: 51, to: "post" })).toMatchObject({ status: "waiting" });
		expect(await run({ amount: 0, to: "post" })).toMatchObject({ status: "waiting" });
		expect(await run({ amount: 5, to: "eve" })).toMatchObject({ status: "waiting" });
		expect(await run({ amount: 5 })).toMatchObject({ status: "waiting" });
	});

	test("covers so many calls as it says, counted over runs, and then people are asked again", async () => {
		const { scene, run, grant } = payStage();
		await grant({ scope: "principal", usesMax: 2 });
		const results = await Promise.all([1, 2, 3, 4].map(() => run({ amount: 5 })));
		expect(results.map(({ status }) => status).sort()).toEqual(["completed", "completed", "waiting", "waiting"]);
		expect(await scene.store.accounts({ prefix: "grant:" })).toMatchObject([{ spent: 2, held: 0 }]);
	});

	test("ends when it says, when it is revoked, and when the tool changes", async () => {
		const { scene, run, grant } = payStage();
		await grant({ scope: "principal", expiresInMs: dayMs });
		scene.clock.advance(dayMs - 1);
		expect(await run({ amount: 5 })).toMatchObject({ status: "completed" });
		scene.clock.advance(1);
		expect(await run({ amount: 5 })).toMatchObject({ status: "waiting" });
		await grant({ scope: "principal" });
		expect(await run({ amount: 5 })).toMatchObject({ status: "completed" });
		const [tool] = scene.agent.tools;
		const changed = scene.again({ agent: { tools: [{ ...(tool as NonNullable<typeof tool>), version: "other" }] } });
		const other = await changed.harness.run(changed.agent, JSON.stringify({ amount: 5 }), { principal: "ann" });
		expect(other).toMatchObject({ status: "waiting" });
		const last = (await scene.harness.governance.standing()).grants.at(-1);
		await scene.harness.governance.revoke(last?.id ?? "", { by: "eve" });
		expect(await run({ amount: 5 })).toMatchObject({ status: "waiting" });
		expect((await scene.harness.governance.standing()).grants.at(-1)).toMatchObject({ revoked: { by: "eve" } });
		await expect(scene.harness.governance.revoke("grt_none")).rejects.toMatchObject({ code: "grant.unknown" });
	});

	test("fills the seats of its givers, with the roles that they have today", async () => {
		let isManager = true;
		const rolesOf = ({ id }: Approver) => (id === "bob" && isManager ? ["manager"] : []);
		const { scene, run, grant } = payStage({ ask: { roles: ["manager"] }, harness: { rolesOf } });
		await grant({ scope: "principal" });
		expect(await run({ amount: 5 })).toMatchObject({ status: "completed" });
		isManager = false;
		expect(await run({ amount: 5 })).toMatchObject({ status: "waiting" });
		expect((await scene.harness.governance.standing()).grants).toHaveLength(1);
	});

	test("of one giver does not answer for two, and two givers do", async () => {
		const { scene, run } = payStage({ ask: { count: 2 } });
		const result = await run({ amount: 5 }, "eve");
		const { approval } = onlyWait(result, "approval");
		await scene.harness.approve(approval, { by: bob, always: { scope: "principal" } });
		await scene.harness.approve(approval, { by: ann });
		expect(await scene.harness.resume(result.run)).toMatchObject({ status: "completed" });
		const second = await run({ amount: 5 }, "eve");
		const again = onlyWait(second, "approval");
		await scene.harness.approve(again.approval, { by: ann, always: { scope: "principal" } });
		await scene.harness.approve(again.approval, { by: person("kim") });
		await scene.harness.resume(second.run);
		expect(await run({ amount: 5 }, "eve")).toMatchObject({ status: "completed" });
	});

	test("I8: where there are too many, the call is approved and no more, and who asks for one more is told so", async () => {
		const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
		const { scene, paid, run, grant } = payStage();
		await grant({ scope: "principal" });
		const ring = keyRing(stageKeys);
		const standing = { store: scene.store, storeId: await scene.store.id(), ring };
		const document = new SealedDocument<Standing>(standing, { name: "standing", what: "", empty: noStanding });
		const late = await run({ amount: 6 });
		await scene.harness.approve(onlyWait(late, "approval").approval, { by: bob, always: { scope: "principal" } });
		await document.change(({ grants: [one] }) => {
			if (!one) throw new Error("there is no grant");
			return {
				grants: Array.from({ length: fixedLimits.standingMax }, (_, n) => ({ ...one, id: `g${n}` })),
				switches: [],
			};
		});
		expect(await scene.harness.resume(late.run)).toMatchObject({ status: "completed" });
		expect(paid).toHaveLength(2);
		expect(String(warn.mock.lastCall?.[0])).toContain("was not granted for good");
		const { approval } = onlyWait(await run({ amount: 7 }), "approval");
		const asked = scene.harness.approve(approval, { by: bob, always: { scope: "principal" } });
		await expect(asked).rejects.toMatchObject({
			code: "grant.invalid",
			message: expect.stringContaining("1000 grants"),
		});
		await scene.harness.governance.switchOff({ of: "all", reason: "stop", by: "kim" });
		expect((await scene.harness.governance.standing()).switches).toHaveLength(1);
	});

	test("never turns a denial into anything", async () => {
		let verdict: "ask" | "deny" = "ask";
		const policy: Policy = { version: "p", decide: () => ({ verdict, reason: "money" }) };
		const { scene, paid, run, grant } = payStage({ policy });
		await grant({ scope: "principal" });
		verdict = "deny";
		const result = await run({ amount: 5 });
		expect(ofType(await scene.events(result.run), "call.decided")).toMatchObject([{ verdict: "deny" }]);
		expect(paid).toHaveLength(1);
	});

	test("that another process revokes while the intent is written lets nothing begin", async () => {
		const { inner, store, meanwhile } = storeWithSomebodyElse();
		const { scene, paid, run, grant } = payStage({ store });
		await grant({ scope: "principal" });
		const elsewhere = scene.again({ store: inner }).harness.governance;
		const [given] = (await elsewhere.standing()).grants;
		meanwhile(() => elsewhere.revoke(given?.id ?? ""));
		const result = await run({ amount: 5 });
		expect(paid).toHaveLength(1);
		expect(ofType(await scene.events(result.run), "call.finished")).toMatchObject([
			{ outcome: { denied: expect.stringContaining("revoked") } },
		]);
	});

	test("of one person does not answer two asks for different roles", async () => {
		const rolesOf = () => ["manager", "finance"];
		const budgets = [{ name: "few", counts: "calls", max: 1, over: { roles: ["finance"] } }] as const;
		const { run, grant } = payStage({ ask: { roles: ["manager"] }, harness: { rolesOf, budgets } });
		await grant({ scope: "principal", answers: ["limit"] });
		expect(await run({ amount: 5 })).toMatchObject({ status: "waiting" });
	});

	test("is used no more often than is needed", async () => {
		const { scene, run, grant } = payStage();
		await grant({ scope: "principal", usesMax: 1 });
		await grant({ scope: "principal", usesMax: 1 }, { amount: 6 });
		const second = await run({ amount: 7 });
		const { approval } = onlyWait(second, "approval");
		const args = { amount: { max: 9 } };
		await scene.harness.approve(approval, { by: bob, always: { scope: "principal", args, usesMax: 1 } });
		await scene.harness.resume(second.run);
		expect(await run({ amount: 5 })).toMatchObject({ status: "completed" });
		expect(await run({ amount: 6 })).toMatchObject({ status: "completed" });
		expect(await run({ amount: 7 })).toMatchObject({ status: "completed" });
		expect(await run({ amount: 7 })).toMatchObject({ status: "waiting" });
	});

	test("that is used up stays so when a clock comes back", async () => {
		const { scene, run, grant } = payStage();
		await grant({ scope: "principal", usesMax: 1, expiresInMs: dayMs });
		expect(await run({ amount: 5 })).toMatchObject({ status: "completed" });
		// Another process, whose clock is a day ahead, gives a grant of its own and uses it.
		const { clock } = scene;
		const ahead = scene.again({ harness: { clock: { ...clock, now: () => clock.now() + dayMs + 1 } } });
		for (const _ of [1, 2]) {
			const later = await ahead.harness.run(ahead.agent, '{"amount":6}', { principal: "ann" });
			if (later.status !== "waiting") continue;
			const { approval } = onlyWait(later, "approval");
			await ahead.harness.approve(approval, { by: bob, always: { scope: "principal", usesMax: 3 } });
			await ahead.harness.resume(later.run);
		}
		expect(await run({ amount: 5 })).toMatchObject({ status: "waiting" });
	});

	test("in a session holds there and nowhere else", async () => {
		const { scene, run } = payStage();
		const session = scene.harness.session("s1", scene.agent);
		const text = JSON.stringify({ amount: 5 });
		const first = await session.send(text, { principal: "ann" });
		await scene.harness.approve(onlyWait(first, "approval").approval, { by: bob, always: { scope: "session" } });
		await scene.harness.resume(first.run);
		expect(await session.send(text, { principal: "ann" })).toMatchObject({ status: "completed" });
		expect(await run({ amount: 5 })).toMatchObject({ status: "waiting" });
	});

	test("for an agent holds whoever that agent works for, and for no other agent, tenant or arguments", async () => {
		const { scene, paid, run, grant } = payStage();
		await grant({ scope: "agent" });
		const [given] = (await scene.harness.governance.standing()).grants;
		expect(given?.scope).toEqual({ agent: "tester" });
		expect(await run({ amount: 5 }, "eve")).toMatchObject({ status: "completed" });
		expect(await scene.harness.session("s1", scene.agent).send('{"amount":5}')).toMatchObject({ status: "completed" });
		expect(paid).toHaveLength(3);
		expect(await run({ amount: 6 }, "eve")).toMatchObject({ status: "waiting" });
		expect(await scene.harness.run(scene.agent, '{"amount":5}', { tenant: "acme" })).toMatchObject({
			status: "waiting",
		});
		const other = scene.again({ agent: { name: "other" } });
		expect(await other.harness.run(other.agent, '{"amount":5}', { principal: "ann" })).toMatchObject({
			status: "waiting",
		});
		expect(paid).toHaveLength(3);
	});

	test("for an agent stays within the tenant of the call with which it was given", async () => {
		const { scene } = payStage();
		const pay = (tenant: string, principal: string) =>
			scene.harness.run(scene.agent, '{"amount":5}', { tenant, principal });
		const first = await pay("acme", "ann");
		await scene.harness.approve(onlyWait(first, "approval").approval, { by: bob, always: { scope: "agent" } });
		await scene.harness.resume(first.run);
		expect(await pay("acme", "eve")).toMatchObject({ status: "completed" });
		expect(await pay("other", "ann")).toMatchObject({ status: "waiting" });
		expect(await scene.harness.run(scene.agent, '{"amount":5}')).toMatchObject({ status: "waiting" });
	});

	test("for an agent is no second pair of eyes where that agent works for its giver", async () => {
		const { run, grant } = payStage({ ask: { fourEyes: true } });
		await grant({ scope: "agent" });
		expect(await run({ amount: 5 }, "eve")).toMatchObject({ status: "completed" });
		expect(await run({ amount: 5 }, "bob")).toMatchObject({ status: "waiting" });
	});

	test.each<[string, GrantTerms, string]>([
		["no session", { scope: "session" }, "no session"],
		[
			"a field that does not cover what is shown",
			{ scope: "principal", args: { amount: { max: 4 } } },
			"does not cover",
		],
		["a wish that is no range", { scope: "principal", args: { amount: { most: 4 } as never } }, "is not"],
		["an expiry past 90 days", { scope: "principal", expiresInMs: 91 * dayMs }, "90 days"],
		["no uses", { scope: "principal", usesMax: 0 }, "uses"],
		["an unknown scope", { scope: "world" as never }, "scope"],
	])("with %s is refused at the door, and nothing is granted", async (_, always, why) => {
		const { scene, run } = payStage();
		const { approval } = onlyWait(await run({ amount: 5 }), "approval");
		await expect(scene.harness.approve(approval, { by: bob, always })).rejects.toMatchObject({
			code: "grant.invalid",
			message: expect.stringContaining(why),
		});
		expect((await scene.harness.governance.standing()).grants).toEqual([]);
	});

	test("with a denial is worth nothing", async () => {
		const { scene, run } = payStage();
		const result = await run({ amount: 5 });
		const { approval } = onlyWait(result, "approval");
		await scene.harness.approve(approval, { by: bob, always: { scope: "principal" } });
		await scene.harness.deny(approval, { by: ann });
		await scene.harness.resume(result.run);
		expect((await scene.harness.governance.standing()).grants).toEqual([]);
	});

	test("is given once, whenever the process that gives it dies", async () => {
		let commits = 3;
		for (let at = 1; at <= commits; at++) {
			for (const when of ["before", "after"] as const) {
				const inner = memoryStore();
				const { scene, run } = payStage({ store: inner });
				const result = await run({ amount: 5 });
				await scene.harness.approve(onlyWait(result, "approval").approval, { by: bob, always: { scope: "principal" } });
				const dying = crashingStore(inner, { at, when });
				const { harness } = scene.again({ store: dying });
				await harness.resume(result.run).catch(() => undefined);
				commits = Math.max(commits, dying.commits);
				scene.clock.advance(60_000);
				expect(await scene.again().harness.resume(result.run)).toMatchObject({ status: "completed" });
				const given = ofType(await scene.events(result.run), "grant.given");
				expect(given, `commit ${at}, ${when}`).toHaveLength(1);
				expect((await scene.harness.governance.standing()).grants).toMatchObject([{ id: given[0]?.grant }]);
			}
		}
	});

	test("of each of two givers is given once, whenever the process that gives them dies", async () => {
		let commits = 3;
		for (let at = 1; at <= commits; at++) {
			for (const when of ["before", "after"] as const) {
				const inner = memoryStore();
				const { scene, run } = payStage({ store: inner, ask: { count: 2 } });
				const result = await run({ amount: 5 }, "eve");
				const { approval } = onlyWait(result, "approval");
				for (const by of [ann, bob]) await scene.harness.approve(approval, { by, always: { scope: "principal" } });
				const dying = crashingStore(inner, { at, when });
				const { harness } = scene.again({ store: dying });
				await harness.resume(result.run).catch(() => undefined);
				commits = Math.max(commits, dying.commits);
				scene.clock.advance(60_000);
				expect(await scene.again().harness.resume(result.run)).toMatchObject({ status: "completed" });
				const givers = (await scene.harness.governance.standing()).grants.map(({ by }) => by[0]?.id);
				expect(givers.sort(), `commit ${at}, ${when}`).toEqual(["ann", "bob"]);
				expect(ofType(await scene.events(result.run), "grant.given")).toHaveLength(2);
			}
		}
	});

	test("is not given for a tool that changed after the answer was read and before it was given", async () => {
		const inner = memoryStore();
		const { scene, paid, run } = payStage({ store: inner });
		const result = await run({ amount: 5 });
		await scene.harness.approve(onlyWait(result, "approval").approval, { by: bob, always: { scope: "principal" } });
		// The answer is in the journal, and what was granted with it is nowhere yet.
		const dying = crashingStore(inner, { at: 1, when: "after" });
		await scene
			.again({ store: dying })
			.harness.resume(result.run)
			.catch(() => undefined);
		expect(ofType(await scene.events(result.run), "approval.resolved")).toHaveLength(1);
		expect((await scene.harness.governance.standing()).grants).toEqual([]);
		scene.clock.advance(60_000);
		const [tool] = scene.agent.tools;
		const changed = scene.again({ agent: { tools: [{ ...(tool as NonNullable<typeof tool>), version: "other" }] } });
		expect(await changed.harness.resume(result.run)).toMatchObject({ status: "waiting" });
		expect((await scene.harness.governance.standing()).grants).toEqual([]);
		expect(paid).toEqual([]);
	});

	test("is given once where its answer is carried over to a new question", async () => {
		// Who has answered is told that it takes one more.
		const policy: Policy = {
			version: "p1",
			decide: ({ approvedBy }) => ({ verdict: "ask", reason: "money", ask: { count: approvedBy.length > 0 ? 2 : 1 } }),
		};
		const { scene, run } = payStage({ policy });
		const result = await run({ amount: 5 }, "eve");
		await scene.harness.approve(onlyWait(result, "approval").approval, { by: bob, always: { scope: "principal" } });
		const again = onlyWait(await scene.harness.resume(result.run), "approval");
		await scene.harness.approve(again.approval, { by: ann });
		expect(await scene.harness.resume(result.run)).toMatchObject({ status: "completed" });
		const events = await scene.events(result.run);
		expect(ofType(events, "approval.requested").at(-1)).toMatchObject({ carries: ["bob"] });
		expect(ofType(events, "grant.given")).toHaveLength(1);
		expect((await scene.harness.governance.standing()).grants).toHaveLength(1);
	});
});

describe("the document of grants and switches", () => {
	const changed = (store: Store, change: (body: string) => string): Store => ({
		...store,
		document: async (name, known) => {
			const found = await store.document(name, known);
			return typeof found === "object" ? { ...found, body: change(found.body) } : found;
		},
	});

	test("that was changed stops every run before anything is done", async () => {
		const { scene, grant } = payStage();
		await grant({ scope: "principal" });
		const store = changed(scene.store, (body) => body.replace('"is":5', '"is":9'));
		const { harness, agent } = scene.again({ store });
		await expect(harness.run(agent, "{}")).rejects.toMatchObject({ code: "journal.tampered" });
	});

	test("that is brought back in an older form is noticed by who knew a newer one", async () => {
		const { scene, run, grant } = payStage();
		await grant({ scope: "principal" });
		const old = await scene.store.document("standing");
		await scene.harness.governance.revoke((await scene.harness.governance.standing()).grants[0]?.id ?? "");
		expect(await run({ amount: 5 })).toMatchObject({ status: "waiting" });
		const { document } = scene.store;
		Object.assign(scene.store, { document: async () => old });
		await expect(scene.harness.governance.standing()).rejects.toMatchObject({ code: "journal.tampered" });
		Object.assign(scene.store, { document });
	});

	test("takes changes of several processes at once, and loses none", async () => {
		const { scene } = payStage();
		const others = Array.from({ length: 8 }, () => scene.again().harness);
		await Promise.all(
			others.map((harness, i) =>
				harness.governance.switchOff({ of: "tool", name: `tool-${i}`, reason: "test", by: "ann" }),
			),
		);
		expect((await scene.harness.governance.standing()).switches.map(({ name }) => name).sort()).toEqual(
			others.map((_, i) => `tool-${i}`),
		);
		expect((await scene.store.document("standing")) as object).toMatchObject({ rev: 8 });
		expect(await scene.store.load(noRun)).toBeUndefined();
	});
});

describe("a kill switch", () => {
	const allow: Policy = { version: "p", decide: () => ({ verdict: "allow" }) };

	test.each([
		["the tool", { of: "tool", name: "pay" }],
		["the agent", { of: "agent", name: "tester" }],
		["everything", { of: "all" }],
	] as const)("of %s denies the next decision, and no more after it was switched on again", async (_, which) => {
		const { scene, paid, run } = payStage({ policy: allow });
		await scene.again().harness.governance.switchOff({ ...which, reason: "it pays twice", by: "kim" });
		const result = await run({ amount: 5 });
		expect(ofType(await scene.events(result.run), "call.decided")).toMatchObject([
			{ verdict: "deny", reason: expect.stringMatching(/switched off by kim: it pays twice/) },
		]);
		expect(paid).toEqual([]);
		await scene.again().harness.governance.switchOn(which);
		await run({ amount: 5 });
		expect(paid).toHaveLength(1);
	});

	test("of another tool, agent or tenant denies nothing", async () => {
		const { scene, paid, run } = payStage({ policy: allow });
		for (const of of ["tool", "agent", "tenant"] as const)
			await scene.harness.governance.switchOff({ of, name: "x", reason: "r" });
		await run({ amount: 5 });
		expect(paid).toHaveLength(1);
	});

	test("of a tenant denies where a run works for that tenant", async () => {
		const { scene, paid } = payStage({ policy: allow });
		await scene.harness.governance.switchOff({ of: "tenant", name: "acme", reason: "r" });
		const text = JSON.stringify({ amount: 5 });
		await scene.harness.run(scene.agent, text, { tenant: "acme" });
		expect(paid).toEqual([]);
		await scene.harness.run(scene.agent, text, { tenant: "other" });
		expect(paid).toHaveLength(1);
	});

	test("denies a held call that was approved before it was thrown", async () => {
		const { scene, paid, run } = payStage();
		const result = await run({ amount: 5 });
		await scene.harness.approve(onlyWait(result, "approval").approval, { by: bob });
		await scene.again().harness.governance.switchOff({ of: "tool", name: "pay", reason: "r" });
		expect(await scene.harness.resume(result.run)).toMatchObject({ status: "completed" });
		expect(paid).toEqual([]);
	});

	test("that another process throws while the intents are written is heard before anything begins", async () => {
		const { inner, store, meanwhile } = storeWithSomebodyElse();
		const { scene, paid } = payStage({
			policy: allow,
			store,
			story: [calls([1, 2].map((amount) => ({ tool: "pay", args: { amount } }))), say("done")],
		});
		const elsewhere = scene.again({ store: inner }).harness.governance;
		meanwhile(() => elsewhere.switchOff({ of: "tool", name: "pay", reason: "stop", by: "kim" }));
		const result = await scene.harness.run(scene.agent, "go");
		expect(paid).toEqual([]);
		const outcomes = ofType(await scene.events(result.run), "call.finished").map(({ outcome }) => outcome);
		expect(outcomes).toMatchObject([{ denied: /stop/ }, { denied: /stop/ }].map(() => ({ by: "policy" })));
	});

	test.each([[{ of: "all", name: "x" }], [{ of: "tool" }], [{ of: "world", name: "x" }]])(
		"of %j is refused",
		async (which) => {
			const { scene } = payStage();
			await expect(scene.harness.governance.switchOff({ ...which, reason: "r" } as never)).rejects.toMatchObject({
				code: "config.invalid",
			});
		},
	);
});
