/** The harness: what a program, a CLI or a server holds in its hand. Each method is a thin door to `run/`. */
import { limitProblem } from "../kit/limit-problem.ts";
import { unlessAborted } from "../kit/unless-aborted.ts";
import type { Budget } from "../spec/budget.ts";
import { HoldpointError, isHoldpointError } from "../spec/errors.ts";
import type { Approver, RunStarted, SessionPlace } from "../spec/events.ts";
import { defaultLimits, fixedLimits, type Limits } from "../spec/limits.ts";
import type { Marks } from "../spec/marks.ts";
import type { LanguageModel } from "../spec/model.ts";
import type { RunResult } from "../spec/result.ts";
import type { RunQuery, RunRow } from "../spec/store.ts";
import type { Participant } from "../spec/team.ts";
import type { ReadyWebhook } from "../webhooks/ready-webhook.ts";
import { type ResumeOptions, resumeRun, startRun, type Watching } from "./advance.ts";
import { auditDoors, type HarnessAudit } from "./audit-doors.ts";
import { checkInput, checkRunId, checkSessionId } from "./check-request.ts";
import { resultOf } from "./conclude.ts";
import { Governance } from "./governance.ts";
import {
	type ApprovalsQuery,
	answerApproval,
	askForRehearsal,
	checkReach,
	leaveSignal,
	type OpenApproval,
	openApprovals,
	settleCall,
} from "./inbox.ts";
import { KnownAgents } from "./known-agents.ts";
import { type HarnessMemory, memoryDoors } from "./memory-doors.ts";
import { inputOf, runAfter, type UnreadMessage, unlessThere } from "./next-run.ts";
import { type ReadyPolicy, readyPolicy } from "./ready-policy.ts";
import type { ApproveOptions, DenyOptions, RunOptions } from "./run-options.ts";
import type { ReadyAgent, RunPorts } from "./run-ports.ts";
import type { Segment } from "./segment.ts";
import { Session, type SessionDoors } from "./session.ts";
import { sessionKey } from "./session-key.ts";
import { findInSession, newestOfSession } from "./session-runs.ts";
import { type SettledTruth, settledOutcome } from "./settled-outcome.ts";
import { type ContextView, contextAt } from "./show-context.ts";
import { type RunView, showRun } from "./show-run.ts";
import { type RunStream, streamOf } from "./stream.ts";
import { Webhooks } from "./webhooks.ts";

export interface HarnessParts {
	readonly ports: () => Promise<RunPorts>;
	readonly agents: readonly Participant[];
	readonly model: LanguageModel | undefined;
	readonly limits: Partial<Limits>;
	readonly webhooks: readonly ReadyWebhook[];
	readonly budgets: readonly Budget[];
	/** Whether they are kept. */
	readonly labels: boolean;
	readonly principal: () => string;
	readonly newRunId: () => string;
	readonly close: () => Promise<void>;
}

export class Harness {
	private readonly parts: HarnessParts;
	private readonly agents: KnownAgents;
	private readonly active = new Map<string, Segment>();
	/** Runs that are advanced here, each until its promise resolves. */
	private readonly busy = new Map<string, Promise<void>>();
	/** The log of everything that was decided and done, for people outside. */
	readonly audit: HarnessAudit;
	/** What agents keep beyond a run. */
	readonly memory: HarnessMemory;
	private readonly readyPolicy: ReadyPolicy;
	private opened: Promise<RunPorts> | undefined;
	private openedNow: RunPorts | undefined;
	private closed = false;

	/** Standing grants, kill switches and budgets. */
	readonly governance: Governance;
	/** Those who are told what happens. */
	readonly webhooks: Webhooks;

	constructor(parts: HarnessParts) {
		this.parts = parts;
		this.audit = auditDoors(() => this.ports(), parts.principal);
		this.memory = memoryDoors(() => this.ports(), parts.principal);
		this.readyPolicy = readyPolicy(parts);
		this.governance = new Governance(
			() => this.ports(),
			parts.principal,
			(agent, tool) => this.marksOf(agent, tool),
		);
		this.webhooks = new Webhooks(() => this.ports(), parts.webhooks);
		const problem = limitProblem(parts.limits, defaultLimits);
		if (problem) {
			const hint = "docs/reference/limits.md lists them.";
			throw new HoldpointError("config.invalid", `createHarness({ limits }) sets ${problem}`, { hint });
		}
		this.agents = new KnownAgents(parts);
	}

