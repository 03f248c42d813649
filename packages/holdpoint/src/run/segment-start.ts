import type { RunLeaves } from "../audit/leaf.ts";
import type { Entry } from "../journal/journal.ts";
import type { RunEvent, RunFailureCode } from "../spec/events.ts";
import type { Json } from "../spec/json.ts";
import type { ModelDelta } from "../spec/model.ts";
import type { Guest, SliceState } from "../spec/sandbox.ts";
import type { RunStatus, StoredSignal } from "../spec/store.ts";
import type { Redactor } from "./redactor.ts";
import type { ReadyAgent, RunPorts } from "./run-ports.ts";
import type { RunState } from "./run-state.ts";

export type Observer = (event: RunEvent) => void;

/** Of a run, or of the call that was put to these agents. */
export type Ending =
	| { readonly output: Json }
	| { readonly error: { readonly code: RunFailureCode; readonly message: string } };

export interface LiveProgram {
	readonly guest: Guest;
	console: string;
	/** How many calls it has asked for, as far as this process saw. */
	asked: number;
	/** The program is over, but a call that it started is not: its outcome waits for that. */
	ending: Exclude<SliceState, { kind: "open" }> | undefined;
}

export interface SegmentStart {
	readonly ports: RunPorts;
	readonly ready: ReadyAgent;
	readonly state: RunState;
	/** 0: the first flush creates the run. */
	readonly epoch: number;
	readonly seq: number;
	readonly lastMac: string;
	readonly signals: readonly StoredSignal[];
	/** What the stored head says. */
	readonly head: { readonly status: RunStatus; readonly dueAt: number | undefined } | undefined;
	/** Undefined: nothing is audited. */
	readonly leaves: RunLeaves | undefined;
	/** What the journal held. */
	readonly entries: readonly Entry[];
	/** When each approval in it was asked for. Milliseconds since 1970. */
	readonly askedAt: ReadonlyMap<string, number>;
	/** For observers. */
	readonly redactor: Redactor;
	readonly observe: Observer | undefined;
	readonly onDelta: ((delta: ModelDelta) => void | Promise<void>) | undefined;
	/** Back-pressure: resolves when a slow reader has caught up. */
	readonly paced: (() => Promise<void> | undefined) | undefined;
}
