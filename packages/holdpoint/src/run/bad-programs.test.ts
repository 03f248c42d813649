import type { LanguageModelV4 } from "@ai-sdk/provider";
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type FailureCode, failureHints } from "../spec/errors.ts";
import type { ProgramLimits } from "../spec/limits.ts";
import type { Decision, PolicyRequest } from "../spec/policy.ts";
import { sandboxUnderTest } from "../testing/sandbox-under-test.ts";
import { ofType, type StageOptions, stage } from "../testing/stage.ts";
import { call, program, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";
import { jsonSchema } from "../tools/json-schema.ts";

/** Programs as bad as they come, and what a program is told of its tools, through the whole of a run. */
const sandbox = sandboxUnderTest();
afterAll(() => sandbox.close());

const echo = defineTool({
	name: "echo",
	description: "Returns what it was given.",
	input: jsonSchema({ type: "object" }),
	effect: "read",
	execute: (args) => args,
});
const taint = defineTool({
	name: "taint",
	description: "Returns a result with hostile keys.",
	input: jsonSchema({ type: "object" }),
	effect: "read",
	execute: () => JSON.parse('{"__proto__":{"polluted":1},"constructor":{"x":1},"ok":true}'),
});

function play(code: string, options: Partial<StageOptions> = {}) {
	return stage({
		story: [program(code), say("done")],
		tools: [echo, taint],
		programs: { limits: quick },
		...options,
		harness: { sandbox, policy: () => ({ verdict: "allow" }), ...options.harness },
	});
}

const quick: Partial<ProgramLimits> = {
	cpuMs: 2_000,
	sliceMs: 1_000,
	memoryBytesMax: 16_000_000,
	valueBytesMax: 100_000,
};

async function outcomeOf(scene: ReturnType<typeof play>) {
	const result = await scene.harness.run(scene.agent, "go", { runId: "r" });
	expect(result).toMatchObject({ status: "completed", text: "done" });
	const outcome = ofType(await scene.events("r"), "call.finished").findLast(({ call: id }) => id === "c1")?.outcome;
	return { outcome, read: JSON.stringify(scene.prompts.at(-1)?.at(-1)) };
}

describe("a bad program ends, its run goes on, and the model reads why, with a code and a hint", () => {
	test.each<[string, string, FailureCode, RegExp]>([
		["a syntax error", "const = 5;", "program.invalid", /1:7/],
		["an endless loop", "for (;;);", "program.stopped", /\(slice\)/],
		[
			"an endless loop of jobs",
			"const f = () => Promise.resolve().then(f); await f();",
			"program.stopped",
			/\(slice\)/,
		],
		["a memory bomb", "const a = []; for (;;) a.push(new Array(1e5).fill(1));", "program.stopped", /\(memory\)/],
		["deep recursion", "const f = (n) => 1 + f(n + 1); return f(0);", "program.threw", /call stack/],
		[
			"10,000 parallel calls",
			"await Promise.all(Array.from({ length: 10000 }, () => tools.echo({})));",
			"program.stopped",
			/\(openCalls\)/,
		],
		[
			"10,000 calls, one after the other",
			"for (let i = 0; i < 10000; i++) await tools.echo({});",
			"program.stopped",
			/\(calls\)/,
		],
		["a huge value", "return 'x'.repeat(200000);", "program.stopped", /\(value\)/],
		["a huge argument", "await tools.echo({ x: 'x'.repeat(200000) });", "program.stopped", /\(value\)/],
		["a promise that never settles", "await new Promise(() => {});", "program.threw", /nothing can settle/],
		["a value that JSON cannot carry", "return 1n;", "program.threw", /JSON|BigInt|bigint/i],
		["a thrown error", "throw new Error('mine');", "program.threw", /mine/],
	])("%s", { timeout: 60_000 }, async (_, code, expected, said) => {
		const { outcome, read } = await outcomeOf(play(code));
		expect(outcome).toMatchObject({ code: expected, failed: expect.stringMatching(said) });
		expect(read).toContain(failureHints[expected].slice(0, 20));
	});

	test("keys like __proto__ in a result are data", async () => {
		const { outcome } = await outcomeOf(
			play(
				"const r = await tools.taint({}); return [({}).polluted === undefined, r.ok, Object.getPrototypeOf(r) === Object.prototype];",
			),
		);
		expect(outcome).toEqual({ ok: { value: [true, true, true] } });
	});
});

describe("what a program and its model are told of tools", () => {
	const secret = defineTool({
		name: "secret",
		description: "Secret.",
		input: z.object({}),
		effect: "read",
		execute: () => 1,
	});
	const hiding = {
		version: "1",
		decide: (): Decision => ({ verdict: "allow" }),
		declares: ({ tool }: { tool: PolicyRequest["tool"] }) => tool.name !== "secret",
	};

	test("a tool that the policy denies to this agent and principal is not declared at all, nor confirmed", async () => {
		const tools = [echo, secret];
		const offered: string[] = [];
		const noting = (inner: LanguageModelV4): LanguageModelV4 => ({
			...inner,
			doGenerate: (request) => {
				offered.push(JSON.stringify(request.tools));
				return inner.doGenerate(request);
			},
		});
		const code = "return await tools['sec' + 'ret']({}).catch((e) => e.message);";
		const scene = play(code, { tools, around: noting, harness: { policy: hiding } });
		const { outcome } = await outcomeOf(scene);
		expect(outcome).toMatchObject({ code: "program.threw", failed: expect.stringContaining("is not a tool") });
		expect(offered.join()).toContain("Returns what it was given.");
		expect(offered.join()).not.toContain("Secret.");
		const direct = stage({
			story: [call("secret", {}, { undeclared: true }), say("done")],
			tools,
			programs: true,
			harness: { sandbox, policy: hiding },
		});
		await direct.harness.run(direct.agent, "go", { runId: "d" });
		const read = JSON.stringify(direct.prompts.at(-1)?.at(-1));
		expect(read).toContain("There is no tool");
		expect(read).not.toContain("Call it from a program");
	});

	test("a tool is declared once: directly, or for programs", async () => {
		const scene = play("return typeof tools.echo + await tools.taint({}).then((r) => r.ok);", {
			programs: { direct: ["echo"], limits: quick },
		});
		const { outcome } = await outcomeOf(scene);
		expect(outcome).toMatchObject({ code: "program.invalid" });
		const other = play("return 'echo' in tools;", { programs: { direct: ["echo"], limits: quick } });
		expect((await outcomeOf(other)).outcome).toEqual({ ok: { value: false } });
		const calling = stage({
			story: [call("echo", { n: 1 }), say("done")],
			tools: [echo, taint],
			programs: { direct: ["echo"] },
			harness: { sandbox, policy: () => ({ verdict: "allow" }) },
		});
		await calling.harness.run(calling.agent, "go", { runId: "d" });
		expect(ofType(await calling.events("d"), "call.finished")).toMatchObject([{ outcome: { ok: { n: 1 } } }]);
	});

	test("a program cannot start a program", async () => {
		const { outcome } = await outcomeOf(play("return 'execute_code' in tools;"));
		expect(outcome).toEqual({ ok: { value: false } });
	});

	const many = Array.from({ length: 120 }, (_, i) =>
		defineTool({
			name: `tool_${i}`,
			description: i === 77 ? "Refunds an order." : `Does the thing number ${i}.`,
			input: z.object({ [`field_${i}`]: z.string() }),
			effect: "read",
			execute: (args) => args,
		}),
	);

	test.each([
		["a hundred tools and more, of which the prompt has an index", many],
		["few tools", many.slice(70, 80)],
	])("$search and $describe give declarations from inside a program: %s", async (_, tools) => {
		const code = `const found = await tools.$search("refund an order");
			return [found.length > 0 && found[0].includes("tool_77"), await tools.$describe("tool_77"), await tools.$describe("gone").catch((e) => e.name)];`;
		const { outcome } = await outcomeOf(play(code, { tools }));
		expect(outcome).toEqual({ ok: { value: [true, expect.stringContaining("field_77"), "ToolFailed"] } });
	});
});

test("calls that leave together run at the same time", async () => {
	let running = 0;
	let most = 0;
	const all = Promise.withResolvers<void>();
	const meet = defineTool({
		name: "meet",
		description: "Waits for the others.",
		input: z.object({}),
		effect: "read",
		execute: async () => {
			most = Math.max(most, ++running);
			if (running === 5) all.resolve();
			await all.promise;
			return true;
		},
	});
	const code = "return (await Promise.all([1, 2, 3, 4, 5].map(() => tools.meet({})))).length;";
	const { outcome } = await outcomeOf(play(code, { tools: [meet] }));
	expect([outcome, most]).toEqual([{ ok: { value: 5 } }, 5]);
});
