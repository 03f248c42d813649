/**
 * What an agent's model is sent, kept within what it can read.
 *
 * 1. What providers give, and what is compacted, is written down before the model is asked: whoever resumes the run, or
 *    looks at it later, finds the same prompt.
 * 2. Between two compactions a prompt only grows. Costs what is new, not what is there.
 * 3. A summary that fails is no failure of the run: the model is told that something is left out.
 */
import { type Plan, planCompaction, type Room } from "../context/plan-compaction.ts";
import { cutText } from "../context/shown-message.ts";
import { summaryRequest, usableSummary } from "../context/summary.ts";
import { extendView, newView, type View, wholeFrame } from "../context/view.ts";
import { inputBudget, windowOf } from "../context/windows.ts";
import { counted, numberText } from "../kit/counted.ts";
import { inTime } from "../kit/in-time.ts";
import { reasonOf } from "../kit/reason-of.ts";
import { charsPerToken, tokenEstimate } from "../kit/token-estimate.ts";
import { joinLabels } from "../labels/label.ts";
import type { ContextOptions, ContextProvider, ProvidingRun } from "../spec/context.ts";
import type { ContextCompacted } from "../spec/events.ts";
import type { Label } from "../spec/label.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { ModelMessage, ModelRequest } from "../spec/model.ts";
import { type AskAside, isToStop, Stopped } from "./ask-aside.ts";
import { type Thread, type ThreadContext, whoOf } from "./conversation.ts";
import type { ReadyAgent, RunPorts } from "./run-ports.ts";
import { isClosed } from "./run-state.ts";
import type { Segment } from "./segment.ts";

/** The instructions and what stands behind them, the conversation as it is shown, and an estimate of the whole. */
export interface Prepared {
	readonly system: ModelMessage;
	readonly messages: readonly ModelMessage[];
	/** Tokens, before any correction. */
	readonly estimate: number;
	/** What it may have. Tokens. */
	readonly budget: number;
	/** What is shown of one result. Tokens. */
	readonly resultTokensMax: number;
}

/** What is sent beside the messages. */
export type Beside = Pick<ModelRequest, "tools" | "responseFormat">;

interface Preparing {
	readonly segment: Segment;
	readonly thread: Thread;
	readonly ready: ReadyAgent;
	readonly options: ContextOptions;
	readonly beside: Beside;
	readonly askAside: AskAside;
	/** The provider refused what it was sent for its length. */
	readonly isTooLong: boolean;
}

/** The window is too small: no compaction makes room. */
export class NoRoom extends Error {}

/** Each one makes room for the next; a second one in a row clears what the first one left. */
const compactionsMax = 3;

/** Errors: `NoRoom`; whatever stops the run. */
export async function prepareContext(preparing: Preparing): Promise<Prepared> {
	const { segment, thread, options, isTooLong } = preparing;
	for (let times = 0; ; times++) {
		if (!thread.context.isProvided && options.providers.length > 0) await provideAnew(preparing);
		const view = shownTo(thread, options);
		const found = roomFor(preparing);
		const room = isTooLong && times === 0 ? { ...found, budget: halfOf(found, view) } : found;
		const plan = planFor(view, thread, room);
		if (!plan) {
			const { system, budget } = room;
			const { messages, resultTokensMax } = view;
			return { system, messages, estimate: Math.ceil(room.fixed + view.tokens), budget, resultTokensMax };
		}
		if (plan.how === "hopeless" || times >= compactionsMax) throw new NoRoom(noRoom(room, view));
		segment.emit(await compacted(preparing, plan, { view, room }));
	}
}

/** Whatever was known of the window is wrong: so much that half of the conversation must go. */
function halfOf({ fixed, ratio, compactAt, budget }: Room, { tokens }: View): number {
	return Math.min(budget, Math.floor(((fixed + tokens / 2) * ratio) / compactAt));
}

/** What was learned of a provider's counts is no proof that there is no room: that is asked of the estimate alone. */
function planFor(view: View, { messages }: Thread, room: Room): Plan | undefined {
	const plan = planCompaction(view, messages, room);
	return plan?.how === "hopeless" && room.ratio > 1 ? planCompaction(view, messages, { ...room, ratio: 1 }) : plan;
}

