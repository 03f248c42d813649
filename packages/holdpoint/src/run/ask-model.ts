import { counted } from "../kit/counted.ts";
import { callModel, type ModelOutcome } from "../model/call-model.ts";
import { HoldpointError, isHoldpointError } from "../spec/errors.ts";
import type { ModelAnswered, RunFailureCode, Spent } from "../spec/events.ts";
import type { Limits } from "../spec/limits.ts";
import type { AnswerPart, LanguageModel, ModelAnswer, ModelMessage, ModelRequest } from "../spec/model.ts";
import { type AskAside, Stopped } from "./ask-aside.ts";
import { AskLater } from "./ask-later.ts";
import { type Thread, whoOf } from "./conversation.ts";
import { foreignLabel } from "./label-results.ts";
import { isLastAnswer } from "./last-answer.ts";
import {
	countsOutput,
	countsTime,
	giveBack,
	type Held,
	holdForModel,
	settleUnanswered,
	spentFor,
	timeIsOver,
	UsedUp,
} from "./model-budgets.ts";
import { NoRoom, type Prepared, prepareContext, systemFor } from "./prepare-context.ts";
import { isEnded } from "./route.ts";
import type { ReadyAgent } from "./run-ports.ts";
import { isClosed } from "./run-state.ts";
import type { Segment } from "./segment.ts";
import { toolsFor } from "./thread-tools.ts";
import { untilStopped } from "./until-stopped.ts";

/** Asks an agent's model once and writes down its answer, or that it is to be asked later. */
export async function askModel(segment: Segment, thread: Thread): Promise<void> {
	const { state, ports } = segment;
	// Somebody beside it ended the run, or the call, a moment ago.
	if (state.finished || isClosed(state, thread)) return;
	const ready = segment.readyOf(thread);
	if (!ready.model) {
		throw new HoldpointError("model.missing", `Agent ${ready.agent.name} has no model`, {
			details: { run: state.run },
		});
	}
	const began = ports.clock.now();
	if (thread.of.team && thread.isCalledUpon && (await isEnded(segment, thread))) return;
	const askAside = asideOf(segment, thread, ready);
	let asking: Asking | undefined;
	let answer: ModelAnswer | undefined;
	try {
		asking = await newAsking(segment, { thread, ready, askAside });
		answer = await answerTo(segment, asking);
		if (!answer) {
			asking = await newAsking(segment, { thread, ready, askAside, isTooLong: true });
			answer = await answerTo(segment, asking);
		}
		if (!answer) throw new NoRoom(stillTooLong);
	} catch (error) {
		return unanswered(segment, { thread, asked: asking?.asked, error });
	}
	const { asked, heard, room, isLast, lastWords } = asking;
	// Cancelled, and over: it came after the grace.
	if (state.finished || isClosed(state, thread)) return;
	const { finish, usage, dropped } = answer;
	const counted = countedOf(asked, answer);
	const unheard = thread.messages.length - heard;
	segment.emit({
		type: "model.answered",
		...whoOf(thread),
		...(isLast ? lastAnswerOf(answer, thread.context.last !== lastWords) : { content: answer.content }),
		finish,
		usage,
		ms: ports.clock.now() - began,
		...(unheard > 0 ? { unheard } : {}),
		// It rests on what it cites, though no call of the provider's tools may be shown.
		...(state.started?.labels && dropped?.includes("source") ? { label: foreignLabel } : {}),
		...(asked.model === thread.model ? {} : { model: asked.model }),
		...(asked.spent.length > 0 ? { spent: asked.spent } : {}),
		...(counted === undefined ? {} : { counted }),
		...(room ? saidOf(room, { thread, isAsAsked: isAsAsked(asked, answer) }) : {}),
	});
}

const stillTooLong =
	"The provider refuses the prompt for its length, also after it was compacted. Say how large the model's window is (windowTokens), shorten the instructions, or give the agent fewer tools.";

/**
 * Without its calls. Where no word is left, nothing is: what a model thought before a call is worth nothing to a provider
 * without it. Who was spoken to meanwhile answers that, too.
 */
