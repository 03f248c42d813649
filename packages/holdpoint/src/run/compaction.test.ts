/** Conversations that are larger, or counted otherwise, than anybody would wish. */
import type { LanguageModelV4CallOptions } from "@ai-sdk/provider";
import { countTokens } from "gpt-tokenizer/encoding/o200k_base";
import { expect, test } from "vitest";
import { z } from "zod";
import { harnessAgent } from "../harness/harness-agent.ts";
import { createHarness, type HarnessOptions } from "../holdpoint.ts";
import type { ContextOptions } from "../spec/context.ts";
import type { Mode } from "../spec/events.ts";
import type { Tool } from "../spec/tool.ts";
import { isForSummary, type PlacedAnswer, type PlacedModelOptions, placedModel } from "../testing/placed-model.ts";
import { ofType, stageKeys } from "../testing/stage.ts";
import { requestTokens } from "../testing/token-counter.ts";
import { defineTool } from "../tools/define-tool.ts";

interface Scene extends PlacedModelOptions {
	readonly context?: Partial<ContextOptions>;
	readonly instructions?: string;
	readonly mode?: Mode;
	readonly settings?: { readonly maxOutputTokens: number };
	readonly tools?: readonly Tool[];
	/** What the tool `look` finds. */
	readonly found?: (n: number) => string;
	readonly harness?: HarnessOptions;
}

function scene(answers: (place: number) => PlacedAnswer | undefined, options: Scene = {}) {
	const requests: LanguageModelV4CallOptions[] = [];
	const {
		context = { windowTokens: 4_000, answerTokens: 500 },
		instructions = "Serve.",
		mode = "execute",
		tools = [],
		settings = {},
		found = (n) => `found ${n} ${"word ".repeat(100)}`,
		harness: ports = {},
	} = options;
	const look = defineTool({
		name: "look",
		description: "Looks.",
		input: z.object({ n: z.number() }),
		effect: "read",
		execute: ({ n }) => found(n),
	});
	const onRequest = (request: LanguageModelV4CallOptions) => {
		requests.push(structuredClone(request));
		options.onRequest?.(request);
	};
	const agent = harnessAgent({
		name: "clerk",
		instructions,
		settings,
		tools: [look, ...tools],
		programs: false,
		memory: false,
		modes: { start: mode },
		context,
		model: placedModel(answers, { ...options, onRequest }),
	});
	const harness = createHarness({ keys: stageKeys, agents: [agent], sandbox: "off", ...ports });
	return { harness, agent, requests, asked: () => requests.filter((one) => !isForSummary(one)) };
}

const look = (n: number): PlacedAnswer => ({ calls: [{ tool: "look", args: { n } }] });
const until = (last: number) => (place: number) => (place >= last ? { text: "all is found" } : look(place));

function tokensOf({ prompt, tools = [] }: LanguageModelV4CallOptions): number {
	return Math.ceil((JSON.stringify(prompt).length + JSON.stringify(tools).length) / 4);
}

test("one answer whose count is twenty times too high ends no session", async () => {
	let answers = 0;
	const { harness, agent } = scene((place) => ({ text: `ok ${place}` }), {
		instructions: `Serve. ${"rule ".repeat(700)}`,
		countTokens: (request) => tokensOf(request) * (++answers <= 3 ? 20 : 1),
	});
	const session = harness.session("s", agent);
	for (let n = 0; n < 6; n++) expect(await session.send(`message ${n}`)).toMatchObject({ status: "completed" });
});

test("counts that leave out what was in a cache let no prompt grow beyond the window", async () => {
	const { harness, agent, asked } = scene(until(40), { countTokens: () => 150 });
	expect(await harness.run(agent, "Find forty things.")).toMatchObject({ status: "completed" });
	expect(Math.max(...asked().map((request) => requestTokens(request, countTokens)))).toBeLessThan(3_500);
});

test("Chinese and records of marks stay within the window too, before any count", async () => {
	const context = { windowTokens: 8_000 };
	const { harness, agent, asked } = scene(until(1), { context });
	await harness.run(agent, "去".repeat(15_000));
	const flags = Object.fromEntries(Array.from({ length: 1_500 }, (_, n) => [`f${n}`, true]));
	const tools = [
		defineTool({ name: "flags", description: "Flags.", input: z.object({}), effect: "read", execute: () => flags }),
	];
	const step = (place: number): PlacedAnswer =>
		place === 1 ? { calls: [{ tool: "flags", args: {} }] } : { text: "seen" };
	const marks = scene(step, { context, tools });
	await marks.harness.run(marks.agent, "Look at the flags.");
	for (const request of [...asked(), ...marks.asked()]) expect(requestTokens(request, countTokens)).toBeLessThan(6_000);
});

