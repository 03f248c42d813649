/**
 * Turns what people and processes told the run into events. The run's one writer does this, so that two answers to the
 * same approval cannot both count (I5, I6): the second finds it resolved. Answers that are unread together are judged
 * together, and a no among them goes first.
 */
import { callDigest } from "../approvals/approvals.ts";
import { whyUncounted } from "../approvals/authority.ts";
import { lacking } from "../approvals/need.ts";
import { type GrantedCall, grantOf, termsProblem } from "../grants/grant.ts";
import type { ReceivedSignal } from "../journal/journal.ts";
import { canonicalJson } from "../kit/canonical-json.ts";
import { isHoldpointError } from "../spec/errors.ts";
import type { ApprovalResolved, RunEvent } from "../spec/events.ts";
import type { Grant } from "../spec/governance.ts";
import type { Json } from "../spec/json.ts";
import type { Signal } from "../spec/signals.ts";
import type { StoredSignal } from "../spec/store.ts";
import { answersToday, authorityFor } from "./answering.ts";
import type { CallState } from "./call-state.ts";
import { canonicalArguments } from "./canonical-arguments.ts";
import { canAnswer, isAtWork } from "./conclude.ts";
import { madeOf, rehearsalDigest } from "./rehearsed-rows.ts";
import { callOf, threadsAtWork } from "./run-state.ts";
import type { Segment } from "./segment.ts";
import { hasOpenCalls } from "./thread-events.ts";

/**
 * Takes every signal that means something now. `moving`: messages wait until the model is asked next. `waiting`: nothing
 * can move, so that a message starts a turn. Returns whether anything was taken.
 */
export async function takeSignals(segment: Segment, when: "moving" | "waiting"): Promise<boolean> {
	fireTimer(segment);
	escalate(segment);
	await segment.fetchSignals();
	const taken = segment.signals.length > 0 && (await takeAll(segment, when));
	if (segment.state.asking.size > 0) await giveGrants(segment);
	return taken;
}

async function takeAll(segment: Segment, when: "moving" | "waiting"): Promise<boolean> {
	const left: StoredSignal[] = [];
	let taken = false;
	const all = inOrder(segment, segment.signals.splice(0));
	const isBlind = all.some(({ foreignKey }) => foreignKey !== undefined);
	for (const received of all) {
		const events = await eventsFor(segment, received, { when, isBlind });
		if (!events) {
			left.push(received.stored);
			continue;
		}
		segment.emit(...events);
		taken = true;
	}
	segment.signals.unshift(...left);
	return taken;
}

/**
 * What was granted with an approval that counts. The approval is durable first; a grant has its id from it, so that it is
 * given once however often this is begun.
 */
async function giveGrants(segment: Segment): Promise<void> {
	for (const id of segment.state.asking) {
		const call = callOf(segment.state, id);
		const { approval } = call;
		if (call.phase !== "answered" || !approval || approval.denied || approval.closed) continue;
		for (const { by, at, always } of approval.answers) {
			// Of several givers some may have given theirs before the process died.
			if (!always || approval.granted?.includes(by.id)) continue;
			const facts = grantedCall(segment, call);
			if (facts === undefined || termsProblem(always, facts) !== undefined) continue;
			await segment.flush();
			const grant = grantOf(always, facts, { approval: approval.id, by: [by], at });
			if (!(await isGiven(segment, grant))) continue;
			segment.emit({ type: "grant.given", grant: grant.id, approval: approval.id, call: call.id, by });
		}
	}
}

/** Where there are too many, this call is approved all the same: nothing is granted beyond it. */
async function isGiven({ ports }: Segment, grant: Grant): Promise<boolean> {
	try {
		await ports.standing.change({ type: "grant.given", grant });
		return true;
	} catch (error) {
		if (!isHoldpointError(error) || error.code !== "grant.invalid") throw error;
		process.emitWarning(
			`An approval of ${grant.tool} counts for its call and was not granted for good: ${error.message}`,
		);
		return false;
	}
}

