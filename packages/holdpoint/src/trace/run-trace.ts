/**
 * The trace of a run: a fold of its events, and of what is known beside them, into spans.
 *
 * Owns: which span an event begins, ends or is noted on, and what it says. Does not own: who keeps spans (exporters), when
 * it is folded (`tracer.ts`, live; `derive-trace.ts`, from a journal), what is secret (events come redacted).
 *
 * 1. One trace for each segment, so that no span stays open while a run waits; its root links to the segment before.
 * 2. Every parent of a span is in its trace, begins before it and ends after it.
 * 3. Ids follow from store, run, epoch and what the span is of: the same events give the same spans.
 * 4. Total: an event of a kind that is not known here changes nothing.
 */

import type { RunEvent } from "../spec/events.ts";
import type { AttributeValue, Span } from "../spec/trace.ts";
import { attr, operations, ownSpans, providerName, spanEvents } from "./conventions.ts";
import { rootName, spanIdOf, traceIdOf } from "./ids.ts";
import { endOf, Meter } from "./measure.ts";
import { notesOf } from "./notes.ts";
import { type NewSpan, OpenSpan, short } from "./open-span.ts";
import { type Decided, type KnownCall, type KnownRun, RunMemory } from "./run-memory.ts";
import { answerText, cut, resultText, Said } from "./said.ts";
import type { Commit, ModelCall, SegmentBegin, SegmentEnd } from "./segment-facts.ts";
import type { TraceOptions } from "./trace-options.ts";
import { placeOf, type Who } from "./who.ts";

interface Trace extends SegmentBegin {
	readonly id: string;
	readonly open: Map<string, OpenSpan>;
	/** How often each name was given. */
	readonly named: Map<string, number>;
	root: OpenSpan | undefined;
	inputTokens: number;
	outputTokens: number;
	provider: string | undefined;
}

export class RunTrace {
	private readonly options: TraceOptions;
	private readonly memory: RunMemory;
	private readonly said: Said | undefined;
	private readonly meter: Meter | undefined;
	/** Of the answer that comes next there. */
	private readonly retries = new Map<string, number>();
	private trace: Trace | undefined;
	private now = 0;

	constructor(options: TraceOptions) {
		this.options = options;
		this.memory = new RunMemory(options.content);
		this.said = options.content ? new Said() : undefined;
		this.meter = options.measured && new Meter(options.measured, options.generation);
	}

	/** What segments before came to, whose spans are not wanted. */
	know(run: KnownRun): void {
		this.memory.know(run);
		this.said?.know(run.talks);
	}

	begin(segment: SegmentBegin): void {
		this.now = segment.at;
		const { store, run } = this.options;
		const id = traceIdOf({ store, run, epoch: segment.epoch });
		const tokens = { inputTokens: 0, outputTokens: 0 };
		this.trace = { ...segment, ...tokens, id, open: new Map(), named: new Map(), root: undefined, provider: undefined };
	}

	event(event: RunEvent, at: number): void {
		const { trace } = this;
		if (!trace) return;
		this.now = Math.max(this.now, at);
		this.memory.learn(event, this.now);
		this.said?.hear(event, this.memory.calls);
		this.noteOn(event);
		switch (event.type) {
			case "model.answered":
				return this.answered(trace, event);
			case "call.started":
				return this.callStarted(event.call);
			case "agent.started":
				this.insideOf(event.call);
				return;
			case "call.finished":
				return this.callFinished(event);
			case "call.settled":
				return this.callSettled(event);
			case "approval.requested":
				return this.approvalRequested(event);
			case "approval.resolved":
				if (!event.open) this.approvalEnded(event, event.answer);
				return this.meter?.queued(this.now - event.at, "approval");
			case "approval.closed":
				return this.approvalEnded(event, event.why);
			case "timer.fired":
				return this.meter?.queued(this.now - (this.memory.timers.get(event.timer) ?? this.now), "timer");
			case "run.handed":
			case "agent.done":
				return this.threadEnded({ in: event.in, agent: event.type === "run.handed" ? event.from : event.agent });
			case "user.asked":
			case "run.finished":
				return this.closeWhere((key) => key.startsWith(threadPrefix));
			default:
		}
	}

