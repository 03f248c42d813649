import { expect, test, vi } from "vitest";
import { z } from "zod";
import { onlyWait, stage } from "../testing/stage.ts";
import { call, failing, say } from "../testing/story.ts";
import { traceRecorder } from "../testing/trace-recorder.ts";
import { defineTool } from "../tools/define-tool.ts";
import { RunMemory } from "../trace/run-memory.ts";
import { Redactor } from "./redactor.ts";
import { emptyState } from "./run-state.ts";
import { SegmentTrace } from "./segment-trace.ts";

const pay = defineTool({
	name: "pay",
	description: "Pays.",
	input: z.object({ cents: z.number() }),
	effect: "write",
	execute: ({ cents }) => ({ paid: cents }),
});

test.each([false, true])(
	"each event is redacted and folded once, however many segments there are (content: %s)",
	async (content) => {
		const payments = 12;
		const story = [...Array.from({ length: payments }, (_, at) => call("pay", { cents: at })), say("done")];
		const tracing = { exporters: [traceRecorder()], content };
		const scene = stage({ story, tools: [pay], harness: { tracing } });
		const redacted = vi.spyOn(Redactor.prototype, "event");
		const folded = vi.spyOn(RunMemory.prototype, "learn");
		let result = await scene.harness.run(scene.agent, "go");
		while (result.status === "waiting") {
			await scene.harness.approve(onlyWait(result, "approval").approval);
			result = await scene.harness.resume(result.run);
		}
		const { events, segments } = await scene.harness.show(result.run);
		await scene.harness.close();
		const counts = [redacted.mock.calls.length, folded.mock.calls.length];
		vi.restoreAllMocks();
		expect(segments).toHaveLength(payments + 1);
		expect(counts).toEqual([events.length, events.length]);
	},
);

test.each([1_500, 2_500])(
	"a result that is nested %i levels deep ends no run, is hidden, and what follows it is told",
	async (depth) => {
		const mark = defineTool({
			name: "mark",
			description: "Marks.",
			input: z.object({ who: z.string().meta({ sensitive: "secret" }) }),
			effect: "read",
			execute: () => true,
		});
		const nest = defineTool({
			name: "nest",
			description: "Nests.",
			input: z.object({}),
			effect: "write",
			execute: () => JSON.parse(`${"[".repeat(depth)}"tok-4711"${"]".repeat(depth)}`),
		});
		const recorder = traceRecorder();
		const story = [call("mark", { who: "tok-4711" }), call("nest"), say("done")];
		const harness = {
			policy: () => ({ verdict: "allow" as const }),
			tracing: { exporters: [recorder], content: true },
		};
		const scene = stage({ story, tools: [mark, nest], harness });
		const seen: unknown[] = [];
		const result = await scene.harness.run(scene.agent, "go", { onEvent: (event) => void seen.push(event) });
		const { length } = await scene.events(result.run);
		await scene.harness.close();
		expect(result.status).toBe("completed");
		expect(seen).toHaveLength(length);
		expect(JSON.stringify(seen)).not.toContain("tok-4711");
		expect(JSON.stringify(recorder.spans)).not.toContain("tok-4711");
		expect(recorder.spans.at(-1)?.attributes["holdpoint.run.status"]).toBe("completed");
	},
);

test("an event that cannot be redacted is left out with a warning, and the rest is told", () => {
	const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
	const told: unknown[] = [];
	const tracing = {
		event: (event: unknown) => void told.push(event),
		committed: () => void told.push("commit"),
		modelAsked: () => void told.push("model"),
		ended: () => void told.push("end"),
	};
	const redactor = new Redactor("all");
	const trace = new SegmentTrace(
		{ begin: () => tracing },
		{ state: emptyState("r1", [], new Map()), askedAt: new Map(), redactor, epoch: 2, entries: [], now: () => 0 },
	);
	const event = vi.spyOn(redactor, "event").mockImplementationOnce(() => {
		throw new RangeError("too deep");
	});
	trace.event({ type: "cancel.requested", by: "ann" } as never, 0);
	trace.event({ type: "cancel.requested", by: "bob" } as never, 0);
	trace.ended("completed");
	expect(event).toHaveBeenCalledTimes(2);
	expect(told).toEqual([{ type: "cancel.requested", by: "bob" }, "end"]);
	expect(warned.mock.calls).toEqual([["Traces are incomplete: too deep"]]);
	vi.restoreAllMocks();
});

test("what killed a segment is told without what is marked", () => {
	const ends: unknown[] = [];
	const tracing = {
		event: () => undefined,
		committed: () => undefined,
		modelAsked: () => undefined,
		ended: (end: unknown) => void ends.push(end),
	};
	const redactor = new Redactor("all");
	for (const event of [
		{ type: "run.started", marks: { t: { args: { "": "secret" } } } },
		{ type: "call.asked", call: "c1.1", parent: "c1", tool: "t", args: "tok-4711", line: 1 },
	])
		redactor.learn(event as never, new Map());
	const trace = new SegmentTrace(
		{ begin: () => tracing },
		{ state: emptyState("r1", [], new Map()), askedAt: new Map(), redactor, epoch: 2, entries: [], now: () => 0 },
	);
	trace.died(new Error("no such tok-4711"));
	expect(ends).toEqual([{ at: 0, error: { type: "_OTHER", message: "no such [secret]" } }]);
});

test.each([
	["after what another process did", true],
	["in a run that is created with it", false],
])("a model that fails %s leaves a span, and one that was asked again says so", async (_, isResumed) => {
	const before = isResumed ? [call("pay", { cents: 1 })] : [];
	const recorder = traceRecorder();
	const story = [...before, failing(503), say("done")];
	const scene = stage({
		story,
		tools: [pay],
		limits: { modelAttemptsMax: 1 },
		harness: { tracing: { exporters: [recorder] } },
	});
	let run: Promise<unknown> = scene.harness.run(scene.agent, "go", { runId: "r1" });
	if (isResumed) {
		await scene.harness.approve(onlyWait((await run) as never, "approval").approval);
		run = scene.harness.resume("r1");
	}
	await expect(run).rejects.toMatchObject({ code: "model.unavailable" });
	expect((await scene.harness.resume("r1")).status).toBe("completed");
	await scene.harness.close();
	const failed = recorder.spans.filter(({ name, status }) => name === "chat scripted" && status.code === "error");
	expect(failed.map(({ attributes }) => attributes["error.type"])).toEqual(["model.unavailable"]);
	expect(recorder.spans.filter(({ name }) => name.startsWith("chat"))).toHaveLength(isResumed ? 3 : 2);
	expect(failed[0]?.status).toEqual({ code: "error" });
});

test("an answer says how often its model was asked before it came", async () => {
	const recorder = traceRecorder();
	const story = [failing(503), failing(503), call("look"), say("done")];
	const look = defineTool({
		name: "look",
		description: "Looks.",
		input: z.object({}),
		effect: "read",
		execute: () => 1,
	});
	const scene = stage({ story, tools: [look], harness: { tracing: { exporters: [recorder] } } });
	await scene.harness.run(scene.agent, "go");
	await scene.harness.close();
	const chats = recorder.spans.filter(({ name }) => name.startsWith("chat"));
	expect(chats.map(({ attributes }) => attributes["holdpoint.model.retries"])).toEqual([2, undefined]);
});
