/** Governed calls, with and without tracing: everything that it costs is in the time, also what is done after the runs. */
import { join } from "node:path";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { BatchSpanProcessor, type BatchSpanProcessorOptions, TracerProvider } from "@opentelemetry/sdk-trace";
import { createHarness, defineAgent, defineTool, type HarnessOptions, memoryStore, sqliteStore } from "holdpoint";
import { linkedIds, openTelemetry } from "holdpoint/tracing/opentelemetry";
import { sqliteTraces } from "holdpoint/tracing/sqlite";
import { z } from "zod";
import { promptModel } from "../script-model.ts";
import type { Numbers } from "../statistics.ts";
import { type Ask, serveRows } from "../subject.ts";
import { check, instructions, lookup, prompt, toolDescription } from "../work.ts";

const folder = process.argv[2] ?? ".";
const callsPerRun = 20;
const tool = defineTool({
	name: "lookup",
	description: toolDescription,
	input: z.object({ id: z.number() }),
	effect: "read",
	execute: lookup,
});
const agent = defineAgent({
	name: "bench",
	instructions,
	model: promptModel(callsPerRun),
	tools: [tool],
	limits: { turnsMax: callsPerRun + 2 },
});
let files = 0;

/** Ends spans and batches them, as an application does, and sends them nowhere. */
const nowhere: BatchSpanProcessorOptions["exporter"] = {
	export: (_, done) => done({ code: 0 }),
	shutdown: async () => undefined,
};

function exporterOf(kind: number): NonNullable<HarnessOptions["tracing"]>["exporters"] {
	if (kind === 1) return [sqliteTraces(join(folder, `traces-${files++}.db`))];
	if (kind !== 2) return [];
	const spanProcessors = [new BatchSpanProcessor({ exporter: nowhere, maxQueueSize: 100_000 })];
	const provider = new TracerProvider({ idGenerator: linkedIds(), spanProcessors });
	const meter = new MeterProvider().getMeter("bench");
	return [openTelemetry({ tracer: provider.getTracer("bench"), meter, shutdown: () => provider.shutdown() })];
}

/** One run after the other for the span of the ask; `kind`: 0 without tracing, 1 the local store, 2 OpenTelemetry. */
async function calls({ args: { kind = 0, durable = 1 }, warmup, slice }: Ask): Promise<Numbers> {
	const measure = async (span: Ask["slice"]): Promise<number> => {
		const store = durable === 1 ? sqliteStore(join(folder, `runs-${files++}.db`)) : memoryStore();
		const harness = createHarness({ store, tracing: { exporters: exporterOf(kind) } });
		await harness.runs({ limit: 1 });
		const began = performance.now();
		let runs = 0;
		do {
			const result = await harness.run(agent, prompt);
			check(result.status === "completed", result.status);
			runs++;
		} while (performance.now() - began < span.ms);
		// What is put off is done here at the latest.
		await harness.close();
		return (performance.now() - began) / (runs * callsPerRun);
	};
	if (warmup.ms > 0) await measure(warmup);
	return { ms: await measure(slice) };
}

await serveRows({ calls });
