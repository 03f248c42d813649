import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
	type Approver,
	type Ask,
	createHarness,
	defineAgent,
	defineTool,
	type HarnessOptions,
	joinDecisions,
	jsonSchema,
	memoryStore,
	type Policy,
	type PolicyRequest,
	type RunEvent,
} from "holdpoint";
import { cedarPolicy } from "holdpoint/policies/cedar";
import { bypassSuite, call, fakeClock, program, say, scriptedModel } from "holdpoint/testing";
import { afterAll, describe, expect, test } from "vitest";
import { sandboxUnderTest } from "../packages/holdpoint/src/testing/sandbox-under-test.ts";

/** Cedar as the policy of whole runs. */

const sandbox = sandboxUnderTest();
const root = mkdtempSync(join(tmpdir(), "holdpoint-cedar-runs-"));
afterAll(async () => {
	await sandbox.close();
	rmSync(root, { recursive: true, force: true });
});
const keys = [{ id: "k1", secret: new Uint8Array(32).fill(7) }];

const shop = `
@id("refunds") permit(principal == H::Agent::"support", action == H::Action::"call:refund_order", resource);
@id("over-100-needs-manager") @approval("manager")
forbid(principal, action == H::Action::"call:refund_order", resource)
when { context.args.amountCents > 10000 } unless { context.approvals.contains(H::Role::"manager") };
@id("programs-stay-small")
forbid(principal, action == H::Action::"call:refund_order", resource)
when { context.provenance.via == "program" && context.args.amountCents > 50000 };
`;

function scene(story: Parameters<typeof scriptedModel>[0], options: HarnessOptions & { programs?: boolean } = {}) {
	const refunded: number[] = [];
	const refund = defineTool({
		name: "refund_order",
		description: "Refunds an order.",
		input: jsonSchema<{ amountCents: number }>({
			type: "object",
			properties: { amountCents: { type: "integer" } },
			required: ["amountCents"],
		}),
		execute: ({ amountCents }) => refunded.push(amountCents),
	});
	const { programs = false, ...rest } = options;
	const model = scriptedModel(story, { countTokens: false });
	const agent = defineAgent({ name: "support", instructions: "Refund.", model, tools: [refund], programs });
	const harness = createHarness({
		store: memoryStore(),
		keys,
		sandbox: programs ? sandbox : "off",
		policy: cedarPolicy({ text: shop }),
		rolesOf: ({ id }) => (id === "kim" ? ["manager"] : []),
		...rest,
	});
	const events = async (run: string): Promise<RunEvent[]> => (await harness.show(run)).events.map(({ event }) => event);
	return { harness, agent, refunded, refund, events };
}
const refundOf = (amountCents: number) => [call("refund_order", { amountCents }), say("done")] as const;

async function onlyApproval(harness: ReturnType<typeof createHarness>): Promise<string> {
	const [held] = await harness.approvals();
	if (!held) throw new Error("nothing is held");
	return held.approval;
}

