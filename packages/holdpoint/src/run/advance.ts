/**
 * Starting and resuming: the two ways into a segment.
 *
 * A run id names one piece of work: starting the same id with the same input joins it, with another input is an error.
 */

import { firstMac, runSeal } from "../journal/journal.ts";
import { joinLabels, labelOfInput } from "../labels/label.ts";
import { agentsOf, entryOf } from "../routing/topology.ts";
import { HoldpointError, isHoldpointError } from "../spec/errors.ts";
import { journalVersion, type RunResumed, type RunStarted, type SessionPlace } from "../spec/events.ts";
import type { RunResult } from "../spec/result.ts";
import type { StoredRun } from "../spec/store.ts";
import { modeOf } from "./begin-mode.ts";
import { resultOf } from "./conclude.ts";
import { drive } from "./drive.ts";
import { newLeaves } from "./leaves-of.ts";
import { passOn, type UnreadMessage, unreadMessages } from "./next-run.ts";
import { onceOnly } from "./once-only.ts";
import { compatibility, historyOf, knownVersions, type OpenedRun, openRun, resumedEvent } from "./open-run.ts";
import { nobody } from "./ready-agent.ts";
import { Redactor } from "./redactor.ts";
import { resumeLeaves } from "./resume-leaves.ts";
import type { ReadyAgent, RunPorts } from "./run-ports.ts";
import { emptyState, type RunState } from "./run-state.ts";
import { Segment } from "./segment.ts";
import type { Observer, SegmentStart } from "./segment-start.ts";
import { libraryVersion } from "./version.ts";

export interface Watching {
	readonly observe?: Observer;
	readonly onDelta?: NonNullable<SegmentStart["onDelta"]>;
	readonly paced?: NonNullable<SegmentStart["paced"]>;
	/** Told of the segment, so that signals of the same process reach it at once. */
	readonly onSegment?: (segment: Segment) => void;
}

export interface StartRequest {
	readonly run: string;
	/** What to do where that run is there already; undefined: its id is fresh. */
	readonly ifThere: "join" | "refuse" | undefined;
	readonly input: string;
	readonly principal: string;
	readonly tenant: string | undefined;
	readonly session: SessionPlace | undefined;
	readonly sandbox: string | undefined;
	readonly watching: Watching;
}

/** Starts the run, or joins it where it was started with the same input. Errors: `run.exists`, `run.busy`, and those of driving. */
export async function startRun(ports: RunPorts, ready: ReadyAgent, request: StartRequest): Promise<RunResult> {
	const { watching } = request;
	let started = startedEvent(ready, request);
	if (request.ifThere && (await ports.store.load(request.run, Number.MAX_SAFE_INTEGER))) {
		return joinRun(ports, ready, { started, request });
	}
	await ports.standing.refresh();
	// Whoever is sent all that was said needs all of it.
	const isCompacted = ready.agent.features?.context !== undefined && !ready.team;
	const history = await historyOf(ports, started, { isNew: isCompacted });
	if (isCompacted && history.from && started.session) {
		started = { ...started, session: { ...started.session, from: history.from } };
	}
	// A run says itself in which mode it begins: whatever becomes of those before it.
	if ("threads" in history.before) started = { ...started, ...modeOf(ready, history.before.mode) };
	if (ports.labels) {
		const label = joinLabels(labelOfInput(ports.labels), history.label);
		started = { ...started, labels: true, ...(label ? { label } : {}) };
	}
	const state = emptyState(request.run, history.before, new Map());
	const leaves = newLeaves(ports, request.run);
	const segment = new Segment(
		segmentStart({
			ports,
			ready,
			watching,
			state,
			leaves,
			entries: [],
			askedAt: new Map(),
			redactor: Redactor.of(history, "all"),
			epoch: 0,
			seq: 0,
			lastMac: firstMac,
			signals: [],
			head: undefined,
		}),
	);
	watching.onSegment?.(segment);
	segment.emit(started);
	try {
		return await untilUnheard(segment, { ...watching, leaseMs: ready.limits.leaseMs, agentOf: () => ready });
	} catch (error) {
		if (!isHoldpointError(error) || error.code !== "run.exists" || error.details["run"] !== request.run) throw error;
		return joinRun(ports, ready, { started, request });
	}
}

