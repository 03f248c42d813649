/**
 * What happens to one agent's thread, folded: its model's answers, the results of its calls, and what is said to it.
 */
import { joinLabels } from "../labels/label.ts";
import { answerToMessage } from "../model/prompt.ts";
import type { ModelAnswered, OutputRejected } from "../spec/events.ts";
import type { Json } from "../spec/json.ts";
import type { ModelUsage } from "../spec/model.ts";
import { type CallState, newCall } from "./call-state.ts";
import { learnRatio } from "./context-events.ts";
import type { Message, Thread } from "./conversation.ts";
import { lateNote, pendingNote, resultMessage } from "./messages.ts";
import { callOf, nextOrdinal, type RunState, valueOf } from "./run-state.ts";

export function applyAnswer(state: RunState, thread: Thread, event: ModelAnswered): void {
	thread.turns++;
	thread.answers++;
	thread.of.turns++;
	state.turns++;
	thread.timers = 0;
	thread.modelDue = false;
	thread.isCalledUpon = false;
	thread.model = event.model ?? thread.model;
	addUsage(state, event.usage);
	thread.label = joinLabels(thread.label, event.label);
	const unheard = event.unheard ? thread.messages.splice(-event.unheard) : [];
	let text = "";
	const ids = new Map<string, string>();
	for (const part of event.content) {
		if (part.type === "text") text += part.text;
		if (part.type !== "tool-call" || part.providerExecuted) continue;
		const id = `c${++state.directCalls}`;
		// Providers want their own ids back; one that was used before would tie two calls to one result.
		const reused = thread.modelIds.has(part.toolCallId);
		let modelId = reused ? id : part.toolCallId;
		while (thread.modelIds.has(modelId)) modelId += "_";
		thread.modelIds.add(modelId);
		if (reused) ids.set(part.toolCallId, modelId);
		const call = newCall({
			id,
			ordinal: nextOrdinal(state),
			ordinalOfAgent: ++thread.calls,
			tool: part.toolName,
			thread,
			modelId,
			label: thread.label,
			input: part.input,
			asked: jsonOrNothing(part.input),
		});
		state.calls.set(id, call);
		thread.turn.push(id);
	}
	thread.text = text;
	if (thread.of === state.conversation && (!thread.of.team || text !== "")) state.text = text;
	if (text !== "") speak(thread, text);
	thread.emptyAnswers = text === "" && thread.turn.length === 0 ? thread.emptyAnswers + 1 : 0;
	if (event.content.length > 0) thread.messages.push(answerToMessage(event.content, ids));
	learnRatio(thread, event);
	const { inputTokens, outputTokens } = event.usage;
	const { counted } = event;
	const measured = { tokens: inputTokens + outputTokens, messages: thread.messages.length };
	thread.measured = counted === undefined ? undefined : { ...measured, counted };
	for (const message of unheard) sayWhenPossible(thread, textOf(message));
	thread.hasLastAnswer = event.last === true;
	if (event.last) thread.modelDue = false;
}

export function addUsage({ usage }: RunState, took: ModelUsage | undefined): void {
	usage.inputTokens += took?.inputTokens ?? 0;
	usage.outputTokens += took?.outputTokens ?? 0;
}

/** What an agent of a team says is heard by those who take over from it. */
function speak(thread: Thread, text: string): void {
	const { team } = thread.of;
	if (!team) return;
	team.said.push({ by: thread.agent, text, label: thread.label });
	team.label = joinLabels(team.label, thread.label);
}

function jsonOrNothing(text: string): Json | undefined {
	if (text === "") return {};
	try {
		return JSON.parse(text) as Json;
	} catch {
		return undefined;
	}
}

export function rejectOutput(thread: Thread, { issues }: OutputRejected): void {
	thread.rejections++;
	say(thread, thread.emptyAnswers > 0 ? "Your answer was empty. Answer again." : repairRequest(issues));
}

function repairRequest(issues: string): string {
	return `Your answer does not fit the required format: ${issues}\nAnswer again with JSON that fits, and nothing else.`;
}

/** A call of the model has an outcome: when it was the last of a turn, the results enter the thread in source order. */
export function settleDirect(state: RunState, call: CallState): void {
	const { thread } = call;
	const late = thread.late.indexOf(call.id);
	if (late >= 0) {
		thread.late.splice(late, 1);
		const { modelDue, hasLastAnswer } = thread;
		sayWhenPossible(thread, lateNote(call, valueOf(state, call)));
		if (hasLastAnswer) thread.modelDue = modelDue;
		sayQueued(state, thread);
		return;
	}
	closeTurnWhenDone(state, thread);
}

/** What goes on in the background is not waited for: it reads as pending. */
export function closeTurnWhenDone(state: RunState, thread: Thread): void {
	const isDone = thread.turn.every((id) => {
		const { phase, isInBackground } = callOf(state, id);
		return phase === "finished" || isInBackground;
	});
	if (isDone && thread.turn.length > 0) closeTurn(state, thread);
}

/** Puts what is known into the thread; what is still open reads as pending and comes later. */
export function closeTurn(state: RunState, thread: Thread): void {
	const results = thread.turn.map((id) => {
		const call = callOf(state, id);
		if (call.phase === "finished") return resultMessage(call, valueOf(state, call));
		thread.late.push(id);
		return pendingNote(call);
	});
	thread.messages.push({ role: "tool", content: results });
	countFailures(state, thread);
	thread.turn.length = 0;
	thread.modelDue = true;
	for (const text of thread.notes.splice(0)) say(thread, text);
	sayQueued(state, thread);
}

/** Answers in a row whose calls all failed. */
function countFailures(state: RunState, { turn, context }: Thread): void {
	const hasFailed = turn.every((id) => {
		const { outcome } = callOf(state, id);
		return outcome !== undefined && "failed" in outcome;
	});
	context.failedTurns = hasFailed ? context.failedTurns + 1 : 0;
}

/** What works in the background is not waited for. */
export function hasOpenCalls(state: RunState, { turn, late }: Thread): boolean {
	return turn.length > 0 || late.some((id) => !callOf(state, id).isInBackground);
}

function sayQueued(state: RunState, thread: Thread): void {
	if (hasOpenCalls(state, thread)) return;
	for (const text of thread.queued.splice(0)) say(thread, text);
}

/** Between calls and their results nothing may stand: it waits for the open turn's end. */
export function sayWhenPossible(thread: Thread, text: string): void {
	if (thread.turn.length > 0) thread.notes.push(text);
	else say(thread, text);
}

function textOf(message: Message): string {
	if (message.role !== "user") return "";
	return message.content.map((part) => (part.type === "text" ? part.text : "")).join("");
}

export function say(thread: Thread, text: string): void {
	thread.messages.push({ role: "user", content: [{ type: "text", text }] });
	thread.modelDue = true;
}
