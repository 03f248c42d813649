/** Gives traces and metrics to OpenTelemetry, whatever SDK is behind its API. */
import {
	type Attributes,
	type Meter,
	metrics,
	type Span as OtelSpan,
	ROOT_CONTEXT,
	type SpanContext,
	SpanKind,
	SpanStatusCode,
	type Tracer,
	trace,
} from "@opentelemetry/api";
import type { Measurement, Span, TraceExporter } from "../../../spec/trace.ts";

export interface OpenTelemetryOptions {
	/** Default: of the global provider. */
	readonly tracer?: Tracer;
	/** Default: of the global provider. */
	readonly meter?: Meter;
	/** Called when the harness is closed; whoever made the providers says here how they end. Default: nothing is ended. */
	readonly shutdown?: () => Promise<void>;
}

const scope = "holdpoint";
/** Roots whose ids are remembered for the links of later segments, where the SDK makes ids of its own. */
const rootsMax = 1_000;

/** The ids that the span which is being started is to have. Starting one is synchronous. */
let wanted: Pick<Span, "traceId" | "spanId"> | undefined;

/**
 * For the `idGenerator` of an SDK's tracer provider: spans of Holdpoint keep the ids that follow from their run, so that
 * segments of a run are linked across processes. Other spans get random ones.
 */
export function linkedIds(): { generateTraceId(): string; generateSpanId(): string } {
	return {
		generateTraceId: () => wanted?.traceId ?? randomHex(16),
		generateSpanId: () => wanted?.spanId ?? randomHex(8),
	};
}

function randomHex(bytes: number): string {
	return Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString("hex");
}

/** An exporter for `createHarness({ tracing: { exporters: [openTelemetry()] } })`. */
export function openTelemetry(options: OpenTelemetryOptions = {}): TraceExporter {
	const tracer = options.tracer ?? trace.getTracer(scope);
	const meter = options.meter ?? metrics.getMeter(scope);
	const open = new Map<string, OtelSpan>();
	/** They were whole when they began. */
	const whole = new Set<string>();
	const roots = new Map<string, SpanContext>();
	const record = recorder(meter);
	return {
		began(span) {
			const parent = span.parentSpanId === undefined ? undefined : open.get(span.parentSpanId);
			const started = start(tracer, span, parent);
			open.set(span.spanId, started);
			if (span.end !== undefined) whole.add(span.spanId);
			if (span.parentSpanId !== undefined) return;
			const context = started.spanContext();
			const isOurs = context.traceId === span.traceId;
			for (const { traceId, spanId, attributes } of span.links) {
				// A link to an id that no span has helps nobody.
				const to = isOurs ? { traceId, spanId, traceFlags: context.traceFlags } : roots.get(spanId);
				if (to) started.addLink({ context: to, attributes: attributes as Attributes });
			}
			if (!isOurs) remember(roots, span.spanId, context);
		},
		ended(span) {
			const started = open.get(span.spanId);
			open.delete(span.spanId);
			if (started) finish(started, span, { isWhole: whole.delete(span.spanId) });
		},
		measured: record,
		async close() {
			await options.shutdown?.();
		},
	};
}

function start(tracer: Tracer, span: Span, parent: OtelSpan | undefined): OtelSpan {
	const context = parent ? trace.setSpan(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
	const kind = span.kind === "client" ? SpanKind.CLIENT : SpanKind.INTERNAL;
	wanted = span;
	try {
		const attributes = span.attributes as Attributes;
		return tracer.startSpan(span.name, { kind, startTime: timeOf(span.start), attributes }, context);
	} finally {
		wanted = undefined;
	}
}

function finish(started: OtelSpan, span: Span, { isWhole }: { readonly isWhole: boolean }): void {
	if (started.isRecording()) {
		if (!isWhole) started.setAttributes(span.attributes as Attributes);
		for (const { name, at, attributes } of span.events) started.addEvent(name, attributes as Attributes, timeOf(at));
		const { code, message } = span.status;
		if (code === "error")
			started.setStatus({ code: SpanStatusCode.ERROR, ...(message === undefined ? {} : { message }) });
	}
	started.end(timeOf(span.end ?? span.start));
}

/** Seconds and nanoseconds: a number would be taken for a time since the process began where it is small. */
function timeOf(ms: number): [number, number] {
	const seconds = Math.floor(ms / 1_000);
	return [seconds, Math.round((ms - seconds * 1_000) * 1e6)];
}

function remember(roots: Map<string, SpanContext>, spanId: string, context: SpanContext): void {
	roots.set(spanId, context);
	if (roots.size <= rootsMax) return;
	const [oldest] = roots.keys();
	roots.delete(oldest as string);
}

/** Instruments are made when they are first used. */
function recorder(meter: Meter): (measurement: Measurement) => void {
	const instruments = new Map<string, (value: number, attributes: Attributes) => void>();
	return ({ name, instrument, unit, value, attributes }) => {
		let write = instruments.get(name);
		if (!write) {
			write = instrumentOf(meter, { name, instrument, unit });
			instruments.set(name, write);
		}
		write(value, attributes as Attributes);
	};
}

/** As the conventions have them: of tokens, and of seconds. */
const buckets: { readonly [unit: string]: number[] } = {
	"{token}": Array.from({ length: 14 }, (_, power) => 4 ** power),
	s: [0.001, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 3_600, 86_400],
};

function instrumentOf(meter: Meter, { name, instrument, unit }: Pick<Measurement, "name" | "instrument" | "unit">) {
	if (instrument === "histogram") {
		const explicitBucketBoundaries = buckets[unit];
		const advice = explicitBucketBoundaries ? { advice: { explicitBucketBoundaries } } : {};
		const histogram = meter.createHistogram(name, { unit, ...advice });
		return (value: number, attributes: Attributes) => histogram.record(value, attributes);
	}
	const counter =
		instrument === "counter" ? meter.createCounter(name, { unit }) : meter.createUpDownCounter(name, { unit });
	return (value: number, attributes: Attributes) => counter.add(value, attributes);
}