/** Undefined: the tool is not the one that was shown any more, so that nothing is granted of it. */
function grantedCall(segment: Segment, call: CallState): GrantedCall | undefined {
	const { state } = segment;
	const { tool, args, thread } = call;
	const { version, marks } = segment.toolOf(call) ?? {};
	const { started } = state;
	if (version === undefined || args === undefined || !started) return undefined;
	const bound = { run: state.run, call: call.id, tool, version, args: canonicalJson(args) };
	if (callDigest(bound) !== call.digest) return undefined;
	const { principal, tenant, session } = started;
	const { agent } = thread;
	return { tool, version, args, agent, principal, tenant, session: session?.id, marks: marks?.args };
}

interface Received extends ReceivedSignal {
	readonly stored: StoredSignal;
}

/**
 * By what is sealed in them: the order in which they lie is the store's word. A no goes before everything that came
 * with it; it was given before any of that began.
 */
function inOrder(segment: Segment, signals: readonly StoredSignal[]): Received[] {
	const received = signals.map((stored) => ({ stored, ...segment.seal.openSignal(stored) }));
	return received.sort((a, b) => Number(isDenial(b)) - Number(isDenial(a)) || saidAt(a) - saidAt(b));
}

function isDenial({ signal }: Received): boolean {
	return signal?.kind === "answer" && signal.answer === "deny";
}

function saidAt({ signal }: Received): number {
	return signal?.at ?? Number.MAX_SAFE_INTEGER;
}

function fireTimer(segment: Segment): void {
	for (const { timer } of threadsAtWork(segment.state)) {
		if (timer && segment.ports.clock.now() >= timer.dueAt) segment.emit({ type: "timer.fired", timer: timer.id });
	}
}

/** Before any answer is judged: those to whom it was escalated by now may have given one. */
function escalate(segment: Segment): void {
	const now = segment.ports.clock.now();
	for (const asked of segment.state.asking) {
		const { id, phase, approval } = callOf(segment.state, asked);
		if (phase !== "held" || !approval?.escalation || approval.substitutes) continue;
		const { at, roles } = approval.escalation;
		if (now < at || now >= approval.expiresAt) continue;
		segment.emit({ type: "approval.escalated", approval: approval.id, call: id, roles });
	}
}

interface Reading {
	readonly when: "moving" | "waiting";
	/** Something was said under a key that is not here. It may be a no. */
	readonly isBlind: boolean;
}

/** Undefined: not now. */
async function eventsFor(
	segment: Segment,
	{ id, signal, foreignKey }: Received,
	{ when, isBlind }: Reading,
): Promise<readonly RunEvent[] | undefined> {
	const ignored = (why: string): RunEvent[] => [{ type: "signal.ignored", signal: id, why }];
	if (segment.state.signals.has(id)) return ignored("it was taken before");
	// Whoever has the key reads it; here it is left, and so is every yes beside it.
	if (foreignKey !== undefined) return warnOf(segment, foreignKey);
	if (!signal) return ignored("its seal does not match: it was forged, changed, or meant for another run");
	if (segment.state.status !== "running") {
		// A session goes on: its next run reads what came too late for this one.
		return signal.kind === "message" && segment.state.started?.session ? undefined : ignored("the run is over");
	}
	switch (signal.kind) {
		case "answer":
			return isBlind && signal.answer !== "deny" ? undefined : answerEvents(segment, id, signal);
		case "settle":
			return settleEvents(segment, id, signal);
		case "message":
			return messageEvents(segment, { id, signal, when });
		case "rehearse":
			return rehearseEvents(segment, id, signal);
		case "cancel":
			if (segment.state.cancel) return ignored("the run is being cancelled already");
			return [
				{ type: "cancel.requested", by: signal.by, ...(signal.reason ? { reason: signal.reason } : {}), signal: id },
			];
		default:
			return ignored("it is of a kind that is not known here");
	}
}

function rehearseEvents(
	segment: Segment,
	id: string,
	{ call, by }: Extract<Signal, { kind: "rehearse" }>,
): readonly RunEvent[] {
	const program = segment.state.calls.get(call)?.program;
	if (program) return [{ type: "rehearsal.requested", call, by, signal: id }];
	return [{ type: "signal.ignored", signal: id, why: "it is no program of this run" }];
}

interface MessageSignal {
	readonly id: string;
	readonly signal: Extract<Signal, { kind: "message" }>;
	readonly when: "moving" | "waiting";
}

