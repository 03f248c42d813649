/** The traces of a run as its journal alone tells them: what became durable, without what commits took. */
import type { Span } from "../spec/trace.ts";
import { RunTrace } from "./run-trace.ts";
import type { TraceOptions } from "./trace-options.ts";
import type { TracedEvent } from "./tracer.ts";

/** What happened under one lease. */
export interface DerivedSegment {
	readonly epoch: number;
	readonly events: readonly TracedEvent[];
	/** How it ended, where that is known: `waiting`, or as the run did. Left out: nobody knows, and its last event is its end. */
	readonly status?: string;
}

type Deriving = Pick<TraceOptions, "store" | "run" | "generation" | "content" | "costOf">;

/** Spans in the order in which they ended, by the epoch of their segment. A segment without an event has none. */
export function deriveTraces(
	options: Deriving,
	segments: readonly DerivedSegment[],
): ReadonlyMap<number, readonly Span[]> {
	let spans: Span[] = [];
	const trace = new RunTrace({
		...options,
		began: () => undefined,
		ended: (span) => void spans.push(span),
		measured: undefined,
	});
	const found = new Map<number, readonly Span[]>();
	let previous: number | undefined;
	for (const { epoch, events, status } of segments) {
		const [first] = events;
		if (!first) continue;
		spans = [];
		trace.begin({ epoch, at: first.at, previous });
		for (const { event, at } of events) trace.event(event, at);
		trace.end({ at: events.at(-1)?.at ?? first.at, ...(status === undefined ? {} : { status }) });
		found.set(epoch, spans);
		previous = epoch;
	}
	return found;
}
