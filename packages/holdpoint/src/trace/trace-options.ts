import type { ModelUsage } from "../spec/model.ts";
import type { Generation, Measurement, Span } from "../spec/trace.ts";

export interface TraceOptions {
	readonly store: string;
	readonly run: string;
	readonly generation: Generation;
	/** What was said may be recorded. */
	readonly content: boolean;
	/** In USD; undefined where nobody said what it costs. */
	readonly costOf: (
		model: { readonly provider: string; readonly modelId: string },
		usage: ModelUsage,
	) => number | undefined;
	readonly began: (span: Span) => void;
	readonly ended: (span: Span) => void;
	/** Undefined: nobody wants to know. */
	readonly measured: ((measurement: Measurement) => void) | undefined;
}
