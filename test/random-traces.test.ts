import { type TraceRecorder, traceRecorder } from "holdpoint/testing";
import { afterAll, describe, expect, test, vi } from "vitest";
import type { RunEvent } from "../packages/holdpoint/src/spec/events.ts";
import type { Span } from "../packages/holdpoint/src/spec/trace.ts";
import { sandboxUnderTest } from "../packages/holdpoint/src/testing/sandbox-under-test.ts";
import { RunTrace } from "../packages/holdpoint/src/trace/run-trace.ts";
import { metricProblems, spanProblems, treeProblems } from "./check-spans.ts";
import { modes, play } from "./random-play.ts";
import { Dice } from "./random-story.ts";
import { randomTeam } from "./random-team.ts";
import { playTeam } from "./team-play.ts";
import { WatchedSandbox } from "./watched-sandbox.ts";

/** Whatever a run does, wherever it is cut, and whatever its clock says: its spans are trees of the conventions. */

const sandbox = sandboxUnderTest();
afterAll(() => sandbox.close());

interface Folded {
	readonly ended: readonly Span[];
	readonly open: readonly Span[];
}

const snapshot = (spans: readonly Span[]): readonly Span[] => spans.map((span) => structuredClone({ ...span }));

/** A clock that mostly goes on. */
function timesFor(events: readonly RunEvent[], seed: number): number[] {
	let now = 1_000_000;
	return events.map((_, at) => {
		const dice = new Dice(seed, 77, at);
		now += dice.chance(0.1) ? -dice.between(1, 50_000) : dice.between(0, 40);
		return now;
	});
}

/** `after`: told how it stands after each event. */
function fold(
	events: readonly RunEvent[],
	times: readonly number[],
	after?: (folded: Folded, count: number) => void,
): Span[] {
	const ended: Span[] = [];
	const trace = new RunTrace({
		store: "store",
		run: "random",
		generation: "v1.41",
		content: true,
		costOf: () => 1,
		began: () => undefined,
		ended: (span) => void ended.push(span),
		measured: () => undefined,
	});
	trace.begin({ epoch: 1, at: times[0] ?? 0, previous: undefined });
	for (const [at, event] of events.entries()) {
		trace.event(event, times[at] ?? 0);
		after?.({ ended, open: trace.open }, at + 1);
	}
	trace.end({ at: times.at(-1) ?? 0, status: "waiting" });
	return ended;
}

function problemsOf(events: readonly RunEvent[], seed: number): string[] {
	const times = timesFor(events, seed);
	const problems: string[] = [];
	const stands: { readonly count: number; readonly ended: readonly Span[] }[] = [];
	const whole = fold(events, times, ({ ended, open }, count) => {
		const found = treeProblems([...ended, ...open]);
		problems.push(...found.map((problem) => `after ${count} events: ${problem}`));
		if (count % 7 === 0) stands.push({ count, ended: snapshot(ended) });
	});
	problems.push(...treeProblems(whole), ...spanProblems(whole, "v1.41"));
	if (JSON.stringify(fold(events, times)) !== JSON.stringify(whole)) problems.push("the same events gave other spans");
	// Incremental and whole are one: a prefix folded anew has ended what had ended by then, and closes what was open.
	for (const { count, ended } of stands) {
		const anew = fold(events.slice(0, count), times);
		if (JSON.stringify(anew.slice(0, ended.length)) !== JSON.stringify(ended))
			problems.push(`cut at ${count}: other spans`);
		problems.push(...treeProblems(anew).map((problem) => `cut at ${count}: ${problem}`));
	}
	return problems;
}

describe.each(modes)("random runs: %s", (mode) => {
	test.each([1, 2, 3, 4, 5, 6])("seed %i", async (seed) => {
		const { events } = await play({ seed, mode, sandbox }, []);
		expect(events.length).toBeGreaterThan(3);
		expect(problemsOf(events, seed)).toEqual([]);
	});
});

test.each(Array.from({ length: 12 }, (_, at) => at + 1))("random teams: seed %i", async (seed) => {
	const { events } = await playTeam(randomTeam(seed).play);
	expect(problemsOf(events, seed)).toEqual([]);
});

describe("as they run", () => {
	const traced = async (seed: number, crashes: Parameters<typeof play>[1]): Promise<TraceRecorder> => {
		const recorder = traceRecorder();
		const tracing = { exporters: [recorder], generation: "v1.41" } as const;
		// Whose it is ends it.
		const own = Object.assign(new WatchedSandbox(sandbox), { close: async () => undefined });
		const { end } = await play({ seed, mode: "plain", sandbox: own, tracing }, crashes);
		// A log that cannot be written by a process that died says so.
		const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
		await end();
		warned.mockRestore();
		return recorder;
	};

	test.each([1, 2, 3, 4, 5, 6, 7, 8])(
		"seed %i: processes that die leave whole trees of all that they were told",
		async (seed) => {
			for (const crashes of [
				[],
				[{ at: 2, when: "after" as const }],
				[
					{ at: 3, when: "before" as const },
					{ at: 2, when: "after" as const },
				],
			]) {
				const { spans, measurements } = await traced(seed, crashes);
				expect(spans.length).toBeGreaterThan(0);
				expect(treeProblems(spans)).toEqual([]);
				expect(spanProblems(spans, "v1.41")).toEqual([]);
				expect(metricProblems(measurements, "v1.41")).toEqual([]);
			}
		},
	);
});