/** What takes the room, how much there is, and what whoever made the agent can do. */
function noRoom({ budget, fixed, ratio, compactAt, window, answer }: FoundRoom, view: View): string {
	const [own, said] = [fixed * ratio, view.tokens * ratio].map(Math.ceil).map(numberText);
	const most = numberText(Math.floor(budget * compactAt));
	const isRefused = budget < window - answer;
	const why = isRefused
		? "The provider refused more for its length"
		: `Of the window of ${counted(window, "token")} ${numberText(answer)} are kept for the answer (answerTokens), and a prompt has ${Math.round(compactAt * 100)} % of the rest (compactAt)`;
	const larger = `a model with a larger window${isRefused ? "" : ", or say that it is larger (windowTokens)"}`;
	return `The prompt does not fit: instructions, tools and what providers gave take ${own} tokens, the conversation ${said}, and ${most} is the most; compacting it makes no room. ${why}. Shorten the instructions, give the agent fewer tools, or take ${larger}.`;
}

function shownTo(thread: Thread, { resultTokensMax }: ContextOptions): View {
	thread.context.view ??= newView(wholeFrame(resultTokensMax));
	extendView(thread.context.view, thread.messages);
	return thread.context.view;
}

interface FoundRoom extends Room {
	readonly system: ModelMessage;
	/** What the model can read, and what of it is kept for its answer. Tokens. */
	readonly window: number;
	readonly answer: number;
}

function roomFor({ thread, ready, options, beside }: Preparing): FoundRoom {
	const window = options.windowTokens ?? windowOf(ready.model?.modelId ?? "");
	const system = systemWith(ready, thread.context);
	const fixed = tokenEstimate(system.content) + tokensBeside(beside);
	const budget = inputBudget(window, options.answerTokens, ready.agent.settings?.maxOutputTokens);
	const { compactAt } = options;
	return { budget, fixed, ratio: thread.context.ratio, compactAt, system, window, answer: window - budget };
}

const tokensOf = new WeakMap<object, number>();

/** Declarations are the same at each turn. */
function tokensBeside({ tools, responseFormat }: Beside): number {
	return [tools, responseFormat].reduce<number>((sum, part) => {
		if (!part) return sum;
		let tokens = tokensOf.get(part);
		if (tokens === undefined) {
			tokens = tokenEstimate(part);
			tokensOf.set(part, tokens);
		}
		return sum + tokens;
	}, 0);
}

const systems = new WeakMap<ThreadContext["provided"], ModelMessage>();

/** The instructions with what stands behind them. */
export function systemWith(
	{ system }: Pick<ReadyAgent, "system">,
	{ provided }: Pick<ThreadContext, "provided">,
): ModelMessage {
	if (provided.length === 0 || typeof system.content !== "string") return system;
	const known = systems.get(provided);
	if (known && typeof known.content === "string" && known.content.startsWith(system.content)) return known;
	// Nothing that it says ends its element or begins another one.
	const parts = provided.map(({ name, text }) => `<${name}>\n${text.replaceAll("<", "&lt;")}\n</${name}>`);
	const made: ModelMessage = { role: "system", content: [system.content, ...parts].join("\n\n") };
	systems.set(provided, made);
	return made;
}

type Providing = Pick<Preparing, "segment" | "thread"> & { readonly options: Pick<ContextOptions, "providers"> };

/** The instructions and what stands behind them, where all that was said is shown. */
export async function systemFor({
	ready,
	...providing
}: Providing & { readonly ready: ReadyAgent }): Promise<ModelMessage> {
	const { context } = providing.thread;
	if (!context.isProvided) await provideAnew(providing);
	return systemWith(ready, context);
}

async function provideAnew({ segment, thread, options }: Providing): Promise<void> {
	const parts: { name: string; text: string }[] = [];
	const failed: { name: string; why: string }[] = [];
	let label: Label | undefined;
	for (const provider of options.providers) {
		const given = await givenBy(provider, { segment, thread });
		if ("why" in given) failed.push({ name: provider.name, why: given.why });
		else if (given.text !== "") parts.push({ name: provider.name, text: given.text });
		if ("label" in given) label = joinLabels(label, given.label);
	}
	segment.check();
	const { provided } = thread.context;
	// Where it is as before, the journal has it already; that they were asked is an event all the same.
	const isSame = JSON.stringify(provided) === JSON.stringify(parts);
	segment.emit({
		type: "context.provided",
		...whoOf(thread),
		...(isSame ? {} : { parts }),
		...(failed.length > 0 ? { failed } : {}),
		...(label && segment.state.started?.labels ? { label } : {}),
	});
}

