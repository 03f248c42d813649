import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { CallInfo, Middleware } from "../spec/agent.ts";
import type { Json } from "../spec/json.ts";
import type { RunResult } from "../spec/result.ts";
import { ofType, onlyWait, type Stage, type StageOptions, stage } from "../testing/stage.ts";
import { call, failing, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";

const by = { id: "ann", via: "test" };

function play(middleware: readonly Middleware[], options: Partial<StageOptions> = {}) {
	const seen: unknown[] = [];
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		input: z.object({ amount: z.int() }),
		effect: "read",
		execute: (args) => {
			seen.push({ ...args });
			return `paid ${args.amount}`;
		},
	});
	return {
		scene: stage({ story: [call("pay", { amount: 5 }), say("done")], tools: [pay], middleware, ...options }),
		seen,
	};
}

async function outcome(scene: Stage, run: string) {
	return ofType(await scene.events(run), "call.finished")[0]?.outcome;
}

describe("middleware", () => {
	test("surrounds the run, each model call and each tool call, the first the outermost", async () => {
		const order: string[] = [];
		const layer = (name: string): Middleware => {
			const around = async <T>(what: string, next: () => Promise<T>): Promise<T> => {
				order.push(`${name} ${what}(`);
				const value = await next();
				order.push(`${name} ${what})`);
				return value;
			};
			return {
				name,
				run: (_, next) => around("run", next),
				model: (request, next) => around("model", () => next(request)),
				call: (_, next) => around("call", next),
			};
		};
		const { scene } = play([layer("a"), layer("b")]);
		await scene.harness.run(scene.agent, "go");
		const onion = (what: string) => [`a ${what}(`, `b ${what}(`, `b ${what})`, `a ${what})`];
		expect(order).toEqual([
			"a run(",
			"b run(",
			...onion("model"),
			...onion("call"),
			...onion("model"),
			"b run)",
			"a run)",
		]);
	});

	test("is told what it surrounds", async () => {
		const told: unknown[] = [];
		const layer: Middleware = {
			name: "l",
			call: (info, next, context) => {
				told.push(info, context);
				return next();
			},
		};
		const { scene } = play([layer]);
		await scene.harness.run(scene.agent, "go", { runId: "r", principal: "ann" });
		expect(told).toEqual([
			{ call: "c1", tool: "pay", parent: undefined, args: { amount: 5 } },
			{ run: "r", agent: "tester", principal: "ann", session: undefined },
		]);
	});
});