	/** Runs an agent until it finishes or waits. Errors: `run.exists`, `run.busy`, `run.input_invalid`, `model.*`, `store.*`. */
	async run(agent: Participant, input: string, options: RunOptions = {}): Promise<RunResult> {
		return this.start(agent, { input, options, watching: watchingOf(options), session: undefined });
	}

	/** The same, watched: events and the model's words as they come. */
	stream(agent: Participant, input: string, options: RunOptions = {}): RunStream {
		const bufferMax = { ...defaultLimits, ...this.parts.limits, ...agent.limits }.streamBufferMax;
		return streamOf(bufferMax, (watching, gone) => {
			const signal = options.signal ? AbortSignal.any([options.signal, gone]) : gone;
			return this.start(agent, { input, options: { ...options, signal }, watching, session: undefined });
		});
	}

	/**
	 * Goes on with a run that waited, was interrupted, or whose process died. Messages that came too late for a session's
	 * run start its next one, whose result is returned then. Errors: `run.unknown`, `run.busy`, `run.incompatible`, `journal.*`.
	 */
	async resume(run: string, options: Pick<RunOptions, "signal" | "onEvent" | "onDelta"> = {}): Promise<RunResult> {
		return this.goOn(run, watchingOf(options), options.signal);
	}

	/** The same, watched. */
	streamResume(run: string, options: Pick<RunOptions, "signal"> = {}): RunStream {
		const bufferMax = { ...defaultLimits, ...this.parts.limits }.streamBufferMax;
		return streamOf(bufferMax, (watching, gone) => {
			return this.goOn(run, watching, options.signal ? AbortSignal.any([options.signal, gone]) : gone);
		});
	}

	/** A conversation that spans runs; of the tenant that `send` names. */
	session(id: string, agent: Participant): Session {
		checkSessionId(id);
		this.agents.add(agent);
		const doors: SessionDoors = {
			newest: async (tenant) => newestOfSession(await this.ports(), { id, tenant }),
			find: async (run, tenant) => findInSession(await this.ports(), run, { id, tenant }),
			start: (input, { run, after }, options) => {
				const session = { id, ...(after === undefined ? {} : { after }) };
				const named = { ...options, runId: run };
				return this.start(agent, { input, options: named, watching: watchingOf(options), session });
			},
			resume: (run, options) => this.goOn(run, watchingOf(options), options.signal),
			tell: (run, text, mode) => this.leaveMessage(run, text, mode),
			look: async (run, message) => {
				const { state } = await this.show(run);
				return { result: resultOf(state), isRead: state.signals.has(message) };
			},
			cancel: (run) => this.cancel(run, { by: this.parts.principal(), reason: "a new message came" }),
		};
		return new Session(id, doors);
	}

	/** Leaves a message for a run; a waiting one reads it when it is resumed. */
	async tell(run: string, text: string, mode: "turn" | "queue" = "turn"): Promise<void> {
		await this.leaveMessage(run, text, mode);
	}

	/** Asks a run to end. A run that nobody advances is brought to its end here. */
	async cancel(
		run: string,
		who: { readonly by?: string; readonly reason?: string } = {},
	): Promise<RunResult | undefined> {
		const ports = await this.ports();
		const { by = this.parts.principal(), reason } = who;
		await this.signal(ports, run, { kind: "cancel", by, at: ports.clock.now(), ...(reason ? { reason } : {}) });
		try {
			// Ends this run and starts none: what a session said meanwhile is read when somebody goes on with it.
			return (await this.resumeHere(run, { watching: {}, signal: undefined })).result;
		} catch (error) {
			// Whoever advances it reads the signal at the next heartbeat at the latest.
			if (isHoldpointError(error) && error.code === "run.busy") return undefined;
			throw error;
		}
	}

	/** Held calls, oldest first. */
	async approvals(query: ApprovalsQuery = {}): Promise<readonly OpenApproval[]> {
		return openApprovals(await this.ports(), query);
	}