function startedEvent(ready: ReadyAgent, request: StartRequest): RunStarted {
	return {
		type: "run.started",
		v: journalVersion,
		lib: libraryVersion,
		agent: { name: ready.agent.name, digest: ready.agent.digest },
		tools: ready.toolVersions,
		...(ready.marks ? { marks: ready.marks } : {}),
		principal: request.principal,
		...(request.tenant === undefined ? {} : { tenant: request.tenant }),
		...(request.session ? { session: request.session } : {}),
		...(ready.team ? { team: { start: entryOf(ready.team) } } : {}),
		...modeOf(ready),
		input: request.input,
		...(request.sandbox ? { sandbox: request.sandbox } : {}),
	};
}

interface Joining {
	readonly started: RunStarted;
	readonly request: StartRequest;
}

async function joinRun(ports: RunPorts, ready: ReadyAgent, { started, request }: Joining): Promise<RunResult> {
	const { run, watching } = request;
	if (request.ifThere === "refuse") {
		throw new HoldpointError("run.exists", `Run ${run} is already there`, { details: { run } });
	}
	const stored = await ports.store.load(run);
	if (!stored) throw new HoldpointError("run.unknown", `Run ${run} disappeared while it was being joined`);
	const there = (await openRun(ports, stored)).state.started;
	const same =
		there?.input === started.input &&
		there.agent.name === started.agent.name &&
		there.principal === started.principal &&
		there.tenant === started.tenant &&
		there.session?.id === started.session?.id;
	if (!same) {
		throw new HoldpointError("run.exists", `Run ${run} was started with another input, agent, principal or session`, {
			details: { run },
		});
	}
	return resumeRun(ports, run, { ...watching, leaseMs: ready.limits.leaseMs, agentOf: () => ready });
}

export interface ResumeOptions extends Watching {
	/** Of the first lease; the run's own limit holds from its first heartbeat. Units: milliseconds. */
	readonly leaseMs: number;
	/** Told of what a session's run ended without reading, where no next run has it yet. It is kept. */
	readonly onLeft?: (started: RunStarted, messages: readonly UnreadMessage[]) => void;
	/** Errors: `agent.unknown`, and those of a policy that does not take it. */
	readonly agentOf: (started: RunStarted) => ReadyAgent | Promise<ReadyAgent>;
}

/** Goes on with a run from its journal; a finished one returns its result. Errors: `run.unknown`, `run.busy`, `run.incompatible`, `journal.*`. */
export async function resumeRun(ports: RunPorts, run: string, options: ResumeOptions): Promise<RunResult> {
	const now = ports.clock.now();
	const until = now + options.leaseMs;
	const stored = await ports.store.acquire(run, { owner: ports.owner, now, until, takeOver: ports.ownerIsDead });
	if (!stored) throw new HoldpointError("run.unknown", `There is no run ${run} in this store`, { details: { run } });
	try {
		return await resumeAcquired(ports, stored, options);
	} catch (error) {
		await letGo(ports, stored);
		throw error;
	}
}

async function resumeAcquired(ports: RunPorts, stored: StoredRun, options: ResumeOptions): Promise<RunResult> {
	const opened = await openRun(ports, stored);
	await ports.standing.refresh();
	const { state, entries, askedAt, lastMac } = opened;
	const leaves = await resumeLeaves(ports, stored, opened);
	if (state.status !== "running") {
		await clearAfterEnd(ports, stored, { state, onLeft: options.onLeft });
		return resultOf(state);
	}
	const started = state.started;
	if (!started) throw new HoldpointError("journal.damaged", `Run ${stored.run} has no start`);
	const { ready, changed } = await agentFor(ports, { stored, started, opened }, options);
	const { epoch, signals, head } = stored;
	const segment = new Segment(
		segmentStart({
			ports,
			ready,
			watching: options,
			state,
			leaves,
			entries,
			askedAt,
			redactor: Redactor.ofRun(opened, "all"),
			epoch,
			seq: entries.length,
			lastMac,
			signals,
			head,
		}),
	);
	options.onSegment?.(segment);
	if (changed) segment.emit(changed);
	return untilUnheard(segment, options);
}

interface Resuming {
	readonly stored: StoredRun;
	readonly started: RunStarted;
	readonly opened: OpenedRun;
}

interface Resumed {
	readonly ready: ReadyAgent;
	/** What changed since the run was last advanced, to be written down. */
	readonly changed: RunResumed | undefined;
}

