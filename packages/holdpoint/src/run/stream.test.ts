import type { LanguageModelV4StreamPart } from "@ai-sdk/provider";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { memoryStore } from "../adapters/stores/memory.ts";
import type { RunEvent } from "../spec/events.ts";
import type { Store } from "../spec/store.ts";
import { gate, ofType, onlyWait, type StageOptions, stage } from "../testing/stage.ts";
import { breaking, call, calls, failing, type StoryStep, say } from "../testing/story.ts";
import { defineTool } from "../tools/define-tool.ts";
import type { RunStream, StreamEvent } from "./stream.ts";

const lookDefinition = { name: "look", description: "Looks.", input: z.object({}), effect: "read" } as const;
const look = defineTool({ ...lookDefinition, execute: () => "seen" });
const pay = defineTool({ name: "pay", description: "Pays.", input: z.object({}), execute: () => "paid" });
const play = (story: readonly StoryStep[], options: Partial<StageOptions> = {}) =>
	stage({ story, tools: [look, pay], ...options });
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

async function read(stream: RunStream): Promise<StreamEvent[]> {
	const events: StreamEvent[] = [];
	for await (const event of stream) events.push(event);
	return events;
}

const typesOf = (events: readonly StreamEvent[]) =>
	events.map(({ type }) => type).filter((type) => !type.endsWith(".delta"));

describe("a stream", () => {
	test("gives the run's events in their order, the words as they come, and then the result", async () => {
		const scene = play([call("look"), say("the answer is forty-two, as everybody knows")]);
		const stream = scene.harness.stream(scene.agent, "go");
		const events = await read(stream);
		const result = await stream.result;
		expect(result).toMatchObject({ status: "completed" });
		expect(typesOf(events)).toEqual((await scene.events(result.run)).map(({ type }) => type));
		const words = events.flatMap((event) => (event.type === "text.delta" ? event.text : []));
		expect(words.length).toBeGreaterThan(1);
		expect(words.join("")).toBe("the answer is forty-two, as everybody knows");
		const answered = events.findLastIndex(({ type }) => type === "model.answered");
		expect(events.findLastIndex(({ type }) => type === "text.delta")).toBeLessThan(answered);
	});

	test("need not be read to have its result", async () => {
		const scene = play([call("look"), say("done ".repeat(2_000))], { limits: { streamBufferMax: 2 } });
		expect(await scene.harness.stream(scene.agent, "go").result).toMatchObject({ status: "completed" });
	});

	test("shows a held call only when its approval can be given", async () => {
		const scene = play([call("pay"), say("done")]);
		const stream = scene.harness.stream(scene.agent, "go");
		for await (const event of stream) {
			if (event.type === "approval.requested") await scene.harness.approve(event.approval);
		}
		expect(ofType(await scene.events((await stream.result).run), "approval.resolved").length).toBeLessThanOrEqual(1);
	});

	test("shows it also then only when it is durable, if it was held while something else was being written", async () => {
		const inner = memoryStore();
		const durable = new Set<string>();
		const writing = gate<void>();
		const goOn = gate<void>();
		const store: Store = {
			...inner,
			async commit(run, epoch, writes) {
				if (writes.some((write) => write.kind === "entry" && write.body.includes("call.finished"))) {
					writing.resolve();
					await goOn.promise;
				}
				const receipt = await inner.commit(run, epoch, writes);
				for (const write of writes) if (write.kind === "approval") durable.add(write.approval);
				return receipt;
			},
		};
		const free = defineTool({ name: "free", description: "Free.", input: z.object({}), execute: () => "free" });
		const late = defineTool({ ...lookDefinition, execute: () => writing.promise });
		const policy = ({ tool }: { tool: { name: string } }) =>
			tool.name === "pay" ? ({ verdict: "ask", reason: "money" } as const) : ({ verdict: "allow" } as const);
		const three = calls(["free", "look", "pay"].map((tool) => ({ tool })));
		const options = { tools: [free, late, pay], store, harness: { policy }, limits: { concurrencyMax: 2 } };
		const scene = play([three, say("done")], options);
		const shown: boolean[] = [];
		const onEvent = (event: RunEvent) => {
			if (event.type === "approval.requested") shown.push(durable.has(event.approval));
		};
		const running = scene.harness.run(scene.agent, "go", { runId: "r", onEvent });
		await writing.promise;
		for (let i = 0; i < 5; i++) await turn();
		goOn.resolve();
		await running;
		expect(shown).toEqual([true]);
	});

	test("of a resumed run gives what is new", async () => {
		const scene = play([call("pay"), say("done")]);
		const first = await scene.harness.run(scene.agent, "go");
		await scene.harness.approve(onlyWait(first, "approval").approval);
		const events = await read(scene.harness.streamResume(first.run));
		expect(typesOf(events)).toEqual([
			"approval.resolved",
			"call.decided",
			"call.started",
			"call.finished",
			"model.answered",
			"run.finished",
		]);
	});

	test("says when what came is void, because the connection broke in the middle", async () => {
		const scene = play([breaking("the answer is for"), say("the answer is five")]);
		const events = await read(scene.harness.stream(scene.agent, "go"));
		const restarted = events.findIndex(({ type }) => type === "answer.restarted");
		const words = events.slice(restarted).flatMap((event) => (event.type === "text.delta" ? event.text : []));
		expect(restarted).toBeGreaterThan(0);
		expect(words.join("")).toBe("the answer is five");
	});

	test("says which attempts of the model failed, and when the next one comes", async () => {
		const scene = play([failing(500), breaking(), say("done")]);
		const stream = scene.harness.stream(scene.agent, "go");
		const failed = (await read(stream)).filter(({ type }) => type === "attempt.failed");
		expect(failed).toMatchObject([
			{ attempt: 1, attemptsMax: 4, status: 500, waitMs: expect.any(Number) },
			{ attempt: 2, attemptsMax: 4, reason: expect.any(String), waitMs: expect.any(Number) },
		]);
		const types = (await scene.events((await stream.result).run)).map(({ type }) => type);
		expect(types).not.toContain("attempt.failed");
	});

	test("fails its reader and its result with the same error", async () => {
		const scene = play([call("nowhere")]);
		const stream = scene.harness.stream(scene.agent, "go");
		await expect(read(stream)).rejects.toMatchObject({ code: "story.mismatch" });
		await expect(stream.result).rejects.toMatchObject({ code: "story.mismatch" });
	});
});