describe("around a tool call", () => {
	test("it may replace the result", async () => {
		const { scene } = play([{ name: "l", call: async (_, next) => `${await next()} (checked)` }]);
		const { run } = await scene.harness.run(scene.agent, "go");
		expect(await outcome(scene, run)).toEqual({ ok: "paid 5 (checked)" });
	});

	test("it may stop it by throwing: the tool does not run", async () => {
		const { scene, seen } = play([{ name: "l", call: () => Promise.reject(new Error("not on Sundays")) }]);
		const { run } = await scene.harness.run(scene.agent, "go");
		expect(await outcome(scene, run)).toMatchObject({ failed: "not on Sundays" });
		expect(seen).toEqual([]);
	});

	test("I5: it cannot change the arguments that were decided, not even in place", async () => {
		const told: unknown[] = [];
		const layer: Middleware = {
			name: "l",
			call: (info, next) => {
				told.push({ ...(info.args as object) });
				(info.args as { amount: number }).amount = 1_000_000;
				return next();
			},
		};
		const { scene, seen } = play([layer, layer]);
		await scene.harness.run(scene.agent, "go");
		expect([...told, ...seen]).toEqual([{ amount: 5 }, { amount: 5 }, { amount: 5 }]);
	});

	test("it runs the tool once, however often it asks for it", async () => {
		const { scene, seen } = play([
			{ name: "twice", call: async (_, next) => [await next(), await next().catch((error: Error) => error.message)] },
		]);
		const { run } = await scene.harness.run(scene.agent, "go");
		expect(await outcome(scene, run)).toEqual({ ok: ["paid 5", "The middleware twice called next() more than once"] });
		expect(seen).toEqual([{ amount: 5 }]);
	});

	test("it counts against the tool's time", async () => {
		const { scene } = play([{ name: "slow", call: () => new Promise(() => undefined) }], {
			limits: { toolTimeoutMs: 5, attemptsMax: 1 },
		});
		const { run } = await scene.harness.run(scene.agent, "go");
		expect(await outcome(scene, run)).toMatchObject({ code: "tool.timed_out" });
	});

	test.each<[string, Middleware["call"], number]>([
		["throws", async (_, next) => next().then(() => Promise.reject(new Error("the log is full"))), 60_000],
		["hangs", async (_, next) => next().then(() => new Promise(() => undefined)), 20],
	])("that %s after the tool ran does not unmake it: it says that it ran, once", async (_, layer, toolTimeoutMs) => {
		const { scene, seen } = play([{ name: "after", call: layer as NonNullable<Middleware["call"]> }], {
			limits: { toolTimeoutMs },
		});
		const { run } = await scene.harness.run(scene.agent, "go");
		expect(await outcome(scene, run)).toEqual({
			failed: expect.stringMatching(/^pay ran, but its result was lost: (the log is full|it did not answer)/),
			code: "tool.result_invalid",
		});
		expect(seen).toHaveLength(1);
	});

	test("it is not run for a call that is denied or held", async () => {
		let ran = 0;
		const layer: Middleware = {
			name: "l",
			call: (_, next) => {
				ran++;
				return next();
			},
		};
		for (const verdict of ["deny", "ask"] as const) {
			const { scene } = play([layer], { harness: { policy: () => ({ verdict, reason: "so" }) } });
			await scene.harness.run(scene.agent, "go");
		}
		expect(ran).toBe(0);
	});
});

describe("preparing a call", () => {
	const prepare = (change: (args: Json, info: CallInfo) => unknown): Middleware => ({
		name: "p",
		prepareCall: (info) => change(info.args, info) as Json,
	});

	test("comes before validation and decision: what it makes is what is decided, shown, digested and run", async () => {
		const decided: unknown[] = [];
		const policy = ({ args }: { args: unknown }) => {
			decided.push(args);
			return { verdict: "ask", reason: "so" } as const;
		};
		const { scene, seen } = play([prepare(() => ({ amount: 6 }))], { harness: { policy } });
		const first = await scene.harness.run(scene.agent, "go");
		const wait = onlyWait(first, "approval");
		expect(wait.args).toEqual({ amount: 6 });
		await scene.harness.approve(wait.approval, { by });
		await scene.again().harness.resume(first.run);
		expect(decided).toEqual([{ amount: 6 }, { amount: 6 }]);
		expect(seen).toEqual([{ amount: 6 }]);
	});

	test("in place works the same: the journal has what was asked and what it became", async () => {
		const change = (args: Json) => {
			(args as { amount: number }).amount = 6;
			return args;
		};
		const policy = () => ({ verdict: "ask", reason: "so" }) as const;
		const { scene, seen } = play([prepare(change)], { harness: { policy } });
		const first = await scene.harness.run(scene.agent, "go");
		const wait = onlyWait(first, "approval");
		await scene.harness.approve(wait.approval, { by });
		const other = scene.again();
		expect(await other.harness.resume(first.run)).toMatchObject({ status: "completed" });
		expect(seen).toEqual([{ amount: 6 }]);
		const [asked] = ofType(await scene.events(first.run), "model.answered");
		expect(asked?.content).toMatchObject([{ input: '{"amount":5}' }]);
		expect(ofType(await scene.events(first.run), "call.decided")[0]?.args).toEqual({ amount: 6 });
	});

	test("layers are applied one after the other", async () => {
		const add = prepare((args) => ({ amount: (args as { amount: number }).amount + 1 }));
		const { scene, seen } = play([add, add]);
		await scene.harness.run(scene.agent, "go");
		expect(seen).toEqual([{ amount: 7 }]);
	});

	test("sees text that is no JSON as the text that it is, and may mend it", async () => {
		const story = [call("pay", {}, { input: "amount=5" }), say("done")];
		const { scene, seen } = play([prepare((args) => ({ amount: Number(String(args).split("=")[1]) }))], { story });
		await scene.harness.run(scene.agent, "go");
		expect(seen).toEqual([{ amount: 5 }]);
	});

	test.each<[string, (args: Json) => unknown]>([
		[
			"throws",
			() => {
				throw new Error("cannot prepare");
			},
		],
		["rejects", async () => Promise.reject(Object.create(null))],
		["gives nothing back", () => undefined],
		["gives a function back", () => () => 1],
		["gives what does not fit", () => ({ amount: "five" })],
	])("that %s: the tool does not run, and the model reads why", async (_, change) => {
		const { scene, seen } = play([prepare(change), prepare((args) => args)]);
		const { run } = await scene.harness.run(scene.agent, "go");
		expect(await outcome(scene, run)).toMatchObject({ code: "tool.args_invalid" });
		expect(seen).toEqual([]);
	});
});

