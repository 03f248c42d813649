/**
 * The state of a run: a fold over its journal, and nothing else.
 *
 * Owns: what each event means for the state; `thread-events.ts`, `routing-events.ts`, `approval-events.ts` and
 * `rehearsal-events.ts` have their shares of it. Does not own: deciding what to do (`next.ts`), doing it (`drive.ts`),
 * bytes (`journal/`). Pure; nothing of Node.
 *
 * The fold is incremental and changes the state in place: folding anew at each step would make a run of n calls cost n².
 */
import { joinLabels } from "../labels/label.ts";
import type { CallAsked, CallFinished, OfAgent, Outcome, RunEvent, RunStarted } from "../spec/events.ts";
import type { Label } from "../spec/label.ts";
import { applyApprovalEvent } from "./approval-events.ts";
import { type CallState, newCall, type RehearsalState } from "./call-state.ts";
import { type ContextEvent, changeMode, compact, isContextEvent, provide, stopInside } from "./context-events.ts";
import type { Thread } from "./conversation.ts";
import { bindRow, rehearsed } from "./rehearsal-events.ts";
import { askUser, beginInside, beginRun, finishBeside, goOn, handOn, hear } from "./routing-events.ts";
import { callOf, nextOrdinal, type RunState, threadsAtWork } from "./run-state.ts";
import { addUsage, applyAnswer, closeTurn, rejectOutput, say, settleDirect } from "./thread-events.ts";

/** Folds one event into the state. Total: an event of a newer kind is refused by the journal before it comes here. */
export function apply(state: RunState, event: RunEvent): void {
	useUp(state, event);
	if (isContextEvent(event)) return applyContextEvent(state, event);
	switch (event.type) {
		case "run.started":
			return start(state, event);
		case "run.resumed":
			for (const name in event.tools) state.tools.set(name, event.tools[name] as string);
			return;
		case "message.received":
			return hear(state, event);
		case "run.handed":
			return handOn(state, event);
		case "agent.continued":
			return goOn(threadOf(state, event), event);
		case "agent.done":
			return finishBeside(state, event);
		case "user.asked":
			return askUser(state, event);
		case "model.answered":
			return applyAnswer(state, threadOf(state, event), event);
		case "output.rejected":
			return rejectOutput(threadOf(state, event), event);
		case "timer.set": {
			const thread = threadOf(state, event);
			thread.timers++;
			thread.timer = { id: event.timer, dueAt: event.dueAt, why: event.why };
			return;
		}
		case "timer.fired":
			for (const thread of threadsAtWork(state)) if (thread.timer?.id === event.timer) thread.timer = undefined;
			return;
		case "cancel.requested":
			state.cancel = { by: event.by, reason: event.reason };
			return;
		case "model.unanswered":
			return addUsage(state, event.usage);
		case "signal.ignored":
		case "approval.refused":
			return;
		case "run.finished":
			state.status = event.status;
			state.finished = event;
			for (const thread of state.conversation.threads.values()) endThread(state, thread);
			return;
		default:
			applyCallEvent(state, event);
	}
}

function applyContextEvent(state: RunState, event: ContextEvent): void {
	switch (event.type) {
		case "context.provided":
			return provide(threadOf(state, event), event);
		case "context.compacted":
			return compact(state, threadOf(state, event), event);
		case "todos.set":
			threadOf(state, event).context.todos = event.todos;
			return;
		case "mode.changed":
			return changeMode(state, event);
		case "agent.stopped":
			return stopInside(state, event);
	}
}

function start(state: RunState, event: RunStarted): void {
	state.started = event;
	for (const id of event.session?.read ?? []) state.signals.add(id);
	for (const name in event.tools) state.tools.set(name, event.tools[name] as string);
	beginRun(state, event);
}

/** A call whose outcome stayed unknown: the session's next run may not find it without a result. */
function endThread(state: RunState, thread: Thread): void {
	if (thread.turn.length > 0) closeTurn(state, thread);
	for (const text of thread.queued.splice(0)) say(thread, text);
}

/** Whose event it is. */
export function threadOf(state: RunState, { in: inside, agent }: OfAgent): Thread {
	const conversation = inside === undefined ? state.conversation : callOf(state, inside).inside;
	const thread = agent === undefined ? conversation?.active[0] : conversation?.threads.get(agent);
	if (!thread) throw new Error(`Holdpoint bug: it should hold that ${agent ?? inside ?? "an agent"} is at work here`);
	return thread;
}

function useUp(state: RunState, event: RunEvent): void {
	if ("signal" in event && event.signal !== undefined) state.signals.add(event.signal);
}

type CallEvent = Extract<RunEvent, { readonly call: string }>;

/** A program asked for it. */
function askFromProgram(state: RunState, event: CallAsked): void {
	const { thread, program } = callOf(state, event.parent);
	program?.asks.push(event.call);
	program?.open.add(event.call);
	const { call: id, tool, parent, line, args, unreadable } = event;
	const asked = unreadable === undefined ? { asked: args } : { asked: undefined, input: unreadable };
	state.calls.set(
		id,
		newCall({
			id,
			ordinal: nextOrdinal(state),
			ordinalOfAgent: ++thread.calls,
			tool,
			parent,
			thread,
			line,
			label: program?.label,
			...asked,
		}),
	);
	if (program) program.quiet = false;
}

