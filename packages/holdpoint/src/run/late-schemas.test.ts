import { describe, expect, test } from "vitest";
import { z } from "zod";
import { memoryStore } from "../adapters/stores/memory.ts";
import { gate, ofType, onlyWait, type StageOptions, stage } from "../testing/stage.ts";
import { call, json, type StoryStep, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";

/** I8: schemas and layers that answer later have a limit, and keep nobody from stopping the run. */

const asked = { begun: gate<void>() };
const hanging = z.object({}).refine(() => {
	asked.begun.resolve();
	return new Promise<boolean>(() => undefined);
});
const empty = z.object({});
const allow = { policy: () => ({ verdict: "allow" }) as const };
const toolOf = (parts: { input?: typeof empty; output?: typeof empty }) =>
	defineTool({ name: "work", description: "Works.", input: empty, execute: () => ({}), ...parts });
const play = (options: Partial<StageOptions>, story: readonly StoryStep[] = [call("work"), say("done")]) => {
	asked.begun = gate<void>();
	// Looked into after its harness was closed.
	const store = { ...memoryStore(), close: async () => undefined };
	return stage({ story, tools: [toolOf({})], harness: allow, store, ...options });
};
const soon = { validationTimeoutMs: 5 };

describe("what does not answer in time", () => {
	test("makes arguments that cannot be used", async () => {
		const scene = play({ tools: [toolOf({ input: hanging })], limits: soon });
		const { run } = await scene.harness.run(scene.agent, "go");
		const [finished] = ofType(await scene.events(run), "call.finished");
		expect(finished?.outcome).toEqual({
			failed: expect.stringContaining("its schema did not answer within 5 ms"),
			code: "tool.args_invalid",
		});
	});

	test("makes arguments that cannot be used, in a layer that prepares them too", async () => {
		const layer = { name: "slow", prepareCall: () => new Promise<never>(() => undefined) };
		const scene = play({ middleware: [layer], limits: soon });
		const { run } = await scene.harness.run(scene.agent, "go");
		const [finished] = ofType(await scene.events(run), "call.finished");
		expect(finished?.outcome).toEqual({
			failed: expect.stringContaining("the layer slow did not answer within 5 ms"),
			code: "tool.args_invalid",
		});
	});

	test("makes a result that cannot be used, of a call that ran", async () => {
		const scene = play({ tools: [toolOf({ output: hanging })], limits: soon });
		const { run } = await scene.harness.run(scene.agent, "go");
		const [finished] = ofType(await scene.events(run), "call.finished");
		expect(finished?.outcome).toEqual({
			failed: expect.stringContaining("work ran, but"),
			code: "tool.result_invalid",
		});
	});

	test("makes an output that is invalid", async () => {
		const scene = play({ output: hanging, limits: soon }, [json({}), json({})]);
		const result = await scene.harness.run(scene.agent, "go");
		expect(result).toMatchObject({ status: "failed", error: { code: "output.invalid" } });
	});

	test("makes an edit that cannot be used", async () => {
		let hangs = false;
		const input = z.object({}).refine(() => (hangs ? new Promise<boolean>(() => undefined) : true));
		const scene = play({ tools: [toolOf({ input })], harness: {}, limits: soon });
		const wait = onlyWait(await scene.harness.run(scene.agent, "go"), "approval");
		hangs = true;
		const edited = scene.harness.approve(wait.approval, { args: { a: 1 } });
		await expect(edited).rejects.toMatchObject({ code: "approval.invalid" });
	});
});

describe("what hangs", () => {
	const cases: Record<string, () => ReturnType<typeof play>> = {
		"a schema of arguments": () => play({ tools: [toolOf({ input: hanging })] }),
		"a schema of results": () => play({ tools: [toolOf({ output: hanging })] }),
		"a schema of outputs": () => play({ output: hanging }, [json({})]),
		"a layer that prepares arguments": () => {
			const prepareCall = () => {
				asked.begun.resolve();
				return new Promise<never>(() => undefined);
			};
			return play({ middleware: [{ name: "slow", prepareCall }] });
		},
	};

	test.each(Object.keys(cases))(
		"keeps nobody from stopping the run, and leaves no outcome behind: %s",
		async (name) => {
			for (const stop of ["abort", "close"]) {
				const scene = cases[name]?.() ?? play({});
				const controller = new AbortController();
				const outcome = scene.harness.run(scene.agent, "go", { runId: "r", signal: controller.signal }).catch(String);
				await asked.begun.promise;
				if (stop === "abort") controller.abort("enough");
				else await scene.harness.close();
				expect(await outcome).toMatch(/enough|closed/);
				const events = await scene.again().events("r");
				expect(ofType(events, "call.finished")).toEqual([]);
				expect(ofType(events, "output.rejected")).toEqual([]);
			}
		},
	);
});
