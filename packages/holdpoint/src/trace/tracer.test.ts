import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from "vitest";
import type { RunEvent } from "../spec/events.ts";
import type { TraceExporter } from "../spec/trace.ts";
import { traceRecorder } from "../testing/trace-recorder.ts";
import { Tracer } from "./tracer.ts";

const options = { store: "s", generation: "v1.41", content: false, costOf: () => undefined } as const;
const started = { type: "run.started", agent: { name: "a" }, input: "x" } as unknown as RunEvent;
const answered = {
	type: "model.answered",
	content: [],
	finish: "stop",
	usage: { inputTokens: 1, outputTokens: 1 },
	ms: 1,
} as unknown as RunEvent;
const never = () => new Promise<void>(() => undefined);

let warned: MockInstance<typeof process.emitWarning>;
beforeEach(() => {
	warned = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
});
afterEach(() => {
	vi.useRealTimers();
	vi.restoreAllMocks();
});
const warnings = () => warned.mock.calls.map(([text]) => String(text));

function play(tracer: Tracer): void {
	const tell = tracer.begin({ run: "r", epoch: 1, at: 1_000, previous: undefined, known: undefined });
	tell.event(started, 1_000);
	tell.event(answered, 1_001);
	tracer.drain();
	tell.event(answered, 1_002);
	tracer.drain();
}

describe.each(["began", "ended", "measured"] as const)("an exporter whose %s is async and is rejected", (method) => {
	test("is told nothing more of what runs, with one warning; others are", async () => {
		let told = 0;
		const broken = {
			ended: () => undefined,
			close: async () => undefined,
			[method]: async () => {
				told++;
				throw new Error("boom");
			},
		};
		const recorder = traceRecorder();
		const tracer = new Tracer({ ...options, exporters: [broken, recorder] });
		play(tracer);
		await setImmediate();
		const before = told;
		play(tracer);
		expect(told).toBe(before);
		expect(warnings()).toEqual(["Traces are incomplete: boom"]);
		await tracer.close();
		expect(recorder.spans).toHaveLength(4);
	});
});

describe("an exporter that does not answer", () => {
	const hanging: TraceExporter = { ended: () => undefined, forget: never, close: never };

	test("is waited for ten seconds at the end, with a warning; others end", async () => {
		vi.useFakeTimers();
		const recorder = traceRecorder();
		const ended = new Tracer({ ...options, exporters: [hanging, recorder] }).close();
		await vi.advanceTimersByTimeAsync(10_000);
		await ended;
		expect(recorder.isClosed).toBe(true);
		expect(warnings()).toEqual(["Traces are incomplete: An exporter that was to end did not answer within 10000 ms"]);
		expect(vi.getTimerCount()).toBe(0);
	});

	test("when a run is to be dropped is an error that says that it is not sure", async () => {
		vi.useFakeTimers();
		const forgotten: string[] = [];
		const other: TraceExporter = { ...traceRecorder(), forget: (run) => void forgotten.push(run) };
		const erased = new Tracer({ ...options, exporters: [hanging, other] }).forget("r1");
		const failed = expect(erased).rejects.toMatchObject({
			code: "store.failed",
			message: expect.stringMatching(/not sure that the traces of run r1 are dropped.*did not answer within 10000 ms/),
		});
		await vi.advanceTimersByTimeAsync(10_000);
		await failed;
		expect(forgotten).toEqual(["r1"]);
	});
});
