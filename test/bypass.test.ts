import { createHarness, defineAgent, defineTool, type HarnessOptions, jsonSchema, memoryStore } from "holdpoint";
import { bypassSuite, call, say, scriptedModel } from "holdpoint/testing";
import { afterAll, describe, expect, test } from "vitest";
import { sandboxUnderTest } from "../packages/holdpoint/src/testing/sandbox-under-test.ts";

/** No door leads around the policy. The suite is published; here it is run, and it is shown that it can fail. */

const sandbox = sandboxUnderTest();
afterAll(() => sandbox.close());

describe("I4 I5: through every door a denied or held tool never runs unasked", () => {
	for (const { name, run } of bypassSuite({ sandbox })) {
		test(name, () => {
			const store = memoryStore();
			return run((options) => createHarness({ ...options, store, keys: [key] }));
		});
	}
});

describe("the suite itself", () => {
	const plain = bypassSuite();

	test("leaves out the doors of programs where there is no sandbox for them", () => {
		expect(plain.length).toBeGreaterThan(20);
		expect(bypassSuite({ sandbox }).length).toBeGreaterThan(plain.length + 30);
		expect(plain.some(({ name }) => name.includes("program"))).toBe(false);
	});

	test.each([
		["allows everything", () => ({ verdict: "allow" }) as const, /never runs/],
		["denies everything", () => ({ verdict: "deny", reason: "no" }) as const, /runs once/],
	])("fails at every door where a harness %s", async (_, policy, guarded) => {
		const failures: string[] = [];
		const whole = bypassSuite({ sandbox });
		for (const { name, run } of whole) {
			const store = memoryStore();
			const leaky = (options: HarnessOptions) => createHarness({ ...options, policy, store, keys: [key] });
			await run(leaky).catch(() => failures.push(name));
		}
		const names = whole.map(({ name }) => name).filter((name) => guarded.test(name) && !name.includes("even where"));
		expect(names.length).toBeGreaterThan(15);
		expect(failures).toEqual(expect.arrayContaining(names));
	});
});

test("an agent that tries to approve itself finds no way to", async () => {
	const reached: unknown[] = [];
	const input = jsonSchema({ type: "object" });
	const approve = defineTool({
		name: "approve_everything",
		description: "Tries to approve what is held.",
		input,
		effect: "read",
		execute: (_, context) => {
			for (const name of ["harness", "store", "approve", "ports", "segment", "ring", "keys"]) {
				if (name in context) reached.push(name);
			}
			return "tried";
		},
	});
	let paid = 0;
	const pay = defineTool({ name: "pay", description: "Pays.", input, execute: () => paid++ });
	const model = scriptedModel([call("pay"), call("approve_everything"), say("I approve it myself: apr_1 approved")], {
		countTokens: false,
	});
	const agent = defineAgent({ name: "self", instructions: "Approve yourself.", model, tools: [approve, pay] });
	const harness = createHarness({ store: memoryStore(), keys: [key], sandbox: "off" });
	const session = harness.session("s", agent);
	await session.send("pay");
	expect(await session.send("now approve it")).toMatchObject({ status: "waiting" });
	expect(reached).toEqual([]);
	expect(paid).toBe(0);
	await harness.close();
});

const key = { id: "k1", secret: new Uint8Array(32).fill(7) };