	committed(commit: Commit): void {
		const { trace } = this;
		if (!trace) return;
		this.now = Math.max(this.now, commit.end);
		const attributes = { [attr.commitEvents]: commit.events, [attr.commitKind]: commit.kind };
		this.whole(this.root(trace), {
			what: ownSpans.checkpoint,
			name: ownSpans.checkpoint,
			start: Math.min(commit.at, this.now),
			attributes,
		});
		this.meter?.committed(commit.ms, commit.kind);
	}

	/** Told before the event of its answer, which has the rest. */
	modelAsked(call: ModelCall): void {
		const { failed, retries, at, end } = call;
		if (!this.trace) return;
		if (!failed) {
			if (retries > 0) this.retries.set(placeOf(call), retries);
			return;
		}
		this.now = Math.max(this.now, end);
		const provider = short(providerName(call.provider));
		const model = short(call.modelId);
		const start = Math.min(at, this.now);
		const span = this.made(this.threadSpan(call, start), {
			// Spans of answers have the ids that follow from the journal.
			what: "chat that failed",
			name: `chat ${model}`,
			kind: "client",
			start,
			attributes: {
				[attr.operation]: operations.chat,
				[attr.provider]: provider,
				[attr.requestModel]: model,
				...(retries > 0 ? { [attr.retries]: retries } : {}),
			},
		});
		span.fail(short(failed.type), this.said && cut(failed.message));
		this.over(span);
		this.meter?.unanswered({ provider, model }, this.now - start, failed.type);
	}

	end({ at, status, error }: SegmentEnd): void {
		const { trace } = this;
		if (!trace) return;
		this.now = Math.max(this.now, at);
		const root = this.root(trace);
		const { finished } = this.memory;
		if (status !== undefined) root.attributes[attr.runStatus] = status;
		if (error) root.fail(short(error.type), this.said && cut(error.message));
		else if (finished?.error) root.fail(short(finished.error.code), this.said && cut(finished.error.message));
		this.sumUp(trace, root);
		this.close(root);
		this.meter?.worked(this.now - root.start, root.attributes);
		this.trace = undefined;
	}

	/** Spans that go on. Parents come first. */
	get open(): readonly Span[] {
		const { root } = this.trace ?? {};
		return root ? below(root) : [];
	}

	private sumUp(trace: Trace, root: OpenSpan): void {
		const { generation } = this.options;
		// A workflow of the older generation has no tokens of its own.
		if (this.memory.asked.isTeam && generation !== "latest") return;
		root.attributes[attr.inputTokens] = trace.inputTokens;
		root.attributes[attr.outputTokens] = trace.outputTokens;
		if (generation !== "latest") root.attributes[attr.provider] = trace.provider ?? "unknown";
	}

	private root(trace: Trace): OpenSpan {
		if (trace.root) return trace.root;
		const { store, run } = this.options;
		const { epoch, previous, at: start } = trace;
		const { name, attributes } = this.invocation(this.memory.asked);
		const before = previous === undefined ? undefined : traceIdOf({ store, run, epoch: previous });
		const about = { [attr.run]: run, [attr.segment]: previous ?? 0 };
		trace.root = this.start(undefined, {
			what: rootName,
			name,
			start,
			attributes: {
				...attributes,
				[attr.run]: run,
				[attr.segment]: epoch,
				...(previous === undefined ? {} : { [attr.segmentBefore]: previous }),
			},
			links: before === undefined ? [] : [{ traceId: before, spanId: spanIdOf(before, rootName), attributes: about }],
		});
		return trace.root;
	}

