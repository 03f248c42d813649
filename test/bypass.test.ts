import { AssertionError } from "node:assert";
import {
	type ApproveOptions,
	createHarness,
	defineAgent,
	defineTool,
	type HarnessOptions,
	jsonSchema,
	memoryStore,
} from "holdpoint";
import {
	type BypassDoor,
	bypassDoors,
	bypassSuite,
	call,
	type MakeHarness,
	say,
	scriptedModel,
} from "holdpoint/testing";
import { afterAll, describe, expect, test } from "vitest";
import { systemClock } from "../packages/holdpoint/src/kit/clock.ts";
import { sandboxUnderTest } from "../packages/holdpoint/src/testing/sandbox-under-test.ts";

/** No door leads around the policy. The suite is published; here it is run, and it is shown that it can fail. */

const sandbox = sandboxUnderTest();
afterAll(() => sandbox.close());

describe("I4 I5: through every door a denied or held tool never runs unasked", () => {
	for (const { name, run } of bypassSuite({ sandbox })) {
		test(name, () => run(sound()));
	}
});

describe("the suite itself", () => {
	const plain = bypassSuite();

	test("leaves out the doors of programs where there is no sandbox for them", () => {
		expect(plain.length).toBeGreaterThan(20);
		expect(bypassSuite({ sandbox }).length).toBeGreaterThan(plain.length + 30);
		expect(plain.some(({ name }) => name.includes("program"))).toBe(false);
	});

	test("answers the row of a rehearsal where that is the door: nobody is asked about the call itself", async () => {
		const name = "foreseen in a rehearsal and answered there: asked and approved, it runs once";
		const make = sound();
		await bypassSuite({ sandbox })
			.find((one) => one.name === name)
			?.run(make);
		const { events } = await (await make({})).show("bypass");
		const kinds = events.map(({ event }) => event.type);
		expect(kinds.filter((type) => type === "approval.requested")).toHaveLength(1);
		expect(events.filter(({ event }) => event.type === "call.started" && event.row === 1)).toHaveLength(1);
	});

	test("takes doors of others, and leads through them as through its own", async () => {
		const own: BypassDoor = {
			name: "called by the second agent",
			play: (scene) => {
				const story = [call("peek"), call("danger", { n: 1 }), say("I have tried.")];
				const second = { ...scene.agent(story), name: "second" };
				return scene.enter([second, scene.agent([])]);
			},
		};
		const cases = bypassSuite({ doors: [own] });
		expect(cases.length).toBe(plain.length / bypassDoors.filter(({ programs }) => !programs).length);
		for (const { run } of cases) await run(sound());
	});

	test.each<[string, RegExp, Leak]>([
		[
			"allows everything",
			/never runs/,
			{ options: { policy: () => ({ verdict: "allow" }), budgets: [], labels: false }, deaf: true },
		],
		["denies everything", /runs once/, { options: { policy: () => ({ verdict: "deny", reason: "no" }) } }],
		["counts nothing", /budget/, { options: { budgets: [] } }],
		["keeps no labels", /stranger's words/, { options: { labels: false } }],
		["hears of no kill switch and no revocation", /switched off|revoked/, { deaf: true }],
		["knows no time", /expired|in time/, { options: { clock: systemClock } }],
		["lets grants be used for ever", /used up, it never runs$/, { endless: true }],
		["gives nobody up", /lost the role/, { options: { rolesOf: () => ["manager"] } }],
	])("fails at every door where a harness %s", async (_, guarded, leak) => {
		const cases = bypassSuite({ sandbox }).filter(({ name }) => guarded.test(name) && !name.includes("even where"));
		expect(cases.length).toBeGreaterThanOrEqual(10);
		const passed: string[] = [];
		for (const { name, run } of cases) {
			const isOpen = await run(leaking(leak)).then(
				() => false,
				(error: unknown) => error instanceof AssertionError,
			);
			if (!isOpen) passed.push(name);
		}
		expect(passed).toEqual([]);
	});
});

interface Leak {
	readonly options?: HarnessOptions;
	/** Nobody switches anything off there, or takes anything back. */
	readonly deaf?: true;
	/** A number of uses is forgotten. */
	readonly endless?: true;
}

function sound(): MakeHarness {
	const store = memoryStore();
	return (options) => createHarness({ ...options, store, keys: [key] });
}

function leaking({ options: leak = {}, deaf, endless }: Leak): MakeHarness {
	const make = sound();
	return async (options) => {
		const harness = await make({ ...options, ...leak });
		const { governance } = harness;
		const approve = harness.approve.bind(harness);
		if (deaf) Object.assign(governance, { switchOff: async () => {}, revoke: async () => {} });
		if (!endless) return harness;
		return Object.assign(harness, {
			approve: (id: string, { always, ...rest }: ApproveOptions = {}) => {
				const { usesMax: _, ...terms } = always ?? { scope: "principal" };
				return approve(id, always ? { ...rest, always: terms } : rest);
			},
		});
	};
}

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
