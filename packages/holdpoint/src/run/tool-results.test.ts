import { describe, expect, test } from "vitest";
import { z } from "zod";
import { memoryStore } from "../adapters/stores/memory.ts";
import type { Outcome } from "../spec/events.ts";
import type { Decision, PolicyRequest } from "../spec/policy.ts";
import type { Store } from "../spec/store.ts";
import { fakeClock } from "../testing/fake-clock.ts";
import { ofType, onlyWait, type StageOptions, stage } from "../testing/stage.ts";
import { call, say } from "../testing/story.ts";
import { defineTool, type ToolDefinition } from "../tools/define-tool.ts";
import { OutcomeUnknown } from "../tools/outcome-unknown.ts";

const input = z.object({ n: z.int().default(1) });
const by = { id: "ann", via: "test" };
const hostile = (): never => {
	throw new Error("hostile");
};

/** What becomes of one call of a read that does this, and what the model reads of it. */
async function outcomeOf(
	execute: (args: { n: number }) => unknown,
	options: Partial<StageOptions> & { tool?: Partial<ToolDefinition<typeof input>> } = {},
) {
	const { tool, ...rest } = options;
	const look = defineTool({
		name: "look",
		description: "Looks.",
		input,
		effect: "read",
		execute,
		...tool,
	} as ToolDefinition<typeof input>);
	const scene = stage({ story: [call("look"), say("done")], tools: [look], ...rest });
	const result = await scene.harness.run(scene.agent, "go", { runId: "r" });
	expect(result).toMatchObject({ status: "completed", text: "done" });
	const [finished] = ofType(await scene.events("r"), "call.finished");
	const last = scene.prompts.at(-1)?.at(-1);
	const part = last?.role === "tool" ? last.content[0] : undefined;
	return { scene, outcome: finished?.outcome as Outcome, read: part?.type === "tool-result" ? part.output : undefined };
}

describe("a result", () => {
	test.each<[string, unknown, unknown]>([
		["a text", "seen", "seen"],
		["a number", 5, 5],
		["null", null, null],
		["undefined", undefined, null],
		["a function", () => 1, null],
		["an object with an absent field", { a: 1, b: undefined }, { a: 1 }],
		["a Date", new Date(0), "1970-01-01T00:00:00.000Z"],
		["a promise of it", Promise.resolve("later"), "later"],
		["a promise of another library", { then: (resolve: (value: string) => void) => resolve("theirs") }, "theirs"],
		[
			"something nested deep",
			JSON.parse("[".repeat(500) + "]".repeat(500)),
			JSON.parse("[".repeat(500) + "]".repeat(500)),
		],
	])("%s is read by the model as JSON", async (_, value, read) => {
		const { outcome } = await outcomeOf(() => value);
		expect(outcome).toEqual({ ok: read });
	});

	const cycle: Record<string, unknown> = {};
	cycle["self"] = cycle;
	test.each([
		["a BigInt", { n: 5n }],
		["a cycle", cycle],
		["a value whose JSON throws", { toJSON: hostile }],
		[
			"a value whose fields throw",
			{
				get a() {
					return hostile();
				},
			},
		],
	])("%s is a failure that says that the tool ran", async (_, value) => {
		const { outcome, read } = await outcomeOf(() => value);
		expect(outcome).toMatchObject({
			code: "tool.result_invalid",
			failed: expect.stringContaining("look ran, but its result is no JSON"),
		});
		expect(read?.type).toBe("error-text");
	});

	test("that does not fit the output schema is a failure that says that the tool ran", async () => {
		const output = z.object({ total: z.number() });
		const { outcome } = await outcomeOf(() => ({ total: "five" }), { tool: { output } as never });
		expect(outcome).toMatchObject({
			code: "tool.result_invalid",
			failed: expect.stringMatching(/look ran, but .* total/),
		});
	});

	test("that fits it is what the schema makes of it", async () => {
		const output = z.object({ total: z.number(), currency: z.string().default("EUR") });
		const { outcome } = await outcomeOf(() => ({ total: 5, secret: "not in the schema" }), {
			tool: { output } as never,
		});
		expect(outcome).toEqual({ ok: { total: 5, currency: "EUR" } });
	});

	test("I8: of 50 MB is refused, and the run goes on", async () => {
		const { outcome, read } = await outcomeOf(() => "x".repeat(50_000_000));
		expect(outcome).toMatchObject({ code: "tool.result_too_large", failed: expect.stringContaining("resultBytesMax") });
		expect(JSON.stringify(read).length).toBeLessThan(1_000);
	});

	test("I8: its limit counts bytes, not characters", async () => {
		const limits = { resultBytesMax: 100, inlineBytesMax: 1_000 };
		expect((await outcomeOf(() => "x".repeat(60), { limits })).outcome).toHaveProperty("ok");
		expect((await outcomeOf(() => "ä".repeat(60), { limits })).outcome).toMatchObject({
			code: "tool.result_too_large",
		});
	});
});

