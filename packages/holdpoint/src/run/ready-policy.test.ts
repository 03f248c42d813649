import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { Policy } from "../spec/policy.ts";
import { scriptedModel } from "../testing/scripted-model.ts";
import { onlyWait, type StageOptions, stage } from "../testing/stage.ts";
import { call, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";

import { defineAgent } from "./define-agent.ts";

/** A policy that takes its time, and does not take agents of these names. */
function choosy(...refused: string[]) {
	const shown: string[][] = [];
	const policy: Policy = {
		version: "choosy",
		decide: ({ tool }) => (tool.effect === "read" ? { verdict: "allow" } : { verdict: "ask", reason: "all" }),
		ready: async (agents) => {
			const names = agents.map(({ name }) => name);
			shown.push(names);
			await new Promise(setImmediate);
			const bad = names.find((name) => refused.includes(name));
			if (bad) throw new Error(`${bad} is refused`);
		},
	};
	return { policy, shown };
}

function hall(policy: Policy, options: Partial<StageOptions> = {}) {
	const asked: string[] = [];
	const agent = (name: string, instructions = "Be brief.") => {
		const said = () => {
			asked.push(name);
			return say(`said by ${name}`);
		};
		return defineAgent({ name, instructions, model: scriptedModel(said, { countTokens: false }) });
	};
	const scene = stage({ story: [say("done")], ...options, harness: { agents: [], policy, ...options.harness } });
	const run = async (one: ReturnType<typeof agent>) => {
		const [end] = await Promise.allSettled([scene.harness.run(one, "go")]);
		return end?.status === "fulfilled" ? end.value.status : String(end?.reason);
	};
	return { scene, agent, asked, run };
}

describe("a policy that wants to see the agents", () => {
	test("takes each before it runs, and is asked once about the same", async () => {
		const { policy, shown } = choosy();
		const { agent, run } = hall(policy);
		const one = agent("one");
		expect([await run(one), await run(agent("two")), await run(one)]).toEqual(Array(3).fill("completed"));
		expect(shown).toEqual([["one"], ["one", "two"]]);
	});

	test.each([
		["before", ["bad", "good"]],
		["after", ["good", "bad"]],
		["between", ["good", "bad", "fine"]],
	])(
		"keeps one that it does not take from running, also where it is added %s others at the same time",
		async (_, names) => {
			const { agent, asked, run } = hall(choosy("bad").policy);
			const ends = await Promise.all(names.map((name) => run(agent(name))));
			expect(ends).toEqual(names.map((name) => (name === "bad" ? "Error: bad is refused" : "completed")));
			expect(asked).not.toContain("bad");
			expect(await run(agent("bad"))).toBe("Error: bad is refused");
			expect(await run(agent("good"))).toBe("completed");
		},
	);

	test("takes one that was corrected", async () => {
		const refused = ["bad"];
		const { policy } = choosy();
		const picky: Policy = {
			...policy,
			ready: (agents) => {
				if (agents.some(({ name }) => refused.includes(name))) throw new Error("refused");
			},
		};
		const { agent, run } = hall(picky);
		expect(await run(agent("bad"))).toBe("Error: refused");
		refused.pop();
		expect(await run(agent("bad", "Be better."))).toBe("completed");
	});

	test("keeps a run of one that it no longer takes from going on, and not from ending", async () => {
		const pay = defineTool({ name: "pay", description: "Pays.", input: z.object({}), execute: () => "paid" });
		const { scene } = hall(choosy().policy, { story: [call("pay"), say("done")], tools: [pay] });
		const held = await scene.harness.run(scene.agent, "go");
		onlyWait(held, "approval");
		const { policy } = choosy("tester");
		const later = scene.again({ harness: { policy, agents: [scene.agent] } });
		await expect(later.harness.resume(held.run)).rejects.toThrow("tester is refused");
		expect(await later.harness.cancel(held.run)).toMatchObject({ status: "cancelled" });
	});
});