describe("around the model", () => {
	test("it may change what is asked and what was answered", async () => {
		const layer: Middleware = {
			name: "l",
			model: async (request, next) => {
				const answer = await next({
					...request,
					prompt: [...request.prompt, { role: "user", content: [{ type: "text", text: "be brief" }] }],
				});
				return {
					...answer,
					content: answer.content.map((part) =>
						part.type === "text" ? { ...part, text: part.text.toUpperCase() } : part,
					),
				};
			},
		};
		const { scene } = play([layer], { story: [say("done")] });
		expect(await scene.harness.run(scene.agent, "go")).toMatchObject({ text: "DONE" });
		expect(JSON.stringify(scene.prompts[0])).toContain("be brief");
	});

	test("a durable wait goes through it", async () => {
		const order: string[] = [];
		const layer: Middleware = {
			name: "l",
			model: async (request, next) => {
				try {
					return await next(request);
				} finally {
					order.push("over");
				}
			},
		};
		const { scene } = play([layer], { story: [failing(429, { "retry-after": "3600" }), say("done")] });
		expect(onlyWait(await scene.harness.run(scene.agent, "go"), "timer").kind).toBe("timer");
		expect(order).toEqual(["over"]);
	});

	test("that throws stops the run, which is kept", async () => {
		let broken = true;
		const layer: Middleware = {
			name: "l",
			model: (request, next) => (broken ? Promise.reject(new Error("broken")) : next(request)),
		};
		const { scene } = play([layer]);
		await expect(scene.harness.run(scene.agent, "go", { runId: "r" })).rejects.toThrow("broken");
		broken = false;
		expect(await scene.harness.run(scene.agent, "go", { runId: "r" })).toMatchObject({ status: "completed" });
	});
});

describe("around the run", () => {
	test("I6: that answers for the run by itself lets go of its lease", async () => {
		const answered = {
			run: "r",
			status: "waiting",
			text: "",
			usage: { inputTokens: 0, outputTokens: 0 },
			waits: [],
		} as const;
		const scene = stage({
			story: [say("done")],
			middleware: [{ name: "closed", run: async (): Promise<RunResult> => answered }],
		});
		for (const go of [() => scene.harness.run(scene.agent, "go", { runId: "r" }), () => scene.harness.resume("r")]) {
			expect(await go()).toEqual(answered);
			expect((await scene.harness.show("r")).lease).toBeUndefined();
		}
		expect(await scene.again({ agent: { middleware: [] } }).harness.resume("r")).toMatchObject({ status: "completed" });
	});

	test("that asks for it twice is an error, and nothing is done twice", async () => {
		const layer: Middleware = {
			name: "twice",
			run: async (_, next) => {
				await next();
				return next();
			},
		};
		const { scene, seen } = play([layer]);
		await expect(scene.harness.run(scene.agent, "go", { runId: "r" })).rejects.toThrow("more than once");
		expect(seen).toHaveLength(1);
		expect(await scene.harness.show("r")).toMatchObject({ state: { status: "completed" } });
	});
});