describe("a run", () => {
	test("goes through where it is permitted, and has the policy's version", async () => {
		const policy = cedarPolicy({ text: shop });
		const { harness, agent, refunded, events } = scene(refundOf(5_000), { policy });
		const result = await harness.run(agent, "refund");
		expect(result.status).toBe("completed");
		expect(refunded).toEqual([5_000]);
		const decided = (await events(result.run)).find((event) => event.type === "call.decided");
		expect(decided).toMatchObject({ verdict: "allow", policy: policy.version });
		expect(policy.version).toMatch(/^cedar:/);
	});

	test("is held for a role once most of a budget is spent, and runs within what is left", async () => {
		const day = 'context.budgets["refund-per-day"]';
		const text = `${shop}
			@id("most-is-spent") @approval("manager") forbid(principal, action == H::Action::"call:refund_order", resource)
			when { (${day}.spent + ${day}.held) * 10 >= ${day}.max * 8 } unless { context.approvals.contains(H::Role::"manager") };`;
		const { harness, agent, refunded } = scene(
			({ lastUser, results }) =>
				results.length > 0 ? say("done") : call("refund_order", { amountCents: Number(lastUser) }),
			{
				policy: cedarPolicy({ text }),
				budgets: [
					{
						name: "refund-per-day",
						per: "principal",
						window: "day",
						counts: { tool: "refund_order", sum: "amountCents" },
						max: 20_000,
					},
				],
				clock: fakeClock(),
			},
		);
		const run = (cents: number, principal = "ann") => harness.run(agent, String(cents), { principal });
		expect(await run(9_000)).toMatchObject({ status: "completed" });
		expect(await run(7_000)).toMatchObject({ status: "completed" });
		const held = await run(1_000);
		expect(held).toMatchObject({ status: "waiting", waits: [{ ask: { roles: ["manager"] } }] });
		expect(await run(1_000, "bob")).toMatchObject({ status: "completed" });
		await harness.approve(await onlyApproval(harness), { by: { id: "kim", via: "test" } });
		expect(await harness.resume(held.run)).toMatchObject({ status: "completed" });
		expect(refunded).toEqual([9_000, 7_000, 1_000, 1_000]);
	});

	test("with a policy that speaks of labels where none are kept, it does not start, and says how they are", async () => {
		const text = `${shop} @id("read") forbid(principal, action, resource) when { context.label.untrusted };`;
		const { harness, agent } = scene(refundOf(5_000), { policy: cedarPolicy({ text }) });
		await expect(harness.run(agent, "go")).rejects.toMatchObject({
			code: "policy.invalid",
			message: expect.stringContaining("createHarness({ labels: true })"),
		});
		const labelled = scene(refundOf(5_000), { policy: cedarPolicy({ text }), labels: true });
		expect(await labelled.harness.run(labelled.agent, "go")).toMatchObject({ status: "completed" });
	});

	test("with a policy that speaks of a budget that there is not, it does not start", async () => {
		const text = 'permit(principal, action, resource) when { context.budgets["refund-per-day"].spent < 5 };';
		const { harness, agent } = scene(refundOf(5_000), { policy: cedarPolicy({ text }) });
		await expect(harness.run(agent, "go")).rejects.toMatchObject({
			code: "policy.invalid",
			message: expect.stringContaining("refund-per-day"),
		});
	});

	test("is held for a role, which only somebody who has it fills, and runs once", async () => {
		const { harness, agent, refunded } = scene(refundOf(15_000));
		const held = await harness.run(agent, "refund");
		expect(held.status).toBe("waiting");
		const approval = await onlyApproval(harness);
		await harness.approve(approval, { by: { id: "lee", via: "test" } }).catch(() => undefined);
		expect((await harness.resume(held.run)).status).toBe("waiting");
		expect(refunded).toEqual([]);
		await harness.approve(await onlyApproval(harness), { by: { id: "kim", via: "test" } });
		expect((await harness.resume(held.run)).status).toBe("completed");
		expect((await harness.resume(held.run)).status).toBe("completed");
		expect(refunded).toEqual([15_000]);
	});

	test("I5: held under one policy and approved, it is decided by today's when it is to run", async () => {
		const folder = mkdtempSync(join(root, "today-"));
		const write = (text: string) => writeFileSync(join(folder, "shop.cedar"), text);
		write(shop);
		const clock = fakeClock();
		const policy = cedarPolicy({ folder, clock });
		const { harness, agent, refunded, events } = scene(refundOf(15_000), { policy, clock });
		const held = await harness.run(agent, "refund");
		const before = policy.version;
		await harness.approve(await onlyApproval(harness), { by: { id: "kim", via: "test" } });
		write(`${shop}\n@id("stopped") forbid(principal, action == H::Action::"call:refund_order", resource);`);
		clock.advance(1_000);
		expect((await harness.resume(held.run)).status).toBe("completed");
		expect(refunded).toEqual([]);
		const decisions = (await events(held.run)).filter((event) => event.type === "call.decided");
		expect(decisions).toMatchObject([
			{ verdict: "ask", policy: before },
			{ verdict: "deny", policy: policy.version, reason: "Forbidden by stopped" },
		]);
		expect(policy.version).not.toBe(before);
	});

	test("in a program: the program call, its calls and where they come from are decided", async () => {
		const source = `const big = await tools.refund_order({ amountCents: 60000 }).catch((error) => error.name);
			await tools.refund_order({ amountCents: 20000 }); return big;`;
		const { harness, agent, refunded } = scene([program(source), say((ask) => JSON.stringify(ask.results))], {
			programs: true,
		});
		const held = await harness.run(agent, "refund");
		expect(held.status).toBe("waiting");
		await harness.approve(await onlyApproval(harness), { by: { id: "kim", via: "test" } });
		const result = await harness.resume(held.run);
		expect(result.text).toContain("ToolDenied");
		expect(refunded).toEqual([20_000]);
	});

	test("no program where a policy forbids them", async () => {
		const policy = cedarPolicy({
			text: `${shop} @id("no-code") forbid(principal, action == H::Action::"call:execute_code", resource);`,
		});
		const story = [
			program("return await tools.refund_order({ amountCents: 1 });"),
			say((ask) => JSON.stringify(ask.results)),
		] as const;
		const { harness, agent, refunded } = scene(story, { programs: true, policy });
		expect((await harness.run(agent, "refund")).text).toContain("Forbidden by no-code");
		expect(refunded).toEqual([]);
	});
});

