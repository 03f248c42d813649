/**
 * What a trace is made of, and the port to whoever keeps it. The words are OpenTelemetry's; nothing of it is needed to
 * read or to write these.
 */
export type AttributeValue = string | number | boolean | readonly string[];
export type Attributes = { readonly [name: string]: AttributeValue };

/**
 * Which generation of the conventions is spoken. `v1.41`: the last one of the general conventions. `latest`: the first one
 * that stands alone (0.1), asked for with OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental.
 */
export type Generation = "v1.41" | "latest";

/** Attributes of every root: whose trace it is. */
export const runAttribute = "holdpoint.run.id";
/** Of the lease under which the segment ran: 1, 2, … */
export const epochAttribute = "holdpoint.segment.epoch";

/** One thing that took time. Times in milliseconds since 1970. */
export interface Span {
	/** Of the segment. 32 hexadecimal digits. */
	readonly traceId: string;
	/** 16 hexadecimal digits. */
	readonly spanId: string;
	/** Undefined: the root of its trace. */
	readonly parentSpanId: string | undefined;
	readonly name: string;
	readonly kind: "internal" | "client";
	readonly start: number;
	/** Undefined while it goes on. */
	readonly end: number | undefined;
	readonly attributes: Attributes;
	readonly events: readonly SpanEvent[];
	/** Of a root: the root of the segment before. */
	readonly links: readonly SpanLink[];
	readonly status: SpanStatus;
}

export interface SpanEvent {
	readonly name: string;
	readonly at: number;
	readonly attributes: Attributes;
}

export interface SpanLink {
	readonly traceId: string;
	readonly spanId: string;
	readonly attributes: Attributes;
}

export interface SpanStatus {
	readonly code: "unset" | "error";
	readonly message?: string;
}

/** One value of a metric. */
export interface Measurement {
	readonly name: string;
	readonly instrument: "counter" | "updown" | "histogram";
	/** As UCUM writes it: `s`, `{token}`. */
	readonly unit: string;
	readonly value: number;
	readonly attributes: Attributes;
}

/**
 * Whoever keeps or sends traces. It is told beside runs and never within one: nothing waits for it. One that throws is
 * told nothing more of what runs, and so is one whose promise is rejected, where it is written as `async`.
 */
export interface TraceExporter {
	/** A span began; what it is in the end comes with `ended`. One that has an end already is whole. Parents come first. */
	began?(span: Span): void;
	/** It is over. Children come first. */
	ended(span: Span): void;
	measured?(measurement: Measurement): void;
	/**
	 * The run is being erased: what is kept of it, or on its way, is to be dropped. Where it throws, or takes more than ten
	 * seconds, the run is not erased yet; one that threw before is told, too, and it may be told twice.
	 */
	forget?(run: string): void | Promise<void>;
	/** What is on its way is kept or sent, as far as that can be had in time: ten seconds; then it is over. */
	close(): Promise<void>;
}