test("what the agent's settings allow an answer has room beside each prompt", async () => {
	const context = { windowTokens: 8_000 };
	const { harness, agent, asked } = scene(until(20), { context, settings: { maxOutputTokens: 6_000 } });
	expect(await harness.run(agent, "Find twenty things.")).toMatchObject({ status: "completed" });
	for (const request of asked()) {
		expect(requestTokens(request, countTokens) + (request.maxOutputTokens ?? 0)).toBeLessThanOrEqual(8_000);
	}
});

test("words that are longer than the window are read on, in the next run too", async () => {
	const words = `Begin ${"m".repeat(30_000)} MIDDLE ${"m".repeat(30_000)} end`;
	const named = (): string => /text_[0-9a-f]{8}/.exec(JSON.stringify(requests.at(-1)?.prompt))?.[0] ?? "";
	const read = (): PlacedAnswer => ({ calls: [{ tool: "read_result", args: { call: named(), from: 30_000 } }] });
	const answers = (place: number): PlacedAnswer => (place % 2 === 1 ? read() : { text: "read" });
	const { harness, agent, requests, asked } = scene(answers, { context: { windowTokens: 8_000 } });
	const session = harness.session("s", agent);
	for (const said of [words, "And again."]) {
		expect(await session.send(said)).toMatchObject({ status: "completed" });
		expect(JSON.stringify(asked().at(-1)?.prompt.at(-1))).toContain("m MIDDLE m");
	}
});

test("what a model was shown of a result is what is shown of it later, before any compaction too", async () => {
	const found = () => "word ".repeat(20_000);
	const context = { windowTokens: 32_000, resultTokensMax: 1_000 };
	const { harness, agent, asked } = scene(until(3), { context, found });
	const { run } = await harness.run(agent, "Find three things.");
	for (const [at, { prompt }] of asked().entries()) {
		const { messages } = await harness.context(run, { turn: at + 1 });
		expect(messages).toEqual(prompt.slice(1));
	}
	expect(JSON.stringify(asked().at(-1)?.prompt)).toContain("characters are left out here");
});

