import { askOf } from "../approvals/need.ts";
import type { RunFinished } from "../spec/events.ts";
import type { Json } from "../spec/json.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { RunResult, Wait } from "../spec/result.ts";
import { validate } from "../tools/validate.ts";
import { endOf } from "./call-end.ts";
import type { ApprovalState, CallState } from "./call-state.ts";
import { type Conversation, type Thread, whoOf } from "./conversation.ts";
import { isSentBack } from "./loop.ts";
import { joinWork, next, type Step } from "./next.ts";
import { endWith, follow, isOver } from "./route.ts";
import type { RunState } from "./run-state.ts";
import { isInBackground, openConversations, threadsAtWork } from "./run-state.ts";
import type { Segment } from "./segment.ts";

const { repairsMax } = fixedLimits;

/** An agent's model answered without calls: is that the end? */
export async function conclude(segment: Segment, thread: Thread): Promise<void> {
	// Somebody beside it ended the run, or the call, a moment ago.
	if (isOver(segment, thread.of)) return;
	const { output: wanted } = segment.readyOf(thread).agent;
	if (await isSpokenTo(segment, thread)) return;
	const unusable = (issues: string, code: Unusable = "output.invalid") =>
		retryOrFail(segment, thread, { issues, code });
	if (thread.emptyAnswers > 0) return unusable("the answer was empty", "model.answered_nothing");
	if (!wanted) return followUnlessSentBack(segment, thread, thread.text);
	const parsed = jsonOf(thread.text);
	if (parsed === undefined) return unusable("it is no JSON");
	const result = await validate(wanted.schema, parsed, segment.parsingFor(thread).patience);
	if (await isSpokenTo(segment, thread)) return;
	if (!result.ok) return unusable(result.issues);
	const output = plain(result.value);
	if (output === undefined) return unusable("what the schema makes of it is no JSON");
	return followUnlessSentBack(segment, thread, output);
}

async function followUnlessSentBack(segment: Segment, thread: Thread, output: Json): Promise<void> {
	const { loop } = segment.readyOf(thread).agent.features ?? {};
	if (loop && ((await isSentBack(segment, thread)) || (await isSpokenTo(segment, thread)))) return;
	await follow(segment, thread, output);
}

/** What was said while the model answered, or a schema took its time, came before the end: the run goes on. */
async function isSpokenTo(segment: Segment, { of, work }: Thread): Promise<boolean> {
	if (segment.signals.length === 0 && !segment.signalsStored) return false;
	// A message that is read after the others' work is for them: it would never be read if this one waited for it.
	return of.call === undefined && canAnswer(segment) && !isAtWork(segment, work)
		? segment.isUnread("message", "cancel")
		: segment.isUnread("cancel");
}

/**
 * Calls or models are at work, or can be: a message is read after them. That an answer is to be concluded is none of that,
 * and what is in the background is not waited for.
 */
export function isAtWork({ state, busy, doing }: Segment, concluding?: string): boolean {
	for (const work of busy) if (work !== concluding && !isBackgroundWork(state, work)) return true;
	if (state.conversation.active.every(({ turn }) => turn.length === 0)) return false;
	return next(state, doing).some((step) => {
		const of = conversationOf(step);
		if (of && isInBackground(state, of)) return false;
		return step.do !== "conclude" || of?.call !== undefined;
	});
}

function conversationOf(step: Step): Conversation | undefined {
	if ("thread" in step) return step.thread.of;
	if ("call" in step) return step.call.thread.of;
	return "of" in step ? step.of : undefined;
}

/** By the name under which the driver is busy with it. */
function isBackgroundWork(state: RunState, work: string): boolean {
	const call = state.calls.get(work);
	if (call) return call.isInBackground === true || isInBackground(state, call.thread.of);
	for (const of of openConversations(state)) {
		const isOfIt = joinWork(of) === work || [...of.threads.values()].some((thread) => thread.work === work);
		if (isOfIt) return isInBackground(state, of);
	}
	return false;
}

/** With no turn left nothing more is said in this run; a session's next one reads what came too late for it. */
export function canAnswer({ state, ready }: Segment): boolean {
	const { team, turns } = state.conversation;
	return team !== undefined || turns < ready.limits.turnsMax || state.started?.session === undefined;
}

