import { type CallFacts, type RunSeal, runSeal, timesOf, writesFor } from "../journal/journal.ts";
import { reasonOf } from "../kit/reason-of.ts";
import { teamToJoin } from "../routing/topology.ts";
import type { RunInfo } from "../spec/agent.ts";
import { HoldpointError, isHoldpointError } from "../spec/errors.ts";
import type { RunEvent } from "../spec/events.ts";
import type { Signal } from "../spec/signals.ts";
import type { AccountRow, RunStatus, StoredSignal, Write } from "../spec/store.ts";
import type { Tool } from "../spec/tool.ts";
import type { CallState } from "./call-state.ts";
import type { ParsingLimits } from "./canonical-arguments.ts";
import type { Conversation, Thread, UserQuestion } from "./conversation.ts";
import { withLabel } from "./label-results.ts";
import { leavesOf } from "./leaves-of.ts";
import type { Doing } from "./next.ts";
import type { Redactor } from "./redactor.ts";
import type { ReadyAgent, RunPorts } from "./run-ports.ts";
import { callOf, type RunState } from "./run-state.ts";
import type { Ending, LiveProgram, Observer, SegmentStart } from "./segment-start.ts";
import { SegmentTrace } from "./segment-trace.ts";
import { sessionKey } from "./session-key.ts";
import { apply } from "./state.ts";
import { givenBack, rehearsalHolder, type Short, type Wanted } from "./wanted.ts";

const durableFirst: ReadonlySet<string> = new Set(["approval.requested", "run.finished"]);

const nothing = Promise.resolve();

export class Segment {
	readonly ports: RunPorts;
	readonly ready: ReadyAgent;
	readonly state: RunState;
	readonly seal: RunSeal;
	readonly busy = new Set<string>();
	readonly live = new Map<string, LiveProgram>();
	private readonly ended = { has: (call: string) => this.live.get(call)?.ending !== undefined };
	/** Calls with an unknown outcome whose tool was asked in this segment what became of them. */
	readonly lookedUp = new Set<string>();
	/** How often each program's guest was lost with that of another program. */
	readonly losses = new Map<string, number>();
	readonly abort = new AbortController();
	readonly onDelta: SegmentStart["onDelta"];
	readonly paced: SegmentStart["paced"];
	private readonly leaves: SegmentStart["leaves"];
	private readonly redactor: Redactor;
	/** Undefined: nobody traces. */
	readonly trace: SegmentTrace | undefined;
	/** Whether an entry says already under which lease it was written; the first one's goes without saying. */
	private isMarked: boolean;
	/** What is in flight and can be told to stop: attempts of calls, and what models are asked inside of calls. */
	readonly attempts = new Set<{ readonly of: Conversation; stop(why: string): void }>();
	/** Tool calls that run now; programs do not count. */
	running = 0;
	/** How often whoever drives looked since something happened or was waited for. */
	looks = 0;
	/** Not yet turned into events. */
	signals: StoredSignal[];
	signalsStored = false;
	private epoch: number;
	private seq: number;
	private lastMac: string;
	private head: SegmentStart["head"];
	private buffer: RunEvent[] = [];
	/** When each event of the buffer happened. */
	private times: number[] = [];
	/** Signals that became events which are not yet durable: the store has them still. */
	private taken: string[] = [];
	private extra: Write[] = [];
	private writing: Promise<void> | undefined;
	private failure: unknown;
	/** The store refused a write: nobody knows what it holds, so that nothing more is written. */
	private refused = false;
	private unseen: RunEvent[] = [];
	private observe: Observer | undefined;
	private heart: NodeJS.Timeout | undefined;
	private waker: (() => void) | undefined;
	private alarm: PromiseWithResolvers<void> | undefined;
	private fetching: Promise<void> | undefined;
	/** Keys that are not here, under which something was said: each is warned of once. */
	readonly foreignKeys = new Set<string>();
	/** Holders for which something was reserved here, or may have been by a process before. */
	private readonly reserving = new Set<string>();
	/** Another process advanced it before. */
	readonly isResumed: boolean;
	/** How conversations end that are over while something is in flight there; whoever resumes comes to the same. */
	readonly endings = new Map<Conversation, Ending>();
	/** Whoever has a question for the user, and the one that it comes after; whoever resumes comes to the same. */
	readonly questions = new Map<Thread, UserQuestion>();
	private woken = false;
	private known: RunInfo | undefined;