/** One of Holdpoint's own, which reads the store. */
export interface OwnProvider extends ContextProvider {
	readonly provideFrom?: (run: ProvidingRun, ports: RunPorts) => ReturnType<ContextProvider["provide"]>;
}

type Given = { readonly text: string; readonly label?: Label | undefined } | { readonly why: string };

async function givenBy(
	provider: OwnProvider,
	{ segment, thread }: Pick<Preparing, "segment" | "thread">,
): Promise<Given> {
	const { name, tokensMax } = provider;
	try {
		const { patience } = segment.parsingFor(thread);
		const run = { ...segment.infoOf(thread), tenant: segment.state.started?.tenant };
		const asked = provider.provideFrom ? provider.provideFrom(run, segment.ports) : provider.provide(run);
		const given: unknown = await inTime(Promise.resolve(asked), `the context provider ${name}`, patience);
		if (given === undefined) return { text: "" };
		const { text, label } = typeof given === "string" ? { text: given } : (given as { text: string; label?: Label });
		if (typeof text !== "string") return { why: "it gave no text" };
		return { text: cutText(text, tokensMax * charsPerToken), label };
	} catch (error) {
		segment.check();
		return { why: reasonOf(error).slice(0, fixedLimits.errorCharsMax) };
	}
}

async function compacted(
	preparing: Preparing,
	plan: Exclude<Plan, { how: "hopeless" }>,
	{ view, room }: { readonly view: View; readonly room: Room },
): Promise<ContextCompacted> {
	const { segment, thread } = preparing;
	const from = plan.how === "fold" ? plan.from : view.from;
	const { cut } = plan.how === "fold" ? plan : view;
	const summary =
		plan.how === "fold" && from > 0
			? { partTokensMax: plan.partTokensMax, ...(await summaryOf(preparing, { view, room, ...plan })) }
			: {};
	if (segment.isOver || isClosed(segment.state, thread)) throw new Stopped("there is nothing left to be asked");
	// Counted from the end, which may have moved while the summary was written.
	const said = thread.messages.length;
	return {
		type: "context.compacted",
		...whoOf(thread),
		how: plan.how,
		kept: said - from,
		fresh: said - plan.clearedTo,
		resultTokensMax: view.resultTokensMax,
		...(cut ? { cutTokensMax: cut.tokensMax } : {}),
		...(cut && cut.to < said ? { uncut: said - cut.to } : {}),
		tokens: Math.ceil((room.fixed + view.tokens) * room.ratio),
		budget: room.budget,
		...summary,
	};
}

interface Summarising {
	readonly view: View;
	readonly from: number;
	readonly partTokensMax: number;
	readonly room: Room;
}

type Summary = Pick<ContextCompacted, "summary" | "unsummarised" | "usage" | "spent">;

async function summaryOf(
	{ thread, options, askAside }: Preparing,
	{ view, from, partTokensMax, room }: Summarising,
): Promise<Summary> {
	if (!options.isSummarised) return { unsummarised: "summaries are switched off" };
	const { budget, ratio } = room;
	const request = summaryRequest({
		before: thread.context.summary,
		messages: thread.messages.slice(view.from, from),
		inputTokensMax: Math.floor((budget * summaryInputShare) / ratio),
		summaryTokensMax: partTokensMax,
	});
	try {
		const { answer, spent } = await askAside(request);
		const text = answer.content.map((part) => (part.type === "text" ? part.text : "")).join("");
		const summary = usableSummary(text, partTokensMax);
		const took = { usage: answer.usage, ...(spent.length > 0 ? { spent } : {}) };
		return summary === undefined
			? { unsummarised: "the model gave none that can be used", ...took }
			: { summary, ...took };
	} catch (error) {
		if (isToStop(error)) throw error;
		return { unsummarised: reasonOf(error).slice(0, fixedLimits.errorCharsMax) };
	}
}

/** Its own instructions and a wrong estimate are the rest. */
const summaryInputShare = 0.85;