function lastAnswerOf(
	{ content }: ModelAnswer,
	isSpokenTo: boolean,
): Pick<ModelAnswered, "content" | "unmade" | "last"> {
	const isCall = (part: AnswerPart) => part.type === "tool-call" && !part.providerExecuted;
	const unmade = content.flatMap((part) => (part.type === "tool-call" && isCall(part) ? part.toolName : []));
	const last = isSpokenTo ? {} : { last: true as const };
	if (unmade.length === 0) return { content, ...last };
	const left = content.filter((part) => !isCall(part));
	return { content: left.some(({ type }) => type === "text") ? left : [], unmade, ...last };
}

interface ToAsk {
	readonly thread: Thread;
	readonly ready: ReadyAgent;
	readonly askAside: AskAside;
	/** The provider refused what it was sent for its length. */
	readonly isTooLong?: true;
}

interface Asking {
	readonly asked: Asked;
	/** So many messages were there by then: what is said while the model answers stands after its answer. */
	readonly heard: number;
	readonly room: Room | undefined;
	/** It asks for a last answer. */
	readonly isLast: boolean;
	/** What the user had said by then. */
	readonly lastWords: Thread["context"]["last"];
}

async function newAsking(segment: Segment, toAsk: ToAsk): Promise<Asking> {
	const { thread, ready, isTooLong } = toAsk;
	const { request, room, isLast } = await requestOf(segment, toAsk);
	const asked = newAsked({ thread, ready, own: request, prefix: isTooLong ? "m2." : "m" });
	return { asked, heard: thread.messages.length, room, isLast, lastWords: thread.context.last };
}

/** Undefined: the prompt is kept within a window, and the provider refused it for its length. */
async function answerTo(segment: Segment, { asked, room }: Asking): Promise<ModelAnswer | undefined> {
	try {
		return await throughMiddleware(segment, asked, asked.own);
	} catch (error) {
		if (!room || !isHoldpointError(error) || error.details.isTooLong !== true) throw error;
		await settleSpent(segment, asked);
		return undefined;
	}
}

interface Unanswered {
	readonly thread: Thread;
	readonly asked: Asked | undefined;
	readonly error: unknown;
}

/** It is asked later, the run or the call ends, or the process has failed. */
export async function unanswered(segment: Segment, { thread, asked, error }: Unanswered): Promise<void> {
	if (segment.state.cancel || error instanceof Stopped) return;
	if (asked) await settleSpent(segment, asked);
	if (error instanceof AskLater) return setTimer(segment, thread, error);
	const ending = endingFor(error);
	if (!ending) throw error;
	segment.endings.set(thread.of, { error: ending });
}

/** What ends the run, or the call, and is no failure of the process. */
function endingFor(error: unknown): { readonly code: RunFailureCode; readonly message: string } | undefined {
	if (error instanceof UsedUp) return { code: "limit.budget", message: error.message };
	return error instanceof NoRoom ? { code: "limit.context", message: error.message } : undefined;
}

/** What an answer says of the prompt that is kept within a window, where the answer before did not. */
function saidOf(
	{ estimate, budget, resultTokensMax }: Room,
	{ thread, isAsAsked: isCounted }: { readonly thread: Thread; readonly isAsAsked: boolean },
) {
	const { budget: known } = thread.context;
	return {
		...(isCounted ? { estimate } : {}),
		...(budget === known ? {} : { budget }),
		...(known === undefined ? { resultTokensMax } : {}),
	};
}

/** Whether the provider was asked what the run asked, and its count is of that. */
function isAsAsked({ answer: given, isOwn }: Asked, { usage }: ModelAnswer): boolean {
	return isOwn && usage === given?.usage && !usage.estimated;
}

/** What the provider reported holds for the messages of the run where no layer changed anything on the way. */
function countedOf({ counted, answer: given }: Asked, { content, usage }: ModelAnswer): string | undefined {
	const isGiven = content === given?.content && usage === given.usage;
	return isGiven && !usage.estimated && usage.inputTokens > 0 ? counted : undefined;
}

type Room = Omit<Prepared, "system" | "messages">;

interface OwnRequest {
	readonly request: ModelRequest;
	/** Undefined: nobody keeps it within a window. */
	readonly room: Room | undefined;
	/** It asks for a last answer. */
	readonly isLast: boolean;
}

