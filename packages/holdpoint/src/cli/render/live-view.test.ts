import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ModelDelta } from "../../spec/model.ts";
import { recordingTerminal } from "../recording-host.ts";
import { liveView } from "./live-view.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test("the line at the bottom says that the model thinks, what it writes, and how often it was tried in vain", () => {
	const { terminal, statuses } = recordingTerminal();
	const view = liveView(terminal, "r", []);
	const after = (delta: ModelDelta, ms = 100): string => {
		view.onDelta(delta);
		vi.advanceTimersByTime(ms);
		return statuses.at(-1) ?? "";
	};
	vi.advanceTimersByTime(100);
	expect(statuses.at(-1)).toContain("the model is thinking …");
	const failed = { type: "attempt.failed", attempt: 2, attemptsMax: 4, waitMs: 1_600, reason: "overloaded" } as const;
	expect(after({ ...failed, status: 500 })).toContain("attempt 2 of 4: status 500, again in 1.6 s");
	expect(after({ ...failed, reason: "no \u001b[2Jroute" })).toMatch(/attempt 2 of 4: no .*route, again in 1\.6 s/);
	expect(statuses.at(-1)).not.toContain("\u001b");
	vi.advanceTimersByTime(1_600);
	expect(statuses.at(-1)).toContain("the model is thinking …");
	expect(after({ type: "text.delta", text: "Well" })).toContain("the model writes … Well");
	view.close();
	expect(statuses.at(-1)).toBe("");
});