	constructor(start: SegmentStart) {
		this.ports = start.ports;
		this.ready = start.ready;
		this.state = start.state;
		this.seal = runSeal(start.ports.ring, start.ports.storeId, start.state.run);
		this.epoch = start.epoch;
		this.seq = start.seq;
		this.lastMac = start.lastMac;
		this.head = start.head;
		this.signals = [...start.signals];
		this.leaves = start.leaves;
		this.observe = start.observe;
		this.redactor = start.redactor;
		this.isMarked = start.epoch === 0;
		const { tracer, clock } = start.ports;
		this.trace = tracer && new SegmentTrace(tracer, { ...start, now: () => clock.now() });
		const { onDelta } = start;
		this.onDelta = onDelta && ((delta) => onDelta(this.redactor.delta(delta)));
		this.paced = start.paced;
		this.isResumed = start.epoch > 0;
		if (!this.isResumed) return;
		for (const { id, attempt, phase, program } of start.state.calls.values()) {
			if (phase === "finished") continue;
			if (attempt === 0) this.reserving.add(id);
			// A rehearsal that a dead process had begun is over, be there another one or not. Its last read may have been made.
			if (program && start.ports.budgets.length > 0)
				this.extra.push({ kind: "settle.rest", holder: rehearsalHolder(id) });
		}
	}

	/** What the writes of an entry need to know of its calls. */
	private readonly facts: CallFacts = {
		toolOf: (call) => callOf(this.state, call).tool,
		holdsOf: (call) => this.state.calls.get(call)?.holds ?? [],
		mayHoldForNothing: (call) => this.reserving.has(call) && this.state.calls.get(call)?.attempt === 0,
	};

	get info(): RunInfo {
		const started = this.state.started;
		this.known ??= {
			run: this.state.run,
			agent: this.ready.agent.name,
			principal: started?.principal ?? "",
			session: started?.session?.id,
		};
		return this.known;
	}

	/** As the layers of whoever works there are told. */
	infoOf({ agent }: Pick<Thread, "agent">): RunInfo {
		return agent === this.ready.agent.name ? this.info : { ...this.info, agent };
	}

	/** Whoever works there: a participant of the team, an agent that a call is put to, or the run's own. */
	readyOf({ agent }: Pick<Thread, "agent">): ReadyAgent {
		if (agent === this.ready.agent.name) return this.ready;
		const ready = this.ready.cast.get(agent);
		if (ready) return ready;
		throw new HoldpointError("run.incompatible", `Run ${this.state.run} needs the agent ${agent}, who is not there`, {
			details: { run: this.state.run, agent },
		});
	}

	/** For whatever a schema or a layer of somebody else's parses there. */
	parsingFor(thread: Pick<Thread, "agent">): ParsingLimits {
		const { argsBytesMax: bytesMax, validationTimeoutMs: timeoutMs } = this.readyOf(thread).limits;
		return { bytesMax, patience: { timeoutMs, signal: this.abort.signal } };
	}

	get doing(): Doing {
		const { concurrencyMax, backgroundMax: agentsMax } = this.ready.limits;
		const { busy, live, ended, endings, asksLater, isSpent, joins, isForAgent } = this;
		const room = concurrencyMax - this.running;
		const now = this.ports.clock.now();
		return { busy, live, ended, endings, room, asksLater, isSpent, joins, isForAgent, agentsMax, now };
	}

	private readonly asksLater = (thread: Thread): boolean => this.questions.get(thread) === thread.of.team?.asked;

	/** A team's bound is that of all of its agents together; each has its own, too, where it sets one. */
	readonly isSpent = (thread: Thread): boolean => {
		const { of, answers } = thread;
		const { turnsMax = answers + 1 } = of.team ? this.readyOf(thread).agent.limits : {};
		return of.turns >= this.readyFor(of).limits.turnsMax || answers >= turnsMax;
	};

	private readonly isForAgent = (call: CallState): boolean => this.toolOf(call)?.agent !== undefined;