	/** Approves a held call; with `args`, executes with these instead. Executes nothing itself: resume the run. Errors: `approval.*`. */
	async approve(approval: string, options: ApproveOptions = {}) {
		const { by = this.person(), ...said } = options;
		return this.answer({ ...said, by, approval, answer: said.args === undefined ? "approve" : "edit" });
	}

	/** Denies a held call; the model reads the reason. Errors: `approval.*`. */
	async deny(approval: string, options: DenyOptions = {}) {
		const { by = this.person(), ...said } = options;
		return this.answer({ ...said, by, approval, answer: "deny" });
	}

	/**
	 * Finds out what the program would do whose call is held, without any effect, so that it can be decided in one answer.
	 * Returns the approval as it stands then. Errors: `approval.unknown`, `approval.invalid`, `run.busy`, and those of driving.
	 */
	async rehearse(
		approval: string,
		{ by = this.parts.principal() }: { readonly by?: string } = {},
	): Promise<OpenApproval> {
		const ports = await this.ports();
		const run = await askForRehearsal(ports, approval, by);
		this.active.get(run)?.poke();
		await this.resumeHere(run, { watching: {}, signal: undefined });
		const [found] = (await openApprovals(ports, { run })).filter((one) => one.approval.startsWith(approval));
		if (found) return found;
		throw new HoldpointError("approval.closed", `Approval ${approval} is no longer open`, { details: { run } });
	}

	/** Says what became of a call whose outcome is unknown. Errors: `settle.invalid`, `run.unknown`. */
	async settle(run: string, call: string, truth: SettledTruth): Promise<void> {
		const ports = await this.ports();
		const { resultBytesMax } = { ...defaultLimits, ...this.parts.limits };
		const outcome = settledOutcome(truth, resultBytesMax);
		await settleCall(ports, run, { call, outcome, by: truth.by ?? this.person() });
		this.active.get(run)?.poke();
	}

	/** `tenant`: whose session is meant. A row of a tenant's run has the session's key in the index, unless one was named. Errors: `run.input_invalid`. */
	async runs({ tenant, ...query }: RunQuery & { readonly tenant?: string } = {}): Promise<readonly RunRow[]> {
		const { store } = await this.ports();
		const { session } = query;
		if (tenant === undefined) return store.runs(query);
		if (session === undefined) throw new HoldpointError("run.input_invalid", "runs({ tenant }) needs a session, too");
		const rows = await store.runs({ ...query, session: sessionKey(session, tenant) });
		return rows.map((row) => ({ ...row, session }));
	}

	/** A run from its verified journal. Errors: `run.unknown`, `journal.*`. */
	async show(run: string): Promise<RunView> {
		return showRun(await this.ports(), run);
	}

	/**
	 * What a model was shown at the run's answer of this number, from 1; default: the last one. Errors: `run.unknown`,
	 * `run.no_such_turn`, `journal.*`.
	 */
	async context(run: string, { turn }: { readonly turn?: number } = {}): Promise<ContextView> {
		const ports = await this.ports();
		const { events, state } = await showRun(ports, run);
		return contextAt(ports, { state, events: events.map(({ event }) => event), turn });
	}

	/** Runs that somebody should advance now: answered, due, or left by a process that died. */
	async readyRuns(limit = 100): Promise<readonly RunRow[]> {
		const { store, clock, ownerIsDead } = await this.ports();
		const due = await store.runs({ readyAt: clock.now(), limit });
		// The lease of a process that died still counts for the store, which cannot know; this machine can.
		const open = await store.runs({ status: ["running", "waiting"], limit });
		const left = open.filter(({ lease }) => lease !== undefined && ownerIsDead(lease.owner));
		return [...new Map([...due, ...left].map((row) => [row.run, row])).values()].slice(0, limit);
	}

