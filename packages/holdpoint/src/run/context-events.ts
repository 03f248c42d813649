/**
 * What an agent's model is shown of its conversation, folded: what providers gave, and what was compacted. What was said
 * is never changed by it.
 */
import { type HeadParts, headMessage } from "../context/head.ts";
import { newView } from "../context/view.ts";
import { joinLabels } from "../labels/label.ts";
import type {
	ContextCompacted,
	ContextProvided,
	ModeChanged,
	ModelAnswered,
	RunEvent,
	Todo,
	TodosSet,
} from "../spec/events.ts";
import type { Thread } from "./conversation.ts";
import { callOf, type RunState } from "./run-state.ts";

export type ContextEvent = ContextProvided | ContextCompacted | TodosSet | ModeChanged;

/** Whether it says what a model is shown, or what an agent keeps in mind. */
export function isContextEvent(event: RunEvent): event is ContextEvent {
	const { type } = event;
	return type === "context.provided" || type === "context.compacted" || type === "todos.set" || type === "mode.changed";
}

export function provide(thread: Thread, { parts, label }: ContextProvided): void {
	const { context } = thread;
	context.provided = parts ?? context.provided;
	context.isProvided = true;
	thread.label = joinLabels(thread.label, label);
}

/** Places are counted from the end: a session whose older runs are gone still shows the same. */
export function compact(state: RunState, thread: Thread, event: ContextCompacted): void {
	const { context, messages } = thread;
	const { how, resultTokensMax, cutTokensMax: tokensMax, uncut = 0 } = event;
	const from = Math.max(0, messages.length - event.kept);
	const clearedTo = Math.max(0, messages.length - event.fresh);
	if (how === "fold") context.summary = event.summary;
	state.usage.inputTokens += event.usage?.inputTokens ?? 0;
	state.usage.outputTokens += event.usage?.outputTokens ?? 0;
	const { view } = context;
	const isFolded = how === "fold" && from > 0;
	const head = isFolded ? headMessage(partsOf(state, thread, { event, from })) : view?.head;
	const cut = tokensMax === undefined ? undefined : { to: Math.max(0, messages.length - uncut), tokensMax };
	context.view = newView({ head, from, clearedTo, resultTokensMax, cut });
	// What it was shown is another text now: no count of before says anything of it.
	thread.measured = undefined;
	context.isProvided = false;
}

function partsOf(
	state: RunState,
	thread: Thread,
	{ event, from }: { readonly event: ContextCompacted; readonly from: number },
): HeadParts {
	const { first, last } = thread.context;
	const isLastFolded = last !== undefined && last.place < from && last.text !== first;
	return {
		request: first,
		latest: isLastFolded ? last.text : undefined,
		summary: event.summary,
		folded: thread.context.dropped + from,
		open: openLines(state, thread),
		partTokensMax: event.partTokensMax ?? Number.MAX_SAFE_INTEGER,
	};
}

/** What it must not forget. */
function openLines(state: RunState, { of, late, context }: Thread): string[] {
	const mode = of.mode === "plan" ? ["Mode: plan. Only what changes nothing may be done."] : [];
	const pending = late.map((id) => {
		const { tool, modelId, args } = callOf(state, id);
		return `Pending call: ${tool} (${modelId}) ${JSON.stringify(args ?? null)}. Do not repeat it; its result comes later.`;
	});
	return [...mode, ...context.todos.map(todoLine), ...pending];
}

export function todoLine({ text, status }: Todo): string {
	return `- [${{ open: " ", doing: "~", done: "x" }[status]}] ${text}`;
}

/** By how much a provider counts more than was estimated; what is far off is no measure of text. */
export function learnRatio({ context }: Thread, { estimate, usage, budget }: ModelAnswered): void {
	context.budget = budget ?? context.budget;
	if (estimate === undefined || estimate < estimateMin || usage.estimated || usage.inputTokens === 0) return;
	context.ratio = Math.min(ratioMax, Math.max(ratioMin, usage.inputTokens / estimate));
}

const estimateMin = 100;
const ratioMin = 0.5;
const ratioMax = 3;

export function changeMode(state: RunState, { in: inside, mode }: ModeChanged): void {
	const of = inside === undefined ? state.conversation : callOf(state, inside).inside;
	if (of) of.mode = mode;
}