	private readonly joins = (of: Conversation): boolean => {
		const { done } = of.team ?? {};
		const { team } = done && done.size > 0 ? this.readyFor(of) : {};
		return team !== undefined && done !== undefined && teamToJoin(team, done) !== undefined;
	};

	/** The agent or the team that was asked there. */
	readyFor({ name }: Conversation): ReadyAgent {
		return this.readyOf({ agent: name });
	}

	/** Folds events now; they are durable after the next `flush`. */
	emit(...events: readonly RunEvent[]): void {
		const now = this.ports.clock.now();
		for (const event of events) {
			this.fold(event, now);
		}
	}

	private fold(raw: RunEvent, now: number): void {
		const event = this.state.started?.labels ? withLabel(raw, this.state, (call) => this.toolOf(call)) : raw;
		if ("signal" in event && event.signal !== undefined) this.taken.push(event.signal);
		apply(this.state, event);
		this.looks = 0;
		this.redactor.learn(event, this.state.blobs);
		this.trace?.event(event, now);
		this.buffer.push(event);
		this.times.push(now);
		if (!this.observe) return;
		if (this.unseen.length > 0 || durableFirst.has(event.type)) this.unseen.push(event);
		else this.show(event);
	}

	/** The tool of a call, as whoever made it has it now. */
	toolOf({ tool, thread }: Pick<CallState, "tool" | "thread">): Tool | undefined {
		return (this.ready.agent.name === thread.agent ? this.ready : this.ready.cast.get(thread.agent))?.tools.get(tool);
	}

	/** A reader that throws has stopped reading; the run is none of its business. */
	private show(event: RunEvent): void {
		try {
			this.observe?.(this.redactor.event(event));
		} catch (error) {
			this.observe = undefined;
			process.emitWarning(`An observer of run ${this.state.run} threw and is told nothing more: ${reasonOf(error)}`);
		}
	}

	/** What the next flush writes beside the journal. */
	keep(write: Write): void {
		this.extra.push(write);
	}

	/** Everything emitted so far is durable when this resolves. Errors: `run.lease_lost`, `run.exists`, `store.*`. */
	async flush(): Promise<void> {
		while (this.writing) await this.writing;
		if (this.failure) throw this.failure;
		if (this.buffer.length === 0 && this.extra.length === 0) return;
		this.writing = this.write("running");
		try {
			await this.writing;
		} finally {
			this.writing = undefined;
		}
	}

	/** What was kept beside the journal is durable when this resolves. Errors: as `flush`. */
	async flushKept(): Promise<void> {
		if (this.writing || this.extra.length > 0) await this.flush();
	}

	/**
	 * Holds amounts of shared accounts for a call, all of them or none. Durable when it resolves, before the call starts.
	 * `instead`: of whatever it held. Returns an account that has not so much left. Errors: `run.lease_lost`, `store.*`.
	 */
	async reserve(
		holder: string,
		wants: readonly Wanted[],
		{ instead }: { readonly instead: boolean },
	): Promise<Short | undefined> {
		// A run that is not in the store yet holds nothing.
		await this.flush();
		const now = this.ports.clock.now();
		const before: readonly Write[] = instead ? [givenBack(holder)] : [];
		const writes = wants.map(({ account, amount, max, until }): Write => {
			return { kind: "reserve", account, holder, amount, max, until, now };
		});
		this.reserving.add(holder);
		const refused = await this.commitShared([...before, ...writes]);
		return refused && { account: String(refused.details["account"]), used: Number(refused.details["used"]) };
	}

	/** Settles what a holder holds without an event: of what was not answered, there is none. */
	async settle(writes: readonly Extract<Write, { kind: "settle" | "settle.rest" }>[]): Promise<void> {
		if (this.failure === undefined && this.epoch > 0) await this.commitShared(writes);
	}

	/** Whether nothing was reserved for it in this segment. */
	isNew(holder: string): boolean {
		return !this.reserving.has(holder);
	}

	/** How these accounts stand: what is not there is unused. */
	async accountsOf(names: readonly string[]): Promise<ReadonlyMap<string, AccountRow>> {
		const found = new Map<string, AccountRow>();
		for (const account of new Set(names)) {
			// Whatever else begins like this comes after it.
			const [row] = await this.ports.store.accounts({ prefix: account, limit: 1 });
			found.set(account, row?.account === account ? row : { account, spent: 0, held: 0, until: undefined });
		}
		return found;
	}