describe("the harness does not start", () => {
	const typo = shop.replace("amountCents > 10000", "amountCent > 10000");

	test("with a policy that does not fit its tools, and nothing is stored", async () => {
		const { harness, agent, refunded } = scene(refundOf(5_000), { policy: cedarPolicy({ text: typo }) });
		const refused = {
			code: "policy.invalid",
			message: expect.stringMatching(/policy:5:\d+ \(over-100-needs-manager\)/),
		};
		await expect(harness.run(agent, "refund")).rejects.toMatchObject(refused);
		await expect(harness.run(agent, "refund")).rejects.toMatchObject(refused);
		await expect(harness.session("s", agent).send("refund")).rejects.toMatchObject(refused);
		expect(await harness.runs()).toEqual([]);
		expect(refunded).toEqual([]);
	});

	test("for an agent that does not fit it; those before it go on", async () => {
		const { harness, agent, refunded } = scene(() => refundOf(5_000)[refunded.length] ?? say("done"));
		expect((await harness.run(agent, "refund")).status).toBe("completed");
		const input = jsonSchema({ type: "object", properties: { amountCents: { type: "number" } } });
		const tool = defineTool({ name: "refund_order", description: "Another.", input, execute: () => null });
		const other = defineAgent({ name: "other", instructions: "x", tools: [tool] });
		await expect(harness.run(other, "refund")).rejects.toMatchObject({ code: "policy.invalid" });
		expect((await harness.run(agent, "refund")).status).toBe("completed");
	});

	test("but a run that waits can be cancelled", async () => {
		const store = memoryStore();
		const { harness, agent } = scene(refundOf(15_000), { store });
		const held = await harness.run(agent, "refund");
		const broken = createHarness({ store, keys, agents: [agent], sandbox: "off", policy: cedarPolicy({ text: typo }) });
		await expect(broken.resume(held.run)).rejects.toMatchObject({ code: "policy.invalid" });
		expect(await broken.cancel(held.run)).toMatchObject({ status: "cancelled" });
	});

	test("agents that come at the same time are all governed", async () => {
		const { harness, agent, refund } = scene(() => say("done"));
		const agents = ["a", "b", "c"].map((name) =>
			defineAgent({ name, instructions: "x", tools: [refund], model: agent.model! }),
		);
		const results = await Promise.all([agent, ...agents].map((one) => harness.run(one, "go")));
		expect(results.map(({ status }) => status)).toEqual(Array(4).fill("completed"));
	});
});