test("a result that comes late is shown in part like any other, and read_result shows the rest of it", async () => {
	const receipt = `RECEIPT ${"x".repeat(30_000)} THE END`;
	const read = (from: number): PlacedAnswer => ({ calls: [{ tool: "read_result", args: { call: "§1.0", from } }] });
	const steps: { [place: number]: PlacedAnswer } = {
		1: { calls: [{ tool: "pay", args: {} }] },
		2: { text: "waiting for it" },
		3: read(2_800),
		4: { text: "end" },
		5: read(29_000),
		6: { text: "the end of it" },
	};
	const context = { windowTokens: 32_000, resultTokensMax: 1_000 };
	const tools = [
		defineTool({ name: "pay", description: "Pays.", input: z.object({}), effect: "write", execute: () => receipt }),
	];
	const { harness, agent, asked } = scene((place) => steps[place], { context, tools });
	const session = harness.session("s", agent);
	const { run } = await session.send("Pay.");
	await harness.tell(run, "How is it?");
	await harness.resume(run);
	const [held] = await harness.approvals();
	await harness.approve(held?.approval ?? "", { by: { id: "ann", via: "test" } });
	expect(await harness.resume(run)).toMatchObject({ status: "completed" });
	const [shown, page] = asked()
		.slice(-2)
		.map(({ prompt }) => JSON.stringify(prompt.at(-1)).replaceAll("\\", ""));
	expect(shown).toContain('[Result of the pending call pay (§1.0): "RECEIPT x');
	expect(shown).toContain('read_result({"call":"§1.0","from":2800})');
	expect(shown?.length).toBeLessThan(4_500);
	expect(page).toMatch(/"value":"x{3920}/);
	// So does the session's next run.
	expect(await session.send("Show me its end.")).toMatchObject({ status: "completed" });
	expect(JSON.stringify(asked().at(-1)?.prompt.at(-1))).toContain("x THE END");
});

test("read_result tears no sign apart, and no page is too long to be shown whole", async () => {
	const found = () => "😀".repeat(5_000);
	const read = (from: number): PlacedAnswer => ({ calls: [{ tool: "read_result", args: { call: "§1.0", from } }] });
	const steps: { [place: number]: PlacedAnswer } = {
		1: look(1),
		2: read(0),
		3: read(1),
		4: read(1_959),
		5: { text: "ok" },
	};
	const context = { windowTokens: 32_000, resultTokensMax: 1_000 };
	const { harness, agent, asked } = scene((place) => steps[place], { context, found });
	await harness.run(agent, "Find a face.");
	const pages = asked()
		.slice(2)
		.map(({ prompt }) => JSON.stringify(prompt.at(-1)));
	expect(pages).toHaveLength(3);
	for (const page of pages) {
		expect(page).not.toMatch(/\\ud83d|\\ude00|left out here/);
		expect(page).toMatch(/"value":"(😀){490}\\n\[\d+ more characters: from \d+ on\]/u);
	}
});

function refusesAbove(tokensMax: number) {
	let times = 0;
	const onRequest = (request: LanguageModelV4CallOptions) => {
		if (requestTokens(request, countTokens) <= tokensMax) return;
		times++;
		const message = `This model's maximum context length is ${tokensMax} tokens`;
		const details = { statusCode: 400, isRetryable: false, data: { error: { code: "context_length_exceeded" } } };
		throw Object.assign(new Error(message), { name: "AI_APICallError", ...details });
	};
	return { onRequest, refusals: () => times };
}

test("a provider that finds the prompt too long is asked again with half of it", async () => {
	const { onRequest, refusals } = refusesAbove(2_500);
	const budgets = [{ name: "t", counts: "tokens" as const, max: 10_000_000 }];
	const context = { windowTokens: 32_000 };
	const { harness, agent } = scene(until(40), { onRequest, context, harness: { budgets } });
	const result = await harness.run(agent, "Find forty things.");
	expect(result).toMatchObject({ status: "completed", text: "§40 all is found" });
	expect(refusals()).toBeGreaterThan(0);
	const { events } = await harness.show(result.run);
	expect(events.filter(({ event }) => event.type === "context.compacted")).toHaveLength(refusals());
});

test("where that does not help, the run ends with limit.context, and no model is asked a third time", async () => {
	const { onRequest, refusals } = refusesAbove(100);
	const { harness, agent } = scene(until(3), { onRequest, context: { windowTokens: 32_000, isSummarised: false } });
	const result = await harness.run(agent, `Find. ${"word ".repeat(2_000)}`);
	expect(result).toMatchObject({ status: "failed", error: { code: "limit.context" } });
	expect(result.status === "failed" && result.error.message).toContain("(windowTokens)");
	expect(refusals()).toBe(2);
});

test("a plan as long as set_mode takes it, once approved, does not end the run", async () => {
	const plan = "step ".repeat(3_900);
	const steps: { [place: number]: PlacedAnswer } = {
		1: { calls: [{ tool: "set_mode", args: { mode: "execute", plan } }] },
		2: { text: "done" },
	};
	const { harness, agent, asked } = scene((place) => steps[place], { context: { windowTokens: 8_000 }, mode: "plan" });
	const { run } = await harness.run(agent, "Plan it.");
	const [held] = await harness.approvals();
	await harness.approve(held?.approval ?? "", { by: { id: "ann", via: "test" } });
	expect(await harness.resume(run)).toMatchObject({ status: "completed" });
	expect(JSON.stringify(asked().at(-1)?.prompt)).toMatch(/"plan":"step .*characters are left out here/);
});

test("sixty results that came at once are shown in part, or as words where not even that fits", async () => {
	const calls = Array.from({ length: 60 }, (_, n) => ({ tool: "look", args: { n } }));
	const answers = (place: number): PlacedAnswer => (place === 1 ? { calls } : { text: "done" });
	for (const windowTokens of [8_000, 5_000]) {
		const { harness, agent, asked } = scene(answers, { context: { windowTokens } });
		expect(await harness.run(agent, "Find sixty things.")).toMatchObject({ status: "completed" });
		const last = JSON.stringify(asked().at(-1)?.prompt.at(-1));
		expect(last.match(/read_result/g)).toHaveLength(60);
	}
});

test("what summaries take is in the run's usage, and each builds on the one before it", async () => {
	const counted = { tokens: 0, transcripts: [] as string[] };
	const summarise = (place: number, transcript: string) =>
		`All is found until §${place}, says summary ${counted.transcripts.push(transcript)}.`;
	const countTokens = (request: LanguageModelV4CallOptions) => {
		counted.tokens += tokensOf(request);
		return tokensOf(request);
	};
	const context = { windowTokens: 3_000, answerTokens: 500 };
	const { harness, agent } = scene(until(35), { summarise, countTokens, context, found: () => "f".repeat(230) });
	const { run, usage } = await harness.run(agent, "Find many things.");
	expect(usage.inputTokens).toBe(counted.tokens);
	const events = (await harness.show(run)).events.map(({ event }) => event);
	const taken = [...ofType(events, "model.answered"), ...ofType(events, "context.compacted")].map(({ usage }) => usage);
	expect(usage.outputTokens).toBe(taken.reduce((sum, one) => sum + (one?.outputTokens ?? 0), 0));
	expect(counted.transcripts.length).toBeGreaterThan(1);
	for (const [at, transcript] of counted.transcripts.entries()) {
		if (at === 0) expect(transcript).not.toContain("Notes so far");
		else expect(transcript).toMatch(new RegExp(`Notes so far:\\\\nAll is found until §\\d+, says summary ${at}\\.`));
	}
});