	/** Returns the error where an account has not enough left. */
	private async commitShared(writes: readonly Write[]): Promise<HoldpointError | undefined> {
		try {
			const receipt = await this.ports.store.commit(this.state.run, this.epoch, writes);
			this.ports.standing.hear(receipt.documents);
			return undefined;
		} catch (error) {
			if (isHoldpointError(error) && error.code === "budget.exhausted") return error;
			this.refused = true;
			this.stop(error);
			throw error;
		}
	}

	/** The last write of the segment: lets the lease go. */
	async release(status: RunStatus, dueAt: number | undefined): Promise<void> {
		while (this.writing) await this.writing;
		if (this.heart) clearInterval(this.heart);
		if (this.failure) throw this.failure;
		await this.write(status, dueAt, true);
		this.isReleased = true;
		this.trace?.ended(status);
	}

	private async write(status: RunStatus, dueAt?: number, release = false): Promise<void> {
		const events = this.buffer;
		const taken = this.taken.length;
		const unseen = this.unseen.length;
		const at = this.ports.clock.now();
		const writes: Write[] = this.extra;
		const times = timesOf(this.times, at);
		this.buffer = [];
		this.times = [];
		this.extra = [];
		const creating = this.epoch === 0;
		let lastMac = this.lastMac;
		let seq = this.seq;
		// A head belongs to an entry, so a changed head brings one, be it empty.
		if (events.length > 0 || this.head?.status !== status || this.head.dueAt !== dueAt) {
			this.head = { status, dueAt };
			const lease = this.isMarked ? {} : { epoch: this.epoch };
			const entry = this.seal.entry(lastMac, { seq: ++seq, ...times, ...lease, events });
			this.isMarked = true;
			if (this.leaves) writes.push(...leavesOf(this.leaves, this.state, { seq, ...times, events }));
			lastMac = entry.mac;
			writes.push({ kind: "entry", seq, ...entry }, ...writesFor(events, at, this.facts));
			const { name: agent } = this.ready.agent;
			const { session: name } = this.info;
			const session = name === undefined ? undefined : sessionKey(name, this.state.started?.tenant);
			const head = this.seal.head(lastMac, { seq, updatedAt: at, status, agent, session, dueAt });
			writes.push({ kind: "head", head });
		}
		if (release && !creating) writes.push({ kind: "release" });
		else if (creating && !release)
			writes.push({ kind: "lease", owner: this.ports.owner, until: at + this.ready.limits.leaseMs });
		try {
			const commit = () => this.ports.store.commit(this.state.run, this.epoch, writes);
			const what = { events: events.length, isCreating: creating, isReleasing: release };
			const receipt = await (this.trace ? this.trace.timed(commit, what) : commit());
			// More than those that are left unread knowingly.
			if (receipt.signals > this.signals.length) this.signalsStored = true;
			this.ports.standing.hear(receipt.documents);
		} catch (error) {
			this.refused = true;
			this.stop(error);
			throw error;
		}
		this.ports.audit?.wrote(events.length);
		if (creating) this.epoch = 1;
		this.seq = seq;
		this.lastMac = lastMac;
		this.taken = this.taken.slice(taken);
		for (const event of this.unseen.splice(0, unseen)) this.show(event);
		// What came during the commit is durable with the next one; up to the first that waits for that, it is shown.
		const next = this.unseen.findIndex((event) => durableFirst.has(event.type));
		for (const event of this.unseen.splice(0, next < 0 ? this.unseen.length : next)) this.show(event);
	}

	/** Keeps the lease and listens for signals while something takes long. Started with the first wait. */
	beat(): void {
		if (this.heart) return;
		const every = Math.max(50, Math.floor(this.ready.limits.leaseMs / 3));
		this.heart = setInterval(() => void this.renew(), every);
		this.heart.unref();
	}