test("joined with other policies, it is told of the tools by whoever joins it", async () => {
	const cedar = cedarPolicy({ text: shop });
	const policy = {
		version: "joined",
		ready: cedar.ready.bind(cedar),
		decide: (request: PolicyRequest) => joinDecisions([cedar.decide(request), { verdict: "ask", reason: "always" }]),
	};
	const { harness, agent, refunded } = scene(refundOf(5_000), { policy });
	expect((await harness.run(agent, "refund")).status).toBe("waiting");
	expect(refunded).toEqual([]);
});

test("what is recorded is the version that decided, also where another one has come until it is written", async () => {
	let version = "first";
	const store = new Proxy(memoryStore(), {
		get(target, name) {
			const member = Reflect.get(target, name) as unknown;
			if (typeof member !== "function") return member;
			return (...args: unknown[]) => {
				// Whatever the store is asked after the decision, the policy was reloaded by then.
				if (version === "deciding") version = "second";
				return Reflect.apply(member, target, args) as unknown;
			};
		},
	});
	const policy = {
		get version() {
			return version;
		},
		decide() {
			version = "deciding";
			return { verdict: "ask", reason: "money" } as const;
		},
	};
	const { harness, agent, events, refunded } = scene((_, n) => refundOf(5_000)[n % 2] as never, { policy, store });
	const held = await harness.run(agent, "refund");
	const always = { scope: "principal", usesMax: 9 } as const;
	await harness.approve(await onlyApproval(harness), { by: { id: "kim", via: "test" }, always });
	await harness.resume(held.run);
	// A use of the grant is reserved between the decision and its record.
	const { run } = await harness.run(agent, "refund");
	expect(refunded).toHaveLength(2);
	const decided = (await events(run)).find((event) => event.type === "call.decided");
	expect(decided).toMatchObject({ verdict: "allow", policy: "deciding" });
	expect(version).toBe("second");
});

describe("I4 I5: no door leads around a Cedar policy", () => {
	const open = 'permit(principal, action, resource) unless { ["danger", "gate"].contains(context.tool.name) };';
	const ask = (tool: string, { roles: [role = "boss"] = [], count = 1 }: Ask = {}) =>
		`permit(principal, action == H::Action::"call:${tool}", resource);
		@approval("${role}") @count("${count}")
		forbid(principal, action == H::Action::"call:${tool}", resource) unless { context.approvals.contains(H::Role::"${role}") };`;
	const texts = {
		allow: 'permit(principal, action == H::Action::"call:danger", resource);',
		deny: "",
		// It permits, and then fails: what Cedar skips counts here.
		broken: `permit(principal, action == H::Action::"call:danger", resource);
			forbid(principal, action == H::Action::"call:danger", resource) when { 9223372036854775807 + 1 > 0 };`,
	};

	/** What the suite's own policy says of the tool, as Cedar. */
	function inCedar({ policy }: HarnessOptions): string {
		if (typeof policy !== "function") throw new Error("the suite has a function");
		try {
			const decision = policy({ tool: { name: "danger" } } as PolicyRequest);
			if (!("verdict" in decision)) return texts.broken;
			return decision.verdict === "ask" ? ask("danger", decision.ask) : texts[decision.verdict];
		} catch {
			return texts.broken;
		}
	}

	for (const { name, run } of bypassSuite({ sandbox })) {
		test(name, () => {
			const store = memoryStore();
			let policy: Policy | undefined;
			return run((options) => {
				// Compiled once in a case: what each of its processes would make of the text is the same.
				policy ??= cedarPolicy({
					text: `${open}\n${ask("gate")}\n${inCedar(options)}`,
					roles: ["boss", "manager"],
				});
				// A question of the suite that names no role is one for the boss here, and everybody is one.
				const rolesOf = (person: Approver) => ["boss", ...(options.rolesOf?.(person) ?? [])];
				return createHarness({ ...options, policy, store, keys, rolesOf });
			});
		});
	}
});
