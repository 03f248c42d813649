import { callModel, type ModelOutcome } from "../model/call-model.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { Spent } from "../spec/events.ts";
import type { LanguageModel, ModelAnswer, ModelRequest } from "../spec/model.ts";
import { AskLater } from "./ask-later.ts";
import { foreignLabel } from "./label-results.ts";
import {
	countsOutput,
	countsTime,
	giveBack,
	type Held,
	holdForModel,
	spentFor,
	timeIsOver,
	UsedUp,
} from "./model-budgets.ts";
import type { Segment } from "./segment.ts";

/** Asks the model once and writes down its answer, or that it is to be asked later. */
export async function askModel(segment: Segment): Promise<void> {
	const { state, ready, ports } = segment;
	if (!ready.model) {
		throw new HoldpointError("model.missing", `Agent ${ready.agent.name} has no model`, {
			details: { run: state.run },
		});
	}
	const began = ports.clock.now();
	const heard = state.messages.length;
	const own = requestOf(segment);
	const asked: Asked = { own, model: "middleware", times: 0, spent: [], counted: undefined, answer: undefined };
	let answer: ModelAnswer;
	try {
		answer = await throughMiddleware(segment, asked, own);
	} catch (error) {
		if (state.cancel) return;
		await settleSpent(segment, asked);
		if (error instanceof AskLater) return setTimer(segment, error);
		if (!(error instanceof UsedUp)) throw error;
		segment.usedUp = error.message;
		return;
	}
	// Cancelled, and over: it came after the grace.
	if (state.finished) return;
	const { content, finish, usage, dropped } = answer;
	const counted = countedOf(asked, answer);
	const unheard = state.messages.length - heard;
	segment.emit({
		type: "model.answered",
		content,
		finish,
		usage,
		ms: ports.clock.now() - began,
		...(unheard > 0 ? { unheard } : {}),
		// It rests on what it cites, though no call of the provider's tools may be shown.
		...(state.started?.labels && dropped?.includes("source") ? { label: foreignLabel } : {}),
		...(asked.model === state.model ? {} : { model: asked.model }),
		...(asked.spent.length > 0 ? { spent: asked.spent } : {}),
		...(counted === undefined ? {} : { counted }),
	});
}

/** What the provider reported holds for the messages of the run where no layer changed anything on the way. */
function countedOf({ counted, answer: given }: Asked, { content, usage }: ModelAnswer): string | undefined {
	const isGiven = content === given?.content && usage === given.usage;
	return isGiven && !usage.estimated && usage.inputTokens > 0 ? counted : undefined;
}

function requestOf(segment: Segment): ModelRequest {
	const { state, ready } = segment;
	const { agent } = ready;
	return {
		// Copied in one piece: element by element, long conversations would cost the square of their turns.
		prompt: [ready.system].concat(state.messages),
		...(ready.modelTools.length > 0 ? { tools: ready.modelTools } : {}),
		...(agent.settings ? { settings: agent.settings } : {}),
		...(agent.output ? { responseFormat: { type: "json", schema: agent.output.json as never } } : {}),
	};
}

/** Who answered, and what that took. */
interface Asked {
	/** What the run itself asks, before any layer. */
	readonly own: ModelRequest;
	/** See `model.answered`. */
	counted: string | undefined;
	/** As the model gave it. */
	answer: ModelAnswer | undefined;
	model: string;
	/** How often a model was asked: layers may ask more than once. */
	times: number;
	readonly spent: Spent[];
}

function throughMiddleware(segment: Segment, asked: Asked, request: ModelRequest): Promise<ModelAnswer> {
	const onion = segment.ready.agent.middleware.filter((layer) => layer.model);
	const layer = (index: number, inner: ModelRequest): Promise<ModelAnswer> => {
		const outer = onion[index];
		if (!outer?.model) return callOnce(segment, asked, inner);
		return outer.model(inner, (changed) => layer(index + 1, changed), segment.info);
	};
	return layer(0, request);
}

async function callOnce(segment: Segment, asked: Asked, request: ModelRequest): Promise<ModelAnswer> {
	const { model } = segment.ready;
	if (!model) throw new HoldpointError("model.missing", `Agent ${segment.ready.agent.name} has no model`);
	await settleSpent(segment, asked);
	const holder = `m${segment.state.turns + 1}.${++asked.times}`;
	const isOwn = (["prompt", "tools", "responseFormat"] as const).every((part) => request[part] === asked.own[part]);
	const held = await holdForModel(segment, model, { request, holder, isOwn });
	const result = held ? await callHeld(segment, { model, request, held }) : await callFree(segment, { model, request });
	if (result.kind === "later") throw new AskLater(result.dueInMs, result.reason);
	if (held) asked.spent.push(...spentFor(segment, held, result.answer));
	asked.counted = held && isOwn ? held.counted : undefined;
	asked.answer = result.answer;
	asked.model = `${model.provider}/${model.modelId}`;
	return result.answer;
}

/** A layer had an answer before, and wants another one, or none: what that took is spent all the same. */
async function settleSpent(segment: Segment, { spent }: Asked): Promise<void> {
	const taken = spent.splice(0);
	if (taken.length === 0) return;
	await segment.settle(taken.map(({ account, amount, holder }) => ({ kind: "settle", account, amount, holder })));
}

interface Calling {
	readonly model: LanguageModel;
	readonly request: ModelRequest;
	/** Default: the segment's. */
	readonly signal?: AbortSignal;
}

function callFree(segment: Segment, { model, request, signal }: Calling): Promise<ModelOutcome> {
	const { ready, ports, onDelta } = segment;
	return callModel(model, request, {
		limits: ready.limits,
		clock: ports.clock,
		random: ports.random,
		signal: signal ?? segment.abort.signal,
		...(onDelta ? { onDelta } : {}),
	});
}

/** Within what is held for it. What gave no answer gives it back, unless nobody knows: then the run's end spends it. */
async function callHeld(segment: Segment, calling: Calling & { readonly held: Held }): Promise<ModelOutcome> {
	const { model, request, held } = calling;
	const cap = countsOutput(held) ? { maxOutputTokens: held.share.outputTokens } : {};
	const settings = { ...request.settings, ...cap };
	const ended = new AbortController();
	const over = new AbortController();
	const signal = countsTime(held) ? AbortSignal.any([segment.abort.signal, over.signal]) : segment.abort.signal;
	if (countsTime(held)) {
		segment.ports.clock.sleep(held.share.ms, ended.signal).then(
			() => over.abort(timeIsOver(held)),
			() => undefined,
		);
	}
	try {
		const result = await callFree(segment, { model, request: { ...request, settings }, signal });
		if (result.kind === "later") await giveBack(segment, held);
		return result;
	} catch (error) {
		if (!segment.abort.signal.aborted) await giveBack(segment, held);
		throw error;
	} finally {
		ended.abort();
	}
}

function setTimer(segment: Segment, later: AskLater): void {
	if (segment.state.timers >= segment.ready.limits.modelWaitsMax) {
		const message = `The model asked for patience ${segment.state.timers} times in a row (modelWaitsMax): ${later.reason}`;
		throw new HoldpointError("model.unavailable", message, { details: { run: segment.state.run } });
	}
	const timer = `t${segment.state.turns}.${segment.state.timers + 1}`;
	segment.emit({ type: "timer.set", timer, dueAt: segment.ports.clock.now() + later.dueInMs, why: later.reason });
}
