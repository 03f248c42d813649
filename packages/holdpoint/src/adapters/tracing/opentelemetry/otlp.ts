/** Sends traces and metrics to a collector over OTLP/HTTP, with an SDK of its own: nothing global is touched. */
import { randomUUID } from "node:crypto";
import { timerMsMax } from "../../../kit/clock.ts";
import { HoldpointError } from "../../../spec/errors.ts";
import type { TraceExporter } from "../../../spec/trace.ts";
import {
	addressOf,
	type Environment,
	type Protocol,
	protocolOf,
	resourceAttributesOf,
	timeoutMaxMs,
	timeoutOf,
} from "./otlp-environment.ts";
import { SentTraces, watch } from "./watched-sender.ts";

export interface OtlpOptions {
	/**
	 * Of the collector, such as `http://127.0.0.1:4318`. Default: OTEL_EXPORTER_OTLP_ENDPOINT, or the variables for single
	 * signals, else that one.
	 */
	readonly endpoint?: string;
	/** Default: OTEL_SERVICE_NAME, or that of OTEL_RESOURCE_ATTRIBUTES, else `holdpoint`. */
	readonly serviceName?: string;
	/**
	 * How long one request may take, and the end of the harness waits for the last ones. Default: OTEL_EXPORTER_OTLP_TIMEOUT,
	 * else 2,000. Milliseconds.
	 */
	readonly timeoutMs?: number;
	/** Between two reports of metrics. Default 60,000. Milliseconds. */
	readonly metricsEveryMs?: number;
	/** OpenTelemetry's variables. Default: those of the process; headers and certificates are always those. */
	readonly env?: Environment;
}

const queueMax = 20_000;
/** Up-down counters of two processes are two series, which can be added up. */
const instanceId = randomUUID();

/**
 * A collector that is down or hangs holds nothing up: what cannot be sent is dropped. Needs the packages
 * `@opentelemetry/sdk-trace`, `sdk-metrics`, `resources` and the two OTLP exporters of the protocol (as JSON unless
 * OTEL_EXPORTER_OTLP_PROTOCOL says `http/protobuf`). Errors: `config.invalid`.
 */
export async function otlpTracing(options: OtlpOptions = {}): Promise<TraceExporter> {
	const { env = process.env, metricsEveryMs = 60_000, endpoint, serviceName } = options;
	const given = options.timeoutMs === undefined ? undefined : checkedMs("timeoutMs", options.timeoutMs, timeoutMaxMs);
	checkedMs("metricsEveryMs", metricsEveryMs, timerMsMax);
	const to = (signal: "traces" | "metrics") => {
		const url = addressOf(env, signal, endpoint);
		return url === undefined ? undefined : { url, timeoutMillis: given ?? timeoutOf(env, signal) };
	};
	const [spansTo, metricsTo] = [to("traces"), to("metrics")];
	const protocols = { traces: spansTo && protocolOf(env, "traces"), metrics: metricsTo && protocolOf(env, "metrics") };
	const attributes = {
		"service.name": "holdpoint",
		"service.instance.id": instanceId,
		...resourceAttributesOf(env),
		...(serviceName === undefined ? {} : { "service.name": serviceName }),
	};
	const [{ linkedIds, openTelemetry }, { resourceFromAttributes }, traces, measures, senders] =
		await packages(protocols);
	const resource = resourceFromAttributes(attributes);
	const sent = new SentTraces();
	const spanSender = spansTo && new senders.traces.OTLPTraceExporter(spansTo);
	const metricSender = metricsTo && new senders.metrics.OTLPMetricExporter(metricsTo);
	if (spanSender) watch(spanSender, "Traces", sent.kept);
	if (metricSender) watch(metricSender, "Metrics");
	const processors = spanSender && [
		new traces.BatchSpanProcessor({
			exporter: spanSender,
			maxQueueSize: queueMax,
			scheduledDelayMillis: 1_000,
			exportTimeoutMillis: spansTo.timeoutMillis,
		}),
	];
	const readers = metricSender && [
		new measures.PeriodicExportingMetricReader({
			exporter: metricSender,
			exportIntervalMillis: metricsEveryMs,
			exportTimeoutMillis: Math.min(metricsTo.timeoutMillis, metricsEveryMs),
		}),
	];
	const tracers = new traces.TracerProvider({ resource, idGenerator: linkedIds(), spanProcessors: processors ?? [] });
	const meters = new measures.MeterProvider({ resource, readers: readers ?? [] });
	const timeoutMs = Math.max(spansTo?.timeoutMillis ?? 0, metricsTo?.timeoutMillis ?? 0);
	const { measured, ...exporter } = openTelemetry({
		tracer: tracers.getTracer("holdpoint"),
		meter: meters.getMeter("holdpoint"),
		shutdown: () => inTime([tracers.shutdown(), meters.shutdown()], timeoutMs),
	});
	return {
		...exporter,
		began(span) {
			sent.began(span);
			exporter.began?.(span);
		},
		forget: (run) => sent.forget(run),
		...(metricsTo && measured ? { measured } : {}),
	};
}

/** Errors: `config.invalid`. */
function checkedMs(name: string, ms: unknown, max: number): number {
	if (typeof ms === "number" && Number.isSafeInteger(ms) && ms > 0 && ms <= max) return ms;
	throw new HoldpointError("config.invalid", `${name} of the OTLP exporter is ${String(ms)}`, {
		hint: `It takes milliseconds, from 1 to ${max}.`,
	});
}

interface Protocols {
	/** Undefined: none is sent. */
	readonly traces: Protocol | undefined;
	readonly metrics: Protocol | undefined;
}

/** Errors: `config.invalid` where one of them is not installed. */
async function packages(protocols: Protocols) {
	try {
		return await Promise.all([
			// It needs the API.
			import("./exporter.ts"),
			import("@opentelemetry/resources"),
			import("@opentelemetry/sdk-trace"),
			import("@opentelemetry/sdk-metrics"),
			sendersFor(protocols),
		]);
	} catch (cause) {
		if ((cause as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw cause;
		const endOf = (protocol: Protocol | undefined) => (protocol === "http/protobuf" ? "proto" : "http");
		const own = [`trace-otlp-${endOf(protocols.traces)}`, `metrics-otlp-${endOf(protocols.metrics)}`];
		const names = ["api", "resources", "sdk-trace", "sdk-metrics", ...own.map((name) => `exporter-${name}`)];
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

/** Both protocols' have the same names. */
async function sendersFor({ traces, metrics }: Protocols) {
	return {
		traces: await (traces === "http/protobuf"
			? import("@opentelemetry/exporter-trace-otlp-proto")
			: import("@opentelemetry/exporter-trace-otlp-http")),
		metrics: await (metrics === "http/protobuf"
			? import("@opentelemetry/exporter-metrics-otlp-proto")
			: import("@opentelemetry/exporter-metrics-otlp-http")),
	};
}

/** Whatever has not ended by then is left to itself. */
async function inTime(works: readonly Promise<void>[], ms: number): Promise<void> {
	const over = Promise.withResolvers<void>();
	const timer = setTimeout(over.resolve, ms);
	await Promise.race([Promise.allSettled(works), over.promise]);
	clearTimeout(timer);
}
