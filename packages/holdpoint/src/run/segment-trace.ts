/**
 * Tells the tracer how a segment goes. Events are redacted first. A run that is being created is told of once the store
 * has it: another process may have created it under the same id.
 */
import type { Entry } from "../journal/journal.ts";
import { reasonOf } from "../kit/reason-of.ts";
import { isHoldpointError } from "../spec/errors.ts";
import type { RunEvent } from "../spec/events.ts";
import type { Commit, ModelCall } from "../trace/segment-facts.ts";
import type { SegmentTracing, Tracer } from "../trace/tracer.ts";
import { type GoingOn, knownRun } from "./known-run.ts";

export interface TraceStart extends Pick<GoingOn, "state" | "askedAt" | "redactor"> {
	/** 0: the first commit creates the run. */
	readonly epoch: number;
	/** What was there before. */
	readonly entries: readonly Entry[];
	readonly now: () => number;
}

interface CommitFacts {
	readonly events: number;
	/** It creates the run. */
	readonly isCreating: boolean;
	/** It lets the lease go. */
	readonly isReleasing: boolean;
}

export class SegmentTrace {
	/** Of a run that is not there yet. */
	private begin: (() => SegmentTracing) | undefined;
	private readonly redactor: TraceStart["redactor"];
	private readonly now: () => number;
	private tracing: SegmentTracing | undefined;
	/** Until the run is there. */
	private held: ((tracing: SegmentTracing) => void)[] = [];
	private isOver = false;

	constructor(tracer: Pick<Tracer, "begin">, start: TraceStart) {
		const { state, entries, askedAt, redactor, now } = start;
		const { run } = state;
		this.redactor = redactor;
		this.now = now;
		const at = now();
		const epoch = start.epoch || 1;
		if (start.epoch === 0) {
			this.begin = () => tracer.begin({ run, epoch, at, previous: undefined, known: undefined });
			return;
		}
		const known = (content: boolean) => knownRun({ state, askedAt, redactor, content });
		this.tracing = tracer.begin({ run, epoch, at, previous: lastEpoch(entries), known });
	}

	event(event: RunEvent, at: number): void {
		this.guarded(() => {
			const shown = this.redactor.event(event);
			this.tell((tracing) => tracing.event(shown, at));
		});
	}

	/** A commit; told once it is durable. */
	async timed<T>(commit: () => Promise<T>, { events, isCreating, isReleasing }: CommitFacts): Promise<T> {
		const at = this.now();
		const began = performance.now();
		const receipt = await commit();
		const ms = performance.now() - began;
		const kind = isCreating ? "create" : isReleasing ? "release" : "advance";
		this.committed({ at, end: this.now(), ms, events, kind });
		return receipt;
	}

	private committed(commit: Commit): void {
		this.guarded(() => {
			this.tracing ??= this.begin?.();
			if (this.tracing) for (const say of this.held.splice(0)) say(this.tracing);
			this.tracing?.committed(commit);
		});
	}

	/** A model was asked; told before its answer. */
	modelAsked(call: Omit<ModelCall, "end" | "failed">, error?: unknown): void {
		this.guarded(() => {
			const failed = error === undefined ? {} : { failed: this.failureOf(error) };
			const told = { ...call, end: this.now(), ...failed };
			this.tell((tracing) => tracing.modelAsked(told));
		});
	}

	private tell(say: (tracing: SegmentTracing) => void): void {
		if (this.tracing) say(this.tracing);
		else this.held.push(say);
	}

	private failureOf(error: unknown): { readonly type: string; readonly message: string } {
		const type = isHoldpointError(error) ? error.code : "_OTHER";
		return { type, message: this.redactor.text(reasonOf(error)) };
	}

	/** It let the lease go. */
	ended(status: string): void {
		this.end(() => ({ at: this.now(), status }));
	}

	/** What killed it. */
	died(error: unknown): void {
		this.end(() => ({ at: this.now(), error: this.failureOf(error) }));
	}

	private end(endOf: () => Parameters<SegmentTracing["ended"]>[0]): void {
		this.guarded(() => this.tracing?.ended(endOf()));
		this.isOver = true;
		this.held = [];
	}

	/** What cannot be told is left out: the run is none of its business, and nothing is told as it is instead. */
	private guarded(tell: () => void): void {
		if (this.isOver) return;
		try {
			tell();
		} catch (error) {
			process.emitWarning(`Traces are incomplete: ${reasonOf(error)}`);
		}
	}
}

/** Of the last segment that left something in the journal. */
function lastEpoch(entries: readonly Entry[]): number | undefined {
	const entry = entries.findLast(({ seq, epoch }) => epoch !== undefined || seq === 1);
	return entry && (entry.epoch ?? 1);
}