type Unusable = "output.invalid" | "model.answered_nothing";

function retryOrFail(
	segment: Segment,
	thread: Thread,
	{ issues, code }: { readonly issues: string; readonly code: Unusable },
): void {
	const { rejections } = thread;
	if (rejections < repairsMax && !segment.isSpent(thread)) {
		segment.emit({ type: "output.rejected", ...whoOf(thread), issues });
		return;
	}
	const when = rejections < repairsMax ? "With no turn left" : `After ${repairsMax} repair`;
	const message = `${when} the answer is ${rejections < repairsMax ? "" : "still "}unusable: ${issues}`;
	endWith(segment, thread.of, { error: { code, message } });
}

const fence = "```";

/** Models like to wrap JSON in a fence. Cut, not matched: an expression can be kept busy by what a model writes. */
function jsonOf(text: string): Json | undefined {
	const whole = text.trim();
	const isFenced = whole.startsWith(fence) && whole.endsWith(fence);
	const opening = whole.startsWith(`${fence}json`) ? `${fence}json` : fence;
	try {
		return JSON.parse(isFenced ? whole.slice(opening.length, -fence.length) : whole) as Json;
	} catch {
		return undefined;
	}
}

/** The value as the journal keeps it, or nothing where it cannot. */
function plain(value: unknown): Json | undefined {
	try {
		return JSON.parse(JSON.stringify(value) ?? "null") as Json;
	} catch {
		return undefined;
	}
}

/** How the run stands, as its caller reads it. */
export function resultOf(state: RunState): RunResult {
	const common = { run: state.run, text: state.text, usage: { ...state.usage } };
	const { finished } = state;
	if (!finished) return { ...common, status: "waiting", waits: waitsOf(state) };
	switch (finished.status) {
		case "completed":
			return { ...common, status: "completed", output: finished.output ?? null };
		case "failed":
			return { ...common, status: "failed", error: finished.error ?? { code: "output.invalid", message: "" } };
		case "cancelled":
			return { ...common, status: "cancelled", done: finished.done ?? [] };
	}
}

/** Everything that somebody or something must do before the run can go on. */
export function waitsOf(state: RunState): Wait[] {
	const waits: Wait[] = [];
	for (const call of state.calls.values()) {
		const wait = waitOf(state, call);
		if (wait) waits.push(wait);
	}
	for (const { timer } of threadsAtWork(state)) {
		if (timer) waits.push({ kind: "timer", dueAt: timer.dueAt, why: timer.why });
	}
	const { asked } = state.conversation.team ?? {};
	if (asked) {
		waits.push({ kind: "user", agent: asked.agent, text: asked.text });
	}
	return waits;
}

function waitOf(state: RunState, call: CallState): Wait | undefined {
	const about = { call: call.id, tool: call.tool, args: call.args ?? null };
	if (call.phase === "unknown") {
		const why = call.outcome && "unknown" in call.outcome ? call.outcome.unknown : "";
		return { kind: "unknown", ...about, why };
	}
	const { approval } = call;
	if (call.phase !== "held" || !approval) return undefined;
	const parent = call.parent === undefined ? undefined : state.calls.get(call.parent);
	return {
		kind: "approval",
		approval: approval.id,
		...about,
		agent: call.thread.agent,
		reason: call.verdict?.reason ?? "",
		ask: askOf(approval),
		expiresAt: approval.expiresAt,
		...escalationOf(approval),
		...(parent ? { program: { call: parent.id, line: call.line } } : {}),
	};
}

function escalationOf({ substitutes, escalation, expiresAt }: ApprovalState): {
	escalatesAt?: number;
	escalatedTo?: readonly string[];
} {
	if (substitutes) return { escalatedTo: substitutes };
	return escalation && escalation.at < expiresAt ? { escalatesAt: escalation.at } : {};
}

type Done = NonNullable<RunFinished["done"]>[number];

/** What a cancelled run did before. */
export function doneOf(state: RunState): Done[] {
	return [...state.calls.values()].flatMap((call): Done[] => {
		const end = endOf(call);
		if (call.program || call.inside || call.handsTo !== undefined || (end !== "ok" && end !== "unknown")) return [];
		return [{ call: call.id, tool: call.tool, outcome: end }];
	});
}
