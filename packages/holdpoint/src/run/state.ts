/**
 * The state of a run: a fold over its journal, and nothing else.
 *
 * Owns: what each event means for the state, and the conversation as the model will see it. Does not own: deciding what
 * to do (`next.ts`), doing it (`drive.ts`), bytes (`journal/`). Pure; nothing of Node.
 *
 * The fold is incremental and changes the state in place: folding anew at each step would make a run of n calls cost n².
 */
import type { LanguageModelV4Message } from "@ai-sdk/provider";
import { joinLabels } from "../labels/label.ts";
import { answerToMessage } from "../model/prompt.ts";
import type { RunEvent, RunFinished, RunStarted } from "../spec/events.ts";
import type { Json } from "../spec/json.ts";
import type { Label } from "../spec/label.ts";
import { applyApprovalEvent } from "./approval-events.ts";
import type { CallState, RehearsalState } from "./call-state.ts";
import { lateNote, pendingNote, resultMessage } from "./messages.ts";
import { answerRows, rehearsed, spendRow } from "./rehearsal-events.ts";

export type Message = LanguageModelV4Message;

export interface RunState {
	readonly run: string;
	started: RunStarted | undefined;
	status: "running" | "completed" | "failed" | "cancelled";
	finished: RunFinished | undefined;
	/** What the model has seen and said, without instructions; starts with the session's earlier messages. */
	readonly messages: Message[];
	readonly calls: Map<string, CallState>;
	/** Calls that people are asked about, or were, and that did not go on since. */
	readonly asking: Set<string>;
	/** Calls of the model's last answer, in source order; empty once their results are in `messages`. */
	turn: string[];
	/** Calls that the model was told are pending; their results enter as notes. */
	readonly late: string[];
	/** Messages that wait until no call is open. */
	readonly queued: string[];
	/** What is to be said when the open turn's results are in. */
	readonly notes: string[];
	/** Is the model to be asked next (when no turn is open)? */
	modelDue: boolean;
	/** What gave the last answer. */
	model: string | undefined;
	turns: number;
	/** Calls that the model itself made: the next one is `c<n+1>`. */
	directCalls: number;
	readonly usage: { inputTokens: number; outputTokens: number };
	/** So many tokens the first so many messages had, instructions and tools included, as the last answer told. */
	measured: Measured | undefined;
	text: string;
	/** Of the last answer: text of a structured answer that was rejected. */
	rejections: number;
	emptyAnswers: number;
	cancel: { readonly by: string; readonly reason: string | undefined } | undefined;
	timer: { readonly id: string; readonly dueAt: number; readonly why: string } | undefined;
	/** Waits for the model in a row. */
	timers: number;
	/** Signals that became events: a second delivery means nothing. */
	readonly signals: Set<string>;
	readonly tools: Map<string, string>;
	/** Of all that the model has seen. */
	label: Label | undefined;
	/** Values that lie beside the journal, by digest. */
	readonly blobs: Map<string, Json>;
	readonly modelIds: Set<string>;
}

/** What a provider reported of the first messages. */
export interface Measured {
	readonly tokens: number;
	readonly messages: number;
	/** Digest of whom it asked, and with what beside them. */
	readonly counted: string;
}

export function emptyState(run: string, history: readonly Message[], blobs: Map<string, Json>): RunState {
	return {
		run,
		started: undefined,
		status: "running",
		finished: undefined,
		messages: [...history],
		calls: new Map(),
		asking: new Set(),
		turn: [],
		late: [],
		queued: [],
		notes: [],
		modelDue: false,
		model: undefined,
		turns: 0,
		directCalls: 0,
		usage: { inputTokens: 0, outputTokens: 0 },
		measured: undefined,
		text: "",
		rejections: 0,
		emptyAnswers: 0,
		cancel: undefined,
		timer: undefined,
		timers: 0,
		signals: new Set(),
		tools: new Map(),
		label: undefined,
		blobs,
		modelIds: new Set(history.flatMap(callIds)),
	};
}

/** Ids of calls that the model has seen already; none may be used again in the same conversation. */
function callIds(message: Message): string[] {
	if (message.role !== "assistant") return [];
	return message.content.flatMap((part) => (part.type === "tool-call" ? part.toolCallId : []));
}

