/** Who is given the traces of what the command line runs: a file beside the store, and a collector where one is named. */
import type { HarnessOptions } from "../holdpoint.ts";
import { isHoldpointError } from "../spec/errors.ts";
import type { TraceExporter } from "../spec/trace.ts";
import { capturesContent, generationOf } from "../trace/conventions.ts";
import type { Invocation } from "./command.ts";
import type { HoldpointConfig } from "./holdpoint-config.ts";

/** Where the traces of a store's runs are. */
export function tracesPath(store: string): string {
	return `${store}.traces`;
}

/** HOLDPOINT_TRACES=off keeps none here; OpenTelemetry's own variables say where else they go. */
export async function tracingOf(
	{ host, terminal }: Invocation,
	store: string,
	{ tracing }: HoldpointConfig,
): Promise<HarnessOptions["tracing"]> {
	const { env } = host;
	const exporters: TraceExporter[] = [...(tracing?.exporters ?? [])];
	if (env["HOLDPOINT_TRACES"]?.trim().toLowerCase() !== "off") {
		const { sqliteTraces } = await import("../adapters/tracing/sqlite.ts");
		exporters.push(sqliteTraces(tracesPath(store)));
	}
	try {
		const { isOtlpWanted, unspokenExporters } = await import("../adapters/tracing/opentelemetry/otlp-environment.ts");
		for (const unspoken of unspokenExporters(env)) terminal.note(unspoken);
		if (isOtlpWanted(env)) {
			const { otlpTracing } = await import("../adapters/tracing/opentelemetry/otlp.ts");
			exporters.push(await otlpTracing({ env }));
		}
	} catch (error) {
		// Somebody set it for the whole machine: no reason not to run.
		if (!isHoldpointError(error)) throw error;
		terminal.note(`Nothing is sent over OTLP: ${error.message}. ${error.hint ?? ""}`);
	}
	return { content: capturesContent(env), generation: generationOf(env), ...tracing, exporters };
}

/** Whoever may have something of a run that is to go. A file that is not there is not made. */
export async function tracingToErase(
	store: string,
	{ tracing }: HoldpointConfig,
): Promise<NonNullable<HarnessOptions["tracing"]>> {
	const { sqliteTraces } = await import("../adapters/tracing/sqlite.ts");
	return { ...tracing, exporters: [...(tracing?.exporters ?? []), sqliteTraces(tracesPath(store))] };
}