	/** Stops what runs here (it is kept), then closes sandbox and store. */
	async close(): Promise<void> {
		if (this.closed) return;
		this.closed = true;
		for (const segment of this.active.values()) segment.stop(wasClosed());
		// Their leases are let go while the store is open; whoever does not stop in time keeps its own until it ends.
		const graceOver = Promise.withResolvers<void>();
		const timer = setTimeout(graceOver.resolve, fixedLimits.closeGraceMs);
		const stopped = Promise.all(this.busy.values()).then(() => this.webhooks.idle());
		await Promise.race([stopped, graceOver.promise]);
		clearTimeout(timer);
		await this.webhooks.stop();
		await this.parts.close();
	}

	private ports(): Promise<RunPorts> {
		if (this.closed) throw wasClosed();
		this.opened ??= this.parts.ports().then(
			async (ports) => {
				await this.webhooks.begin(ports);
				this.openedNow = ports;
				return ports;
			},
			(error) => {
				// A store that was locked may be free the next time.
				this.opened = undefined;
				throw error;
			},
		);
		return this.opened;
	}

	/** What any of the tools marks that it may be: one harness may know several agents of one name. */
	private marksOf(agent: string, tool: string): Marks | undefined {
		const tools = this.agents.named(agent).flatMap((one) => one.tools.filter(({ name }) => name === tool));
		const marks = tools.flatMap((one) => Object.entries(one.marks?.args ?? {}));
		// What is a secret of one of them is a secret.
		const [personal, secret] = [
			marks.filter(([, mark]) => mark !== "secret"),
			marks.filter(([, mark]) => mark === "secret"),
		];
		return marks.length > 0 ? Object.fromEntries([...personal, ...secret]) : undefined;
	}

	private person(): Approver {
		return { id: this.parts.principal(), via: "library" };
	}

	private async answer(request: Parameters<typeof answerApproval>[1]) {
		const knownAgent = (owner: string, name: string) => {
			const agent = this.agents.workerOf(owner, name);
			if (!agent) return undefined;
			const tools = new Map(agent.tools.map((tool) => [tool.name, tool]));
			return { tools, limits: { ...defaultLimits, ...this.parts.limits, ...agent.limits } };
		};
		const answered = await answerApproval(await this.ports(), { ...request, knownAgent });
		this.active.get(answered.run)?.poke();
		return answered;
	}

	private async leaveMessage(run: string, text: string, mode: "turn" | "queue"): Promise<string> {
		const ports = await this.ports();
		checkInput(text, { ...defaultLimits, ...this.parts.limits }.inputBytesMax);
		return this.signal(ports, run, { kind: "message", text, mode, at: ports.clock.now() });
	}

	private async signal(ports: RunPorts, run: string, signal: Parameters<typeof leaveSignal>[2]): Promise<string> {
		// A run in its first answer is not in the store yet, and there a signal could not be left.
		await this.active.get(run)?.flush();
		await checkReach(ports, run, signal);
		const id = await leaveSignal(ports, run, signal);
		this.active.get(run)?.poke();
		return id;
	}

	private async start(agent: Participant, request: StartParts): Promise<RunResult> {
		const ports = this.openedNow ?? (await this.ports());
		if (ports.policy.ready) {
			this.agents.check(agent);
			await this.readyPolicy(ports.policy, agent);
		}
		await ports.layDown();
		this.agents.add(agent);
		const { input, options, session } = request;
		const principal = options.principal ?? this.parts.principal();
		const ready = this.agents.readyFor(ports.policy, agent, {
			principal,
			...(options.tenant === undefined ? {} : { tenant: options.tenant }),
		});
		checkInput(input, ready.limits.inputBytesMax);
		const run = options.runId ?? this.parts.newRunId();
		checkRunId(run);
		const isWriting = [...ready.cast.values()].some((one) => one.agent.programs);
		const sandbox = isWriting && ports.sandbox ? (await ports.sandbox()).name : undefined;
		const ifThere = options.runId === undefined ? undefined : session ? ("refuse" as const) : ("join" as const);
		const start = { run, ifThere, input, principal, tenant: options.tenant, session, sandbox };
		return this.watched({ run, watching: request.watching, signal: options.signal }, (watching) =>
			startRun(ports, ready, { ...start, watching }),
		);
	}

	private async goOn(run: string, watching: Watching, signal: AbortSignal | undefined): Promise<RunResult> {
		const { result, started, messages = [] } = await this.resumeHere(run, { watching, signal });
		const place = started?.session;
		return started && place ? this.startNext(started, { run, place, messages, watching, signal }) : result;
	}