	private invocation({ name: who, isTeam }: { readonly name: string; readonly isTeam: boolean }) {
		const operation = isTeam ? operations.workflow : operations.agent;
		const isOldWorkflow = isTeam && this.options.generation !== "latest";
		const { session } = this.memory;
		const attributes: Record<string, AttributeValue> = {
			[attr.operation]: operation,
			[isOldWorkflow ? attr.workflowName : attr.agentName]: short(who),
		};
		if (session !== undefined && !isOldWorkflow) attributes[attr.conversation] = short(session);
		return { name: `${operation} ${short(who)}`, attributes };
	}

	/** The agent or the team that works there: in a call, or in the run itself. */
	private insideOf(inside: string | undefined, start = this.now): OpenSpan {
		const trace = this.trace as Trace;
		if (inside === undefined) return this.root(trace);
		const key = `inside ${inside}`;
		const open = trace.open.get(key);
		if (open) return open;
		const { name, attributes } = this.invocation(this.memory.askedIn(inside));
		const given = { what: key, name, start, attributes: this.withProvider(attributes) };
		return this.start(this.callSpan(inside, start), given, key);
	}

	/** The older generation wants a provider of every agent. It is known once its model answered. */
	private withProvider(attributes: Record<string, AttributeValue>): Record<string, AttributeValue> {
		const isAgent = attributes[attr.operation] === operations.agent;
		return isAgent && this.options.generation !== "latest" ? { ...attributes, [attr.provider]: "unknown" } : attributes;
	}

	/** One agent's work, in a team; elsewhere that of whoever was asked there. */
	private threadSpan(who: Who, start = this.now): OpenSpan {
		const conversation = this.insideOf(who.in, start);
		if (who.agent === undefined || !this.memory.askedIn(who.in).isTeam) return conversation;
		const key = threadKey(who);
		const open = this.trace?.open.get(key);
		if (open) return open;
		const { name, attributes } = this.invocation({ name: who.agent, isTeam: false });
		return this.start(conversation, { what: key, name, start, attributes: this.withProvider(attributes) }, key);
	}

	private threadEnded({ in: inside, agent }: Who): void {
		const open = agent === undefined ? undefined : this.trace?.open.get(threadKey({ in: inside, agent }));
		if (open) this.close(open);
	}

	/** Who is done with it, the last that began first. */
	private closeWhere(isDone: (key: string) => boolean): void {
		for (const [key, span] of [...(this.trace?.open ?? [])].reverse()) if (isDone(key)) this.close(span);
	}

	private parentOf({ parent, in: inside, agent }: KnownCall, start = this.now): OpenSpan {
		return parent === undefined ? this.threadSpan({ in: inside, agent }, start) : this.callSpan(parent, start);
	}

	/** Of a call that goes on; one that began in a segment before goes on here under a span of its own. */
	private callSpan(id: string, start = this.now): OpenSpan {
		const open = this.trace?.open.get(`call ${id}`);
		if (open) return open;
		const call = this.memory.calls.get(id);
		if (!call) return this.root(this.trace as Trace);
		return this.startCall(call, { start, extra: { [attr.isContinued]: true } });
	}

	private startCall(
		call: KnownCall,
		{ start = this.now, extra = {} }: { readonly start?: number; readonly extra?: NewSpan["attributes"] },
	) {
		const key = `call ${call.id}`;
		const tool = short(call.tool);
		const attributes: Record<string, AttributeValue> = {
			[attr.operation]: operations.tool,
			[attr.toolName]: tool,
			[attr.toolType]: "function",
			[attr.call]: call.id,
			// Models that run by themselves make it up.
			...(this.said && call.modelId !== undefined ? { [attr.toolCallId]: short(call.modelId) } : {}),
			...(call.attempt > 1 ? { [attr.attempt]: call.attempt } : {}),
			...(call.line ? { [attr.line]: call.line } : {}),
			...(call.input === undefined ? {} : { [attr.toolArguments]: call.input }),
			...extra,
		};
		return this.start(this.parentOf(call, start), { what: key, name: `execute_tool ${tool}`, start, attributes }, key);
	}