/** Folds one event into the state. Total: an event of a newer kind is refused by the journal before it comes here. */
export function apply(state: RunState, event: RunEvent): void {
	useUp(state, event);
	switch (event.type) {
		case "run.started":
			state.started = event;
			state.label = event.label;
			for (const id of event.session?.read ?? []) state.signals.add(id);
			for (const name in event.tools) state.tools.set(name, event.tools[name] as string);
			say(state, event.input);
			return;
		case "run.resumed":
			for (const name in event.tools) state.tools.set(name, event.tools[name] as string);
			return;
		case "message.received":
			if (event.mode === "turn" && state.turn.length > 0) closeTurn(state);
			if (event.mode === "queue" && hasOpenCalls(state)) state.queued.push(event.text);
			else sayWhenPossible(state, event.text);
			return;
		case "model.answered":
			return applyAnswer(state, event);
		case "output.rejected":
			state.rejections++;
			say(state, state.emptyAnswers > 0 ? "Your answer was empty. Answer again." : repairRequest(event.issues));
			return;
		case "timer.set":
			state.timers++;
			state.timer = { id: event.timer, dueAt: event.dueAt, why: event.why };
			return;
		case "timer.fired":
			state.timer = undefined;
			return;
		case "cancel.requested":
			state.cancel = { by: event.by, reason: event.reason };
			return;
		case "signal.ignored":
		case "approval.refused":
			return;
		case "run.finished":
			state.status = event.status;
			state.finished = event;
			// A call whose outcome stayed unknown: the session's next run may not find it without a result.
			if (state.turn.length > 0) closeTurn(state);
			for (const text of state.queued.splice(0)) say(state, text);
			return;
		default:
			applyCallEvent(state, event);
	}
}

function useUp(state: RunState, event: RunEvent): void {
	if ("signal" in event && event.signal !== undefined) state.signals.add(event.signal);
}

function repairRequest(issues: string): string {
	return `Your answer does not fit the required format: ${issues}\nAnswer again with JSON that fits, and nothing else.`;
}

type CallEvent = Extract<RunEvent, { readonly call: string }>;