function applyCallEvent(state: RunState, event: CallEvent): void {
	if (event.type === "call.asked") return askFromProgram(state, event);
	const call = callOf(state, event.call);
	switch (event.type) {
		case "call.decided":
			call.verdict = { verdict: event.verdict, policy: event.policy, reason: event.reason ?? "" };
			if (event.grants) call.grants = event.grants;
			else delete call.grants;
			call.digest = event.digest;
			call.args = event.args ?? call.args ?? call.asked;
			return;
		case "call.started":
			state.asking.delete(call.id);
			call.phase = "started";
			call.attempt = event.attempt;
			if (event.holds) call.holds = event.holds;
			if (event.row !== undefined) call.row = event.row;
			bindRow(rehearsalFor(state, call), call, event.row);
			return;
		case "agent.started":
			state.delegated.add(call);
			return beginInside(state, call, event);
		case "call.finished":
			state.asking.delete(call.id);
			state.delegated.delete(call);
			call.outcome = event.outcome;
			call.phase = "unknown" in event.outcome ? "unknown" : "finished";
			if (event.label) call.resultLabel = event.label;
			noteWork(call, event);
			see(state, call, event);
			return settle(state, call);
		case "call.settled":
			call.outcome = event.outcome;
			call.phase = "finished";
			if (event.label) call.resultLabel = event.label;
			noteResult(call);
			see(state, call, event);
			return settle(state, call);
		case "approval.requested":
		case "approval.resolved":
		case "approval.escalated":
		case "approval.closed":
		case "grant.given":
			applyApprovalEvent({ asking: state.asking, rehearsal: rehearsalFor(state, call) }, call, event);
			return;
		default:
			applyProgramEvent(call, event);
	}
}

function rehearsalFor(state: RunState, { parent }: CallState): RehearsalState | undefined {
	return parent === undefined ? undefined : callOf(state, parent).program?.rehearsal;
}

/** Whoever made the call has seen its result now. */
function see(
	state: RunState,
	call: CallState,
	{ label, declassifies }: { readonly label?: Label; readonly declassifies?: true },
): void {
	if (!label && !declassifies) return;
	const seer = call.parent === undefined ? call.thread : callOf(state, call.parent).program;
	if (!seer) return;
	// Who decided on it knew what had been seen by then. Every join makes a new label: this one is the call's, or it grew.
	const isAllKnown = seer.label === call.label;
	seer.label = declassifies && isAllKnown ? label : joinLabels(seer.label, label);
}

/** A handoff is to be taken; whatever else came to something is work that was done. */
function noteWork(call: CallState, { handsTo, outcome }: CallFinished): void {
	const { thread } = call;
	if (handsTo !== undefined) {
		call.handsTo = handsTo;
		thread.handing ??= { call: call.id, to: handsTo };
		return;
	}
	const { path, last } = thread.trail;
	if (last && last.times > 0 && hasResult(outcome)) thread.trail = { path, last: { ...last, times: 0 } };
	noteResult(call);
}

/** What may be carried to others. What a program's calls gave is the program's. */
function noteResult({ id, thread, parent, outcome }: CallState): void {
	if (outcome && hasResult(outcome) && parent === undefined) thread.of.team?.results.push(id);
}

function hasResult(outcome: Outcome): boolean {
	return "ok" in outcome || "blob" in outcome;
}

/** A call has an outcome: it goes back to whoever made it. */
function settle(state: RunState, call: CallState): void {
	if (call.phase !== "finished") return;
	if (call.parent === undefined) settleDirect(state, call);
	else callOf(state, call.parent).program?.settled.add(call.id);
}

/** Arguments that a person changed are somebody's words. */
export function labelOfEdit({ edited }: CallState): Label | undefined {
	return edited ? { untrusted: "edit" } : undefined;
}

type ProgramEvent = Extract<CallEvent, { readonly type: `program.${string}` | "rehearsal.requested" }>;

function applyProgramEvent(call: CallState, event: ProgramEvent): void {
	if (event.type === "program.started") {
		const { provider, guest, seed, clock, body, tools, limits } = event;
		const label = joinLabels(call.label, labelOfEdit(call));
		call.program = {
			provider,
			guest,
			seed,
			clock,
			body,
			tools,
			limits,
			...(label ? { label } : {}),
			asks: [],
			open: new Set(),
			settled: new Set(),
			deliveries: [],
			suspended: undefined,
			quiet: false,
		};
		return;
	}
	const program = call.program;
	if (!program) return;
	switch (event.type) {
		case "program.delivered":
			program.deliveries.push({ answers: event.answers, clock: event.clock });
			program.quiet = false;
			for (const id of event.answers) {
				program.open.delete(id);
				program.settled.delete(id);
			}
			return;
		case "program.suspended":
			program.suspended = event;
			program.quiet = true;
			return;
		case "rehearsal.requested":
			program.rehearse = true;
			return;
		case "program.rehearsed":
			delete program.rehearse;
			program.rehearsals = (program.rehearsals ?? 0) + 1;
			program.rehearsal = rehearsed(event, program.rehearsal);
			return;
		case "program.restored":
			return;
	}
}