describe("back-pressure", () => {
	/** Counts what the provider was asked for. */
	function countingModel() {
		let pulled = 0;
		const around: NonNullable<StageOptions["around"]> = (model) => ({
			...model,
			async doStream(options) {
				const reader = (await model.doStream(options)).stream.getReader();
				const pull = async (out: ReadableStreamDefaultController<LanguageModelV4StreamPart>) => {
					pulled++;
					const { value, done } = await reader.read();
					if (done) out.close();
					else out.enqueue(value);
				};
				return { stream: new ReadableStream({ pull }, { highWaterMark: 0 }) };
			},
		});
		return { around, pulled: () => pulled };
	}

	const long = say("x".repeat(24 * 500));

	test("I8: a slow reader holds the model back, and gets everything in the end", async () => {
		const model = countingModel();
		const scene = play([long], { around: model.around, limits: { streamBufferMax: 4 } });
		const stream = scene.harness.stream(scene.agent, "go");
		const reader = stream[Symbol.asyncIterator]();
		await reader.next();
		for (let i = 0; i < 50; i++) await turn();
		expect(model.pulled()).toBeLessThan(20);
		let events = 1;
		while (!(await reader.next()).done) events++;
		expect(events).toBeGreaterThan(500);
		expect(await stream.result).toMatchObject({ status: "completed" });
	});

	/** A run that makes call after call without a word, and whose reader stops reading after one event. */
	async function stalled(options: { signal?: AbortSignal } = {}) {
		let answers = 0;
		const usage = { inputTokens: 1, outputTokens: 1 };
		const model = async () => {
			const content = [{ type: "tool-call", toolCallId: `t${++answers}`, toolName: "look", input: "{}" } as const];
			return { content, finish: "tool-calls" as const, usage };
		};
		const limits = { streamBufferMax: 4, turnsMax: 10, leaseMs: 150 };
		const scene = play([], { middleware: [{ name: "wordless", model }], limits });
		const stream = scene.harness.stream(scene.agent, "go", { runId: "r", ...options });
		const reader = stream[Symbol.asyncIterator]();
		await reader.next();
		for (let i = 0; i < 50; i++) await turn();
		return { scene, stream, reader, answers: () => answers };
	}

	test("I8: a slow reader holds the driver back too, where there are no words to hold back", async () => {
		const { stream, reader, answers } = await stalled();
		expect(answers()).toBeLessThan(4);
		while (!(await reader.next()).done);
		expect(answers()).toBe(10);
		expect(await stream.result).toMatchObject({ status: "failed", error: { code: "limit.turns" } });
	});

	test("a reader that has stopped reading does not keep anybody from aborting the run", async () => {
		const controller = new AbortController();
		const { scene, stream } = await stalled({ signal: controller.signal });
		controller.abort(new Error("enough"));
		await expect(stream.result).rejects.toThrow("enough");
		expect((await scene.store.load("r"))?.lease).toBeUndefined();
	});

	test.each(["this", "another"])("nor from cancelling it, in %s process", async (where) => {
		const { scene, stream } = await stalled();
		const { harness } = where === "this" ? scene : scene.again();
		await harness.cancel("r");
		expect(await stream.result).toMatchObject({ status: "cancelled" });
	});

	test("a signal that comes while the reader is slow does not make the run hang", async () => {
		const scene = play([call("look"), long, say("second answer")], { limits: { streamBufferMax: 4 } });
		const stream = scene.harness.stream(scene.agent, "go", { runId: "r" });
		const reader = stream[Symbol.asyncIterator]();
		while ((await reader.next()).value?.type !== "text.delta");
		for (let i = 0; i < 20; i++) await turn();
		await scene.harness.tell("r", "one more");
		for (let i = 0; i < 20; i++) await turn();
		while (!(await reader.next()).done);
		expect(await stream.result).toMatchObject({ status: "completed", text: "second answer" });
	});

	test("a reader that goes away stops the run, which is kept and can be resumed", async () => {
		const scene = play([call("look"), long], { limits: { streamBufferMax: 4 } });
		const stream = scene.harness.stream(scene.agent, "go", { runId: "r" });
		for await (const event of stream) if (event.type === "text.delta") break;
		await expect(stream.result).rejects.toMatchObject({ code: "stream.aborted" });
		expect((await scene.store.load("r"))?.lease).toBeUndefined();
		expect(await scene.harness.resume("r")).toMatchObject({ status: "completed" });
	});

	test("a reader that goes away at the end changes nothing", async () => {
		const scene = play([say("done")]);
		const stream = scene.harness.stream(scene.agent, "go");
		for await (const event of stream) if (event.type === "run.finished") break;
		expect(await stream.result).toMatchObject({ status: "completed" });
	});
});