describe("a failure", () => {
	test.each<[string, unknown, string]>([
		["an error", new Error("no such order"), "no such order"],
		["a text", "no such order", "no such order"],
		["nothing", undefined, "undefined"],
		["an empty error", new Error(""), "without a message"],
		["an error with a number as message", Object.assign(new Error(), { message: 42 }), "42"],
		["an object without a prototype", Object.create(null), "cannot be shown"],
		["an object that cannot be shown", { toString: hostile }, "cannot be shown"],
	])("%s that is thrown is read by the model, and does not end the run", async (_, thrown, read) => {
		const throwing = () => {
			throw thrown;
		};
		for (const execute of [throwing, async () => throwing()]) {
			const { outcome } = await outcomeOf(execute);
			expect(outcome).toMatchObject({ code: "tool.threw", failed: expect.stringContaining(read) });
		}
	});

	test("I8: a message of a megabyte is cut", async () => {
		const { outcome } = await outcomeOf(() => Promise.reject(new Error("x".repeat(1_000_000))));
		expect(JSON.stringify(outcome).length).toBeLessThan(5_000);
	});

	test("I8: a read that hangs is stopped and repeated no more than attemptsMax times, then it has failed", async () => {
		const signals: AbortSignal[] = [];
		const execute = ((_: unknown, { signal }: { signal: AbortSignal }) => {
			signals.push(signal);
			return new Promise(() => undefined);
		}) as never;
		const { outcome } = await outcomeOf(execute, { tool: { timeoutMs: 5 }, limits: { attemptsMax: 2 } });
		expect(outcome).toEqual({
			failed: expect.stringMatching(/^it did not answer within 5 ms\. It changes nothing/),
			code: "tool.timed_out",
		});
		expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
	});

	test("a time-out longer than a timer can be is long, not over at once", async () => {
		const later = () => new Promise((resolve) => setTimeout(resolve, 20, "seen"));
		expect((await outcomeOf(later, { tool: { timeoutMs: 2 ** 33 } })).outcome).toEqual({ ok: "seen" });
	});
});

test("a policy is told what a tool declares: effect, tags and labels", async () => {
	const asked: unknown[] = [];
	const labels = { integrity: "untrusted", readers: ["support"] } as const;
	const look = defineTool({
		name: "look",
		description: "Looks.",
		input: z.object({}),
		effect: "read",
		tags: ["mail"],
		labels,
		execute: () => "seen",
	});
	const policy = ({ tool }: PolicyRequest): Decision => {
		asked.push(tool);
		return { verdict: "allow" };
	};
	const scene = stage({ story: [call("look"), say("done")], tools: [look], harness: { policy } });
	await scene.harness.run(scene.agent, "go");
	expect(asked).toEqual([{ name: "look", version: look.version, effect: "read", tags: ["mail"], labels }]);
});

