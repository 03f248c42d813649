import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { encode } from "gpt-tokenizer";
import { afterAll, expect, test } from "vitest";
import { z } from "zod";
import { skills } from "../adapters/tools/skills/skills.ts";
import { createHarness, type HarnessOptions } from "../holdpoint.ts";
import { defineAgent } from "../run/define-agent.ts";
import { type PlacedAnswer, placedModel } from "../testing/placed-model.ts";
import { sandboxUnderTest } from "../testing/sandbox-under-test.ts";
import { scriptedModel } from "../testing/scripted-model.ts";
import { ofType, onlyWait, stageKeys } from "../testing/stage.ts";
import { say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";
import { type HarnessAgentDefinition, harnessAgent } from "./harness-agent.ts";

const sandbox = sandboxUnderTest();
afterAll(() => sandbox.close());

const paid: string[] = [];

function scene(
	steps: readonly PlacedAnswer[],
	definition: Partial<HarnessAgentDefinition> = {},
	ports: HarnessOptions = {},
) {
	paid.length = 0;
	const pay = defineTool({
		name: "pay",
		description: "Pays.",
		input: z.object({ id: z.string() }),
		effect: "write",
		execute: ({ id }) => {
			paid.push(id);
			return "paid";
		},
	});
	const declared: unknown[] = [];
	const system: string[] = [];
	const model = placedModel((place) => steps[place - 1], {
		onRequest: ({ tools, prompt }) => {
			declared.push(...(tools ?? []));
			system.push(String(prompt[0]?.content));
		},
	});
	const agent = harnessAgent({ name: "clerk", instructions: "x", tools: [pay], model, ...definition });
	const harness = createHarness({ keys: stageKeys, sandbox: { ...sandbox, close: async () => undefined }, ...ports });
	const events = async (run: string) => (await harness.show(run)).events.map(({ event }) => event);
	return { harness, agent, events, declared, system };
}

const code = (text: string): PlacedAnswer => ({ calls: [{ tool: "execute_code", args: { code: text } }] });

test("its own tools work from inside programs, but for those that are the model's alone", async () => {
	const { harness, agent, events } = scene([
		code(
			`await tools.todo({ todos: [{ text: "from a program", status: "doing" }] }); return await tools.read_result({ call: "§1.0" });`,
		),
		code(`await tools.set_mode({ mode: "plan" });`),
		{ text: "end" },
	]);
	const { run } = await harness.run(agent, "Go.");
	expect(ofType(await events(run), "todos.set")).toEqual([
		{ type: "todos.set", todos: [{ text: "from a program", status: "doing" }] },
	]);
	const [kept, unknown, first, second] = ofType(await events(run), "call.finished").map(({ outcome }) => outcome);
	expect(kept).toEqual({ ok: "Kept. 1 open." });
	// Its own result is not there yet.
	expect(unknown).toMatchObject({ failed: 'There is no result of a call "§1.0"' });
	expect(first).toMatchObject({ code: "program.threw" });
	expect(second).toMatchObject({
		code: "program.invalid",
		failed: expect.stringContaining("tools.set_mode is not a tool of this program"),
	});
	expect(ofType(await events(run), "mode.changed")).toEqual([]);
});

test("a program reads a skill, and so does the model itself", async () => {
	const folder = mkdtempSync(join(tmpdir(), "holdpoint-skills-"));
	mkdirSync(join(folder, "refunds"));
	writeFileSync(
		join(folder, "refunds", "SKILL.md"),
		"---\nname: refunds\ndescription: How to refund.\n---\nSay sorry.\n",
	);
	const reading = `return JSON.stringify(await tools.skill({ name: "refunds" })).includes("Say sorry.");`;
	const { harness, agent, events, declared } = scene([code(reading), { text: "end" }], {
		skills: await skills({ folder }),
	});
	const { run } = await harness.run(agent, "Go.");
	rmSync(folder, { recursive: true });
	const end = ofType(await events(run), "call.finished").find(({ call }) => call === "c1");
	expect(end?.outcome).toEqual({ ok: { value: true } });
	expect(declared.map((tool) => (tool as { readonly name: string }).name)).toContain("skill");
});

test("a program asks several of its agents at once and waits for them, though the model itself would not", async () => {
	const helper = defineAgent({
		name: "helper",
		instructions: "Help.",
		model: scriptedModel((ask) => say(`found ${ask.lastUser}`), { countTokens: false }),
	});
	const { harness, agent, events, declared } = scene(
		[
			code(`return await Promise.all(["a", "b"].map((task) => tools.ask_helper({ task })));`),
			{ calls: [{ tool: "ask_helper", args: { task: "c" } }] },
			{ text: "end" },
			{ text: "really" },
		],
		{ agents: [helper] },
	);
	const { run } = await harness.run(agent, "Go.");
	const ends = ofType(await events(run), "call.finished");
	expect(ends.find(({ call }) => call === "c1")?.outcome).toEqual({ ok: { value: ["found a", "found b"] } });
	expect(ofType(await events(run), "agent.started").map(({ background }) => background)).toEqual([
		undefined,
		undefined,
		true,
	]);
	expect(JSON.stringify(declared[0])).toContain("Also here, with the arguments that you know: ask_helper, todo,");
});

test("no more agents work for one program at once than may, and all of its calls are answered", async () => {
	const inner = scriptedModel((ask) => say(`found ${ask.lastUser}`), { countTokens: false });
	let [open, most] = [0, 0];
	const doGenerate: typeof inner.doGenerate = async (request) => {
		most = Math.max(most, ++open);
		// So long that whoever may begin has begun.
		for (let turn = 0; turn < 20; turn++) await setImmediate();
		open--;
		return inner.doGenerate(request);
	};
	const helper = defineAgent({ name: "helper", instructions: "Help.", model: { ...inner, doGenerate } });
	const tasks = Array.from({ length: 20 }, (_, n) => `${n}`);
	const asking = `return await Promise.all(${JSON.stringify(tasks)}.map((task) => tools.ask_helper({ task })));`;
	const { harness, agent, events } = scene([code(asking), { text: "end" }], {
		agents: [helper],
		limits: { backgroundMax: 3 },
	});
	const { run } = await harness.run(agent, "Go.");
	const end = ofType(await events(run), "call.finished").find(({ call }) => call === "c1");
	expect(end?.outcome).toEqual({ ok: { value: tasks.map((task) => `found ${task}`) } });
	expect(most).toBe(3);
});

test("a result that is shown in part, a program reads whole", async () => {
	const long = Array.from({ length: 400 }, (_, n) => `line ${n}`).join("\n");
	const look = defineTool({
		name: "look",
		description: "Looks.",
		input: z.object({}),
		effect: "read",
		execute: () => long,
	});
	const reading = `let text = "";
for (let from = 0; ; ) {
	const page = await tools.read_result({ call: "§1.0", from });
	const more = /\\n\\[\\d+ more characters: from (\\d+) on\\]$/.exec(page);
	if (!more) return [(text + page).length, page.slice(-8)];
	text += page.slice(0, more.index);
	from = Number(more[1]);
}`;
	const { harness, agent, events } = scene([{ calls: [{ tool: "look", args: {} }] }, code(reading), { text: "end" }], {
		tools: [look],
		programs: { direct: ["look"] },
		context: { resultTokensMax: 100 },
	});
	const { run } = await harness.run(agent, "Go.");
	const ends = ofType(await events(run), "call.finished");
	expect(ends.at(-1)).toMatchObject({ call: "c2", outcome: { ok: { value: [long.length, "line 399"] } } });
	expect(ends.filter(({ call }) => call.startsWith("c2."))).toHaveLength(Math.ceil(long.length / 320));
});

test("a program cannot change anything in plan mode, and reads that", async () => {
	const pay = code(
		`try { return await tools.pay({ id: "1" }); } catch (error) { return error.name + ": " + error.message; }`,
	);
	const { harness, agent, events } = scene(
		[pay, { text: "end" }],
		{ modes: { start: "plan" } },
		{ policy: () => ({ verdict: "allow" }) },
	);
	const { run } = await harness.run(agent, "Go.");
	expect(paid).toEqual([]);
	expect(JSON.stringify(ofType(await events(run), "call.finished").at(-1)?.outcome)).toContain(
		"ToolDenied: Denied by policy, not executed: In plan mode",
	);
});

test("a program that is frozen in an approval goes on in plan mode with a denial", async () => {
	const pay = code(`try { return await tools.pay({ id: "1" }); } catch (error) { return error.name; }`);
	const { harness, agent, events } = scene([
		pay,
		{ calls: [{ tool: "set_mode", args: { mode: "plan" } }] },
		{ text: "planned" },
		{ text: "end" },
	]);
	const waiting = await harness.run(agent, "Go.", { runId: "run_frozen" });
	const { approval } = onlyWait(waiting, "approval");
	await harness.tell("run_frozen", "Plan first.");
	await harness.resume("run_frozen");
	await harness.approve(approval, { by: { id: "ann", via: "test" } });
	expect(await harness.resume("run_frozen")).toMatchObject({ status: "completed" });
	expect(paid).toEqual([]);
	const ends = ofType(await events("run_frozen"), "call.finished").map(({ outcome }) => outcome);
	expect(ends).toContainEqual({ ok: { value: "ToolDenied" } });
});

const ids = (n: number) => createHash("sha256").update(String(n)).digest("hex");
const runId = (n: number) => `run_${BigInt(`0x${ids(n).slice(0, 32)}`).toString(32)}`;

test.each([
	["nothing", undefined],
	["hex ids", (n: number) => ({ name: ids(n).slice(0, 24), text: ids(n + 1_000) })],
	["ids of runs", (n: number) => ({ name: runId(n), text: `${runId(n + 1_000)} ${runId(n + 2_000)} was refunded` })],
	["digits", (n: number) => ({ name: `${n}`, text: `${n * 7_919} 1.25 7 8 9 2026-11-24T10:15:30Z` })],
] as const)("with memory full of %s, what is its own takes at most 1,200 tokens", async (_what, entry) => {
	const { harness, agent, declared, system } = scene([{ text: "hi" }], { tools: [] });
	for (let n = 0; entry && n < 100; n++) {
		const { name, text } = entry(n);
		await harness.memory.write(name, text, { principal: "ann" });
	}
	await harness.run(agent, "hi", { principal: "ann" });
	expect(declared.map((tool) => (tool as { readonly name: string }).name)).toEqual([
		"execute_code",
		"todo",
		"set_mode",
		"memory",
		"note",
		"remember",
		"read_result",
	]);
	expect(String(system[0]).includes("In memory")).toBe(entry !== undefined);
	const tokens = encode(JSON.stringify(declared) + String(system[0])).length;
	expect(tokens).toBeGreaterThan(entry ? 900 : 600);
	expect(tokens).toBeLessThanOrEqual(1_200);
});