/** What the run itself asks. Errors: `NoRoom`; of a summary, where one was needed. */
async function requestOf(segment: Segment, toAsk: ToAsk): Promise<OwnRequest> {
	const { thread, ready, askAside, isTooLong = false } = toAsk;
	const { agent } = ready;
	const isLast = isLastAnswer(segment, thread);
	const tools = toolsFor(thread, ready);
	const beside = {
		...(tools.length > 0 ? { tools } : {}),
		...(agent.output ? { responseFormat: { type: "json", schema: agent.output.json as never } as const } : {}),
	};
	const { context, providers = [] } = agent.features ?? {};
	const prepared = context
		? await prepareContext({
				segment,
				thread,
				ready,
				options: context,
				beside,
				askAside,
				isTooLong,
			})
		: {
				system:
					providers.length > 0 ? await systemFor({ segment, thread, ready, options: { providers } }) : ready.system,
				messages: thread.messages,
			};
	// Copied in one piece: element by element, long conversations would cost the square of their turns.
	const prompt = [prepared.system].concat(prepared.messages);
	const last = isLast && tools.length > 0 ? { toolChoice: { type: "none" } as const } : {};
	const request: ModelRequest = {
		prompt: isLast ? prompt.concat(lastAnswerNote) : prompt,
		...beside,
		...last,
		...(agent.settings ? { settings: agent.settings } : {}),
	};
	return { request, room: "estimate" in prepared ? prepared : undefined, isLast };
}

const lastAnswerNote: ModelMessage = {
	role: "user",
	content: [
		{
			type: "text",
			text: "[No further tool call is possible in this run. Answer now: what is done, what is not, and what is left to do.]",
		},
	],
};

/** Asks beside the conversation; nobody reads along. */
export function asideOf(segment: Segment, thread: Thread, ready: ReadyAgent): AskAside {
	let times = 0;
	return async (request) => {
		const asked = newAsked({ thread, ready, own: request, prefix: `s${++times}.`, isAside: true });
		try {
			const answer = await throughMiddleware(segment, asked, request);
			return { answer, spent: asked.spent };
		} catch (error) {
			await settleSpent(segment, asked);
			if (segment.isOver) throw new Stopped("the run is over", { cause: error });
			throw error;
		}
	};
}

/** Who answered, and what that took. */
interface Asked {
	readonly thread: Thread;
	readonly ready: ReadyAgent;
	/** What the run itself asks, before any layer. */
	readonly own: ModelRequest;
	/** See `model.answered`. */
	counted: string | undefined;
	/** As the model gave it. */
	answer: ModelAnswer | undefined;
	model: string;
	/** How often a model was asked: layers may ask more than once. */
	times: number;
	/** Whether it was asked last what the run asks. */
	isOwn: boolean;
	readonly spent: Spent[];
	/** Of the names under which it holds what it may take. */
	readonly prefix: string;
	/** It is no part of the conversation. */
	readonly isAside: boolean;
}

interface NewAsked extends Pick<Asked, "thread" | "ready" | "own" | "prefix"> {
	readonly isAside?: boolean;
}

function newAsked({ isAside = false, ...asked }: NewAsked): Asked {
	return {
		...asked,
		isAside,
		counted: undefined,
		answer: undefined,
		model: "middleware",
		times: 0,
		isOwn: false,
		spent: [],
	};
}

function throughMiddleware(segment: Segment, asked: Asked, request: ModelRequest): Promise<ModelAnswer> {
	const onion = asked.ready.agent.middleware.filter((layer) => layer.model);
	const info = segment.infoOf(asked.thread);
	const layer = (index: number, inner: ModelRequest): Promise<ModelAnswer> => {
		const outer = onion[index];
		if (!outer?.model) return callOnce(segment, asked, inner);
		return outer.model(inner, (changed) => layer(index + 1, changed), info);
	};
	return layer(0, request);
}

async function callOnce(segment: Segment, asked: Asked, request: ModelRequest): Promise<ModelAnswer> {
	const { thread, ready } = asked;
	const { model } = ready;
	if (!model) throw new HoldpointError("model.missing", `Agent ${ready.agent.name} has no model`);
	await settleSpent(segment, asked);
	const { prefix } = asked;
	const whose = thread.work === "model" ? prefix : `${prefix}/${thread.work.slice(6)}/`;
	const holder = `${whose}${thread.turns + 1}.${++asked.times}`;
	const isOwn = (["prompt", "tools", "responseFormat"] as const).every((part) => request[part] === asked.own[part]);
	const held = await holdForModel(segment, { thread, ready, model, request, holder, isOwn });
	const { limits } = ready;
	const result = await untilStopped(segment, thread, (signal) => {
		const calling = { thread, model, limits, request, signal, isAside: asked.isAside };
		return held ? callHeld(segment, { ...calling, held }) : callFree(segment, calling);
	});
	if (result.kind === "later") throw new AskLater(result.dueInMs, result.reason);
	if (held) asked.spent.push(...spentFor(segment, held, result.answer));
	asked.counted = held && isOwn ? held.counted : undefined;
	asked.isOwn = isOwn;
	asked.answer = result.answer;
	asked.model = `${model.provider}/${model.modelId}`;
	return result.answer;
}