describe("arguments", () => {
	const story = (text: string) => [call("look", {}, { input: text }), say("done")];
	test.each([
		["no JSON", "{n:", "no valid JSON"],
		["of a wrong type", '{"n":"one"}', "n: "],
		["no object", "[1]", "do not fit"],
	])("%s: the tool does not run, and the model reads why", async (_, text, why) => {
		let ran = 0;
		const { outcome } = await outcomeOf(() => ran++, { story: story(text) });
		expect(outcome).toMatchObject({ code: "tool.args_invalid", failed: expect.stringContaining(why) });
		expect(ran).toBe(0);
	});

	test("are what the schema makes of them, once, and a copy for each attempt", async () => {
		const seen: unknown[] = [];
		await outcomeOf(
			(args) => {
				seen.push({ ...args });
				(args as { n: number }).n = 99;
				throw new OutcomeUnknown("lost");
			},
			{ story: story('{"more":1}'), limits: { attemptsMax: 2 } },
		);
		expect(seen).toEqual([{ n: 1 }, { n: 1 }]);
	});

	test("nested deeper than the limit beside what the schema keeps do not stop the run", async () => {
		const deep = `{"n":5,"extra":${"[".repeat(200)}${"]".repeat(200)}}`;
		const { outcome, scene } = await outcomeOf(({ n }) => n, { story: story(deep) });
		expect(outcome).toEqual({ ok: 5 });
		expect(ofType(await scene.events("r"), "call.decided")[0]?.args).toEqual({ n: 5 });
	});

	test("I8: are bounded in bytes", async () => {
		const text = JSON.stringify({ text: "ä".repeat(60) });
		const tool = { input: z.object({ text: z.string() }) } as never;
		expect(
			(await outcomeOf(() => 1, { tool, story: story(text), limits: { argsBytesMax: 100 } })).outcome,
		).toMatchObject({ code: "tool.args_too_large" });
		expect((await outcomeOf(() => 1, { tool, story: story(text), limits: { argsBytesMax: 1_000 } })).outcome).toEqual({
			ok: 1,
		});
	});

	test("with a `__proto__` are without it for the policy, the digest and the tool alike", async () => {
		const seen: unknown[] = [];
		const policy = ({ args }: { args: unknown }) => {
			seen.push(JSON.stringify(args));
			return { verdict: "allow" } as const;
		};
		const tool = { input: z.looseObject({}) } as never;
		const { outcome, scene } = await outcomeOf((args) => seen.push(JSON.stringify(args)), {
			tool,
			story: story('{"a":1,"__proto__":{"admin":true}}'),
			harness: { policy },
		});
		expect(outcome).toEqual({ ok: 2 });
		expect(seen).toEqual(['{"a":1}', '{"a":1}']);
		expect((await scene.harness.show("r")).state.calls.get("c1")?.args).toEqual({ a: 1 });
	});

	test("that a policy changes in place run as they were decided", async () => {
		const seen: unknown[] = [];
		const policy = ({ args }: { args: unknown }) => {
			(args as { n: number }).n = 1_000_000;
			return { verdict: "allow" } as const;
		};
		const { outcome, scene } = await outcomeOf((args) => seen.push(args), { harness: { policy } });
		expect(outcome).toEqual({ ok: 1 });
		expect(seen).toEqual([{ n: 1 }]);
		expect((await scene.harness.show("r")).state.calls.get("c1")?.args).toEqual({ n: 1 });
	});

	test("a tool that the model makes up is a failure that names those that are there", async () => {
		const { outcome } = await outcomeOf(() => 1, { story: [call("lock", {}, { undeclared: true }), say("done")] });
		expect(outcome).toMatchObject({
			code: "tool.unknown",
			failed: expect.stringMatching(/no tool "lock".*Available: look/),
		});
	});
});

