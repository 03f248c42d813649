import type { Measurement, Span, TraceExporter } from "../spec/trace.ts";

/** Keeps what it is told in memory, for tests. */
export interface TraceRecorder extends TraceExporter {
	/** Spans that are over, in the order in which they ended. */
	readonly spans: readonly Span[];
	readonly measurements: readonly Measurement[];
	readonly isClosed: boolean;
}

/** Makes an exporter that a test looks into. Close the harness first: until then spans may be on their way. */
export function traceRecorder(): TraceRecorder {
	const spans: Span[] = [];
	const measurements: Measurement[] = [];
	let isClosed = false;
	return {
		spans,
		measurements,
		get isClosed() {
			return isClosed;
		},
		ended: (span) => void spans.push(span),
		measured: (measurement) => void measurements.push(measurement),
		close: async () => {
			isClosed = true;
		},
	};
}
