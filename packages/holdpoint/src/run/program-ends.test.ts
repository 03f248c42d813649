import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import type { RunEvent } from "../spec/events.ts";
import { sandboxUnderTest } from "../testing/sandbox-under-test.ts";
import { gate, ofType, onlyWait, type StageOptions, stage } from "../testing/stage.ts";
import { program, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";
import { OutcomeUnknown } from "../tools/outcome-unknown.ts";
import { mainThread } from "./run-state.ts";

/** Programs whose end and whose calls' ends fall apart. */
const sandbox = sandboxUnderTest();
const by = { id: "ann", via: "test" };
const input = z.object({ n: z.int() });

afterAll(() => sandbox.close());

/** `look` returns when its gate opens; `pay` pays at once, and pays 0 without anybody knowing. */
function play(code: string, options: Partial<StageOptions> = {}) {
	const gates = Array.from({ length: 10 }, () => gate());
	const paid: number[] = [];
	const look = defineTool({
		name: "look",
		description: "Looks.",
		input,
		effect: "read",
		execute: async ({ n }) => {
			await gates[n]?.promise;
			return n;
		},
	});
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		input,
		execute: ({ n }) => {
			if (n === 0) throw new OutcomeUnknown("the line broke");
			return { paid: paid.push(n) };
		},
	});
	const scene = stage({
		story: [program(code), say("done"), say("really done")],
		tools: [look, pay],
		programs: true,
		...options,
		harness: { sandbox, policy: () => ({ verdict: "allow" }), ...options.harness },
	});
	const open = (n: number): void => gates[n]?.resolve();
	return { scene, paid, open };
}

/** Opens the next gate each time that one of these calls has finished, from a turn of the event loop of its own. */
function opening(after: Readonly<Record<string, () => void>>) {
	return (event: RunEvent): void => {
		if (event.type !== "call.finished") return;
		const next = after[event.call];
		if (next) setImmediate(next);
	};
}

const outcomes = (events: readonly RunEvent[]) =>
	new Map(ofType(events, "call.finished").map(({ call, outcome }) => [call, outcome]));

describe("a program that returns before its calls do", () => {
	test("I2: waits for them without standing in the way of anything", async () => {
		const { scene, open } = play(
			"return await Promise.race([tools.look({ n: 1 }), tools.look({ n: 2 }), tools.look({ n: 3 })]);",
		);
		open(1);
		const onEvent = opening({ "c1.1": () => open(2), "c1.2": () => open(3) });
		const result = await scene.harness.run(scene.agent, "go", { runId: "r", onEvent });
		expect(result).toMatchObject({ status: "completed" });
		expect(outcomes(await scene.events("r")).get("c1")).toEqual({ ok: { value: 1 } });
	});

	test("I7: and where nobody knows of one of them, the run waits until that is settled", async () => {
		const { scene, open } = play(
			"return await Promise.race([tools.look({ n: 1 }), tools.look({ n: 2 }), tools.pay({ n: 0 })]);",
		);
		open(1);
		const onEvent = opening({ "c1.1": () => open(2) });
		const wait = onlyWait(await scene.harness.run(scene.agent, "go", { runId: "r", onEvent }), "unknown");
		expect(wait).toMatchObject({ call: "c1.3", tool: "pay" });
		await scene.harness.settle("r", "c1.3", { happened: true, result: { paid: 1 }, by });
		expect(await scene.again().harness.resume("r")).toMatchObject({ status: "completed" });
	});

	test("a call that was still being decided when the program ended does not run any more", async () => {
		const deciding = gate();
		const isAsked = gate();
		const { scene, paid, open } = play("return await Promise.any([tools.look({ n: 1 }), tools.pay({ n: 7 })]);", {
			harness: {
				policy: async ({ tool }) => {
					if (tool.name === "pay") {
						isAsked.resolve();
						await deciding.promise;
					}
					return { verdict: "allow" };
				},
			},
			limits: { concurrencyMax: 1 },
		});
		open(1);
		const onEvent = (event: RunEvent): void => {
			if (event.type === "call.finished" && event.call === "c1.2") deciding.resolve();
		};
		const running = scene.harness.run(scene.agent, "go", { runId: "r", onEvent });
		await isAsked.promise;
		expect(await running).toMatchObject({ status: "completed" });
		const events = await scene.events("r");
		expect(outcomes(events).get("c1.2")).toEqual({ cancelled: "the program ended without waiting for it" });
		expect(ofType(events, "call.started").map(({ call }) => call)).toEqual(["c1", "c1.1"]);
		expect(paid).toEqual([]);
	});
});

describe("a program that is stopped with its run", () => {
	const code = "await tools.pay({ n: 5 }); await tools.pay({ n: 50 }); return 1;";
	const large = {
		harness: {
			sandbox,
			policy: ({ args }: { args: unknown }) =>
				(args as { n: number }).n >= 50
					? ({ verdict: "ask", reason: "large" } as const)
					: ({ verdict: "allow" } as const),
		},
	};

	test("tells what it had done, so that the model does not do it again", async () => {
		const { scene, paid } = play(code, large);
		await scene.harness.run(scene.agent, "go", { runId: "r" });
		expect(await scene.harness.cancel("r", { reason: "enough" })).toMatchObject({
			status: "cancelled",
			done: [{ call: "c1.1", tool: "pay", outcome: "ok" }],
		});
		expect(outcomes(await scene.events("r")).get("c1")).toEqual({
			cancelled: "enough. Its calls until then: pay (c1.1): done",
		});
		const { state } = await scene.harness.show("r");
		const said = JSON.stringify(mainThread(state).messages.at(-1));
		expect(said).toContain("Cancelled before its end: enough. Its calls until then: pay (c1.1): done");
		expect(said).not.toContain("not executed");
		expect(paid).toEqual([5]);
	});

	test("a payment whose result could not be used is told as done", async () => {
		const odd = defineTool({ name: "odd", description: "Odd.", input: z.object({}), execute: () => 5n });
		const pay = defineTool({ name: "pay", description: "Pays.", input, execute: () => 1 });
		const { scene } = play("await tools.odd({}).catch(() => 0); await tools.pay({ n: 50 });", {
			...large,
			tools: [odd, pay],
		});
		await scene.harness.run(scene.agent, "go", { runId: "r" });
		const cancelled = await scene.harness.cancel("r", { reason: "enough" });
		expect(cancelled).toMatchObject({ done: [{ call: "c1.1", tool: "odd", outcome: "ok" }] });
		expect(outcomes(await scene.events("r")).get("c1")).toMatchObject({
			cancelled: expect.stringContaining("odd (c1.1): done"),
		});
	});
});
