import { expect, test, vi } from "vitest";
import { z } from "zod";
import { onlyWait, stage } from "../testing/stage.ts";
import { call, say } from "../testing/story.ts";
import { traceRecorder } from "../testing/trace-recorder.ts";
import { defineTool } from "../tools/define-tool.ts";
import { RunMemory } from "../trace/run-memory.ts";
import { Redactor } from "./redactor.ts";

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