	private async renew(): Promise<void> {
		if (this.writing || this.failure) return;
		// A first answer that takes this long: from now on others can see the run, and cancel it.
		if (this.epoch === 0) return this.flush().catch(() => undefined);
		const until = this.ports.clock.now() + this.ready.limits.leaseMs;
		try {
			const receipt = await this.ports.store.commit(this.state.run, this.epoch, [
				{ kind: "lease", owner: this.ports.owner, until },
			]);
			this.ports.standing.hear(receipt.documents);
			if (receipt.signals > this.signals.length) this.poke();
		} catch (error) {
			// A busy database is no lost lease; the next beat tries again, and a real loss shows at the next commit.
			if (isHoldpointError(error) && error.code !== "run.lease_lost") return;
			this.stop(error);
		}
	}

	/** Somebody left a signal. */
	poke(): void {
		this.signalsStored = true;
		this.wake();
	}

	/** It has come to its end, is to come to it, or is stopped: nothing is begun for it any more. */
	get isOver(): boolean {
		return this.state.status !== "running" || this.state.cancel !== undefined || this.abort.signal.aborted;
	}

	/** Whether the lease was let go. */
	isReleased = false;

	/** It is to stop, or somebody left a signal: not to be waited with. */
	get isCalled(): boolean {
		return this.signalsStored || this.abort.signal.aborted;
	}

	/** Whoever asks while they are being fetched waits for them, too. */
	fetchSignals(): Promise<void> {
		if (!this.fetching && this.signalsStored && this.epoch > 0) {
			this.fetching = this.readSignals().finally(() => (this.fetching = undefined));
		}
		return this.fetching ?? nothing;
	}

	private async readSignals(): Promise<void> {
		this.signalsStored = false;
		const stored = await this.ports.store.load(this.state.run, this.seq);
		const known = new Set([...this.signals.map((signal) => signal.id), ...this.taken]);
		for (const signal of stored?.signals ?? []) if (!known.has(signal.id)) this.signals.push(signal);
	}

	/** Has somebody said something of these kinds that the run has not read yet? */
	async isUnread(...kinds: readonly Signal["kind"][]): Promise<boolean> {
		await this.fetchSignals();
		return this.signals.some((stored) => {
			const { signal } = this.seal.openSignal(stored);
			return signal !== undefined && kinds.includes(signal.kind);
		});
	}

	/** Something changed: the driver looks again. */
	wake(): void {
		this.woken = true;
		this.waker?.();
		this.alarm?.resolve();
		this.alarm = undefined;
	}

	/** Resolves at the next `wake`, which is not used up by that: for those who wait for something else besides. */
	alarmed(): Promise<void> {
		this.alarm ??= Promise.withResolvers<void>();
		return this.alarm.promise;
	}

	/** Resolves at the next `wake`, or at once if one came since the last time. */
	changed(): Promise<void> | undefined {
		if (this.woken) {
			this.woken = false;
			return undefined;
		}
		this.looks = 0;
		return new Promise((resolve) => {
			this.waker = () => {
				this.waker = undefined;
				this.woken = false;
				resolve();
			};
		});
	}

	/** The segment is dead: tells everything in flight, and whoever drives. */
	stop(reason: unknown): void {
		// Whoever aborts may give any reason, `null` included; it must stop all the same.
		this.failure ??= reason || new HoldpointError("stream.aborted", `It was stopped with the reason ${String(reason)}`);
		if (this.heart) clearInterval(this.heart);
		this.abort.abort(reason);
		this.wake();
	}

	/**
	 * After a failure: what is durable stays, and the lease keeps nobody out. A run that failed in its first answer is
	 * not in the store yet; it is written, because whoever started it is told that it was kept.
	 */
	async abandon(reason: unknown): Promise<void> {
		this.stop(reason);
		this.isReleased = true;
		await this.writing?.catch(() => undefined);
		try {
			if (this.epoch > 0) await this.ports.store.commit(this.state.run, this.epoch, [{ kind: "release" }]);
			else if (!this.refused) await this.write("running", undefined, true);
		} catch {
			// The lease is lost, or the store is down: both end the lease without us.
		}
		this.trace?.died(this.failure);
	}

	/** Throws what killed the segment. */
	check(): void {
		if (this.failure) throw this.failure;
	}

	/** Gives guests back; whatever they held is in the journal. */
	dropGuests(): void {
		for (const { guest } of this.live.values()) guest.dispose();
		this.live.clear();
	}
}