/** Errors: those of `agentOf`, `run.incompatible`. A run that is to end needs none to go on with: nothing of it is executed. */
async function agentFor(
	ports: RunPorts,
	{ stored, started, opened }: Resuming,
	{ agentOf }: ResumeOptions,
): Promise<Resumed> {
	const { state, entries } = opened;
	const isToEnd = state.cancel !== undefined || hasCancel(ports, stored, state);
	let ready: ReadyAgent;
	try {
		ready = await agentOf(started);
	} catch (error) {
		if (!isToEnd) throw error;
		return { ready: nobody(started.agent), changed: undefined };
	}
	const verdict = compatibility(state, ready, knownVersions(entries));
	if (verdict.verdict === "incompatible" && !isToEnd) {
		throw new HoldpointError("run.incompatible", `Run ${stored.run} cannot go on: ${verdict.changes.join("; ")}`, {
			details: { run: stored.run, changes: verdict.changes },
		});
	}
	return { ready, changed: resumedEvent(ready, verdict) };
}

function hasCancel({ ring, storeId }: RunPorts, { run, signals }: StoredRun, state: RunState): boolean {
	const seal = runSeal(ring, storeId, run);
	return signals.some((stored) => !state.signals.has(stored.id) && seal.openSignal(stored).signal?.kind === "cancel");
}

interface Ended {
	readonly state: RunState;
	readonly onLeft: ResumeOptions["onLeft"];
}

/** What came after the end means nothing, but for messages to a session; left unread it would make the run look ready for ever. */
async function clearAfterEnd(ports: RunPorts, stored: StoredRun, { state, onLeft }: Ended): Promise<void> {
	const { run, signals } = stored;
	const { started } = state;
	// Whoever passed one on and was late has left it here once more.
	const unread = signals.filter(({ id }) => !state.signals.has(id));
	const messages = unreadMessages(started, unread, runSeal(ports.ring, ports.storeId, run).openSignal);
	const isLeft = started && messages.length > 0 && !(await passOn(ports, { run, started }, messages));
	const kept = new Set(isLeft ? messages.map(({ id }) => id) : []);
	const dropped = signals.filter(({ id }) => !kept.has(id)).map(({ id }) => ({ kind: "signal.drop", id }) as const);
	await ports.store.commit(run, stored.epoch, [...dropped, { kind: "release" }]);
	if (isLeft) onLeft?.(started, messages);
}

/** Whoever answers between the last look and the release finds the run busy and goes; so it is looked at once more. */
async function untilUnheard(segment: Segment, options: ResumeOptions): Promise<RunResult> {
	const result = await through(segment);
	if (result.status !== "waiting" || !segment.signalsStored) return result;
	try {
		return await resumeRun(segment.ports, segment.state.run, options);
	} catch (error) {
		if (isHoldpointError(error) && error.code === "run.busy") return result;
		throw error;
	}
}

type Parts = Pick<
	SegmentStart,
	| "ports"
	| "ready"
	| "state"
	| "leaves"
	| "entries"
	| "askedAt"
	| "redactor"
	| "epoch"
	| "seq"
	| "lastMac"
	| "signals"
	| "head"
> & {
	readonly watching: Watching;
};

function segmentStart({ watching, ...parts }: Parts): SegmentStart {
	return { ...parts, observe: watching.observe, onDelta: watching.onDelta, paced: watching.paced };
}

/** The run's middleware around one segment. */
async function through(segment: Segment): Promise<RunResult> {
	const { ready } = segment;
	const members = ready.team ? agentsOf(ready.team) : [ready.agent];
	const onion = members.flatMap(({ name, middleware }) =>
		middleware.flatMap((layer) => (layer.run ? { layer, info: segment.infoOf({ agent: name }) } : [])),
	);
	const layer = async (index: number): Promise<RunResult> => {
		const outer = onion[index];
		return outer?.layer.run
			? outer.layer.run(
					outer.info,
					onceOnly(outer.layer.name, () => layer(index + 1)),
				)
			: drive(segment);
	};
	const result = await layer(0);
	// A layer that answered by itself has driven nothing.
	if (!segment.isReleased) await segment.abandon(new HoldpointError("stream.aborted", "A layer answered for the run"));
	return result;
}

/** After a failure the lease must not keep others out; if that fails too it ends by itself. */
async function letGo(ports: RunPorts, stored: StoredRun): Promise<void> {
	try {
		await ports.store.commit(stored.run, stored.epoch, [{ kind: "release" }]);
	} catch {
		// The lease is lost, or the store is down: both end the lease without us.
	}
}