describe("an abort", () => {
	test.each([
		["an error", new Error("the user left")],
		["a text", "the user left"],
		["null", null],
		["an empty text", ""],
	])("with %s as reason stops the run, which is kept and can be resumed", async (_, reason) => {
		const begun = gate<void>();
		let hang = true;
		const slow = defineTool({
			name: "look",
			description: "Looks.",
			input: z.object({}),
			effect: "read",
			execute: () => {
				begun.resolve();
				return hang ? new Promise(() => undefined) : "seen";
			},
		});
		const scene = play([call("look"), say("done")], { tools: [slow] });
		const controller = new AbortController();
		const running = scene.harness.run(scene.agent, "go", { runId: "r", signal: controller.signal });
		const outcome = running.then(
			() => "finished",
			(error: unknown) => error,
		);
		await begun.promise;
		controller.abort(reason);
		const error = await outcome;
		if (reason) expect(error).toBe(reason);
		else expect(error).toMatchObject({ code: "stream.aborted" });
		expect((await scene.store.load("r"))?.lease).toBeUndefined();
		hang = false;
		expect(await scene.harness.resume("r")).toMatchObject({ status: "completed" });
	});

	test.each([
		["an error", new Error("the user left")],
		["null", null],
	])("with %s while the model is asked for the first time: the run is kept too", async (_, reason) => {
		const asked = gate<void>();
		let hang = true;
		const around: NonNullable<StageOptions["around"]> = (model) => ({
			...model,
			doGenerate: (request) => {
				asked.resolve();
				const { abortSignal } = request;
				if (!hang) return model.doGenerate(request);
				return new Promise((_, reject) => abortSignal?.addEventListener("abort", () => reject(new Error("aborted"))));
			},
		});
		const scene = play([say("done")], { around });
		const controller = new AbortController();
		const running = scene.harness.run(scene.agent, "go", { runId: "r", signal: controller.signal });
		const outcome = running.then(
			() => "finished",
			(error: unknown) => error,
		);
		await asked.promise;
		controller.abort(reason);
		if (reason) expect(await outcome).toBe(reason);
		else expect(await outcome).toMatchObject({ code: "stream.aborted" });
		expect(scene.prompts).toHaveLength(1);
		expect(await scene.harness.runs()).toMatchObject([{ run: "r", status: "running", lease: undefined }]);
		hang = false;
		expect(await scene.harness.resume("r")).toMatchObject({ status: "completed", text: "done" });
	});

	test("before it began: nothing is done", async () => {
		const scene = play([say("done")]);
		const signal = AbortSignal.abort(new Error("too late"));
		await expect(scene.harness.run(scene.agent, "go", { signal })).rejects.toThrow("too late");
		expect(scene.prompts).toEqual([]);
		expect(await scene.harness.runs()).toEqual([]);
	});

	test("I1: while an intent is being written: the tool does not start", async () => {
		let ran = 0;
		const once = defineTool({ name: "pay", description: "Pays.", input: z.object({}), execute: () => ran++ });
		const first = play([call("pay"), say("done")]);
		const controller = new AbortController();
		const store = {
			...first.store,
			async commit(...args: Parameters<typeof first.store.commit>) {
				const receipt = await first.store.commit(...args);
				if (args[2].some((write) => write.kind === "entry" && write.body.includes("call.started")))
					controller.abort(new Error("now"));
				return receipt;
			},
		};
		const policy = () => ({ verdict: "allow" }) as const;
		const scene = play([call("pay"), say("done")], { tools: [once], store, clock: first.clock, harness: { policy } });
		await expect(scene.harness.run(scene.agent, "go", { runId: "r", signal: controller.signal })).rejects.toThrow(
			"now",
		);
		expect(ran).toBe(0);
		expect(onlyWait(await scene.harness.resume("r"), "unknown").tool).toBe("pay");
	});

	test("a listener that throws is told nothing more, and the run is none of its business", async () => {
		const scene = play([call("look"), say("done")]);
		const heard: string[] = [];
		const warned = new Promise<Error>((resolve) => process.once("warning", resolve));
		const onEvent = (event: { type: string }) => {
			heard.push(event.type);
			if (event.type === "call.finished") throw new Error("my listener broke");
		};
		const result = await scene.harness.run(scene.agent, "go", { runId: "r", onEvent });
		expect(result.status).toBe("completed");
		expect(heard.at(-1)).toBe("call.finished");
		expect((await warned).message).toContain("my listener broke");
	});
});
