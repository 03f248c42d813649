/**
 * What an agent's model is shown of its conversation, folded: what providers gave, and what was compacted. What was said
 * is never changed by it.
 */
import { type HeadParts, headMessage } from "../context/head.ts";
import { newView, wholeFrame } from "../context/view.ts";
import { joinLabels } from "../labels/label.ts";
import type {
	AgentStopped,
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

export type ContextEvent = ContextProvided | ContextCompacted | TodosSet | ModeChanged | AgentStopped;

const contextTypes: ReadonlySet<string> = new Set<ContextEvent["type"]>([
	"context.provided",
	"context.compacted",
	"todos.set",
	"mode.changed",
	"agent.stopped",
]);

/** Whether it says what a model is shown, or what an agent keeps in mind. */
export function isContextEvent(event: RunEvent): event is ContextEvent {
	return contextTypes.has(event.type);
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
	const { context, queued } = thread;
	const { first, last } = context;
	const isRead = last !== undefined && !queued.includes(last.text);
	const isLastFolded = isRead && last.place < from && last.text !== first;
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

/**
 * What an answer says of its prompt, and by how much a provider counts more than was estimated. One count is no proof:
 * each moves it half of the way. None makes it less than was estimated: some providers leave out what they had in a cache.
 */
export function learnRatio({ context }: Thread, event: ModelAnswered): void {
	const { estimate, usage, budget, resultTokensMax } = event;
	context.budget = budget ?? context.budget;
	if (resultTokensMax !== undefined) context.view ??= newView(wholeFrame(resultTokensMax));
	if (estimate === undefined || estimate < estimateMin || usage.estimated || usage.inputTokens === 0) return;
	const counted = Math.min(ratioMax, Math.max(1, usage.inputTokens / estimate));
	context.ratio = (context.ratio + counted) / 2;
}

const estimateMin = 100;
const ratioMax = 3;

export function stopInside(state: RunState, { in: inside, by }: AgentStopped): void {
	const of = callOf(state, inside).inside;
	if (of) of.stoppedBy = by;
}

export function changeMode(state: RunState, { in: inside, mode }: ModeChanged): void {
	const of = inside === undefined ? state.conversation : callOf(state, inside).inside;
	if (of) of.mode = mode;
}