	private callStarted(id: string): void {
		const call = this.memory.calls.get(id);
		if (!call) return;
		// An attempt whose outcome nobody knows ends where the next one begins.
		const before = this.trace?.open.get(`call ${id}`);
		if (before) this.close(before);
		this.decided(this.startCall(call, {}), call);
	}

	private decided(span: OpenSpan, call: KnownCall): void {
		const { decision } = call;
		if (!decision) return;
		call.decision = undefined;
		span.note(spanEvents.decision, decision.at, this.decisionAttributes(decision));
	}

	private decisionAttributes({ verdict, policy, reason }: Decided) {
		const said = this.said && reason !== undefined ? { [attr.reason]: cut(reason) } : {};
		return { [attr.verdict]: verdict, [attr.policy]: short(policy), ...said };
	}

	private callFinished(event: Extract<RunEvent, { type: "call.finished" }>): void {
		const call = this.memory.calls.get(event.call);
		if (!call) return;
		const span = this.trace?.open.get(`call ${event.call}`) ?? this.startCall(call, {});
		this.decided(span, call);
		const end = endOf(event.outcome);
		span.attributes[attr.outcome] = end.outcome;
		this.closeWhere((key) => key === `inside ${event.call}` || key.startsWith(`${threadPrefix}${event.call} `));
		const { said } = this;
		if (end.failed !== undefined) span.fail(end.failed, said && resultText(event.outcome));
		if (said) span.attributes[attr.toolResult] = resultText(event.outcome);
		this.meter?.called(short(call.tool), event.ms ?? 0, end);
		this.close(span);
	}

	private callSettled(event: Extract<RunEvent, { type: "call.settled" }>): void {
		const call = this.memory.calls.get(event.call);
		if (!call) return;
		const { outcome } = endOf(event.outcome);
		const attributes = { [attr.call]: call.id, [attr.toolName]: short(call.tool), [attr.outcome]: outcome };
		const name = `${ownSpans.settlement} ${short(call.tool)}`;
		const what = `settlement ${call.id}`;
		this.whole(this.parentOf(call), { what, name, start: this.now, attributes });
	}

	private approvalRequested(event: Extract<RunEvent, { type: "approval.requested" }>): void {
		const call = this.memory.calls.get(event.call);
		if (!call) return;
		const span = this.approvalSpan(event.approval, call);
		this.decided(span, call);
		this.meter?.held(1, short(call.tool));
	}

	private approvalSpan(approval: string, call: KnownCall): OpenSpan {
		const key = `approval ${approval}`;
		const open = this.trace?.open.get(key);
		if (open) return open;
		const attributes = {
			[attr.approval]: approval,
			[attr.call]: call.id,
			[attr.toolName]: short(call.tool),
			[attr.answer]: "open",
		};
		const name = `${ownSpans.approval} ${short(call.tool)}`;
		return this.start(this.parentOf(call), { what: key, name, start: this.now, attributes }, key);
	}

	private approvalEnded(
		{ approval, call: id }: { readonly approval: string; readonly call: string },
		answer: string,
	): void {
		const call = this.memory.calls.get(id);
		if (!call) return;
		const span = this.approvalSpan(approval, call);
		const waited = this.now - (this.memory.approvals.get(approval) ?? this.now);
		span.attributes[attr.answer] = answer;
		span.attributes[attr.waited] = Math.max(0, waited) / 1_000;
		const tool = short(call.tool);
		this.meter?.waited(waited, { tool, answer });
		this.meter?.held(-1, tool);
		this.close(span);
	}

