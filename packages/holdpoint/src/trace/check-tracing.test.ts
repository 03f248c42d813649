import { expect, test } from "vitest";
import { createHarness } from "../holdpoint.ts";
import { traceRecorder } from "../testing/trace-recorder.ts";

test.each([
	["no list", { exporters: "x" }],
	["nothing", {}],
	["null among them", { exporters: [null] }],
	["one that cannot end", { exporters: [{ ended: () => undefined }] }],
	["a word for content", { exporters: [traceRecorder()], content: "no" }],
	["an unknown generation", { exporters: [traceRecorder()], generation: "foo" }],
])("tracing with %s is refused", (_, tracing) => {
	expect(() => createHarness({ tracing: tracing as never })).toThrow(
		expect.objectContaining({ code: "config.invalid", message: expect.stringContaining("`tracing`") }),
	);
});

test("tracing as it is meant is taken, also without what has a default", async () => {
	await createHarness({ tracing: { exporters: [] } }).close();
	await createHarness({ tracing: { exporters: [traceRecorder()], content: false, generation: "latest" } }).close();
});
