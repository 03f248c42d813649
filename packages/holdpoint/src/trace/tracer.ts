/**
 * Tells exporters how runs go, beside the runs: a run only puts down what happened, and it is made into spans a little
 * later. What a process that is killed had put down last is lost; the journal has it.
 */
import { inTime } from "../kit/in-time.ts";
import { reasonOf } from "../kit/reason-of.ts";
import { HoldpointError, isHoldpointError } from "../spec/errors.ts";
import type { RunEvent } from "../spec/events.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { TraceExporter } from "../spec/trace.ts";
import { capturesContent, generationOf } from "./conventions.ts";
import type { KnownRun } from "./run-memory.ts";
import { RunTrace } from "./run-trace.ts";
import type { Commit, ModelCall, SegmentBegin, SegmentEnd } from "./segment-facts.ts";
import type { TraceOptions } from "./trace-options.ts";

export type TracerOptions = Pick<TraceOptions, "store" | "generation" | "content" | "costOf"> & {
	readonly exporters: readonly TraceExporter[];
};

/** What is not said the environment says: one import for the front door, which opens tracers only where there are exporters. */
export function openTracer(
	{ content, generation, ...options }: Omit<TracerOptions, "content" | "generation"> & Partial<TracerOptions>,
	env: { readonly [name: string]: string | undefined },
): Tracer {
	return new Tracer({
		...options,
		content: content ?? capturesContent(env),
		generation: generation ?? generationOf(env),
	});
}

export interface TracedEvent {
	readonly at: number;
	readonly event: RunEvent;
}

export interface TracedSegment extends SegmentBegin {
	readonly run: string;
	/** What segments before came to; `content`: with what was said. Asked for at once, and only once. Undefined: it is the first one. */
	readonly known: ((content: boolean) => KnownRun) | undefined;
}

/** What a segment tells. Every method returns at once. */
export interface SegmentTracing {
	event(event: RunEvent, at: number): void;
	committed(commit: Commit): void;
	/** Before the event of its answer. */
	modelAsked(call: ModelCall): void;
	ended(end: SegmentEnd): void;
}

interface Put {
	readonly to: RunTrace;
	readonly event?: RunEvent;
	readonly at?: number;
	readonly begin?: SegmentBegin;
	readonly commit?: Commit;
	readonly call?: ModelCall;
	readonly end?: SegmentEnd;
}

/** Made into spans at a time, before others get their turn. */
const sliceMax = 500;

export class Tracer {
	private readonly options: TracerOptions;
	/** They still listen: one that threw is told nothing more of what runs, only that a run was erased, and the end. */
	private listening: readonly TraceExporter[];
	private queue: Put[] = [];
	private timer: NodeJS.Timeout | NodeJS.Immediate | undefined;
	private isClosed = false;

	constructor(options: TracerOptions) {
		this.options = options;
		this.listening = options.exporters;
	}

	begin(segment: TracedSegment): SegmentTracing {
		const to = this.traceOf(segment.run);
		try {
			if (segment.known) to.know(segment.known(this.options.content));
		} catch (error) {
			warn(error);
		}
		this.put({ to, begin: segment });
		return {
			event: (event, at) => this.put({ to, event, at }),
			committed: (commit) => this.put({ to, commit }),
			modelAsked: (call) => this.put({ to, call }),
			ended: (end) => this.put({ to, end }),
		};
	}

	/** A run is erased. Each one is told, whatever becomes of the others. Errors: `store.*`, also of one that does not answer. */
	async forget(run: string): Promise<void> {
		this.drain();
		const told = await this.each("An exporter that was to drop a run", (exporter) => exporter.forget?.(run));
		const failed = told.flatMap((one): unknown[] => (one.status === "rejected" ? [one.reason] : []));
		if (failed.length === 0) return;
		const [cause] = failed;
		if (isHoldpointError(cause) && cause.code.startsWith("store.")) throw cause;
		throw new HoldpointError(
			"store.failed",
			`It is not sure that the traces of run ${run} are dropped: ${reasonOf(cause)}`,
			{
				cause,
				details: { run },
				hint: "Erase the run again, without the exporter that fails if it always does.",
			},
		);
	}

	/** Everything that happened so far is told to the exporters. */
	drain(): void {
		this.cease();
		while (this.queue.length > 0) this.fold(this.queue.splice(0));
	}

	/** Exporters end, too; one that cannot is no reason for others not to, and none is waited for without end. */
	async close(): Promise<void> {
		this.drain();
		this.isClosed = true;
		const ended = await this.each("An exporter that was to end", (exporter) => exporter.close());
		for (const one of ended) if (one.status === "rejected") warn(one.reason);
	}

	private each(
		what: string,
		ask: (exporter: TraceExporter) => unknown,
	): Promise<readonly PromiseSettledResult<unknown>[]> {
		const timeoutMs = fixedLimits.traceWaitMs;
		return Promise.allSettled(
			this.options.exporters.map((exporter) => inTime((async () => ask(exporter))(), what, { timeoutMs })),
		);
	}

	private traceOf(run: string): RunTrace {
		const { store, generation, content, costOf } = this.options;
		return new RunTrace({
			store,
			run,
			generation,
			content,
			costOf,
			began: (span) => this.tell((exporter) => exporter.began?.(span)),
			ended: (span) => this.tell((exporter) => exporter.ended(span)),
			measured: this.listening.some(({ measured }) => measured)
				? (measurement) => this.tell((exporter) => exporter.measured?.(measurement))
				: undefined,
		});
	}

	private put(one: Put): void {
		// What a run that did not stop in time still says.
		if (this.isClosed) return;
		this.queue.push(one);
		if (this.queue.length >= fixedLimits.traceQueueMax) return this.drain();
		this.timer ??= setTimeout(() => this.drainSlice(), fixedLimits.traceDelayMs).unref();
	}

	private drainSlice(): void {
		this.timer = undefined;
		this.fold(this.queue.splice(0, sliceMax));
		if (this.queue.length > 0) this.timer = setImmediate(() => this.drainSlice()).unref();
	}

	private cease(): void {
		const { timer } = this;
		this.timer = undefined;
		// Of whichever kind it is.
		clearTimeout(timer as NodeJS.Timeout);
		clearImmediate(timer as NodeJS.Immediate);
	}

	private fold(puts: readonly Put[]): void {
		for (const { to, event, at, begin, commit, call, end } of puts) {
			try {
				if (event) to.event(event, at as number);
				else if (commit) to.committed(commit);
				else if (call) to.modelAsked(call);
				else if (end) to.end(end);
				else if (begin) to.begin(begin);
			} catch (error) {
				warn(error);
			}
		}
	}

	private tell(say: (exporter: TraceExporter) => unknown): void {
		for (const exporter of this.listening) {
			try {
				const told = say(exporter);
				// One that is written as `async` is heard, too: nobody else would be.
				if (typeof told === "object" && told !== null)
					Promise.resolve(told).catch((error: unknown) => this.drop(exporter, error));
			} catch (error) {
				this.drop(exporter, error);
			}
		}
	}

	private drop(exporter: TraceExporter, error: unknown): void {
		if (!this.listening.includes(exporter)) return;
		this.listening = this.listening.filter((other) => other !== exporter);
		warn(error);
	}
}

function warn(error: unknown): void {
	process.emitWarning(`Traces are incomplete: ${reasonOf(error)}`);
}