	private async resumeHere(run: string, { watching, signal }: Omit<Watched, "run">): Promise<Resumed> {
		const ports = await this.ports();
		const leaseMs = { ...defaultLimits, ...this.parts.limits }.leaseMs;
		const agentOf = async (started: RunStarted): Promise<ReadyAgent> => {
			const agent = this.agents.of(run, started);
			if (ports.policy.ready) await this.readyPolicy(ports.policy, agent);
			await ports.layDown();
			return this.agents.readyFor(ports.policy, agent, started);
		};
		const left: { started?: RunStarted; messages?: readonly UnreadMessage[] } = {};
		const onLeft: ResumeOptions["onLeft"] = (started, messages) => Object.assign(left, { started, messages });
		const result = await this.watched({ run, watching, signal }, (inner) =>
			resumeRun(ports, run, { ...inner, leaseMs, agentOf, onLeft }),
		);
		return { result, ...left };
	}

	/** What a session's run ended without reading starts its next run. */
	private async startNext(started: RunStarted, left: Left): Promise<RunResult> {
		const { run, place, messages, watching, signal } = left;
		const { input, read } = inputOf(messages, { ...defaultLimits, ...this.parts.limits }.inputBytesMax);
		const { principal, tenant } = started;
		const next = runAfter(sessionKey(place.id, tenant), run);
		const options = {
			runId: next,
			principal,
			...(tenant === undefined ? {} : { tenant }),
			...(signal ? { signal } : {}),
		};
		const session = { id: place.id, after: run, read };
		const result = await this.start(this.agents.of(run, started), { input, options, watching, session }).catch(
			unlessThere(next),
		);
		// The next run has them, so that they go here; if that fails, whoever resumes this run does it.
		const cleared = this.goOn(run, {}, undefined);
		return result
			? cleared.then(
					() => result,
					() => result,
				)
			: cleared;
	}

	/** Knows the segment while it is active, so that signals of this process reach it at once. */
	private async watched(
		{ run, watching, signal }: Watched,
		work: (watching: Watching) => Promise<RunResult>,
	): Promise<RunResult> {
		// The lease of this harness does not keep itself out: whoever comes second waits, and finds what is left to do.
		for (let other = this.busy.get(run); other; other = this.busy.get(run)) await unlessAborted(other, signal);
		signal?.throwIfAborted();
		if (this.closed) throw wasClosed();
		const ended = Promise.withResolvers<void>();
		this.busy.set(run, ended.promise);
		let segment: Segment | undefined;
		const stop = () => segment?.stop(signal?.reason);
		const onSegment = (made: Segment): void => {
			segment = made;
			this.active.set(run, made);
			if (signal?.aborted) stop();
			if (this.closed) made.stop(wasClosed());
		};
		signal?.addEventListener("abort", stop, { once: true });
		try {
			return await work({ ...watching, onSegment });
		} finally {
			signal?.removeEventListener("abort", stop);
			if (segment && this.active.get(run) === segment) this.active.delete(run);
			this.busy.delete(run);
			this.webhooks.nudge();
			ended.resolve();
		}
	}
}

function wasClosed(): HoldpointError {
	return new HoldpointError("harness.closed", "The harness is closed");
}

interface Watched {
	readonly run: string;
	readonly watching: Watching;
	readonly signal: AbortSignal | undefined;
}

interface Resumed {
	readonly result: RunResult;
	/** What a session's run ended without reading. */
	readonly started?: RunStarted;
	readonly messages?: readonly UnreadMessage[];
}

interface Left extends Watched {
	readonly place: SessionPlace;
	readonly messages: readonly UnreadMessage[];
}

interface StartParts {
	readonly input: string;
	readonly options: RunOptions;
	readonly watching: Watching;
	readonly session: SessionPlace | undefined;
}

function watchingOf(options: Pick<RunOptions, "onEvent" | "onDelta">): Watching {
	return {
		...(options.onEvent ? { observe: options.onEvent } : {}),
		...(options.onDelta ? { onDelta: options.onDelta } : {}),
	};
}