function messageEvents(segment: Segment, { id, signal, when }: MessageSignal): readonly RunEvent[] | undefined {
	const { state } = segment;
	const { active, team, turns } = state.conversation;
	// It is read after them, or at the latest when the run would wait.
	if (signal.mode === "turn" && when === "moving" && isAtWork(segment)) return undefined;
	// Who spoke is done, and what that comes to is being found out.
	if (active.length === 0 && !team?.asked) return undefined;
	const isOpen = active.some((thread) => hasOpenCalls(state, thread));
	if (!isOpen && !canAnswer(segment)) return undefined;
	// With no turn left the model cannot answer now: what is held stays so, and is not given up for a question.
	const isLast = !team && turns >= segment.ready.limits.turnsMax && isOpen;
	return [{ type: "message.received", text: signal.text, signal: id, mode: isLast ? "queue" : signal.mode }];
}

type AnswerSignal = Extract<Signal, { kind: "answer" }>;

async function answerEvents(segment: Segment, id: string, signal: AnswerSignal): Promise<readonly RunEvent[]> {
	const refuse = (why: string) => [refusal(signal, id, why)];
	const call = [...segment.state.calls.values()].find((one) => one.approval?.id === signal.approval);
	if (!call?.approval) return refuse("this run has no such approval");
	if (call.phase !== "held") return refuse(answeredBefore);
	if (signal.digest !== call.digest)
		return refuse("it was given for other arguments, another tool version, or another call");
	const now = segment.ports.clock.now();
	const { expiresAt } = call.approval;
	if (signal.at >= expiresAt) return refuse("it came after the approval expired");
	if (now >= expiresAt) return refuse("it came in time, and was read only after the approval had expired");
	if (signal.answer === "edit") return editEvents(segment, { call, signal, id });
	return resolvedBy(segment, { call, signal, id, args: call.args ?? null, rest: {} });
}

interface Edit {
	readonly call: CallState;
	readonly signal: AnswerSignal;
	readonly id: string;
}

async function editEvents(segment: Segment, { call, signal, id }: Edit): Promise<readonly RunEvent[]> {
	const refuse = (why: string) => [refusal(signal, id, why)];
	if (call.attempt > 0)
		return refuse("the call was started before with these arguments: it can only be repeated as it is");
	const tool = segment.toolOf(call);
	if (!tool || signal.args === undefined) return refuse("it edits nothing");
	const parsed = await canonicalArguments(tool, signal.args, segment.parsingFor(call.thread));
	if (!parsed.ok) return refuse(parsed.message);
	const bound = { run: segment.state.run, call: call.id, tool: tool.name, version: tool.version, args: parsed.text };
	const rest = { args: parsed.args, digest: callDigest(bound) };
	return resolvedBy(segment, { call, signal, id, args: parsed.args, rest });
}

interface Resolving extends Edit {
	/** With which it would be executed. */
	readonly args: Json;
	/** What an edit adds to the event. */
	readonly rest: Pick<ApprovalResolved, "args" | "digest">;
}

/** Who it is was not asked before: whether their answer counts is. */
async function resolvedBy(segment: Segment, resolving: Resolving): Promise<readonly RunEvent[]> {
	const { call, signal, id, args, rest } = resolving;
	const { approval } = call;
	const authority = await authorityFor(segment, signal.by, {
		agent: call.thread.agent,
		tool: call.tool,
		args,
		answer: signal.answer,
	});
	const before = await answersToday(segment, call);
	// A schema, or whoever knows the people, may have taken their time.
	if (call.phase !== "held" || !approval) return [refusal(signal, id, answeredBefore)];
	const isNo = signal.answer === "deny";
	// A no of somebody about whom nothing can be found out is a no.
	const why = isNo
		? authority.isUnknown
			? undefined
			: authority.refused
		: whyUncounted(approval, signal.by, authority);
	if (why !== undefined) return [refusal(signal, id, why)];
	const by = { ...signal.by, roles: authority.roles };
	if (signal.answer === "approve" && before.answers.some((answer) => answer.by.id === by.id))
		return [refusal(signal, id, "this person has answered already; another one must")];
	const isOpen = signal.answer === "approve" && lacking(approval, [...before.answers, { by }]) !== undefined;
	const foreseen = signal.rehearsal ? rowsOf(segment, call, signal) : [];
	if (typeof foreseen === "string") return [refusal(signal, id, foreseen)];
	const siblings = await siblingEvents(segment, { call, signal, id, rows: foreseen });
	if (call.phase !== "held") return [refusal(signal, id, answeredBefore)];
	const { approvers } = segment.ports;
	return [
		{
			type: "approval.resolved",
			approval: signal.approval,
			call: call.id,
			answer: signal.answer,
			by,
			at: signal.at,
			...(signal.reason ? { reason: signal.reason } : {}),
			...rest,
			...(signal.always && !isNo ? { always: signal.always } : {}),
			...(foreseen.length > 0 ? { rows: foreseen } : {}),
			...(foreseen.length > 0 && signal.rehearsal?.inOrder ? { inOrder: true as const } : {}),
			...(approvers ? { approvers: approvers.version } : {}),
			...(isOpen ? { open: true as const } : {}),
			signal: id,
		},
		...siblings,
	];
}