function applyCallEvent(state: RunState, event: CallEvent): void {
	if (event.type === "call.asked") {
		const program = callOf(state, event.parent).program;
		program?.asks.push(event.call);
		program?.open.add(event.call);
		const { call: id, tool, parent, line, args, unreadable } = event;
		const asked = unreadable === undefined ? { asked: args } : { asked: undefined, input: unreadable };
		state.calls.set(
			id,
			newCall({ id, ordinal: state.calls.size + 1, tool, parent, line, label: program?.label, ...asked }),
		);
		if (program) program.quiet = false;
		return;
	}
	const call = callOf(state, event.call);
	switch (event.type) {
		case "call.decided":
			call.verdict = { verdict: event.verdict, reason: event.reason ?? "" };
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
			spendRow(rehearsalFor(state, call), call, event.row);
			return;
		case "call.finished":
			state.asking.delete(call.id);
			call.outcome = event.outcome;
			call.phase = "unknown" in event.outcome ? "unknown" : "finished";
			see(state, call, event);
			return settle(state, call);
		case "call.settled":
			call.outcome = event.outcome;
			call.phase = "finished";
			see(state, call, event);
			return settle(state, call);
		case "approval.requested":
		case "approval.resolved":
		case "approval.escalated":
		case "approval.closed":
		case "grant.given":
			applyApprovalEvent({ asking: state.asking, rows: rehearsalFor(state, call)?.rows }, call, event);
			if (event.type === "approval.resolved") answerRows(rehearsalFor(state, call), event);
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
	const seer = call.parent === undefined ? state : callOf(state, call.parent).program;
	if (!seer) return;
	// Who decided on it knew what had been seen by then. Every join makes a new label: this one is the call's, or it grew.
	const isAllKnown = seer.label === call.label;
	seer.label = declassifies && isAllKnown ? label : joinLabels(seer.label, label);
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

function applyAnswer(state: RunState, event: Extract<RunEvent, { type: "model.answered" }>): void {
	state.turns++;
	state.timers = 0;
	state.modelDue = false;
	state.model = event.model ?? state.model;
	state.usage.inputTokens += event.usage.inputTokens;
	state.usage.outputTokens += event.usage.outputTokens;
	state.label = joinLabels(state.label, event.label);
	const unheard = event.unheard ? state.messages.splice(-event.unheard) : [];
	let text = "";
	const ids = new Map<string, string>();
	for (const part of event.content) {
		if (part.type === "text") text += part.text;
		if (part.type !== "tool-call" || part.providerExecuted) continue;
		const id = `c${++state.directCalls}`;
		// Providers want their own ids back; one that was used before would tie two calls to one result.
		const reused = state.modelIds.has(part.toolCallId);
		let modelId = reused ? id : part.toolCallId;
		while (state.modelIds.has(modelId)) modelId += "_";
		state.modelIds.add(modelId);
		if (reused) ids.set(part.toolCallId, modelId);
		state.calls.set(
			id,
			newCall({
				id,
				ordinal: state.calls.size + 1,
				tool: part.toolName,
				modelId,
				label: state.label,
				input: part.input,
				asked: jsonOrNothing(part.input),
			}),
		);
		state.turn.push(id);
	}
	state.text = text;
	state.emptyAnswers = text === "" && state.turn.length === 0 ? state.emptyAnswers + 1 : 0;
	if (event.content.length > 0) state.messages.push(answerToMessage(event.content, ids));
	const { inputTokens, outputTokens } = event.usage;
	const { counted } = event;
	const measured = { tokens: inputTokens + outputTokens, messages: state.messages.length };
	state.measured = counted === undefined ? undefined : { ...measured, counted };
	for (const message of unheard) sayWhenPossible(state, textOf(message));
}

interface NewCall {
	readonly id: string;
	readonly ordinal: number;
	readonly tool: string;
	readonly parent?: string;
	readonly line?: number;
	readonly label?: Label | undefined;
	readonly modelId?: string;
	readonly input?: string;
	readonly asked: Json | undefined;
}

/** A call that was asked for, and of which nothing is decided. */
export function newCall(call: NewCall): CallState {
	return {
		id: call.id,
		ordinal: call.ordinal,
		tool: call.tool,
		parent: call.parent,
		line: call.line ?? 0,
		...(call.label ? { label: call.label } : {}),
		modelId: call.modelId ?? call.id,
		asked: call.asked,
		input: call.input ?? "",
		args: undefined,
		digest: "",
		phase: "asked",
		verdict: undefined,
		approval: undefined,
		approvals: 0,
		attempt: 0,
		edited: false,
		outcome: undefined,
		program: undefined,
	};
}

/** A call has an outcome: when it was the last of a turn, the results enter the conversation in source order. */
function settle(state: RunState, call: CallState): void {
	if (call.phase !== "finished") return;
	if (call.parent !== undefined) {
		callOf(state, call.parent).program?.settled.add(call.id);
		return;
	}
	const late = state.late.indexOf(call.id);
	if (late >= 0) {
		state.late.splice(late, 1);
		sayWhenPossible(state, lateNote(call, valueOf(state, call)));
		sayQueued(state);
		return;
	}
	if (state.turn.every((id) => callOf(state, id).phase === "finished")) closeTurn(state);
}

/** Puts what is known into the conversation; what is still open reads as pending and comes later. */
function closeTurn(state: RunState): void {
	const results = state.turn.map((id) => {
		const call = callOf(state, id);
		if (call.phase === "finished") return resultMessage(call, valueOf(state, call));
		state.late.push(id);
		return pendingNote(call);
	});
	state.messages.push({ role: "tool", content: results });
	state.turn.length = 0;
	state.modelDue = true;
	for (const text of state.notes.splice(0)) say(state, text);
	sayQueued(state);
}

function hasOpenCalls(state: RunState): boolean {
	return state.turn.length > 0 || state.late.length > 0;
}

function sayQueued(state: RunState): void {
	if (hasOpenCalls(state)) return;
	for (const text of state.queued.splice(0)) say(state, text);
}

/** Between calls and their results nothing may stand: it waits for the open turn's end. */
function sayWhenPossible(state: RunState, text: string): void {
	if (state.turn.length > 0) state.notes.push(text);
	else say(state, text);
}

function textOf(message: Message): string {
	if (message.role !== "user") return "";
	return message.content.map((part) => (part.type === "text" ? part.text : "")).join("");
}

function say(state: RunState, text: string): void {
	state.messages.push({ role: "user", content: [{ type: "text", text }] });
	state.modelDue = true;
}

/** The value of a successful call, wherever it lies. */
export function valueOf(state: RunState, call: CallState): Json {
	const outcome = call.outcome;
	if (outcome && "ok" in outcome) return outcome.ok;
	if (outcome && "blob" in outcome) return state.blobs.get(outcome.blob) ?? null;
	return null;
}

export function callOf(state: RunState, id: string): CallState {
	const call = state.calls.get(id);
	if (!call) throw new Error(`Holdpoint bug: it should hold that call ${id} is in the journal of ${state.run}`);
	return call;
}

function jsonOrNothing(text: string): Json | undefined {
	if (text === "") return {};
	try {
		return JSON.parse(text) as Json;
	} catch {
		return undefined;
	}
}