/** A layer had an answer before, and wants another one, or none: what that took is spent all the same. */
async function settleSpent(segment: Segment, { spent }: Asked): Promise<void> {
	const taken = spent.splice(0);
	const [first] = taken;
	if (first) await settleUnanswered(segment, first.holder, taken);
}

interface Calling {
	/** Of the agent that is asked. */
	readonly thread: Thread;
	readonly limits: Limits;
	readonly model: LanguageModel;
	readonly request: ModelRequest;
	readonly isAside: boolean;
	readonly signal: AbortSignal;
}

async function callFree(segment: Segment, calling: Calling): Promise<ModelOutcome> {
	const { thread, model, limits, request, signal, isAside } = calling;
	const { clock, random } = segment.ports;
	const onDelta = isAside ? undefined : deltasOf(segment, thread);
	const at = clock.now();
	let retries = 0;
	const onRetry = () => void retries++;
	const tell = (error?: unknown) => {
		const { provider, modelId } = model;
		segment.trace?.modelAsked({ ...whoOf(thread), provider, modelId, at, retries }, error);
	};
	try {
		const result = await callModel(model, request, {
			limits,
			clock,
			random,
			signal,
			onRetry,
			...(onDelta ? { onDelta } : {}),
		});
		// What is asked beside the conversation has no event of its own.
		if (result.kind === "answer" && !isAside) tell();
		return result;
	} catch (error) {
		// Whoever was stopped was not left without an answer.
		if (!signal.aborted) tell(error);
		throw error;
	}
}

/** Where others may be at work, whoever reads is told whose words they are. */
function deltasOf({ onDelta }: Segment, { of, agent }: Thread): Segment["onDelta"] {
	if (!onDelta || (!of.team && of.call === undefined)) return onDelta;
	const whose = { agent, ...(of.call === undefined ? {} : { in: of.call }) };
	return (delta) => onDelta({ ...delta, ...whose });
}

/** Within what is held for it. What gave no answer gives it back, unless nobody knows: then the run's end spends it. */
async function callHeld(segment: Segment, calling: Calling & { readonly held: Held }): Promise<ModelOutcome> {
	const { request, held } = calling;
	const cap = countsOutput(held) ? { maxOutputTokens: held.share.outputTokens } : {};
	const settings = { ...request.settings, ...cap };
	const ended = new AbortController();
	const over = new AbortController();
	const signal = countsTime(held) ? AbortSignal.any([calling.signal, over.signal]) : calling.signal;
	if (countsTime(held)) {
		segment.ports.clock.sleep(held.share.ms, ended.signal).then(
			() => over.abort(timeIsOver(held)),
			() => undefined,
		);
	}
	try {
		const result = await callFree(segment, { ...calling, request: { ...request, settings }, signal });
		if (result.kind === "later") await giveBack(segment, held);
		return result;
	} catch (error) {
		if (!calling.signal.aborted) await giveBack(segment, held);
		throw error;
	} finally {
		ended.abort();
	}
}

function setTimer(segment: Segment, thread: Thread, later: AskLater): void {
	if (thread.timers >= segment.readyOf(thread).limits.modelWaitsMax) {
		const message = `The model asked for patience ${counted(thread.timers, "time")} in a row (modelWaitsMax): ${later.reason}`;
		throw new HoldpointError("model.unavailable", message, { details: { run: segment.state.run } });
	}
	const who = thread.work === "model" ? "" : `${thread.work.slice(6)} `;
	const timer = `${who}t${thread.turns}.${thread.timers + 1}`;
	const dueAt = segment.ports.clock.now() + later.dueInMs;
	segment.emit({ type: "timer.set", ...whoOf(thread), timer, dueAt, why: later.reason });
}