/** The rows that are answered with a call; a text says why none can be. */
function rowsOf(segment: Segment, call: CallState, { rehearsal }: AnswerSignal): readonly number[] | string {
	const there = call.parent === undefined ? undefined : callOf(segment.state, call.parent).program?.rehearsal;
	if (!there || !rehearsal || rehearsalDigest(there.event) !== rehearsal.digest) {
		return "what the program would do was found out anew since: look at it again";
	}
	const isRow = (row: unknown) => Number.isInteger(row) && there.rows[row as number] !== undefined;
	const isRight = Array.isArray(rehearsal.rows) && rehearsal.rows.every(isRow);
	if (!isRight) return "it answers rows that are not there";
	// One whose call was made since has nothing left to be answered.
	return [...new Set(rehearsal.rows)].filter((row) => !madeOf(segment.state, there.rows[row] ?? { answers: [] }));
}

interface Siblings extends Edit {
	readonly rows: readonly number[];
}

/** Rows whose calls are held beside this one are answered there, too, where this person has a say in them. */
async function siblingEvents(segment: Segment, { call, signal, id, rows }: Siblings): Promise<readonly RunEvent[]> {
	const there = call.parent === undefined ? undefined : callOf(segment.state, call.parent).program?.rehearsal;
	const answered: RunEvent[] = [];
	for (const row of rows) {
		// It was asked before the rehearsal, or is held as what that foresaw.
		const other = there?.event.rows[row]?.call ?? there?.rows[row]?.spent;
		const held = other === undefined || other === call.id ? undefined : callOf(segment.state, other);
		if (held?.phase !== "held" || !held.approval) continue;
		const [one] = await resolvedBy(segment, {
			call: held,
			signal: { ...siblingOf(signal), approval: held.approval.id },
			id,
			args: held.args ?? null,
			rest: {},
		});
		if (one?.type === "approval.resolved") answered.push(one);
	}
	return answered;
}

/** Other arguments, and a grant, are for the one call that was named. */
function siblingOf(signal: AnswerSignal): AnswerSignal {
	const { args: _args, always: _always, rehearsal: _rehearsal, ...rest } = signal;
	return rest.answer === "edit" ? { ...rest, answer: "approve" } : rest;
}

const answeredBefore = "it was answered or closed before";

function refusal({ approval, by }: AnswerSignal, signal: string, why: string): RunEvent {
	return { type: "approval.refused", approval, by: by.id, why, signal };
}

function settleEvents(segment: Segment, id: string, signal: Extract<Signal, { kind: "settle" }>): readonly RunEvent[] {
	const call = segment.state.calls.get(signal.call);
	if (call?.phase !== "unknown")
		return [{ type: "signal.ignored", signal: id, why: "the outcome of that call is not unknown" }];
	const outcome = call.edited && "ok" in signal.outcome ? { ...signal.outcome, edited: true as const } : signal.outcome;
	return [{ type: "call.settled", call: call.id, outcome, by: signal.by, signal: id }];
}

/** Something was said to the run under a key that is not here. It stays unread. */
function warnOf({ state: { run }, foreignKeys }: Segment, key: string): undefined {
	if (foreignKeys.has(key)) return;
	foreignKeys.add(key);
	const what = `Something that was said to run ${run} is sealed with the key "${key}", which is not here`;
	process.emitWarning(`${what}: it stays unread until a process that has the key goes on with the run.`);
}