	private answered(trace: Trace, event: Extract<RunEvent, { type: "model.answered" }>): void {
		const { usage, finish, ms } = event;
		const named = this.memory.modelOf(event);
		const provider = short(providerName(named.provider));
		const model = short(named.modelId);
		const cost = this.options.costOf(named, usage);
		const start = this.now - Math.max(0, ms);
		const parent = this.threadSpan(event, start);
		const place = placeOf(event);
		const retries = this.retries.get(place);
		this.retries.delete(place);
		trace.provider = provider;
		trace.inputTokens += usage.inputTokens;
		trace.outputTokens += usage.outputTokens;
		if (parent.attributes[attr.provider] !== undefined) parent.attributes[attr.provider] = provider;
		const attributes: Record<string, AttributeValue> = {
			[attr.operation]: operations.chat,
			[attr.provider]: provider,
			[attr.requestModel]: model,
			[attr.finishReasons]: [short(finish)],
			[attr.inputTokens]: usage.inputTokens,
			[attr.outputTokens]: usage.outputTokens,
			...(usage.cachedInputTokens === undefined ? {} : { [attr.cacheReadTokens]: usage.cachedInputTokens }),
			...(usage.reasoningTokens === undefined ? {} : { [attr.reasoningTokens]: usage.reasoningTokens }),
			...(usage.estimated ? { [attr.isEstimated]: true } : {}),
			...(retries === undefined ? {} : { [attr.retries]: retries }),
			...(cost === undefined ? {} : { [attr.cost]: cost }),
			...(this.memory.session === undefined ? {} : { [attr.conversation]: short(this.memory.session) }),
		};
		if (this.said) {
			attributes[attr.inputMessages] = this.said.take(event);
			attributes[attr.outputMessages] = answerText(event.content, finish);
		}
		this.whole(parent, { what: "chat", name: `chat ${model}`, kind: "client", start, attributes });
		this.meter?.answered(event, { provider, model }, cost);
	}

	private noteOn(event: RunEvent): void {
		const note = notesOf(event, this.said !== undefined);
		if (!note) return;
		const { on } = note;
		const call = "call" in on && on.call !== undefined ? this.memory.calls.get(on.call) : undefined;
		const approval =
			"approval" in on && on.approval !== undefined ? this.trace?.open.get(`approval ${on.approval}`) : undefined;
		const span = approval ?? (call ? this.callSpan(call.id) : this.insideOf("in" in on ? on.in : undefined));
		span.note(note.name, this.now, note.attributes);
	}

	/** It is over, and all of it is known. */
	private whole(parent: OpenSpan, given: NewSpan): void {
		this.over(this.made(parent, given));
	}

	private over(span: OpenSpan): void {
		span.finish(this.now);
		this.options.began(span);
		this.options.ended(span);
	}

	private start(parent: OpenSpan | undefined, given: NewSpan, key?: string): OpenSpan {
		const span = this.made(parent, given, key);
		span.begin();
		if (key !== undefined) this.trace?.open.set(key, span);
		this.options.began(span);
		return span;
	}

	private made(parent: OpenSpan | undefined, given: NewSpan, key?: string): OpenSpan {
		const trace = this.trace as Trace;
		const times = (trace.named.get(given.what) ?? 0) + 1;
		trace.named.set(given.what, times);
		const what = times === 1 ? given.what : `${given.what} ${times}`;
		return new OpenSpan({ traceId: trace.id, parent, key }, times === 1 ? given : { ...given, what });
	}

	/** With all that goes on below it. */
	private close(span: OpenSpan, isLeft = false): void {
		for (const child of span.children) this.close(child, true);
		if (isLeft) span.attributes[attr.isUnfinished] = true;
		span.finish(this.now);
		if (span.key !== undefined) this.trace?.open.delete(span.key);
		this.options.ended(span);
	}
}

const threadPrefix = "agent ";

function threadKey({ in: inside, agent }: Who): string {
	return `${threadPrefix}${inside ?? ""} ${agent ?? ""}`;
}

function below(span: OpenSpan): OpenSpan[] {
	return [span, ...[...span.children].flatMap(below)];
}
