/** Sends traces and metrics to a collector over OTLP/HTTP, with an SDK of its own: nothing global is touched. */
import { HoldpointError } from "../../../spec/errors.ts";
import type { TraceExporter } from "../../../spec/trace.ts";

export interface OtlpOptions {
	/**
	 * Of the collector, such as `http://127.0.0.1:4318`. Default: OTEL_EXPORTER_OTLP_ENDPOINT and the other standard
	 * variables, else that one.
	 */
	readonly endpoint?: string;
	/** Default: OTEL_SERVICE_NAME, else `holdpoint`. */
	readonly serviceName?: string;
	/** How long one request may take, and the end of the harness waits for the last ones. Default 2,000. Milliseconds. */
	readonly timeoutMs?: number;
	/** Between two reports of metrics. Default 60,000. Milliseconds. */
	readonly metricsEveryMs?: number;
}

const queueMax = 20_000;

/**
 * A collector that is down or hangs holds nothing up: what cannot be sent is dropped. Needs the packages
 * `@opentelemetry/sdk-trace`, `sdk-metrics`, `resources` and the two OTLP exporters. Errors: `config.invalid`.
 */
export async function otlpTracing(options: OtlpOptions = {}): Promise<TraceExporter> {
	const { timeoutMs = 2_000, metricsEveryMs = 60_000 } = options;
	const base = checked(options.endpoint);
	const [
		{ linkedIds, openTelemetry },
		{ resourceFromAttributes },
		traces,
		measures,
		{ OTLPTraceExporter },
		{ OTLPMetricExporter },
	] = await packages();
	const at = (path: string) => ({ timeoutMillis: timeoutMs, ...(base === undefined ? {} : { url: `${base}${path}` }) });
	const name = options.serviceName ?? (process.env["OTEL_SERVICE_NAME"] || "holdpoint");
	const resource = resourceFromAttributes({ "service.name": name });
	const processor = new traces.BatchSpanProcessor({
		exporter: new OTLPTraceExporter(at("/v1/traces")),
		maxQueueSize: queueMax,
		scheduledDelayMillis: 1_000,
		exportTimeoutMillis: timeoutMs,
	});
	const tracers = new traces.TracerProvider({ resource, idGenerator: linkedIds(), spanProcessors: [processor] });
	const reader = new measures.PeriodicExportingMetricReader({
		exporter: new OTLPMetricExporter(at("/v1/metrics")),
		exportIntervalMillis: metricsEveryMs,
		exportTimeoutMillis: Math.min(timeoutMs, metricsEveryMs),
	});
	const meters = new measures.MeterProvider({ resource, readers: [reader] });
	return openTelemetry({
		tracer: tracers.getTracer("holdpoint"),
		meter: meters.getMeter("holdpoint"),
		shutdown: () => inTime([tracers.shutdown(), meters.shutdown()], timeoutMs),
	});
}

/** Errors: `config.invalid` where one of them is not installed. */
async function packages() {
	try {
		return await Promise.all([
			// It needs the API.
			import("./exporter.ts"),
			import("@opentelemetry/resources"),
			import("@opentelemetry/sdk-trace"),
			import("@opentelemetry/sdk-metrics"),
			import("@opentelemetry/exporter-trace-otlp-http"),
			import("@opentelemetry/exporter-metrics-otlp-http"),
		]);
	} catch (cause) {
		if ((cause as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw cause;
		const names = "api resources sdk-trace sdk-metrics exporter-trace-otlp-http exporter-metrics-otlp-http".split(" ");
		throw new HoldpointError(
			"config.invalid",
			"OTLP is asked for, and OpenTelemetry's packages for it are not all there",
			{
				cause,
				hint: `npm install ${names.map((name) => `@opentelemetry/${name}`).join(" ")}`,
			},
		);
	}
}

/** Whatever has not ended by then is left to itself. */
async function inTime(works: readonly Promise<void>[], ms: number): Promise<void> {
	const over = Promise.withResolvers<void>();
	const timer = setTimeout(over.resolve, ms);
	await Promise.race([Promise.allSettled(works), over.promise]);
	clearTimeout(timer);
}

/** Errors: `config.invalid`. */
function checked(endpoint: string | undefined): string | undefined {
	if (endpoint === undefined) return undefined;
	const { protocol } = URL.parse(endpoint) ?? {};
	if (protocol === "http:" || protocol === "https:") return endpoint.replace(/\/+$/, "");
	throw new HoldpointError(
		"config.invalid",
		`The OTLP endpoint ${JSON.stringify(endpoint.slice(0, 200))} is no http URL`,
		{
			hint: "Such as http://127.0.0.1:4318.",
		},
	);
}