describe("what a tool is handed", () => {
	test("leads nowhere: not to the store, the keys or an approval", async () => {
		let seen: unknown;
		await outcomeOf(((_: unknown, context: unknown) => {
			seen = context;
		}) as never);
		const reachable = new Set<unknown>();
		const visit = (value: unknown): void => {
			if (typeof value !== "object" || value === null || reachable.has(value) || value instanceof AbortSignal) return;
			reachable.add(value);
			for (const key of Reflect.ownKeys(value)) visit((value as Record<PropertyKey, unknown>)[key]);
		};
		visit(seen);
		expect([...reachable].filter((value) => "commit" in (value as object) || "ports" in (value as object))).toEqual([]);
		expect(JSON.parse(JSON.stringify(seen))).toMatchObject({ run: "r", call: "c1", attempt: 1 });
	});
});

describe("a large result", () => {
	const large = "x".repeat(40_000);

	/** A store in which a test can change bodies. */
	function openStore() {
		const inner = memoryStore();
		let change: (body: Uint8Array | undefined) => Uint8Array | undefined = (body) => body;
		const store: Store = { ...inner, blob: async (run, digest) => change(await inner.blob(run, digest)) };
		return { store, tamper: (next: typeof change) => (change = next) };
	}

	async function waitingWithLargeResult() {
		const opened = openStore();
		const tools = [
			defineTool({ name: "look", description: "Looks.", input, effect: "read", execute: () => large }),
			defineTool({ name: "pay", description: "Pays.", input, execute: () => "paid" }),
		];
		const scene = stage({ story: [call("look"), call("pay"), say("done")], tools, store: opened.store });
		const result = await scene.harness.run(scene.agent, "go", { runId: "r" });
		await scene.harness.approve(onlyWait(result, "approval").approval, { by });
		return { ...opened, scene };
	}

	test("lies beside the journal, and the model reads it whole, after a restart too", async () => {
		const { scene, store } = await waitingWithLargeResult();
		const [finished] = ofType(await scene.events("r"), "call.finished");
		expect(finished?.outcome).toEqual({ blob: expect.any(String), bytes: 40_002 });
		const stored = await store.load("r");
		expect(stored?.entries.map(({ body }) => body).join("").length).toBeLessThan(5_000);
		const other = scene.again();
		await other.harness.resume("r");
		expect(JSON.stringify(other.prompts.at(-1))).toContain(large);
	});

	test.each<[string, (body: Uint8Array | undefined) => Uint8Array | undefined]>([
		["changed", (body) => body?.map((byte, i) => (i === 5 ? byte + 1 : byte))],
		["cut", (body) => body?.slice(0, 100)],
		["gone", () => undefined],
		["exchanged", () => Buffer.from('"something else"')],
	])("%s is tampering: nothing is executed", async (_, change) => {
		const { scene, tamper } = await waitingWithLargeResult();
		tamper(change);
		const other = scene.again();
		await expect(other.harness.resume("r")).rejects.toMatchObject({ code: "journal.tampered" });
		expect(other.prompts).toEqual([]);
		tamper((body) => body);
		expect(await other.harness.resume("r")).toMatchObject({ status: "completed" });
	});
});

test("each event has its own time, however many became durable at once", async () => {
	const clock = fakeClock({ skipMs: 20_000 });
	const slow = defineTool({
		name: "slow",
		description: "Takes two seconds.",
		input: z.object({}),
		effect: "read",
		execute: () => clock.advance(2_000),
	});
	const around: NonNullable<StageOptions["around"]> = (model) => ({
		...model,
		doGenerate: (request) => {
			clock.advance(300);
			return model.doGenerate(request);
		},
	});
	const start = clock.now();
	const scene = stage({ story: [call("slow"), say("done")], tools: [slow], clock, around });
	const { run } = await scene.harness.run(scene.agent, "go");
	const { events } = await scene.harness.show(run);
	expect(events.map(({ at, event }) => [event.type, at - start])).toEqual([
		["run.started", 0],
		["model.answered", 300],
		["call.decided", 300],
		["call.started", 300],
		["call.finished", 2_300],
		["model.answered", 2_600],
		["run.finished", 2_600],
	]);
});
